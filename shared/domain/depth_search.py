"""The best size of a set of any number of legs under every limit: the exact, thorough half of the depth walk.

Without rounding the edge is concave in the size: it grows while a contract costs less than it is worth and falls
afterwards. Venues round each level's fee, so the true edge strays from that by less than a rounding unit per leg inside
a stretch on which no leg changes its level. Every stretch is priced at its better end; then sizes are tried from there
as long as a bound says that rounding could make one of them the best.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from shared.domain.depth_legs import E24_PER_E10, Offer, Terms, Walk
from shared.domain.depth_purse import Purse

_TRIES = 4_096
"""Sizes tried for rounding's sake before the answer is good enough: it is then within one rounding unit per leg."""


class _Stretch(NamedTuple):
    """Sizes over which every leg stays on one level: where they end and what each contract earns, fees unrounded."""

    start_e6: int
    end_e6: int
    earns_e18: int


def search(terms: Terms, offers: tuple[Offer, ...]) -> Walk | None:
    """Return the size with the greatest net edge, or None when no allowed size earns what it must.

    The size stops where the next step of the grid would cost more than the budget by unrounded fees, except that it is
    raised to the venues' minima; as a whole it must earn more than nothing, and at least the minimum edge on every
    contract, with fees as the venues round. Among equal edges the smallest size found wins.
    """
    purses = tuple(Purse(leg, offer) for leg, offer in zip(terms.legs, offers, strict=True))
    depth_e6 = min(purse.depth_e6 for purse in purses)
    least_e6 = max(purse.least_e6(terms.step_e6) for purse in purses)
    if least_e6 > depth_e6:
        return None
    stretches = _stretches(terms, purses, least_e6)
    least_edge_e18 = terms.worth_e18 - terms.budget_e18
    if stretches[0].earns_e18 < least_edge_e18:
        return None
    most_e6 = _affordable_e6(terms, purses, stretches[-1].end_e6)
    if terms.min_edge_e18:
        most_e6 = min(most_e6, max(least_e6, _earning_e6(stretches, least_edge_e18, terms.step_e6)))
    quest = _Quest(terms, purses)
    quest.run(_pieces(stretches, range(least_e6, most_e6 + 1, terms.step_e6)))
    size_e6 = quest.size_e6
    if not size_e6:
        return None
    worth_e10 = terms.worth_e18 * size_e6 // E24_PER_E10
    return Walk(size_e6, tuple(purse.outlay_e10(size_e6) for purse in purses), worth_e10, terms, offers)


def _stretches(terms: Terms, purses: Sequence[Purse], least_e6: int) -> list[_Stretch]:
    """Return the stretches as far as a size in them can be the best one.

    That is past the minimum, and until the unrounded edge has fallen by more than all rounding together.
    """
    rounding_e24 = sum(purse.leg.fees.rounding_e10 * purse.level_count for purse in purses) * E24_PER_E10
    places = [0] * len(purses)
    depth_e6 = min(purse.depth_e6 for purse in purses)
    stretches: list[_Stretch] = []
    start_e6 = fallen_e24 = 0
    enough_e6 = least_e6
    while start_e6 < depth_e6 and (start_e6 < enough_e6 or fallen_e24 <= rounding_e24):
        end_e6 = min(purse.end_e6(at) for at, purse in zip(places, purses, strict=True))
        earns_e18 = terms.worth_e18 - sum(purse.all_in_e18(at) for at, purse in zip(places, purses, strict=True))
        stretches.append(_Stretch(start_e6, end_e6, earns_e18))
        if earns_e18 > 0:
            enough_e6 = max(enough_e6, end_e6 + terms.step_e6)
        elif end_e6 > enough_e6:
            fallen_e24 -= earns_e18 * (end_e6 - max(start_e6, enough_e6))
        places = [at + (purse.end_e6(at) == end_e6) for at, purse in zip(places, purses, strict=True)]
        start_e6 = end_e6
    return stretches


def _earning_e6(stretches: Sequence[_Stretch], least_edge_e18: int, step_e6: int) -> int:
    """Return the size at which the next step of the grid would earn too little; a step may straddle levels."""
    end_e6 = max(stretch.end_e6 for stretch in stretches if stretch.earns_e18 >= least_edge_e18)
    size_e6 = end_e6 - end_e6 % step_e6
    next_e6 = size_e6 + step_e6
    if size_e6 == end_e6 or next_e6 > stretches[-1].end_e6:
        return size_e6
    step_earns_e24 = sum(
        stretch.earns_e18 * max(0, min(stretch.end_e6, next_e6) - max(stretch.start_e6, size_e6))
        for stretch in stretches
    )
    return next_e6 if step_earns_e24 >= least_edge_e18 * step_e6 else size_e6


def _affordable_e6(terms: Terms, purses: Sequence[Purse], most_e6: int) -> int:
    """Return the greatest size on the grid, up to ``most_e6``, that keeps every upper limit; outlays grow with size."""

    def is_too_much(size_e6: int) -> bool:
        return not terms.allows(size_e6, [purse.outlay_e10(size_e6) for purse in purses])

    sizes = range(0, most_e6 + 1, terms.step_e6)
    if not terms.is_capped or not is_too_much(sizes[-1]):
        return sizes[-1]
    return sizes[bisect_left(sizes, True, key=is_too_much) - 1]


def _pieces(stretches: Sequence[_Stretch], sizes: range) -> list[tuple[_Stretch, range]]:
    """Cut the allowed sizes at the ends of the stretches, each piece with its better end first."""
    pieces = []
    for stretch in stretches:
        first = max(0, (stretch.start_e6 - sizes.start) // sizes.step + 1)
        last = (stretch.end_e6 - sizes.start) // sizes.step
        piece = sizes[first : max(first, last + 1)]
        if piece:
            pieces.append((stretch, piece[::-1] if stretch.earns_e18 >= 0 else piece))
    return pieces


class _Quest:
    """The best size so far; ``size_e6`` is 0 until one earns what it must."""

    def __init__(self, terms: Terms, purses: Sequence[Purse]) -> None:
        self.size_e6 = 0
        self._edge_e10 = 0
        self._terms = terms
        self._worth_e18 = terms.worth_e18
        self._purses = purses

    def run(self, pieces: Sequence[tuple[_Stretch, range]]) -> None:
        """Try every piece's better end, then what a bound says may still be better."""
        for _, sizes in pieces:
            self._try(sizes[0])
        tries = _TRIES
        for stretch, sizes in pieces:
            bound_e24 = self._bound_e24(sizes[0], stretch.start_e6)
            fall_e24 = abs(stretch.earns_e18 * sizes.step)
            for size_e6 in sizes[1:]:
                bound_e24 -= fall_e24
                if bound_e24 <= self._edge_e10 * E24_PER_E10 or not tries:
                    break
                tries -= 1
                self._try(size_e6)

    def _try(self, size_e6: int) -> None:
        outlay_e10 = sum(purse.outlay_e10(size_e6) for purse in self._purses)
        edge_e10 = self._worth_e18 * size_e6 // E24_PER_E10 - outlay_e10
        if edge_e10 <= 0 or edge_e10 * E24_PER_E10 < self._terms.min_edge_e18 * size_e6:
            return
        if (edge_e10, -size_e6) > (self._edge_e10, -self.size_e6):
            self._edge_e10, self.size_e6 = edge_e10, size_e6

    def _bound_e24(self, size_e6: int, start_e6: int) -> int:
        least_e24 = sum(purse.least_outlay_e24(size_e6, full_e6=start_e6) for purse in self._purses)
        return self._worth_e18 * size_e6 - least_e24
