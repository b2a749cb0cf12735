"""What buying up to any size on one leg takes from its account."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from shared.domain.depth_legs import E24_PER_E10, Leg, Offer


class Purse:
    """One leg's offer with every full level priced once, when it is first asked for."""

    __slots__ = ("_ends_e6", "_fees", "_levels", "_outlays_e10", "_paid_e4", "leg")

    def __init__(self, leg: Leg, offer: Offer) -> None:
        self._levels, self._paid_e4 = offer
        self.leg = leg
        self._fees = leg.fees
        self._ends_e6 = [0, *accumulate(size_e6 for _, size_e6 in self._levels)]
        self._outlays_e10 = [0]

    @property
    def depth_e6(self) -> int:
        """All that can be bought."""
        return self._ends_e6[-1]

    @property
    def ends_e6(self) -> Sequence[int]:
        """Where levels begin and end: 0, and what each level and those before it hold."""
        return self._ends_e6

    def all_in_e18(self, size_e6: int) -> int:
        """Return what the next contract after ``size_e6`` costs with its unrounded fee."""
        return self._fees.all_in_e18[self._price_e4(bisect_right(self._ends_e6, size_e6) - 1)]

    def outlay_e10(self, size_e6: int) -> int:
        """Return cost and fees of the cheapest ``size_e6``; the depth must be there."""
        full = bisect_right(self._ends_e6, size_e6) - 1
        part_e6 = size_e6 - self._ends_e6[full]
        outlay_e10 = self._full_outlay_e10(full)
        return outlay_e10 + self._fees.outlay_e10(self._price_e4(full), part_e6) if part_e6 else outlay_e10

    def least_outlay_e24(self, size_e6: int, *, full_e6: int) -> int:
        """Return a bound below ``outlay_e10``, in 1e-24 dollars, that grows evenly inside a level.

        The level that follows the first ``full_e6`` counts with the least that rounding can make of its fee.
        """
        full = bisect_right(self._ends_e6, full_e6) - 1
        level_e24 = self._fees.all_in_e18[self._price_e4(full)] * (size_e6 - self._ends_e6[full])
        return (self._full_outlay_e10(full) - self._fees.discount_e10) * E24_PER_E10 + level_e24

    def least_e6(self, step_e6: int) -> int:
        """Return the smallest size on the grid that meets the venue's minimum size and order value.

        More than the depth when the whole ladder is worth too little.
        """
        missing_e10, size_e6 = self.leg.min_cost_e10, 0
        for book_price_e4, held_e6 in self._levels:
            if missing_e10 <= 0:
                break
            price_e4 = self._paid_e4[book_price_e4]
            take_e6 = min(held_e6, -(-missing_e10 // price_e4))
            missing_e10 -= take_e6 * price_e4
            size_e6 += take_e6
        if missing_e10 > 0:
            return self.depth_e6 + step_e6
        return -(-max(size_e6, self.leg.min_size_e6, step_e6) // step_e6) * step_e6

    def _full_outlay_e10(self, count: int) -> int:
        while len(self._outlays_e10) <= count:
            at = len(self._outlays_e10) - 1
            level_e10 = self._fees.outlay_e10(self._price_e4(at), self._levels[at][1])
            self._outlays_e10.append(self._outlays_e10[-1] + level_e10)
        return self._outlays_e10[count]

    def _price_e4(self, at: int) -> int:
        return self._paid_e4[self._levels[at][0]]
