"""The pipelines that are measured, each started as real processes on a Redis of its own."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from services.cli.bench.figures import Moment
from services.cli.simulated import write_mappings
from services.cli.stack import Stack
from services.cli.waiting import wait_until
from services.cli.watch import PipelineWatch
from shared.contracts.opportunities import OpportunityOpened
from shared.contracts.streams import FIELD, OPPORTUNITIES, executions
from shared.io.bus import Client, Profile, connect
from shared.runtime.errors import StartRefused

ACCOUNT = "bench"
LEVELS = 10
"""How many levels a side our feeds publish, and the naive ones that do the same work."""
_NAIVE_PROCESS = "from services.cli.bench.naive import main; main()"
_READY_TIMEOUT_S = 180.0
_READY_TIMEOUT_PER_PAIR_S = 0.05
"""Ten thousand pairs are quoted after half a minute on two quiet cores."""
_MOST = 0.97
"""In a large simulated world some questions read alike, and the matcher rightly leaves those to a person."""
_OUR_SERVICES = ("kalshi_feed", "polymarket_feed", "matcher", "arb_detector", "kalshi_executor")

_NO_RISK_LIMITS = {
    "KALSHI_EXECUTOR_MAX_DAY_DOLLARS": "100000000",
    "KALSHI_EXECUTOR_MAX_MARKET_DOLLARS": "100000000",
    "KALSHI_EXECUTOR_MAX_ORDERS_PER_MINUTE": "1000000",
    "KALSHI_EXECUTOR_REARM_MS": "0",
}
"""Nothing is bought here, and dozens of edges open each second."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Running:
    """A pipeline at work: its processes, and what its executor has read so far."""

    pids: Mapping[str, int]
    reads: Callable[[], Awaitable[list[Moment]]]


Contestant = Callable[[Path, str, Json, list[Json]], AbstractAsyncContextManager[Running]]
"""Takes a folder, the address of an empty Redis, the player's addresses and the mapped pairs."""


@asynccontextmanager
async def ours(folder: Path, url: str, player: Json, pairs: list[Json]) -> AsyncIterator[Running]:
    """Our services, with debounce and risk limits out of the way."""
    key_file = folder / "intent.key"
    key_file.touch(mode=0o600)
    key_file.write_text(secrets.token_hex(32))
    stack = Stack(folder, _environ(folder, url, player, mappings=write_mappings(folder, pairs), key_file=key_file))
    watch = PipelineWatch(url, account=ACCOUNT)

    async def quoted() -> bool:
        if stack.broken.done():
            stack.broken.result()
        if await watch.paired() < _MOST * len(pairs):
            return False
        live, _ = await watch.pairs()
        return len(live) >= _MOST * len(pairs) and not await watch.unquoted(live)

    try:
        for service in _OUR_SERVICES:
            await stack.start(service)
        timeout_s = _READY_TIMEOUT_S + _READY_TIMEOUT_PER_PAIR_S * len(pairs)
        await wait_until(quoted, timeout_s=timeout_s, what="bench: our pipeline is not ready")
        yield Running(stack.pids(), lambda: _our_reads(url))
    finally:
        await watch.close()
        await stack.stop()


def naive(*, levels: int) -> Contestant:
    """Return the naive pipeline that publishes ``levels`` a side: 1 is what most programs do, more is our work."""
    return partial(_naive, levels=levels)


def _environ(folder: Path, url: str, player: Json, *, mappings: Path, key_file: Path) -> dict[str, str]:
    return {
        "DUTCHBOOK_REDIS_URL": url,
        "DUTCHBOOK_LOG_LEVEL": "WARNING",
        "DUTCHBOOK_ACCOUNT": ACCOUNT,
        "DUTCHBOOK_INTENT_KEY_FILE": str(key_file),
        "KALSHI_ENV": "demo",
        "KALSHI_DEMO_KEY_ID": player["kalshi"]["key_id"],
        "KALSHI_DEMO_KEY_FILE": player["kalshi"]["private_key_file"],
        "KALSHI_REST_URL": player["kalshi"]["rest_url"],
        "KALSHI_WS_URL": player["kalshi"]["ws_url"],
        "KALSHI_FEED_DEPTH": str(LEVELS),
        "KALSHI_FEED_AUDIT_S": "60",
        "POLYMARKET_GAMMA_URL": player["polymarket"]["gamma_url"],
        "POLYMARKET_CLOB_URL": player["polymarket"]["clob_url"],
        "POLYMARKET_WS_URL": player["polymarket"]["ws_url"],
        "POLYMARKET_FEED_DEPTH": str(LEVELS),
        "POLYMARKET_FEED_AUDIT_S": "60",
        "MATCHER_MAPPINGS_DIR": str(mappings),
        "ARB_DETECTOR_DEBOUNCE_MS": "0",
        "ARB_DETECTOR_LINGER_MS": "0",
        "ARB_DETECTOR_REOPEN_AFTER_MS": "0",
        "ARB_DETECTOR_MAX_INTENTS_PER_MINUTE": "0",
        "ARB_DETECTOR_MAX_INTENTS_PER_PAIR": "0",
        "ARB_DETECTOR_MIN_EDGE_DOLLARS": "0",
        "ARB_DETECTOR_MIN_EDGE_DOLLARS_PER_CONTRACT": "0",
        "KALSHI_EXECUTOR_LEDGER_FILE": str(folder / "ledger.sqlite3"),
        **_NO_RISK_LIMITS,
    }


async def _our_reads(url: str) -> list[Moment]:
    redis = connect(url, Profile.READER)
    try:
        emitted = await redis.xrange(OPPORTUNITIES.name)
        executed = await redis.xrange(executions(ACCOUNT).name)
    finally:
        await redis.aclose()
    opportunities = [OPPORTUNITIES.decoder.decode(fields[FIELD]) for _, fields in emitted]
    opened = {found.opportunity_id: found for found in opportunities if isinstance(found, OpportunityOpened)}
    read_ns = {}
    for _, fields in executed:
        execution = executions(ACCOUNT).decoder.decode(fields[FIELD])
        read_ns[execution.opportunity_id] = execution.intent_read_ts_ns
    return [_our_moment(opened[of], at_ns) for of, at_ns in read_ns.items() if of in opened]


def _our_moment(found: OpportunityOpened, at_ns: int) -> Moment:
    newest = max(found.legs, key=lambda leg: leg.received_ts_ns)
    return Moment(
        kalshi_ticker=found.legs[0].market_id,
        condition_id=found.legs[1].market_id,
        direction=found.direction.value,
        at_ns=at_ns,
        received_ns=newest.received_ts_ns,
        published_ns=newest.published_ts_ns,
        detected_ns=found.detected_ts_ns,
    )


@asynccontextmanager
async def _naive(folder: Path, url: str, player: Json, pairs: list[Json], *, levels: int) -> AsyncIterator[Running]:
    settings = {
        "redis_url": url,
        "levels": levels,
        "kalshi_ws": player["kalshi"]["ws_url"],
        "polymarket_ws": player["polymarket"]["ws_url"],
        "pairs": [
            {
                "ticker": pair["kalshi_ticker"],
                "condition": pair["condition_id"],
                "token": pair["token"],
                "orientation": pair["orientation"],
                "multiplier": pair["multiplier"],
                "rate": pair["rate"],
            }
            for pair in pairs
        ],
    }
    settings_file = folder / "naive.json"
    settings_file.write_bytes(msgspec.json.encode(settings))
    processes = {
        role: await asyncio.create_subprocess_exec(
            sys.executable, "-c", _NAIVE_PROCESS, role, str(settings_file), env=dict(os.environ)
        )
        for role in ("executor", "detector", "kalshi", "polymarket")
    }
    redis = connect(url, Profile.READER)
    wanted = min(5_000, len({pair["condition_id"] for pair in pairs}))

    async def quoted() -> bool:
        for process in processes.values():
            if process.returncode is not None:
                raise StartRefused(f"a process of the naive pipeline ended with status {process.returncode}")
        return int(await redis.xlen("naive:polymarket")) >= wanted and int(await redis.xlen("naive:kalshi")) >= wanted

    try:
        await wait_until(quoted, timeout_s=_READY_TIMEOUT_S, what="bench: the naive pipeline is not ready")
        yield Running({role: process.pid for role, process in processes.items()}, lambda: _naive_reads(redis))
    finally:
        await redis.aclose()
        for process in processes.values():
            process.terminate()
            await process.wait()


async def _naive_reads(redis: Client) -> list[Moment]:
    return [
        Moment(
            kalshi_ticker=fields[b"ticker"].decode(),
            condition_id=fields[b"condition"].decode(),
            direction=fields[b"direction"].decode(),
            at_ns=int(fields[b"read_ns"]),
            received_ns=int(fields[b"ts"]),
        )
        for _, fields in await redis.xrange("naive:done")
    ]
