"""YES and NO of one market below a dollar are exactly a crossed book, which the gate never lets through."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.arbitrage import Ladders
from shared.domain.market import Venue
from tests.unit.arb_detector.scene import Scene

prices_e4 = st.integers(1, 9_999)


@given(bid_e4=prices_e4, ask_e4=prices_e4)
def test_both_outcomes_cost_less_than_they_pay_exactly_when_somebody_bids_more_than_another_asks(
    bid_e4: int, ask_e4: int
) -> None:
    ladders = Ladders(yes_bids=[(bid_e4, 1)], yes_asks=[(ask_e4, 1)])
    assert (ladders.yes_e4 + ladders.no_e4 < 10_000) == (bid_e4 > ask_e4)


@pytest.mark.parametrize("venue", Venue)
@given(ask_e4=st.integers(1, 9_998), more_e4=st.integers(1, 500))
def test_such_a_book_closes_what_is_open_and_opens_nothing(venue: Venue, ask_e4: int, more_e4: int) -> None:
    bid_e4 = min(9_999, ask_e4 + more_e4)
    crossed = ([(f"{Decimal(bid_e4).scaleb(-4):f}", "100")], [(f"{Decimal(ask_e4).scaleb(-4):f}", "100")])
    scene = Scene(debounce_ms=0)
    scene.offer()
    scene.tick(after_ms=1)
    scene.take(scene.quote(venue, *crossed))
    assert scene.outcome == "book is crossed"
    scene.tick(after_ms=5_000)
    assert all(watch.episode is None for watch in scene.detector.pairs[scene.pair.pair_id].watches.values())
