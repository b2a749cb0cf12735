"""Kalshi's public market data by REST, typed: what to ask, and how to read the answers.

Requests are descriptions and answers are bytes, so that nothing here touches the network. Every listing names its own
key (the first list of a body is often another one), every cursor is guarded, and every number passes the gate.
Kalshi OpenAPI 3.34.0, read 2026-11-21; books, markets, events and series are in ``rest`` and ``catalog``.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from shared.domain.market import MarketId
from shared.domain.numbers import NumberRefused, decimal_from_text
from shared.venues.kalshi import schema
from shared.venues.kalshi.catalog import BodyRefused
from shared.venues.kalshi.rest import Paging, RestRequest
from shared.venues.kalshi.schema import UNREADABLE, RestEvent, RestMarket

T = TypeVar("T")

MARKETS_PAGE = 1_000
TRADES_PAGE = 1_000
CANDLE_TICKERS = 100
PERIODS_MINUTES = (1, 60, 1_440)
_MOST_PAGES = 10_000


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One trade; a block trade was negotiated outside the book and says nothing about its liquidity."""

    trade_id: str
    market_id: MarketId
    count_contracts: Decimal
    yes_price_dollars: Decimal
    taker_outcome_side: str
    created_time: datetime
    is_block_trade: bool


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    """One period of one market; prices are None where nothing traded."""

    end_period_ts_s: int
    yes_bid_close_dollars: Decimal | None
    yes_ask_close_dollars: Decimal | None
    open_dollars: Decimal | None
    low_dollars: Decimal | None
    high_dollars: Decimal | None
    close_dollars: Decimal | None
    volume_contracts: Decimal
    open_interest_contracts: Decimal


class ShardStatus(msgspec.Struct, frozen=True):
    """One exchange shard."""

    exchange_index: int
    exchange_active: bool
    trading_active: bool


class ExchangeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether orders can be placed (``trading_active``) or anything works at all (``exchange_active``)."""

    exchange_active: bool
    trading_active: bool
    exchange_estimated_resume_time: str | None = None
    exchange_index_statuses: list[ShardStatus] = msgspec.field(default_factory=list)

    def untradable_shards(self) -> frozenset[int]:
        """Return the shards that take no orders by themselves; meaningless while the whole exchange is paused."""
        return frozenset(
            shard.exchange_index
            for shard in self.exchange_index_statuses
            if not (shard.exchange_active and shard.trading_active)
        )

    @property
    def trades(self) -> bool:
        """Whether the exchange as a whole takes orders."""
        return self.exchange_active and self.trading_active


class Hours(msgspec.Struct, frozen=True):
    """From and until, "HH:MM" Eastern Time."""

    open_time: str
    close_time: str


class WeeklySchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Regular hours that hold between two moments."""

    start_time: datetime
    end_time: datetime
    monday: list[Hours] = msgspec.field(default_factory=list)
    tuesday: list[Hours] = msgspec.field(default_factory=list)
    wednesday: list[Hours] = msgspec.field(default_factory=list)
    thursday: list[Hours] = msgspec.field(default_factory=list)
    friday: list[Hours] = msgspec.field(default_factory=list)
    saturday: list[Hours] = msgspec.field(default_factory=list)
    sunday: list[Hours] = msgspec.field(default_factory=list)


class Maintenance(msgspec.Struct, frozen=True):
    """A planned pause."""

    start_datetime: datetime
    end_datetime: datetime


class Schedule(msgspec.Struct, frozen=True):
    """When the exchange trades."""

    standard_hours: list[WeeklySchedule] = msgspec.field(default_factory=list)
    maintenance_windows: list[Maintenance] = msgspec.field(default_factory=list)


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    """A real-world happening, such as a game, with the events about it and its ids at other sources."""

    id: str
    category: str = ""
    type: str = ""
    title: str = ""
    start_date: str | None = None
    related_event_tickers: list[str] | None = None
    primary_event_tickers: list[str] | None = None
    source_id: str | None = None
    source_ids: dict[str, Any] | None = None
    details: dict[str, Any] | None = None


class StructuredTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A competitor, team or other thing that strikes name by id."""

    id: str
    name: str = ""
    type: str = ""
    source_id: str | None = None
    source_ids: dict[str, Any] | None = None
    details: dict[str, Any] | None = None


class HistoricalCutoff(msgspec.Struct, frozen=True, kw_only=True):
    """Older than these moments only the historical tier answers."""

    market_settled_ts: datetime
    trades_created_ts: datetime
    orders_updated_ts: datetime
    market_positions_last_updated_ts: datetime | None = None


class Page(NamedTuple, Generic[T]):
    """One page of a listing; ``refused`` says what could not be read, one text for each object."""

    items: list[T]
    cursor: str
    refused: list[str]


class TooManyPages(ValueError):
    """A listing that does not end; what was read must not be taken for the whole."""


class Pages(Generic[T]):
    """A listing being read: send ``request``, hand the body to ``receive``, until ``request`` is None.

    Items that come twice, because the listing moved under the cursor, are kept once, by ``key``, the later one.
    """

    def __init__(
        self,
        ask: Callable[[str], RestRequest],
        read: Callable[[bytes], Page[T]],
        *,
        key: Callable[[T], Hashable],
        most_pages: int = _MOST_PAGES,
    ) -> None:
        self._ask = ask
        self._read = read
        self._key = key
        self._most_pages = most_pages
        self._paging = Paging()
        self._pages = 0
        self._items: dict[Hashable, T] = {}
        self.request: RestRequest | None = ask("")
        self.refused: list[str] = []

    def receive(self, body: bytes) -> None:
        """Take the body of the page that was asked for. Raises BodyRefused, CursorRepeated or TooManyPages."""
        page = self._read(body)
        self._pages += 1
        self._items.update((self._key(item), item) for item in page.items)
        self.refused += page.refused
        cursor = self._paging.next_cursor(page.cursor)
        if cursor is not None and self._pages >= self._most_pages:
            raise TooManyPages(f"{self._pages} pages and no end")
        self.request = None if cursor is None else self._ask(cursor)

    @property
    def items(self) -> list[T]:
        """Everything read so far."""
        return list(self._items.values())


def merged(live: Iterable[T], historical: Iterable[T], *, key: Callable[[T], Hashable]) -> list[T]:
    """Return both tiers' items, each once; where both have one (the cutoff moved meanwhile) the live one counts."""
    found: dict[Hashable, T] = {key(item): item for item in historical}
    found.update((key(item), item) for item in live)
    return list(found.values())


def tiers(cutoff: datetime, *, since: datetime | None, until: datetime | None) -> tuple[bool, bool]:
    """Return whether a question about a span needs the live tier and whether it needs the historical one."""
    return until is None or until >= cutoff, since is None or since < cutoff


# --- requests ---------------------------------------------------------------------------------------------------------


def markets_request(
    *, status: str = "", tickers: Sequence[MarketId] = (), event_ticker: str = "", series_ticker: str = "",
    historical: bool = False, cursor: str = "",
) -> RestRequest:  # fmt: skip
    """Ask for a page of markets without combos. ``status`` is the filter's word (``open``), not a market's own."""
    assert not (historical and status), "the historical tier has no status filter"
    query = [("limit", str(MARKETS_PAGE)), ("mve_filter", "exclude")]
    query += _given(status=status, tickers=",".join(tickers), event_ticker=event_ticker, series_ticker=series_ticker)
    return RestRequest(path="/historical/markets" if historical else "/markets", query=(*query, *_given(cursor=cursor)))


def trades_request(
    *, ticker: str = "", min_ts_s: int | None = None, max_ts_s: int | None = None, historical: bool = False,
    block_trades: bool | None = None, cursor: str = "",
) -> RestRequest:  # fmt: skip
    """Ask for a page of trades; ``block_trades`` False leaves those out that the book never saw."""
    query = [("limit", str(TRADES_PAGE)), *_given(ticker=ticker), *_numbers(min_ts=min_ts_s, max_ts=max_ts_s)]
    if block_trades is not None:
        query.append(("is_block_trade", "true" if block_trades else "false"))
    path = "/historical/trades" if historical else "/markets/trades"
    return RestRequest(path=path, query=(*query, *_given(cursor=cursor)))


def candles_request(
    series_ticker: str, ticker: str, *, start_ts_s: int, end_ts_s: int, period_minutes: int
) -> RestRequest:
    """Ask for one live market's candles."""
    return RestRequest(
        path=f"/series/{series_ticker}/markets/{ticker}/candlesticks",
        query=_span(start_ts_s, end_ts_s, period_minutes),
    )


def historical_candles_request(ticker: str, *, start_ts_s: int, end_ts_s: int, period_minutes: int) -> RestRequest:
    """Ask for one archived market's candles; their keys have other names, which ``read_candles`` knows."""
    path = f"/historical/markets/{ticker}/candlesticks"
    return RestRequest(path=path, query=_span(start_ts_s, end_ts_s, period_minutes))


def event_request(event_ticker: str) -> RestRequest:
    """Ask for one event with its markets inside."""
    return RestRequest(path=f"/events/{event_ticker}", query=(("with_nested_markets", "true"),))


def orderbook_request(ticker: str, *, depth: int = 0) -> RestRequest:
    """Ask for one book; depth 0 is all levels."""
    assert 0 <= depth <= 100, depth
    return RestRequest(path=f"/markets/{ticker}/orderbook", query=(("depth", str(depth)),) if depth else ())


def schedule_request() -> RestRequest:
    """Ask when the exchange trades."""
    return RestRequest(path="/exchange/schedule")


def historical_cutoff_request() -> RestRequest:
    """Ask where the historical tier begins."""
    return RestRequest(path="/historical/cutoff")


def milestones_request(*, category: str = "", related_event_ticker: str = "", cursor: str = "") -> RestRequest:
    """Ask for a page of milestones."""
    query = (("limit", "500"), *_given(category=category, related_event_ticker=related_event_ticker, cursor=cursor))
    return RestRequest(path="/milestones", query=query)


def structured_targets_request(*, kind: str = "", cursor: str = "") -> RestRequest:
    """Ask for a page of structured targets; here the page's size is called ``page_size``."""
    return RestRequest(path="/structured_targets", query=(("page_size", "1000"), *_given(type=kind, cursor=cursor)))


# --- answers ----------------------------------------------------------------------------------------------------------


def read_markets(body: bytes) -> Page[RestMarket]:
    """Read a page of ``GET /markets`` or of its historical twin. Raises BodyRefused."""
    page = _decoded(_MARKETS, body, "markets")
    return _each(page.markets, page.cursor, schema.REST_MARKET.decode, "market")


def read_market(body: bytes) -> RestMarket:
    """Read ``GET /markets/{ticker}``. Raises BodyRefused."""
    return _decoded(schema.ONE_MARKET, body, "market").market


def read_event(body: bytes) -> tuple[RestEvent, list[RestMarket]]:
    """Read ``GET /events/{ticker}?with_nested_markets=true``; the list outside the event is deprecated and ignored.

    Raises BodyRefused, also for one market that cannot be read.
    """
    event = _decoded(_ONE_EVENT, body, "event").event
    return event, [_decoded(schema.REST_MARKET, bytes(raw), "market of the event") for raw in event.markets or ()]


def read_orderbook(body: bytes) -> schema.RestLevels:
    """Read ``GET /markets/{ticker}/orderbook``; ``catalog.book_from_levels`` makes the book. Raises BodyRefused."""
    return _decoded(schema.ONE_ORDERBOOK, body, "orderbook").orderbook_fp


def read_trades(body: bytes) -> Page[Trade]:
    """Read a page of trades of either tier. Raises BodyRefused."""
    page = _decoded(_TRADES, body, "trades")
    return _each(page.trades, page.cursor, lambda raw: _trade(_RAW_TRADE.decode(raw)), "trade")


def read_candles(body: bytes) -> list[Candle]:
    """Read the candles of one market, live or archived. Raises BodyRefused."""
    try:
        return [_candle(raw) for raw in _CANDLES.decode(body).candlesticks]
    except UNREADABLE as error:
        raise BodyRefused(f"candlesticks: {error}") from None


def read_exchange_status(body: bytes) -> ExchangeStatus:
    """Read ``GET /exchange/status``; the same body comes with 500, 503 and 504. Raises BodyRefused."""
    return _decoded(_STATUS, body, "exchange status")


def read_schedule(body: bytes) -> Schedule:
    """Read ``GET /exchange/schedule``. Raises BodyRefused."""
    return _decoded(_SCHEDULE, body, "schedule").schedule


def read_historical_cutoff(body: bytes) -> HistoricalCutoff:
    """Read ``GET /historical/cutoff``. Raises BodyRefused."""
    return _decoded(_CUTOFF, body, "historical cutoff")


def read_milestones(body: bytes) -> Page[Milestone]:
    """Read a page of milestones. Raises BodyRefused."""
    page = _decoded(_MILESTONES, body, "milestones")
    return _each(page.milestones, page.cursor, _MILESTONE.decode, "milestone")


def read_structured_targets(body: bytes) -> Page[StructuredTarget]:
    """Read a page of structured targets. Raises BodyRefused."""
    page = _decoded(_TARGETS, body, "structured targets")
    return _each(page.structured_targets, page.cursor, _TARGET.decode, "structured target")


def _given(**values: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in values.items() if value]


def _numbers(**values: int | None) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in values.items() if value is not None]


def _span(start_ts_s: int, end_ts_s: int, period_minutes: int) -> tuple[tuple[str, str], ...]:
    assert period_minutes in PERIODS_MINUTES, period_minutes
    assert start_ts_s <= end_ts_s, (start_ts_s, end_ts_s)
    return (("start_ts", str(start_ts_s)), ("end_ts", str(end_ts_s)), ("period_interval", str(period_minutes)))


def _decoded(decoder: "msgspec.json.Decoder[T]", body: bytes, what: str) -> T:
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        raise BodyRefused(f"{what}: {error}") from None


def _each(raws: Sequence[msgspec.Raw], cursor: str | None, read: Callable[[Any], T], what: str) -> Page[T]:
    page: Page[T] = Page([], cursor or "", [])
    for raw in raws:
        try:
            page.items.append(read(bytes(raw)))
        except (*UNREADABLE, NumberRefused) as error:
            page.refused.append(f"{what}: {error}")
    return page


def _trade(raw: "_RawTrade") -> Trade:
    return Trade(
        trade_id=raw.trade_id,
        market_id=MarketId(raw.ticker),
        count_contracts=decimal_from_text(raw.count_fp),
        yes_price_dollars=decimal_from_text(raw.yes_price_dollars),
        taker_outcome_side=raw.taker_outcome_side or raw.taker_side or "",
        created_time=raw.created_time,
        is_block_trade=bool(raw.is_block_trade),
    )


def _candle(raw: dict[str, Any]) -> Candle:
    price, bid, ask = (raw.get(name) or {} for name in ("price", "yes_bid", "yes_ask"))
    return Candle(
        end_period_ts_s=msgspec.convert(raw.get("end_period_ts"), int),
        yes_bid_close_dollars=_amount(bid, "close"),
        yes_ask_close_dollars=_amount(ask, "close"),
        open_dollars=_amount(price, "open"),
        low_dollars=_amount(price, "low"),
        high_dollars=_amount(price, "high"),
        close_dollars=_amount(price, "close"),
        volume_contracts=_count(raw, "volume"),
        open_interest_contracts=_count(raw, "open_interest"),
    )


def _amount(found: dict[str, Any], name: str) -> Decimal | None:
    """Return a price by its live name or its historical one; both are strings."""
    text = found.get(f"{name}_dollars", found.get(name))
    return None if text is None else decimal_from_text(msgspec.convert(text, str))


def _count(found: dict[str, Any], name: str) -> Decimal:
    return decimal_from_text(msgspec.convert(found.get(f"{name}_fp", found.get(name)), str))


class _Markets(msgspec.Struct):
    markets: list[msgspec.Raw]
    cursor: str | None = None


class _OneEvent(msgspec.Struct):
    event: RestEvent


class _RawTrade(msgspec.Struct):
    trade_id: str
    ticker: str
    count_fp: str
    yes_price_dollars: str
    created_time: datetime
    taker_outcome_side: str | None = None
    taker_side: str | None = None
    is_block_trade: bool | None = None


class _Trades(msgspec.Struct):
    trades: list[msgspec.Raw]
    cursor: str | None = None


class _Candles(msgspec.Struct):
    candlesticks: list[dict[str, Any]]


class _Schedule(msgspec.Struct):
    schedule: Schedule


class _Milestones(msgspec.Struct):
    milestones: list[msgspec.Raw]
    cursor: str | None = None


class _Targets(msgspec.Struct):
    structured_targets: list[msgspec.Raw]
    cursor: str | None = None


_MARKETS: msgspec.json.Decoder[_Markets] = msgspec.json.Decoder(_Markets)
_ONE_EVENT: msgspec.json.Decoder[_OneEvent] = msgspec.json.Decoder(_OneEvent)
_TRADES: msgspec.json.Decoder[_Trades] = msgspec.json.Decoder(_Trades)
_RAW_TRADE: msgspec.json.Decoder[_RawTrade] = msgspec.json.Decoder(_RawTrade)
_CANDLES: msgspec.json.Decoder[_Candles] = msgspec.json.Decoder(_Candles)
_STATUS: msgspec.json.Decoder[ExchangeStatus] = msgspec.json.Decoder(ExchangeStatus)
_SCHEDULE: msgspec.json.Decoder[_Schedule] = msgspec.json.Decoder(_Schedule)
_CUTOFF: msgspec.json.Decoder[HistoricalCutoff] = msgspec.json.Decoder(HistoricalCutoff)
_MILESTONES: msgspec.json.Decoder[_Milestones] = msgspec.json.Decoder(_Milestones)
_MILESTONE: msgspec.json.Decoder[Milestone] = msgspec.json.Decoder(Milestone)
_TARGETS: msgspec.json.Decoder[_Targets] = msgspec.json.Decoder(_Targets)
_TARGET: msgspec.json.Decoder[StructuredTarget] = msgspec.json.Decoder(StructuredTarget)
