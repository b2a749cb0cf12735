"""Polymarket's CLOB objects, derived from a Gamma market object and a book.

The venue keeps the same facts in two services with different names and types: Gamma writes camelCase with JSON inside
strings, the CLOB snake_case or one-letter keys (CLOB OpenAPI and py-clob-client-v2 1.2.1, read 2026-11-21). One
derivation serves the simulated world and recorded objects alike.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from services.venue_sim.polymarket_text import DOLLAR_E4, price_e4, price_text

GammaMarket = Mapping[str, Any]
RestBook = Mapping[str, Any]
Json = dict[str, Any]

FEE_CAP_BPS = 1000
"""``base_fee`` and its relatives: a cap of the order format that ended in April 2026, never the fee."""


def strings(value: Any) -> list[str]:
    """Return the list that Gamma writes as JSON text inside a string; a real list and nothing at all pass too."""
    if isinstance(value, str):
        value = msgspec.json.decode(value) if value else []
    return [str(item) for item in value or []]


def token_ids(market: GammaMarket) -> list[str]:
    """Return the token of each outcome, in outcome order; empty while a market is being set up."""
    return strings(market.get("positionIds" if market.get("version") == "v2" else "clobTokenIds"))


def market_by_token(market: GammaMarket) -> Json:
    """Body of ``GET /markets-by-token/{token}``: outcome 0 is primary."""
    primary, secondary = token_ids(market)
    return {
        "condition_id": market["conditionId"],
        "primary_token_id": primary,
        "secondary_token_id": secondary,
    }


def short_keys(market: GammaMarket) -> Json:
    """Body of ``GET /clob-markets/{condition id}``; ``nr`` and ``fd`` are absent when they do not apply."""
    outcomes = strings(market.get("outcomes"))
    body: Json = {
        "t": [{"t": token, "o": label} for token, label in zip(token_ids(market), outcomes, strict=True)],
        "c": market["conditionId"],
        "mos": market.get("orderMinSize", 5),
        "mts": market.get("orderPriceMinTickSize", Decimal("0.01")),
        "mbf": FEE_CAP_BPS,
        "tbf": FEE_CAP_BPS,
        "ao": bool(market.get("acceptingOrders")),
    }
    if market.get("negRisk"):
        body["nr"] = True
    if market.get("secondsDelay"):
        body["itode"] = True
    schedule = market.get("feeSchedule")
    if market.get("feesEnabled") and schedule:
        body["fd"] = {"r": schedule["rate"], "e": schedule["exponent"], "to": schedule["takerOnly"]}
    return body


def long_keys(market: GammaMarket) -> Json:
    """Body of ``GET /markets/{condition id}``; here numbers are numbers."""
    prices = strings(market.get("outcomePrices")) or ["0.5", "0.5"]
    labels = strings(market.get("outcomes"))
    closed = bool(market.get("closed"))
    tokens = [
        {"token_id": token, "outcome": label, "price": Decimal(price), "winner": closed and Decimal(price) == 1}
        for token, label, price in zip(token_ids(market), labels, prices, strict=True)
    ]
    return {
        "enable_order_book": bool(market.get("enableOrderBook")),
        "active": bool(market.get("active")),
        "closed": closed,
        "archived": bool(market.get("archived")),
        "accepting_orders": bool(market.get("acceptingOrders")),
        "accepting_order_timestamp": market.get("acceptingOrdersTimestamp"),
        "minimum_order_size": market.get("orderMinSize", 5),
        "minimum_tick_size": market.get("orderPriceMinTickSize", Decimal("0.01")),
        "condition_id": market["conditionId"],
        "question_id": market.get("questionID", ""),
        "question": market["question"],
        "description": market.get("description", ""),
        "market_slug": market.get("slug", ""),
        "end_date_iso": market.get("endDate"),
        "game_start_time": market.get("gameStartTime"),
        "seconds_delay": market.get("secondsDelay", 0),
        "fpmm": "",
        "maker_base_fee": FEE_CAP_BPS,
        "taker_base_fee": FEE_CAP_BPS,
        "neg_risk": bool(market.get("negRisk")),
        "neg_risk_market_id": market.get("negRiskMarketID", ""),
        "neg_risk_request_id": market.get("negRiskRequestID", ""),
        "is_50_50_outcome": closed and all(token["price"] == Decimal("0.5") for token in tokens),
        "rewards": {"rates": None, "min_size": 0, "max_spread": 0},
        "tags": [],
        "tokens": tokens,
    }


def bests_e4(book: RestBook) -> tuple[int | None, int | None]:
    """Return best bid and ask by value, never by position; None for an empty side."""
    bids = [price_e4(level["price"]) for level in book["bids"]]
    asks = [price_e4(level["price"]) for level in book["asks"]]
    return max(bids, default=None), min(asks, default=None)


def midpoint(book: RestBook) -> str | None:
    """Return the text of ``GET /midpoint``, or None when a side is empty."""
    bid_e4, ask_e4 = bests_e4(book)
    if bid_e4 is None or ask_e4 is None:
        return None
    half_steps_e4, odd = divmod(bid_e4 + ask_e4, 2)
    if not odd:
        return price_text(half_steps_e4)
    return f"{half_steps_e4 // DOLLAR_E4}.{half_steps_e4 % DOLLAR_E4:04d}5"


def spread(book: RestBook) -> str | None:
    """Return the text of ``GET /spread``, or None when a side is empty."""
    bid_e4, ask_e4 = bests_e4(book)
    return None if bid_e4 is None or ask_e4 is None else price_text(max(ask_e4 - bid_e4, 0))


def quoted_price(book: RestBook, side: str) -> str | None:
    """Return the text of ``GET /price``: the best bid for BUY, the best ask for SELL (the CLOB's OpenAPI text).

    Another page of the documentation says the reverse; the feeds must not use this call.
    """
    bid_e4, ask_e4 = bests_e4(book)
    price = bid_e4 if side.upper() == "BUY" else ask_e4
    return None if price is None else price_text(price)


def cursor_of_offset(offset: int) -> str:
    """Return the CLOB's list cursor: the offset as text in base64 (``MA==`` is 0, ``LTE=`` is -1, the end)."""
    return b64encode(str(offset).encode()).decode()


def offset_of_cursor(cursor: str) -> int | None:
    """Return the offset behind a list cursor, 0 for none, None when the text is no offset."""
    if not cursor:
        return 0
    try:
        text = b64decode(cursor, validate=True)
    except ValueError:
        return None
    return int(text) if text.isdigit() else None
