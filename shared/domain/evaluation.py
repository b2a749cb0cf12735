"""Price one pair from a file: two books, two fee schedules and limits in; both directions out.

The file is JSON in which every number is decimal text. Decoding is strict: an unknown, missing or malformed field
is refused by its path, so that a typing error never prices something else than was meant.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from shared.domain import numbers
from shared.domain.arbitrage import (
    DirectionResult,
    Ladders,
    LegResult,
    Limits,
    MarketTerms,
    PairPricing,
    best_of,
    evaluate_pair,
)
from shared.domain.book import LevelE
from shared.domain.fees import FeeSchedule, FeesRefused, KalshiFees, PolymarketFees
from shared.domain.numbers import NumberRefused
from shared.domain.pair import Orientation

MAX_FILE_BYTES = 8 * 1024 * 1024

_SOURCE = "the evaluated file"
_REQUIRED = object()
_T = TypeVar("_T")


class EvaluationRefused(ValueError):
    """The file cannot be priced; the message names the field, shows the value and says what was wanted."""


class LegReport(msgspec.Struct, frozen=True, kw_only=True):
    """One venue's fills as decimal text: price, contracts, fee."""

    kalshi: tuple[tuple[str, str, str], ...]
    polymarket: tuple[tuple[str, str, str], ...]


class PerVenue(msgspec.Struct, frozen=True, kw_only=True):
    """One amount per venue as decimal text, null where there is none."""

    kalshi: str | None
    polymarket: str | None


class DirectionReport(msgspec.Struct, frozen=True, kw_only=True):
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


class EvaluationReport(msgspec.Struct, frozen=True, kw_only=True):
    """Both directions and the name of the better one, null when neither earns anything."""

    directions: tuple[DirectionReport, DirectionReport]
    best: str | None


def evaluate_file(data: bytes) -> EvaluationReport:
    """Price the pair that ``data`` describes. Raises EvaluationRefused."""
    if len(data) > MAX_FILE_BYTES:
        raise EvaluationRefused(f"the file has {len(data)} bytes; at most {MAX_FILE_BYTES} are read")
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EvaluationRefused(f"the file is not JSON: {error}") from error
    root = _Fields("", decoded, {"orientation", "kalshi", "polymarket", "limits", "days_to_payout"})
    orientation = Orientation(root.choice("orientation", tuple(Orientation)))
    kalshi, polymarket = (
        root.child(venue, {"yes_bids", "yes_asks", "fee", "size_step", "min_contracts", "min_notional_dollars"})
        for venue in ("kalshi", "polymarket")
    )
    limits = root.child("limits", {"min_edge_dollars_per_contract", "max_capital_dollars"}, optional=True)
    capital = limits.child("max_capital_dollars", {"kalshi", "polymarket"}, optional=True)
    pricing = _pricing(
        orientation,
        kalshi=_terms(kalshi, _kalshi_fees(kalshi), capital.amount("kalshi")),
        polymarket=_terms(polymarket, _polymarket_fees(polymarket), capital.amount("polymarket")),
        limits=Limits(min_edge_dollars_per_contract=limits.number("min_edge_dollars_per_contract", default=Decimal(0))),
    )
    days_to_payout = root.amount("days_to_payout")
    results = evaluate_pair(pricing, _ladders(kalshi), _ladders(polymarket), days_to_payout=days_to_payout)
    best = best_of(results)
    return EvaluationReport(
        directions=(_direction_report(results[0]), _direction_report(results[1])),
        best=None if best is None else best.direction.value,
    )


def _pricing(orientation: Orientation, *, kalshi: MarketTerms, polymarket: MarketTerms, limits: Limits) -> PairPricing:
    try:
        return PairPricing(orientation, kalshi=kalshi, polymarket=polymarket, limits=limits)
    except FeesRefused as error:
        raise EvaluationRefused(str(error)) from error


def _terms(market: "_Fields", fees: FeeSchedule, max_capital_dollars: Decimal | None) -> MarketTerms:
    step = market.number("size_step")
    if not step:
        raise EvaluationRefused(f"{market.path('size_step')}: must be above 0")
    return MarketTerms(
        fees=fees,
        size_step_contracts=step,
        min_contracts=market.number("min_contracts"),
        min_notional_dollars=market.number("min_notional_dollars", default=Decimal(0)),
        max_capital_dollars=max_capital_dollars,
    )


def _kalshi_fees(market: "_Fields") -> KalshiFees:
    fee = market.child("fee", {"type", "multiplier", "precision"})
    types = ("quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees", "flat")
    return KalshiFees(
        fee_type=fee.choice("type", types),
        multiplier=fee.number("multiplier", default=Decimal(1)),
        precision_dollars=fee.number("precision", default=Decimal("0.0001")),
        effective_from=date.min,
        source=_SOURCE,
    )


def _polymarket_fees(market: "_Fields") -> PolymarketFees:
    fee = market.child("fee", {"rate", "exponent"})
    exponent = fee.number("exponent", default=Decimal(1))
    if exponent != int(exponent):
        raise EvaluationRefused(f"{fee.path('exponent')}: {exponent} is not a whole number")
    return PolymarketFees(rate=fee.number("rate"), exponent=int(exponent), effective_from=date.min, source=_SOURCE)


def _ladders(market: "_Fields") -> Ladders:
    bids, asks = market.levels("yes_bids"), market.levels("yes_asks")
    return Ladders(yes_bids=sorted(bids, reverse=True), yes_asks=sorted(asks))


class _Fields:
    """One JSON object and where it stands, handing out its fields by type or refusing them by path."""

    def __init__(self, path: str, value: object, known: set[str]) -> None:
        self._path = path
        if not isinstance(value, Mapping):
            raise EvaluationRefused(f"{path or 'the file'}: {_shown(value)} is not an object")
        self._value: Mapping[str, Any] = value
        for name in value:
            if name not in known:
                raise EvaluationRefused(f"{self.path(name)}: unknown field; known are {', '.join(sorted(known))}")

    def path(self, name: str) -> str:
        """Return the full name of a field."""
        return f"{self._path}.{name}" if self._path else name

    def child(self, name: str, known: set[str], *, optional: bool = False) -> "_Fields":
        """Return an object; when optional, a missing one or null counts as empty."""
        value = self._get(name, {} if optional else _REQUIRED)
        return _Fields(self.path(name), {} if optional and value is None else value, known)

    def choice(self, name: str, allowed: Sequence[str]) -> Any:
        """Return one of ``allowed``."""
        value = self._get(name, _REQUIRED)
        if value not in allowed:
            raise EvaluationRefused(f"{self.path(name)}: {_shown(value)} is not one of {', '.join(allowed)}")
        return value

    def number(self, name: str, *, default: Decimal | None = None) -> Decimal:
        """Return a number of zero or more from decimal text."""
        if default is not None and name not in self._value:
            return default
        return _gated(self.path(name), numbers.decimal_from_text, self._get(name, _REQUIRED))

    def amount(self, name: str) -> Decimal | None:
        """Return a number, or None when the field is missing or null."""
        return None if self._get(name, None) is None else self.number(name)

    def levels(self, name: str) -> list[LevelE]:
        """Return the levels of one side in any order; a price that comes twice is refused, size 0 is left out."""
        value = self._get(name, _REQUIRED)
        if not isinstance(value, list):
            raise EvaluationRefused(f"{self.path(name)}: {_shown(value)} is not a list of [price, contracts]")
        levels: dict[int, int] = {}
        for at, entry in enumerate(value):
            path = f"{self.path(name)}[{at}]"
            if not isinstance(entry, list) or len(entry) != 2:
                raise EvaluationRefused(f"{path}: {_shown(entry)} is not [price, contracts]")
            price_e4 = _gated(f"{path}[0]", numbers.level_price_e4, entry[0])
            if price_e4 in levels:
                raise EvaluationRefused(f"{path}[0]: price {_shown(entry[0])} comes twice")
            levels[price_e4] = _gated(f"{path}[1]", numbers.size_e6, entry[1])
        return [(price_e4, size_e6) for price_e4, size_e6 in levels.items() if size_e6]

    def _get(self, name: str, default: object) -> Any:
        value = self._value.get(name, default)
        if value is _REQUIRED:
            raise EvaluationRefused(f"{self.path(name)}: missing")
        return value


def _gated(path: str, gate: Callable[[str], _T], value: object) -> _T:
    if not isinstance(value, str):
        raise EvaluationRefused(f'{path}: {_shown(value)} is not decimal text such as "0.42"')
    try:
        return gate(value)
    except NumberRefused as error:
        raise EvaluationRefused(f"{path}: {error}") from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _direction_report(result: DirectionResult) -> DirectionReport:
    kalshi, polymarket = result.kalshi, result.polymarket
    return DirectionReport(
        direction=result.direction.value,
        contracts=_text(result.contracts),
        cost_dollars=_text(result.cost_dollars),
        fee_dollars=PerVenue(kalshi=_text(kalshi.fee_dollars), polymarket=_text(polymarket.fee_dollars)),
        payout_dollars=_text(result.payout_dollars),
        edge_dollars=_text(result.edge_dollars),
        capital_dollars=PerVenue(kalshi=_text(kalshi.capital_dollars), polymarket=_text(polymarket.capital_dollars)),
        annualised_return=None if result.annualised_return is None else _text(result.annualised_return),
        fills=LegReport(kalshi=_fills(kalshi), polymarket=_fills(polymarket)),
        limit_price_dollars=PerVenue(kalshi=_limit(kalshi), polymarket=_limit(polymarket)),
    )


def _fills(leg: LegResult) -> tuple[tuple[str, str, str], ...]:
    return tuple((_text(fill.price_dollars), _text(fill.size_contracts), _text(fill.fee_dollars)) for fill in leg.fills)


def _limit(leg: LegResult) -> str | None:
    return None if leg.limit_price_dollars is None else _text(leg.limit_price_dollars)


def _text(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
