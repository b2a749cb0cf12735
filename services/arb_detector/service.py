"""The detector's shell: which partitions are its own, taking them over, and what is followed for them."""

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from services.arb_detector.basket_desk import BasketDesk
from services.arb_detector.bus import (
    drop_standings,
    load_books,
    load_diverged,
    load_markets,
    load_open_episodes,
    quote_cursors,
    quote_streams,
)
from services.arb_detector.core import Detector
from services.arb_detector.intake import Intake
from services.arb_detector.publisher import Publisher
from services.arb_detector.rounds import Rounds
from services.arb_detector.sources import OpportunitySource
from shared.contracts.catalog import CatalogMessage, MarketClosed, MarketListed
from shared.contracts.funnel import FunnelCounted
from shared.contracts.streams import CATALOG, FEED_HEALTH, FUNNEL
from shared.domain.market import Venue
from shared.domain.pair import Pair, PairId
from shared.io.bus import TRANSIENT, Client, Entry, Lease, Leases, Profile, StreamTail, Tail, connect, last_id, retried
from shared.runtime.clock import Clock
from shared.runtime.live_baskets import LiveBaskets
from shared.runtime.live_pairs import LivePairs

_RENEW_S = 0.3
"""How often leases are renewed: four times before one ends."""

_HANDFUL = 250

T = TypeVar("T")

log = logging.getLogger(__name__)


class DetectorService:
    """Feeds a ``Detector`` from Redis with what belongs to the partitions that this process holds.

    Outbox, publisher and ``pairs`` are run by the caller; ``pairs_changed`` is what ``pairs`` calls.
    """

    def __init__(
        self,
        url: str,
        detector: Detector,
        publisher: Publisher,
        leases: Leases,
        clock: Clock,
        *,
        baskets: BasketDesk,
    ) -> None:
        self._url = url
        self._detector = detector
        self._baskets = baskets
        self._sources: tuple[OpportunitySource[Any, Any, Any, Any], ...] = (detector, baskets.source)
        self._publisher = publisher
        self._leases = leases
        self._clock = clock
        self._rounds = Rounds(detector, baskets, publisher, clock, counted=self._counted)
        self._intake = Intake(detector, baskets, publisher, self._rounds)
        self._tail = Tail(url, {})
        self._recreated = 0
        self._taken: dict[int, Lease] = {}
        """The leases under which the detector watches pairs; those held are taken over one after the other."""
        self._work_changed = asyncio.Event()

    def pairs_changed(self) -> None:
        """Say that the live pairs differ from before."""
        self._work_changed.set()

    async def run(self, pairs: LivePairs, baskets: LiveBaskets, stopping: asyncio.Event) -> None:
        """Take over partitions, then follow quotes, markets, pairs and baskets until ``stopping`` is set."""
        for loaded in (pairs.loaded, baskets.loaded):
            await _first(loaded, stopping)
        if stopping.is_set():
            return
        redis = connect(self._url, Profile.WRITER)
        try:
            catalog_cursors = await retried(lambda: self._begin(redis), what="the ends of the streams")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_leases(stopping))
                tasks.create_task(self._follow_work(redis, pairs, baskets, stopping))
                tasks.create_task(self._tail.pump(stopping, self._take_entries))
                tasks.create_task(self._refresh_when_missed(redis, stopping))
                tasks.create_task(self._rounds.run(stopping, self._intake.catch_up))
                for venue, cursor in catalog_cursors.items():
                    tasks.create_task(self._follow_catalog(redis, venue, cursor, stopping))
        finally:
            await redis.aclose()
            self._log_funnel()

    async def _begin(self, redis: Client) -> dict[Venue, str]:
        """Return from where to follow the catalogs; beats are followed from now on."""
        self._tail.follow({FEED_HEALTH.name: await last_id(redis, FEED_HEALTH.name)})
        return {venue: await last_id(redis, CATALOG[venue].name) for venue in Venue}

    async def _keep_leases(self, stopping: asyncio.Event) -> None:
        """Renew the leases; what is lost is left at once, what is gained is taken over by ``_follow_work``."""
        while not stopping.is_set():
            try:
                change = await self._leases.renew()
            except TRANSIENT as error:
                log.warning("leases.waiting", extra={"error": str(error)})
            else:
                self._leave(change.lost)
                if change.gained:
                    self._work_changed.set()
                if change.gained or change.lost:
                    log.info("leases.changed", extra={"gained": sorted(change.gained), "lost": sorted(change.lost)})
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _RENEW_S)

    def _leave(self, parts: Collection[int]) -> None:
        for part in parts:
            self._taken.pop(part, None)
        self._detector.leave(parts)
        self._baskets.leave(parts)
        self._tail.unfollow(quote_streams(parts))
        self._intake.leave(parts)

    async def _follow_work(
        self, redis: Client, pairs: LivePairs, baskets: LiveBaskets, stopping: asyncio.Event
    ) -> None:
        """Take over the partitions, pairs and baskets that are ours, whenever any of them changes."""
        is_settled = False
        while not stopping.is_set():
            await _first(self._work_changed, stopping)
            if stopping.is_set():
                return
            self._work_changed.clear()
            await retried(lambda: self._take_over(redis, pairs, baskets), what="what is taken over")
            log.info("detector.ready", extra={"pairs": len(self._detector.pairs), "partitions": len(self._taken)})
            if self._taken and not is_settled:
                is_settled = True
                gc.collect()
                gc.freeze()

    async def _take_over(self, redis: Client, pairs: LivePairs, baskets: LiveBaskets) -> None:
        """Load what is new: pairs, their markets, the episodes that another process left open, their books.

        Handful by handful, for the leases must be renewed meanwhile however many pairs there are. A partition can be
        lost at every pause, and is forgotten then; what is still said about it is not written.
        """
        detector, publish = self._detector, self._publisher.publish
        new = {part: lease for part, lease in self._leases.held.items() if self._taken.get(part) is not lease}
        cursors = await quote_cursors(redis, new)
        ours = self._ours(pairs.pairs)
        diverged = await load_diverged(redis, detector.unfamiliar(ours))
        publish(detector.set_pairs(self._ours(ours)))
        detector.set_diverged(diverged)
        for markets in _handfuls(await load_markets(redis, detector.wanted_markets())):
            for market in markets:
                publish(detector.list_market(market))
            await asyncio.sleep(0)
        if new:
            episodes = await load_open_episodes(redis, new)
            publish(detector.resume(found for part, found in episodes if self._leases.held.get(part) is new[part]))
            await drop_standings(redis, FUNNEL, new, detector.pairs)
        for legs in _handfuls(detector.legs(unheard_only=True)):
            publish(detector.take_books(await load_books(redis, legs)))
        await self._baskets.take_over(redis, baskets.baskets, new, followed=self._taken)
        for part, lease in new.items():
            if self._leases.held.get(part) is lease:
                self._taken[part] = lease
                self._tail.follow({name: cursors[name] for name in quote_streams([part])})

    def _ours(self, pairs: Mapping[PairId, Pair]) -> dict[PairId, Pair]:
        return {pair_id: pair for pair_id, pair in pairs.items() if pair.partition in self._leases.held}

    def _take_entries(self, entries: list[Entry]) -> bool:
        if self._tail.recreated > self._recreated:
            self._recreated = self._tail.recreated
            self._intake.begin_again()
        return self._intake.take(entries)

    async def _refresh_when_missed(self, redis: Client, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await _first(self._intake.missed, stopping)
            if self._intake.missed.is_set():
                self._intake.missed.clear()
                await self._refresh_books(redis)

    async def _follow_catalog(self, redis: Client, venue: Venue, cursor: str, stopping: asyncio.Event) -> None:
        tail, missed = StreamTail(self._url, CATALOG[venue], cursor), 0
        async for messages in tail.batches(stopping):
            for message in messages:
                self._take_catalog(venue, message)
            if tail.missed > missed:
                missed = tail.missed
                log.error("catalog.missed", extra={"venue": venue.value, "messages": tail.watch.lost})
                await retried(lambda: self._look_up_markets(redis, venue), what="markets")

    async def _look_up_markets(self, redis: Client, venue: Venue) -> None:
        """After a loss on the catalog, ask what has become of every market that is watched here."""
        legs = (*self._detector.legs(), *self._baskets.source.legs())
        watched = {market_id for _, of, market_id in legs if of is venue}
        found = {market.market_id: market for market in await load_markets(redis, ((venue, one) for one in watched))}
        for market_id in watched:
            market = found.get(market_id)
            told = MarketClosed(venue=venue, market_id=market_id, reason="Redis knows no such market")
            self._take_catalog(venue, told if market is None else MarketListed(market=market))

    def _take_catalog(self, venue: Venue, message: CatalogMessage) -> None:
        self._baskets.take_catalog(venue, message)
        self._publisher.publish(self._detector.take_catalog(venue, message))

    async def _refresh_books(self, redis: Client) -> None:
        """After a loss on the streams, ask the keys what was missed; the next loss asks again if Redis is away.

        Partitions that are being taken over are left alone: with books before its open episodes a pair would open one
        that is open already.
        """
        try:
            for legs in _handfuls([leg for leg in self._detector.legs() if leg[0] in self._taken]):
                self._publisher.publish(self._detector.take_books(await load_books(redis, legs)))
            await self._baskets.refresh_books(redis, self._taken)
        except TRANSIENT as error:
            log.warning("books.not_refreshed", extra={"error": str(error)})

    @property
    def _evaluations(self) -> int:
        return sum(source.evaluations for source in self._sources)

    @property
    def _funnel(self) -> Counter[str]:
        return sum((source.funnel for source in self._sources), Counter())

    def _counted(self) -> FunnelCounted:
        detector = self._detector
        return FunnelCounted(
            replica=self._leases.replica,
            pairs=len(detector.pairs),
            baskets=len(self._baskets.source.baskets),
            partitions=tuple(sorted(self._taken)),
            quotes=detector.quotes,
            coalesced=detector.coalesced,
            evaluations=self._evaluations,
            reasons=tuple((str(reason), count) for reason, count in self._funnel.most_common()),
            counted_ts_ns=self._clock.now_ns(),
        )

    def _log_funnel(self) -> None:
        detector = self._detector
        log.info(
            "detector.funnel",
            extra={
                "evaluations": self._evaluations,
                "outcomes": dict(self._funnel),
                "quotes": detector.quotes,
                "coalesced": detector.coalesced,
                "lost": self._intake.reader.lost,
                "unreadable": self._intake.reader.unreadable.total(),
            },
        )


def _handfuls(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield ``items`` in pieces whose handling takes some hundredths of a second."""
    for start in range(0, len(items), _HANDFUL):
        yield items[start : start + _HANDFUL]


async def _first(event: asyncio.Event, stopping: asyncio.Event) -> None:
    """Wait until either is set."""
    waits = [asyncio.create_task(event.wait()), asyncio.create_task(stopping.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
