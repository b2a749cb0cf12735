"""The wiring of the alerts service: three streams in, one sink out."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from random import SystemRandom
from typing import TypeVar

import msgspec

from services.alerts.notifier import Notifier
from services.alerts.settings import Settings
from services.alerts.sink import LogSink, Sink, SlackSink
from services.alerts.text import basket_closed_text, basket_opened_text, closed_text, opened_text, operational_text
from shared.contracts.alerts import OperationalAlert
from shared.contracts.baskets import BasketClosed, BasketOpened, BasketOpportunityMessage
from shared.contracts.envelope import Message
from shared.contracts.opportunities import OpportunityClosed, OpportunityMessage, OpportunityOpened
from shared.contracts.pairs import PairActivated
from shared.contracts.streams import ALERTS, BASKET_OPPORTUNITIES, OPPORTUNITIES, PAIRS, Stream
from shared.domain.pair import PairId
from shared.io.bus import TRANSIENT, Client, GroupReader, Profile, connect, trim_behind_groups
from shared.io.webhook import Webhook, WebhookRefused
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.crash import Crashes
from shared.runtime.redis_server import check_redis
from shared.runtime.run import run

SERVICE = "alerts"
_TRIM_EVERY_S = 60.0
_KEPT_MS = 6 * 3_600_000

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)
Named = tuple[str, str]
"""What a message is remembered by, and what it says."""


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    """Alert about what the streams bring until ``stopping`` is set."""
    url = settings.webhook_url()
    await check_redis(settings.redis_url)
    clock = SystemClock()
    async with (
        aclosing(connect(settings.redis_url, Profile.WRITER)) as redis,
        _sink(url) as sink,
        asyncio.TaskGroup() as tasks,
    ):
        notifier = Notifier(redis, sink, stopping=stopping, jitter=SystemRandom(), crashes=Crashes(settings.crash_at))

        async def about_opportunity(message: OpportunityMessage) -> Named | None:
            return await _about_opportunity(message, redis, clock, announce_close=settings.announce_close)

        async def about_basket(message: BasketOpportunityMessage) -> Named | None:
            return _about_basket(message, clock, announce_close=settings.announce_close)

        following = [
            tasks.create_task(_follow(settings.redis_url, OPPORTUNITIES, about_opportunity, notifier, stopping)),
            tasks.create_task(_follow(settings.redis_url, BASKET_OPPORTUNITIES, about_basket, notifier, stopping)),
            tasks.create_task(_follow(settings.redis_url, ALERTS, _about_system, notifier, stopping)),
        ]
        trimming = tasks.create_task(_trim_now_and_then(redis, clock))
        await asyncio.wait(following)
        trimming.cancel()
    log.info("alerts.stopped", extra={"sent": notifier.sent, "repeats": notifier.repeats})


@asynccontextmanager
async def _sink(url: str | None) -> AsyncIterator[Sink]:
    if url is None:
        log.warning("alerts.to_log", extra={"because": "ALERTS_SLACK_WEBHOOK_URL_FILE is not set"})
        yield LogSink()
        return
    async with Webhook(url) as webhook:
        yield SlackSink(webhook)


async def _follow(
    url: str,
    stream: Stream[M],
    about: Callable[[M], Awaitable[Named | None]],
    notifier: Notifier,
    stopping: asyncio.Event,
) -> None:
    """Deliver what ``about`` makes of each message, and only then say that it was read."""
    reader = GroupReader(url, stream, group=SERVICE, consumer=SERVICE)
    async with aclosing(reader.deliveries(stopping)) as deliveries:
        async for delivery in deliveries:
            named = await about(delivery.message)
            try:
                if named is not None and not await notifier.deliver(*named):
                    return
            except WebhookRefused as refusal:
                log.error("alert.refused", extra={"id": named[0] if named else "", "answer": str(refusal)})
                await reader.give_up(delivery, f"the sink refused it: {refusal}")
                continue
            await reader.ack(delivery)


async def _about_opportunity(
    message: OpportunityMessage, redis: Client, clock: Clock, *, announce_close: bool
) -> Named | None:
    """Return what to say about an episode: its beginning and, where wanted, its end."""
    if isinstance(message, OpportunityOpened):
        source = await _source_of(message.pair_id, redis)
        return f"opened:{message.opportunity_id}", opened_text(message, source=source, now_ns=clock.now_ns())
    if announce_close and isinstance(message, OpportunityClosed):
        return f"closed:{message.opportunity_id}", closed_text(message)
    return None


def _about_basket(message: BasketOpportunityMessage, clock: Clock, *, announce_close: bool) -> Named | None:
    """Return what to say about a basket's episode: its beginning and, where wanted, its end."""
    if isinstance(message, BasketOpened):
        return f"opened:{message.opportunity_id}", basket_opened_text(message, now_ns=clock.now_ns())
    if announce_close and isinstance(message, BasketClosed):
        return f"closed:{message.opportunity_id}", basket_closed_text(message)
    return None


async def _about_system(message: OperationalAlert) -> Named | None:
    return f"system:{message.alert_id}", operational_text(message)


async def _source_of(pair_id: PairId, redis: Client) -> str:
    """Return where a pair comes from; an alert does not wait for this, so it is empty when it cannot be read now."""
    try:
        held = await redis.hget(PAIRS.hash_name, pair_id)
        message = PAIRS.decoder.decode(held) if held is not None else None
    except (*TRANSIENT, msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.warning("pair.unreadable", extra={"pair": pair_id, "error": str(error)})
        return ""
    return f"{message.pair.origin} {message.pair.source}" if isinstance(message, PairActivated) else ""


async def _trim_now_and_then(redis: Client, clock: Clock) -> None:
    """Drop what every reader has acknowledged and what is old enough for people not to look for it."""
    while True:
        await asyncio.sleep(_TRIM_EVERY_S)
        try:
            for stream in (OPPORTUNITIES, BASKET_OPPORTUNITIES, ALERTS):
                await trim_behind_groups(redis, stream, before_ms=clock.now_ms() - _KEPT_MS)
        except TRANSIENT as error:
            log.warning("trim.waiting", extra={"error": str(error)})


def cli() -> None:
    """Run the service and exit with its status."""
    sys.exit(run(SERVICE, Settings, main))
