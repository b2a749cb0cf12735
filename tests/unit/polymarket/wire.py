"""Frames as the venue sends them, for tests: one market with a YES and a NO token of realistic length."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from shared.domain.market import MarketId
from shared.venues.polymarket.asset_book import AssetTerms
from shared.venues.polymarket.book_hash import BookTerms, book_hash
from shared.venues.polymarket.schema import Level
from shared.venues.polymarket.session import PolymarketSession

CONDITION = "0x" + "ab" * 32
YES, NO = "7" * 70, "8" * 70
MARKET = MarketId(CONDITION)
T0 = 1_793_400_000_123

KNOWN = AssetTerms(market_id=MARKET, condition_id=CONDITION, min_order_size="5", tick_size="0.01", neg_risk=False)
UNKNOWN = AssetTerms(market_id=MARKET, condition_id=CONDITION)


def levels(text: str) -> list[Level]:
    """``"0.4 50, 0.41 7"`` as levels."""
    return [Level(price=price, size=size) for price, size in (part.split() for part in text.split(",") if part.strip())]


def mirrored_levels(side: Sequence[Level]) -> list[Level]:
    return [Level(price=format((1 - Decimal(level.price)).normalize(), "f"), size=level.size) for level in side]


S0_BIDS = levels("0.4 50, 0.41 120.5, 0.42 7")
S0_ASKS = levels("0.6 10, 0.46 33.33, 0.45 20, 0.44 10")


def as_objects(side: Sequence[Level]) -> list[dict[str, str]]:
    return [{"price": level.price, "size": level.size} for level in side]


def book_event(
    bids: Sequence[Level] = S0_BIDS, asks: Sequence[Level] = S0_ASKS, *, ts: int = T0, asset_id: str = YES, **extra: Any
) -> dict[str, Any]:
    return {
        "market": CONDITION,
        "asset_id": asset_id,
        "timestamp": str(ts),
        "hash": "",
        "bids": as_objects(bids),
        "asks": as_objects(asks),
        "event_type": "book",
        **extra,
    }


def entry(
    side: str, price: str, size: str, *, bid: str | None, ask: str | None, asset_id: str = YES, sent_hash: str = ""
) -> dict[str, Any]:
    return {
        "asset_id": asset_id,
        "price": price,
        "size": size,
        "side": side,
        "hash": sent_hash,
        "best_bid": bid,
        "best_ask": ask,
    }


def change(*entries: dict[str, Any], ts: int) -> dict[str, Any]:
    return {
        "market": CONDITION,
        "price_changes": list(entries),
        "timestamp": str(ts),
        "event_type": "price_change",
    }


def frame(message: object) -> bytes:
    return json.dumps(message).encode()


def connected(terms: AssetTerms = UNKNOWN) -> PolymarketSession:
    """A session for the YES token whose subscription was sent."""
    session = PolymarketSession({YES: terms})
    session.connected()
    session.data_to_send()
    return session


def started(terms: AssetTerms = UNKNOWN) -> PolymarketSession:
    """A session that has its first book, S0, with the right hash."""
    session = connected(terms)
    sent_hash = s_hash(S0_BIDS, S0_ASKS, ts=T0)
    first = book_event(hash=sent_hash, tick_size="0.01", last_trade_price="0.430")
    session.receive(frame([first]), 1)
    session.settle()
    return session


def s_hash(
    bids: Sequence[Level], asks: Sequence[Level], *, ts: int, last_trade_price: str = "0.430", tick: str = "0.01"
) -> str:
    """The hash of a YES book, levels worst first."""
    terms = BookTerms(market=CONDITION, asset_id=YES, min_order_size="5", tick_size=tick, neg_risk=False)
    return book_hash(terms, timestamp=str(ts), bids=bids, asks=asks, last_trade_price=last_trade_price)
