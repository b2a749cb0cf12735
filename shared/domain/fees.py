"""Taker fees as data: what each venue charges, from which day on and where that was read.

The arithmetic on these terms is in ``fee_math`` (exact ``Decimal``) and ``fee_tables`` (the same in integers).
"""

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

KalshiFeeType = Literal["quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees", "flat"]


class KalshiFees(msgspec.Struct, frozen=True, kw_only=True, tag="kalshi"):
    """What Kalshi charges on one market: the series' terms or the event's override."""

    fee_type: KalshiFeeType
    multiplier: Decimal
    """Multiplies the published rate; 1 is normal, 0.5 is half, 0 is free. Not a rate."""
    precision_dollars: Decimal = Decimal("0.0001")
    """The account's balance precision: 0.0001 for direct members, 0.01 behind a broker (FCM)."""
    effective_from: date
    source: str
    """Where the terms were read, and when."""


class PolymarketFees(msgspec.Struct, frozen=True, kw_only=True, tag="polymarket"):
    """What Polymarket charges a taker on one market."""

    rate: Decimal
    """Multiplies ``shares * (price * (1 - price)) ** exponent``; a plain number, not basis points."""
    exponent: int = 1
    effective_from: date
    source: str
    """Which of the venue's fields the terms came from, and when."""


FALLBACK_SOURCE = "mappings/fees.yaml"
"""What the source of a fee begins with when no field of the venue named it: its market is alert-only."""

FeeSchedule = KalshiFees | PolymarketFees


class FeesRefused(ValueError):
    """These terms cannot be priced exactly; the message says which. A pair with such a leg is alert-only."""


class KalshiRates(msgspec.Struct, frozen=True, kw_only=True):
    """One edition of Kalshi's published rates; each multiplies ``contracts * price * (1 - price)``."""

    effective_from: date
    taker: Decimal
    maker: Decimal
    """For series with maker fees; the others charge a maker nothing."""
    combo_maker: Decimal
    source: str


KALSHI_RATES = KalshiRates(
    effective_from=date(2026, 7, 7),
    taker=Decimal("0.07"),
    maker=Decimal("0.0175"),
    combo_maker=Decimal("0.035"),
    source="Kalshi fee schedule, edition effective 2026-07-07",
)
"""The edition in force. Taker rate confirmed by recorded fills: 1 @ 0.52 cost 0.0175, 1 @ 0.99 cost 0.0007."""


class PolymarketCategoryRate(msgspec.Struct, frozen=True, kw_only=True):
    """What Polymarket's documents say a category pays: the fallback when a market names no schedule of its own."""

    category: str
    rate: Decimal
    effective_from: date
    """The first day on which the rate is known to have applied."""
    source: str


_POLYMARKET_TABLE = "Polymarket documentation, fees by category, 2026-07"

POLYMARKET_CATEGORY_RATES: tuple[PolymarketCategoryRate, ...] = tuple(
    PolymarketCategoryRate(
        category=category, rate=Decimal(rate), effective_from=date(2026, 7, 1), source=_POLYMARKET_TABLE
    )
    for category, rate in (
        ("crypto", "0.07"),
        ("sports", "0.05"),
        ("politics", "0.04"),
        ("finance", "0.04"),
        ("mentions", "0.04"),
        ("tech", "0.04"),
        ("economics", "0.05"),
        ("culture", "0.05"),
        ("weather", "0.05"),
        ("other", "0.05"),
        ("geopolitics", "0"),
    )
)

POLYMARKET_CONSERVATIVE_RATE = Decimal("0.07")
"""The highest documented rate: for a market that says it charges fees and does not say which."""


def check_schedule(schedule: FeeSchedule) -> None:
    """Refuse terms that cannot be priced exactly: an unknown or flat type, or a number out of its range.

    Raises FeesRefused. Ten fractional digits are the finest rate the integer tables hold.
    """
    match schedule:
        case KalshiFees():
            _check_kalshi(schedule)
        case PolymarketFees():
            _check_plain("Polymarket fee rate", schedule.rate, digits=10)
            if not 0 <= schedule.exponent <= 4:
                raise FeesRefused(f"Polymarket fee exponent {schedule.exponent} is not one of 0 to 4")


def _check_kalshi(schedule: KalshiFees) -> None:
    if schedule.fee_type not in {"quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees"}:
        raise FeesRefused(f"Kalshi fee type {schedule.fee_type!r} has no published formula")
    _check_plain("Kalshi fee multiplier", schedule.multiplier, digits=6)
    if schedule.precision_dollars not in {Decimal("0.0001"), Decimal("0.01")}:
        raise FeesRefused(f"Kalshi balance precision {schedule.precision_dollars} is neither 0.0001 nor 0.01")


def _check_plain(what: str, value: Decimal, *, digits: int) -> None:
    if not value.is_finite() or not 0 <= value <= 100:
        raise FeesRefused(f"{what} {value} is outside 0 to 100")
    if value != round(value, digits):
        raise FeesRefused(f"{what} {value} has more than {digits} fractional digits")
