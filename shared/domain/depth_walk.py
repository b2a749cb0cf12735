"""How many contracts to buy on two ladders at once: the integer optimiser under ``arbitrage``.

Two legs of equal size pay one dollar per contract together. Both ladders are walked, cheapest first, while the
next contract still earns the minimum edge by unrounded fees, which is exact and never turns back. Venues round the
fee of every level, so the last fractions of a cent are then settled by pricing the possible end points exactly and
keeping the best. Everything here is whole numbers; see ``numbers`` for the units.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.domain.book import LevelE
from shared.domain.fee_tables import ONE_DOLLAR_E18, TakerFees

UNLIMITED_E10 = 10**30

_CONTRACTS_TO_MONEY = 10**4
"""One millionth of a contract pays this many ten-billionths of a dollar."""
_E24_PER_E10 = 10**14
_SCAN_STEPS = 256


class Fill(NamedTuple):
    """What one level gives: price to pay, contracts, fee."""

    price_e4: int
    size_e6: int
    fee_e10: int


class Leg(NamedTuple):
    """One side to buy: levels cheapest first (price to pay), its fees and its limits."""

    levels: Sequence[LevelE]
    fees: TakerFees
    min_size_e6: int = 0
    min_cost_e10: int = 0
    """The least price times size the venue accepts as an order."""
    max_capital_e10: int = UNLIMITED_E10
    """The most that cost and fee together may take from the account."""


class Walk(NamedTuple):
    """The best size and what it costs on each leg."""

    size_e6: int
    outlays_e10: tuple[int, int]
    legs: tuple[Leg, Leg]

    @property
    def fills(self) -> tuple[tuple[Fill, ...], tuple[Fill, ...]]:
        """What each level of each leg gives, cheapest first."""
        first, second = (tuple(_fills(leg, self.size_e6)) for leg in self.legs)
        return first, second

    @property
    def edge_e10(self) -> int:
        """What is left of the payout after both legs' costs and fees."""
        return self.size_e6 * _CONTRACTS_TO_MONEY - sum(self.outlays_e10)


_Purses = tuple["_Purse", "_Purse"]


class _Segment(NamedTuple):
    """A stretch of sizes over which both legs stay on one level: its end and what a contract in it earns."""

    end_e6: int
    earns_e18: int


def best_walk(
    first: Leg, second: Leg, *, step_e6: int, min_edge_e18: int = 0, max_size_e6: int | None = None
) -> Walk | None:
    """Return the size with the greatest net edge, or None when no allowed size earns what it must.

    Sizes are multiples of ``step_e6`` and the same on both legs. The size stops where the next contract would earn
    less than ``min_edge_e18`` by unrounded fees, except that it is raised to the venues' minimum; as a whole it
    must earn more than nothing, and at least the minimum edge on every contract, with fees as the venues round.
    """
    segments = tuple(_segments(first, second, min_edge_e18))
    if not segments:
        return None
    purses = (_Purse(first), _Purse(second))
    least_e6 = max(step_e6, *(purse.least_e6(step_e6) for purse in purses))
    wanted_e6 = min(_depth_e6(first), _depth_e6(second), max(segments[-1].end_e6, least_e6))
    if max_size_e6 is not None:
        wanted_e6 = min(wanted_e6, max_size_e6)
    most_e6 = _floor(wanted_e6, step_e6)
    for purse in purses:
        most_e6 = purse.affordable_e6(most_e6, step_e6)
    if least_e6 > most_e6:
        return None
    edge_e10, size_e6 = _best_size(segments, purses, most_e6=most_e6, least_e6=least_e6, step_e6=step_e6)
    if edge_e10 <= 0 or edge_e10 * 10**14 < min_edge_e18 * size_e6:
        return None
    return Walk(size_e6, (purses[0].outlay_e10(size_e6), purses[1].outlay_e10(size_e6)), (first, second))


def _segments(first: Leg, second: Leg, min_edge_e18: int) -> Iterator[_Segment]:
    """Walk both ladders while the next contract earns the minimum."""
    costs, other_costs = first.fees.all_in_e18, second.fees.all_in_e18
    levels, other_levels = iter(first.levels), iter(second.levels)
    left = other_left = end = cost = other_cost = 0
    while True:
        if not left:
            price, left = next(levels, (0, 0))
            cost = costs[price]
        if not other_left:
            price, other_left = next(other_levels, (0, 0))
            other_cost = other_costs[price]
        take = min(left, other_left)
        earns = ONE_DOLLAR_E18 - cost - other_cost
        if not take or earns < min_edge_e18:
            return
        end += take
        left -= take
        other_left -= take
        yield _Segment(end, earns)


def _best_size(
    segments: Sequence[_Segment],
    purses: _Purses,
    *,
    most_e6: int,
    least_e6: int,
    step_e6: int,
) -> tuple[int, int]:
    """Return the greatest exact edge among the allowed sizes, and its size.

    Between two ends of segments the unrounded edge never falls, so a smaller size can win only by rounding that it
    avoids: ends are tried backwards until they are worse by more than all rounding together, then the sizes just
    below the best end, as far as one level's rounding could pay for.
    """
    rounding_e10 = sum(purse.leg.fees.rounding_e10 for purse in purses)
    last_e6 = max(least_e6, _floor(min(segments[-1].end_e6, most_e6), step_e6))
    best = (_edge_e10(purses, last_e6), last_e6)
    for segment in reversed(segments):
        size_e6 = max(least_e6, _floor(segment.end_e6, step_e6))
        if size_e6 >= last_e6:
            continue
        found = (_edge_e10(purses, size_e6), size_e6)
        best = max(best, found)
        if size_e6 == least_e6 or found[0] + len(segments) * rounding_e10 < best[0]:
            break
    return max(best, *_just_below(segments, purses, best[1], least_e6=least_e6, step_e6=step_e6))


def _just_below(
    segments: Sequence[_Segment],
    purses: _Purses,
    size_e6: int,
    *,
    least_e6: int,
    step_e6: int,
) -> Iterator[tuple[int, int]]:
    """Price the sizes below ``size_e6`` that earn so little less that rounding may decide."""
    at = bisect_left(segments, size_e6, key=lambda segment: segment.end_e6)
    earns_e24 = segments[min(at, len(segments) - 1)].earns_e18 * step_e6
    rounding_e24 = sum(purse.leg.fees.rounding_e10 for purse in purses) * _E24_PER_E10
    steps = min(_SCAN_STEPS, rounding_e24 // earns_e24) if earns_e24 else _SCAN_STEPS
    for lower_e6 in range(max(least_e6, size_e6 - steps * step_e6), size_e6 + 1, step_e6):
        yield _edge_e10(purses, lower_e6), lower_e6


def _edge_e10(purses: _Purses, size_e6: int) -> int:
    return size_e6 * _CONTRACTS_TO_MONEY - purses[0].outlay_e10(size_e6) - purses[1].outlay_e10(size_e6)


def _fills(leg: Leg, size_e6: int) -> Iterator[Fill]:
    for price_e4, held_e6 in leg.levels:
        if not size_e6:
            return
        take_e6 = min(held_e6, size_e6)
        size_e6 -= take_e6
        yield Fill(price_e4, take_e6, leg.fees.fee_e10(price_e4, take_e6))


def _depth_e6(leg: Leg) -> int:
    return sum(size_e6 for _, size_e6 in leg.levels)


def _floor(size_e6: int, step_e6: int) -> int:
    return size_e6 - size_e6 % step_e6


def _ceil(size_e6: int, step_e6: int) -> int:
    return -(-size_e6 // step_e6) * step_e6


class _Purse:
    """What buying up to any size on one leg takes from the account, with every full level priced once."""

    __slots__ = ("_ends_e6", "_outlays_e10", "leg")

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self._ends_e6 = [0]
        self._outlays_e10 = [0]

    def outlay_e10(self, size_e6: int) -> int:
        """Return cost and fees of the cheapest ``size_e6``; the depth must be there."""
        full = self._full_levels(size_e6)
        part_e6 = size_e6 - self._ends_e6[full]
        if not part_e6:
            return self._outlays_e10[full]
        price_e4 = self.leg.levels[full][0]
        return self._outlays_e10[full] + price_e4 * part_e6 + self.leg.fees.fee_e10(price_e4, part_e6)

    def affordable_e6(self, wanted_e6: int, step_e6: int) -> int:
        """Return the greatest size on the grid, up to ``wanted_e6``, that the capital limit allows."""
        limit_e10 = self.leg.max_capital_e10
        if limit_e10 >= UNLIMITED_E10 or self.outlay_e10(wanted_e6) <= limit_e10:
            return wanted_e6
        full = bisect_right(self._outlays_e10, limit_e10) - 1
        per_contract_e18 = self.leg.fees.all_in_e18[self.leg.levels[full][0]]
        spare_e24 = (limit_e10 - self._outlays_e10[full]) * _E24_PER_E10
        by_unrounded_e6 = self._ends_e6[full] + spare_e24 // per_contract_e18
        margin_e6 = self.leg.fees.rounding_e10 * _E24_PER_E10 // per_contract_e18 + step_e6
        lowest_e6 = max(0, _floor(by_unrounded_e6 - margin_e6, step_e6))
        sizes = range(lowest_e6, min(wanted_e6, by_unrounded_e6 + margin_e6) + 1, step_e6)
        fitting = bisect_left(sizes, True, key=lambda size_e6: self.outlay_e10(size_e6) > limit_e10)
        assert fitting, "what fits by unrounded fees less the rounding fits"
        return sizes[fitting - 1]

    def least_e6(self, step_e6: int) -> int:
        """Return the smallest size on the grid that meets the venue's minimum size and order value."""
        missing_e10, size_e6 = self.leg.min_cost_e10, 0
        for price_e4, held_e6 in self.leg.levels:
            if missing_e10 <= 0:
                break
            take_e6 = min(held_e6, -(-missing_e10 // price_e4))
            missing_e10 -= take_e6 * price_e4
            size_e6 += take_e6
        if missing_e10 > 0:
            return _depth_e6(self.leg) + step_e6
        return _ceil(max(size_e6, self.leg.min_size_e6), step_e6)

    def _full_levels(self, size_e6: int) -> int:
        """Return how many levels ``size_e6`` empties, pricing levels as far as needed."""
        while self._ends_e6[-1] < size_e6:
            self._price_levels(len(self._ends_e6))
        return bisect_right(self._ends_e6, size_e6) - 1

    def _price_levels(self, count: int) -> None:
        for at in range(len(self._ends_e6) - 1, count):
            price_e4, held_e6 = self.leg.levels[at]
            cost_e10 = price_e4 * held_e6
            self._ends_e6.append(self._ends_e6[-1] + held_e6)
            self._outlays_e10.append(self._outlays_e10[-1] + cost_e10 + self.leg.fees.fee_e10(price_e4, held_e6))
