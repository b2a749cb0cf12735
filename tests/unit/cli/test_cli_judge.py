"""The judge of the demo: what had to be found, what was missed, what was announced without cause. Worked by hand.

Times are milliseconds; the watch is from 10,000 to 20,000 unless a case says otherwise.
"""

import pytest

from services.cli.judge import Episode, Key, TrueInterval, Verdict, judge

KEY = Key(kalshi_ticker="T", condition_id="0xab", direction="yes_kalshi_no_polymarket")
OTHER = Key(kalshi_ticker="T", condition_id="0xab", direction="no_kalshi_yes_polymarket")


def true(opened_ms: int, closed_ms: int, key: Key = KEY) -> TrueInterval:
    return TrueInterval(key=key, opened_ms=opened_ms, closed_ms=closed_ms)


def said(opened_ms: int, closed_ms: int, key: Key = KEY) -> Episode:
    return Episode(key=key, opened_ms=opened_ms, closed_ms=closed_ms)


def verdict(truth: list[TrueInterval], episodes: list[Episode]) -> Verdict:
    return judge(truth, episodes, watched_from_ms=10_000, watched_to_ms=20_000)


def counts(found: Verdict) -> tuple[int, int, int, int]:
    return found.expected, found.found, found.missed, found.false


def test_nothing_there_and_nothing_said_is_right() -> None:
    assert verdict([], []) == Verdict(expected=0, found=0, missed=0, false=0)


def test_what_was_there_and_was_said_is_found() -> None:
    assert counts(verdict([true(12_000, 14_000)], [said(12_060, 14_200)])) == (1, 1, 0, 0)


def test_what_was_there_and_was_not_said_is_missed_and_shown() -> None:
    found = verdict([true(12_000, 14_000)], [])
    assert counts(found) == (1, 0, 1, 0)
    assert found.missed_intervals == (true(12_000, 14_000),)


def test_what_was_said_and_was_not_there_is_false_and_shown() -> None:
    found = verdict([], [said(12_000, 13_000)])
    assert counts(found) == (0, 0, 0, 1)
    assert found.false_episodes == (said(12_000, 13_000),)


@pytest.mark.parametrize("key", [OTHER, Key("T2", "0xab", KEY.direction), Key("T", "0xcd", KEY.direction)])
def test_the_right_moment_of_another_direction_or_pair_is_missed_and_false(key: Key) -> None:
    assert counts(verdict([true(12_000, 14_000)], [said(12_060, 14_000, key)])) == (1, 0, 1, 1)


@pytest.mark.parametrize(
    ("opened_ms", "closed_ms", "expected"),
    [
        (12_000, 13_000, 1),  # exactly a second
        (12_000, 12_999, 0),  # gone a millisecond sooner
        (9_500, 10_999, 0),  # a second and a half, of which 999 ms are watched
        (9_500, 11_000, 1),
        (19_000, 30_000, 1),  # a second until the watch ends
        (19_001, 30_000, 0),
        (0, 99_000, 1),  # there all the time
        (8_000, 9_999, 0),  # over before the watch
        (20_001, 25_000, 0),  # begins after it
    ],
)
def test_only_what_lasts_a_second_inside_the_watch_must_be_found(opened_ms: int, closed_ms: int, expected: int) -> None:
    assert counts(verdict([true(opened_ms, closed_ms)], [])) == (expected, 0, expected, 0)


@pytest.mark.parametrize(
    ("episode", "found"),
    [
        (said(11_000, 12_000), True),  # touches the beginning
        (said(11_000, 11_999), False),  # ends just before
        (said(14_000, 15_000), True),  # touches the end
        (said(14_001, 15_000), False),  # begins just after
        (said(5_000, 50_000), True),  # covers it
        (said(13_000, 13_000), True),  # a moment inside
    ],
)
def test_an_episode_finds_an_interval_that_it_meets(episode: Episode, found: bool) -> None:
    assert verdict([true(12_000, 14_000)], [episode]).found == found


@pytest.mark.parametrize(
    ("opened_ms", "false"),
    [
        (11_999, 1),  # announced before it was there
        (12_000, 0),
        (13_000, 0),
        (13_500, 0),  # its edge was there half a second ago
        (13_501, 1),  # half a second and a millisecond is too late
    ],
)
def test_an_episode_is_justified_by_an_edge_of_the_last_half_second(opened_ms: int, false: int) -> None:
    assert verdict([true(12_000, 13_000)], [said(opened_ms, 14_000)]).false == false


def test_a_short_edge_justifies_an_episode_although_nobody_asks_for_it() -> None:
    assert counts(verdict([true(12_000, 12_100)], [said(12_050, 12_400)])) == (0, 0, 0, 0)


@pytest.mark.parametrize(("opened_ms", "false"), [(9_999, 0), (10_000, 1), (20_000, 1), (20_001, 0)])
def test_only_what_is_announced_during_the_watch_is_judged(opened_ms: int, false: int) -> None:
    assert verdict([], [said(opened_ms, 30_000)]).false == false


def test_an_episode_from_before_the_watch_still_finds() -> None:
    assert counts(verdict([true(9_000, 15_000)], [said(9_060, 15_100)])) == (1, 1, 0, 0)


def test_one_episode_may_find_two_intervals_and_one_interval_justify_two_episodes() -> None:
    """The edge flickers and the detector lingers, or the other way round: nobody is punished for either."""
    assert counts(verdict([true(11_000, 12_500), true(12_600, 14_000)], [said(11_060, 14_100)])) == (2, 2, 0, 0)
    assert counts(verdict([true(11_000, 15_000)], [said(11_060, 12_000), said(13_000, 15_000)])) == (1, 1, 0, 0)
