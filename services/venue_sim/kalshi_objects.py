"""Kalshi's REST objects of the simulated world, field by field as the official models have them.

Source of names and types: the official Python SDK 3.34.0 (October 2026). Prices are texts with four decimals, counts
texts with two, times RFC 3339 in UTC; multipliers and strikes are JSON numbers, as on the wire.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from services.venue_sim.engine import LevelE, SimBook
from services.venue_sim.markets import KalshiEvent, KalshiMarket, KalshiSeries, PriceGrid

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_E4 = 10_000


def price_text(price_e4: int) -> str:
    """Return a price as the venue writes it: 4100 -> ``"0.4100"``."""
    return f"{price_e4 // _ONE_E4}.{price_e4 % _ONE_E4:04d}"


def count_text(size_e6: int) -> str:
    """Return a count as the venue writes it: 12000000 -> ``"12.00"``; finer parts are cut off."""
    hundredths = abs(size_e6) // 10_000
    return f"{'-' if size_e6 < 0 else ''}{hundredths // 100}.{hundredths % 100:02d}"


def time_text(at_us: int) -> str:
    """Return Unix microseconds as RFC 3339 with no more fraction digits than it takes."""
    when = _EPOCH + timedelta(microseconds=at_us)
    fraction = f"{when.microsecond:06d}".rstrip("0")
    return f"{when:%Y-%m-%dT%H:%M:%S}{'.' + fraction if fraction else ''}Z"


def orderbook_json(book: SimBook, depth: int = 0) -> Json:
    """Return the body of an order book: bids of both outcomes, ascending; ``depth`` 0 is everything."""
    return {
        "yes_dollars": levels_json(book.bids(), depth=depth),
        "no_dollars": levels_json([(_ONE_E4 - price, size) for price, size in book.asks()], depth=depth),
    }


def levels_json(best_first: Sequence[LevelE], *, depth: int = 0) -> list[list[str]]:
    """Return the ``depth`` best levels, best last as recorded on the venue."""
    kept = best_first[:depth] if depth else best_first
    return [[price_text(price), count_text(size)] for price, size in reversed(kept)]


def market_json(market: KalshiMarket) -> Json:
    """Return a market with its current quote."""
    book = market.book
    bid_e4, ask_e4 = book.best_bid_e4() or 0, book.best_ask_e4() or _ONE_E4
    last = price_text(market.last_price_e4)
    found: Json = {
        "ticker": market.market_id,
        "event_ticker": market.event.event_ticker,
        "market_type": "binary",
        "title": market.title,
        "subtitle": market.yes_sub_title,
        "yes_sub_title": market.yes_sub_title,
        "no_sub_title": market.yes_sub_title,
        "created_time": time_text(market.created_ts_ms * 1_000),
        "updated_time": time_text(market.created_ts_ms * 1_000),
        "open_time": time_text(market.open_ts_ms * 1_000),
        "close_time": time_text(market.close_ts_ms * 1_000),
        "expiration_time": time_text(market.close_ts_ms * 1_000),
        "latest_expiration_time": time_text(market.close_ts_ms * 1_000),
        "expected_expiration_time": time_text(market.expected_expiration_ts_ms * 1_000),
        "occurrence_datetime": time_text(market.event.strike_ts_ms * 1_000),
        "settlement_timer_seconds": 300,
        "status": market.status,
        "yes_bid_dollars": price_text(bid_e4),
        "yes_bid_size_fp": count_text(book.size_e6("bid", bid_e4)),
        "yes_ask_dollars": price_text(ask_e4),
        "yes_ask_size_fp": count_text(book.size_e6("ask", ask_e4)),
        "no_bid_dollars": price_text(_ONE_E4 - ask_e4),
        "no_ask_dollars": price_text(_ONE_E4 - bid_e4),
        "last_price_dollars": last,
        "previous_price_dollars": last,
        "previous_yes_bid_dollars": price_text(bid_e4),
        "previous_yes_ask_dollars": price_text(ask_e4),
        "volume_fp": count_text(market.volume_e6),
        "volume_24h_fp": count_text(market.volume_e6),
        "open_interest_fp": count_text(market.volume_e6),
        "notional_value_dollars": "1.0000",
        "result": market.result,
        "can_close_early": True,
        "early_close_condition": "This market closes early once the answer is known.",
        "settlement_bounds_type": "default",
        "expiration_value": "",
        "rules_primary": market.rules_primary,
        "rules_secondary": market.rules_secondary,
        "price_level_structure": market.grid.label,
        "price_ranges": price_ranges_json(market.grid),
        "strike_type": market.strike_type,
        "custom_strike": dict(market.custom_strike),
        "exchange_index": market.exchange_index,
        "is_provisional": False,
    }
    if market.result:
        found["settlement_value_dollars"] = price_text(_ONE_E4 if market.result == "yes" else 0)
        found["settlement_ts"] = time_text(market.settled_ms * 1_000)
    if market.floor_strike is not None:
        found["floor_strike"] = number_json(market.floor_strike)
    return found


def event_json(event: KalshiEvent, markets: Sequence[KalshiMarket] | None) -> Json:
    """Return an event, with its markets when they are asked for."""
    found: Json = {
        "event_ticker": event.event_ticker,
        "series_ticker": event.series.ticker,
        "title": event.title,
        "sub_title": event.sub_title,
        "category": event.series.category,
        "collateral_return_type": "MECNET" if event.mutually_exclusive else "",
        "mutually_exclusive": event.mutually_exclusive,
        "settlement_sources": _sources_json(event.series),
        "strike_date": time_text(event.strike_ts_ms * 1_000),
        "exchange_index": 0,
    }
    if markets is not None:
        found["markets"] = [market_json(market) for market in markets]
    return found


def series_json(series: KalshiSeries) -> Json:
    """Return a series with its fee terms."""
    return {
        "ticker": series.ticker,
        "title": series.title,
        "frequency": series.frequency,
        "category": series.category,
        "categories": [series.category],
        "tags": list(series.tags),
        "settlement_sources": _sources_json(series),
        "contract_url": f"https://contracts.example/{series.ticker}",
        "contract_terms_url": f"https://contracts.example/{series.ticker}/terms",
        "fee_type": series.fee_type,
        "fee_multiplier": number_json(series.fee_multiplier),
        "additional_prohibitions": [],
        "exchange_index": 0,
    }


def price_ranges_json(grid: PriceGrid) -> list[Json]:
    """Return the price grid as the venue describes it."""
    return [
        {"start": price_text(start), "end": price_text(end), "step": price_text(step)}
        for start, end, step in grid.stretches
    ]


def number_json(value: Fraction) -> Decimal:
    """Return a JSON number: the venue sends multipliers and strikes so, never prices or counts."""
    return Decimal(value.numerator) / value.denominator


def _sources_json(series: KalshiSeries) -> list[Json]:
    return [{"name": series.source_name, "url": series.source_url}]
