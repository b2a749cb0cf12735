"""The laws that a depth walk obeys; ``test_arbitrage_brute_force`` holds its answer against an exhaustive search."""

from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.arbitrage import Ladders, Limits, MarketTerms, PairPricing, evaluate_pair
from shared.domain.book import LevelE, mirrored
from shared.domain.depth_legs import ASKED_E4, UNLIMITED_E10, Leg, Terms, Walk
from shared.domain.depth_search import search
from shared.domain.depth_walk import DepthWalk
from shared.domain.fee_tables import ONE_DOLLAR_E18, TakerFees, taker_fees
from shared.domain.fees import KalshiFees, PolymarketFees
from shared.domain.pair import Direction, Orientation
from tests.unit.domain.fee_examples import kalshi, polymarket

UNIT_E6 = 1_000_000


class Case(NamedTuple):
    """One generated pair of legs and what is offered on each, cheapest first."""

    terms: Terms
    ladders: tuple[list[LevelE], list[LevelE]]

    def walk(self) -> Walk | None:
        """Return the quick answer."""
        return DepthWalk(self.terms).best(*((ladder, ASKED_E4) for ladder in self.ladders))

    def exact(self) -> Walk | None:
        """Return the thorough answer."""
        first, second = self.ladders
        return search(self.terms, ((first, ASKED_E4), (second, ASKED_E4)))

    @property
    def rounding_e10(self) -> int:
        """One rounding unit per leg."""
        return sum(leg.fees.rounding_e10 for leg in self.terms.legs)


@st.composite
def levels(draw: st.DrawFn, *, around_e4: int, size_step_e6: int, most: int = 12) -> list[LevelE]:
    """Draw up to ``most`` levels near a price, cheapest first."""
    tick = draw(st.sampled_from([1, 10, 25, 50, 100]))
    prices = draw(st.sets(st.integers(-4, 12), min_size=0, max_size=most))
    sizes = st.integers(1, 20).map(lambda steps: steps * size_step_e6)
    wanted = [around_e4 // tick * tick + offset * tick for offset in sorted(prices)]
    return [(price, draw(sizes)) for price in wanted if 0 < price < 10_000]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    step_e6 = draw(st.sampled_from([10_000, 250_000, UNIT_E6, 7 * UNIT_E6]))
    around_e4 = draw(st.integers(200, 9_800))
    gap_e4 = draw(st.integers(-100, 600))
    kalshi_terms: KalshiFees = draw(
        st.builds(
            kalshi,
            multiplier=st.sampled_from(["0", "0.5", "1", "1.25"]),
            precision=st.sampled_from(["0.0001", "0.01"]),
        )
    )
    polymarket_terms: PolymarketFees = draw(st.builds(polymarket, rate=st.sampled_from(["0", "0.04", "0.05", "0.07"])))
    capital = st.one_of(st.just(UNLIMITED_E10), st.integers(0, 40 * 10**10))
    first = Leg(
        fees=taker_fees(kalshi_terms),
        min_size_e6=draw(st.sampled_from([0, step_e6, 5 * UNIT_E6])),
        max_capital_e10=draw(capital),
    )
    second = Leg(
        fees=taker_fees(polymarket_terms),
        min_size_e6=draw(st.sampled_from([0, 5 * UNIT_E6])),
        min_cost_e10=draw(st.sampled_from([0, 10**10])),
        max_capital_e10=draw(capital),
    )
    other_step_e6 = draw(st.sampled_from([step_e6, step_e6 + 3]))
    return Case(
        Terms(
            legs=(first, second),
            step_e6=step_e6,
            min_edge_e18=draw(st.sampled_from([0, 0, 10**15, 10**16])),
            max_size_e6=draw(st.sampled_from([None, None, 3 * step_e6])),
        ),
        (
            draw(levels(around_e4=around_e4, size_step_e6=step_e6)),
            draw(levels(around_e4=10_000 - around_e4 - gap_e4, size_step_e6=other_step_e6)),
        ),
    )


@settings(max_examples=300, deadline=None)
@given(cases())
def test_the_quick_walk_is_never_above_the_exact_one_and_at_most_one_rounding_unit_per_leg_below(case: Case) -> None:
    quick, exact = case.walk(), case.exact()
    assert (quick is None) == (exact is None)
    if quick and exact:
        assert exact.edge_e10 - case.rounding_e10 <= quick.edge_e10 <= exact.edge_e10


@settings(max_examples=200, deadline=None)
@given(cases())
def test_both_walks_add_up_and_keep_every_limit(case: Case) -> None:
    for walk in (case.walk(), case.exact()):
        if walk is None:
            continue
        terms = case.terms
        assert walk.size_e6 % terms.step_e6 == 0
        assert terms.allows(walk.size_e6, walk.outlays_e10)
        for leg, fills, outlay_e10 in zip(terms.legs, walk.fills, walk.outlays_e10, strict=True):
            cost_e10 = sum(fill.price_e4 * fill.size_e6 for fill in fills)
            assert cost_e10 + sum(fill.fee_e10 for fill in fills) == outlay_e10
            assert cost_e10 >= leg.min_cost_e10
            assert sum(fill.size_e6 for fill in fills) == walk.size_e6 >= leg.min_size_e6
        assert walk.edge_e10 == walk.size_e6 * 10**4 - sum(walk.outlays_e10) > 0
        assert walk.edge_e10 * 10**14 >= terms.min_edge_e18 * walk.size_e6


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(1, 20), st.integers(0, 1))
def test_one_more_level_never_lowers_the_edge(case: Case, units: int, side: int) -> None:
    before = case.exact()
    ladder = case.ladders[side]
    price_e4 = ladder[-1][0] + 1 if ladder else 100
    if price_e4 >= 10_000 or case.terms.min_edge_e18:
        return
    deeper = [*ladder, (price_e4, units * case.terms.step_e6)]
    after = case._replace(ladders=(deeper, case.ladders[1]) if side == 0 else (case.ladders[0], deeper)).exact()
    assert (after.edge_e10 if after else 0) >= (before.edge_e10 if before else 0)


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(1, 200))
def test_a_haircut_takes_that_much_off_every_contract(case: Case, haircut_e4: int) -> None:
    cut = case._replace(terms=case.terms._replace(haircut_e18=haircut_e4 * 10**14)).exact()
    whole = case.exact()
    if cut is not None:
        assert cut.haircut_e10 == haircut_e4 * cut.size_e6
        assert whole is not None
        assert whole.edge_e10 >= cut.edge_e10 + cut.haircut_e10


@settings(max_examples=150, deadline=None)
@given(cases())
def test_the_guard_never_rejects_what_the_walk_accepts(case: Case) -> None:
    (first, second), ladders = case.terms.legs, case.ladders
    if case.walk():
        cost_e18 = first.fees.all_in_e18[ladders[0][0][0]] + second.fees.all_in_e18[ladders[1][0][0]]
        assert cost_e18 < ONE_DOLLAR_E18


terms = {
    "size_step_contracts": Decimal("0.01"),
    "min_contracts": Decimal("0.01"),
}


@st.composite
def books(draw: st.DrawFn) -> tuple[Ladders, Ladders]:
    around_e4 = draw(st.integers(500, 9_500))
    gap_e4 = draw(st.integers(-500, 500))
    made = []
    for middle_e4 in (around_e4, around_e4 + gap_e4):
        asks = draw(levels(around_e4=middle_e4, size_step_e6=UNIT_E6, most=4))
        bids = mirrored(draw(levels(around_e4=10_000 - middle_e4, size_step_e6=UNIT_E6, most=4)))
        made.append(Ladders(yes_bids=bids, yes_asks=asks))
    return made[0], made[1]


def pricing(orientation: Orientation, min_edge: str = "0") -> PairPricing:
    return PairPricing(
        orientation,
        kalshi=MarketTerms(fees=kalshi(), **terms),
        polymarket=MarketTerms(fees=polymarket(), **terms),
        limits=Limits(min_edge_dollars_per_contract=Decimal(min_edge)),
    )


def swapped(book: Ladders) -> Ladders:
    """The same market with YES and NO exchanged."""
    return Ladders(yes_bids=mirrored(book.yes_asks), yes_asks=mirrored(book.yes_bids))


@settings(max_examples=100, deadline=None)
@given(books(), st.sampled_from(Orientation))
def test_exchanging_yes_and_no_on_both_venues_exchanges_the_directions(
    pair: tuple[Ladders, Ladders], orientation: Orientation
) -> None:
    there = evaluate_pair(pricing(orientation), *pair)
    back = evaluate_pair(pricing(orientation), *(swapped(book) for book in pair))
    assert [r.edge_dollars for r in there] == [r.edge_dollars for r in reversed(back)]
    assert [r.kalshi.fills for r in there] == [r.kalshi.fills for r in reversed(back)]
    assert [r.polymarket.fills for r in there] == [r.polymarket.fills for r in reversed(back)]


@settings(max_examples=100, deadline=None)
@given(books())
def test_an_inverted_pair_is_the_same_pair_with_polymarket_exchanged(pair: tuple[Ladders, Ladders]) -> None:
    same = evaluate_pair(pricing(Orientation.SAME), pair[0], swapped(pair[1]))
    inverted = evaluate_pair(pricing(Orientation.INVERTED), *pair)
    assert [r.edge_dollars for r in same] == [r.edge_dollars for r in inverted]
    assert {r.polymarket.side for r in same} == {r.polymarket.side for r in inverted}


@settings(max_examples=200, deadline=None)
@given(books(), st.sampled_from(Orientation), st.sampled_from(["0", "0.001", "0.0125"]))
def test_promising_names_every_direction_that_has_an_edge(
    pair: tuple[Ladders, Ladders], orientation: Orientation, min_edge: str
) -> None:
    priced = pricing(orientation, min_edge)
    earning = {direction for direction in Direction if priced.walk(direction, *pair)}
    assert earning <= set(priced.promising(*pair))


@pytest.mark.parametrize("exponent", [1, 2])
def test_the_cost_table_grows_with_the_price(exponent: int) -> None:
    table = TakerFees(rate_e10=700_000_000, exponent=exponent, precision_e10=None).all_in_e18
    assert all(below < above for below, above in pairwise(table))
