"""Polymarket's public REST services: Gamma under ``/gamma`` and the CLOB at the root of the same port.

Shapes and refusals follow the services as they were in late 2026: keyset pages end by leaving ``next_cursor`` out,
larger limits are clamped silently, ``offset`` on a keyset page is a 422, a token without a book is a 404, and
``POST /books`` answers in its own order and leaves unknown tokens out.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from services.venue_sim import polymarket_clob as clob
from services.venue_sim.polymarket_catalog import (
    DEFAULT_LIMIT,
    PAGE_LIMIT,
    Catalog,
    Json,
    keyset_page,
    offset_page,
)

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_SCHEMA = "https://gamma-api.polymarket.com/schemas/{}KeysetListResponse.json"
_BATCH_LIMIT = 500
_ORDER_PATHS = ("order", "orders", "cancel-all", "cancel-market-orders")
_LAST_CURSOR = "LTE="
_CLOB_PAGE = 1000
_LIST_FILTERS = {"id": "id", "slug": "slug", "condition_ids": "conditionId"}


def add_routes(app: web.Application, catalog: Catalog, now_ms: Callable[[], int]) -> None:
    """Add every route of both services to ``app``. ``now_ms`` is the venue's clock in Unix milliseconds."""
    gamma, books = _Gamma(catalog), _Clob(catalog, now_ms)
    app.router.add_get("/gamma/events/keyset", gamma.events_keyset)
    app.router.add_get("/gamma/markets/keyset", gamma.markets_keyset)
    app.router.add_get("/gamma/events", gamma.events)
    app.router.add_get("/gamma/markets", gamma.markets)
    app.router.add_get("/gamma/events/slug/{slug}", gamma.event_by_slug)
    app.router.add_get("/gamma/markets/slug/{slug}", gamma.market_by_slug)
    app.router.add_get("/gamma/events/{id}", gamma.event)
    app.router.add_get("/gamma/markets/{id}", gamma.market)
    app.router.add_get("/book", books.book)
    app.router.add_post("/books", books.books)
    for path, read in books.token_reads().items():
        app.router.add_get(path, books.reader(read))
    app.router.add_get("/markets-by-token/{token}", books.market_by_token)
    app.router.add_get("/clob-markets/{condition}", books.clob_market)
    app.router.add_get("/markets", books.markets)
    app.router.add_get("/markets/{condition}", books.market)
    app.router.add_get("/time", books.time)
    app.router.add_get("/version", books.version)
    app.router.add_get("/ok", books.ok)


class _Gamma:
    """Discovery."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def events_keyset(self, request: web.Request) -> web.Response:
        catalog = self._catalog
        return self._keyset(request, "events", catalog.event_ids(), catalog.event, catalog.event_updated_ms)

    async def markets_keyset(self, request: web.Request) -> web.Response:
        catalog = self._catalog
        return self._keyset(request, "markets", catalog.market_ids(), catalog.market, catalog.market_updated_ms)

    async def events(self, request: web.Request) -> web.Response:
        limit, offset = _count(request, "limit", DEFAULT_LIMIT), _count(request, "offset", 0)
        ids, fetch = self._catalog.event_ids(), self._catalog.event
        return _json(offset_page(ids, fetch, _filter(request), limit=min(limit, PAGE_LIMIT), offset=offset))

    async def markets(self, request: web.Request) -> web.Response:
        limit, offset = _count(request, "limit", DEFAULT_LIMIT), _count(request, "offset", 0)
        ids, fetch = self._catalog.market_ids(), self._catalog.market
        return _json(offset_page(ids, fetch, _filter(request), limit=min(limit, PAGE_LIMIT), offset=offset))

    async def event(self, request: web.Request) -> web.Response:
        return _found(self._catalog.event(request.match_info["id"]))

    async def event_by_slug(self, request: web.Request) -> web.Response:
        event_id = self._catalog.event_id_of_slug(request.match_info["slug"])
        return _found(None if event_id is None else self._catalog.event(event_id))

    async def market(self, request: web.Request) -> web.Response:
        return _found(self._catalog.market(request.match_info["id"]))

    async def market_by_slug(self, request: web.Request) -> web.Response:
        gamma_id = self._catalog.market_id_of(slug=request.match_info["slug"])
        return _found(None if gamma_id is None else self._catalog.market(gamma_id))

    def _keyset(
        self,
        request: web.Request,
        key: str,
        ids: Sequence[str],
        fetch: Callable[[str], Json | None],
        updated_ms: Callable[[str], int],
    ) -> web.Response:
        if "offset" in request.query:
            return _json({"type": "validation error", "error": "offset is not supported; use after_cursor"}, 422)
        limit = min(_count(request, "limit", DEFAULT_LIMIT), PAGE_LIMIT)
        try:
            after = request.query.get("after_cursor", "")
            rank = _rank(request, updated_ms)
            page = keyset_page(ids, fetch, _filter(request), limit=limit, after=after, rank=rank)
        except ValueError as error:
            return _json({"type": "validation error", "error": str(error)}, 422)
        body: Json = {"$schema": _SCHEMA.format(key.capitalize()), key: page.objects}
        if page.next_cursor is not None:
            body["next_cursor"] = page.next_cursor
        return _json(body)


class _Clob:
    """Market data of the order book service."""

    def __init__(self, catalog: Catalog, now_ms: Callable[[], int]) -> None:
        self._catalog = catalog
        self._now_ms = now_ms

    async def book(self, request: web.Request) -> web.Response:
        book = self._catalog.book(request.query.get("token_id", ""))
        return _no_book() if book is None else _json(book)

    async def books(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=list[dict[str, Any]])
        except msgspec.DecodeError:
            return _json({"error": "Invalid payload"}, 400)
        if len(wanted) > _BATCH_LIMIT:
            return _json({"error": "Payload exceeds the limit"}, 400)
        tokens = {str(item.get("token_id", "")) for item in wanted}
        found = [self._catalog.book(token) for token in sorted(tokens)]  # an order, but not the one asked in
        return _json([book for book in found if book is not None])

    def token_reads(self) -> dict[str, Callable[[str, web.Request], Json | None]]:
        """Return what answers ``GET path?token_id=``: from token and request to a body, None for a 404."""
        return {
            "/midpoint": lambda token, _: self._of_book(token, "mid", clob.midpoint),
            "/spread": lambda token, _: self._of_book(token, "spread", clob.spread),
            "/price": self._price,
            "/last-trade-price": lambda token, _: self._last_trade(token),
            "/tick-size": lambda token, _: self._of_market(token, "minimum_tick_size", "mts"),
            "/neg-risk": lambda token, _: self._of_market(token, "neg_risk", "nr", absent=False),
            "/fee-rate": lambda token, _: self._of_market(token, "base_fee", "tbf"),
        }

    def reader(self, read: Callable[[str, web.Request], Json | None]) -> Callable[[web.Request], Any]:
        """Return the handler of one such call."""

        async def handle(request: web.Request) -> web.Response:
            body = read(request.query.get("token_id", ""), request)
            return _no_book() if body is None else _json(body)

        return handle

    async def market_by_token(self, request: web.Request) -> web.Response:
        market = self._market_of_token(request.match_info["token"])
        return _found(None if market is None else clob.market_by_token(market))

    async def clob_market(self, request: web.Request) -> web.Response:
        market = self._market_of_condition(request.match_info["condition"])
        return _found(None if market is None else clob.short_keys(market))

    async def market(self, request: web.Request) -> web.Response:
        market = self._market_of_condition(request.match_info["condition"])
        return _found(None if market is None else clob.long_keys(market))

    async def markets(self, request: web.Request) -> web.Response:
        """One page of up to 1000 markets; the cursor of the CLOB is an offset, and ``LTE=`` marks the end."""
        ids = self._catalog.market_ids()
        offset = clob.offset_of_cursor(request.query.get("next_cursor", ""))
        if offset is None:
            return _json({"error": "Next item should be greater than or equal to 0"}, 400)
        page = [market for one in ids[offset : offset + _CLOB_PAGE] if (market := self._catalog.market(one))]
        end = offset + _CLOB_PAGE
        cursor = clob.cursor_of_offset(end) if end < len(ids) else _LAST_CURSOR
        data = [clob.long_keys(market) for market in page if len(clob.token_ids(market)) == 2]
        return _json({"limit": _CLOB_PAGE, "count": len(data), "next_cursor": cursor, "data": data})

    async def time(self, _: web.Request) -> web.Response:
        return _json(self._now_ms() // 1000)

    async def version(self, _: web.Request) -> web.Response:
        return _json({"version": 2})

    async def ok(self, _: web.Request) -> web.Response:
        return _json("OK")

    def _of_book(self, token: str, key: str, value: Callable[[Json], str | None]) -> Json | None:
        book = self._catalog.book(token)
        text = None if book is None else value(book)
        return None if text is None else {key: text}

    def _price(self, token: str, request: web.Request) -> Json | None:
        side = request.query.get("side", "")
        return self._of_book(token, "price", lambda book: clob.quoted_price(book, side))

    def _last_trade(self, token: str) -> Json | None:
        if self._catalog.book(token) is None:
            return None
        price, side = self._catalog.last_trade(token)
        return {"price": price or "0.5", "side": side}

    def _of_market(self, token: str, key: str, short_key: str, **when: Any) -> Json | None:
        market = self._market_of_token(token)
        return None if market is None else {key: clob.short_keys(market).get(short_key, when.get("absent"))}

    def _market_of_token(self, token: str) -> Json | None:
        gamma_id = self._catalog.market_id_of(token_id=token)
        return None if gamma_id is None else self._catalog.market(gamma_id)

    def _market_of_condition(self, condition: str) -> Json | None:
        gamma_id = self._catalog.market_id_of(condition_id=condition)
        market = None if gamma_id is None else self._catalog.market(gamma_id)
        return market if market is not None and len(clob.token_ids(market)) == 2 else None


def is_order(method: str, path: str) -> bool:
    """Tell whether a request would create or cancel an order (CLOB reference, 2026-11-21)."""
    return method in ("POST", "DELETE") and path.split("/")[1] in _ORDER_PATHS


def _rank(request: web.Request, updated_ms: Callable[[str], int]) -> Callable[[str], int] | None:
    """Return what a listing is ordered by, None for its usual order."""
    if request.query.get("order") != "updatedAt":
        return None
    sign = 1 if request.query.get("ascending", "true") == "true" else -1
    return lambda object_id: sign * updated_ms(object_id)


def _filter(request: web.Request) -> Callable[[Json], bool]:
    """Return the test that a listing's query asks for; unknown parameters are ignored, as the venue does."""
    query = request.query
    version = query.get("version", "v1")
    flags = {key: query[key] == "true" for key in ("closed", "active", "archived") if key in query}
    wanted = {field: set(query.getall(key)) for key, field in _LIST_FILTERS.items() if key in query}
    tokens = set(query.getall("clob_token_ids", []))

    def keep(one: Json) -> bool:
        return (
            all(bool(one.get(key)) == value for key, value in flags.items())
            and any(market.get("version", "v1") == version for market in one.get("markets", [one]))
            and all(str(one.get(field)) in values for field, values in wanted.items())
            and (not tokens or not tokens.isdisjoint(clob.token_ids(one)))
        )

    return keep


def _count(request: web.Request, key: str, default: int) -> int:
    text = request.query.get(key, "")
    return int(text) if text.isdecimal() else default


def _found(body: Json | None) -> web.Response:
    return _json({"type": "not found error", "error": "not found"}, 404) if body is None else _json(body)


def _no_book() -> web.Response:
    return _json({"error": "No orderbook exists for the requested token id"}, 404)


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=_ENCODER.encode(body), status=status, content_type="application/json")
