"""What was traded, and at what prices: trades and candles of the live tier and of the historical one.

Older than the cutoff only the historical tier answers, with other names for the same things. Every number passes the
gate. Kalshi OpenAPI 3.34.0, read 2026-11-21.
"""

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from shared.domain.market import MarketId
from shared.domain.numbers import decimal_from_text
from shared.venues.kalshi.catalog import BodyRefused
from shared.venues.kalshi.listings import Page, decoded, given, page_of
from shared.venues.kalshi.rest import RestRequest
from shared.venues.kalshi.schema import UNREADABLE

T = TypeVar("T")

TRADES_PAGE = 1_000
PERIODS_MINUTES = (1, 60, 1_440)


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


class HistoricalCutoff(msgspec.Struct, frozen=True, kw_only=True):
    """Older than these moments only the historical tier answers."""

    market_settled_ts: datetime
    trades_created_ts: datetime
    orders_updated_ts: datetime
    market_positions_last_updated_ts: datetime | None = None


def tiers(cutoff: datetime, *, since: datetime | None, until: datetime | None) -> tuple[bool, bool]:
    """Return whether a question about a span needs the live tier and whether it needs the historical one."""
    return until is None or until >= cutoff, since is None or since < cutoff


def merged(live: Iterable[T], historical: Iterable[T], *, key: Callable[[T], Hashable]) -> list[T]:
    """Return both tiers' items, each once; where both have one (the cutoff moved meanwhile) the live one counts."""
    found: dict[Hashable, T] = {key(item): item for item in historical}
    found.update((key(item), item) for item in live)
    return list(found.values())


def trades_request(
    *, ticker: str = "", min_ts_s: int | None = None, max_ts_s: int | None = None, historical: bool = False,
    block_trades: bool | None = None, cursor: str = "",
) -> RestRequest:  # fmt: skip
    """Ask for a page of trades; ``block_trades`` False leaves those out that the book never saw."""
    query = [("limit", str(TRADES_PAGE)), *given(ticker=ticker), *_numbers(min_ts=min_ts_s, max_ts=max_ts_s)]
    if block_trades is not None:
        query.append(("is_block_trade", "true" if block_trades else "false"))
    path = "/historical/trades" if historical else "/markets/trades"
    return RestRequest(path=path, query=(*query, *given(cursor=cursor)))


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


def historical_cutoff_request() -> RestRequest:
    """Ask where the historical tier begins."""
    return RestRequest(path="/historical/cutoff")


def read_trades(body: bytes) -> Page[Trade]:
    """Read a page of trades of either tier. Raises BodyRefused."""
    page = decoded(_TRADES, body, "trades")
    return page_of(page.trades, page.cursor, lambda raw: _trade(_RAW_TRADE.decode(raw)), "trade")


def read_candles(body: bytes) -> list[Candle]:
    """Read the candles of one market, live or archived. Raises BodyRefused."""
    try:
        return [_candle(raw) for raw in _CANDLES.decode(body).candlesticks]
    except UNREADABLE as error:
        raise BodyRefused(f"candlesticks: {error}") from None


def read_historical_cutoff(body: bytes) -> HistoricalCutoff:
    """Read ``GET /historical/cutoff``. Raises BodyRefused."""
    return decoded(_CUTOFF, body, "historical cutoff")


def _numbers(**values: int | None) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in values.items() if value is not None]


def _span(start_ts_s: int, end_ts_s: int, period_minutes: int) -> tuple[tuple[str, str], ...]:
    assert period_minutes in PERIODS_MINUTES, period_minutes
    assert start_ts_s <= end_ts_s, (start_ts_s, end_ts_s)
    return (("start_ts", str(start_ts_s)), ("end_ts", str(end_ts_s)), ("period_interval", str(period_minutes)))


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


_TRADES: msgspec.json.Decoder[_Trades] = msgspec.json.Decoder(_Trades)
_RAW_TRADE: msgspec.json.Decoder[_RawTrade] = msgspec.json.Decoder(_RawTrade)
_CANDLES: msgspec.json.Decoder[_Candles] = msgspec.json.Decoder(_Candles)
_CUTOFF: msgspec.json.Decoder[HistoricalCutoff] = msgspec.json.Decoder(HistoricalCutoff)
