"""Replaying files: what is shown of a book that a feed would have withdrawn, and of a second connection."""

from collections.abc import Sequence

from shared.venues.kalshi.replay import replay
from tests.unit.kalshi.frames import A, B, delta, snapshot, subscribed

FIRST = [subscribed(), snapshot(1, yes=[("0.4700", "3.00")], no=[("0.5100", "4.00")]), snapshot(2, B)]


def lines(*more: bytes) -> Sequence[bytes]:
    return [*FIRST, *more]


def test_after_a_gap_every_book_is_lost_and_shown_as_far_as_the_frames_tell() -> None:
    whole = replay(lines(delta(3, change="5.00")))
    torn = replay(lines(delta(4, change="5.00")))
    assert (whole.lost, whole.gaps) == ((), 0)
    assert (torn.lost, torn.gaps) == ((A, B), 1)
    assert torn.books == whole.books


def test_a_snapshot_after_the_gap_heals_its_own_book_alone() -> None:
    result = replay(lines(delta(4, change="5.00"), snapshot(5, B)))
    assert result.lost == (A,)
    assert result.books.keys() == {A, B}


def test_a_market_that_the_exchange_emptied_is_listed_without_levels() -> None:
    result = replay(lines(snapshot(3)))
    assert (result.books[A].yes_bids, result.books[A].yes_asks) == ([], [])
    assert result.lost == ()


def test_numbers_that_start_again_are_another_connection() -> None:
    once = replay(lines(delta(3, change="5.00")))
    again = replay([*lines(delta(3, change="7.00")), *lines(delta(3, change="5.00"))[1:]])
    assert again.books == once.books
    assert (again.lost, again.gaps, again.refused) == ((), 0, {})


def test_a_change_that_takes_more_than_there_is_leaves_the_level_and_loses_the_book() -> None:
    result = replay(lines(delta(3, change="-9.00")))
    assert result.lost == (A,)
    assert result.books[A] == replay(lines()).books[A]
    assert result.refused == {"below zero": 1}


def test_a_frame_that_came_twice_counts_once() -> None:
    twice = replay(lines(*[delta(3, change="5.00")] * 2))
    assert twice.books == replay(lines(delta(3, change="5.00"))).books
    assert twice.refused == {"duplicate": 1}
