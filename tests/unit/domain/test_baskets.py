"""Baskets: what each may assume, that it then pays what it says, and one of each priced by hand."""

import copy
from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations, product
from typing import Any

import msgspec
import pytest

from shared.domain.arbitrage import Ladders, Limits, MarketTerms
from shared.domain.basket_pricing import BasketMarket, best_every_no, evaluate_basket
from shared.domain.baskets import Basket, EventTerms, NotGuaranteed, every_no, every_yes, yes_and_no
from shared.domain.evaluation import BasketReport, EvaluationRefused, evaluate_file
from shared.domain.market import MarketId, Venue
from tests.unit.domain.fee_examples import kalshi, polymarket

NAMES = tuple(MarketId(name) for name in "ABCD")
UNIT_E6 = 1_000_000


def event(venue: Venue = Venue.KALSHI, **stated: Any) -> EventTerms:
    return EventTerms(venue=venue, market_ids=NAMES, **stated)


def least_payout(basket: Basket, worlds: Iterator[dict[MarketId, int]]) -> int:
    """Return what one contract of each claim pays in the worst of the worlds, each a market's YES at 0 or 1."""
    return min(
        sum(world[claim.market_id] if claim.side == "yes" else 1 - world[claim.market_id] for claim in basket.claims)
        for world in worlds
    )


def worlds(*yes_counts: int) -> Iterator[dict[MarketId, int]]:
    """Yield every way in which the event's markets can settle with one of these numbers of YES."""
    for settled in product((0, 1), repeat=len(NAMES)):
        if sum(settled) in yes_counts:
            yield dict(zip(NAMES, settled, strict=True))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_every_no_pays_one_less_than_it_holds_when_at_most_one_market_resolves_yes(count: int) -> None:
    for members in combinations(NAMES, count):
        basket = every_no(event(mutually_exclusive=True), members)
        assert least_payout(basket, worlds(0, 1)) == basket.payout_dollars == count - 1
        assert least_payout(basket, worlds(0, 1, 2)) < basket.payout_dollars, "the assumption is needed"


def test_every_yes_pays_a_dollar_when_exactly_one_market_resolves_yes_and_may_pay_nothing_otherwise() -> None:
    basket = every_yes(event(Venue.POLYMARKET, neg_risk=True), NAMES)
    assert least_payout(basket, worlds(1)) == basket.payout_dollars == 1
    assert least_payout(basket, worlds(0, 1)) == 0


def test_yes_and_no_of_one_market_pay_a_dollar_however_it_settles() -> None:
    basket = yes_and_no(Venue.POLYMARKET, NAMES[0])
    assert least_payout(basket, worlds(0, 1, 2, 3, 4)) == basket.payout_dollars == 1
    assert Decimal("0.5") + (1 - Decimal("0.5")) == basket.payout_dollars, "also when it is voided at a half each"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"venue": Venue.KALSHI}, "not state the event to be mutually exclusive"),
        ({"venue": Venue.KALSHI, "neg_risk": True}, "not state the event to be mutually exclusive"),
        ({"venue": Venue.POLYMARKET}, "not state the event to be neg-risk"),
        ({"venue": Venue.POLYMARKET, "mutually_exclusive": True}, "not state the event to be neg-risk"),
        ({"venue": Venue.POLYMARKET, "neg_risk": True, "neg_risk_augmented": True}, "is augmented"),
    ],
)
def test_every_no_is_refused_without_the_venues_own_word(facts: dict[str, Any], said: str) -> None:
    with pytest.raises(NotGuaranteed, match=said):
        every_no(event(**facts), NAMES)
    with pytest.raises(NotGuaranteed):
        every_yes(event(**facts), NAMES)


def test_mutually_exclusive_is_not_enough_for_every_yes() -> None:
    with pytest.raises(NotGuaranteed, match="not that one must"):
        every_yes(event(mutually_exclusive=True), NAMES)
    stated = event(mutually_exclusive=True, exhaustive_source="rules of series X, 2026-11-20")
    assert "rules of series X" in every_yes(stated, NAMES).assumes[0]


def test_every_yes_needs_every_market_of_the_event() -> None:
    with pytest.raises(NotGuaranteed, match="3 of the event's 4 markets"):
        every_yes(event(Venue.POLYMARKET, neg_risk=True), NAMES[:3])


@pytest.mark.parametrize(
    ("members", "said"), [(("A",), "two or more"), (("A", "A"), "two or more"), (("A", "Z"), "Z is not a market")]
)
def test_a_basket_holds_two_or_more_markets_of_its_event(members: tuple[str, ...], said: str) -> None:
    with pytest.raises(NotGuaranteed, match=said):
        every_no(event(mutually_exclusive=True), [MarketId(name) for name in members])


def market(name: str, *, bids: str = "", asks: str = "", venue: Venue = Venue.KALSHI) -> BasketMarket:
    """Books as ``price@size`` separated by spaces; whole contracts."""

    def levels(text: str) -> list[tuple[int, int]]:
        pairs = (level.split("@") for level in text.split())
        return [(int(Decimal(price) * 10_000), int(size) * UNIT_E6) for price, size in pairs]

    fees = kalshi() if venue is Venue.KALSHI else polymarket()
    return BasketMarket(
        market_id=MarketId(name),
        terms=MarketTerms(fees=fees, size_step_contracts=Decimal(1), min_contracts=Decimal(1)),
        ladders=Ladders(levels(bids), levels(asks)),
    )


def test_three_noes_that_cost_less_than_two_dollars() -> None:
    """NO at 0.60, 0.62 and 0.65 cost 18.70 for ten; fees 0.1680, 0.1650 and 0.1593 leave 0.8077 of 20 dollars."""
    markets = [market("A", bids="0.40@10"), market("B", bids="0.38@10"), market("C", bids="0.35@10")]
    basket = every_no(event(mutually_exclusive=True), NAMES[:3])
    result = evaluate_basket(basket, markets, Limits(), days_to_payout=Decimal(73))
    assert (result.contracts, result.cost_dollars, result.fee_dollars) == (10, Decimal("18.7"), Decimal("0.4923"))
    assert (result.payout_dollars, result.edge_dollars) == (20, Decimal("0.8077"))
    assert result.annualised_return == Decimal("0.210422")  # 0.8077 / 19.1923 * 5, rounded down
    assert [leg.limit_price_dollars for _, leg in result.legs] == [Decimal("0.6"), Decimal("0.62"), Decimal("0.65")]


def test_a_thin_market_is_left_out_when_more_is_earned_without() -> None:
    """With C ten contracts earn 0.8077; A, B and D, each ten times as deep, earn ten times as much as they would."""
    deep = [market("A", bids="0.40@100"), market("B", bids="0.38@100"), market("D", bids="0.35@100")]
    thin = market("C", bids="0.30@1")
    facts = event(mutually_exclusive=True)
    result = best_every_no(facts, [*deep, thin], Limits())
    assert {claim.market_id for claim in result.basket.claims} == {"A", "B", "D"}
    alone = evaluate_basket(every_no(facts, ("A", "B", "D")), deep, Limits())
    assert result.edge_dollars == alone.edge_dollars > 8


def test_capital_and_haircut_bound_a_basket() -> None:
    markets = [market("A", bids="0.40@10"), market("B", bids="0.38@10"), market("C", bids="0.35@10")]
    basket = every_no(event(mutually_exclusive=True), NAMES[:3])
    capped = evaluate_basket(basket, markets, Limits(), max_capital_dollars=Decimal(10))
    assert (capped.contracts, capped.capital_dollars <= 10) == (5, True)
    cut = evaluate_basket(basket, markets, Limits(void_haircut_dollars_per_contract=Decimal("0.05")))
    assert (cut.edge_dollars, cut.haircut_dollars) == (Decimal("0.3077"), Decimal("0.5"))
    assert not evaluate_basket(basket, markets, Limits(void_haircut_dollars_per_contract=Decimal("0.09"))).contracts


def test_yes_and_no_earn_only_in_a_crossed_book() -> None:
    basket = yes_and_no(Venue.POLYMARKET, MarketId("A"))
    for bid, ask in (("0.40", "0.41"), ("0.41", "0.41")):
        book = market("A", bids=f"{bid}@10", asks=f"{ask}@10", venue=Venue.POLYMARKET)
        assert evaluate_basket(basket, [book], Limits()).contracts == 0
    crossed = market("A", bids="0.50@10", asks="0.41@10", venue=Venue.POLYMARKET)
    result = evaluate_basket(basket, [crossed], Limits())
    assert (result.contracts, result.edge_dollars) == (10, Decimal("0.9") - Decimal("0.12095") - Decimal("0.125"))


FILE: dict[str, Any] = {
    "basket": "every_no",
    "venue": "kalshi",
    "event": {"mutually_exclusive": True},
    "markets": [
        {
            "market": name,
            "yes_bids": [[bid, "10"]],
            "yes_asks": [],
            "fee": {"type": "quadratic", "multiplier": "1", "precision": "0.0001"},
            "size_step": "1",
            "min_contracts": "1",
        }
        for name, bid in (("A", "0.40"), ("B", "0.38"), ("C", "0.35"))
    ],
    "limits": {"max_capital_dollars": None, "hurdle_rate": "0.5"},
    "days_to_payout": "73",
}


def priced(**changes: object) -> BasketReport:
    report = evaluate_file(msgspec.json.encode(FILE | changes))
    assert isinstance(report, BasketReport)
    return report


def test_a_basket_file_is_priced() -> None:
    report = priced()
    assert (report.contracts, report.edge_dollars, report.payout_dollars) == ("10", "0.8077", "20")
    assert (report.annualised_return, report.clears_hurdle, report.haircut_dollars) == ("0.210422", False, None)
    assert [(leg.market, leg.side, leg.fills) for leg in report.legs] == [
        ("A", "no", (("0.6", "10", "0.168"),)),
        ("B", "no", (("0.62", "10", "0.165"),)),
        ("C", "no", (("0.65", "10", "0.1593"),)),
    ]
    assert "mutually_exclusive" in report.assumes[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"basket": "every_maybe"}, "basket: 'every_maybe' is not one of"),
        ({"venue": "nowhere"}, "venue: 'nowhere' is not one of"),
        ({"event": {}}, "event: Kalshi does not state"),
        ({"event": {"mutually_exclusive": "yes"}}, "event.mutually_exclusive: 'yes' is not true or false"),
        ({"event": {"mutually_exclusive": True, "markets": "2"}}, "event.markets: 2 is no number of markets"),
        ({"event": {"colour": 1}}, "event.colour: unknown field"),
        ({"markets": []}, "markets: .* is not a list of 1 to 200"),
        ({"markets": [FILE["markets"][0]] * 2}, r"markets\[1\].market: 'A' comes twice"),
        ({"markets": FILE["markets"][:1]}, "two or more different markets"),
        ({"basket": "yes_and_no"}, "yes_and_no takes one market, not 3"),
        ({"basket": "every_yes"}, "not that one must"),
        ({"limits": {"max_capital_dollars": {"kalshi": "1"}}}, "limits.max_capital_dollars: .* is not decimal text"),
    ],
)
def test_a_mistake_in_a_basket_file_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(EvaluationRefused, match=said):
        priced(**changes)


def test_every_yes_of_part_of_an_event_is_refused() -> None:
    facts = {"neg_risk": True, "markets": "4"}
    markets = copy.deepcopy(FILE["markets"])
    for one in markets:
        one["fee"] = {"rate": "0.05"}
    with pytest.raises(EvaluationRefused, match="3 of the event's 4 markets"):
        priced(basket="every_yes", venue="polymarket", event=facts, markets=markets)
