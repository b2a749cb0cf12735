"""Kalshi's private reads: orders, fills, positions, balance, settlements, limits, and the moment they reflect.

Reads trail the engine by the fault ``read_lag_ms``; ``/exchange/user_data_timestamp`` says how far they are (recorded:
about 0.4 s, Kalshi API reference, 2026-11-21, §5.4).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from services.venue_sim.faults import FaultKind, Faults
from services.venue_sim.kalshi_access import Access
from services.venue_sim.kalshi_buckets import costs_json
from services.venue_sim.kalshi_exchange import KalshiExchange
from services.venue_sim.kalshi_objects import count_text, time_text
from services.venue_sim.kalshi_portfolio import Portfolio, event_positions
from services.venue_sim.kalshi_rest import (
    REST_PREFIX,
    BadParameter,
    bad_parameters_answered,
    csv,
    json_answer,
    not_found,
    page,
)

Json = dict[str, Any]
Read = Callable[[web.Request], Awaitable[web.StreamResponse]]

READ_LAG = FaultKind("read_lag_ms", "while_on", "portfolio reads trail the engine by so many milliseconds")

_ROWS = (100, 1_000)


class PortfolioRest:
    """The routes over one portfolio."""

    def __init__(self, exchange: KalshiExchange, portfolio: Portfolio, access: Access, faults: Faults) -> None:
        self._exchange = exchange
        self._portfolio = portfolio
        self._access = access
        self._faults = faults
        faults.declare(READ_LAG)

    def add_to(self, app: web.Application) -> None:
        """Add every route."""
        private: dict[str, Read] = {
            "/portfolio/orders": self._orders,
            "/portfolio/orders/queue_positions": self._queue_positions,
            "/portfolio/orders/{order_id}": self._order,
            "/portfolio/orders/{order_id}/queue_position": self._queue_position,
            "/portfolio/fills": self._fills,
            "/portfolio/positions": self._positions,
            "/portfolio/balance": self._balance,
            "/portfolio/settlements": self._settlements,
            "/account/limits": self._limits,
        }
        for path, read in private.items():
            app.router.add_get(REST_PREFIX + path, self._guarded(bad_parameters_answered(read)))
        app.router.add_get(REST_PREFIX + "/account/endpoint_costs", self._costs)
        app.router.add_get(REST_PREFIX + "/exchange/user_data_timestamp", self._as_of_time)

    def _guarded(self, read: Read) -> Read:
        async def handle(request: web.Request) -> web.StreamResponse:
            refusal = self._access.refusal(request)
            if refusal is None:
                self._exchange.expire()
                return await read(request)
            return refusal

        return handle

    def _as_of_ms(self) -> int:
        """Return the time that reads reflect; without a lag, everything there is."""
        lag_ms = self._faults.level(READ_LAG.name)
        return self._exchange.now_ms() - lag_ms if lag_ms else self._exchange.now_ms() + 1_000

    # --- orders and fills -----------------------------------------------------------------------------------------

    async def _orders(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        status = query.get("status", "")
        if status not in ("", "resting", "canceled", "executed"):
            raise BadParameter(f"invalid status {status}")
        rows = self._portfolio.orders(self._as_of_ms())
        rows = [row for row in _matching(rows, request, time_name="created_time") if status in ("", row["status"])]
        rows = [row for row in rows if _is_of_events(row["ticker"], csv(query.get("event_ticker", "")))]
        rows, cursor = page(rows, request, *_ROWS)
        return json_answer({"orders": rows, "cursor": cursor})

    async def _order(self, request: web.Request) -> web.StreamResponse:
        order = self._portfolio.order(request.match_info["order_id"], self._as_of_ms())
        return not_found("order not found") if order is None else json_answer({"order": order})

    async def _queue_position(self, request: web.Request) -> web.StreamResponse:
        ahead_e6 = self._portfolio.ahead_e6(request.match_info["order_id"])
        if ahead_e6 is None:
            return not_found("order not found")
        return json_answer({"queue_position_fp": count_text(ahead_e6)})

    async def _queue_positions(self, request: web.Request) -> web.StreamResponse:
        wanted = csv(request.query.get("market_tickers", ""))
        rows = [
            {
                "order_id": order.order_id,
                "market_ticker": order.market.market_id,
                "queue_position_fp": count_text(order.ahead_e6),
            }
            for order in self._exchange.resting()
            if not wanted or order.market.market_id in wanted
        ]
        return json_answer({"queue_positions": rows})

    async def _fills(self, request: web.Request) -> web.StreamResponse:
        rows = _matching(self._portfolio.fills(self._as_of_ms()), request, time_name="created_time")
        if order_id := request.query.get("order_id", ""):
            rows = [row for row in rows if row["order_id"] == order_id]
        rows, cursor = page(rows, request, *_ROWS)
        return json_answer({"fills": rows, "cursor": cursor})

    # --- positions and money --------------------------------------------------------------------------------------

    async def _positions(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        rows = _matching(self._portfolio.positions(self._as_of_ms()), request, time_name="last_updated_ts")
        if event_ticker := query.get("event_ticker", ""):
            rows = [row for row in rows if _is_of_events(row["ticker"], {event_ticker})]
        if "position" in csv(query.get("count_filter", "")):
            rows = [row for row in rows if row["position_fp"] != "0.00"]
        rows, cursor = page(rows, request, *_ROWS)
        tickers = {row["ticker"] for row in rows}
        held = [p for p in self._exchange.account.positions.values() if p.market.market_id in tickers]
        return json_answer({"market_positions": rows, "event_positions": event_positions(held), "cursor": cursor})

    async def _balance(self, request: web.Request) -> web.StreamResponse:
        body = self._portfolio.balance(self._as_of_ms())
        if index := request.query.get("exchange_index", ""):
            kept = [row for row in body["balance_breakdown"] if str(row["exchange_index"]) == index]
            if not kept:
                return json_answer({"error": {"code": "user_not_found", "message": "user not found"}}, status=404)
            body = body | {"balance_breakdown": kept}
        return json_answer(body)

    async def _settlements(self, request: web.Request) -> web.StreamResponse:
        rows = _matching(self._portfolio.settlements(self._as_of_ms()), request, time_name="settled_time")
        rows, cursor = page(rows, request, *_ROWS)
        return json_answer({"settlements": rows, "cursor": cursor})

    # --- the account ----------------------------------------------------------------------------------------------

    async def _limits(self, _request: web.Request) -> web.StreamResponse:
        return json_answer(self._access.limits.as_json())

    async def _costs(self, _request: web.Request) -> web.StreamResponse:
        return json_answer(costs_json())

    async def _as_of_time(self, _request: web.Request) -> web.StreamResponse:
        as_of_ms = min(self._as_of_ms(), self._exchange.now_ms())
        return json_answer({"as_of_time": time_text(as_of_ms * 1_000)})


def _matching(rows: list[Json], request: web.Request, *, time_name: str) -> list[Json]:
    """Return the rows that the query's tickers, shard and times ask for; times are Unix seconds."""
    query = request.query
    if wanted := csv(query.get("ticker", "")):
        rows = [row for row in rows if row["ticker"] in wanted]
    if index := query.get("exchange_index", ""):
        rows = [row for row in rows if str(row["exchange_index"]) == index]
    if earliest := _seconds(query.get("min_ts", "")):
        rows = [row for row in rows if row[time_name] >= earliest]
    if after := _seconds(query.get("max_ts", ""), later_s=1):
        rows = [row for row in rows if row[time_name] < after]
    return rows


def _seconds(text: str, *, later_s: int = 0) -> str:
    """Return Unix seconds as the text that times are compared with: up to the second they sort alike."""
    if not text:
        return ""
    if not text.isdigit():
        raise BadParameter(f"invalid time {text}")
    return time_text((int(text) + later_s) * 1_000_000).removesuffix("Z")


def _is_of_events(ticker: str, event_tickers: set[str]) -> bool:
    return not event_tickers or any(ticker.startswith(event + "-") for event in event_tickers)
