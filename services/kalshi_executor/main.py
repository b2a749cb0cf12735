"""The wiring of the Kalshi executor. In this release it is dry-run only: no code that could reach a venue is loaded."""

import asyncio
import logging
import sys
from contextlib import aclosing
from uuid import uuid4

from services.kalshi_executor.crash_points import CrashPoint
from services.kalshi_executor.executor import Executor
from services.kalshi_executor.ledger import Ledger
from services.kalshi_executor.ledger_thread import LedgerThread
from services.kalshi_executor.publisher import Publisher
from services.kalshi_executor.settings import Settings
from services.kalshi_executor.transport import SimulatedFills
from services.kalshi_executor.view import MarketView
from shared.contracts.intents import HedgedIntent
from shared.contracts.streams import Stream, executions, intents
from shared.domain.market import MarketId, Venue
from shared.io.bus import TRANSIENT, GroupReader, Identity, Outbox, Profile, connect, trim_behind_groups
from shared.runtime.alarm import Alarm
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.crash import Crashes
from shared.runtime.errors import Halted
from shared.runtime.live_pairs import LivePairs
from shared.runtime.redis_server import check_redis
from shared.runtime.run import run
from shared.runtime.settings import Secret, read_intent_key

SERVICE = "kalshi_executor"
_TRIM_EVERY_S = 10.0
_KEPT_MS = 600_000
_LAST_WORDS_S = 1.0
_NS_PER_DAY = 86_400_000_000_000
_FORGET_EVERY_S = 3_600.0
_FORGOTTEN_AT_ONCE = 200
_BETWEEN_FORGETTING_S = 0.05
_READ_AHEAD = 16
"""Intents that may be read while an earlier one is being journaled, so that their age counts from when they came."""

log = logging.getLogger(__name__)


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    """Execute one account's intents until ``stopping`` is set."""
    if settings.mode == "live":
        raise Halted(
            "KALSHI_EXECUTOR_MODE=live: sending orders comes with a later release; this one only simulates them (dry)"
        )
    key = read_intent_key(settings.intent_key_file)
    await check_redis(settings.redis_url)
    ledger = Ledger(
        settings.ledger_file, account=settings.account, environment=settings.environment, mode=settings.mode
    )
    with ledger:
        thread = LedgerThread(ledger)
        try:
            async with aclosing(connect(settings.redis_url, Profile.CONTROL)) as control:
                await _serve(settings, stopping, key, thread, MarketView(control))
        finally:
            thread.close()


async def _serve(
    settings: Settings, stopping: asyncio.Event, key: Secret, ledger: LedgerThread, view: MarketView
) -> None:
    clock = SystemClock()
    crashes = Crashes(settings.crash_at)
    outbox = Outbox(settings.redis_url, Identity(SERVICE, uuid4().hex))
    alarm = Alarm(outbox, clock)
    publisher = Publisher(ledger, outbox, executions(settings.account), clock=clock, crashes=crashes)
    pairs = LivePairs(settings.redis_url, on_change=lambda: None)

    def partitions_of(market_id: MarketId) -> tuple[int, ...]:
        return pairs.partitions(Venue.KALSHI, market_id)

    def on_altered(intent: HedgedIntent) -> None:
        log.error("intent.altered", extra={"intent": intent.intent_id})
        alarm.page(
            "intent.altered",
            "An intent came twice with different contents",
            f"intent {intent.intent_id} of opportunity {intent.opportunity_id}; the second one was ignored",
            about=intent.intent_id,
        )

    executor = Executor(
        account=settings.account,
        environment=settings.environment,
        mode=settings.mode,
        key=key,
        limits=settings.limits,
        kill_path=settings.kill_path,
        ledger=ledger,
        pairs=pairs.pairs,
        view=view,
        transport=SimulatedFills(view, partitions_of=partitions_of),
        clock=clock,
        crashes=crashes,
        on_said=publisher.wake,
        on_altered=on_altered,
    )
    stream = intents(settings.account)
    log.info("executor.started", extra={"mode": settings.mode, "account": settings.account, "ledger": ledger.uuid})
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(outbox.run())
        await executor.recover()
        publishing = tasks.create_task(publisher.run())
        following = tasks.create_task(pairs.run(stopping))
        trimming = tasks.create_task(_trim_now_and_then(settings.redis_url, stream, clock))
        forgetting = tasks.create_task(_forget_now_and_then(ledger, clock, keep_days=settings.outbox_keep_days))
        if await _either(pairs.loaded, stopping):
            await _execute(settings.redis_url, stream, executor, crashes, stopping)
        else:
            following.cancel()
        trimming.cancel()
        forgetting.cancel()
        publisher.finish()
        await asyncio.wait({publishing}, timeout=_LAST_WORDS_S)
        publishing.cancel()
        writing.cancel()


async def _execute(
    url: str, stream: Stream[HedgedIntent], executor: Executor, crashes: Crashes, stopping: asyncio.Event
) -> None:
    """Handle intents until ``stopping`` is set; what was read and not handled is delivered again at the next start."""
    reader = GroupReader(url, stream, group=SERVICE, consumer=SERVICE, ahead=_READ_AHEAD)
    async with aclosing(reader.deliveries(stopping)) as deliveries:
        async for delivery in deliveries:
            if stopping.is_set():
                return
            await executor.handle(delivery.message, waited_s=delivery.waited_s)
            crashes.reach(CrashPoint.UNACKED)
            await reader.ack(delivery)


async def _trim_now_and_then(url: str, stream: Stream[HedgedIntent], clock: Clock) -> None:
    redis = connect(url, Profile.WRITER)
    try:
        while True:
            await asyncio.sleep(_TRIM_EVERY_S)
            try:
                await trim_behind_groups(redis, stream, before_ms=clock.now_ms() - _KEPT_MS)
            except TRANSIENT as error:
                log.warning("trim.waiting", extra={"error": str(error)})
    finally:
        await redis.aclose()


async def _forget_now_and_then(ledger: LedgerThread, clock: Clock, *, keep_days: int) -> None:
    """Drop old messages that the stream holds from the ledger, for ever; a few at a time, so that no intent waits."""
    while True:
        before_ns = clock.now_ns() - keep_days * _NS_PER_DAY
        forgotten = await ledger.do(Ledger.forget_published, before_ns, _FORGOTTEN_AT_ONCE)
        await asyncio.sleep(_BETWEEN_FORGETTING_S if forgotten else _FORGET_EVERY_S)


async def _either(wanted: asyncio.Event, stopping: asyncio.Event) -> bool:
    """Wait for either event; return whether it was ``wanted``."""
    waits = [asyncio.ensure_future(event.wait()) for event in (wanted, stopping)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    return not stopping.is_set()


def cli() -> None:
    """Run the service and exit with its status."""
    sys.exit(run(SERVICE, Settings, main))
