"""Kalshi's REST interface: public market data, signed everything else, and no order entry yet.

Rules and body shapes follow the Kalshi API reference of 2026-11-21 (official SDK 3.34.0 and recorded answers): a
cursor of ``""`` ends a listing, an unknown cursor gives the first page, a limit that is too large a bare ``msg``.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.kalshi_catalog import KalshiCatalog
from services.venue_sim.kalshi_faults import EXCHANGE_PAUSED, TRADING_PAUSED

T = TypeVar("T")

Json = dict[str, Any]

REST_PREFIX = "/trade-api/v2"

STATUSES_BY_FILTER = {
    "unopened": {"initialized"},
    "open": {"active"},
    "paused": {"inactive"},
    "closed": {"closed", "determined", "disputed", "amended"},
    "settled": {"finalized"},
}
"""A filter's name is not the name that markets carry."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")
OLD_ORDER_PATHS = (
    "/portfolio/orders",
    "/portfolio/orders/batched",
    "/portfolio/orders/{order_id}",
    "/portfolio/orders/{order_id}/amend",
    "/portfolio/orders/{order_id}/decrease",
)
"""Order entry that the venue withdrew in summer 2026."""

_MARKETS_LIMIT = (100, 1_000)
_EVENTS_LIMIT = (200, 200)
_MOST_ORDERBOOKS = 100


class BadParameter(Exception):
    """A query parameter is wrong; the message is the body's ``msg``."""


class KalshiRest:
    """The routes; ``catalog`` has the objects, ``authenticator`` guards everything private."""

    def __init__(self, catalog: KalshiCatalog, authenticator: Authenticator, faults: Faults | None = None) -> None:
        self._faults = Faults() if faults is None else faults
        self._faults.declare(TRADING_PAUSED, EXCHANGE_PAUSED)
        self._catalog = catalog
        self._authenticator = authenticator

    def add_to(self, app: web.Application) -> None:
        """Add every route below the venue's prefix."""
        public: dict[str, Handler] = {
            "/exchange/status": self._exchange_status,
            "/markets": self._markets,
            "/markets/orderbooks": self._orderbooks,
            "/markets/{ticker}": self._market,
            "/markets/{ticker}/orderbook": self._orderbook,
            "/events": self._events,
            "/events/fee_changes": self._event_fee_changes,
            "/events/{event_ticker}": self._event,
            "/series": self._all_series,
            "/series/fee_changes": self._series_fee_changes,
            "/series/{series_ticker}": self._one_series,
        }
        for path, handler in public.items():
            app.router.add_get(REST_PREFIX + path, bad_parameters_answered(handler))
        for path in OLD_ORDER_PATHS:
            for method in ("POST", "DELETE"):
                app.router.add_route(method, REST_PREFIX + path, self._gone)
        app.router.add_route("*", REST_PREFIX + "/portfolio/{rest:.*}", self._not_yet)
        app.router.add_route("*", REST_PREFIX + "/{rest:.*}", _unknown)

    # --- exchange -------------------------------------------------------------------------------------------------

    async def _exchange_status(self, _request: web.Request) -> web.StreamResponse:
        exchange_active = not self._faults.active(EXCHANGE_PAUSED.name)
        state: Json = {
            "exchange_active": exchange_active,
            "trading_active": exchange_active and not self._faults.active(TRADING_PAUSED.name),
            "intra_exchange_transfers_active": exchange_active,
        }
        return json_answer(
            {**state, "exchange_index_statuses": [{"exchange_index": 0, "description": "default", **state}]}
        )

    # --- markets --------------------------------------------------------------------------------------------------

    async def _markets(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        markets: Sequence[Json] = [m for t in self._catalog.tickers() if (m := self._catalog.market(t)) is not None]
        if wanted := csv(query.get("tickers", "")):
            markets = [market for market in markets if market["ticker"] in wanted]
        if event_ticker := query.get("event_ticker", ""):
            markets = [market for market in markets if market["event_ticker"] == event_ticker]
        if series_ticker := query.get("series_ticker", ""):
            markets = [
                market for market in markets if self._series_of_event(str(market["event_ticker"])) == series_ticker
            ]
        if statuses := _statuses(query.get("status", "")):
            markets = [market for market in markets if market["status"] in statuses]
        if (mve := query.get("mve_filter", "")) not in ("", "only", "exclude"):
            raise BadParameter(f"invalid mve_filter {mve}")
        if mve:
            markets = [m for m in markets if bool(m.get("mve_collection_ticker")) == (mve == "only")]
        rows, cursor = page(markets, request, *_MARKETS_LIMIT)
        return json_answer({"markets": rows, "cursor": cursor})

    async def _market(self, request: web.Request) -> web.StreamResponse:
        market = self._catalog.market(request.match_info["ticker"])
        return not_found("market not found") if market is None else json_answer({"market": market})

    async def _orderbook(self, request: web.Request) -> web.StreamResponse:
        book = self._catalog.orderbook(request.match_info["ticker"], _depth(request))
        return not_found("market not found") if book is None else json_answer({"orderbook_fp": book})

    async def _orderbooks(self, request: web.Request) -> web.StreamResponse:
        tickers = request.query.getall("tickers", [])
        if not 1 <= len(tickers) <= _MOST_ORDERBOOKS:
            raise BadParameter(f"tickers must name 1 to {_MOST_ORDERBOOKS} markets")
        found = {ticker: self._catalog.orderbook(ticker, 0) for ticker in tickers}
        if None in found.values():
            return not_found("market not found")
        return json_answer({"orderbooks": [{"ticker": t, "orderbook_fp": book} for t, book in found.items()]})

    def _series_of_event(self, event_ticker: str) -> str:
        event = self._catalog.event(event_ticker, nested=False)
        return str(event["series_ticker"]) if event else event_ticker.split("-", maxsplit=1)[0]

    # --- events and series ----------------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        nested = query.get("with_nested_markets", "") == "true"
        statuses = _statuses(query.get("status", ""))
        wanted, series_ticker = csv(query.get("tickers", "")), query.get("series_ticker", "")
        tickers = [
            ticker
            for ticker in self._catalog.event_tickers()
            if (not wanted or ticker in wanted)
            and (not statuses or not statuses.isdisjoint(self._catalog.event_statuses(ticker)))
            and (not series_ticker or self._series_of_event(ticker) == series_ticker)
        ]
        rows, cursor = page(tickers, request, *_EVENTS_LIMIT)
        events = [e for ticker in rows if (e := self._catalog.event(ticker, nested=nested)) is not None]
        return json_answer({"events": events, "cursor": cursor})

    async def _event(self, request: web.Request) -> web.StreamResponse:
        event = self._catalog.event(request.match_info["event_ticker"], nested=True)
        if event is None:
            return not_found("event not found")
        markets = event["markets"]
        if request.query.get("with_nested_markets", "") == "true":
            return json_answer({"event": event, "markets": markets})
        return json_answer({"event": {k: v for k, v in event.items() if k != "markets"}, "markets": markets})

    async def _all_series(self, request: web.Request) -> web.StreamResponse:
        found = [s for ticker in self._catalog.series_tickers() if (s := self._catalog.series(ticker)) is not None]
        if category := request.query.get("category", ""):
            found = [series for series in found if category in (series.get("categories") or [series["category"]])]
        return json_answer({"series": found})

    async def _one_series(self, request: web.Request) -> web.StreamResponse:
        series = self._catalog.series(request.match_info["series_ticker"])
        return not_found("series not found") if series is None else json_answer({"series": series})

    async def _series_fee_changes(self, _request: web.Request) -> web.StreamResponse:
        return json_answer({"series_fee_change_arr": []})

    async def _event_fee_changes(self, _request: web.Request) -> web.StreamResponse:
        return json_answer({"event_fee_changes": [], "cursor": ""})

    # --- private --------------------------------------------------------------------------------------------------

    async def _gone(self, request: web.Request) -> web.StreamResponse:
        """Answer an order path that the venue has withdrawn."""
        refused = self._refused(request)
        code, message = "deprecated_v1_order_endpoint", "deprecated v1 order endpoint"
        return refused or json_answer({"error": {"code": code, "message": message}}, status=410)

    async def _not_yet(self, request: web.Request) -> web.StreamResponse:
        """Answer a private path that this simulator does not serve."""
        refused = self._refused(request)
        message = "this simulator serves market data only"
        return refused or json_answer({"error": {"code": "not_implemented", "message": message}}, status=501)

    def _refused(self, request: web.Request) -> web.Response | None:
        refusal = self._authenticator.refusal(request.method, request.path, request.headers)
        return None if refusal is None else json_answer(refusal.body, status=401)


def is_order(method: str, path: str) -> bool:
    """Tell whether a request would create, change or cancel an order, on an old path or a new one."""
    parts = path.removeprefix(REST_PREFIX + "/portfolio/").split("/")
    return method != "GET" and ("orders" in parts[:2])


def json_answer(body: Json, *, status: int = 200) -> web.Response:
    """Return ``body`` as a JSON response."""
    return web.Response(body=_ENCODER.encode(body), status=status, content_type="application/json")


def not_found(message: str) -> web.Response:
    """Return the venue's 404."""
    return json_answer({"error": {"code": "not_found", "message": message}}, status=404)


def bad_parameters_answered(handler: Handler) -> Handler:
    """Return the handler with wrong query parameters answered by 400 and a bare ``msg``."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadParameter as error:
            return json_answer({"msg": str(error)}, status=400)

    return answer


async def _unknown(_request: web.Request) -> web.StreamResponse:
    return not_found("no such path")


def _statuses(name: str) -> set[str]:
    if name and name not in STATUSES_BY_FILTER:
        raise BadParameter(f"invalid status {name}")
    return STATUSES_BY_FILTER.get(name, set())


def csv(text: str) -> set[str]:
    """Return the parts of a comma-separated parameter."""
    return {part for part in text.split(",") if part}


def _depth(request: web.Request) -> int:
    text = request.query.get("depth", "0")
    try:
        return min(max(int(text), 0), 100)
    except ValueError:
        raise BadParameter(f"invalid depth {text}") from None


def page(rows: Sequence[T], request: web.Request, default: int, most: int) -> tuple[list[T], str]:
    """Return the page that the query asks for and the cursor of the next, ``""`` when there is none."""
    text = request.query.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise BadParameter(f"limit must be between 1 and {most}")
    start = _offset(request.query.get("cursor", ""))
    end = start + int(text)
    return list(rows[start:end]), _cursor(end) if end < len(rows) else ""


def _cursor(offset: int) -> str:
    return urlsafe_b64encode(f"after:{offset}".encode()).decode()


def _offset(cursor: str) -> int:
    """Return where a cursor points; 0 for none and for one that is not ours, as the venue does."""
    try:
        word, _, number = urlsafe_b64decode(cursor.encode()).decode().partition(":")
    except (Base64Error, UnicodeError):
        return 0
    return int(number) if word == "after" and number.isascii() and number.isdigit() else 0
