"""Schedules that the fee tests share."""

from datetime import date
from decimal import Decimal

from shared.domain.fees import KalshiFees, KalshiFeeType, PolymarketFees


def kalshi(multiplier: str = "1", precision: str = "0.0001", fee_type: KalshiFeeType = "quadratic") -> KalshiFees:
    """Return Kalshi terms; direct member and normal rate unless said otherwise."""
    return KalshiFees(
        fee_type=fee_type,
        multiplier=Decimal(multiplier),
        precision_dollars=Decimal(precision),
        effective_from=date(2026, 7, 7),
        source="example",
    )


def polymarket(rate: str = "0.05", exponent: int = 1) -> PolymarketFees:
    """Return Polymarket terms; the sports rate unless said otherwise."""
    return PolymarketFees(rate=Decimal(rate), exponent=exponent, effective_from=date(2026, 7, 1), source="example")
