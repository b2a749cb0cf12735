"""The best size of a set of any number of legs under every limit: the exact, thorough half of the depth walk.

Without rounding the edge is concave in the size: it grows while a contract costs less than it is worth and falls
afterwards. Venues round each level's fee, so the true edge strays from that by less than a rounding unit per leg inside
a stretch on which no leg changes its level. From the top outwards every stretch is priced at its better end, and sizes
are tried from there as long as a bound says that rounding could make one of them the best; a stretch from which the
unrounded edge has fallen by more than all rounding together ends the search.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.domain.depth_legs import E24_PER_E10, Offer, Terms, Walk, worth_e10
from shared.domain.depth_purse import Purse

_TRIES = 4_096
"""Sizes tried for rounding's sake before the answer is good enough: it is then within one rounding unit per leg."""


def search(terms: Terms, offers: tuple[Offer, ...]) -> Walk | None:
    """Return the size with the greatest net edge, or None when no allowed size earns what it must.

    Where a minimum edge is asked for, every contract must earn it by unrounded fees, and the whole must earn it per
    contract with fees as the venues round. Without one, contracts that lose a little are bought when the venues' minima
    or the grid make the whole earn more with them. Among equal edges the smallest size found wins.
    """
    purses = tuple(Purse(leg, offer) for leg, offer in zip(terms.legs, offers, strict=True))
    least_e6 = max(purse.least_e6(terms.step_e6) for purse in purses)
    landscape = _Landscape(terms, purses)
    earning = landscape.earning(terms.worth_e18 - terms.budget_e18)
    if not earning or least_e6 > landscape.depth_e6:
        return None
    top = landscape.stretch(earning - 1)
    above = [] if terms.min_edge_e18 else landscape.falling(earning, least_e6)
    most_e6 = _affordable_e6(terms, purses, above[-1].end_e6 if above else top.end_e6)
    sizes = range(least_e6, most_e6 + 1, terms.step_e6)
    quest = _Quest(terms, purses)
    quest.run_down((landscape.stretch(at) for at in range(earning - 1, -1, -1)), sizes, landscape.rounding_e24)
    quest.run_up(above, sizes)
    size_e6 = quest.size_e6
    if not size_e6:
        return None
    outlays_e10 = tuple(purse.outlay_e10(size_e6) for purse in purses)
    return Walk(size_e6, outlays_e10, worth_e10(terms, size_e6), terms, offers)


class _Stretch(NamedTuple):
    """Sizes over which every leg stays on one level: where they end and what each contract earns, fees unrounded."""

    start_e6: int
    end_e6: int
    earns_e18: int


class _Landscape:
    """The stretches of a set of offers, each looked at when it is asked for. What they earn never rises."""

    def __init__(self, terms: Terms, purses: Sequence[Purse]) -> None:
        self._terms = terms
        self._purses = purses
        self.depth_e6 = min(purse.depth_e6 for purse in purses)
        ends_e6 = {end_e6 for purse in purses for end_e6 in purse.ends_e6 if end_e6 <= self.depth_e6}
        self._cuts_e6 = sorted(ends_e6)
        self.rounding_e24 = sum(p.leg.fees.rounding_e10 * len(p.ends_e6) for p in purses) * E24_PER_E10
        """More than all rounding of all levels together."""

    def stretch(self, at: int) -> _Stretch:
        """Return stretch number ``at``."""
        start_e6, end_e6 = self._cuts_e6[at : at + 2]
        costs_e18 = (purse.all_in_e18(start_e6) for purse in self._purses)
        return _Stretch(start_e6, end_e6, self._terms.worth_e18 - sum(costs_e18))

    def earning(self, least_edge_e18: int) -> int:
        """Return how many stretches earn at least that much on every contract."""
        stretches = range(len(self._cuts_e6) - 1)
        return bisect_left(stretches, True, key=lambda at: self.stretch(at).earns_e18 < least_edge_e18)

    def falling(self, earning: int, least_e6: int) -> list[_Stretch]:
        """Return the stretches that earn nothing, as far as a size in them can be the best one."""
        found: list[_Stretch] = []
        fallen_e24 = 0
        enough_e6 = max(least_e6, self._cuts_e6[earning] + self._terms.step_e6)
        for at in range(earning, len(self._cuts_e6) - 1):
            stretch = self.stretch(at)
            if stretch.start_e6 >= enough_e6 and fallen_e24 > self.rounding_e24:
                break
            found.append(stretch)
            fallen_e24 -= stretch.earns_e18 * max(0, stretch.end_e6 - max(stretch.start_e6, enough_e6))
        return found


def _affordable_e6(terms: Terms, purses: Sequence[Purse], most_e6: int) -> int:
    """Return the greatest size on the grid, up to ``most_e6``, that keeps every upper limit; outlays grow with size."""

    def is_too_much(size_e6: int) -> bool:
        return not terms.allows(size_e6, [purse.outlay_e10(size_e6) for purse in purses])

    sizes = range(0, most_e6 + 1, terms.step_e6)
    if not terms.is_capped or not is_too_much(sizes[-1]):
        return sizes[-1]
    return sizes[bisect_left(sizes, True, key=is_too_much) - 1]


def _piece(stretch: _Stretch, sizes: range) -> range:
    """Return the allowed sizes inside a stretch, its better end first."""
    first = max(0, (stretch.start_e6 - sizes.start) // sizes.step + 1)
    last = (stretch.end_e6 - sizes.start) // sizes.step
    piece = sizes[first : max(first, last + 1)]
    return piece[::-1] if stretch.earns_e18 >= 0 else piece


class _Quest:
    """The best size so far; ``size_e6`` is 0 until one earns what it must."""

    def __init__(self, terms: Terms, purses: Sequence[Purse]) -> None:
        self.size_e6 = 0
        self._edge_e10 = 0
        self._terms = terms
        self._worth_e18 = terms.worth_e18
        self._purses = purses
        self._tries = _TRIES

    def run_down(self, stretches: Iterable[_Stretch], sizes: range, rounding_e24: int) -> None:
        """Try the sizes of stretches that follow one another down from the top."""
        fallen_e24 = 0
        for stretch in stretches:
            piece = _piece(stretch, sizes)
            if piece and self._has_size_after(stretch, piece):
                fallen_e24 += stretch.earns_e18 * (max(piece[0], piece[-1]) - stretch.start_e6)
                if fallen_e24 > rounding_e24:
                    return

    def run_up(self, stretches: Iterable[_Stretch], sizes: range) -> None:
        """Try the sizes of stretches above the top."""
        for stretch in stretches:
            piece = _piece(stretch, sizes)
            if piece:
                self._has_size_after(stretch, piece)

    def _has_size_after(self, stretch: _Stretch, piece: range) -> bool:
        """Try a stretch; return whether its better end, or a size before, is a size to fall from."""
        self._try(piece[0])
        is_found = bool(self.size_e6)
        self._try_on(stretch, piece)
        return is_found

    def _try_on(self, stretch: _Stretch, piece: range) -> None:
        bound_e24 = self._bound_e24(piece[0], stretch.start_e6)
        fall_e24 = abs(stretch.earns_e18 * piece.step)
        for size_e6 in piece[1:]:
            bound_e24 -= fall_e24
            if bound_e24 <= self._edge_e10 * E24_PER_E10 or not self._tries:
                return
            self._tries -= 1
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
