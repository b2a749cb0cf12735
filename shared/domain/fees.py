"""Taker fees as data: what each venue charges, from which day on and where that was read."""

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


FeeSchedule = KalshiFees | PolymarketFees
