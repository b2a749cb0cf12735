"""The page about Kalshi's surprises is what its table makes, and every proof it names exists."""

from tests.contract.kalshi_behaviour import CORRECTIONS, PAGE, PROBLEMS, missing_tests, page


def test_every_row_is_there() -> None:
    assert (len(PROBLEMS), len(CORRECTIONS)) == (10, 49)
    assert all(row.tests for row in PROBLEMS)


def test_every_named_test_exists() -> None:
    assert missing_tests() == []


def test_the_page_is_what_the_table_makes() -> None:
    assert PAGE.read_text() == page(), "stale: python -m tests.contract.kalshi_behaviour"
