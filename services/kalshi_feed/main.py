"""The Kalshi feed, wired: discovery to the catalog, live pairs to books, books to quotes, and a beat.

With a key the books are streamed and signed for; without one they are polled.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from functools import partial
from random import SystemRandom
from typing import Any, NamedTuple
from uuid import uuid4

from services.kalshi_feed.account import AccountWatch
from services.kalshi_feed.beat import beat
from services.kalshi_feed.checks import ExchangeWatch
from services.kalshi_feed.discovery import Discovery
from services.kalshi_feed.fleet import Fleet
from services.kalshi_feed.polled_books import PolledBooks
from services.kalshi_feed.rest_client import RestClient, RestFailed
from services.kalshi_feed.serving import Streaming, signer
from services.kalshi_feed.settings import Settings
from services.kalshi_feed.skew import ClockSkew
from shared.contracts.health import FeedBeat
from shared.contracts.streams import CATALOG
from shared.domain.market import Market, Venue
from shared.domain.pair import Pair
from shared.io.bus import Identity, Outbox
from shared.io.http import HttpClient
from shared.runtime.alarm import Alarm
from shared.runtime.bus_catalog import repair_catalog
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.feed import QuotePublisher
from shared.runtime.feed_life import keep_beating, last_words, stopped
from shared.runtime.live_baskets import Followed, LiveBaskets
from shared.runtime.live_pairs import LivePairs
from shared.runtime.redis_server import check_redis
from shared.runtime.results import ResultTeller, ResultUnknown
from shared.runtime.run import run
from shared.venues.kalshi import catalog, rest
from shared.venues.kalshi.limits import AccountLimits, BucketLimit, EndpointCosts, RateLimits

SERVICE = "kalshi_feed"

log = logging.getLogger(__name__)

Work = Coroutine[Any, Any, None]


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    """Wire the parts together and run them until ``stopping`` is set."""
    key = settings.key()
    await check_redis(settings.redis_url)
    clock = SystemClock()
    identity = Identity(SERVICE, uuid4().hex[:12])
    outbox = Outbox(settings.redis_url, identity)
    alarm = Alarm(outbox, clock)
    alert = alarm.page

    def pairs_changed() -> None:
        books.want(followed.markets(Venue.KALSHI))
        publisher.publish_again(pairs.moved(Venue.KALSHI))

    def baskets_changed() -> None:
        books.want(followed.markets(Venue.KALSHI))
        publisher.publish_again()

    pairs = LivePairs(settings.redis_url, on_change=pairs_changed)
    baskets = LiveBaskets(settings.redis_url, on_change=baskets_changed)
    followed = Followed(pairs, baskets)
    publisher = QuotePublisher(
        settings.redis_url,
        venue=Venue.KALSHI,
        identity=identity,
        clock=clock,
        depth=settings.depth,
        quotes_per_s=settings.quotes_per_s,
        partitions_of=lambda market_id: followed.partitions(Venue.KALSHI, market_id),
    )

    def listed(markets: Sequence[Market], read_ms: int) -> None:
        books.listed(markets, read_ms)

    async with AsyncExitStack() as resources:
        http = await resources.enter_async_context(HttpClient(settings.rest_base))
        client = RestClient(
            http,
            clock,
            allowed=_public_limits(settings, clock),
            jitter=SystemRandom(),
            skew=ClockSkew(_skew_alarm(alert, "the Date header")),
        )
        discovery = Discovery(
            client,
            outbox,
            clock,
            page_pause_s=settings.page_pause_ms / 1000,
            fee_precision_dollars=settings.fee_precision_dollars,
            honour_waivers=settings.honour_fee_waivers,
            on_listed=listed,
        )
        if key is None:
            reading = _polling(settings, client, publisher, clock, alarm, epoch=identity.epoch)
        else:
            signed = await resources.enter_async_context(HttpClient(settings.rest_base, signer=signer(key, clock)))
            watch = AccountWatch(client, signed, clock, share_percent=settings.account_share_percent)
            streaming = Streaming(
                settings,
                key,
                client,
                publisher,
                clock,
                epoch=identity.epoch,
                alert=alert,
                on_news=discovery.news,
                on_delay=ClockSkew(_skew_alarm(alert, "the stamps on the stream")).saw_stream,
            )
            fleet = streaming.fleet
            reading = _Reading(
                fleet,
                streaming.state_changed,
                lambda: [beat(one, clock, quotes=publisher.quotes) for one in fleet.connections],
                [watch.run()],
            )
        books = reading.books
        work = [
            pairs.run(stopping),
            baskets.run(stopping),
            discovery.run(settings.redis_url, refresh_s=settings.refresh_s),
            repair_catalog(settings.redis_url, CATALOG[Venue.KALSHI], outbox, lambda: discovery.known),
            ResultTeller(Venue.KALSHI, pairs, outbox, partial(_result, client), known=lambda: discovery.known).run(
                every_s=settings.refresh_s
            ),
            ExchangeWatch(client, books.exchange, every_s=settings.status_s).run(),
            keep_beating(reading.changed, reading.beats, outbox),
            _after(followed, books.run),
            *reading.work,
        ]
        async with asyncio.TaskGroup() as tasks:
            writing = [tasks.create_task(outbox.run()), tasks.create_task(publisher.run())]
            working = [tasks.create_task(one) for one in work]
            await stopping.wait()
            await stopped(working)
            books.lost("the Kalshi feed was stopped")
            await last_words(outbox, publisher)
            await stopped(writing)


class _Reading(NamedTuple):
    """How books are read, streamed or polled, and what else has to run for it."""

    books: Fleet | PolledBooks
    changed: asyncio.Event
    """Set when a connection's state is another than it was."""
    beats: Callable[[], list[FeedBeat]]
    work: list[Work]


def _polling(
    settings: Settings, client: RestClient, publisher: QuotePublisher, clock: Clock, alarm: Alarm, *, epoch: str
) -> _Reading:
    log.warning("books.polled", extra={"reason": "no Kalshi key is set: public order books are polled"})
    alarm.info(
        "kalshi_feed.without_key",
        "Kalshi's books are polled, not streamed",
        f"no key is set for KALSHI_ENV={settings.env}; each book is read about every {settings.poll_ms} ms",
    )
    books = PolledBooks(client, publisher, clock, alert=alarm.page, epoch=epoch, poll_s=settings.poll_ms / 1000)
    return _Reading(books, books.state_changed, lambda: [books.beat(quotes=publisher.quotes)], [])


def cli() -> None:
    """Run the service and exit with its status."""
    sys.exit(run(SERVICE, Settings, main))


async def _result(client: RestClient, pair: Pair) -> Decimal | None:
    """Return what YES of a pair's market paid, None before it is final. Raises ResultUnknown."""
    try:
        return catalog.yes_paid_dollars(await client.get(rest.market_request(pair.kalshi_ticker)))
    except (RestFailed, catalog.BodyRefused) as error:
        raise ResultUnknown(str(error)) from error


def _skew_alarm(alert: Callable[[str, str, str], None], told_by: str) -> Callable[[int], None]:
    def alarm(off_ms: int) -> None:
        log.error("clock.skewed", extra={"off_ms": off_ms, "told_by": told_by})
        alert(
            "kalshi_feed.clock_skew",
            f"Our clock and Kalshi's are {abs(off_ms)} ms apart",
            f"told by {told_by}; ours is {'behind' if off_ms > 0 else 'ahead'}: synchronise this machine's clock (NTP)",
        )

    return alarm


def _public_limits(settings: Settings, clock: Clock) -> RateLimits:
    tokens = BucketLimit(settings.public_tokens_per_s, settings.public_tokens_per_s)
    limits = AccountLimits(usage_tier="public", read=tokens, write=BucketLimit(0, 0))
    return RateLimits(limits, EndpointCosts(), now_ns=int(clock.monotonic_s() * 1_000_000_000))


async def _after(followed: Followed, work: Callable[[], Work]) -> None:
    """Begin when the live pairs and baskets are known."""
    await followed.loaded()
    await work()
