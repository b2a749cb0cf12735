"""``dutchbook demo``: the whole pipeline against the simulated venues, judged by the simulator's own truth."""

import asyncio
import secrets
import signal
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.live import Live

from services.cli.judge import Episode, Key, TrueInterval, Verdict, judge
from services.cli.output import errors, write_line
from services.cli.run_folder import secret_file, temporary_folder
from services.cli.simulated import write_mappings
from services.cli.slack_sink import SlackSink
from services.cli.stack import SERVICES, Stack
from services.cli.table import live_table
from services.cli.waiting import wait_until
from services.cli.watch import PipelineWatch, Seen
from shared.domain.market import Venue
from shared.io.bus import TRANSIENT
from shared.io.http import HttpClient, HttpUnavailable
from shared.runtime.errors import StartRefused
from shared.runtime.redis_server import start_private_redis

ACCOUNT = "demo"
READY_TIMEOUT_S = 60.0
_LAST_WORDS_S = 1.5
"""After the window: time for what was seen in it to come through."""


class Simulator(msgspec.Struct, frozen=True):
    """The simulator's ready file."""

    kalshi: dict[str, str]
    polymarket: dict[str, str]
    control_url: str
    seed: int


class Venues(msgspec.Struct):
    """What one feed saw."""

    markets: int
    frames: int


class Summary(msgspec.Struct, kw_only=True):
    """What the demo prints at its end."""

    seed: int
    venues: dict[str, Venues]
    pairs: dict[str, int]
    quotes: int
    opportunities: dict[str, int]
    intents: dict[str, int]
    alerts: dict[str, int]
    latency_ms: dict[str, float | None]
    """From the read of the frame that led to it until the executor had the intent, the detector's debounce included."""

    @property
    def exit_status(self) -> int:
        """1 when an expected opportunity was missed or a false one was announced."""
        return 1 if self.opportunities["missed"] or self.opportunities["false"] else 0


async def demo(*, seed: int, duration_s: float | None, show: bool) -> Summary:
    """Run everything for ``duration_s`` seconds after it is ready (or until interrupted) and return what happened.

    Raises StartRefused when a part does not come up or ends by itself.
    """
    interrupted = asyncio.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(wanted, interrupted.set)
    with temporary_folder("dutchbook-demo-", interrupted) as folder, start_private_redis() as redis:
        async with SlackSink() as sink:
            running = _Demo(folder, redis.url, sink, seed=seed, show=show, interrupted=interrupted)
            return await running.run(duration_s)


class _Demo:
    def __init__(
        self,
        folder: Path,
        redis_url: str,
        sink: SlackSink,
        *,
        seed: int,
        show: bool,
        interrupted: asyncio.Event,
    ) -> None:
        self._folder = folder
        self._redis_url = redis_url
        self._sink = sink
        self._seed = seed
        self._show = show
        self._interrupted = interrupted
        self._stack = Stack(folder, {"DUTCHBOOK_REDIS_URL": redis_url})
        self._watch = PipelineWatch(redis_url, account=ACCOUNT)

    async def run(self, duration_s: float | None) -> Summary:
        stopping = asyncio.Event()
        watching = asyncio.create_task(self._watch.run(stopping))
        try:
            simulator = await self._start()
            await self._wait_until_quoted(simulator)
            from_ms = _now_ms()
            await self._look_on(duration_s)
            to_ms = _now_ms()
            truth = await self._control(simulator, "/truth")
            await asyncio.sleep(_LAST_WORDS_S)
            return await self._summary(truth, from_ms=from_ms, to_ms=to_ms)
        finally:
            stopping.set()
            await self._stack.stop()
            await asyncio.wait({watching})
            await self._watch.close()

    async def _start(self) -> Simulator:
        ready_file = self._folder / "simulator.json"
        await self._stack.start(
            "venue_sim",
            environ={"VENUE_SIM_SEED": str(self._seed), "VENUE_SIM_READY_FILE": str(ready_file)},
        )

        async def is_ready() -> bool:
            self._check_alive()
            return await asyncio.to_thread(ready_file.is_file)

        await wait_until(is_ready, timeout_s=READY_TIMEOUT_S, what="the simulator is not ready")
        simulator = msgspec.json.decode(ready_file.read_bytes(), type=Simulator)
        environ = await self._environ(simulator)
        for service in SERVICES:
            await self._stack.start(service, environ=environ)
        return simulator

    async def _environ(self, simulator: Simulator) -> Mapping[str, str]:
        curated = await self._control(simulator, "/mappings")
        truth = await self._control(simulator, "/truth")
        mappings = write_mappings(self._folder, curated["pairs"])
        games = {pair["kalshi_ticker"].partition("-")[0] for pair in truth["pairs"] if pair["kind"] == "template"}
        key_file = secret_file(self._folder / "intent.key", secrets.token_hex(32))
        url_file = secret_file(self._folder / "slack.url", self._sink.url)
        return {
            "KALSHI_ENV": "demo",
            "KALSHI_DEMO_KEY_ID": simulator.kalshi["key_id"],
            "KALSHI_DEMO_KEY_FILE": simulator.kalshi["private_key_file"],
            "KALSHI_REST_URL": simulator.kalshi["rest_url"],
            "KALSHI_WS_URL": simulator.kalshi["ws_url"],
            "POLYMARKET_GAMMA_URL": simulator.polymarket["gamma_url"],
            "POLYMARKET_CLOB_URL": simulator.polymarket["clob_url"],
            "POLYMARKET_WS_URL": simulator.polymarket["ws_url"],
            "MATCHER_MAPPINGS_DIR": str(mappings),
            "MATCHER_TEMPLATES_ON": ",".join(sorted(games)),
            "DUTCHBOOK_ACCOUNT": ACCOUNT,
            "DUTCHBOOK_INTENT_KEY_FILE": str(key_file),
            "KALSHI_EXECUTOR_LEDGER_FILE": str(self._folder / "ledger.sqlite3"),
            "ALERTS_SLACK_WEBHOOK_URL_FILE": str(url_file),
            "ALERTS_ALLOW_LOCAL_SINK": "true",
        }

    async def _wait_until_quoted(self, simulator: Simulator) -> None:
        truth = await self._control(simulator, "/truth")
        wanted = len(_mapped_pairs(truth))

        async def is_quoted() -> bool:
            self._check_alive()
            try:
                pairs, _ = await self._watch.pairs()
                unquoted = await self._watch.unquoted(pairs)
            except TRANSIENT:
                return False
            self._say(f"starting: {len(pairs)} of {wanted} pairs live, {len(unquoted)} books missing")
            return len(pairs) >= wanted and not unquoted

        await wait_until(is_quoted, timeout_s=READY_TIMEOUT_S, what="not every pair is live and quoted")

    async def _look_on(self, duration_s: float | None) -> None:
        ends_at_s = time.monotonic() + duration_s if duration_s is not None else None
        with Live(console=errors, refresh_per_second=4, transient=False) if self._show else _NoTable() as table:
            while not self._interrupted.is_set() and (ends_at_s is None or time.monotonic() < ends_at_s):
                table.update(live_table(self._watch.seen, header=self._header(ends_at_s), alerts=self._sink.messages))
                left_s = 0.25 if ends_at_s is None else max(0.0, min(0.25, ends_at_s - time.monotonic()))
                done, _ = await asyncio.wait({self._stack.broken}, timeout=left_s)
                for broken in done:
                    broken.result()

    def _header(self, ends_at_s: float | None) -> str:
        left = "" if ends_at_s is None else f", {max(0.0, ends_at_s - time.monotonic()):.0f} s left"
        return f"dutchbook demo, seed {self._seed}, simulated venues, dry-run{left} (Ctrl-C ends it)"

    def _check_alive(self) -> None:
        if self._stack.broken.done():
            self._stack.broken.result()
        if self._interrupted.is_set():
            raise StartRefused("interrupted before everything was up")

    async def _control(self, simulator: Simulator, path: str) -> Any:
        async with HttpClient(simulator.control_url) as client:
            try:
                answer = await client.get(path)
            except HttpUnavailable as error:
                raise StartRefused(f"the simulator's control port does not answer: {error}") from None
        return msgspec.json.decode(answer.body)

    async def _summary(self, truth: Any, *, from_ms: int, to_ms: int) -> Summary:
        seen = self._watch.seen
        pairs, candidates = await self._watch.pairs()
        verdict = judge(
            _true_intervals(truth), _episodes(seen, to_ms=to_ms), watched_from_ms=from_ms, watched_to_ms=to_ms
        )
        self._explain(verdict)
        return Summary(
            seed=self._seed,
            venues={
                venue.value: Venues(markets=await self._watch.listed(venue), frames=seen.venue_frames(venue))
                for venue in Venue
            },
            pairs={"live": len(pairs), "candidates": candidates},
            quotes=seen.all_quotes(),
            opportunities={
                "expected": verdict.expected,
                "found": verdict.found,
                "missed": verdict.missed,
                "false": verdict.false,
            },
            intents={"emitted": seen.intents, "filled": seen.filled, "refused": seen.refused},
            alerts={"sent": self._sink.messages},
            latency_ms=_latency_ms(seen.wire_to_intent_ns),
        )

    def _explain(self, verdict: Verdict) -> None:
        for interval in verdict.missed_intervals:
            errors.print(f"missed: {interval}")
        for episode in verdict.false_episodes:
            errors.print(f"false: {episode}")

    def _say(self, text: str) -> None:
        if self._show:
            errors.print(text, end="\r")


class _NoTable:
    def __enter__(self) -> "_NoTable":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, _: object) -> None:
        """Show nothing."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _mapped_pairs(truth: Any) -> set[tuple[str, str]]:
    """Return the true pairs that the mappings know; nobody can be asked to find the others."""
    return {
        (pair["kalshi_ticker"], pair["condition_id"])
        for pair in truth["pairs"]
        if pair["kind"] in {"curated", "template"}
    }


def _true_intervals(truth: Any) -> list[TrueInterval]:
    mapped = _mapped_pairs(truth)
    return [
        TrueInterval(
            key=Key(item["kalshi_ticker"], item["condition_id"], item["direction"]),
            opened_ms=item["opened_ms"],
            closed_ms=item["closed_ms"] if item["closed_ms"] is not None else truth["now_ms"],
        )
        for item in truth["intervals"]
        if (item["kalshi_ticker"], item["condition_id"]) in mapped
    ]


def _episodes(seen: Seen, *, to_ms: int) -> list[Episode]:
    episodes = []
    for opportunity_id, opened in seen.opened.items():
        kalshi, polymarket = opened.legs
        closed = seen.closed.get(opportunity_id)
        episodes.append(
            Episode(
                key=Key(kalshi.market_id, polymarket.market_id, opened.direction.value),
                opened_ms=opened.detected_ts_ns // 1_000_000,
                closed_ms=closed.closed_ts_ns // 1_000_000 if closed else to_ms,
            )
        )
    return episodes


def _latency_ms(samples_ns: list[int]) -> dict[str, float | None]:
    if not samples_ns:
        return {"wire_to_intent_p50": None, "wire_to_intent_p99": None}
    cuts = statistics.quantiles([*samples_ns, *samples_ns], n=100, method="inclusive")
    return {
        "wire_to_intent_p50": round(cuts[49] / 1_000_000, 3),
        "wire_to_intent_p99": round(cuts[98] / 1_000_000, 3),
    }


def print_summary(summary: Summary) -> None:
    """Write the result for people to stdout."""
    found, pairs = summary.opportunities, summary.pairs
    for venue, seen in summary.venues.items():
        write_line(f"{venue:<11} {seen.markets} markets, {seen.frames:,} frames")
    write_line(f"pairs       {pairs['live']} live, {pairs['candidates']} candidates for review")
    write_line(f"quotes      {summary.quotes:,}")
    write_line(
        f"edges       {found['expected']} expected, {found['found']} found, "
        f"{found['missed']} missed, {found['false']} false"
    )
    intents = summary.intents
    write_line(f"intents     {intents['emitted']} emitted, {intents['filled']} filled, {intents['refused']} refused")
    write_line(f"alerts      {summary.alerts['sent']} sent")
    latency = summary.latency_ms
    write_line(
        f"latency     wire to intent p50 {latency['wire_to_intent_p50']} ms, p99 {latency['wire_to_intent_p99']} ms"
    )
