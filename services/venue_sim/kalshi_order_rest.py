"""Kalshi's order entry, the V2 paths: create, cancel, amend, decrease, batches, cancel all.

Paths, statuses and bodies: official SDK 3.34.0 and recorded answers (Kalshi API reference, 2026-11-21, §5.1 to §5.5).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from services.venue_sim.faults import FaultKind, Faults
from services.venue_sim.kalshi_access import Access
from services.venue_sim.kalshi_admission import AUTO_ROUTE
from services.venue_sim.kalshi_exchange import KalshiExchange
from services.venue_sim.kalshi_faults import EXCHANGE_PAUSED, TRADING_PAUSED
from services.venue_sim.kalshi_money import average_text
from services.venue_sim.kalshi_objects import count_text
from services.venue_sim.kalshi_order import Order, OrderRefused
from services.venue_sim.kalshi_order_requests import (
    amend_request,
    batch_items,
    body_of,
    create_request,
    decrease_request,
)
from services.venue_sim.kalshi_rest import REST_PREFIX, json_answer

Json = dict[str, Any]
Answer = tuple[int, Json | None]

LOSE_RESPONSE = FaultKind("lose_response", "times", "carry the next order request out, then cut its connection")
REFUSE_503 = FaultKind("exchange_unavailable", "times", "answer the next order request with 503 and do nothing")

_ORDERS = REST_PREFIX + "/portfolio/events/orders"


class OrderRest:
    """The routes of order entry over one exchange."""

    def __init__(self, exchange: KalshiExchange, access: Access, faults: Faults) -> None:
        self._exchange = exchange
        self._access = access
        self._faults = faults
        faults.declare(LOSE_RESPONSE, REFUSE_503)

    def add_to(self, app: web.Application) -> None:
        """Add every route."""
        routes: tuple[tuple[str, str, Callable[[web.Request], Awaitable[Answer]]], ...] = (
            ("POST", "", self._create),
            ("DELETE", "", self._cancel_all),
            ("POST", "/batched", self._create_batch),
            ("DELETE", "/batched", self._cancel_batch),
            ("DELETE", "/{order_id}", self._cancel),
            ("POST", "/{order_id}/amend", self._amend),
            ("POST", "/{order_id}/decrease", self._decrease),
        )
        for method, path, act in routes:
            app.router.add_route(method, _ORDERS + path, self._guarded(act))

    def _guarded(self, act: Callable[[web.Request], Awaitable[Answer]]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            items = await _items(request)
            refusal = self._access.refusal(request, items=items)
            if refusal is not None:
                return refusal
            if self._faults.take(REFUSE_503.name):
                return json_answer({"error": {"code": "exchange_unavailable", "message": "try later"}}, status=503)
            try:
                self._check_pauses(request)
                status, body = await act(request)
            except OrderRefused as refused:
                status, body = refused.status, refused.body
            if self._faults.take(LOSE_RESPONSE.name) and request.transport is not None:
                request.transport.abort()
            return web.Response(status=204) if body is None else json_answer(body, status=status)

        return handle

    def _check_pauses(self, request: web.Request) -> None:
        """Refuse everything in an exchange pause, everything but cancels in a trading pause."""
        if self._faults.active(EXCHANGE_PAUSED.name):
            raise OrderRefused(503, "exchange_paused")
        if self._faults.active(TRADING_PAUSED.name) and request.method == "POST":
            raise OrderRefused(400, "trading_paused")

    async def _create(self, request: web.Request) -> Answer:
        return 201, self._created(body_of(await request.read(), "CreateOrderV2Request"))

    async def _create_batch(self, request: web.Request) -> Answer:
        items = batch_items(body_of(await request.read(), "BatchCreateOrdersV2Request"))
        return 201, {"orders": [self._one(self._created, item) for item in items]}

    async def _cancel(self, request: web.Request) -> Answer:
        query = request.query
        index = query.get("exchange_index", "")
        shard = self._shard(int(index) if index.removeprefix("-").isdigit() else None, query.get("market_ticker", ""))
        return 200, self._cancelled(request.match_info["order_id"], shard)

    async def _cancel_batch(self, request: web.Request) -> Answer:
        items = batch_items(body_of(await request.read(), "BatchCancelOrdersV2Request"))
        return 200, {"orders": [self._one(self._cancelled_item, item) for item in items]}

    async def _cancel_all(self, _request: web.Request) -> Answer:
        self._exchange.cancel_all()
        return 204, None

    async def _amend(self, request: web.Request) -> Answer:
        wanted = amend_request(body_of(await request.read(), "AmendOrderV2Request"))
        order = self._exchange.amend(
            request.match_info["order_id"],
            ticker=wanted.ticker,
            side=wanted.side,
            price_e4=wanted.price_e4,
            count_e6=wanted.count_e6,
            new_id=wanted.new_id,
            expiration_ms=wanted.expiration_ms,
        )
        return 200, _matched(order)

    async def _decrease(self, request: web.Request) -> Answer:
        by_e6, to_e6 = decrease_request(body_of(await request.read(), "DecreaseOrderV2Request"))
        order = self._exchange.decrease(request.match_info["order_id"], reduce_by_e6=by_e6, reduce_to_e6=to_e6)
        matched = _matched(order)
        return 200, {name: matched[name] for name in ("order_id", "client_order_id", "remaining_count", "ts_ms")}

    def _created(self, body: Json) -> Json:
        return _matched(self._exchange.create(create_request(body, now_ms=self._exchange.now_ms())))

    def _cancelled_item(self, item: Json) -> Json:
        order_id = item.get("order_id")
        if not isinstance(order_id, str):
            raise OrderRefused(400, "invalid_parameters", "order_id is required", shape="msg")
        index = item.get("exchange_index")
        return self._cancelled(order_id, self._shard(index, str(item.get("market_ticker", ""))))

    def _cancelled(self, order_id: str, shard: int | None) -> Json:
        order, open_e6 = self._exchange.cancel(order_id, shard=shard)
        return {"order_id": order.order_id, "reduced_by": count_text(open_e6), "ts_ms": order.updated_us // 1_000}

    def _shard(self, exchange_index: int | None, ticker: str) -> int:
        """Return where a cancel goes: to shard 0 unless it names a shard or a market."""
        if exchange_index is not None and exchange_index != AUTO_ROUTE:
            return exchange_index
        return self._exchange.shard_of(ticker)

    @staticmethod
    def _one(act: Callable[[Json], Json], item: Json) -> Json:
        """Return one item of a batch's answer."""
        try:
            return act(item)
        except OrderRefused as refused:
            named: Json = {name: item[name] for name in ("order_id", "client_order_id") if name in item}
            if "order_id" in named:
                named["reduced_by"] = "0.00"
            return named | {"error": refused.flat}


def _matched(order: Order) -> Json:
    """Return the answer to a create or an amend; averages only when something filled."""
    body: Json = {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "fill_count": count_text(order.filled_e6),
        "remaining_count": count_text(order.remaining_e6),
        "ts_ms": order.updated_us // 1_000,
    }
    if order.filled_e6:
        body["average_fill_price"] = average_text(order.fill_value_e10, order.filled_e6)
        body["average_fee_paid"] = average_text(order.fees_e10, order.filled_e6)
    return body


async def _items(request: web.Request) -> int:
    """Return how many orders a request names: a batch pays for all of them."""
    if not request.path.endswith("/batched"):
        return 1
    try:
        return len(batch_items(body_of(await request.read(), "")))
    except OrderRefused:
        return 1
