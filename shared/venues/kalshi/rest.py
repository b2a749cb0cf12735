"""Kalshi's REST requests as data, the rules of its paging, and what its four error bodies mean.

No request leaves from here: the process that owns the HTTP client sends what these functions describe.
Kalshi API reference, read 2026-11-21; garbage cursors and error bodies recorded 2026-06-11.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

import msgspec

from shared.domain.market import MarketId
from shared.venues.kalshi import urls

EVENTS_PAGE = 200
ORDERBOOKS_PAGE = 100


class RestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One GET: a path below ``/trade-api/v2`` and its query, in the order it is sent."""

    path: str
    query: tuple[tuple[str, str], ...] = ()

    def url(self, base_url: str) -> str:
        """Return the whole URL; the signature covers its path only."""
        return f"{base_url}{self.path}?{urlencode(self.query)}" if self.query else f"{base_url}{self.path}"


def events_request(*, status: str = "open", cursor: str = "") -> RestRequest:
    """Ask for a page of events with their markets; combos are not among them."""
    query = [("limit", str(EVENTS_PAGE)), ("status", status), ("with_nested_markets", "true")]
    return RestRequest(path=urls.EVENTS_PATH, query=(*query, *_cursor(cursor)))


def all_series_request() -> RestRequest:
    """Ask for every series in one body of several megabytes; it has no pages."""
    return RestRequest(path=urls.SERIES_PATH)


def series_request(series_ticker: str) -> RestRequest:
    """Ask for one series."""
    return RestRequest(path=f"{urls.SERIES_PATH}/{series_ticker}")


def market_request(ticker: MarketId) -> RestRequest:
    """Ask for one market."""
    return RestRequest(path=f"{urls.MARKETS_PATH}/{ticker}")


def orderbooks_request(tickers: Sequence[MarketId]) -> RestRequest:
    """Ask for the whole books of up to 100 markets; the key ``tickers`` is repeated."""
    assert 0 < len(tickers) <= ORDERBOOKS_PAGE, len(tickers)
    return RestRequest(path=urls.ORDERBOOKS_PATH, query=tuple(("tickers", ticker) for ticker in tickers))


def exchange_status_request() -> RestRequest:
    """Ask whether the exchange is up and trading."""
    return RestRequest(path=urls.EXCHANGE_STATUS_PATH)


class CursorRepeated(ValueError):
    """A page named a cursor that was already followed: Kalshi answers an unknown cursor with page one."""


class Paging:
    """Follows one listing's cursors: ends at the empty one, refuses to run in circles."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def next_cursor(self, cursor: str | None) -> str | None:
        """Return the cursor to ask for after a page that named ``cursor``; None after the last page.

        Raises CursorRepeated; what was read so far must then not be taken for the whole list.
        """
        if not cursor:
            return None
        if cursor in self._seen:
            raise CursorRepeated(f"cursor {cursor[:40]!r} came a second time after {len(self._seen)} pages")
        self._seen.add(cursor)
        return cursor


class ApiError(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer other than 2xx said, whichever shape its body had."""

    status: int
    code: str = ""
    """The machine's word, as in ``invalid_price``; empty when the body has none."""
    message: str = ""
    details: str = ""


def api_error(status: int, body: bytes) -> ApiError:
    """Return what an error body says; a body of no known shape (a proxy's HTML) gives its status alone.

    The shapes: ``{"error":{"code","message","details"}}`` from the exchange, the same flat, ``{"msg"}`` from the
    check of parameters and ``{"error":"text"}`` from the rate limiter.
    """
    try:
        parsed = _ERROR.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ApiError(status=status)
    inner = parsed.error
    if isinstance(inner, _ErrorInner):
        return _from_inner(status, inner)
    if isinstance(inner, str):
        return ApiError(status=status, message=inner)
    if parsed.msg:
        return ApiError(status=status, message=parsed.msg)
    return _from_inner(status, parsed)


class _ErrorInner(msgspec.Struct):
    code: str | None = None
    message: str | None = None
    details: str | None = None


class _ErrorBody(_ErrorInner):
    error: _ErrorInner | str | None = None
    msg: str | None = None


_ERROR: msgspec.json.Decoder[_ErrorBody] = msgspec.json.Decoder(_ErrorBody)


def _from_inner(status: int, inner: _ErrorInner) -> ApiError:
    return ApiError(status=status, code=inner.code or "", message=inner.message or "", details=inner.details or "")


def _cursor(cursor: str) -> Iterable[tuple[str, str]]:
    return (("cursor", cursor),) if cursor else ()
