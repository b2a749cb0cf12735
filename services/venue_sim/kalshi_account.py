"""One Kalshi account: cash by shard, net positions, and what its resting orders hold back.

An account is fully collateralised: a bid holds back its price, an opening ask the rest of the dollar; what only closes
a position holds back nothing. Positions net: a contract of the other outcome pays out the dollar of the pair at once.
Cash, collateral and position rules: Kalshi API reference, 2026-11-21 (§5.4, §5.7).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.venue_sim.engine import Side
from services.venue_sim.kalshi_money import DIRECT_E10
from services.venue_sim.markets import KalshiMarket

_ONE_E4 = 10_000


@dataclass(kw_only=True)
class Position:
    """What the account holds of one market; positive is YES."""

    market: KalshiMarket
    size_e6: int = 0
    cost_e10: int = 0
    """What the open contracts cost."""
    realized_e10: int = 0
    fees_e10: int = 0
    traded_e10: int = 0
    volume_e6: int = 0
    updated_ms: int = 0

    def closable_e6(self, side: Side) -> int:
        """Return how much an order of this side can close."""
        return max(0, -self.size_e6 if side == "bid" else self.size_e6)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one order still wants; the account's collateral is computed from these."""

    side: Side
    price_e4: int
    size_e6: int
    fee_e10: int


@dataclass(kw_only=True)
class Account:
    """Cash and positions. ``precision_e10`` is the step the balance moves in."""

    user_id: str
    cash_e10: dict[int, int]
    """By shard; a shard that is not here does not know the account."""
    precision_e10: int = DIRECT_E10
    positions: dict[str, Position] = field(default_factory=dict)

    def position(self, market: KalshiMarket) -> Position:
        """Return the position in a market, an empty one when there is none yet."""
        return self.positions.setdefault(market.market_id, Position(market=market))

    def revenue_e10(self, market: KalshiMarket, side: Side, price_e4: int, size_e6: int) -> int:
        """Return what a fill would change on the balance before any fee."""
        closed_e6 = min(size_e6, self.position(market).closable_e6(side))
        return closed_e6 * _ONE_E4 - unit_cost_e4(side, price_e4) * size_e6

    def fill(self, market: KalshiMarket, side: Side, *, price_e4: int, size_e6: int, fee_e10: int, at_ms: int) -> None:
        """Book one fill: cash, position, realised profit and fees."""
        position = self.position(market)
        self.cash_e10[market.exchange_index] += self.revenue_e10(market, side, price_e4, size_e6) - fee_e10
        paid_e10 = unit_cost_e4(side, price_e4) * size_e6
        closed_e6 = min(size_e6, position.closable_e6(side))
        if closed_e6:
            held_e6 = abs(position.size_e6)
            released_e10 = position.cost_e10 * closed_e6 // held_e6
            position.cost_e10 -= released_e10
            position.realized_e10 += closed_e6 * _ONE_E4 - released_e10 - unit_cost_e4(side, price_e4) * closed_e6
        position.cost_e10 += unit_cost_e4(side, price_e4) * (size_e6 - closed_e6)
        position.size_e6 += size_e6 if side == "bid" else -size_e6
        position.fees_e10 += fee_e10
        position.traded_e10 += paid_e10
        position.volume_e6 += size_e6
        position.updated_ms = at_ms

    def settle(self, market: KalshiMarket, revenue_e10: int, at_ms: int) -> None:
        """Close a position for what it pays."""
        position = self.position(market)
        self.cash_e10[market.exchange_index] = self.cash_e10.get(market.exchange_index, 0) + revenue_e10
        position.realized_e10 += revenue_e10 - position.cost_e10
        position.cost_e10 = 0
        position.size_e6 = 0
        position.updated_ms = at_ms

    def available_e10(self, shard: int, wanted: Mapping[str, Iterable[Wanted]]) -> int:
        """Return the cash of a shard that no resting order holds back. ``wanted`` is by ticker."""
        held_e10 = sum(held_back_e10(self.positions.get(ticker), orders) for ticker, orders in wanted.items())
        return self.cash_e10[shard] - held_e10


def unit_cost_e4(side: Side, price_e4: int) -> int:
    """Return what one contract of the outcome that ``side`` buys costs: NO when it is an ask."""
    return price_e4 if side == "bid" else _ONE_E4 - price_e4


def held_back_e10(position: Position | None, orders: Iterable[Wanted]) -> int:
    """Return the collateral of one market's orders, oldest first: the first ones use up what they can close."""
    closable_e6 = {
        "bid": position.closable_e6("bid") if position else 0,
        "ask": position.closable_e6("ask") if position else 0,
    }
    total_e10 = 0
    for order in orders:
        closing_e6 = min(closable_e6[order.side], order.size_e6)
        closable_e6[order.side] -= closing_e6
        total_e10 += unit_cost_e4(order.side, order.price_e4) * (order.size_e6 - closing_e6) + order.fee_e10
    return total_e10
