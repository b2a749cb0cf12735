"""Price one pair from a file: two books, two fee schedules and limits in; both directions out.

The file is JSON in which every number is decimal text. Decoding is strict: an unknown, missing, repeated or malformed
field is refused by its name, so that a typing error never prices something else than was meant. A file with a
``basket`` is priced by ``evaluation_basket``.
"""

import re

import msgspec

from shared.domain.arbitrage import DirectionResult, Limits, PairPricing, best_of, evaluate_pair
from shared.domain.evaluation_basket import BasketReport, basket_report
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
from shared.domain.fees import FeesRefused
from shared.domain.market import Venue
from shared.domain.pair import Orientation

__all__ = ["BasketReport", "EvaluationRefused", "EvaluationReport", "evaluate_file"]

MAX_FILE_BYTES = 8 * 1024 * 1024
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]:]')
"""The strings of a JSON text, and what gives it its shape."""


class LegReport(msgspec.Struct, frozen=True, kw_only=True):
    """One venue's fills as decimal text: price, contracts, fee."""

    kalshi: tuple[tuple[str, str, str], ...]
    polymarket: tuple[tuple[str, str, str], ...]


class PerVenue(msgspec.Struct, frozen=True, kw_only=True):
    """One amount per venue as decimal text, null where there is none."""

    kalshi: str | None
    polymarket: str | None


class DirectionReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One direction as the command prints it."""

    direction: str
    contracts: str
    cost_dollars: str
    fee_dollars: PerVenue
    payout_dollars: str
    edge_dollars: str
    capital_dollars: PerVenue
    annualised_return: str | None
    fills: LegReport
    limit_price_dollars: PerVenue
    haircut_dollars: str | None = None
    """Only when the file asks for a haircut."""
    clears_hurdle: bool | None = None
    """Only when the file names a hurdle rate."""


class EvaluationReport(msgspec.Struct, frozen=True, kw_only=True):
    """Both directions and the name of the better one, null when neither earns anything."""

    directions: tuple[DirectionReport, DirectionReport]
    best: str | None


def evaluate_file(data: bytes) -> EvaluationReport | BasketReport:
    """Price the pair or the basket that ``data`` describes. Raises EvaluationRefused."""
    if len(data) > MAX_FILE_BYTES:
        raise EvaluationRefused(f"the file has more than {MAX_FILE_BYTES} bytes; no more are read")
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EvaluationRefused(f"the file is not JSON: {error}") from error
    _refuse_repeated(data)
    try:
        if isinstance(decoded, dict) and "basket" in decoded:
            return basket_report(decoded)
        return pair_report(decoded)
    except FeesRefused as error:
        raise EvaluationRefused(str(error)) from error


def _refuse_repeated(data: bytes) -> None:
    """Refuse JSON in which an object says a field twice: a decoder keeps the last one without a word."""
    inside: list[set[object]] = []
    text = b""
    for token in _TOKENS.findall(data):
        match token:
            case b"{" | b"[":
                inside.append(set())
            case b"}" | b"]":
                inside.pop()
            case b":":
                name = msgspec.json.decode(text)
                if name in inside[-1]:
                    raise EvaluationRefused(f"field {shown(name)} comes twice in one object")
                inside[-1].add(name)
            case _:
                text = token


def pair_report(decoded: object) -> EvaluationReport:
    """Price a decoded pair. Raises EvaluationRefused and FeesRefused."""
    root = Fields("", decoded, {"orientation", "kalshi", "polymarket", "limits", "days_to_payout"})
    orientation = Orientation(root.choice("orientation", tuple(Orientation)))
    kalshi, polymarket = (root.child(venue.value, MARKET_FIELDS) for venue in (Venue.KALSHI, Venue.POLYMARKET))
    asked = root.child("limits", LIMIT_FIELDS, optional=True)
    capital = asked.child("max_capital_dollars", {"kalshi", "polymarket"}, optional=True)
    limits = limits_of(asked)
    pricing = PairPricing(
        orientation,
        kalshi=market_terms(kalshi, Venue.KALSHI, capital.amount("kalshi")),
        polymarket=market_terms(polymarket, Venue.POLYMARKET, capital.amount("polymarket")),
        limits=limits,
    )
    days_to_payout = root.amount("days_to_payout")
    results = evaluate_pair(pricing, ladders(kalshi), ladders(polymarket), days_to_payout=days_to_payout)
    best = best_of(results)
    return EvaluationReport(
        directions=(_direction_report(results[0], limits), _direction_report(results[1], limits)),
        best=None if best is None else best.direction.value,
    )


def _direction_report(result: DirectionResult, limits: Limits) -> DirectionReport:
    kalshi, polymarket = result.kalshi, result.polymarket
    return DirectionReport(
        direction=result.direction.value,
        contracts=text_of(result.contracts),
        cost_dollars=text_of(result.cost_dollars),
        fee_dollars=PerVenue(kalshi=text_of(kalshi.fee_dollars), polymarket=text_of(polymarket.fee_dollars)),
        payout_dollars=text_of(result.payout_dollars),
        edge_dollars=text_of(result.edge_dollars),
        capital_dollars=PerVenue(
            kalshi=text_of(kalshi.capital_dollars), polymarket=text_of(polymarket.capital_dollars)
        ),
        annualised_return=None if result.annualised_return is None else text_of(result.annualised_return),
        fills=LegReport(kalshi=fills_text(kalshi), polymarket=fills_text(polymarket)),
        limit_price_dollars=PerVenue(kalshi=limit_text(kalshi), polymarket=limit_text(polymarket)),
        haircut_dollars=text_of(result.haircut_dollars) if limits.void_haircut_dollars_per_contract else None,
        clears_hurdle=None if limits.hurdle_rate is None else result.clears_hurdle,
    )
