"""The Kalshi feed, wired: discovery to the catalog, live pairs to subscriptions, books to quotes, and a beat."""

import asyncio
import logging
import sys
from collections.abc import Sequence
from random import SystemRandom
from uuid import uuid4

from websockets.asyncio.client import ClientConnection

from services.kalshi_feed.beat import beat
from services.kalshi_feed.discovery import Discovery
from services.kalshi_feed.live_books import LiveBooks
from services.kalshi_feed.settings import Settings
from shared.contracts.alerts import OperationalAlert
from shared.contracts.streams import ALERTS, CATALOG, FEED_HEALTH
from shared.domain.market import Venue
from shared.io.bus import Identity, Outbox
from shared.io.http import HttpClient
from shared.io.websocket import dial, keep_connected
from shared.runtime.catalog_repair import repair_catalog
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.feed import QuotePublisher
from shared.runtime.live_pairs import LivePairs
from shared.runtime.redis_server import check_redis
from shared.runtime.run import run
from shared.venues.kalshi.auth import KalshiKey
from shared.venues.kalshi.session import KalshiSession
from shared.venues.kalshi.urls import signed_path

SERVICE = "kalshi_feed"
_BEAT_S = 1.0
_LAST_WORDS_S = 1.0

log = logging.getLogger(__name__)


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    """Wire the parts together and run them until ``stopping`` is set."""
    key = settings.key()
    await check_redis(settings.redis_url)
    clock = SystemClock()
    identity = Identity(SERVICE, uuid4().hex[:12])
    outbox = Outbox(settings.redis_url, identity)

    def pairs_changed() -> None:
        books.want(pairs.markets(Venue.KALSHI))
        publisher.publish_again()

    pairs = LivePairs(settings.redis_url, on_change=pairs_changed)
    publisher = QuotePublisher(
        settings.redis_url,
        venue=Venue.KALSHI,
        identity=identity,
        clock=clock,
        depth=settings.depth,
        partitions_of=lambda market_id: pairs.partitions(Venue.KALSHI, market_id),
    )

    def alert(code: str, title: str, detail: str) -> None:
        now_ns = clock.now_ns()
        outbox.put(
            ALERTS,
            OperationalAlert(
                alert_id=f"{code}:{now_ns}",
                severity="page",
                code=code,
                title=title,
                detail=detail,
                happened_ts_ns=now_ns,
            ),
        )

    session = KalshiSession(use_yes_price=settings.use_yes_price, chunk=settings.chunk)
    books = LiveBooks(session, publisher, clock, alert=alert, epoch=identity.epoch, silent_s=settings.silent_s)

    async with HttpClient(settings.rest_base) as client:
        discovery = Discovery(
            client,
            outbox,
            clock,
            page_pause_s=settings.page_pause_ms / 1000,
            fee_precision_dollars=settings.fee_precision_dollars,
            jitter=SystemRandom(),
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pairs.run(stopping))  # ends by itself: a blocking read is never cancelled
            writing = [tasks.create_task(outbox.run()), tasks.create_task(publisher.run())]
            working = [
                tasks.create_task(discovery.run(settings.redis_url, refresh_s=settings.refresh_s)),
                tasks.create_task(
                    repair_catalog(settings.redis_url, CATALOG[Venue.KALSHI], outbox, lambda: discovery.known)
                ),
                tasks.create_task(_keep_books(settings, key, books, pairs, clock)),
                tasks.create_task(_beats(books, publisher, outbox, clock)),
            ]
            await stopping.wait()
            await _stopped(working)
            await _last_words(outbox)
            await _stopped(writing)


def cli() -> None:
    """Run the service and exit with its status."""
    sys.exit(run(SERVICE, Settings, main))


async def _stopped(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Cancel these tasks and wait until they are done; what they raise is the task group's to see."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _last_words(outbox: Outbox) -> None:
    """Let what is queued be written, unless Redis is away."""
    try:
        async with asyncio.timeout(_LAST_WORDS_S):
            await outbox.flushed()
    except TimeoutError:
        log.warning("outbox.abandoned")


async def _keep_books(settings: Settings, key: KalshiKey, books: LiveBooks, pairs: LivePairs, clock: Clock) -> None:
    """Stay connected once the pairs are known, with a fresh signature for every dial."""
    await pairs.loaded.wait()
    url = settings.websocket

    async def open_link() -> ClientConnection:
        return await dial(url, key.headers(timestamp_ms=clock.now_ms(), method="GET", path=signed_path(url)))

    await keep_connected(
        open_link,
        books.talk,
        name=SERVICE,
        on_lost=books.lost,
        on_unauthorised=books.unauthorised,
        jitter=SystemRandom(),
    )


async def _beats(books: LiveBooks, publisher: QuotePublisher, outbox: Outbox, clock: Clock) -> None:
    while True:
        outbox.put(FEED_HEALTH, beat(books, clock, quotes=publisher.quotes))
        await asyncio.sleep(_BEAT_S)
