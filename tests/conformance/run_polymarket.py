"""The official Polymarket clients against the simulated Polymarket: every listing, every book, every event, every hash.

``polymarket-client`` 0.14.0 validates strictly and counts what it cannot read; ``py-clob-client-v2`` 1.2.1 brings the
venue's own hash function. What they read is compared with the engine's books on the control port.
"""

import asyncio
import dataclasses
import os
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

import httpx
from polymarket import AsyncPublicClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket.streams import MarketSpec
from py_clob_client_v2.client import ClobClient
from simulator import Json, Simulator, check, eventually, say, simulator

Levels = tuple[tuple[tuple[Decimal, Decimal], ...], tuple[tuple[Decimal, Decimal], ...]]
"""Bids and asks of one token, best first."""

ALL_EVENTS = (
    "book",
    "price_change",
    "last_trade_price",
    "tick_size_change",
    "best_bid_ask",
    "new_market",
    "market_resolved",
)
STREAM_S = float(os.environ.get("CONFORMANCE_STREAM_S", "12"))
DIFFERENT_BOOKS = int(os.environ.get("CONFORMANCE_BOOKS", "3000"))
"""How many different books the hash function is asked about; only a changing world has so many."""


def client_of(sim: Simulator) -> AsyncPublicClient:
    """Return the strict client, pointed at the simulator."""
    urls = sim.ready["polymarket"]
    http = urls["clob_url"]
    config = dataclasses.replace(
        PRODUCTION_CONFIG,
        clob_url=http,
        gamma_url=urls["gamma_url"],
        data_url=http + "/data",
        relayer_url=http + "/relayer",
        rpc_url=http + "/rpc",
        clob_market_ws_url=urls["ws_url"],
        clob_user_ws_url=urls["ws_url"].removesuffix("market") + "user",
    )
    return AsyncPublicClient(create_environment(name="simulator", config=config))


async def discover(client: AsyncPublicClient, sim: Simulator) -> dict[str, tuple[str, str]]:
    """Read both keyset listings to their ends; return the tokens of every condition."""
    truth = set(sim.control("/books")["polymarket"])
    events = [event async for event in client.list_events(page_size=7).iter_items()]
    nested = [market for event in events for market in event.markets or ()]
    markets = [market async for market in client.list_markets(page_size=9).iter_items()]
    for name, found in (("events", nested), ("markets", markets)):
        ids = [str(market.condition_id) for market in found]
        check(len(ids) == len(set(ids)), f"{name} pages repeat a market")
        check(set(ids) == truth, f"{name} pages differ from the simulator's listings by {set(ids) ^ truth}")
    say(f"discovery: {len(events)} events and {len(markets)} markets by keyset to the end")
    tokens: dict[str, tuple[str, str]] = {}
    for condition in truth:
        async with httpx.AsyncClient(trust_env=False) as http:
            body = (await http.get(f"{sim.ready['polymarket']['clob_url']}/clob-markets/{condition}")).json()
        tokens[condition] = (body["t"][0]["t"], body["t"][1]["t"])
    known = {token for pair in tokens.values() for token in pair}
    strict = {str(outcome.token_id) for market in markets for outcome in (market.outcomes.yes, market.outcomes.no)}
    check(strict == known, "the strict client's token ids differ from /clob-markets")
    return tokens


async def small_reads(client: AsyncPublicClient, tokens: dict[str, tuple[str, str]]) -> None:
    """Midpoint, spread, price, last trade and tick of one two-sided market."""
    for yes, _ in tokens.values():
        book = await client.get_order_book(token_id=yes)
        if book.bids and book.asks:
            break
    midpoint, spread = await client.get_midpoint(token_id=yes), await client.get_spread(token_id=yes)
    price = await client.get_price(token_id=yes, side="BUY")
    last = await client.get_last_trade_price(token_id=yes)
    check(all(Decimal(str(value)) >= 0 for value in (midpoint, spread, price)), "a price below zero")
    traded = last.price if last else "none yet"
    say(f"midpoint {midpoint}, spread {spread}, price {price}, last trade {traded}: read by the strict client")


def levels_of(bids: Any, asks: Any) -> Levels:
    def side(levels: Any, *, reverse: bool) -> tuple[tuple[Decimal, Decimal], ...]:
        return tuple(sorted(((Decimal(str(x.price)), Decimal(str(x.size))) for x in levels), reverse=reverse))

    return side(bids, reverse=True), side(asks, reverse=False)


def engine_levels(book: Json, token: int) -> Levels:
    """Return the engine's book in the terms of one token."""
    bids, asks = ([(Decimal(p), Decimal(s)) for p, s in book[side]] for side in ("bids", "asks"))
    if not token:
        return tuple(bids), tuple(asks)
    return tuple((1 - p, s) for p, s in asks), tuple((1 - p, s) for p, s in bids)


class Replay:
    """Books kept from the strict client's events alone, with every state by its timestamp."""

    def __init__(self) -> None:
        self.bids: dict[str, dict[Decimal, Decimal]] = {}
        self.asks: dict[str, dict[Decimal, Decimal]] = {}
        self.states: dict[str, dict[int, Levels]] = defaultdict(dict)
        self.kinds: Counter[str] = Counter()

    def take(self, event: Any) -> None:
        kind, payload = event.type, event.payload
        self.kinds[kind] += 1
        if kind == "book":
            token = str(payload.asset_id)
            self.bids[token], self.asks[token] = (
                {Decimal(str(x.price)): Decimal(str(x.size)) for x in side} for side in (payload.bids, payload.asks)
            )
            self._note(token, payload.timestamp)
        elif kind == "price_change":
            for change in payload.price_changes:
                token = str(change.asset_id)
                side = self.bids[token] if str(change.side).upper().endswith("BUY") else self.asks[token]
                price, size = Decimal(str(change.price)), Decimal(str(change.size))
                side[price] = size
                if not size:
                    del side[price]
                self._note(token, payload.timestamp)

    def _note(self, token: str, when: Any) -> None:
        at_ms = round(when.timestamp() * 1000)
        bids = tuple(sorted(self.bids[token].items(), reverse=True))
        self.states[token][at_ms] = (bids, tuple(sorted(self.asks[token].items())))


async def stream(client: AsyncPublicClient, sim: Simulator, tokens: dict[str, tuple[str, str]]) -> None:
    """Subscribe to every token, cause what does not happen by itself, compare every book by its time."""
    replay = Replay()
    conditions = sorted(tokens)
    all_tokens = [token for pair in tokens.values() for token in pair]
    handle = await client.subscribe(MarketSpec(asset_ids=all_tokens, custom_feature_enabled=True))

    async def read() -> None:
        async for event in handle:
            replay.take(event)

    reading = asyncio.create_task(read())
    try:
        await eventually(lambda: len(replay.bids) == len(all_tokens), lambda: "a book of every token")
        listed = await asyncio.to_thread(sim.cause, "polymarket", "list", conditions[0])
        await asyncio.to_thread(sim.cause, "polymarket", "tick", conditions[1], "0.001")
        await asyncio.sleep(STREAM_S)
        compared = await compare(sim, replay, tokens)
        await asyncio.to_thread(sim.cause, "polymarket", "resolve", conditions[2], "1")
        await eventually(
            lambda: set(replay.kinds) >= set(ALL_EVENTS),
            lambda: f"events of types {sorted(set(ALL_EVENTS) - set(replay.kinds))}",
        )
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        dropped = client._market_manager.dropped_events
        await handle.close()
    check(dropped == 0, f"the strict client dropped {dropped} events of {sum(replay.kinds.values())}")
    check(not set(replay.kinds) - set(ALL_EVENTS), f"unexpected types in {dict(replay.kinds)}")
    say(f"stream: {sum(replay.kinds.values())} events, dropped_events 0: {dict(sorted(replay.kinds.items()))}")
    say(f"books: {compared} replayed books equal the engine's at the same millisecond")
    resolved = await client.get_market(id=next(iter(await gamma_ids(sim, conditions[2]))))
    check(resolved.state.closed, "the resolved market does not read as closed")
    found = await client.get_market(id=listed["gamma_id"])
    check(str(found.condition_id) == listed["condition_id"], "the new market reads differently")


async def gamma_ids(sim: Simulator, condition: str) -> list[str]:
    url = f"{sim.ready['polymarket']['gamma_url']}/markets/keyset"
    async with httpx.AsyncClient(trust_env=False) as http:
        body = (await http.get(url, params={"condition_ids": condition})).json()
    return [market["id"] for market in body["markets"]]


async def compare(sim: Simulator, replay: Replay, tokens: dict[str, tuple[str, str]]) -> int:
    """Compare every replayed book with the engine's at the time of the engine's last change."""
    truth = (await asyncio.to_thread(sim.control, "/books"))["polymarket"]
    compared = 0
    for condition, pair in tokens.items():
        at_ms = truth[condition]["ts_ms"]
        if not at_ms:
            continue
        for token, token_id in enumerate(pair):
            states = replay.states[token_id]
            await eventually(
                lambda states=states, at_ms=at_ms: max(states) >= at_ms,
                lambda token_id=token_id, at_ms=at_ms: f"an event of {token_id} as late as {at_ms}",
            )
            state = states.get(at_ms)
            check(state == engine_levels(truth[condition], token), f"{token_id} at {at_ms}: replay and engine differ")
            compared += 1
    check(compared >= len(tokens), f"only {compared} books could be compared")
    return compared


def hashes(sim: Simulator, tokens: dict[str, tuple[str, str]]) -> None:
    """Ask the older client's hash function about thousands of books."""
    host = sim.ready["polymarket"]["clob_url"]
    client = ClobClient(host=host, chain_id=137)
    all_tokens = [token for pair in tokens.values() for token in pair]
    seen: set[str] = set()
    checked = 0
    with httpx.Client(trust_env=False) as http:
        while len(seen) < DIFFERENT_BOOKS:
            for book in http.post(f"{host}/books", json=[{"token_id": token} for token in all_tokens]).json():
                claimed = book["hash"]
                check(client.get_order_book_hash(dict(book)) == claimed, f"hash of {book['asset_id']} differs: {book}")
                seen.add(claimed)
                checked += 1
    one = client.get_order_book(all_tokens[0])
    check(client.get_order_book_hash(dict(one)) == one["hash"], "the client's own read has another hash")
    say(f"hashes: {checked} books, {len(seen)} of them different, every one equal to py-clob-client-v2's")


async def run(sim: Simulator) -> None:
    client = client_of(sim)
    try:
        tokens = await discover(client, sim)
        await small_reads(client, tokens)
        hashes(sim, tokens)
        await stream(client, sim, tokens)
    finally:
        await client.close()


if __name__ == "__main__":
    with simulator(rate="1000") as running:
        asyncio.run(run(running))
    say("Polymarket: the official clients and the simulator agree")
