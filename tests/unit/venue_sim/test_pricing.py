"""The simulator's own arithmetic: fees worked by hand, and the best edge against trying every size."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.venue_sim.pricing import Terms, best_edge, kalshi_fee, net_edge, polymarket_fee

ONE = 1_000_000


@pytest.mark.parametrize(
    ("multiplier", "price_e4", "size_e6", "fee"),
    [
        ("1", 5_200, ONE, "0.0175"),  # a recorded fill: raw 0.017472
        ("1", 9_900, ONE, "0.0007"),  # a recorded fill: raw 0.000693
        ("1", 5_000, 100 * ONE, "1.75"),
        ("1", 410, 250 * ONE, "0.6881"),  # raw 0.6880825
        ("1", 4_730, 3_500_000, "0.0611"),  # raw 0.061071395
        ("1/2", 5_000, 100 * ONE, "0.875"),
        ("0", 5_000, 100 * ONE, "0"),
    ],
)
def test_kalshi_rounds_each_level_up_to_a_hundredth_of_a_cent(
    multiplier: str, price_e4: int, size_e6: int, fee: str
) -> None:
    assert kalshi_fee(multiplier=Fraction(multiplier), price_e4=price_e4, size_e6=size_e6) == Fraction(fee)


@pytest.mark.parametrize(
    ("rate", "price_e4", "size_e6", "fee"),
    [
        ("0.05", 7_100, 7_042_251, "0.07249"),  # settled on the venue: raw 0.072499974
        ("0.05", 6_500, 7_570_000, "0.08610"),  # settled on the venue: raw 0.08610875
        ("0.07", 8_200, 1_219_511, "0.01259"),  # settled on the venue
        ("0.04", 4_200, 100 * ONE, "0.9744"),
        ("0.05", 9_700, 5 * ONE, "0.00727"),  # raw 0.007275
        ("0", 5_000, 100 * ONE, "0"),
    ],
)
def test_polymarket_rounds_each_level_down_to_five_decimals(rate: str, price_e4: int, size_e6: int, fee: str) -> None:
    assert polymarket_fee(rate=Fraction(rate), price_e4=price_e4, size_e6=size_e6) == Fraction(fee)


def test_an_edge_worked_by_hand() -> None:
    """100 YES at 0.40 and 100 NO at 0.55: 100 - 40 - 55 = 5; fees 1.68 and 0.05 x 100 x 0.55 x 0.45 = 1.2375."""
    terms = Terms(kalshi_multiplier=Fraction(1), polymarket_rate=Fraction(5, 100), min_contracts_e6=5 * ONE)
    edge = best_edge([(4_000, 100 * ONE)], [(5_500, 300 * ONE)], terms)
    assert edge is not None
    assert (edge.dollars, edge.contracts_e6) == (Fraction("2.0825"), 100 * ONE)


def test_a_crossing_that_fees_eat_pays_nothing() -> None:
    """0.49 + 0.50 leaves a cent a contract; the fees are 1.75 and 1.25 cents."""
    terms = Terms(kalshi_multiplier=Fraction(1), polymarket_rate=Fraction(5, 100), min_contracts_e6=5 * ONE)
    edge = best_edge([(4_900, 100 * ONE)], [(5_000, 100 * ONE)], terms)
    assert edge is not None
    assert edge.dollars < 0


def test_less_than_the_smallest_order_is_no_opportunity() -> None:
    terms = Terms(kalshi_multiplier=Fraction(1), polymarket_rate=Fraction(0), min_contracts_e6=5 * ONE)
    assert best_edge([(1_000, 4_990_000)], [(5_000, 100 * ONE)], terms) is None


def test_a_dear_crumb_can_carry_a_losing_rest_up_to_the_smallest_order() -> None:
    """4 contracts at 10 cents, the fifth at a loss: buying five still pays."""
    terms = Terms(kalshi_multiplier=Fraction(0), polymarket_rate=Fraction(0), min_contracts_e6=5 * ONE)
    edge = best_edge([(4_000, 4 * ONE), (6_000, 9 * ONE)], [(5_000, 100 * ONE)], terms)
    assert edge is not None
    assert (edge.dollars, edge.contracts_e6) == (Fraction("0.3"), 5 * ONE)


def test_a_taking_buy_on_polymarket_is_worth_a_dollar_at_least() -> None:
    terms = Terms(kalshi_multiplier=Fraction(0), polymarket_rate=Fraction(0), min_contracts_e6=5 * ONE)
    assert best_edge([(9_000, 99 * ONE)], [(100, 99 * ONE)], terms) is None
    edge = best_edge([(9_000, 100 * ONE)], [(100, 100 * ONE)], terms)
    assert edge is not None
    assert edge.contracts_e6 == 100 * ONE


ladders = st.lists(
    st.tuples(st.integers(30, 62).map(lambda cents: cents * 100), st.integers(1, 900).map(lambda n: n * 10_000)),
    min_size=1,
    max_size=4,
    unique_by=lambda level: level[0],
).map(sorted)


@settings(max_examples=25, deadline=None)
@given(ladders, ladders, st.sampled_from(["0", "0.5", "1"]), st.sampled_from(["0", "0.04", "0.07"]))
def test_the_best_edge_is_the_best_over_every_size(
    kalshi: list[tuple[int, int]], polymarket: list[tuple[int, int]], multiplier: str, rate: str
) -> None:
    terms = Terms(kalshi_multiplier=Fraction(multiplier), polymarket_rate=Fraction(rate), min_contracts_e6=5 * ONE)
    most_e6 = min(sum(size for _, size in kalshi), sum(size for _, size in polymarket))
    every = [
        net_edge(kalshi, polymarket, size, terms)
        for size in range(5 * ONE, most_e6 + 1, 10_000)
        if _cost_dollars(polymarket, size) >= 1
    ]
    found = best_edge(kalshi, polymarket, terms)
    assert (found is None) == (not every)
    if found is not None:
        assert max(every) - Fraction(2, 10_000) <= found.dollars <= max(every)


def _cost_dollars(levels: list[tuple[int, int]], size_e6: int) -> Fraction:
    cost = Fraction()
    for price_e4, held_e6 in levels:
        filled_e6 = min(held_e6, size_e6)
        size_e6 -= filled_e6
        cost += Fraction(price_e4 * filled_e6, 10**10)
    return cost
