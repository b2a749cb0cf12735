"""Kalshi's fees to the last digit, and amounts as its portfolio writes them.

Kalshi fee schedule, edition effective 2026-07-07, and its fee-rounding page of autumn 2026: the formula is rounded up
to $0.000001; what the fill changes on the balance is rounded down to the account's precision, and the difference is
part of the fee. Amounts are ten-billionths of a dollar (``_e10``), the product of a price and a size.
"""

from fractions import Fraction
from math import ceil
from typing import Literal

from services.venue_sim.markets import KalshiSeries
from services.venue_sim.pricing import KALSHI_TAKER_RATE

DIRECT_E10 = 1_000_000
"""The balance precision of a direct member: $0.0001."""
FCM_E10 = 100_000_000
"""The balance precision of an account at a broker: $0.01."""
DOLLAR_E10 = 10_000_000_000

_MICRO_E10 = 10_000
_MAKER_RATES = {
    "quadratic": Fraction(0),
    "quadratic_with_maker_fees": Fraction(175, 10_000),
    "quadratic_with_combo_maker_fees": Fraction(35, 1_000),
}

Liquidity = Literal["taker", "maker"]


def formula_fee_e10(series: KalshiSeries, liquidity: Liquidity, *, price_e4: int, size_e6: int) -> int:
    """Return the fee of one fill before the balance is rounded, up to $0.000001."""
    rate = KALSHI_TAKER_RATE if liquidity == "taker" else _MAKER_RATES[series.fee_type]
    price = Fraction(price_e4, 10_000)
    dollars = series.fee_multiplier * rate * Fraction(size_e6, 1_000_000) * price * (1 - price)
    return ceil(dollars * 1_000_000) * _MICRO_E10


def charged_fee_e10(revenue_e10: int, formula_e10: int, *, precision_e10: int) -> int:
    """Return what a fill really costs in fees: ``revenue_e10`` is its change of the balance without any fee."""
    balance_change_e10 = (revenue_e10 - formula_e10) // precision_e10 * precision_e10
    return revenue_e10 - balance_change_e10


def dollars_text(amount_e10: int, *, decimals: int = 6) -> str:
    """Return an amount with ``decimals`` digits, finer parts cut off towards zero: ``"0.017500"``."""
    sign, amount_e10 = ("-", -amount_e10) if amount_e10 < 0 else ("", amount_e10)
    whole, rest = divmod(amount_e10, DOLLAR_E10)
    return f"{sign}{whole}.{rest:010d}"[: len(sign) + len(str(whole)) + 1 + decimals]


def cents(amount_e10: int) -> int:
    """Return whole cents, cut off."""
    return amount_e10 // (DOLLAR_E10 // 100)


def average_text(total_e10: int, size_e6: int) -> str:
    """Return a total per contract with four digits, or six where four are not exact."""
    micro = total_e10 * 100 // size_e6
    text = f"{micro // 1_000_000}.{micro % 1_000_000:06d}"
    return text.removesuffix("00")
