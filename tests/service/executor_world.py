"""A bus with one live pair and its books, and a Kalshi executor that runs against it as a process."""

import asyncio
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from shared.contracts.catalog import MarketListed
from shared.contracts.executions import ExecutionMessage
from shared.contracts.intents import HedgedIntent
from shared.contracts.pairs import PairActivated
from shared.contracts.quotes import Quote, QuotesStale
from shared.contracts.streams import CATALOG, FIELD, PAIRS, book_key, executions, intents
from shared.domain.market import Market
from shared.domain.risk_terms import BookSeen
from shared.io.bus import Profile, connect
from tests.unit.kalshi_executor.builders import (
    ACCOUNT,
    KALSHI_BOOK,
    KALSHI_MARKET,
    KEY,
    PAIR,
    POLYMARKET_BOOK,
    POLYMARKET_MARKET,
    intent,
)

ROOT = Path(__file__).resolve().parents[2]
INTENTS = intents(ACCOUNT)
EXECUTIONS = executions(ACCOUNT)
_WAIT_S = 20.0
_TTL_MS = 60_000


class World:
    """What the other services would have put on the bus, and a look at what the executor does with it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.redis = connect(url, Profile.WRITER)
        self.ledger = folder / "ledger.sqlite3"
        self.key_file = folder / "intent.key"
        self.key_file.write_bytes(KEY)
        self.key_file.chmod(0o600)

    @property
    def environ(self) -> dict[str, str]:
        """The settings of an executor in this world."""
        return {
            "DUTCHBOOK_REDIS_URL": self.url,
            "DUTCHBOOK_INTENT_KEY_FILE": str(self.key_file),
            "DUTCHBOOK_ACCOUNT": ACCOUNT,
            "KALSHI_EXECUTOR_LEDGER_FILE": str(self.ledger),
            "KALSHI_EXECUTOR_MAX_TTL_MS": str(_TTL_MS),
        }

    async def furnish(self) -> None:
        """Put the pair, both catalog entries and both books on the bus."""
        activated = msgspec.json.encode(PairActivated(pair=PAIR))
        await self.redis.hset(PAIRS.hash_name, PAIR.pair_id, activated)
        await self.redis.xadd(PAIRS.name, {FIELD: activated})
        for market, book in ((KALSHI_MARKET, KALSHI_BOOK), (POLYMARKET_MARKET, POLYMARKET_BOOK)):
            listed = msgspec.json.encode(MarketListed(market=market))
            await self.redis.hset(CATALOG[market.venue].hash_name, market.market_id, listed)
            await self.put_book(market, book)

    async def put_book(self, market: Market, book: BookSeen) -> None:
        """Make ``book`` the market's latest one."""
        message: Quote | QuotesStale
        if book.stale:
            message = QuotesStale(
                venue=market.venue, market_ids=(market.market_id,), reason=book.stale, published_ts_ns=0
            )
        else:
            message = Quote(
                venue=market.venue,
                market_id=market.market_id,
                yes_bids=book.depth.yes_bids,
                yes_asks=book.depth.yes_asks,
                venue_ts_ms=0,
                received_ts_ns=book.received_ts_ns,
                published_ts_ns=0,
                verified="sequence",
                connection="c",
                checksum=0,
            )
        await self.redis.set(
            book_key(market.venue.value, market.market_id, PAIR.partition), msgspec.json.encode(message)
        )

    async def send(self, message: HedgedIntent | bytes) -> None:
        """Append one intent, or any bytes in its place."""
        payload = message if isinstance(message, bytes) else msgspec.json.encode(message)
        await self.redis.xadd(INTENTS.name, {FIELD: payload})

    async def said(self) -> list[ExecutionMessage]:
        """Return what the executions stream holds, repeats of a ``ledger_seq`` dropped."""
        found: dict[int, ExecutionMessage] = {}
        for _, fields in await self.redis.xrange(EXECUTIONS.name):
            message = EXECUTIONS.decoder.decode(fields[FIELD])
            found.setdefault(message.ledger_seq, message)
        return [found[seq] for seq in sorted(found)]

    async def wait_said(self, count: int) -> list[ExecutionMessage]:
        """Wait until ``count`` different executions are out and return them."""
        deadline_s = time.monotonic() + _WAIT_S
        while len(said := await self.said()) < count:
            assert time.monotonic() < deadline_s, f"only {said}"
            await asyncio.sleep(0.01)
        return said

    async def wait_settled(self) -> None:
        """Wait until every intent was read and acknowledged."""
        deadline_s = time.monotonic() + _WAIT_S
        while True:
            groups = await self.redis.xinfo_groups(INTENTS.name) if await self.redis.exists(INTENTS.name) else []
            if groups and groups[0]["pending"] == 0 and groups[0]["lag"] == 0:
                return
            assert time.monotonic() < deadline_s, groups
            await asyncio.sleep(0.01)

    async def wait_published(self) -> None:
        """Wait until the ledger says that everything is published."""
        await self.wait_rows("SELECT count(*) FROM outbox WHERE published = 0", [(0,)])

    async def wait_rows(self, sql: str, expected: list[tuple[Any, ...]]) -> None:
        """Wait until the ledger on disk answers as expected."""
        deadline_s = time.monotonic() + _WAIT_S
        while (found := self.rows(sql)) != expected:
            assert time.monotonic() < deadline_s, found
            await asyncio.sleep(0.01)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Look into the ledger as it is on disk."""
        with sqlite3.connect(self.ledger) as db:
            found = db.execute(sql).fetchall()
        db.close()
        return found

    @asynccontextmanager
    async def executor(self, environ: Mapping[str, str] | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run an executor; ask it to stop at the end of the block unless it ended before."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.kalshi_executor",
            cwd=ROOT,
            env={**os.environ, **self.environ, **(environ or {})},
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.communicate()

    async def refused_start(self, environ: Mapping[str, str] | None = None) -> tuple[int | None, str]:
        """Run an executor that will not start; return its status and what it said."""
        async with self.executor(environ) as process:
            _, said = await asyncio.wait_for(process.communicate(), _WAIT_S)
            return process.returncode, said.decode()


def fresh_intent(number: int = 1, **changes: Any) -> HedgedIntent:
    """An intent that is good for a long while from now, so that slow machines do not expire it."""
    now_ns = time.time_ns()
    named = {
        "intent_id": f"intent-{number}",
        "opportunity_id": f"opp-{number}",
        "created_ts_ns": now_ns,
        "expires_ts_ns": now_ns + _TTL_MS * 1_000_000,
    }
    return intent(**{**named, **changes})


def contracts_filled(world: World) -> Decimal:
    """Return what the executions of a world's ledger filled in all, once per order."""
    bodies = world.rows("SELECT body FROM orders")
    orders = [msgspec.json.decode(body) for (body,) in bodies]
    return sum((Decimal(fill["contracts"]) for order in orders for fill in order["fills"]), Decimal(0))
