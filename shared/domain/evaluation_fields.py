"""The strict reader of evaluated files: every number is decimal text, and every mistake is named by its path."""

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date
from decimal import Decimal
from reprlib import repr as short_repr
from typing import Any, TypeVar

from shared.domain import numbers
from shared.domain.arbitrage import Limits
from shared.domain.book import LevelE
from shared.domain.fees import FeeSchedule, KalshiFees, PolymarketFees
from shared.domain.legs import Ladders, LegResult, MarketTerms
from shared.domain.market import Venue
from shared.domain.numbers import NumberRefused

MARKET_FIELDS = frozenset({"yes_bids", "yes_asks", "fee", "size_step", "min_contracts", "min_notional_dollars"})
LIMIT_FIELDS = frozenset(
    {
        "min_edge_dollars_per_contract",
        "max_contracts",
        "max_capital_dollars",
        "void_haircut_dollars_per_contract",
        "hurdle_rate",
    }
)

_SOURCE = "the evaluated file"
_REQUIRED = object()
_MOST_SHOWN = 40
_T = TypeVar("_T")


class EvaluationRefused(ValueError):
    """The file cannot be priced; the message names the field, shows the value and says what was wanted."""


class Fields:
    """One JSON object and where it stands, handing out its fields by type or refusing them by path."""

    def __init__(self, path: str, value: object, known: Set[str]) -> None:
        self._path = path
        if not isinstance(value, Mapping):
            raise EvaluationRefused(f"{path or 'the file'}: {shown(value)} is not an object")
        self._value: Mapping[str, Any] = value
        for name in value:
            if name not in known:
                raise EvaluationRefused(
                    f"{self.path(_named(name))}: unknown field; known are {', '.join(sorted(known))}"
                )

    def path(self, name: str) -> str:
        """Return the full name of a field."""
        return f"{self._path}.{name}" if self._path else name

    def child(self, name: str, known: Set[str], *, optional: bool = False) -> "Fields":
        """Return an object; when optional, a missing one or null counts as empty."""
        value = self._get(name, {} if optional else _REQUIRED)
        return Fields(self.path(name), {} if optional and value is None else value, known)

    def children(self, name: str, known: Set[str], *, most: int) -> "list[Fields]":
        """Return a list of one to ``most`` objects."""
        value = self._get(name, _REQUIRED)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise EvaluationRefused(f"{self.path(name)}: {shown(value)} is not a list of 1 to {most} objects")
        return [Fields(f"{self.path(name)}[{at}]", entry, known) for at, entry in enumerate(value)]

    def text(self, name: str, *, default: str | None = None) -> str:
        """Return a text; it may only be empty when there is a default."""
        value = self._get(name, _REQUIRED if default is None else default)
        if not isinstance(value, str) or (default is None and not value):
            raise EvaluationRefused(f"{self.path(name)}: {shown(value)} is not a text")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false; a missing one is false."""
        value = self._get(name, False)
        if not isinstance(value, bool):
            raise EvaluationRefused(f"{self.path(name)}: {shown(value)} is not true or false")
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> Any:
        """Return one of ``allowed``."""
        value = self._get(name, _REQUIRED)
        if value not in allowed:
            raise EvaluationRefused(f"{self.path(name)}: {shown(value)} is not one of {', '.join(allowed)}")
        return value

    def number(self, name: str, *, default: Decimal | None = None, is_fine: bool = False) -> Decimal:
        """Return a number of zero or more from decimal text: to six fractional digits, ``is_fine`` to eighteen."""
        if default is not None and name not in self._value:
            return default
        gate = numbers.fine_decimal_from_text if is_fine else numbers.decimal_from_text
        return _gated(self.path(name), gate, self._get(name, _REQUIRED))

    def amount(self, name: str, *, is_fine: bool = True) -> Decimal | None:
        """Return a number, or None when the field is missing or null."""
        return None if self._get(name, None) is None else self.number(name, is_fine=is_fine)

    def levels(self, name: str) -> list[LevelE]:
        """Return the levels of one side in any order; a price that comes twice is refused, size 0 is left out."""
        value = self._get(name, _REQUIRED)
        if not isinstance(value, list):
            raise EvaluationRefused(f"{self.path(name)}: {shown(value)} is not a list of [price, contracts]")
        levels: dict[int, int] = {}
        for at, entry in enumerate(value):
            path = f"{self.path(name)}[{at}]"
            if not isinstance(entry, list) or len(entry) != 2:
                raise EvaluationRefused(f"{path}: {shown(entry)} is not [price, contracts]")
            price_e4 = _gated(f"{path}[0]", numbers.level_price_e4, entry[0])
            if price_e4 in levels:
                raise EvaluationRefused(f"{path}[0]: price {shown(entry[0])} comes twice")
            levels[price_e4] = _gated(f"{path}[1]", numbers.size_e6, entry[1])
        return [(price_e4, size_e6) for price_e4, size_e6 in levels.items() if size_e6]

    def _get(self, name: str, default: object) -> Any:
        value = self._value.get(name, default)
        if value is _REQUIRED:
            raise EvaluationRefused(f"{self.path(name)}: missing")
        return value


def market_terms(market: Fields, venue: Venue, max_capital_dollars: Decimal | None) -> MarketTerms:
    """Return the terms of a market: its ``fee``, ``size_step`` and minima."""
    step = market.number("size_step")
    if not step:
        raise EvaluationRefused(f"{market.path('size_step')}: must be above 0")
    fees: FeeSchedule = _kalshi_fees(market) if venue is Venue.KALSHI else _polymarket_fees(market)
    return MarketTerms(
        fees=fees,
        size_step_contracts=step,
        min_contracts=market.number("min_contracts"),
        min_notional_dollars=market.number("min_notional_dollars", default=Decimal(0)),
        max_capital_dollars=max_capital_dollars,
    )


def ladders(market: Fields) -> Ladders:
    """Return a market's book from its ``yes_bids`` and ``yes_asks``."""
    bids, asks = market.levels("yes_bids"), market.levels("yes_asks")
    return Ladders(yes_bids=sorted(bids, reverse=True), yes_asks=sorted(asks))


def limits_of(limits: Fields) -> Limits:
    """Return the limits of a file but those on capital."""
    most = limits.amount("max_contracts", is_fine=False)
    haircut = limits.number("void_haircut_dollars_per_contract", default=Decimal(0), is_fine=True)
    if haircut >= 1:
        raise EvaluationRefused(f"{limits.path('void_haircut_dollars_per_contract')}: must be below 1")
    return Limits(
        min_edge_dollars_per_contract=limits.number("min_edge_dollars_per_contract", default=Decimal(0), is_fine=True),
        max_contracts=most,
        void_haircut_dollars_per_contract=haircut,
        hurdle_rate=limits.amount("hurdle_rate"),
    )


def text_of(value: Decimal) -> str:
    """Return a number as plain decimal text without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def fills_text(leg: LegResult) -> tuple[tuple[str, str, str], ...]:
    """Return a leg's fills as decimal text: price, contracts, fee."""
    return tuple(
        (text_of(fill.price_dollars), text_of(fill.size_contracts), text_of(fill.fee_dollars)) for fill in leg.fills
    )


def limit_text(leg: LegResult) -> str | None:
    """Return a leg's worst price as decimal text."""
    return None if leg.limit_price_dollars is None else text_of(leg.limit_price_dollars)


def _kalshi_fees(market: Fields) -> KalshiFees:
    fee = market.child("fee", {"type", "multiplier", "precision"})
    types = ("quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees", "flat")
    return KalshiFees(
        fee_type=fee.choice("type", types),
        multiplier=fee.number("multiplier", default=Decimal(1), is_fine=True),
        precision_dollars=fee.number("precision", default=Decimal("0.0001")),
        effective_from=date.min,
        source=_SOURCE,
    )


def _polymarket_fees(market: Fields) -> PolymarketFees:
    fee = market.child("fee", {"rate", "exponent"})
    exponent = fee.number("exponent", default=Decimal(1))
    if exponent != int(exponent):
        raise EvaluationRefused(f"{fee.path('exponent')}: {exponent} is not a whole number")
    rate = fee.number("rate", is_fine=True)
    return PolymarketFees(rate=rate, exponent=int(exponent), effective_from=date.min, source=_SOURCE)


def _gated(path: str, gate: Callable[[str], _T], value: object) -> _T:
    if not isinstance(value, str):
        raise EvaluationRefused(f'{path}: {shown(value)} is not decimal text such as "0.42"')
    try:
        return gate(value)
    except NumberRefused as error:
        raise EvaluationRefused(f"{path}: {error}") from error


def shown(value: object) -> str:
    """Return a value as one short line."""
    text = short_repr(value) if isinstance(value, list | dict) else repr(value)  # however deep it is nested
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _named(field: str) -> str:
    """Return the name of an unknown field, quoted when it would break the line, however long it is."""
    return field if field.isprintable() and len(field) <= _MOST_SHOWN else shown(field)
