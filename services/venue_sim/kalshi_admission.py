"""What the simulated Kalshi lets one account do: known markets, prices on the grid, fresh ids, and cash that covers.

Rules: the Kalshi API reference, 2026-11-21 (§5.2, §5.5): a client order id is used up by every order that reached the
book, and a resting order holds its cash back.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from services.venue_sim.engine import Side
from services.venue_sim.kalshi_account import Account, Wanted
from services.venue_sim.kalshi_money import Liquidity, formula_fee_e10
from services.venue_sim.kalshi_order import Order, OrderRefused, OrderRequest
from services.venue_sim.markets import TRADABLE, KalshiMarket
from services.venue_sim.world import World

AUTO_ROUTE = -1


class Admission:
    """Every refusal before an order meets a book; ``resting`` returns the account's resting orders."""

    def __init__(self, world: World, account: Account, resting: Callable[[], Iterable[Order]]) -> None:
        self._world = world
        self._account = account
        self._resting = resting
        self._used_ids: set[str] = set()

    def market(self, ticker: str, exchange_index: int | None) -> KalshiMarket:
        """Return the market an order is for. Raises OrderRefused."""
        market = self._world.kalshi_markets.get(ticker)
        if market is None or exchange_index not in (None, AUTO_ROUTE, market.exchange_index):
            raise OrderRefused(404, "market_not_found")
        if market.exchange_index not in self._account.cash_e10:
            raise OrderRefused(404, "user_not_found")
        return market

    def admitted(self, request: OrderRequest, market: KalshiMarket) -> OrderRequest:
        """Return the request, smaller if it may only reduce. Raises OrderRefused."""
        if market.status != TRADABLE:
            raise OrderRefused(400, "market_inactive", details=f"the market is {market.status}")
        if request.price_e4 not in market.grid.prices_e4:
            raise OrderRefused(400, "invalid_price", details="the price is not on the market's grid")
        if request.client_order_id and request.client_order_id in self._used_ids:
            raise OrderRefused(409, "order_already_exists")
        if request.post_only and market.book.would_cross(request.side, request.price_e4):
            raise OrderRefused(400, "invalid_order", details="post only cross")
        if request.reduce_only:
            open_e6 = self._account.position(market).closable_e6(request.side)
            request = replace(request, size_e6=min(request.size_e6, open_e6))
        self.check_cash(market, request.side, request.price_e4, request.size_e6)
        return request

    def check_cash(
        self, market: KalshiMarket, side: Side, price_e4: int, size_e6: int, *, but: Order | None = None
    ) -> None:
        """Refuse what the shard's free cash does not cover at the limit price, fee included."""
        shard = market.exchange_index
        liquidity: Liquidity = "taker" if market.book.would_cross(side, price_e4) else "maker"
        fee_e10 = formula_fee_e10(market.event.series, liquidity, price_e4=price_e4, size_e6=size_e6)
        wanted = self._held_back(shard, but)
        wanted.setdefault(market.market_id, []).append(Wanted(side, price_e4, size_e6, fee_e10))
        if self._account.available_e10(shard, wanted) < 0:
            raise OrderRefused(400, "insufficient_balance")

    def use_id(self, client_order_id: str) -> None:
        """Use an id up. Raises OrderRefused when it was."""
        if client_order_id and client_order_id in self._used_ids:
            raise OrderRefused(409, "order_already_exists")
        self._used_ids.add(client_order_id)

    def available_e10(self, shard: int, *, but: Order | None = None) -> int:
        """Return a shard's cash that no resting order (``but`` this one) holds back."""
        return self._account.available_e10(shard, self._held_back(shard, but))

    def _held_back(self, shard: int, but: Order | None) -> dict[str, list[Wanted]]:
        wanted: dict[str, list[Wanted]] = {}
        for order in self._resting():
            if order.market.exchange_index == shard and order is not but:
                wanted.setdefault(order.market.market_id, []).append(_wanted(order))
        return wanted


def _wanted(order: Order) -> Wanted:
    price_e4, size_e6 = order.price_e4, order.remaining_e6
    fee_e10 = formula_fee_e10(order.market.event.series, "maker", price_e4=price_e4, size_e6=size_e6)
    return Wanted(order.side, price_e4, size_e6, fee_e10)
