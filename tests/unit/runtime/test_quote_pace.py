"""The pace of quotes: never more than it allows over any stretch of time, and nothing is saved up beyond a moment."""

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.quote_pace import QuotePace


def taken(pace: QuotePace, now_s: float) -> int:
    room = pace.room(now_s)
    for _ in range(room):
        pace.spend()
    return room


def test_at_once_a_twentieth_of_a_second_may_go_out_and_then_the_pace() -> None:
    pace = QuotePace(1_000)
    assert taken(pace, 5.0) == 50
    assert taken(pace, 5.0) == 0
    assert taken(pace, 5.03125) == 31
    assert taken(pace, 60.0) == 50, "a long pause saves up no more than a moment"


def test_the_slowest_pace_still_lets_one_out() -> None:
    pace = QuotePace(1)
    assert taken(pace, 0.0) == 1
    assert taken(pace, 0.5) == 0
    assert taken(pace, 1.5) == 1


@given(
    per_s=st.integers(min_value=1, max_value=100_000),
    waits_ms=st.lists(st.integers(min_value=0, max_value=400), min_size=1, max_size=60),
)
def test_over_any_time_no_more_goes_out_than_the_pace_and_one_burst(per_s: int, waits_ms: list[int]) -> None:
    pace = QuotePace(per_s)
    at_ms = 0
    total = taken(pace, 0.0)
    for wait_ms in waits_ms:
        at_ms += wait_ms
        total += taken(pace, at_ms / 1_000)
        assert total <= max(1, per_s / 20) + per_s * at_ms / 1_000 + 1
