"""The exact best size next to a quick walk's end, where nearly always it lies; ``search`` settles what this cannot.

A quick walk ends where the next contract would earn too little. Rounding alone can make another size better, by less
than a rounding unit per leg. So sizes are tried downwards as long as ``search``'s own bound says that they could win,
and the answer stands when the unrounded edge falls by more than all rounding together before the next level begins,
on either side. Otherwise, and when a limit or a minimum ended the walk, everything is left to ``search``.
"""

from typing import NamedTuple

from shared.domain.depth_legs import E24_PER_E10, Leg, Offer, Terms, Walk, worth_e10
from shared.domain.depth_search import search

_TRIES = 64


def settled(walk: Walk) -> Walk:
    """Return what ``search`` returns for the walk's terms and offers."""
    found = _near(walk)
    if found is not None:
        return found
    exact = search(walk.terms, walk.offers)
    assert exact is not None, walk
    return exact


class _Last(NamedTuple):
    """One leg's last level at the walk's end: what comes before it, what it costs, and what follows it."""

    leg: Leg
    before_e6: int
    before_outlay_e10: int
    before_cost_e10: int
    price_e4: int
    ends_e6: int
    next_price_e4: int
    """The price of the contract after the walk's end, on this level or on the next; -1 when there is none."""
    next_ends_e6: int

    def outlay_e10(self, size_e6: int) -> int:
        """Return what a size that ends on this level takes from the account."""
        return self.before_outlay_e10 + self.leg.fees.outlay_e10(self.price_e4, size_e6 - self.before_e6)

    def least_e24(self, size_e6: int) -> int:
        """Return the same less all that rounding can take off the level."""
        fees = self.leg.fees
        level_e24 = fees.all_in_e18[self.price_e4] * (size_e6 - self.before_e6)
        return (self.before_outlay_e10 - fees.discount_e10) * E24_PER_E10 + level_e24

    def meets_minima(self, size_e6: int) -> bool:
        """Return whether the venue takes an order of this size."""
        leg = self.leg
        cost_e10 = self.before_cost_e10 + self.price_e4 * (size_e6 - self.before_e6)
        return size_e6 >= leg.min_size_e6 and cost_e10 >= leg.min_cost_e10


def _near(walk: Walk) -> Walk | None:
    terms, end_e6 = walk.terms, walk.size_e6
    legs = [_last(leg, offer, end_e6) for leg, offer in zip(terms.legs, walk.offers, strict=True)]
    start_e6 = max(leg.before_e6 for leg in legs)
    earns_e18 = terms.worth_e18 - sum(leg.leg.fees.all_in_e18[leg.price_e4] for leg in legs)
    rounding_e24 = _rounding_e24(walk)
    if end_e6 % terms.step_e6 or earns_e18 * (end_e6 - start_e6) <= rounding_e24:
        return None
    best = _best_down(terms, legs, walk, range(end_e6 - terms.step_e6, start_e6, -terms.step_e6))
    if best is None or not _is_end(terms, legs, end_e6, best.edge_e10, rounding_e24):
        return None
    return best


def _last(leg: Leg, offer: Offer, end_e6: int) -> _Last:
    levels, paid_e4 = offer
    at = before_e6 = outlay_e10 = cost_e10 = 0
    while before_e6 + levels[at][1] < end_e6:
        price_e4, held_e6 = paid_e4[levels[at][0]], levels[at][1]
        outlay_e10 += leg.fees.outlay_e10(price_e4, held_e6)
        cost_e10 += price_e4 * held_e6
        before_e6 += held_e6
        at += 1
    price_e4, ends_e6 = paid_e4[levels[at][0]], before_e6 + levels[at][1]
    next_price_e4, next_ends_e6 = price_e4, ends_e6
    if ends_e6 == end_e6:
        next_price_e4 = -1
        if at + 1 < len(levels):
            next_price_e4, next_ends_e6 = paid_e4[levels[at + 1][0]], ends_e6 + levels[at + 1][1]
    return _Last(leg, before_e6, outlay_e10, cost_e10, price_e4, ends_e6, next_price_e4, next_ends_e6)


def _rounding_e24(walk: Walk) -> int:
    """Return more than all rounding of all levels together, as ``search`` reckons it."""
    pairs = zip(walk.terms.legs, walk.offers, strict=True)
    return sum(leg.fees.rounding_e10 * (len(offer[0]) + 1) for leg, offer in pairs) * E24_PER_E10


def _best_down(terms: Terms, legs: list[_Last], walk: Walk, sizes: range) -> Walk | None:
    """Return the best of the walk's size and those below it on the same levels; None when that takes too long."""
    worth_e18, best_edge_e10, best_e6, best_outlays = terms.worth_e18, walk.edge_e10, walk.size_e6, walk.outlays_e10
    for tried, size_e6 in enumerate(sizes):
        bound_e24 = worth_e18 * size_e6 - sum(leg.least_e24(size_e6) for leg in legs)
        if bound_e24 <= best_edge_e10 * E24_PER_E10 or not all(leg.meets_minima(size_e6) for leg in legs):
            break
        if tried == _TRIES:
            return None
        outlays = tuple(leg.outlay_e10(size_e6) for leg in legs)
        edge_e10 = worth_e10(terms, size_e6) - sum(outlays)
        if edge_e10 >= best_edge_e10 and edge_e10 * E24_PER_E10 >= terms.min_edge_e18 * size_e6:
            best_edge_e10, best_e6, best_outlays = edge_e10, size_e6, outlays
    if best_e6 == walk.size_e6:
        return walk
    return Walk(best_e6, best_outlays, worth_e10(terms, best_e6), terms, walk.offers)


def _is_end(terms: Terms, legs: list[_Last], end_e6: int, edge_e10: int, rounding_e24: int) -> bool:
    """Return whether nothing above the walk's end can earn more."""
    if any(leg.next_price_e4 < 0 for leg in legs):
        return True
    earns_e18 = terms.worth_e18 - sum(leg.leg.fees.all_in_e18[leg.next_price_e4] for leg in legs)
    if earns_e18 > terms.worth_e18 - terms.budget_e18 - 1:
        return False  # the walk was ended by a limit
    if terms.min_edge_e18:
        return True
    next_e6 = end_e6 + terms.step_e6
    stretch_ends_e6 = min(leg.next_ends_e6 for leg in legs)
    if -earns_e18 * (stretch_ends_e6 - next_e6) <= rounding_e24:
        return False
    least_e24 = sum(_least_above_e24(leg, end_e6, next_e6) for leg in legs)
    return terms.worth_e18 * next_e6 - least_e24 <= edge_e10 * E24_PER_E10


def _least_above_e24(leg: _Last, end_e6: int, size_e6: int) -> int:
    """Return the least that a size on the stretch above the walk's end takes from the account."""
    if leg.ends_e6 > end_e6:
        return leg.least_e24(size_e6)
    fees = leg.leg.fees
    level_e24 = fees.all_in_e18[leg.next_price_e4] * (size_e6 - end_e6)
    return (leg.outlay_e10(end_e6) - fees.discount_e10) * E24_PER_E10 + level_e24
