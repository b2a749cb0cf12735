"""``dutchbook bench pipeline``: two pipelines of real processes, the same frames, one run.

Both read the same player, both use a private Redis of the same kind, and both are asked the same: how long from the
moment a frame that opens an edge was written to the socket until the executor has the intent, and how many messages
per second can be sent for seconds on end before that time grows.
"""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientSession, ClientTimeout

from services.cli.bench.figures import Moment, Probe, probe_of
from services.cli.output import errors, write_line
from services.cli.simulated import write_mappings
from services.cli.stack import Stack
from services.cli.waiting import wait_until
from services.cli.watch import PipelineWatch
from shared.contracts.opportunities import OpportunityOpened
from shared.contracts.streams import FIELD, OPPORTUNITIES, executions
from shared.io.bus import Profile, connect
from shared.runtime.errors import StartRefused
from shared.runtime.redis_server import start_private_redis

ACCOUNT = "bench"
LIGHT_RATE = 1_500
LIGHT_SECONDS = 24.0
PROBE_SECONDS = 5.0
NAIVE_RATES = (3_000, 6_000, 9_000, 12_000, 15_000, 18_000, 22_000)
OUR_RATES = (20_000, 40_000, 60_000, 80_000, 100_000, 120_000)
_READY_TIMEOUT_S = 90.0
_OUR_SERVICES = ("kalshi_feed", "polymarket_feed", "matcher", "arb_detector", "kalshi_executor")

_NO_RISK_LIMITS = {
    "KALSHI_EXECUTOR_MAX_DAY_DOLLARS": "100000000",
    "KALSHI_EXECUTOR_MAX_MARKET_DOLLARS": "100000000",
    "KALSHI_EXECUTOR_MAX_ORDERS_PER_MINUTE": "1000000",
    "KALSHI_EXECUTOR_REARM_MS": "0",
}
"""Nothing is bought here, and dozens of edges open each second."""

Reads = Callable[[], Awaitable[list[Moment]]]


class Measured(msgspec.Struct, kw_only=True):
    """One pipeline's figures."""

    latency_ms: dict[str, float | None]
    """At 1,500 messages per second."""
    sustained_messages_per_s: int
    """The highest rate tried that was held."""
    probes: list[Probe]


class Report(msgspec.Struct, kw_only=True):
    """Both pipelines and what ours is over the naive one."""

    pairs: int
    ours: Measured
    naive: Measured
    ratios: dict[str, float | None]


async def measure(*, pairs: int, seed: int) -> Report:
    """Measure both pipelines, ours first, each with a fresh player of the same seed."""
    ours = await _measure(_ours, OUR_RATES, pairs=pairs, seed=seed)
    naive = await _measure(_naive, NAIVE_RATES, pairs=pairs, seed=seed)
    ratios = {
        "throughput": _ratio(ours.sustained_messages_per_s, naive.sustained_messages_per_s),
        "latency_p50": _ratio(ours.latency_ms["p50"], naive.latency_ms["p50"]),
        "latency_p99": _ratio(ours.latency_ms["p99"], naive.latency_ms["p99"]),
    }
    return Report(pairs=pairs, ours=ours, naive=naive, ratios=ratios)


def print_report(report: Report) -> None:
    """Write the figures for people to stdout."""
    for name, measured in (("ours", report.ours), ("naive", report.naive)):
        latency = measured.latency_ms
        write_line(
            f"{name:<6} wire to intent at {LIGHT_RATE}/s: p50 {latency['p50']:.3f} ms, p99 {latency['p99']:.3f} ms; "
            f"sustained {measured.sustained_messages_per_s:,} messages/s"
        )
    write_line("ratios (ours over naive): " + ", ".join(f"{name} {value}" for name, value in report.ratios.items()))


async def _measure(run: "_Run", rates: Sequence[int], *, pairs: int, seed: int) -> Measured:
    folder = Path(tempfile.mkdtemp(prefix="dutchbook-bench-"))
    try:
        with start_private_redis() as redis:
            async with _player(folder, pairs=pairs, seed=seed) as player, run(folder, redis.url, player) as reads:
                light = await _probe(player, reads, LIGHT_RATE, LIGHT_SECONDS)
                probes = [light]
                sustained = 0
                for rate in rates:
                    probe = await _probe(player, reads, rate, PROBE_SECONDS)
                    probes.append(probe)
                    if not probe.held:
                        break
                    sustained = round(probe.messages / probe.seconds)
                latency = {"p50": light.p50_ms, "p99": light.p99_ms}
                return Measured(latency_ms=latency, sustained_messages_per_s=sustained, probes=probes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _probe(player: dict[str, Any], reads: Reads, rate: int, seconds: float) -> Probe:
    played = await _ask(player, "POST", "/play", {"rate": rate, "seconds": seconds})
    if "error" in played:
        raise StartRefused(f"bench: {played['error']}; this machine is too busy to measure")
    await asyncio.sleep(1.0)  # what is answered later than a second counts as unanswered
    openings = [
        Moment(item["kalshi_ticker"], item["condition_id"], item["direction"], item["sent_ns"])
        for item in played["openings"]
    ]
    probe = probe_of(
        openings,
        await reads(),
        rate=rate,
        messages=played["messages"],
        seconds=played["seconds"],
        player_late_ms=played["player_late_ms"],
    )
    errors.print(f"{rate}/s: {'held' if probe.held else 'not held'} {msgspec.json.encode(probe).decode()}")
    return probe


@asynccontextmanager
async def _player(folder: Path, *, pairs: int, seed: int) -> AsyncIterator[dict[str, Any]]:
    ready_file = folder / "player.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli.bench.player", str(ready_file), str(pairs), str(seed)
    )
    try:
        await wait_until(
            lambda: _is_file(ready_file), timeout_s=_READY_TIMEOUT_S, what="bench: the player is not ready"
        )
        yield msgspec.json.decode(ready_file.read_bytes())
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _ours(folder: Path, url: str, player: dict[str, Any]) -> AsyncIterator[Reads]:
    facts = await _ask(player, "GET", "/mappings", None)
    mappings = write_mappings(folder, facts["pairs"])
    key_file = folder / "intent.key"
    key_file.touch(mode=0o600)
    key_file.write_text(secrets.token_hex(32))
    stack = Stack(
        folder,
        {
            "DUTCHBOOK_REDIS_URL": url,
            "DUTCHBOOK_LOG_LEVEL": "WARNING",
            "DUTCHBOOK_ACCOUNT": ACCOUNT,
            "DUTCHBOOK_INTENT_KEY_FILE": str(key_file),
            "KALSHI_ENV": "demo",
            "KALSHI_DEMO_KEY_ID": player["kalshi"]["key_id"],
            "KALSHI_DEMO_KEY_FILE": player["kalshi"]["private_key_file"],
            "KALSHI_REST_URL": player["kalshi"]["rest_url"],
            "KALSHI_WS_URL": player["kalshi"]["ws_url"],
            "POLYMARKET_GAMMA_URL": player["polymarket"]["gamma_url"],
            "POLYMARKET_CLOB_URL": player["polymarket"]["clob_url"],
            "POLYMARKET_WS_URL": player["polymarket"]["ws_url"],
            "MATCHER_MAPPINGS_DIR": str(mappings),
            "ARB_DETECTOR_DEBOUNCE_MS": "0",
            "ARB_DETECTOR_LINGER_MS": "0",
            "ARB_DETECTOR_REOPEN_AFTER_MS": "0",
            "ARB_DETECTOR_MIN_EDGE_DOLLARS": "0",
            "ARB_DETECTOR_MIN_EDGE_DOLLARS_PER_CONTRACT": "0",
            "KALSHI_EXECUTOR_LEDGER_FILE": str(folder / "ledger.sqlite3"),
            **_NO_RISK_LIMITS,
        },
    )
    watch = PipelineWatch(url, account=ACCOUNT)
    try:
        for service in _OUR_SERVICES:
            await stack.start(service)

        async def quoted() -> bool:
            if stack.broken.done():
                stack.broken.result()
            live, _ = await watch.pairs()
            return len(live) >= len(facts["pairs"]) and not await watch.unquoted(live)

        await wait_until(quoted, timeout_s=_READY_TIMEOUT_S, what="bench: our pipeline is not ready")
        yield lambda: _our_reads(url)
    finally:
        await watch.close()
        await stack.stop()


async def _our_reads(url: str) -> list[Moment]:
    redis = connect(url, Profile.READER)
    try:
        emitted = await redis.xrange(OPPORTUNITIES.name)
        executed = await redis.xrange(executions(ACCOUNT).name)
    finally:
        await redis.aclose()
    opportunities = [OPPORTUNITIES.decoder.decode(fields[FIELD]) for _, fields in emitted]
    opened = {found.opportunity_id: found for found in opportunities if isinstance(found, OpportunityOpened)}
    reads = {}
    for _, fields in executed:
        execution = executions(ACCOUNT).decoder.decode(fields[FIELD])
        reads[execution.opportunity_id] = execution.intent_read_ts_ns
    return [
        Moment(opened[of].legs[0].market_id, opened[of].legs[1].market_id, opened[of].direction.value, read_ns)
        for of, read_ns in reads.items()
        if of in opened
    ]


@asynccontextmanager
async def _naive(folder: Path, url: str, player: dict[str, Any]) -> AsyncIterator[Reads]:
    facts = await _ask(player, "GET", "/mappings", None)
    settings = {
        "redis_url": url,
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
            for pair in facts["pairs"]
        ],
    }
    settings_file = folder / "naive.json"
    settings_file.write_bytes(msgspec.json.encode(settings))
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli.bench.naive", role, str(settings_file), env=dict(os.environ)
        )
        for role in ("executor", "detector", "kalshi", "polymarket")
    ]
    redis = connect(url, Profile.READER)
    wanted = len({pair["condition_id"] for pair in facts["pairs"]})

    async def quoted() -> bool:
        for process in processes:
            if process.returncode is not None:
                raise StartRefused(f"a process of the naive pipeline ended with status {process.returncode}")
        return int(await redis.xlen("naive:polymarket")) >= wanted and int(await redis.xlen("naive:kalshi")) > 0

    try:
        await wait_until(quoted, timeout_s=_READY_TIMEOUT_S, what="bench: the naive pipeline is not ready")
        yield lambda: _naive_reads(redis)
    finally:
        await redis.aclose()
        for process in processes:
            process.terminate()
            await process.wait()


async def _naive_reads(redis: Any) -> list[Moment]:
    return [
        Moment(
            fields[b"ticker"].decode(),
            fields[b"condition"].decode(),
            fields[b"direction"].decode(),
            int(fields[b"read_ns"]),
        )
        for _, fields in await redis.xrange("naive:done")
    ]


async def _ask(player: dict[str, Any], method: str, path: str, body: object) -> Any:
    timeout = ClientTimeout(total=600)
    async with (
        ClientSession(timeout=timeout) as session,
        session.request(method, player["control_url"] + path, json=body) as answer,
    ):
        return await answer.json()


async def _is_file(path: Path) -> bool:
    return await asyncio.to_thread(path.is_file)


def _ratio(ours: float | None, naive: float | None) -> float | None:
    return round(ours / naive, 3) if ours is not None and naive else None


_Run = Callable[[Path, str, dict[str, Any]], Any]
