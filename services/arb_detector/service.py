"""The detector's shell: streams in, emissions out, and a timer for what waits."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from services.arb_detector.bus import StreamReader, load_books, load_markets, load_open_episodes, tail_cursors
from services.arb_detector.core import Detector
from services.arb_detector.evaluator import Emission
from shared.contracts.catalog import CatalogMessage, MarketClosed
from shared.contracts.intents import HedgedIntent, key_id_of, signed
from shared.contracts.opportunities import OpportunityClosed, OpportunityMessage, OpportunityOpened
from shared.contracts.streams import CATALOG, OPPORTUNITIES, intents
from shared.domain.market import Venue
from shared.io.bus import TRANSIENT, Client, Outbox, Profile, StreamTail, Tail, connect, last_id, waits_s
from shared.runtime.clock import Clock
from shared.runtime.live_pairs import LivePairs
from shared.runtime.settings import Secret

_TICK_S = 0.25
"""How often pairs that wait or are open are looked at although nothing happened: a silent feed shows here."""
_FUNNEL_S = 60.0

T = TypeVar("T")

log = logging.getLogger(__name__)


class DetectorService:
    """Feeds a ``Detector`` from Redis and publishes what it says.

    The outbox and ``pairs`` are run by the caller; ``pairs_changed`` is what ``pairs`` calls.
    """

    def __init__(self, url: str, detector: Detector, outbox: Outbox, clock: Clock, *, key: Secret | None) -> None:
        self._url = url
        self._detector = detector
        self._outbox = outbox
        self._clock = clock
        self._key = key
        self._reader = StreamReader()
        self._pairs_changed = asyncio.Event()
        self._due_earlier = asyncio.Event()
        self._wakes_s = 0.0

    def pairs_changed(self) -> None:
        """Say that the live pairs differ from before."""
        self._pairs_changed.set()

    async def run(self, pairs: LivePairs, stopping: asyncio.Event) -> None:
        """Load what is there, then follow quotes, markets and pairs until ``stopping`` is set."""
        await _first(pairs.loaded, stopping)
        if stopping.is_set():
            return
        redis = connect(self._url, Profile.WRITER)
        try:
            cursors, catalog_cursors = await _retried(lambda: self._load(redis, pairs))
            gc.collect()
            gc.freeze()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow_quotes(redis, cursors, stopping))
                tasks.create_task(self._follow_pairs(redis, pairs, stopping))
                tasks.create_task(self._keep_time(stopping))
                for venue, cursor in catalog_cursors.items():
                    tasks.create_task(self._follow_catalog(venue, cursor, stopping))
        finally:
            await redis.aclose()
            self._log_funnel()

    async def _load(self, redis: Client, pairs: LivePairs) -> tuple[dict[str, str], dict[Venue, str]]:
        """Take over pairs, markets, open episodes and books; return from where to tail quotes and catalogs."""
        catalog_cursors = {venue: await last_id(redis, CATALOG[venue].name) for venue in Venue}
        cursors = await tail_cursors(redis)
        await self._take_pairs(redis, pairs)
        self._publish(self._detector.resume(await load_open_episodes(redis)))
        log.info("detector.ready", extra={"pairs": len(self._detector.pairs)})
        return cursors, catalog_cursors

    async def _take_pairs(self, redis: Client, pairs: LivePairs) -> None:
        detector = self._detector
        self._pairs_changed.clear()
        self._publish(detector.set_pairs(dict(pairs.pairs)))
        for market in await load_markets(redis, detector.wanted_markets()):
            self._publish(detector.set_market(market))
        books = await load_books(redis, detector.legs(unheard_only=True))
        self._publish(detector.take_books(books))

    async def _follow_quotes(self, redis: Client, cursors: dict[str, str], stopping: asyncio.Event) -> None:
        lost = 0
        async for entries in Tail(self._url, cursors).batches(stopping):
            quotes, beats = self._reader.read(entries)
            for beat in beats:
                self._detector.take_beat(beat)
            if quotes:
                self._publish(self._detector.take_quotes(quotes))
                self._wake_if_due_earlier()
            if self._reader.lost > lost:
                log.warning("quotes.lost", extra={"messages": self._reader.lost - lost})
                lost = self._reader.lost
                await self._refresh_books(redis)

    async def _follow_pairs(self, redis: Client, pairs: LivePairs, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await _first(self._pairs_changed, stopping)
            if not stopping.is_set():
                await _retried(lambda: self._take_pairs(redis, pairs))
                log.info("detector.pairs", extra={"pairs": len(self._detector.pairs)})

    async def _follow_catalog(self, venue: Venue, cursor: str, stopping: asyncio.Event) -> None:
        async for messages in StreamTail(self._url, CATALOG[venue], cursor).batches(stopping):
            for message in messages:
                self._take_catalog(venue, message)

    def _take_catalog(self, venue: Venue, message: CatalogMessage) -> None:
        detector = self._detector
        if isinstance(message, MarketClosed):
            if detector.is_market_wanted(venue, message.market_id):
                self._publish(detector.close_market(venue, message.market_id))
        elif detector.is_market_wanted(venue, message.market.market_id):
            self._publish(detector.set_market(message.market))

    async def _keep_time(self, stopping: asyncio.Event) -> None:
        """Tick when something that waits is due, and every quarter of a second in any case."""
        tick_s = self._clock.monotonic_s()
        funnel_s = tick_s + _FUNNEL_S
        while not stopping.is_set():
            now_s = self._clock.monotonic_s()
            due_s = self._detector.due_s()
            self._wakes_s = tick_s if due_s is None else min(tick_s, due_s)
            if now_s < self._wakes_s:
                await self._sleep(self._wakes_s - now_s)
                continue
            tick_s = now_s + _TICK_S
            self._publish(self._detector.tick())
            if now_s >= funnel_s:
                funnel_s = now_s + _FUNNEL_S
                self._log_funnel()

    async def _sleep(self, wait_s: float) -> None:
        """Sleep, unless something becomes due earlier than the sleeper knew."""
        self._due_earlier.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._due_earlier.wait()

    def _wake_if_due_earlier(self) -> None:
        due_s = self._detector.due_s()
        if due_s is not None and due_s < self._wakes_s:
            self._due_earlier.set()

    async def _refresh_books(self, redis: Client) -> None:
        """After a loss on the streams, ask the keys what was missed; the next loss asks again if Redis is away."""
        try:
            books = await load_books(redis, self._detector.legs())
        except TRANSIENT as error:
            log.warning("books.not_refreshed", extra={"error": str(error)})
            return
        self._publish(self._detector.take_books(books))

    def _publish(self, emissions: Iterable[Emission]) -> None:
        for message in emissions:
            if isinstance(message, HedgedIntent):
                self._publish_intent(message)
                continue
            is_over = isinstance(message, OpportunityClosed)
            key = f"{message.pair_id}|{message.direction}"
            self._outbox.put(OPPORTUNITIES, message, key=key, drop_key=is_over)
            if is_over or isinstance(message, OpportunityOpened):
                log.info(_EVENTS[type(message)], extra=_facts(message))

    def _publish_intent(self, intent: HedgedIntent) -> None:
        assert self._key is not None
        key = self._key.reveal()
        self._outbox.put(intents(intent.account), signed(intent, key_id=key_id_of(key), key=key))

    def _log_funnel(self) -> None:
        detector = self._detector
        log.info(
            "detector.funnel",
            extra={
                "evaluations": detector.evaluations,
                "outcomes": dict(detector.funnel),
                "quotes": detector.quotes,
                "coalesced": detector.coalesced,
                "lost": self._reader.lost,
                "unreadable": self._reader.unreadable.total(),
            },
        )


_EVENTS: dict[type, str] = {OpportunityOpened: "opportunity.opened", OpportunityClosed: "opportunity.closed"}


def _facts(message: OpportunityMessage) -> dict[str, str]:
    facts = {"opportunity": message.opportunity_id, "pair": message.pair_id, "direction": message.direction.value}
    if isinstance(message, OpportunityClosed):
        return facts | {"reason": message.reason, "peak_edge_dollars": str(message.peak_edge_dollars)}
    return facts | {
        "contracts": str(message.contracts),
        "edge_dollars": str(message.edge_dollars),
        "alert_only": message.alert_only,
    }


async def _first(event: asyncio.Event, stopping: asyncio.Event) -> None:
    """Wait until either is set."""
    waits = [asyncio.create_task(event.wait()), asyncio.create_task(stopping.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _retried(call: Callable[[], Awaitable[T]]) -> T:
    """Call until Redis answers."""
    async for _ in waits_s():
        try:
            return await call()
        except TRANSIENT as error:
            log.warning("redis.waiting", extra={"error": str(error)})
    raise AssertionError("waits_s never ends")
