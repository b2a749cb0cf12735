"""How a feed lives beside its venue: what it follows, where its words go, its beat, and its orderly end."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from shared.contracts.health import FeedBeat
from shared.contracts.streams import CATALOG, FEED_HEALTH
from shared.domain.market import Market, MarketId, Venue
from shared.io.bus import Identity, Outbox
from shared.runtime.alarm import Alarm
from shared.runtime.bus_catalog import repair_catalog
from shared.runtime.clock import Clock
from shared.runtime.feed import QuotePublisher
from shared.runtime.live_baskets import Followed, LiveBaskets
from shared.runtime.live_pairs import LivePairs
from shared.runtime.results import Ask, ResultTeller

_BEAT_S = 1.0
_LAST_WORDS_S = 1.0

Work = Coroutine[Any, Any, None]
"""Something that is done until the feed is stopped."""

log = logging.getLogger(__name__)


class FeedLife:
    """What both feeds have in common: the pairs and baskets they follow, their quotes, and their other messages."""

    def __init__(
        self, venue: Venue, redis_url: str, identity: Identity, clock: Clock, *, depth: int, quotes_per_s: int
    ) -> None:
        self._venue = venue
        self._redis_url = redis_url
        self.clock = clock
        self.epoch = identity.epoch
        self.outbox = Outbox(redis_url, identity)
        self.alarm = Alarm(self.outbox, clock)
        self.pairs = LivePairs(redis_url, on_change=self._pairs_changed)
        self.baskets = LiveBaskets(redis_url, on_change=self._baskets_changed)
        self.followed = Followed(self.pairs, self.baskets)
        self.publisher = QuotePublisher(
            redis_url,
            venue=venue,
            identity=identity,
            clock=clock,
            depth=depth,
            quotes_per_s=quotes_per_s,
            partitions_of=lambda market_id: self.followed.partitions(venue, market_id),
        )
        self._want: Callable[[], None] = lambda: None

    def catalog_work(self, known: Callable[[], Mapping[MarketId, Market]], ask: Ask, *, every_s: float) -> list[Work]:
        """Return what keeps the ``known`` markets on the bus whole, and tells what those of ended pairs paid."""
        return [
            repair_catalog(self._redis_url, CATALOG[self._venue], self.outbox, known),
            ResultTeller(self._venue, self.pairs, self.outbox, ask, known=known).run(every_s=every_s),
        ]

    async def keep_beating(self, changed: asyncio.Event, beats: Callable[[], Iterable[FeedBeat]]) -> None:
        """Beat each second, and at once when ``changed`` is set: quotes are not believed before the first beat."""
        while True:
            changed.clear()
            for beat in beats():
                self.outbox.put(FEED_HEALTH, beat)
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_S):
                    await changed.wait()

    async def run(
        self,
        work: Iterable[Work],
        stopping: asyncio.Event,
        *,
        want: Callable[[], None],
        farewell: Callable[[], None],
    ) -> None:
        """Follow pairs and baskets and do ``work`` until ``stopping`` is set; then end in order.

        ``want`` is called when other markets may be followed than before. ``farewell`` withdraws the quotes, when
        nobody can want or quote a book any more; what is queued by then is still written.
        """
        self._want = want
        async with asyncio.TaskGroup() as tasks:
            writing = [tasks.create_task(self.outbox.run()), tasks.create_task(self.publisher.run())]
            following = self.pairs.run(stopping), self.baskets.run(stopping)
            working = [tasks.create_task(one) for one in (*following, *work)]
            await stopping.wait()
            await _stopped(working)
            farewell()
            await self._last_words()
            await _stopped(writing)

    def _pairs_changed(self) -> None:
        self._want()
        self.publisher.publish_again(self.pairs.moved(self._venue))

    def _baskets_changed(self) -> None:
        self._want()
        self.publisher.publish_again()

    async def _last_words(self) -> None:
        """Let what is queued be written; while Redis is away it is given up, and the quotes end by their age."""
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await self.publisher.flushed()
                await self.outbox.flushed()
        except TimeoutError:
            log.warning("outbox.abandoned")


def age_ms(now_s: float, then_s: float | None) -> int:
    """Return for a beat how long ago something was, by a monotonic clock; -1 when it has not been yet."""
    return -1 if then_s is None else max(0, int((now_s - then_s) * 1000))


async def _stopped(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Cancel these tasks and wait until they are done; what they raise is the task group's to see."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
