"""The price of a pair: YES here plus NO there, net of every fee, at the size that earns most.

Two markets that settle on the same question pay one dollar per contract together when YES is bought on one venue
and NO on the other. ``PairPricing`` holds what does not change between quotes; ``promising`` is the cheap question
asked for every quote, ``walk`` the exact answer in integers, and ``evaluate_direction`` the same answer in dollars
for people and streams. Whether the quotes may be believed is the caller's business.
"""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from math import lcm
from typing import Literal

import msgspec

from shared.domain.book import LevelE, mirrored
from shared.domain.depth_walk import UNLIMITED_E10, Fill, Leg, Walk, best_walk
from shared.domain.fee_tables import ONE_DOLLAR_E18, taker_fees
from shared.domain.fees import FeeSchedule
from shared.domain.numbers import ONE_DOLLAR_E4, money_dollars, price_dollars, size_contracts
from shared.domain.pair import Direction, Orientation

Side = Literal["yes", "no"]

_RETURN_STEP = Decimal("0.000001")
_DAYS_PER_YEAR = 365
_YES_NO = (Direction.YES_KALSHI_NO_POLYMARKET,)
_NO_YES = (Direction.NO_KALSHI_YES_POLYMARKET,)
_BOTH = _YES_NO + _NO_YES


class Ladders:
    """One market's levels, best first, in its own terms. Sizes are above zero.

    ``yes_e4`` and ``no_e4`` are what one contract of either outcome costs at the top, a dollar when nobody offers.
    """

    __slots__ = ("no_e4", "yes_asks", "yes_bids", "yes_e4")

    def __init__(self, yes_bids: Sequence[LevelE] = (), yes_asks: Sequence[LevelE] = ()) -> None:
        self.yes_bids = yes_bids
        self.yes_asks = yes_asks
        self.yes_e4 = yes_asks[0][0] if yes_asks else ONE_DOLLAR_E4
        self.no_e4 = ONE_DOLLAR_E4 - yes_bids[0][0] if yes_bids else ONE_DOLLAR_E4


class MarketTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What decides how a leg on one market is bought."""

    fees: FeeSchedule
    size_step_contracts: Decimal
    min_contracts: Decimal
    min_notional_dollars: Decimal = Decimal(0)
    """The least price times size of an order; 0 where the venue asks for nothing."""
    max_capital_dollars: Decimal | None = None
    """The most that cost and fees may take from this venue's account; None for no limit."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asks of an opportunity."""

    min_edge_dollars_per_contract: Decimal = Decimal(0)
    max_contracts: Decimal | None = None


class LevelFill(msgspec.Struct, frozen=True, array_like=True):
    """What one level gives; the price is of the contract bought, so a NO at a YES bid of 0.41 costs 0.59."""

    price_dollars: Decimal
    size_contracts: Decimal
    fee_dollars: Decimal


class LegResult(msgspec.Struct, frozen=True, kw_only=True):
    """One venue's leg of a direction."""

    side: Side
    """The outcome bought, in the venue's own terms."""
    fills: tuple[LevelFill, ...] = ()
    cost_dollars: Decimal = Decimal(0)
    fee_dollars: Decimal = Decimal(0)
    limit_price_dollars: Decimal | None = None
    """The worst price among the fills; None when nothing is bought."""

    @property
    def capital_dollars(self) -> Decimal:
        """What leaves this venue's account."""
        return self.cost_dollars + self.fee_dollars


class DirectionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The best that one direction offers; zero contracts when it offers nothing."""

    direction: Direction
    contracts: Decimal
    kalshi: LegResult
    polymarket: LegResult
    edge_dollars: Decimal
    annualised_return: Decimal | None = None
    """Edge over capital, times 365 over the days to payout, rounded down; None without days or contracts."""

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


def sides(direction: Direction, orientation: Orientation) -> tuple[Side, Side]:
    """Return the outcomes to buy on Kalshi and on Polymarket, each in its own venue's terms.

    In an inverted pair Polymarket's YES is Kalshi's NO, so buying against Kalshi's YES means Polymarket's YES.
    """
    kalshi: Side = "yes" if direction is Direction.YES_KALSHI_NO_POLYMARKET else "no"
    opposite: Side = "no" if kalshi == "yes" else "yes"
    return kalshi, opposite if orientation is Orientation.SAME else kalshi


def buying(book: Ladders, side: Side) -> Sequence[LevelE]:
    """Return what buying ``side`` walks: asks for YES, the mirrored YES bids for NO, cheapest first."""
    return book.yes_asks if side == "yes" else mirrored(book.yes_bids)


class PairPricing:
    """One pair's fees, grids, minima and limits in integers, ready for every quote.

    Raises FeesRefused when a leg's fees cannot be priced.
    """

    __slots__ = (
        "_budget_e18",
        "_inverted",
        "_kalshi",
        "_kalshi_costs",
        "_max_size_e6",
        "_min_edge_e18",
        "_polymarket",
        "_polymarket_costs",
        "_step_e6",
        "orientation",
    )

    def __init__(
        self, orientation: Orientation, *, kalshi: MarketTerms, polymarket: MarketTerms, limits: Limits
    ) -> None:
        self.orientation = orientation
        self._inverted = orientation is Orientation.INVERTED
        self._kalshi = _leg(kalshi)
        self._polymarket = _leg(polymarket)
        self._kalshi_costs = self._kalshi.fees.all_in_e18
        self._polymarket_costs = self._polymarket.fees.all_in_e18
        self._step_e6 = lcm(_size_e6(kalshi.size_step_contracts), _size_e6(polymarket.size_step_contracts))
        self._min_edge_e18 = _whole(limits.min_edge_dollars_per_contract.scaleb(18))
        self._budget_e18 = ONE_DOLLAR_E18 - self._min_edge_e18
        most = limits.max_contracts
        self._max_size_e6 = None if most is None else _size_e6(most)

    def promising(self, kalshi: Ladders, polymarket: Ladders) -> tuple[Direction, ...]:
        """Return the directions whose first contract earns the minimum edge by unrounded fees.

        The exact walk accepts nothing that this leaves out: prices only get worse with depth.
        """
        kalshi_costs, polymarket_costs, budget_e18 = self._kalshi_costs, self._polymarket_costs, self._budget_e18
        if self._inverted:
            against_e4, along_e4 = polymarket.yes_e4, polymarket.no_e4
        else:
            against_e4, along_e4 = polymarket.no_e4, polymarket.yes_e4
        if kalshi_costs[kalshi.yes_e4] + polymarket_costs[against_e4] <= budget_e18:
            if kalshi_costs[kalshi.no_e4] + polymarket_costs[along_e4] <= budget_e18:
                return _BOTH
            return _YES_NO
        return _NO_YES if kalshi_costs[kalshi.no_e4] + polymarket_costs[along_e4] <= budget_e18 else ()

    def first_contract_e18(self, direction: Direction, kalshi: Ladders, polymarket: Ladders) -> int | None:
        """Return what the first contract would earn by unrounded fees, whatever its size; None without an offer."""
        kalshi_side, polymarket_side = sides(direction, self.orientation)
        if not buying(kalshi, kalshi_side) or not buying(polymarket, polymarket_side):
            return None
        kalshi_e4 = kalshi.yes_e4 if kalshi_side == "yes" else kalshi.no_e4
        polymarket_e4 = polymarket.yes_e4 if polymarket_side == "yes" else polymarket.no_e4
        return ONE_DOLLAR_E18 - self._kalshi_costs[kalshi_e4] - self._polymarket_costs[polymarket_e4]

    def walk(self, direction: Direction, kalshi: Ladders, polymarket: Ladders) -> Walk | None:
        """Return the best size of one direction in integers (Kalshi's leg first), or None."""
        kalshi_side, polymarket_side = sides(direction, self.orientation)
        return best_walk(
            self._kalshi._replace(levels=buying(kalshi, kalshi_side)),
            self._polymarket._replace(levels=buying(polymarket, polymarket_side)),
            step_e6=self._step_e6,
            min_edge_e18=self._min_edge_e18,
            max_size_e6=self._max_size_e6,
        )


def evaluate_direction(
    pricing: PairPricing,
    direction: Direction,
    kalshi: Ladders,
    polymarket: Ladders,
    *,
    days_to_payout: Decimal | None = None,
) -> DirectionResult:
    """Return the best that one direction offers, in dollars and contracts."""
    return result_of(
        pricing.walk(direction, kalshi, polymarket), direction, pricing.orientation, days_to_payout=days_to_payout
    )


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
    """Return the direction that earns most, or None when none earns anything; the first wins a draw."""
    return max((result for result in results if result.contracts), key=lambda r: r.edge_dollars, default=None)


def result_of(
    walk: Walk | None,
    direction: Direction,
    orientation: Orientation,
    *,
    days_to_payout: Decimal | None = None,
) -> DirectionResult:
    """Put a walk into dollars and contracts; None becomes zero contracts."""
    kalshi_side, polymarket_side = sides(direction, orientation)
    kalshi_fills, polymarket_fills = walk.fills if walk else ((), ())
    result = DirectionResult(
        direction=direction,
        contracts=size_contracts(walk.size_e6) if walk else Decimal(0),
        kalshi=_leg_result(kalshi_side, kalshi_fills),
        polymarket=_leg_result(polymarket_side, polymarket_fills),
        edge_dollars=money_dollars(walk.edge_e10) if walk else Decimal(0),
    )
    return msgspec.structs.replace(result, annualised_return=_annualised(result, days_to_payout))


def _leg(terms: MarketTerms) -> Leg:
    most = terms.max_capital_dollars
    return Leg(
        levels=(),
        fees=taker_fees(terms.fees),
        min_size_e6=_size_e6(terms.min_contracts),
        min_cost_e10=_whole(terms.min_notional_dollars.scaleb(10)),
        max_capital_e10=UNLIMITED_E10 if most is None else int(most.scaleb(10)),
    )


def _size_e6(contracts: Decimal) -> int:
    return _whole(contracts.scaleb(6))


def _whole(value: Decimal) -> int:
    assert value == value.to_integral_value(), value
    return int(value)


def _leg_result(side: Side, fills: Sequence[Fill]) -> LegResult:
    return LegResult(
        side=side,
        fills=tuple(
            LevelFill(price_dollars(fill.price_e4), size_contracts(fill.size_e6), money_dollars(fill.fee_e10))
            for fill in fills
        ),
        cost_dollars=money_dollars(sum(fill.price_e4 * fill.size_e6 for fill in fills)),
        fee_dollars=money_dollars(sum(fill.fee_e10 for fill in fills)),
        limit_price_dollars=price_dollars(fills[-1].price_e4) if fills else None,
    )


def _annualised(result: DirectionResult, days_to_payout: Decimal | None) -> Decimal | None:
    if not days_to_payout or not result.contracts:
        return None
    per_year = result.edge_dollars / result.capital_dollars * _DAYS_PER_YEAR / days_to_payout
    return per_year.quantize(_RETURN_STEP, rounding=ROUND_FLOOR)
