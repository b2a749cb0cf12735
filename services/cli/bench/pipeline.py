"""``dutchbook bench pipeline``: pipelines of real processes, the same frames, one run.

All of them read the same player, all use a private Redis of the same kind, and all are asked the same: how long until
the executor has the intent, and how many messages per second can be sent for seconds on end before that time grows.
Latency counts from the moment when a feed had read the frame that opens an edge; what is on the wire before that is
told beside it. A rate counts as held when nearly every opening was answered and, at the end, within fifty milliseconds
from the wire.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientSession, ClientTimeout

from services.cli.bench.contestants import LEVELS, Contestant, Json, Running, naive, ours
from services.cli.bench.figures import Moment, Probe, probe_of
from services.cli.bench.processes import processor_s, redis_processor_s
from services.cli.output import errors, write_line
from services.cli.waiting import wait_until
from shared.contracts.pairs import PairActivated
from shared.contracts.quotes import Quote
from shared.contracts.streams import FEED_HEALTH, FIELD, PAIRS, QUOTES, book_key
from shared.domain.market import Venue
from shared.io.bus import Client, Profile, connect, load_latest
from shared.runtime.errors import StartRefused
from shared.runtime.redis_server import start_private_redis

LIGHT_RATE = 1_500
LIGHT_SECONDS = 24.0
PROBE_SECONDS = 5.0
NAIVE_RATES = (2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000, 17_000, 20_000)
OUR_RATES = (5_000, 10_000, 20_000, 30_000, 40_000, 60_000, 80_000, 100_000, 120_000, 150_000, 180_000, 220_000)
_READY_TIMEOUT_S = 180.0
_TRIES = 2
"""A machine that others use too has bad moments: a rate counts as lost when it was not held twice in a row."""
_CRITERION = (
    "a rate is held when 95% of the edges were answered within a second, the last third of them within 50 ms from the "
    "wire (p95), and the player was never more than 50 ms late, once in two tries; the same for every pipeline"
)


class Measured(msgspec.Struct, kw_only=True):
    """One pipeline's figures."""

    latency_ms: dict[str, float | None]
    """At 1,500 messages per second."""
    sustained_messages_per_s: int
    """The highest rate tried that was held."""
    probes: list[Probe]


class Report(msgspec.Struct, kw_only=True):
    """Every pipeline and what ours is over the naive ones."""

    pairs: int
    levels: int
    """A side, published by our feeds and by the second naive pipeline."""
    criterion: str
    ours: Measured
    naive: Measured
    """Publishes and prices the top of the book only."""
    naive_same_depth: Measured
    ratios: dict[str, float | None]
    ratios_same_depth: dict[str, float | None]


async def measure(*, pairs: int, seed: int) -> Report:
    """Measure the pipelines, ours first, each with a fresh player of the same seed."""
    mine = await _measure(ours, OUR_RATES, pairs=pairs, seed=seed)
    top = await _measure(naive(levels=1), NAIVE_RATES, pairs=pairs, seed=seed)
    deep = await _measure(naive(levels=LEVELS), NAIVE_RATES, pairs=pairs, seed=seed)
    return Report(
        pairs=pairs,
        levels=LEVELS,
        criterion=_CRITERION,
        ours=mine,
        naive=top,
        naive_same_depth=deep,
        ratios=_ratios(mine, top),
        ratios_same_depth=_ratios(mine, deep),
    )


def print_report(report: Report) -> None:
    """Write the figures for people to stdout."""
    for name, measured in (
        ("ours", report.ours),
        ("naive", report.naive),
        (f"naive, {report.levels} levels", report.naive_same_depth),
    ):
        latency = measured.latency_ms
        write_line(
            f"{name:<17} received to intent read at {LIGHT_RATE}/s: p50 {latency['p50']} ms, p99 {latency['p99']} ms; "
            f"from the wire {latency['wire_p50']} and {latency['wire_p99']} ms; "
            f"sustained {measured.sustained_messages_per_s:,} messages/s"
        )
    write_line("ours over naive: " + ", ".join(f"{name} {value}" for name, value in report.ratios.items()))
    same = ", ".join(f"{name} {value}" for name, value in report.ratios_same_depth.items())
    write_line(f"ours over naive with {report.levels} levels: {same}")


class Bench:
    """One pipeline at work, and the player that feeds it."""

    def __init__(self, player: Json, running: Running, redis: Client) -> None:
        self._player = player
        self._running = running
        self._redis = redis

    async def play(self, parts: Sequence[tuple[int, float]]) -> tuple[Json, dict[str, float]]:
        """Play one tape; return what the player says about it and what each process used meanwhile."""
        told = await ask(self._player, "POST", "/tape", {"parts": parts})
        if "error" in told:
            raise StartRefused(f"bench: {told['error']}; this machine is too busy to measure")
        await asyncio.sleep(max(0.0, told["start_ms"] / 1_000 - time.time()))
        before_s = await self._used_s()
        played = await ask(self._player, "GET", "/tape", None)
        after_s = await self._used_s()
        return played, {name: used_s - before_s.get(name, 0.0) for name, used_s in after_s.items()}

    async def probe(self, rate: int, seconds: float) -> Probe:
        """Play one tape at one rate and sum up what came of it."""
        played, used_s = await self.play([(rate, seconds)])
        await asyncio.sleep(1.0)  # what is answered later than a second counts as unanswered
        probe = probe_of(
            openings_of(played),
            await self._running.reads(),
            rate=rate,
            messages=played["messages"],
            seconds=played["seconds"],
            player_late_ms=played["player_late_ms"],
            cpu_s=used_s,
        )
        told = msgspec.json.encode(probe).decode()
        errors.print(f"{rate}/s: {'held' if probe.held else 'not held'} {told}", soft_wrap=True)
        return probe

    async def reads(self) -> list[Moment]:
        """Return what the executor has read so far."""
        return await self._running.reads()

    async def quotes(self) -> int:
        """Return how many quotes our feeds have written."""
        newest: dict[tuple[str, str], int] = {}
        for _, fields in await self._redis.xrange(FEED_HEALTH.name):
            beat = FEED_HEALTH.decoder.decode(fields[FIELD])
            newest[beat.venue, beat.epoch] = beat.quotes
        return sum(newest.values())

    async def outdated(self) -> list[str]:
        """Return the markets whose latest quote has other best prices than the venue."""
        tops = await ask(self._player, "GET", "/tops", None)
        held = await load_latest(self._redis, PAIRS)
        differing: list[str] = []
        for message in held[0].values():
            if not isinstance(message, PairActivated):
                continue
            for venue in Venue:
                market_id = message.pair.market_id(venue)
                payload = await self._redis.get(book_key(venue.value, market_id, message.pair.partition))
                if payload is None or _top(payload) != tops[market_id]:
                    differing.append(market_id)
        return differing

    async def _used_s(self) -> dict[str, float]:
        return processor_s(self._running.pids) | {
            "redis": await redis_processor_s(self._redis),
            **processor_s({"player": self._player["pid"]}),
        }


@asynccontextmanager
async def running(contestant: Contestant, *, pairs: int, seed: int) -> AsyncIterator[Bench]:
    """Start a player, a Redis and one pipeline, and end them with the block."""
    folder = Path(tempfile.mkdtemp(prefix="dutchbook-bench-"))
    try:
        with start_private_redis() as server:
            async with _player(folder, pairs=pairs, seed=seed) as player:
                mapped = (await ask(player, "GET", "/mappings", None))["pairs"]
                async with contestant(folder, server.url, player, mapped) as at_work:
                    redis = connect(server.url, Profile.READER)
                    try:
                        yield Bench(player, at_work, redis)
                    finally:
                        await redis.aclose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def openings_of(played: Json) -> list[Moment]:
    """Return when each edge opened."""
    return [
        Moment(
            kalshi_ticker=item["kalshi_ticker"],
            condition_id=item["condition_id"],
            direction=item["direction"],
            at_ns=item["sent_ns"],
        )
        for item in played["openings"]
    ]


async def ask(player: Json, method: str, path: str, body: object) -> Any:
    """Return what the player answers."""
    async with (
        ClientSession(timeout=ClientTimeout(total=900)) as session,
        session.request(method, player["control_url"] + path, json=body) as answer,
    ):
        return await answer.json()


async def _measure(contestant: Contestant, rates: Sequence[int], *, pairs: int, seed: int) -> Measured:
    async with running(contestant, pairs=pairs, seed=seed) as bench:
        light = await bench.probe(LIGHT_RATE, LIGHT_SECONDS)
        probes = [light]
        sustained = 0
        for rate in rates:
            for _ in range(_TRIES):
                probe = await bench.probe(rate, PROBE_SECONDS)
                probes.append(probe)
                if probe.held:
                    break
            if not probe.held:
                break
            sustained = round(probe.messages / probe.seconds)
    latency = {
        "p50": light.p50_ms,
        "p99": light.p99_ms,
        "wire_p50": light.wire_p50_ms,
        "wire_p99": light.wire_p99_ms,
    }
    return Measured(latency_ms=latency, sustained_messages_per_s=sustained, probes=probes)


@asynccontextmanager
async def _player(folder: Path, *, pairs: int, seed: int) -> AsyncIterator[Json]:
    ready_file = folder / "player.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli.bench.player", str(ready_file), str(pairs), str(seed)
    )
    try:
        await wait_until(
            lambda: asyncio.to_thread(ready_file.is_file),
            timeout_s=_READY_TIMEOUT_S,
            what="bench: the player is not ready",
        )
        yield {**msgspec.json.decode(ready_file.read_bytes()), "pid": process.pid}
    finally:
        process.terminate()
        await process.wait()


def _top(payload: bytes) -> list[int] | None:
    quote = QUOTES[Venue.KALSHI][0].decoder.decode(payload)
    if not isinstance(quote, Quote):
        return None
    bid = quote.yes_bids[0][0] if quote.yes_bids else 0
    ask_price = quote.yes_asks[0][0] if quote.yes_asks else 1
    return [int(bid * 10_000), int(ask_price * 10_000)]


def _ratios(mine: Measured, other: Measured) -> dict[str, float | None]:
    return {
        "throughput": _ratio(mine.sustained_messages_per_s, other.sustained_messages_per_s),
        **{f"latency_{name}": _ratio(mine.latency_ms[name], other.latency_ms[name]) for name in mine.latency_ms},
    }


def _ratio(mine: float | None, other: float | None) -> float | None:
    return round(mine / other, 3) if mine is not None and other else None
