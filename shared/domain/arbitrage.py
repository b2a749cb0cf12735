"""The price of a pair: YES here plus NO there, net of every fee, at the size that earns most.

Two markets that settle on the same question pay one dollar per contract together when YES is bought on one venue
and NO on the other. ``PairPricing`` holds what does not change between quotes; ``promising`` is the cheap question
asked for every quote, ``walk`` the answer in integers, exact but for the last unit of rounding, and ``result_of`` the
exact answer in dollars for people and streams. Whether the quotes may be believed is the caller's business.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import lcm

import msgspec

from shared.domain.depth_legs import Terms, Walk
from shared.domain.depth_near import settled
from shared.domain.depth_walk import DepthWalk, dearest_e4
from shared.domain.legs import Ladders, LegResult, MarketTerms, Side, leg_of, leg_result, scaled, size_e6
from shared.domain.numbers import money_dollars, size_contracts
from shared.domain.pair import Direction, Orientation
from shared.domain.returns import annualised, clears_hurdle

__all__ = [
    "DirectionResult",
    "Ladders",
    "LegResult",
    "Limits",
    "MarketTerms",
    "PairPricing",
    "Walk",
    "best_of",
    "evaluate_direction",
    "evaluate_pair",
    "result_of",
    "sides",
]

_YES_NO = (Direction.YES_KALSHI_NO_POLYMARKET,)
_NO_YES = (Direction.NO_KALSHI_YES_POLYMARKET,)
_BOTH = _YES_NO + _NO_YES


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asks of an opportunity."""

    min_edge_dollars_per_contract: Decimal = Decimal(0)
    max_contracts: Decimal | None = None
    void_haircut_dollars_per_contract: Decimal = Decimal(0)
    """Taken off the payout where the venues settle a void differently: the loss it would bring times its chance."""
    hurdle_rate: Decimal | None = None
    """The annualised return that capital earns elsewhere; None when it may wait for nothing."""


class DirectionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The best that one direction offers; zero contracts when it offers nothing."""

    direction: Direction
    contracts: Decimal
    kalshi: LegResult
    polymarket: LegResult
    edge_dollars: Decimal
    """Payout less cost, fees and haircut."""
    haircut_dollars: Decimal = Decimal(0)
    annualised_return: Decimal | None = None
    """Edge over capital, times 365 over the days to payout, rounded down; None without days or contracts."""
    hurdle_rate: Decimal | None = None

    @property
    def cost_dollars(self) -> Decimal:
        """Both legs without fees."""
        return self.kalshi.cost_dollars + self.polymarket.cost_dollars

    @property
    def payout_dollars(self) -> Decimal:
        """One dollar per contract, whichever way the question ends."""
        return self.contracts

    @property
    def capital_dollars(self) -> Decimal:
        """Both legs with fees."""
        return self.kalshi.capital_dollars + self.polymarket.capital_dollars

    @property
    def clears_hurdle(self) -> bool:
        """Whether the capital earns at least the hurdle rate; true when either side of the question is unknown."""
        return clears_hurdle(self.annualised_return, self.hurdle_rate)


def sides(direction: Direction, orientation: Orientation) -> tuple[Side, Side]:
    """Return the outcomes to buy on Kalshi and on Polymarket, each in its own venue's terms.

    In an inverted pair Polymarket's YES is Kalshi's NO, so buying against Kalshi's YES means Polymarket's YES.
    """
    kalshi: Side = "yes" if direction is Direction.YES_KALSHI_NO_POLYMARKET else "no"
    opposite: Side = "no" if kalshi == "yes" else "yes"
    return kalshi, opposite if orientation is Orientation.SAME else kalshi


class PairPricing:
    """One pair's fees, grids, minima and limits in integers, ready for every quote.

    Raises FeesRefused when a leg's fees cannot be priced.
    """

    __slots__ = ("_dearest_e4", "_inverted", "_no_yes", "_walk", "_yes_no", "limits", "orientation")

    def __init__(
        self, orientation: Orientation, *, kalshi: MarketTerms, polymarket: MarketTerms, limits: Limits
    ) -> None:
        self.orientation = orientation
        self.limits = limits
        self._inverted = orientation is Orientation.INVERTED
        most = limits.max_contracts
        terms = Terms(
            legs=(leg_of(kalshi), leg_of(polymarket)),
            step_e6=lcm(size_e6(kalshi.size_step_contracts), size_e6(polymarket.size_step_contracts)),
            haircut_e18=scaled(limits.void_haircut_dollars_per_contract, 18),
            min_edge_e18=scaled(limits.min_edge_dollars_per_contract, 18),
            max_size_e6=None if most is None else size_e6(most),
        )
        self._walk = DepthWalk(terms)
        self._dearest_e4 = dearest_e4(terms.legs[0].fees, terms.legs[1].fees, terms.budget_e18)
        self._yes_no = sides(Direction.YES_KALSHI_NO_POLYMARKET, orientation)
        self._no_yes = sides(Direction.NO_KALSHI_YES_POLYMARKET, orientation)

    def promising(self, kalshi: Ladders, polymarket: Ladders) -> tuple[Direction, ...]:
        """Return the directions whose first contract earns the minimum edge by unrounded fees.

        The walk accepts nothing that this leaves out: prices only get worse with depth.
        """
        dearest_e4 = self._dearest_e4
        if self._inverted:
            against_e4, along_e4 = polymarket.yes_e4, polymarket.no_e4
        else:
            against_e4, along_e4 = polymarket.no_e4, polymarket.yes_e4
        if against_e4 <= dearest_e4[kalshi.yes_e4]:
            return _BOTH if along_e4 <= dearest_e4[kalshi.no_e4] else _YES_NO
        return _NO_YES if along_e4 <= dearest_e4[kalshi.no_e4] else ()

    def first_contract_e18(self, direction: Direction, kalshi: Ladders, polymarket: Ladders) -> int | None:
        """Return what the first contract would earn by unrounded fees, whatever its size; None without an offer."""
        of_kalshi, of_polymarket = self._yes_no if direction is Direction.YES_KALSHI_NO_POLYMARKET else self._no_yes
        earns_e18 = self._walk.terms.worth_e18
        offers = (kalshi.offer(of_kalshi), polymarket.offer(of_polymarket))
        for leg, (levels, paid_e4) in zip(self._walk.terms.legs, offers, strict=True):
            if not levels:
                return None
            earns_e18 -= leg.fees.all_in_e18[paid_e4[levels[0][0]]]
        return earns_e18

    def walk(self, direction: Direction, kalshi: Ladders, polymarket: Ladders) -> Walk | None:
        """Return the best size of one direction in integers (Kalshi's leg first), or None.

        Its edge is that of the very best size less at most one rounding unit per leg; ``result_of`` finds the latter.
        """
        of_kalshi, of_polymarket = self._yes_no if direction is Direction.YES_KALSHI_NO_POLYMARKET else self._no_yes
        return self._walk.best(kalshi.offer(of_kalshi), polymarket.offer(of_polymarket))


def may_earn_e10(walk: Walk) -> int:
    """Return the most that the very best size can earn, given the quick walk's edge."""
    return walk.edge_e10 + sum(leg.fees.rounding_e10 for leg in walk.terms.legs)


def evaluate_direction(
    pricing: PairPricing,
    direction: Direction,
    kalshi: Ladders,
    polymarket: Ladders,
    *,
    days_to_payout: Decimal | None = None,
) -> DirectionResult:
    """Return the best that one direction offers, in dollars and contracts."""
    found = result_of(
        pricing.walk(direction, kalshi, polymarket), direction, pricing.orientation, days_to_payout=days_to_payout
    )
    return msgspec.structs.replace(found, hurdle_rate=pricing.limits.hurdle_rate)


def evaluate_pair(
    pricing: PairPricing, kalshi: Ladders, polymarket: Ladders, *, days_to_payout: Decimal | None = None
) -> tuple[DirectionResult, DirectionResult]:
    """Return both directions: YES on Kalshi first."""
    first, second = (
        evaluate_direction(pricing, direction, kalshi, polymarket, days_to_payout=days_to_payout)
        for direction in (Direction.YES_KALSHI_NO_POLYMARKET, Direction.NO_KALSHI_YES_POLYMARKET)
    )
    return first, second


def best_of(results: Sequence[DirectionResult]) -> DirectionResult | None:
    """Return the direction that earns most and clears its hurdle, or None; the first wins a draw."""
    earning = (result for result in results if result.contracts and result.clears_hurdle)
    return max(earning, key=lambda result: result.edge_dollars, default=None)


def result_of(
    walk: Walk | None,
    direction: Direction,
    orientation: Orientation,
    *,
    days_to_payout: Decimal | None = None,
) -> DirectionResult:
    """Put a walk into dollars and contracts, its size settled to the last unit of rounding; None becomes nothing."""
    exact = settled(walk) if walk else None
    kalshi_side, polymarket_side = sides(direction, orientation)
    kalshi_fills, polymarket_fills = exact.fills if exact else ((), ())
    kalshi, polymarket = leg_result(kalshi_side, kalshi_fills), leg_result(polymarket_side, polymarket_fills)
    edge_dollars = money_dollars(exact.edge_e10) if exact else Decimal(0)
    return DirectionResult(
        direction=direction,
        contracts=size_contracts(exact.size_e6) if exact else Decimal(0),
        kalshi=kalshi,
        polymarket=polymarket,
        edge_dollars=edge_dollars,
        haircut_dollars=money_dollars(exact.haircut_e10) if exact else Decimal(0),
        annualised_return=annualised(edge_dollars, kalshi.capital_dollars + polymarket.capital_dollars, days_to_payout),
    )
