"""The clocks: stamps in the units their names say, ages that never run backwards, and a fake that moves on request."""

import time

import time_machine

from shared.runtime.clock import Clock, SystemClock
from shared.testing.clock import FakeClock


def test_stamps_are_unix_time_in_the_unit_of_their_name() -> None:
    with time_machine.travel(1_795_284_000.5, tick=False):
        clock: Clock = SystemClock()
        assert clock.now_ms() == 1_795_284_000_500
        assert clock.now_ns() // 1_000_000 == 1_795_284_000_500


def test_ages_are_seconds_of_the_monotonic_clock() -> None:
    clock = SystemClock()
    before = time.monotonic()
    between = clock.monotonic_s()
    assert before <= between <= time.monotonic()


def test_the_fake_moves_both_clocks_only_when_told() -> None:
    clock: Clock = FakeClock(now_ms=1_000)
    assert (clock.now_ms(), clock.monotonic_s()) == (1_000, 0)
    assert isinstance(clock, FakeClock)
    clock.advance(ms=250)
    assert (clock.now_ms(), clock.now_ns(), clock.monotonic_s()) == (1_250, 1_250_000_000, 0.25)
    clock.set_wall(now_ms=5)
    assert (clock.now_ms(), clock.monotonic_s()) == (5, 0.25)
