"""The baseline: the pipeline as most programs in this field write it, on the same frames and the same Redis.

Standard json, a ``Decimal`` dictionary per side with ``max`` and ``min`` at each read, one awaited XADD per update, the
library's default client and event loop. It ignores sequence numbers and hashes, reads one stream per venue and prices
the top of the book with both fees. Nothing in it is slowed down on purpose. With ``levels`` above 1 in its settings it
publishes so many levels a side and walks them when the top pays, which is the work that ours does.

``main`` runs one process; the role is kalshi, polymarket, detector or executor.
"""

import asyncio
import json
import sys
import time
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from websockets.asyncio.client import connect

Json = dict[str, Any]

KALSHI, POLYMARKET, INTENTS, DONE = "naive:kalshi", "naive:polymarket", "naive:intents", "naive:done"


class Book:
    """Two dictionaries."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def fields(self, market: str, received_ns: int, levels: int) -> dict[str, str]:
        bid = max(self.bids) if self.bids else Decimal(0)
        ask = min(self.asks) if self.asks else Decimal(1)
        fields = {
            "market": market,
            "bid": str(bid),
            "bid_size": str(self.bids.get(bid, 0)),
            "ask": str(ask),
            "ask_size": str(self.asks.get(ask, 0)),
            "ts": str(received_ns),
        }
        if levels > 1:
            bids, asks = sorted(self.bids, reverse=True)[:levels], sorted(self.asks)[:levels]
            fields["bids"] = json.dumps([[str(price), str(self.bids[price])] for price in bids])
            fields["asks"] = json.dumps([[str(price), str(self.asks[price])] for price in asks])
        return fields


async def kalshi_feed(settings: Json, redis: Any) -> None:
    """Snapshots and deltas in, one XADD per delta out."""
    books: dict[str, Book] = {}
    async with connect(settings["kalshi_ws"], max_size=None) as socket:
        params = {"channels": ["orderbook_delta"], "market_tickers": [pair["ticker"] for pair in settings["pairs"]]}
        await socket.send(json.dumps({"id": 1, "cmd": "subscribe", "params": params}))
        async for text in socket:
            received_ns = time.time_ns()
            frame = json.loads(text)
            message = frame.get("msg", {})
            if frame["type"] == "orderbook_snapshot":
                book = books[message["market_ticker"]] = Book()
                book.bids = {Decimal(p): Decimal(s) for p, s in message.get("yes_dollars_fp", [])}
                book.asks = {1 - Decimal(p): Decimal(s) for p, s in message.get("no_dollars_fp", [])}
            elif frame["type"] == "orderbook_delta":
                book = books[message["market_ticker"]]
                price, change = Decimal(message["price_dollars"]), Decimal(message["delta_fp"])
                levels, key = (book.bids, price) if message["side"] == "yes" else (book.asks, 1 - price)
                size = levels.get(key, Decimal(0)) + change
                if size > 0:
                    levels[key] = size
                else:
                    levels.pop(key, None)
            else:
                continue
            fields: Any = book.fields(message["market_ticker"], received_ns, settings["levels"])
            await redis.xadd(KALSHI, fields, maxlen=10_000, approximate=True)


async def polymarket_feed(settings: Json, redis: Any) -> None:
    """Books and changes in, one XADD per change out."""
    markets = {pair["token"]: pair["condition"] for pair in settings["pairs"]}
    books: dict[str, Book] = {}
    async with connect(settings["polymarket_ws"], max_size=None) as socket:
        await socket.send(json.dumps({"type": "market", "assets_ids": list(markets)}))
        async for text in socket:
            received_ns = time.time_ns()
            frame = json.loads(text)
            for event in frame if isinstance(frame, list) else [frame]:
                for token in apply_event(event, books):
                    if token in markets:
                        fields: Any = books[token].fields(markets[token], received_ns, settings["levels"])
                        await redis.xadd(POLYMARKET, fields, maxlen=10_000, approximate=True)


def apply_event(event: Json, books: dict[str, Book]) -> list[str]:
    """Apply one event and return the tokens whose book it changed."""
    if event["event_type"] == "book":
        book = books[event["asset_id"]] = Book()
        book.bids = {Decimal(level["price"]): Decimal(level["size"]) for level in event["bids"]}
        book.asks = {Decimal(level["price"]): Decimal(level["size"]) for level in event["asks"]}
        return [event["asset_id"]]
    changed = []
    for change in event.get("price_changes", []):
        book = books.setdefault(change["asset_id"], Book())
        levels = book.bids if change["side"] == "BUY" else book.asks
        price, size = Decimal(change["price"]), Decimal(change["size"])
        if size:
            levels[price] = size
        else:
            levels.pop(price, None)
        changed.append(change["asset_id"])
    return changed


async def detector(settings: Json, redis: Any) -> None:
    """Both tops of a pair, priced with fees at every quote; one intent when a direction begins to pay."""
    pairs: dict[str, list[Json]] = {}
    for pair in settings["pairs"]:
        pairs.setdefault(pair["ticker"], []).append(pair)
        pairs.setdefault(pair["condition"], []).append(pair)
    tops: dict[str, dict[str, str]] = {}
    paying: set[tuple[str, str]] = set()
    cursors: Any = {KALSHI: "$", POLYMARKET: "$"}
    while True:
        for stream, entries in await redis.xread(cursors, count=100, block=1_000) or []:
            cursors[stream.decode()] = entries[-1][0]
            for _, raw in entries:
                fields = {key.decode(): value.decode() for key, value in raw.items()}
                tops[fields["market"]] = fields
                for pair in pairs.get(fields["market"], []):
                    if pair["ticker"] in tops and pair["condition"] in tops:
                        await evaluate(pair, tops, paying, redis, fields["ts"])


async def evaluate(
    pair: Json, tops: dict[str, dict[str, str]], paying: set[tuple[str, str]], redis: Any, received_ns: str
) -> None:
    """Price both directions of one pair."""
    kalshi = {key: Decimal(tops[pair["ticker"]][key]) for key in ("bid", "ask")}
    other = {key: Decimal(tops[pair["condition"]][key]) for key in ("bid", "ask")}
    if pair["orientation"] == "inverted":
        other = {"bid": 1 - other["ask"], "ask": 1 - other["bid"]}
    directions = {
        "yes_kalshi_no_polymarket": (kalshi["ask"], 1 - other["bid"]),
        "no_kalshi_yes_polymarket": (1 - kalshi["bid"], other["ask"]),
    }
    for direction, (k, p) in directions.items():
        fee = (Decimal(pair["multiplier"]) * Decimal("0.07") * k * (1 - k)).quantize(Decimal("0.0001"), ROUND_CEILING)
        fee += (Decimal(pair["rate"]) * p * (1 - p)).quantize(Decimal("0.00001"), ROUND_FLOOR)
        key = (pair["ticker"], direction)
        if k + p + fee >= 1:
            paying.discard(key)
        elif key not in paying:
            paying.add(key)
            found = {
                "ticker": pair["ticker"],
                "condition": pair["condition"],
                "direction": direction,
                "ts": received_ns,
            }
            if "asks" in tops[pair["ticker"]]:
                found["contracts"] = str(walk(pair, direction, tops))
            await redis.xadd(INTENTS, found, maxlen=10_000, approximate=True)


def walk(pair: Json, direction: str, tops: dict[str, dict[str, str]]) -> Decimal:
    """Return how many contracts pay, level by level."""
    kalshi = offers(tops[pair["ticker"]], yes=direction == "yes_kalshi_no_polymarket")
    same = pair["orientation"] == "same"
    other = offers(tops[pair["condition"]], yes=(direction == "no_kalshi_yes_polymarket") == same)
    contracts = Decimal(0)
    while kalshi and other:
        (k, k_size), (p, p_size) = kalshi[0], other[0]
        fee = Decimal(pair["multiplier"]) * Decimal("0.07") * k * (1 - k) + Decimal(pair["rate"]) * p * (1 - p)
        if k + p + fee >= 1:
            break
        size = min(k_size, p_size)
        contracts += size
        kalshi[:1] = [(k, k_size - size)] if k_size > size else []
        other[:1] = [(p, p_size - size)] if p_size > size else []
    return contracts


def offers(fields: dict[str, str], *, yes: bool) -> list[tuple[Decimal, Decimal]]:
    """Return what can be bought, cheapest first."""
    levels = [(Decimal(price), Decimal(size)) for price, size in json.loads(fields["asks" if yes else "bids"])]
    return levels if yes else [(1 - price, size) for price, size in levels]


async def executor(_settings: Json, redis: Any) -> None:
    """Reads intents by group and notes when."""
    await redis.xgroup_create(INTENTS, "executor", id="0", mkstream=True)
    reads: Any = {INTENTS: ">"}
    while True:
        for _, entries in await redis.xreadgroup("executor", "one", reads, count=1, block=1_000) or []:
            for entry_id, fields in entries:
                await redis.xadd(DONE, {**fields, "read_ns": str(time.time_ns())})
                await redis.xack(INTENTS, "executor", entry_id)


async def _main(role: str, settings: Json) -> None:
    redis = Redis.from_url(settings["redis_url"], protocol=2, socket_timeout=30)
    roles = {"kalshi": kalshi_feed, "polymarket": polymarket_feed, "detector": detector, "executor": executor}
    await roles[role](settings, redis)


def main() -> None:
    """Run one process of the pipeline: its role and its settings file are the arguments."""
    asyncio.run(_main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
