"""Two detector processes split the work; one is killed or stopped, and no opportunity is missed or told twice."""

import signal
import time
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import pytest

from shared.contracts.opportunities import OpportunityOpened
from shared.domain.market import Venue
from shared.domain.pair import Pair, PairId
from tests.faults.detector_world import WITH_EDGE, Stretch, World, kill, world_of

PAIRS = 48
STOPS = 8
HOLDS_S = (3.5, 5.0)
"""An edge lasts for longer than a takeover may take, and so does the time without one."""
TAKEOVER_S = 3.0
PROMPTLY_S = 1.0
"""For the debounce, and a machine that does other things too."""

pytestmark = pytest.mark.timeout(120)


class Flicker:
    """Lets every pair gain and lose its edge, each in its own rhythm."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._random = Random(seed)
        now_s = time.monotonic()
        self._due: dict[PairId, float] = {one.pair_id: now_s + self._random.uniform(0, 4) for one in world.pairs}
        self.is_ending = False

    def step(self) -> None:
        """Turn the pairs whose time has come, and let a moment pass."""
        for one in self._world.pairs:
            if time.monotonic() >= self._due[one.pair_id]:
                self._turn(one)
        self._world.step()

    def run_s(self, duration_s: float) -> None:
        """Go on for a while."""
        ends_s = time.monotonic() + duration_s
        while time.monotonic() < ends_s:
            self.step()

    def end(self) -> None:
        """Let what is open run its time, and begin nothing more."""
        self.is_ending = True
        while any(stretches and stretches[-1].to_s is None for stretches in self._world.truth.values()):
            self.step()

    def _turn(self, one: Pair) -> None:
        stretches = self._world.truth[one.pair_id]
        if stretches and stretches[-1].to_s is None:
            self._world.end(one)
        elif not self.is_ending:
            self._world.begin(one)
        self._due[one.pair_id] = time.monotonic() + self._random.uniform(*HOLDS_S)


def delays_s(world: World) -> dict[PairId, list[tuple[Stretch, float]]]:
    """Hold what was said against what was true; return how long after its beginning each edge was told."""
    offset_s = time.time() - time.monotonic()
    by_pair: defaultdict[PairId, list[OpportunityOpened]] = defaultdict(list)
    for found in world.opened:
        by_pair[found.pair_id].append(found)
    ends = {message.opportunity_id: message for message in world.closed}
    assert len(ends) == len(world.closed) == len(world.opened)
    assert {message.reason for message in ends.values()} == {"edge is gone"}
    told: dict[PairId, list[tuple[Stretch, float]]] = {}
    for pair_id, stretches in world.truth.items():
        found = sorted(by_pair[pair_id], key=lambda message: message.detected_ts_ns)
        assert len(found) == len(stretches), (pair_id, len(found), len(stretches))
        told[pair_id] = []
        for message, stretch in zip(found, stretches, strict=True):
            at_s = message.detected_ts_ns / 1e9 - offset_s
            assert stretch.to_s is not None
            assert stretch.from_s < at_s < stretch.to_s
            closed_s = ends[message.opportunity_id].closed_ts_ns / 1e9 - offset_s
            assert closed_s > stretch.to_s
            told[pair_id].append((stretch, at_s - stretch.from_s))
    orders = Counter(message.opportunity_id for message in world.ordered)
    assert orders == Counter(message.opportunity_id for message in world.opened)
    return told


def test_no_opportunity_is_missed_or_doubled_while_one_of_two_detectors_is_killed(
    redis_url: str, tmp_path: Path
) -> None:
    with world_of(redis_url, tmp_path, PAIRS) as world:
        first = world.start_detector("first")
        world.wait_for_replicas(1)
        world.start_detector("second")
        names = world.wait_for_replicas(2)
        flicker = Flicker(world, seed=5)
        flicker.run_s(5)
        kill(first)
        killed_s = time.monotonic()
        while len(world.holders()) > 1:
            flicker.step()
        took_s = time.monotonic() - killed_s
        flicker.run_s(4)
        third = world.start_detector("third")
        while sorted(world.holders().values()) != [8, 8]:
            flicker.step()
        assert third.process.poll() is None
        assert len(names | set(world.holders())) == 3
        flicker.end()
        world.until(lambda: len(world.closed) == sum(map(len, world.truth.values())), within_s=10)
        late = [
            (stretch.from_s - killed_s, delay_s)
            for told in delays_s(world).values()
            for stretch, delay_s in told
            if delay_s > PROMPTLY_S
        ]
    assert took_s < TAKEOVER_S
    assert all(-PROMPTLY_S < after_s < TAKEOVER_S and delay_s < TAKEOVER_S for after_s, delay_s in late), late


def test_a_stopped_detector_that_wakes_up_says_nothing_about_what_another_has_taken_over(
    redis_url: str, tmp_path: Path
) -> None:
    """Its limits are wide here, so that it believes its old quotes when it wakes: only the fence holds it back, or the
    word that its leases are lost, if that comes before it has read what it missed."""
    wide = {"ARB_DETECTOR_BEAT_AGE_MS": "60000", "ARB_DETECTOR_FRAME_AGE_MS": "60000", "ARB_DETECTOR_SKEW_MS": "60000"}
    with world_of(redis_url, tmp_path, PAIRS) as world:
        first = world.start_detector("first", **wide, ARB_DETECTOR_DEBOUNCE_MS="200")
        [name] = world.wait_for_replicas(1)
        world.start_detector("second", **wide)
        world.wait_for_replicas(2)
        parts = world.parts_of(name)
        for one in world.pairs:
            if one.partition in parts:
                world.begin(one)
        world.pass_s(0.1)
        first.tell(signal.SIGSTOP)
        assert not world.opened
        told = sum(map(len, world.truth.values()))
        world.until(lambda: len(world.opened) == told, within_s=TAKEOVER_S, what=lambda: len(world.opened))
        assert {message.epoch for message in world.opened} == set(world.holders())
        first.tell(signal.SIGCONT)
        world.wait_for_replicas(2)
        for one in world.pairs:
            if one.partition in parts:
                world.end(one)
        world.until(lambda: len(world.closed) == told, within_s=10)
        delays_s(world)


@pytest.mark.parametrize("whose", ["its own", "another's"])
def test_a_detector_that_stood_still_reads_what_it_missed_before_it_believes_that_an_edge_has_held(
    whose: str, redis_url: str, tmp_path: Path
) -> None:
    """Each edge is gone again before its debounce ends, and another quote had answered the pending read by then."""
    with world_of(redis_url, tmp_path, PAIRS) as world:
        detector = world.start_detector("only", ARB_DETECTOR_DEBOUNCE_MS="150")
        world.wait_for_replicas(1)
        one, other = world.pairs[:2]
        for _ in range(STOPS):
            world.begin(one)
            world.pass_s(0.05)
            detector.tell(signal.SIGSTOP)
            world.quote(one if whose == "its own" else other, Venue.KALSHI, WITH_EDGE[Venue.KALSHI])
            world.end(one)
            world.pass_s(0.3)
            detector.tell(signal.SIGCONT)
            world.pass_s(0.1)
        world.begin(other)
        world.until(lambda: other.pair_id in {message.pair_id for message in world.opened}, within_s=10)
        world.end(other)
        offset_s = time.time() - time.monotonic()
        for message in world.opened:
            at_s = message.detected_ts_ns / 1e9 - offset_s
            stretches = world.truth[message.pair_id]
            assert any(one.from_s < at_s < (one.to_s or 0.0) for one in stretches), "told when it was over"
