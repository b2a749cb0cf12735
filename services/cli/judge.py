"""Compares what the detector said with what the simulator knows was there.

Pure, and it shares no arithmetic with either: the simulator's truth comes as intervals of time in which a pair had a
net edge in one direction, the detector's word as episodes. Times are Unix milliseconds of the machine both run on.
"""

from collections.abc import Sequence

import msgspec

EXPECTED_AFTER_MS = 1_000
"""An opportunity that stays this long inside the watched window must be found. It leaves room for the debounce of 50 ms
and for a busy machine; what is gone sooner may be found but is not asked for."""
HINDSIGHT_MS = 500
"""An episode is justified when its edge existed at some moment this long before it was announced, or later."""


class Key(msgspec.Struct, frozen=True):
    """One direction of one pair."""

    kalshi_ticker: str
    condition_id: str
    direction: str


class TrueInterval(msgspec.Struct, frozen=True):
    """From ``opened_ms`` to ``closed_ms`` a net edge existed at a size that could be bought."""

    key: Key
    opened_ms: int
    closed_ms: int


class Episode(msgspec.Struct, frozen=True):
    """What the detector announced: ``closed_ms`` is the end of the watch for one that is still open."""

    key: Key
    opened_ms: int
    closed_ms: int


class Verdict(msgspec.Struct, frozen=True):
    """How many opportunities had to be found, were found, were missed; and how many were announced without cause."""

    expected: int
    found: int
    missed: int
    false: int
    missed_intervals: tuple[TrueInterval, ...] = ()
    false_episodes: tuple[Episode, ...] = ()


def judge(
    truth: Sequence[TrueInterval], episodes: Sequence[Episode], *, watched_from_ms: int, watched_to_ms: int
) -> Verdict:
    """Judge all episodes announced in the window, and all true intervals that lasted long enough inside it."""
    expected = [
        interval
        for interval in truth
        if min(interval.closed_ms, watched_to_ms) - max(interval.opened_ms, watched_from_ms) >= EXPECTED_AFTER_MS
    ]
    missed = tuple(interval for interval in expected if not any(_meets(interval, episode) for episode in episodes))
    announced = [episode for episode in episodes if watched_from_ms <= episode.opened_ms <= watched_to_ms]
    false = tuple(episode for episode in announced if not any(_justifies(interval, episode) for interval in truth))
    return Verdict(
        expected=len(expected),
        found=len(expected) - len(missed),
        missed=len(missed),
        false=len(false),
        missed_intervals=missed,
        false_episodes=false,
    )


def _meets(interval: TrueInterval, episode: Episode) -> bool:
    return (
        interval.key == episode.key
        and episode.opened_ms <= interval.closed_ms
        and interval.opened_ms <= episode.closed_ms
    )


def _justifies(interval: TrueInterval, episode: Episode) -> bool:
    return (
        interval.key == episode.key
        and interval.opened_ms <= episode.opened_ms
        and episode.opened_ms - HINDSIGHT_MS <= interval.closed_ms
    )
