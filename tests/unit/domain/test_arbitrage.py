"""Pairs priced by hand."""

from decimal import Decimal

import pytest

from shared.domain.arbitrage import (
    DirectionResult,
    Ladders,
    Limits,
    MarketTerms,
    PairPricing,
    best_of,
    evaluate_direction,
    evaluate_pair,
    sides,
)
from shared.domain.fees import FeesRefused
from shared.domain.pair import Direction, Orientation
from tests.unit.domain.fee_examples import kalshi, polymarket

YES_NO, NO_YES = Direction.YES_KALSHI_NO_POLYMARKET, Direction.NO_KALSHI_YES_POLYMARKET
UNIT_E6 = 1_000_000


def pricing(orientation: Orientation = Orientation.SAME, **changes: str) -> PairPricing:
    """Polymarket asks for five contracts and a dollar; ``changes`` set a limit by name."""
    cap = {venue: Decimal(changes[venue]) if venue in changes else None for venue in ("kalshi", "polymarket")}
    return PairPricing(
        orientation,
        kalshi=MarketTerms(
            fees=kalshi(),
            size_step_contracts=Decimal(changes.get("step", "0.01")),
            min_contracts=Decimal("0.01"),
            max_capital_dollars=cap["kalshi"],
        ),
        polymarket=MarketTerms(
            fees=polymarket(),
            size_step_contracts=Decimal("0.01"),
            min_contracts=Decimal(changes.get("min_contracts", "5")),
            min_notional_dollars=Decimal(changes.get("min_notional", "1")),
            max_capital_dollars=cap["polymarket"],
        ),
        limits=Limits(
            min_edge_dollars_per_contract=Decimal(changes.get("min_edge", "0")),
            max_contracts=Decimal(changes["most"]) if "most" in changes else None,
        ),
    )


def levels(*pairs: tuple[str, str]) -> tuple[tuple[int, int], ...]:
    return tuple((int(Decimal(price) * 10_000), int(Decimal(size) * UNIT_E6)) for price, size in pairs)


KALSHI = Ladders(yes_bids=levels(("0.38", "100")), yes_asks=levels(("0.41", "100"), ("0.42", "50")))
POLYMARKET = Ladders(yes_bids=levels(("0.47", "80"), ("0.46", "200")), yes_asks=levels(("0.49", "10")))


def evaluated(priced: PairPricing, polymarket_book: Ladders = POLYMARKET) -> DirectionResult:
    return evaluate_direction(priced, YES_NO, KALSHI, polymarket_book, days_to_payout=Decimal(30))


def test_the_worked_example_of_both_ladders() -> None:
    """Kalshi: 100 @ 0.41 fee 1.6933, 50 @ 0.42 fee 0.8526. Polymarket NO: 80 @ 0.53 fee 0.9964, 70 @ 0.54 fee 0.8694.

    Outlays 64.5459 and 82.0658 for a payout of 150 leave 3.3883, which is 28.118 % a year over 30 days.
    """
    result = evaluated(pricing())
    assert result.contracts == 150
    assert [(f.price_dollars, f.size_contracts, f.fee_dollars) for f in result.kalshi.fills] == [
        (Decimal("0.41"), 100, Decimal("1.6933")),
        (Decimal("0.42"), 50, Decimal("0.8526")),
    ]
    assert [(f.price_dollars, f.size_contracts, f.fee_dollars) for f in result.polymarket.fills] == [
        (Decimal("0.53"), 80, Decimal("0.9964")),
        (Decimal("0.54"), 70, Decimal("0.8694")),
    ]
    assert (result.kalshi.capital_dollars, result.polymarket.capital_dollars) == (
        Decimal("64.5459"),
        Decimal("82.0658"),
    )
    assert (result.payout_dollars, result.edge_dollars) == (150, Decimal("3.3883"))
    assert result.annualised_return == Decimal("0.281180")
    limits = (result.kalshi.limit_price_dollars, result.polymarket.limit_price_dollars)
    assert limits == (Decimal("0.42"), Decimal("0.54"))


def test_the_other_direction_of_the_example_offers_nothing() -> None:
    results = evaluate_pair(pricing(), KALSHI, POLYMARKET)
    assert [result.contracts for result in results] == [150, 0]
    assert results[1].kalshi.limit_price_dollars is None
    assert best_of(results) == results[0]
    assert best_of(results[1:]) is None


@pytest.mark.parametrize(
    ("orientation", "direction", "bought"),
    [
        (Orientation.SAME, YES_NO, ("yes", "no")),
        (Orientation.SAME, NO_YES, ("no", "yes")),
        (Orientation.INVERTED, YES_NO, ("yes", "yes")),
        (Orientation.INVERTED, NO_YES, ("no", "no")),
    ],
)
def test_which_outcomes_a_direction_buys(
    orientation: Orientation, direction: Direction, bought: tuple[str, str]
) -> None:
    assert sides(direction, orientation) == bought


def test_the_walk_stops_where_the_next_contract_earns_less_than_the_minimum_edge() -> None:
    """At 0.41 + 0.53 a contract earns 0.0306 (fees 0.016933 and 0.012455), at 0.41 + 0.54 only 0.0206."""
    assert evaluated(pricing(min_edge="0.0206")).contracts == 100
    assert evaluated(pricing(min_edge="0.025")).contracts == 80
    assert evaluated(pricing(min_edge="0.0307")).contracts == 0


def test_an_edge_of_exactly_the_minimum_counts_and_one_unit_more_does_not() -> None:
    """Without fees 0.41 + 0.53 leaves 0.06 per contract, to the last digit."""
    terms = MarketTerms(fees=kalshi(multiplier="0"), size_step_contracts=Decimal(1), min_contracts=Decimal(1))
    other = MarketTerms(fees=polymarket(rate="0"), size_step_contracts=Decimal(1), min_contracts=Decimal(1))
    for min_edge, contracts in (("0.06", 80), ("0.060001", 0)):
        priced = PairPricing(
            Orientation.SAME,
            kalshi=terms,
            polymarket=other,
            limits=Limits(min_edge_dollars_per_contract=Decimal(min_edge)),
        )
        assert evaluated(priced).contracts == contracts


def test_rounding_against_us_is_part_of_the_edge() -> None:
    """One contract at 0.5 + 0.4649: fees 0.0175 and 0.01243 leave 0.00517 of the unrounded 0.00516…"""
    book = Ladders(yes_bids=levels(("0.5351", "1")))
    result = evaluate_direction(
        pricing(min_contracts="1", min_notional="0"),
        YES_NO,
        Ladders(yes_asks=levels(("0.5", "1"))),
        book,
    )
    assert result.contracts == 1
    assert result.edge_dollars == 1 - Decimal("0.5") - Decimal("0.0175") - Decimal("0.4649") - Decimal("0.01243")


@pytest.mark.parametrize(
    ("limits", "contracts"),
    [
        ({"kalshi": "10"}, "23.42"),  # 9.6022 and a fee of 0.3966; 0.01 more would take 10.003
        ({"polymarket": "2"}, "0"),  # five contracts cost 2.65 and more
        ({"polymarket": "54.29"}, "99.71"),  # takes 54.28459; 0.01 more costs 0.0055
        ({"most": "7.5"}, "7.5"),
        ({"step": "20"}, "140"),
        ({"min_contracts": "150.01"}, "0"),
        ({"min_notional": "80.2"}, "150"),
        ({"min_notional": "80.21"}, "0"),
    ],
)
def test_limits_minima_and_steps_bound_the_size(limits: dict[str, str], contracts: str) -> None:
    result = evaluated(pricing(**limits))
    assert result.contracts == Decimal(contracts)


def test_a_minimum_above_the_profitable_depth_is_taken_while_the_whole_still_earns() -> None:
    """Three contracts earn 0.0306 each, two more lose 0.0092 each: five together still earn 0.0734."""
    book = Ladders(yes_bids=levels(("0.47", "3"), ("0.43", "10")))
    result = evaluate_direction(pricing(), YES_NO, KALSHI, book)
    assert result.contracts == 5
    assert result.edge_dollars == Decimal("0.07343")
    poorer = Ladders(yes_bids=levels(("0.47", "3"), ("0.30", "10")))
    assert evaluate_direction(pricing(), YES_NO, KALSHI, poorer).contracts == 0


def test_empty_books_offer_nothing() -> None:
    for kalshi_book, polymarket_book in ((Ladders(), POLYMARKET), (KALSHI, Ladders()), (Ladders(), Ladders())):
        assert pricing().promising(kalshi_book, polymarket_book) == ()
        assert [r.contracts for r in evaluate_pair(pricing(), kalshi_book, polymarket_book)] == [0, 0]


def test_fees_without_a_formula_refuse_the_pair() -> None:
    with pytest.raises(FeesRefused, match="'flat' has no published formula"):
        PairPricing(
            Orientation.SAME,
            kalshi=MarketTerms(fees=kalshi(fee_type="flat"), size_step_contracts=Decimal(1), min_contracts=Decimal(1)),
            polymarket=MarketTerms(fees=polymarket(), size_step_contracts=Decimal(1), min_contracts=Decimal(1)),
            limits=Limits(),
        )


def free(step: str) -> MarketTerms:
    """Kalshi terms without a fee; the account still rounds its balance."""
    return MarketTerms(
        fees=kalshi(multiplier="0"),
        size_step_contracts=Decimal(step),
        min_contracts=Decimal(step),
    )


def free_pair(step: str, other_step: str = "0.01") -> PairPricing:
    other = MarketTerms(
        fees=polymarket(rate="0"), size_step_contracts=Decimal(other_step), min_contracts=Decimal(other_step)
    )
    return PairPricing(Orientation.SAME, kalshi=free(step), polymarket=other, limits=Limits())


def test_the_last_hundredth_of_a_contract_is_left_when_rounding_takes_more_than_it_earns() -> None:
    """At 0.415 + 0.5849 a contract earns 0.0001. The 1.01 on offer cost 0.41915, charged as 0.4192: 0.000051 is left.

    One contract costs 0.415 to the last digit and earns 0.0001.
    """
    result = evaluate_direction(
        free_pair("0.01"),
        YES_NO,
        Ladders(yes_asks=levels(("0.415", "1.01"))),
        Ladders(yes_bids=levels(("0.4151", "50"))),
    )
    assert (result.contracts, result.edge_dollars) == (1, Decimal("0.0001"))


def test_a_step_that_straddles_two_levels_is_taken_when_it_earns_as_a_whole() -> None:
    """Steps of seven; ten contracts earn 0.06 each, the next lose 0.01: 7 earn 0.42, 14 earn 0.60 - 0.04 = 0.56."""
    book = Ladders(yes_bids=levels(("0.47", "10"), ("0.40", "10")))
    result = evaluate_direction(free_pair("7"), YES_NO, Ladders(yes_asks=levels(("0.41", "50"))), book)
    assert (result.contracts, result.edge_dollars) == (14, Decimal("0.56"))
    dearer = Ladders(yes_bids=levels(("0.47", "10"), ("0.30", "10")))
    result = evaluate_direction(free_pair("7"), YES_NO, Ladders(yes_asks=levels(("0.41", "50"))), dearer)
    assert (result.contracts, result.edge_dollars) == (7, Decimal("0.42"))


def test_sizes_are_multiples_of_both_venues_steps() -> None:
    """Steps of 0.03 and 0.02 meet every 0.06: of 0.5 on offer 0.48 can be bought."""
    result = evaluate_direction(
        free_pair("0.03", "0.02"),
        YES_NO,
        Ladders(yes_asks=levels(("0.4", "0.5"))),
        Ladders(yes_bids=levels(("0.5", "9"))),
    )
    assert (result.contracts, result.edge_dollars) == (Decimal("0.48"), Decimal("0.048"))


def test_a_contract_that_earns_exactly_nothing_is_not_bought() -> None:
    """0.41 + 0.59: money would be tied up for nothing."""
    result = evaluate_direction(
        free_pair("1"), YES_NO, Ladders(yes_asks=levels(("0.41", "5"))), Ladders(yes_bids=levels(("0.41", "5")))
    )
    assert (result.contracts, result.edge_dollars) == (0, 0)


def test_behind_a_broker_every_level_ends_on_a_whole_cent_and_a_hundredth_less_may_save_one() -> None:
    """100 at 0.35 cost 35 and 1.5925, charged as 36.60. 99.99 cost 34.9965 and 1.5924, charged as 36.59.

    With 59.994 and a fee of 1.19988 for Polymarket's 99.99 at 0.60 that leaves 2.20612, where 100 would leave 2.2.
    """
    hundredth = {"size_step_contracts": Decimal("0.01"), "min_contracts": Decimal("0.01")}
    priced = PairPricing(
        Orientation.SAME,
        kalshi=MarketTerms(fees=kalshi(precision="0.01"), **hundredth),
        polymarket=MarketTerms(fees=polymarket(), **hundredth),
        limits=Limits(),
    )
    result = evaluate_direction(
        priced, YES_NO, Ladders(yes_asks=levels(("0.35", "100"))), Ladders(yes_bids=levels(("0.4", "100")))
    )
    assert (result.contracts, result.kalshi.capital_dollars) == (Decimal("99.99"), Decimal("36.59"))
    assert (result.polymarket.fee_dollars, result.edge_dollars) == (Decimal("1.19988"), Decimal("2.20612"))


def test_an_exponent_bends_the_fee() -> None:
    """0.25 * 100 * (0.5 * 0.5) ** 2 = 1.5625; with 40 paid at Kalshi, free of fees, 8.4375 are left."""
    priced = PairPricing(
        Orientation.SAME,
        kalshi=free("1"),
        polymarket=MarketTerms(
            fees=polymarket(rate="0.25", exponent=2), size_step_contracts=Decimal(1), min_contracts=Decimal(1)
        ),
        limits=Limits(),
    )
    result = evaluate_direction(
        priced, YES_NO, Ladders(yes_asks=levels(("0.4", "100"))), Ladders(yes_bids=levels(("0.5", "100")))
    )
    assert (result.polymarket.fee_dollars, result.edge_dollars) == (Decimal("1.5625"), Decimal("8.4375"))


def test_a_void_haircut_comes_off_every_contract_and_stops_the_walk_earlier() -> None:
    """The levels earn 0.0306, 0.0206 and 0.0104... per contract by unrounded fees; with 0.025 off only the first pays.

    80 contracts: 80 - 32.8 - 1.3547 (fee of 80 at 0.41) - 42.4 - 0.9964 leaves 2.4489, less 2 is 0.4489.
    """
    limits = Limits(void_haircut_dollars_per_contract=Decimal("0.025"))
    priced = PairPricing(
        Orientation.SAME,
        kalshi=MarketTerms(fees=kalshi(), size_step_contracts=Decimal(1), min_contracts=Decimal(1)),
        polymarket=MarketTerms(fees=polymarket(), size_step_contracts=Decimal(1), min_contracts=Decimal(1)),
        limits=limits,
    )
    result = evaluated(priced)
    assert (result.contracts, result.haircut_dollars) == (80, 2)
    assert (result.edge_dollars, result.payout_dollars) == (Decimal("0.4489"), 80)


def test_a_hurdle_rate_decides_whether_a_direction_is_the_best() -> None:
    for rate, clears in (("0.28", True), ("0.29", False), (None, True)):
        priced = PairPricing(
            Orientation.SAME,
            kalshi=MarketTerms(fees=kalshi(), size_step_contracts=Decimal("0.01"), min_contracts=Decimal(1)),
            polymarket=MarketTerms(fees=polymarket(), size_step_contracts=Decimal("0.01"), min_contracts=Decimal(1)),
            limits=Limits(hurdle_rate=None if rate is None else Decimal(rate)),
        )
        result = evaluate_direction(priced, YES_NO, KALSHI, POLYMARKET, days_to_payout=Decimal(30))
        assert (result.annualised_return, result.clears_hurdle) == (Decimal("0.281180"), clears)
        assert (best_of([result]) is not None) == clears


def test_a_rate_at_which_a_dearer_contract_costs_less_is_refused() -> None:
    """A rate of 20 to the power of two takes 1.25 dollars at a half and 0.0295 at 0.96: basis points, most likely."""
    with pytest.raises(FeesRefused, match="makes a dearer contract cost less"):
        PairPricing(
            Orientation.SAME,
            kalshi=free("1"),
            polymarket=MarketTerms(
                fees=polymarket(rate="20", exponent=2), size_step_contracts=Decimal(1), min_contracts=Decimal(1)
            ),
            limits=Limits(),
        )


def test_with_a_minimum_edge_no_contract_earns_less_whatever_the_venues_minimum_or_grid() -> None:
    """Three contracts earn 0.0306 each, the next lose: five together would earn 0.0147 each, but not every one."""
    book = Ladders(yes_bids=levels(("0.47", "3"), ("0.43", "10")))
    assert evaluate_direction(pricing(), YES_NO, KALSHI, book).contracts == 5
    assert evaluate_direction(pricing(min_edge="0.01"), YES_NO, KALSHI, book).contracts == 0
    assert evaluate_direction(pricing(min_edge="0.01", min_contracts="2"), YES_NO, KALSHI, book).contracts == 3
    assert (
        evaluate_direction(pricing(min_edge="0.01", min_contracts="2", step="2"), YES_NO, KALSHI, book).contracts == 2
    )
