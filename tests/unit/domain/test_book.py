"""Worked examples of the order book."""

import pytest

from shared.domain.book import BelowZero, Book, Ladder, mirrored


def book(yes_bids: list[tuple[int, int]], no_bids: list[tuple[int, int]]) -> Book:
    made = Book()
    made.yes_bids.replace(yes_bids)
    made.no_bids.replace(no_bids)
    return made


def test_a_no_bid_is_a_yes_ask_at_the_mirrored_price() -> None:
    made = book([(4_100, 10), (4_000, 20)], [(5_700, 7), (5_600, 8)])
    assert made.bids() == ((4_100, 10), (4_000, 20))
    assert made.asks() == ((4_300, 7), (4_400, 8))
    assert (made.best_bid_e4, made.best_ask_e4) == (4_100, 4_300)
    assert made.asks(1) == ((4_300, 7),)


@pytest.mark.parametrize(
    ("no_bid_e4", "crossed", "locked"), [(5_800, False, False), (5_900, False, True), (5_901, True, False)]
)
def test_crossed_means_bid_above_ask_and_locked_means_equal(no_bid_e4: int, crossed: bool, locked: bool) -> None:
    made = book([(4_100, 1)], [(no_bid_e4, 1)])
    assert (made.is_crossed, made.is_locked) == (crossed, locked)


def test_an_empty_side_reads_as_no_bid_and_an_ask_of_one_dollar() -> None:
    made = Book()
    assert made.is_empty
    assert not made.is_crossed
    assert not made.is_locked
    assert (made.best_bid_e4, made.best_ask_e4) == (0, 10_000)


def test_a_change_below_zero_is_a_lost_message_and_changes_nothing() -> None:
    ladder = Ladder()
    ladder.set(4_200, 54_000_000)
    with pytest.raises(BelowZero, match=r"level 0\.42 holds 54, change -55"):
        ladder.add(4_200, -55_000_000)
    with pytest.raises(BelowZero, match=r"level 0\.41 holds 0, change -1"):
        ladder.add(4_100, -1_000_000)
    assert ladder.best_first() == [(4_200, 54_000_000)]


def test_the_best_price_is_found_again_when_its_level_goes() -> None:
    ladder = Ladder()
    ladder.replace([(4_000, 1), (4_200, 2), (4_100, 3), (3_000, 0)])
    ladder.add(4_200, -2)
    assert ladder.best_e4 == 4_100
    ladder.set(4_100, 0)
    assert ladder.best_e4 == 4_000
    ladder.set(4_000, 0)
    assert ladder.best_e4 == 0


def test_the_mirror_of_a_ladder_keeps_sizes_and_order() -> None:
    assert mirrored(((4_100, 10), (4_000, 20))) == ((5_900, 10), (6_000, 20))
