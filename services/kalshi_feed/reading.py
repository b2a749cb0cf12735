"""How the books are read: streamed and signed for with a key, polled without one."""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from services.kalshi_feed.account import AccountWatch
from services.kalshi_feed.beat import beat
from services.kalshi_feed.fleet import Fleet
from services.kalshi_feed.live_books import News
from services.kalshi_feed.polled_books import PolledBooks
from services.kalshi_feed.rest_client import RestClient
from services.kalshi_feed.serving import Streaming
from services.kalshi_feed.settings import Settings
from services.kalshi_feed.skew import ClockSkew, skew_alarm
from shared.contracts.health import FeedBeat
from shared.io.http import HttpClient
from shared.runtime.feed_life import FeedLife, Work
from shared.venues.kalshi.auth import KalshiKey

log = logging.getLogger(__name__)


class Reading(NamedTuple):
    """The books, and what else has to run for them."""

    books: Fleet | PolledBooks
    changed: asyncio.Event
    """Set when a connection's state is another than it was."""
    beats: Callable[[], list[FeedBeat]]
    work: list[Work]


def polled(settings: Settings, client: RestClient, life: FeedLife) -> Reading:
    """Return books that are polled, having said so."""
    log.warning("books.polled", extra={"reason": "no Kalshi key is set: public order books are polled"})
    life.alarm.info(
        "kalshi_feed.without_key",
        "Kalshi's books are polled, not streamed",
        f"no key is set for KALSHI_ENV={settings.env}; each book is read about every {settings.poll_ms} ms",
    )
    publisher = life.publisher
    books = PolledBooks(
        client, publisher, life.clock, alert=life.alarm.page, epoch=life.epoch, poll_s=settings.poll_ms / 1000
    )
    return Reading(books, books.state_changed, lambda: [books.beat(quotes=publisher.quotes)], [])


def streamed(
    settings: Settings,
    key: KalshiKey,
    client: RestClient,
    signed: HttpClient,
    life: FeedLife,
    *,
    on_news: Callable[[News], None],
) -> Reading:
    """Return books that are streamed; ``signed`` is a client that signs, to learn what the account may do."""
    clock, publisher = life.clock, life.publisher
    streaming = Streaming(
        settings,
        key,
        client,
        publisher,
        clock,
        epoch=life.epoch,
        alert=life.alarm.page,
        on_news=on_news,
        on_delay=ClockSkew(skew_alarm(life.alarm.page, "the stamps on the stream")).saw_stream,
    )
    fleet = streaming.fleet
    watch = AccountWatch(client, signed, clock, share_percent=settings.account_share_percent)
    return Reading(
        fleet,
        streaming.state_changed,
        lambda: [beat(books, clock, quotes=publisher.quotes) for books in fleet.connections],
        [watch.run()],
    )
