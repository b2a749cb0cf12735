"""The Polymarket feed on real input: recorded objects and frames over sockets, books as an independent replay."""

import asyncio
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from services.polymarket_feed.main import main
from services.polymarket_feed.settings import Settings
from services.venue_sim import recorded
from shared.contracts.pairs import PairActivated
from shared.contracts.quotes import Quote
from shared.contracts.streams import FIELD, PAIRS, QUOTES
from shared.domain.market import Venue
from shared.domain.pair import Pair
from shared.io.bus import Identity, Outbox, Profile, connect
from tests.pairs import made_up_pair
from tests.shared_folder import shared_folder

NOW_MS = 1_795_300_000_000
DEPTH = 10
Levels = tuple[tuple[Decimal, Decimal], ...]
pytestmark = pytest.mark.timeout(60)


def naive_books(folder: Path) -> dict[str, tuple[Levels, Levels]]:
    """Where json and dicts of ``Decimal`` end up for every recorded token, best first."""
    books: dict[str, dict[str, dict[Decimal, Decimal]]] = defaultdict(lambda: {"bids": {}, "asks": {}})
    started: set[str] = set()
    for path in sorted(folder.glob("ws_*.jsonl")):
        for line in path.read_bytes().splitlines():
            message = json.loads(line)
            if isinstance(message, dict) and "dir" in message:
                message = message["msg"] if message["dir"] == "in" else []
            for event in message if isinstance(message, list) else [message]:
                if isinstance(event, dict):
                    take(books, started, event)
    return {
        token: (
            tuple(sorted(books[token]["bids"].items(), reverse=True))[:DEPTH],
            tuple(sorted(books[token]["asks"].items()))[:DEPTH],
        )
        for token in started
    }


def take(books: Any, started: set[str], event: dict[str, Any]) -> None:
    if event["event_type"] == "book":
        started.add(event["asset_id"])
        for side in ("bids", "asks"):
            books[event["asset_id"]][side] = {Decimal(x["price"]): Decimal(x["size"]) for x in event[side]}
    for change in event.get("price_changes", []):
        if change["asset_id"] in started:
            side = books[change["asset_id"]]["bids" if change["side"] == "BUY" else "asks"]
            side[Decimal(change["price"])] = Decimal(change["size"])
            if not side[Decimal(change["price"])]:
                del side[Decimal(change["price"])]


def pair_of(number: int, market_id: str, tokens: list[str]) -> Pair:
    return made_up_pair(
        f"pair-{number}", kalshi=f"K-{number}", polymarket=market_id, polymarket_token_ids=(tokens[0], tokens[1])
    )


async def test_every_recorded_book_ends_on_the_stream_where_an_independent_replay_ends(redis_url: str) -> None:
    folder = shared_folder("captures/polymarket")
    expected = naive_books(folder)
    assert len(expected) >= 8
    app = recorded.create_polymarket_app(recorded.load(folder), now_ms=lambda: NOW_MS)
    redis = connect(redis_url, Profile.WRITER)
    async with TestServer(app) as server, asyncio.TaskGroup() as tasks:
        base = str(server.make_url("/")).rstrip("/")
        catalog = await markets_of(base)
        wanted = {market: tokens for market, tokens in catalog.items() if tokens[0] in expected}
        assert len(wanted) >= 3
        outbox = Outbox(redis_url, Identity("test", "1"))
        for number, (market_id, tokens) in enumerate(wanted.items()):
            pair = pair_of(number, market_id, tokens)
            outbox.put(PAIRS, PairActivated(pair=pair), key=pair.pair_id)
        writing = tasks.create_task(outbox.run())
        await outbox.flushed()
        stopping = asyncio.Event()
        settings = Settings(
            redis_url=redis_url,
            gamma_url=f"{base}/gamma",
            clob_url=base,
            ws_url=f"{base.replace('http', 'ws')}/ws/market",
            depth=DEPTH,
        )
        feed = tasks.create_task(main(settings, stopping))
        try:
            async with asyncio.timeout(30):
                while await latest(redis) != {market: expected[tokens[0]] for market, tokens in wanted.items()}:  # noqa: ASYNC110 - what is waited for lies in Redis
                    await asyncio.sleep(0.05)
        finally:
            stopping.set()
            await feed
            writing.cancel()
            await redis.aclose()


async def markets_of(base: str) -> dict[str, list[str]]:
    """Every listed market's tokens, by condition id."""
    from aiohttp import ClientSession

    found: dict[str, list[str]] = {}
    cursor: dict[str, str] = {}
    async with ClientSession() as session:
        while True:
            async with session.get(f"{base}/gamma/events/keyset", params={"limit": "100", **cursor}) as response:
                body = await response.json()
            for event in body["events"]:
                for market in event["markets"]:
                    tokens = market.get("clobTokenIds") or "[]"
                    found[market["conditionId"]] = json.loads(tokens) if isinstance(tokens, str) else tokens
            if "next_cursor" not in body:
                return {market: tokens for market, tokens in found.items() if len(tokens) == 2}
            cursor = {"after_cursor": body["next_cursor"]}


async def latest(redis: Any) -> dict[str, tuple[Levels, Levels]]:
    newest: dict[str, Quote] = {}
    for stream in QUOTES[Venue.POLYMARKET]:
        for _, fields in await redis.xrange(stream.name):
            message = stream.decoder.decode(fields[FIELD])
            if isinstance(message, Quote):
                newest[message.market_id] = message
    return {market: (quote.yes_bids, quote.yes_asks) for market, quote in newest.items()}
