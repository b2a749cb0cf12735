"""Kalshi's public record: trades, candlesticks, the historical cutoff and the exchange's hours.

Shapes: official SDK 3.34.0 (Kalshi API reference, 2026-11-21, §3.7 to §3.9). The simulated venue keeps its newest
trades and one-minute candles; everything it has is on the live side of the cutoff.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from services.venue_sim.engine import LevelE
from services.venue_sim.kalshi_frames import trade_json
from services.venue_sim.kalshi_objects import count_text, price_text, time_text
from services.venue_sim.kalshi_rest import (
    REST_PREFIX,
    BadParameter,
    bad_parameters_answered,
    csv,
    json_answer,
    not_found,
    page,
)
from services.venue_sim.markets import KalshiMarket, Operation
from services.venue_sim.world import World

Json = dict[str, Any]

KEPT_TRADES = 20_000
_MINUTE_MS = 60_000
_TRADES_LIMIT = (100, 1_000)
_PERIODS = ("1", "60", "1440")
_MOST_TICKERS = 100
_CUTOFF_DAYS_MS = 90 * 86_400_000
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(slots=True)
class Span:
    """First, lowest, highest and last of something."""

    values_e4: tuple[int, int, int, int]

    def take(self, value_e4: int) -> None:
        """Let one more value count."""
        first, low, high, _ = self.values_e4
        self.values_e4 = (first, min(low, value_e4), max(high, value_e4), value_e4)

    def as_json(self) -> Json:
        """Return open, low, high and close."""
        names = ("open_dollars", "low_dollars", "high_dollars", "close_dollars")
        return dict(zip(names, map(price_text, self.values_e4), strict=True))


@dataclass(kw_only=True, slots=True)
class Candle:
    """One market in one minute."""

    bid: Span
    ask: Span
    trades: list[LevelE] = field(default_factory=list)


class Record:
    """Follows the world and answers what has happened in it."""

    def __init__(self, world: World, now_ms: Callable[[], int]) -> None:
        self._world = world
        self._now_ms = now_ms
        self._trades: deque[Json] = deque(maxlen=KEPT_TRADES)
        self._candles: dict[str, dict[int, Candle]] = {}
        world.subscribe(self._on_operation)

    def add_to(self, app: web.Application) -> None:
        """Add every route."""
        routes = {
            "/markets/trades": self._list_trades,
            "/markets/candlesticks": self._many_candlesticks,
            "/series/{series_ticker}/markets/{ticker}/candlesticks": self._candlesticks,
            "/historical/cutoff": self._cutoff,
            "/exchange/schedule": self._schedule,
        }
        for path, read in routes.items():
            app.router.add_get(REST_PREFIX + path, bad_parameters_answered(read))

    def _on_operation(self, operation: Operation) -> None:
        market = operation.market
        if not isinstance(market, KalshiMarket):
            return
        self._trades.extendleft(trade_json(operation))
        bid_e4, ask_e4 = market.book.best_bid_e4() or 0, market.book.best_ask_e4() or 10_000
        candles = self._candles.setdefault(market.market_id, {})
        minute = operation.at_ms // _MINUTE_MS
        candle = candles.get(minute)
        if candle is None:
            candle = candles[minute] = Candle(bid=Span((bid_e4,) * 4), ask=Span((ask_e4,) * 4))
        candle.bid.take(bid_e4)
        candle.ask.take(ask_e4)
        if operation.trade is not None:
            candle.trades.extend(operation.trade.fills)

    async def _list_trades(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        rows: Iterable[Json] = self._trades
        if ticker := query.get("ticker", ""):
            rows = [row for row in rows if row["ticker"] == ticker]
        if query.get("is_block_trade", "") == "true":
            rows = []
        if (earliest_s := _seconds(query, "min_ts")) is not None:
            rows = [row for row in rows if row["created_time"] >= time_text(earliest_s * 1_000_000).removesuffix("Z")]
        if (latest_s := _seconds(query, "max_ts")) is not None:
            rows = [row for row in rows if row["created_time"] < time_text(latest_s * 1_000_000 + 1_000_000)]
        found, cursor = page(list(rows), request, *_TRADES_LIMIT)
        return json_answer({"trades": found, "cursor": cursor})

    async def _candlesticks(self, request: web.Request) -> web.StreamResponse:
        market = self._world.kalshi_markets.get(request.match_info["ticker"])
        if market is None or market.event.series.ticker != request.match_info["series_ticker"]:
            return not_found("market not found")
        return json_answer({"ticker": market.market_id, "candlesticks": self._of(market, request)})

    async def _many_candlesticks(self, request: web.Request) -> web.StreamResponse:
        tickers = sorted(csv(request.query.get("market_tickers", "")))
        if not 1 <= len(tickers) <= _MOST_TICKERS:
            raise BadParameter(f"market_tickers must name 1 to {_MOST_TICKERS} markets")
        known = [self._world.kalshi_markets[ticker] for ticker in tickers if ticker in self._world.kalshi_markets]
        rows = [{"market_ticker": market.market_id, "candlesticks": self._of(market, request)} for market in known]
        return json_answer({"markets": rows})

    def _of(self, market: KalshiMarket, request: web.Request) -> list[Json]:
        start_s, end_s = _seconds(request.query, "start_ts"), _seconds(request.query, "end_ts")
        period = request.query.get("period_interval", "")
        if start_s is None or end_s is None or period not in _PERIODS:
            raise BadParameter("start_ts, end_ts and period_interval (1, 60 or 1440) are required")
        groups: dict[int, list[Candle]] = {}
        for minute, candle in self._candles.get(market.market_id, {}).items():
            groups.setdefault((minute // int(period) + 1) * int(period) * 60, []).append(candle)
        return [_candle_json(end, group) for end, group in groups.items() if start_s <= end <= end_s]

    async def _cutoff(self, _request: web.Request) -> web.StreamResponse:
        cutoff = time_text((self._now_ms() - _CUTOFF_DAYS_MS) // 1_000 * 1_000_000)
        names = ("market_settled_ts", "trades_created_ts", "orders_updated_ts", "market_positions_last_updated_ts")
        return json_answer(dict.fromkeys(names, cutoff))

    async def _schedule(self, _request: web.Request) -> web.StreamResponse:
        """Answer with hours around the clock but for the weekly pause, Thursday 03:00 to 05:00 Eastern Time."""
        whole = [{"open_time": "00:00", "close_time": "00:00"}]
        paused = [{"open_time": "00:00", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "00:00"}]
        hours: Json = {day: paused if day == "thursday" else whole for day in _DAYS}
        start = time_text(self._now_ms() // 1_000 * 1_000_000 - _CUTOFF_DAYS_MS * 1_000)
        end = time_text(self._now_ms() // 1_000 * 1_000_000 + _CUTOFF_DAYS_MS * 1_000)
        standard = [{"start_time": start, "end_time": end, **hours}]
        return json_answer({"schedule": {"standard_hours": standard, "maintenance_windows": []}})


def _candle_json(end_s: int, candles: list[Candle]) -> Json:
    trades = [trade for candle in candles for trade in candle.trades]
    volume_e6 = sum(size for _, size in trades)
    price: Json = {}
    if trades:
        prices = [price for price, _ in trades]
        mean_e4 = sum(price * size for price, size in trades) // volume_e6
        span = Span((prices[0], min(prices), max(prices), prices[-1]))
        price = span.as_json() | {
            "mean_dollars": price_text(mean_e4),
            "min_dollars": price_text(min(prices)),
            "max_dollars": price_text(max(prices)),
        }
    return {
        "end_period_ts": end_s,
        "yes_bid": _joined([candle.bid for candle in candles]).as_json(),
        "yes_ask": _joined([candle.ask for candle in candles]).as_json(),
        "price": price,
        "volume_fp": count_text(volume_e6),
        "open_interest_fp": count_text(volume_e6),
    }


def _joined(spans: list[Span]) -> Span:
    lows, highs = [span.values_e4[1] for span in spans], [span.values_e4[2] for span in spans]
    return Span((spans[0].values_e4[0], min(lows), max(highs), spans[-1].values_e4[3]))


def _seconds(query: Any, name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not text.isdigit():
        raise BadParameter(f"invalid {name} {text}")
    return int(text)
