"""The simulated Kalshi's matching for one account: orders meet the world's books, makers are filled by the world.

An order changes the same book that everybody sees, through the world, so the truth and both feeds follow. Rules: the
Kalshi API reference, 2026-11-21 (§5.2, §5.3, §5.5, §5.7): the taker gets the makers' prices, a self-cross cancels the
newcomer or the resting order as asked, a client order id is used up by every order that reached the book, killed
fill-or-kill orders included.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from uuid import UUID

from services.venue_sim.engine import LevelE, Side, opposite
from services.venue_sim.kalshi_account import Account
from services.venue_sim.kalshi_admission import Admission
from services.venue_sim.kalshi_money import Liquidity, charged_fee_e10, formula_fee_e10
from services.venue_sim.kalshi_order import Fill, Order, OrderRefused, OrderRequest
from services.venue_sim.kalshi_queue import Queue
from services.venue_sim.markets import TRADABLE, KalshiMarket, Operation, SimMarket
from services.venue_sim.world import World


@dataclass(frozen=True)
class Happened:
    """Something that happened to an order: what the private channels tell of it."""

    order: Order
    fill: Fill | None = None


class KalshiExchange:
    """One account's orders on the world's Kalshi markets. ``now_ms`` is the venue's clock."""

    def __init__(self, world: World, account: Account, now_ms: Callable[[], int]) -> None:
        self.account = account
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.now_ms = now_ms
        self._world = world
        self._queues: dict[str, Queue] = {}
        self.admission = Admission(world, account, self.resting)
        self._numbers = count(1)
        self._taker: Order | None = None
        self._listeners: list[Callable[[Happened], None]] = []
        world.subscribe(self._on_operation)
        world.subscribe_closings(self._on_closing)

    def subscribe(self, listener: Callable[[Happened], None]) -> None:
        """Call ``listener`` with everything that happens to an order."""
        self._listeners.append(listener)

    # --- commands -------------------------------------------------------------------------------------------------

    def create(self, request: OrderRequest) -> Order:
        """Place an order and return it as it is after matching. Raises OrderRefused."""
        self.expire()
        market = self.admission.market(request.ticker, request.exchange_index)
        request = self.admission.admitted(request, market)
        order = self._new_order(request, market)
        self.admission.use_id(order.client_order_id)
        fillable_e6 = self._clear_the_way(order, request.size_e6)
        if order.time_in_force == "fill_or_kill" and fillable_e6 < request.size_e6:
            raise OrderRefused(409, "fill_or_kill_insufficient_resting_volume")
        self.orders[order.order_id] = order
        self._match(order, request.size_e6, fillable_e6)
        return order

    def cancel(self, order_id: str, *, shard: int | None = None) -> tuple[Order, int]:
        """Cancel a resting order; return it and how much of it was still open. Raises OrderRefused."""
        self.expire()
        order = self._resting(order_id, shard)
        open_e6 = order.remaining_e6
        self._withdraw(order, "")
        return order, open_e6

    def cancel_all(self) -> None:
        """Cancel every resting order."""
        for order in self.resting():
            if order.market.status == TRADABLE:
                self._withdraw(order, "")

    def decrease(self, order_id: str, *, reduce_by_e6: int | None, reduce_to_e6: int | None) -> Order:
        """Make a resting order smaller; it keeps its place. Raises OrderRefused."""
        self.expire()
        order = self._resting(order_id, None)
        target_e6 = order.remaining_e6 - reduce_by_e6 if reduce_by_e6 is not None else reduce_to_e6
        if target_e6 is None or target_e6 > order.remaining_e6:
            raise OrderRefused(400, "invalid_order", details="an order can only become smaller")
        self._shrink(order, max(0, target_e6), "Decrease")
        return order

    def amend(
        self,
        order_id: str,
        *,
        ticker: str,
        side: Side,
        price_e4: int,
        count_e6: int,
        new_id: str,
        expiration_ms: int | None,
    ) -> Order:
        """Change a resting order; only a smaller size or another expiry keeps its place. Raises OrderRefused."""
        self.expire()
        order = self._resting(order_id, None)
        wanted_e6 = count_e6 - order.filled_e6
        if (ticker, side) != (order.market.market_id, order.side) or wanted_e6 <= 0:
            raise OrderRefused(400, "invalid_order", details="ticker, side or count do not fit the order")
        if price_e4 not in order.market.grid.prices_e4:
            raise OrderRefused(400, "invalid_price")
        if new_id and new_id != order.client_order_id:
            self.admission.use_id(new_id)
            order.client_order_id = new_id
        if expiration_ms is not None:
            order.expiration_ms = expiration_ms or None
        if price_e4 == order.price_e4 and wanted_e6 <= order.remaining_e6:
            order.initial_e6 -= order.remaining_e6 - wanted_e6
            self._shrink(order, wanted_e6, "Amend")
            return order
        self._replace(order, price_e4, wanted_e6)
        return order

    def expire(self) -> None:
        """Cancel what has reached its time."""
        now_ms = self.now_ms()
        for order in self.resting():
            if order.expiration_ms is not None and order.expiration_ms <= now_ms:
                self._withdraw(order, "ExpiryCancel")

    # --- what there is --------------------------------------------------------------------------------------------

    def resting(self) -> list[Order]:
        """Return every resting order."""
        return [order for queue in self._queues.values() for order in queue.orders()]

    def shard_of(self, ticker: str) -> int:
        """Return the shard of a market, 0 for an unknown one."""
        market = self._world.kalshi_markets.get(ticker)
        return 0 if market is None else market.exchange_index

    def _resting(self, order_id: str, shard: int | None) -> Order:
        """Return a resting order. An unknown, a cancelled and an executed one are refused alike."""
        order = self.orders.get(order_id)
        if order is None or order.status != "resting" or shard not in (None, order.market.exchange_index):
            raise OrderRefused(404, "not_found")
        if order.market.status != TRADABLE:
            raise OrderRefused(400, "market_inactive", details=f"the market is {order.market.status}")
        return order

    def _new_order(self, request: OrderRequest, market: KalshiMarket) -> Order:
        now_us = self.now_ms() * 1_000
        return Order(
            order_id=self._uuid(),
            user_id=self.account.user_id,
            client_order_id=request.client_order_id,
            market=market,
            side=request.side,
            price_e4=request.price_e4,
            initial_e6=request.size_e6,
            time_in_force=request.time_in_force,
            self_trade=request.self_trade,
            expiration_ms=request.expiration_ms,
            created_us=now_us,
            updated_us=now_us,
        )

    def _uuid(self) -> str:
        return str(UUID(int=(self._world.seed << 64) + next(self._numbers), version=4))

    # --- matching -------------------------------------------------------------------------------------------------

    def _clear_the_way(self, order: Order, size_e6: int) -> int:
        """Return how much an order can take before it would meet its own account; cancel what it may cancel."""
        queue = self._queue(order.market)
        while True:
            fillable_e6, met = self._reach(queue, order, size_e6)
            if met is None or order.self_trade == "taker_at_cross":
                return fillable_e6
            self._withdraw(met, "SelfTradeCancel")

    @staticmethod
    def _reach(queue: Queue, order: Order, size_e6: int) -> tuple[int, Order | None]:
        reached_e6 = 0
        for met_e6, own in queue.met_by(order.side, order.price_e4):
            if reached_e6 >= size_e6:
                break
            if own is not None:
                return reached_e6, own
            reached_e6 += met_e6
        return min(reached_e6, size_e6), None

    def _match(self, order: Order, size_e6: int, fillable_e6: int) -> None:
        """Let the order take what it can; the rest joins the book, or is cancelled."""
        queue = self._queue(order.market)
        _, own = self._reach(queue, order, size_e6)
        rests = order.time_in_force == "good_till_canceled" and own is None and size_e6 > 0
        order.remaining_e6 = size_e6
        ahead_e6 = order.market.book.free_e6(order.side, order.price_e4)
        self._taker = order
        operation = None
        try:
            if rests or fillable_e6:
                operation = self._world.inject(
                    order.market,
                    order.side,
                    order.price_e4,
                    size_e6 if rests else fillable_e6,
                    now_ms=self.now_ms(),
                    rests=rests,
                )
        finally:
            self._taker = None
        at_us = operation.at_us if operation else self.now_ms() * 1_000
        if not order.remaining_e6:
            order.status = "executed" if order.filled_e6 else "canceled"
        elif rests:
            queue.join(order, ahead_e6=ahead_e6)
        else:
            order.remaining_e6 = 0
            order.status = "canceled"
        self._tell(order, at_us, "SelfTradeCancel" if own is not None and not rests else "")

    def _on_operation(self, operation: Operation) -> None:
        """Book the fills of an operation: the taker's when it is ours, the makers' that stood in its way."""
        market, trade = operation.market, operation.trade
        if not isinstance(market, KalshiMarket):
            return
        queue = self._queue(market)
        if trade is not None:
            maker_side = opposite(trade.taker_side)
            for number, (price_e4, size_e6) in enumerate(trade.fills):
                trade_id = f"{operation.at_us:x}-{number}"
                if self._taker is not None:
                    self._fill(
                        self._taker, (price_e4, size_e6), liquidity="taker", trade_id=trade_id, at_us=operation.at_us
                    )
                for order, taken_e6 in queue.consume(maker_side, price_e4, size_e6):
                    self._fill(order, (price_e4, taken_e6), liquidity="maker", trade_id=trade_id, at_us=operation.at_us)
                    if not order.remaining_e6:
                        order.status = "executed"
                        queue.leave(order)
                    self._tell(order, operation.at_us, "Trade")
        for change in operation.changes:
            queue.settle(change.side, change.price_e4)
        if self._taker is None:
            self.expire()

    def _fill(self, order: Order, level: LevelE, *, liquidity: Liquidity, trade_id: str, at_us: int) -> None:
        """Book one fill: price and size."""
        price_e4, size_e6 = level
        account, market = self.account, order.market
        formula_e10 = formula_fee_e10(market.event.series, liquidity, price_e4=price_e4, size_e6=size_e6)
        revenue_e10 = account.revenue_e10(market, order.side, price_e4, size_e6)
        fee_e10 = charged_fee_e10(revenue_e10, formula_e10, precision_e10=account.precision_e10)
        account.fill(market, order.side, price_e4=price_e4, size_e6=size_e6, fee_e10=fee_e10, at_ms=at_us // 1_000)
        order.filled(price_e4, size_e6, is_taker=liquidity == "taker", fee_e10=fee_e10)
        fill = Fill(
            fill_id=self._uuid(),
            trade_id=trade_id,
            order=order,
            price_e4=price_e4,
            size_e6=size_e6,
            is_taker=liquidity == "taker",
            fee_e10=fee_e10,
            at_us=at_us,
            position_after_e6=account.position(market).size_e6,
        )
        self.fills.append(fill)
        for listener in self._listeners:
            listener(Happened(order, fill))

    # --- leaving the book -----------------------------------------------------------------------------------------

    def _withdraw(self, order: Order, reason: str) -> None:
        self._shrink(order, 0, reason)

    def _shrink(self, order: Order, remaining_e6: int, reason: str) -> None:
        """Leave ``remaining_e6`` of a resting order open."""
        gone_e6 = order.remaining_e6 - remaining_e6
        order.remaining_e6 = remaining_e6
        if not remaining_e6:
            order.status = "canceled"
            self._queue(order.market).leave(order)
        operation = None
        if gone_e6:
            operation = self._world.withdraw(order.market, order.side, order.price_e4, gone_e6, now_ms=self.now_ms())
        self._tell(order, operation.at_us if operation else self.now_ms() * 1_000, reason)

    def _replace(self, order: Order, price_e4: int, size_e6: int) -> None:
        """Take an order off the book and let it come again at the end of the queue, or trade."""
        self.admission.check_cash(order.market, order.side, price_e4, size_e6, but=order)
        self._queue(order.market).leave(order)
        self._world.withdraw(order.market, order.side, order.price_e4, order.remaining_e6, now_ms=self.now_ms())
        order.price_e4 = price_e4
        order.initial_e6 = order.filled_e6 + size_e6
        order.reason = "Amend"
        self._match(order, size_e6, self._clear_the_way(order, size_e6))

    def _on_closing(self, market: SimMarket, at_ms: int) -> None:
        """Cancel what rests in a market that has closed; the book is empty already."""
        if isinstance(market, KalshiMarket):
            queue = self._queue(market)
            for order in queue.orders():
                queue.leave(order)
                order.remaining_e6 = 0
                order.status = "canceled"
                self._tell(order, at_ms * 1_000, "CloseCancel")

    def _tell(self, order: Order, at_us: int, reason: str) -> None:
        order.note(at_us, reason)
        for listener in self._listeners:
            listener(Happened(order))

    def _queue(self, market: KalshiMarket) -> Queue:
        return self._queues.setdefault(market.market_id, Queue(market.book))
