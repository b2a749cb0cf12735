"""Taker fees in integers for the hot loop: the twins of ``fee_math``, with a table per price.

Money is in ten-billionths of a dollar (``_e10``). What one more contract costs with its unrounded fee is in units
of 1e-18 dollars (``_e18``): exact for both venues' published formulas, so that "does the next contract still earn
anything" is decided without any rounding.
"""

from decimal import Context, Decimal, localcontext
from functools import lru_cache
from itertools import pairwise
from math import gcd

from shared.domain.fee_math import kalshi_rate
from shared.domain.fees import FeeSchedule, FeesRefused, KalshiFees, check_schedule
from shared.domain.numbers import ONE_DOLLAR_E4

ONE_DOLLAR_E18 = 10**18

_RATE_DIGITS = 10
_PRICE_DIGITS = 4
_SIZE_DIGITS = 6
_KALSHI_QUANTUM_DIGITS = 4
_POLYMARKET_QUANTUM_DIGITS = 5


class TakerFees:
    """The taker's fee on one market at every price of the 0.0001 grid.

    ``all_in_e18[price_e4]`` is price plus unrounded fee of one contract; below a dollar it grows with the price. The
    fee before Kalshi's balance rounding is ``numerators[price_e4] * size_e6 // divisor * quantum_e10``: for Kalshi
    numerators and quantum are negative, which makes the floor division round up. ``precision_e10`` is that of the
    Kalshi balance, 0 on Polymarket. Rounding adds less than ``rounding_e10`` to the formula, or takes less than
    ``discount_e10`` off it.
    """

    __slots__ = (
        "all_in_e18",
        "discount_e10",
        "divisor",
        "numerators",
        "precision_e10",
        "quantum_e10",
        "rounding_e10",
    )

    def __init__(self, *, rate_e10: int, exponent: int, precision_e10: int | None) -> None:
        """``precision_e10`` is the balance precision of a Kalshi account, None on Polymarket."""
        scale: int = 10 ** (_RATE_DIGITS + 2 * _PRICE_DIGITS * exponent)
        spreads = [(price * (ONE_DOLLAR_E4 - price)) ** exponent for price in range(ONE_DOLLAR_E4 + 1)]
        self.all_in_e18: list[int] = [
            price * 10**14 - (-rate_e10 * spread * ONE_DOLLAR_E18 // scale) for price, spread in enumerate(spreads)
        ]
        rounds_up = precision_e10 is not None
        quantum_digits = _KALSHI_QUANTUM_DIGITS if rounds_up else _POLYMARKET_QUANTUM_DIGITS
        divisor: int = scale * 10 ** (_SIZE_DIGITS - quantum_digits)
        common = gcd(rate_e10, divisor)  # small numbers multiply faster
        sign = -1 if rounds_up else 1
        self.numerators: list[int] = [sign * rate_e10 // common * spread for spread in spreads]
        self.divisor = divisor // common
        quantum_e10: int = 10 ** (10 - quantum_digits) if rate_e10 else 0
        self.quantum_e10 = sign * quantum_e10
        self.precision_e10 = precision_e10 or 0
        self.rounding_e10 = quantum_e10 + self.precision_e10
        self.discount_e10 = 0 if rounds_up else quantum_e10

    def outlay_e10(self, price_e4: int, size_e6: int) -> int:
        """Return what one fill takes from the account: cost and fee, rounded as the venue does."""
        outlay_e10 = price_e4 * size_e6 + self.numerators[price_e4] * size_e6 // self.divisor * self.quantum_e10
        if self.precision_e10:
            outlay_e10 += -outlay_e10 % self.precision_e10
        return outlay_e10

    def fee_e10(self, price_e4: int, size_e6: int) -> int:
        """Return the fee of one fill, rounded as the venue does."""
        return self.outlay_e10(price_e4, size_e6) - price_e4 * size_e6


def taker_fees(schedule: FeeSchedule) -> TakerFees:
    """Return the table of a schedule; equal terms share one.

    Raises FeesRefused, also for a rate so high that below a dollar a dearer contract would cost less in all: no venue
    charges that, and a walk from the cheapest level on would not find the best size.
    """
    check_schedule(schedule)
    if isinstance(schedule, KalshiFees):
        return _table(_scaled(kalshi_rate(schedule), _RATE_DIGITS), 1, _scaled(schedule.precision_dollars, 10))
    return _table(_scaled(schedule.rate, _RATE_DIGITS), schedule.exponent, None)


def taker_fee_e10(schedule: FeeSchedule, *, price_e4: int, size_e6: int) -> int:
    """Return the fee of one fill in ten-billionths of a dollar. Raises FeesRefused."""
    return taker_fees(schedule).fee_e10(price_e4, size_e6)


@lru_cache(maxsize=64)
def _table(rate_e10: int, exponent: int, precision_e10: int | None) -> TakerFees:
    fees = TakerFees(rate_e10=rate_e10, exponent=exponent, precision_e10=precision_e10)
    costs_e18 = (min(cost_e18, ONE_DOLLAR_E18) for cost_e18 in fees.all_in_e18)
    if any(dearer < cheaper for cheaper, dearer in pairwise(costs_e18)):
        raise FeesRefused(
            f"fee rate {Decimal(rate_e10).scaleb(-_RATE_DIGITS)} makes a dearer contract cost less in all"
        )
    return fees


def _scaled(value: Decimal, digits: int) -> int:
    with localcontext(Context(prec=60)):
        return int(value.scaleb(digits))
