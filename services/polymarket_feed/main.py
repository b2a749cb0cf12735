"""The Polymarket feed, wired: discovery to the catalog, live pairs to subscriptions, books to quotes, and beats."""

import asyncio
import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import SystemRandom
from uuid import uuid4

from services.polymarket_feed.discovery import Discovery
from services.polymarket_feed.results import paid_dollars
from services.polymarket_feed.serving import Streaming
from services.polymarket_feed.settings import Settings
from shared.domain.market import Venue
from shared.io.bus import Identity
from shared.io.fees_file import FeeRate, read_fees
from shared.io.http import HttpClient
from shared.io.yaml_strict import YamlRefused
from shared.runtime.clock import SystemClock
from shared.runtime.feed_life import FeedLife
from shared.runtime.redis_server import check_redis
from shared.runtime.run import run

SERVICE = "polymarket_feed"

log = logging.getLogger(__name__)


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    """Wire the parts together and run them until ``stopping`` is set."""
    await check_redis(settings.redis_url)
    life = _life(settings)

    def want() -> None:
        streaming.want()

    async with (
        HttpClient(settings.gamma_url) as gamma,
        HttpClient(settings.clob_url) as clob,
        asyncio.TaskGroup() as links,
    ):
        discovery = _discovery(settings, gamma, clob, life, on_change=want)
        streaming = Streaming(settings, clob, discovery, life, links)
        work = [
            discovery.run(settings.redis_url, refresh_s=settings.refresh_s, crawl_s=settings.crawl_s),
            *life.catalog_work(lambda: discovery.known, partial(paid_dollars, clob), every_s=settings.refresh_s),
            streaming.auditor.run(),
            life.keep_beating(streaming.news, streaming.beats),
        ]
        await life.run(work, stopping, want=want, farewell=lambda: streaming.end("the feed is stopping"))


def cli() -> None:
    """Run the service and exit with its status."""
    sys.exit(run(SERVICE, Settings, main))


def _life(settings: Settings) -> FeedLife:
    return FeedLife(
        Venue.POLYMARKET,
        settings.redis_url,
        Identity(SERVICE, uuid4().hex[:12]),
        SystemClock(),
        depth=settings.depth,
        quotes_per_s=settings.quotes_per_s,
    )


def _discovery(
    settings: Settings, gamma: HttpClient, clob: HttpClient, life: FeedLife, *, on_change: Callable[[], None]
) -> Discovery:
    return Discovery(
        gamma,
        clob,
        life.outbox,
        life.clock,
        page_pause_s=settings.page_pause_ms / 1000,
        jitter=SystemRandom(),
        on_change=on_change,
        rates=_category_rates(settings.fees_file),
    )


def _category_rates(path: Path) -> tuple[FeeRate, ...]:
    """Return the fallback rates; without them a market of unknown terms stays unpriced, and so alert-only as well."""
    try:
        return read_fees(path).polymarket
    except (OSError, YamlRefused) as error:
        log.error("fees.refused", extra={"file": str(path), "error": str(error)})
        return ()
