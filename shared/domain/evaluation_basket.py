"""Price one basket from a file: markets of one event of one venue, their books, fees and limits.

``{"basket": "every_no", "venue": "kalshi", "event": {"mutually_exclusive": true}, "markets": [{"market": "A", ...}],
"limits": {...}, "days_to_payout": "30"}``: a market is written as a venue is in a pair's file, and
``max_capital_dollars`` is one amount for all legs. ``event.markets`` counts the event's markets where the file does not
hold them all.
"""

from decimal import Decimal

import msgspec

from shared.domain.basket_pricing import BasketMarket, BasketResult, best_every_no, evaluate_basket
from shared.domain.baskets import Basket, BasketKind, EventTerms, NotGuaranteed, every_yes, yes_and_no
from shared.domain.evaluation_fields import (
    LIMIT_FIELDS,
    MARKET_FIELDS,
    EvaluationRefused,
    Fields,
    fills_text,
    ladders,
    limit_text,
    limits_of,
    market_terms,
    shown,
    text_of,
)
from shared.domain.market import MarketId, Venue

_MOST_MARKETS = 200
_EVENT_FIELDS = {"markets", "mutually_exclusive", "neg_risk", "neg_risk_augmented", "exhaustive_source"}


class BasketLegReport(msgspec.Struct, frozen=True, kw_only=True):
    """One leg as the command prints it."""

    market: str
    side: str
    fee_dollars: str
    capital_dollars: str
    limit_price_dollars: str | None
    fills: tuple[tuple[str, str, str], ...]


class BasketReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A basket as the command prints it; contracts are of each leg."""

    basket: str
    venue: str
    assumes: tuple[str, ...]
    contracts: str
    cost_dollars: str
    fee_dollars: str
    payout_dollars: str
    edge_dollars: str
    capital_dollars: str
    annualised_return: str | None
    legs: tuple[BasketLegReport, ...]
    haircut_dollars: str | None = None
    """Only when the file asks for a haircut."""
    clears_hurdle: bool | None = None
    """Only when the file names a hurdle rate."""


def basket_report(decoded: object) -> BasketReport:
    """Price a decoded basket. Raises EvaluationRefused and FeesRefused."""
    root = Fields("", decoded, {"basket", "venue", "event", "markets", "limits", "days_to_payout"})
    kind = BasketKind(root.choice("basket", tuple(BasketKind)))
    venue = Venue(root.choice("venue", tuple(Venue)))
    markets = _markets(root, venue)
    asked = root.child("limits", LIMIT_FIELDS, optional=True)
    limits, capital_dollars, days = limits_of(asked), asked.amount("max_capital_dollars"), root.amount("days_to_payout")
    try:
        event = _event(root.child("event", _EVENT_FIELDS, optional=True), venue, markets)
        if kind is BasketKind.EVERY_NO:
            found = best_every_no(event, markets, limits, max_capital_dollars=capital_dollars, days_to_payout=days)
        else:
            names = [market.market_id for market in markets]
            basket = every_yes(event, names) if kind is BasketKind.EVERY_YES else _yes_and_no(venue, markets)
            found = evaluate_basket(basket, markets, limits, max_capital_dollars=capital_dollars, days_to_payout=days)
    except NotGuaranteed as error:
        raise EvaluationRefused(f"event: {error}") from error
    return _report(found, has_haircut=bool(limits.void_haircut_dollars_per_contract))


def _markets(root: Fields, venue: Venue) -> list[BasketMarket]:
    markets: dict[str, BasketMarket] = {}
    for market in root.children("markets", MARKET_FIELDS | {"market"}, most=_MOST_MARKETS):
        name = market.text("market")
        if name in markets:
            raise EvaluationRefused(f"{market.path('market')}: {shown(name)} comes twice")
        terms = market_terms(market, venue, None)
        markets[name] = BasketMarket(market_id=MarketId(name), terms=terms, ladders=ladders(market))
    return list(markets.values())


def _event(event: Fields, venue: Venue, markets: list[BasketMarket]) -> EventTerms:
    names = [market.market_id for market in markets]
    count = event.number("markets", default=Decimal(len(names)))
    if count < len(names) or count != int(count) or count > _MOST_MARKETS:
        raise EvaluationRefused(f"{event.path('markets')}: {count} is no number of markets that includes {len(names)}")
    unquoted = [MarketId(f"market {number} of the event") for number in range(len(names) + 1, int(count) + 1)]
    return EventTerms(
        venue=venue,
        market_ids=(*names, *unquoted),
        mutually_exclusive=event.flag("mutually_exclusive"),
        neg_risk=event.flag("neg_risk"),
        neg_risk_augmented=event.flag("neg_risk_augmented"),
        exhaustive_source=event.text("exhaustive_source", default=""),
    )


def _yes_and_no(venue: Venue, markets: list[BasketMarket]) -> Basket:
    if len(markets) != 1:
        raise EvaluationRefused(f"markets: yes_and_no takes one market, not {len(markets)}")
    return yes_and_no(venue, markets[0].market_id)


def _report(found: BasketResult, *, has_haircut: bool) -> BasketReport:
    return BasketReport(
        basket=found.basket.kind.value,
        venue=found.basket.venue.value,
        assumes=found.basket.assumes,
        contracts=text_of(found.contracts),
        cost_dollars=text_of(found.cost_dollars),
        fee_dollars=text_of(found.fee_dollars),
        payout_dollars=text_of(found.payout_dollars),
        edge_dollars=text_of(found.edge_dollars),
        capital_dollars=text_of(found.capital_dollars),
        annualised_return=None if found.annualised_return is None else text_of(found.annualised_return),
        legs=tuple(
            BasketLegReport(
                market=claim.market_id,
                side=claim.side,
                fee_dollars=text_of(leg.fee_dollars),
                capital_dollars=text_of(leg.capital_dollars),
                limit_price_dollars=limit_text(leg),
                fills=fills_text(leg),
            )
            for claim, leg in found.legs
        ),
        haircut_dollars=text_of(found.haircut_dollars) if has_haircut else None,
        clears_hurdle=None if found.hurdle_rate is None else found.clears_hurdle,
    )
