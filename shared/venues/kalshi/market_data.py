"""Kalshi's markets, events and books by REST, typed: what to ask, and how to read the answers.

Requests are descriptions and answers are bytes, so that nothing here touches the network. Every listing names its own
key: the first list of a body is often another one. What the catalog makes of them is in ``catalog``.
Kalshi OpenAPI 3.34.0, read 2026-11-21.
"""

from collections.abc import Sequence

import msgspec

from shared.domain.market import MarketId
from shared.venues.kalshi import schema
from shared.venues.kalshi.listings import Page, decoded, given, page_of
from shared.venues.kalshi.rest import RestRequest
from shared.venues.kalshi.schema import RestEvent, RestMarket

MARKETS_PAGE = 1_000


def markets_request(
    *, status: str = "", tickers: Sequence[MarketId] = (), event_ticker: str = "", series_ticker: str = "",
    historical: bool = False, cursor: str = "",
) -> RestRequest:  # fmt: skip
    """Ask for a page of markets without combos. ``status`` is the filter's word (``open``), not a market's own."""
    assert not (historical and status), "the historical tier has no status filter"
    query = [("limit", str(MARKETS_PAGE)), ("mve_filter", "exclude")]
    query += given(status=status, tickers=",".join(tickers), event_ticker=event_ticker, series_ticker=series_ticker)
    return RestRequest(path="/historical/markets" if historical else "/markets", query=(*query, *given(cursor=cursor)))


def event_request(event_ticker: str) -> RestRequest:
    """Ask for one event with its markets inside."""
    return RestRequest(path=f"/events/{event_ticker}", query=(("with_nested_markets", "true"),))


def orderbook_request(ticker: str, *, depth: int = 0) -> RestRequest:
    """Ask for one book; depth 0 is all levels."""
    assert 0 <= depth <= 100, depth
    return RestRequest(path=f"/markets/{ticker}/orderbook", query=(("depth", str(depth)),) if depth else ())


def read_markets(body: bytes) -> Page[RestMarket]:
    """Read a page of ``GET /markets`` or of its historical twin. Raises BodyRefused."""
    page = decoded(_MARKETS, body, "markets")
    return page_of(page.markets, page.cursor, schema.REST_MARKET.decode, "market")


def read_market(body: bytes) -> RestMarket:
    """Read ``GET /markets/{ticker}``. Raises BodyRefused."""
    return decoded(schema.ONE_MARKET, body, "market").market


def read_event(body: bytes) -> tuple[RestEvent, list[RestMarket]]:
    """Read ``GET /events/{ticker}?with_nested_markets=true``; the list outside the event is deprecated and ignored.

    Raises BodyRefused, also for one market that cannot be read.
    """
    event = decoded(_ONE_EVENT, body, "event").event
    return event, [decoded(schema.REST_MARKET, bytes(raw), "market of the event") for raw in event.markets or ()]


def read_orderbook(body: bytes) -> schema.RestLevels:
    """Read ``GET /markets/{ticker}/orderbook``; ``catalog.book_from_levels`` makes the book. Raises BodyRefused."""
    return decoded(schema.ONE_ORDERBOOK, body, "orderbook").orderbook_fp


class _Markets(msgspec.Struct):
    markets: list[msgspec.Raw]
    cursor: str | None = None


class _OneEvent(msgspec.Struct):
    event: RestEvent


_MARKETS: msgspec.json.Decoder[_Markets] = msgspec.json.Decoder(_Markets)
_ONE_EVENT: msgspec.json.Decoder[_OneEvent] = msgspec.json.Decoder(_OneEvent)
