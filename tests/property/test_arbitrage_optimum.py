"""The depth walk against an independent exhaustive search, and the laws that its answer obeys."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.arbitrage import Ladders, Limits, MarketTerms, PairPricing, evaluate_pair
from shared.domain.book import mirrored
from shared.domain.depth_walk import UNLIMITED_E10, Leg, best_walk
from shared.domain.fee_tables import ONE_DOLLAR_E18, TakerFees, taker_fees
from shared.domain.fees import KalshiFees, PolymarketFees
from shared.domain.pair import Direction, Orientation
from tests.property import pair_reference as reference
from tests.unit.domain.fee_examples import kalshi, polymarket

UNIT_E6 = 1_000_000


class Case(NamedTuple):
    """One generated pair of legs in both notations."""

    legs: tuple[Leg, Leg]
    references: tuple[reference.ReferenceLeg, reference.ReferenceLeg]
    step_e6: int


def as_fraction(value: int, digits: int) -> Fraction:
    return Fraction(value, 10**digits)


def reference_leg(leg: Leg, rate: Fraction, precision: Fraction | None) -> reference.ReferenceLeg:
    limited = leg.max_capital_e10 < UNLIMITED_E10
    return reference.ReferenceLeg(
        levels=[(as_fraction(price, 4), as_fraction(size, 6)) for price, size in leg.levels],
        rate=rate,
        precision=precision,
        min_contracts=as_fraction(leg.min_size_e6, 6),
        min_notional=as_fraction(leg.min_cost_e10, 10),
        max_capital=as_fraction(leg.max_capital_e10, 10) if limited else None,
    )


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
        levels=draw(reference.levels(around_e4=around_e4, size_step_e6=step_e6)),
        fees=taker_fees(kalshi_terms),
        min_size_e6=draw(st.sampled_from([0, step_e6, 5 * UNIT_E6])),
        max_capital_e10=draw(capital),
    )
    second = Leg(
        levels=draw(reference.levels(around_e4=10_000 - around_e4 - gap_e4, size_step_e6=draw(sizes_near(step_e6)))),
        fees=taker_fees(polymarket_terms),
        min_size_e6=draw(st.sampled_from([0, 5 * UNIT_E6])),
        min_cost_e10=draw(st.sampled_from([0, 10**10])),
        max_capital_e10=draw(capital),
    )
    references = (
        reference_leg(
            first, Fraction(kalshi_terms.multiplier) * Fraction(7, 100), Fraction(kalshi_terms.precision_dollars)
        ),
        reference_leg(second, Fraction(polymarket_terms.rate), None),
    )
    return Case((first, second), references, step_e6)


def sizes_near(step_e6: int) -> st.SearchStrategy[int]:
    """Polymarket levels also hold sizes off the common grid."""
    return st.sampled_from([step_e6, step_e6 + 3])


def rounding_allowance(case: Case) -> Fraction:
    """One rounding unit per level and venue."""
    units = (as_fraction(case.legs[0].fees.rounding_e10, 10), as_fraction(case.legs[1].fees.rounding_e10, 10))
    return sum((unit * len(leg.levels) for unit, leg in zip(units, case.legs, strict=True)), Fraction(0))


@settings(max_examples=300, deadline=None)
@given(cases())
def test_the_edge_equals_that_of_an_exhaustive_search_but_for_rounding_and_is_never_above(case: Case) -> None:
    found = best_walk(*case.legs, step_e6=case.step_e6)
    step = as_fraction(case.step_e6, 6)
    best = reference.best_edge(*case.references, step)
    edge = as_fraction(found.edge_e10, 10) if found else Fraction(0)
    assert best - rounding_allowance(case) <= edge <= best
    if found:
        size = as_fraction(found.size_e6, 6)
        assert size in set(reference.feasible_sizes(*case.references, step))
        assert edge == reference.edge(*case.references, size)


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(1, 400))
def test_with_a_minimum_edge_the_next_contract_would_earn_less_and_the_whole_earns_it(case: Case, edge_e4: int) -> None:
    min_edge = as_fraction(edge_e4, 4)
    found = best_walk(*case.legs, step_e6=case.step_e6, min_edge_e18=edge_e4 * 10**14)
    if found is None:
        return
    size = as_fraction(found.size_e6, 6)
    sizes = list(reference.feasible_sizes(*case.references, as_fraction(case.step_e6, 6)))
    assert as_fraction(found.edge_e10, 10) >= min_edge * size
    assert size == sizes[0] or reference.marginal_edge(*case.references, size) >= min_edge


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(1, 20), st.integers(0, 1))
def test_one_more_level_never_lowers_the_edge_by_more_than_its_rounding(case: Case, units: int, side: int) -> None:
    """More depth: never less, but for the rounding of the level that is added."""
    before = best_walk(*case.legs, step_e6=case.step_e6)
    leg = case.legs[side]
    price_e4 = leg.levels[-1][0] + 1 if leg.levels else 100
    if price_e4 >= 10_000:
        return
    deeper = leg._replace(levels=[*leg.levels, (price_e4, units * case.step_e6)])
    legs = (deeper, case.legs[1]) if side == 0 else (case.legs[0], deeper)
    after = best_walk(*legs, step_e6=case.step_e6)
    allowance_e10 = sum(leg.fees.rounding_e10 for leg in case.legs)
    assert (after.edge_e10 if after else 0) >= (before.edge_e10 if before else 0) - allowance_e10


@settings(max_examples=150, deadline=None)
@given(cases())
def test_the_guard_never_rejects_what_the_walk_accepts(case: Case) -> None:
    first, second = case.legs
    if best_walk(first, second, step_e6=case.step_e6):
        cost_e18 = first.fees.all_in_e18[first.levels[0][0]] + second.fees.all_in_e18[second.levels[0][0]]
        assert cost_e18 <= ONE_DOLLAR_E18


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
        asks = draw(reference.levels(around_e4=middle_e4, size_step_e6=UNIT_E6, most=4))
        bids = mirrored(draw(reference.levels(around_e4=10_000 - middle_e4, size_step_e6=UNIT_E6, most=4)))
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
