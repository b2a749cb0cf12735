"""The Polymarket feed, wired: discovery to the catalog, live pairs to subscriptions, books to quotes, and beats."""

import asyncio
import logging
import sys
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from random import SystemRandom
from uuid import uuid4

from services.polymarket_feed.audit import GRACE_S, Auditor
from services.polymarket_feed.beat import beat
from services.polymarket_feed.core import agreeing, tokens_of_baskets, tokens_of_pairs
from services.polymarket_feed.discovery import Discovery
from services.polymarket_feed.fleet import Fleet
from services.polymarket_feed.live_books import Gate, LiveBooks
from services.polymarket_feed.settings import Settings
from shared.contracts.health import FeedBeat
from shared.contracts.streams import CATALOG
from shared.domain.market import Venue
from shared.domain.pair import Pair
from shared.io.bus import Identity, Outbox
from shared.io.fees_file import FeeRate, read_fees
from shared.io.frame_link import FrameLink
from shared.io.http import HttpClient, HttpUnavailable
from shared.io.websocket import dial
from shared.io.yaml_strict import YamlRefused
from shared.runtime.alarm import Alarm
from shared.runtime.bus_catalog import repair_catalog
from shared.runtime.clock import SystemClock
from shared.runtime.feed import QuotePublisher
from shared.runtime.feed_life import keep_beating, last_words, stopped
from shared.runtime.live_baskets import Followed, LiveBaskets
from shared.runtime.live_pairs import LivePairs
from shared.runtime.redis_server import check_redis
from shared.runtime.results import ResultTeller, ResultUnknown
from shared.runtime.run import run
from shared.venues.polymarket.rest import RestRefused, paid_dollars
from shared.venues.polymarket.urls import settled_market_path

SERVICE = "polymarket_feed"

log = logging.getLogger(__name__)


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    """Wire the parts together and run them until ``stopping`` is set."""
    await check_redis(settings.redis_url)
    clock = SystemClock()
    identity = Identity(SERVICE, uuid4().hex[:12])
    outbox = Outbox(settings.redis_url, identity)
    Alarm(outbox, clock)  # tells what the outbox has to set aside
    news = asyncio.Event()
    numbers = count()

    def want_again() -> None:
        told = (*tokens_of_pairs(pairs.pairs.values()), *tokens_of_baskets(baskets.baskets.values()))
        wanted, refused = agreeing(told, discovery.known)
        if refused:
            log.error("pairs.refused", extra={"markets": sorted(refused), "reason": "the listing names other tokens"})
        fleet.want(wanted, discovery.known, discovery.neg_risk)

    def pairs_changed() -> None:
        want_again()
        publisher.publish_again(pairs.moved(Venue.POLYMARKET))

    def baskets_changed() -> None:
        want_again()
        publisher.publish_again()

    def new_books(name: str, gate: Gate) -> LiveBooks:
        return LiveBooks(
            gate,
            discovery,
            clock,
            name=f"{identity.epoch}-{name}-{next(numbers)}",
            pong_s=settings.pong_s,
            unverified_s=max(2.0 * settings.audit_s, settings.audit_s + GRACE_S + 1.0),
            resync=auditor.resync,
            announce=news.set,
        )

    async def open_link() -> FrameLink:
        return await dial(settings.ws_url)

    def beats() -> list[FeedBeat]:
        return [beat(books, clock, quotes=publisher.quotes) for books in fleet.connections]

    pairs = LivePairs(settings.redis_url, on_change=pairs_changed)
    baskets = LiveBaskets(settings.redis_url, on_change=baskets_changed)
    followed = Followed(pairs, baskets)
    publisher = QuotePublisher(
        settings.redis_url,
        venue=Venue.POLYMARKET,
        identity=identity,
        clock=clock,
        depth=settings.depth,
        quotes_per_s=settings.quotes_per_s,
        partitions_of=lambda market_id: followed.partitions(Venue.POLYMARKET, market_id),
    )
    async with HttpClient(settings.gamma_url) as gamma, HttpClient(settings.clob_url) as clob:
        discovery = Discovery(
            gamma,
            clob,
            outbox,
            clock,
            page_pause_s=settings.page_pause_ms / 1000,
            jitter=SystemRandom(),
            on_change=want_again,
            rates=_category_rates(settings.fees_file),
        )
        results = ResultTeller(Venue.POLYMARKET, pairs, outbox, partial(_result, clob), known=lambda: discovery.known)
        async with asyncio.TaskGroup() as tasks:
            fleet = Fleet(
                new_books,
                open_link,
                publisher,
                tasks,
                per_connection=settings.assets_per_connection,
                renew_s=settings.renew_s,
                jitter=SystemRandom(),
            )
            auditor = Auditor(clob, clock, lambda: fleet.connections, audit_s=settings.audit_s)
            work = [
                pairs.run(stopping),
                baskets.run(stopping),
                discovery.run(settings.redis_url, refresh_s=settings.refresh_s, crawl_s=settings.crawl_s),
                repair_catalog(settings.redis_url, CATALOG[Venue.POLYMARKET], outbox, lambda: discovery.known),
                auditor.run(),
                results.run(every_s=settings.refresh_s),
                keep_beating(news, beats, outbox),
            ]
            writing = [tasks.create_task(outbox.run()), tasks.create_task(publisher.run())]
            working = [tasks.create_task(one) for one in work]
            await stopping.wait()
            await stopped(working)  # after the farewell nobody may want or quote a book again
            fleet.cancel()
            for books in fleet.connections:
                publisher.stale(books.session.market_ids(), "the feed is stopping")
            await last_words(outbox, publisher)
            await stopped(writing)


def cli() -> None:
    """Run the service and exit with its status."""
    sys.exit(run(SERVICE, Settings, main))


def _category_rates(path: Path) -> tuple[FeeRate, ...]:
    """Return the fallback rates; without them a market of unknown terms stays unpriced, and so alert-only as well."""
    try:
        return read_fees(path).polymarket
    except (OSError, YamlRefused) as error:
        log.error("fees.refused", extra={"file": str(path), "error": str(error)})
        return ()


async def _result(clob: HttpClient, pair: Pair) -> Decimal | None:
    """Return what outcome 0 of a pair's market paid, None before it is known. Raises ResultUnknown."""
    path = settled_market_path(pair.polymarket_id)
    try:
        answer = await clob.get(path)
        if answer.status != 200:
            raise ResultUnknown(f"GET {path}: {answer.status} {answer.body[:200]!r}")
        return paid_dollars(answer.body, pair.polymarket_token_ids[0])
    except (HttpUnavailable, RestRefused) as error:
        raise ResultUnknown(str(error)) from error
