"""The Kalshi feed, wired: discovery to the catalog, live pairs to books, books to quotes, and a beat.

With a key the books are streamed and signed for; without one they are polled.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from random import SystemRandom
from uuid import uuid4

from services.kalshi_feed.checks import ExchangeWatch
from services.kalshi_feed.discovery import Discovery
from services.kalshi_feed.reading import polled, streamed
from services.kalshi_feed.rest_client import RestClient
from services.kalshi_feed.results import paid_dollars
from services.kalshi_feed.serving import signer
from services.kalshi_feed.settings import Settings
from services.kalshi_feed.skew import ClockSkew, skew_alarm
from shared.domain.market import Market, Venue
from shared.io.bus import Identity
from shared.io.http import HttpClient
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.feed_life import FeedLife, Work
from shared.runtime.live_baskets import Followed
from shared.runtime.redis_server import check_redis
from shared.runtime.run import run
from shared.venues.kalshi.limits import AccountLimits, BucketLimit, EndpointCosts, RateLimits

SERVICE = "kalshi_feed"


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    """Wire the parts together and run them until ``stopping`` is set."""
    key = settings.key()
    await check_redis(settings.redis_url)
    life = _life(settings)

    def listed(markets: Sequence[Market], read_ms: int) -> None:
        books.listed(markets, read_ms)

    async with AsyncExitStack() as resources:
        public = await resources.enter_async_context(HttpClient(settings.rest_base))
        client = _client(settings, public, life)
        discovery = _discovery(settings, client, life, on_listed=listed)
        if key is None:
            reading = polled(settings, client, life)
        else:
            signs = signer(key, life.clock)
            signed = await resources.enter_async_context(HttpClient(settings.rest_base, signer=signs))
            reading = streamed(settings, key, client, signed, life, on_news=discovery.news)
        books = reading.books
        work = [
            discovery.run(settings.redis_url, refresh_s=settings.refresh_s),
            *life.catalog_work(lambda: discovery.known, partial(paid_dollars, client), every_s=settings.refresh_s),
            ExchangeWatch(client, books.exchange, every_s=settings.status_s).run(),
            life.keep_beating(reading.changed, reading.beats),
            _after(life.followed, books.run),
            *reading.work,
        ]
        await life.run(
            work,
            stopping,
            want=lambda: books.want(life.followed.markets(Venue.KALSHI)),
            farewell=lambda: books.lost("the Kalshi feed was stopped"),
        )


def cli() -> None:
    """Run the service and exit with its status."""
    sys.exit(run(SERVICE, Settings, main))


def _life(settings: Settings) -> FeedLife:
    return FeedLife(
        Venue.KALSHI,
        settings.redis_url,
        Identity(SERVICE, uuid4().hex[:12]),
        SystemClock(),
        depth=settings.depth,
        quotes_per_s=settings.quotes_per_s,
    )


def _client(settings: Settings, public: HttpClient, life: FeedLife) -> RestClient:
    return RestClient(
        public,
        life.clock,
        allowed=_public_limits(settings, life.clock),
        jitter=SystemRandom(),
        skew=ClockSkew(skew_alarm(life.alarm.page, "the Date header")),
    )


def _public_limits(settings: Settings, clock: Clock) -> RateLimits:
    tokens = BucketLimit(settings.public_tokens_per_s, settings.public_tokens_per_s)
    limits = AccountLimits(usage_tier="public", read=tokens, write=BucketLimit(0, 0))
    return RateLimits(limits, EndpointCosts(), now_ns=int(clock.monotonic_s() * 1_000_000_000))


def _discovery(
    settings: Settings, client: RestClient, life: FeedLife, *, on_listed: Callable[[Sequence[Market], int], None]
) -> Discovery:
    return Discovery(
        client,
        life.outbox,
        life.clock,
        page_pause_s=settings.page_pause_ms / 1000,
        fee_precision_dollars=settings.fee_precision_dollars,
        honour_waivers=settings.honour_fee_waivers,
        on_listed=on_listed,
    )


async def _after(followed: Followed, work: Callable[[], Work]) -> None:
    """Begin when the live pairs and baskets are known."""
    await followed.loaded()
    await work()
