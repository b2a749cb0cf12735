"""Taker fees in integers for the hot loop: the twins of ``fee_math``, with a table per price.

Money is in ten-billionths of a dollar (``_e10``). What one more contract costs with its unrounded fee is in units
of 1e-18 dollars (``_e18``): exact for both venues' published formulas, so that "does the next contract still earn
anything" is decided without any rounding.
"""

from decimal import Context, Decimal, localcontext
from functools import lru_cache

from shared.domain.fee_math import kalshi_rate
from shared.domain.fees import FeeSchedule, KalshiFees, check_schedule
from shared.domain.numbers import ONE_DOLLAR_E4

ONE_DOLLAR_E18 = 10**18

_RATE_DIGITS = 10
_PRICE_DIGITS = 4
_SIZE_DIGITS = 6


class TakerFees:
    """The taker's fee on one market at every price of the 0.0001 grid.

    ``all_in_e18[price_e4]`` is price plus unrounded fee of one contract. It grows with the price for every real
    schedule, but nothing here relies on that.
    """

    __slots__ = ("_fee_unit", "_numerators", "_precision_e10", "_rounds_up", "all_in_e18", "rounding_e10")

    def __init__(self, *, rate_e10: int, exponent: int, precision_e10: int | None) -> None:
        """``precision_e10`` is the balance precision of a Kalshi account, None on Polymarket."""
        scale: int = 10 ** (_RATE_DIGITS + 2 * _PRICE_DIGITS * exponent)
        self._numerators: list[int] = [
            rate_e10 * (price * (ONE_DOLLAR_E4 - price)) ** exponent for price in range(ONE_DOLLAR_E4 + 1)
        ]
        self.all_in_e18: list[int] = [
            price * 10**14 - (-numerator * ONE_DOLLAR_E18 // scale) for price, numerator in enumerate(self._numerators)
        ]
        self._rounds_up = precision_e10 is not None
        self._precision_e10 = precision_e10 or 1
        quantum_digits = 4 if self._rounds_up else 5
        self._fee_unit: int = scale * 10 ** (_SIZE_DIGITS - quantum_digits)
        self.rounding_e10 = 10**6 + self._precision_e10 if self._rounds_up else 10**5

    def fee_e10(self, price_e4: int, size_e6: int) -> int:
        """Return the fee of one fill, rounded as the venue does."""
        if not self._rounds_up:
            return self._numerators[price_e4] * size_e6 // self._fee_unit * 10**5
        cost_e10 = price_e4 * size_e6
        trade_fee_e10 = -(-self._numerators[price_e4] * size_e6 // self._fee_unit) * 10**6
        precision_e10 = self._precision_e10
        return -(-(cost_e10 + trade_fee_e10) // precision_e10) * precision_e10 - cost_e10


def taker_fees(schedule: FeeSchedule) -> TakerFees:
    """Return the table of a schedule; equal terms share one. Raises FeesRefused."""
    check_schedule(schedule)
    if isinstance(schedule, KalshiFees):
        return _table(_scaled(kalshi_rate(schedule), _RATE_DIGITS), 1, _scaled(schedule.precision_dollars, 10))
    return _table(_scaled(schedule.rate, _RATE_DIGITS), schedule.exponent, None)


def taker_fee_e10(schedule: FeeSchedule, *, price_e4: int, size_e6: int) -> int:
    """Return the fee of one fill in ten-billionths of a dollar. Raises FeesRefused."""
    return taker_fees(schedule).fee_e10(price_e4, size_e6)


@lru_cache(maxsize=64)
def _table(rate_e10: int, exponent: int, precision_e10: int | None) -> TakerFees:
    return TakerFees(rate_e10=rate_e10, exponent=exponent, precision_e10=precision_e10)


def _scaled(value: Decimal, digits: int) -> int:
    with localcontext(Context(prec=60)):
        return int(value.scaleb(digits))
