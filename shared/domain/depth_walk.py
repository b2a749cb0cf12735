"""How many contracts to buy on two ladders at once: the optimiser under ``arbitrage``, made for every quote.

Both ladders are walked, cheapest first, while the next contract still earns the minimum edge by unrounded fees. That
end is the best size but for the rounding of the fees on the two levels where it lies; ``depth_search`` settles that
too, and whatever this quick way does not: a limit that binds, a size off the grid, more than two legs. Everything here
is whole numbers; see ``numbers`` for the units.
"""

from functools import lru_cache

from shared.domain.depth_legs import ASKED_E4, E24_PER_E10, Offer, Terms, Walk
from shared.domain.depth_search import search
from shared.domain.fee_tables import TakerFees
from shared.domain.numbers import ONE_DOLLAR_E4

__all__ = ["DepthWalk", "Walk", "dearest_e4"]

_NOTHING_E4 = ONE_DOLLAR_E4 + 1
"""Dearer than anything: the price of a level that is not there."""


@lru_cache(maxsize=128)
def dearest_e4(first: TakerFees, second: TakerFees, budget_e18: int) -> list[int]:
    """Return, by the price of one leg, the highest price of the other at which a contract is within the budget.

    Minus one where none is. Both prices are what is paid for the outcome that is bought.
    """
    dearest, table = ONE_DOLLAR_E4, []
    for cost_e18 in first.all_in_e18:
        while dearest >= 0 and second.all_in_e18[dearest] > budget_e18 - cost_e18:
            dearest -= 1
        table.append(ASKED_E4[dearest] if dearest >= 0 else -1)
    return table


class DepthWalk:
    """Kalshi's leg, whose account rounds every balance, then Polymarket's, whose does not: ``other`` below."""

    __slots__ = ("_dearest_e4", "_fees", "_limits", "_tables", "terms")

    def __init__(self, terms: Terms) -> None:
        first, second = terms.legs
        assert first.fees.precision_e10, "the first leg is Kalshi's"
        assert not second.fees.precision_e10, "the second leg is Polymarket's"
        self.terms = terms
        self._fees = (first.fees, second.fees)
        self._tables = (_table(first.fees), _table(second.fees))
        self._dearest_e4 = dearest_e4(first.fees, second.fees, terms.budget_e18)
        self._limits = (
            max(first.min_size_e6, second.min_size_e6, terms.step_e6),
            terms.step_e6,
            first.min_cost_e10,
            second.min_cost_e10,
            terms.worth_e18,
            terms.min_edge_e18,
            terms.is_capped,
        )

    def best(self, first: Offer, second: Offer) -> Walk | None:
        """Return the best size but for one rounding unit per leg, or None when none earns what it must.

        The outlay of each level is that of ``TakerFees``, written out for speed.
        """
        (levels, paid_e4), (other_levels, other_paid_e4) = first, second
        if not levels or not other_levels:
            return None
        (numerators, divisor, quantum, precision), (other_numerators, other_divisor, other_quantum, _) = self._tables
        dearest_e4 = self._dearest_e4
        least, step, min_cost, other_min_cost, worth_e18, min_edge_e18, is_capped = self._limits
        other_price, other_held = other_levels[0]
        other_price, other_left = other_paid_e4[other_price], other_held
        other_depth = len(other_levels)
        other_at = 1
        cheapest, other_cheapest = paid_e4[levels[0][0]], other_price
        size = outlay = other_outlay = other_quanta = left = price = held = 0
        for book_price, held in levels:
            price, left = paid_e4[book_price], held
            highest = dearest_e4[price]
            while other_price <= highest:
                if left < other_left:
                    other_left -= left
                    left = 0
                    break
                left -= other_left
                other_outlay += other_price * other_held
                other_quanta += other_numerators[other_price] * other_held // other_divisor
                if other_at == other_depth:
                    other_price, other_left = _NOTHING_E4, other_held
                    break
                other_price, other_held = other_levels[other_at]
                other_price, other_left = other_paid_e4[other_price], other_held
                other_at += 1
                if not left:
                    break
            if left:
                break
            paid = price * held + numerators[price] * held // divisor * quantum
            outlay += paid + -paid % precision
            size += held
        if left and left < held:
            size += held - left
            outlay += self._fees[0].outlay_e10(price, held - left)
        other_outlay += other_quanta * other_quantum
        if other_left < other_held:
            other_outlay += self._fees[1].outlay_e10(other_price, other_held - other_left)
        if not size:
            return None
        outlays = (outlay, other_outlay)
        worth_e10 = worth_e18 * size // E24_PER_E10
        edge_e24 = (worth_e10 - outlay - other_outlay) * E24_PER_E10
        if (
            size < least
            or size % step
            or cheapest * size < min_cost
            or other_cheapest * size < other_min_cost
            or edge_e24 <= 0
            or edge_e24 < min_edge_e18 * size
            or (is_capped and not self.terms.allows(size, outlays))
        ):
            return search(self.terms, (first, second))
        return Walk(size, outlays, worth_e10, self.terms, (first, second))


def _table(fees: TakerFees) -> tuple[list[int], int, int, int]:
    return fees.numerators, fees.divisor, fees.quantum_e10, fees.precision_e10
