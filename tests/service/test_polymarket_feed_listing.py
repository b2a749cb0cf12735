"""What keeping up with the listings costs: the feed's discovery against the simulated venue, requests counted."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp.test_utils import TestServer

from services.polymarket_feed.discovery import Discovery
from services.venue_sim.markets import TRADABLE
from services.venue_sim.polymarket_live import VENUE, LiveVenue, create_app
from services.venue_sim.stats import Stats
from services.venue_sim.world import World
from shared.contracts.catalog import CatalogMessage, MarketChanged, MarketClosed, MarketListed
from shared.contracts.streams import CATALOG, FIELD
from shared.domain.market import Venue
from shared.io.bus import Identity, Outbox, Profile, connect
from shared.io.http import HttpClient
from shared.testing.clock import FakeClock

START_MS = 1_795_284_000_000
EVENTS = "GET /gamma/events/keyset"
A_LOOK = 4
"""Open and closed events of both protocol generations, one page each."""


class Rig:
    """The venue at a moment that the test sets, and a discovery beside it."""

    def __init__(self, world: World, redis_url: str) -> None:
        self.world = world
        self.now_ms = START_MS
        self.stats = Stats()
        self.redis_url = redis_url
        self.venue: LiveVenue
        self.discovery: Discovery
        self.outbox: Outbox

    def markets(self) -> list[str]:
        return [m.market_id for m in self.world.polymarket_markets.values() if m.status == TRADABLE]

    def requests(self) -> int:
        """How many pages were asked for since the last call."""
        return self.stats.requests.pop(EVENTS, 0)

    async def said(self) -> list[CatalogMessage]:
        await self.outbox.flushed()
        stream = CATALOG[Venue.POLYMARKET]
        redis = connect(self.redis_url, Profile.WRITER)
        try:
            entries = await redis.xrange(stream.name)
            await redis.delete(stream.name)
        finally:
            await redis.aclose()
        return [stream.decoder.decode(fields[FIELD]) for _, fields in entries]


@asynccontextmanager
async def rig(redis_url: str, *, questions: int) -> AsyncIterator[Rig]:
    it = Rig(World(seed=7, start_ms=START_MS, question_count=questions), redis_url)
    app = create_app(it.world, now_ms=lambda: it.now_ms, stats=it.stats)
    it.venue = app[VENUE]
    it.outbox = Outbox(redis_url, Identity("test", "1"))
    writing = asyncio.create_task(it.outbox.run())
    try:
        async with TestServer(app) as server, HttpClient(str(server.make_url("/gamma"))) as client:
            it.discovery = Discovery(
                client, client, it.outbox, FakeClock(), page_pause_s=0, jitter=random.Random(1), on_change=lambda: None
            )
            yield it
    finally:
        writing.cancel()
        await asyncio.wait([writing])


async def test_a_look_at_what_changed_costs_four_requests_however_much_is_listed(redis_url: str) -> None:
    async with rig(redis_url, questions=400) as it:
        listed = await it.discovery.refresh()
        assert listed == len(it.markets())
        events = {market.event.event_id for market in it.world.polymarket_markets.values()}
        pages = -(-len(events) // 100)
        assert pages > 1
        assert it.requests() == A_LOOK + pages + 1  # and one page of the second protocol's events, which is empty
        await it.said()
        it.now_ms += 3_600_000
        changed, resolved = it.markets()[:2]
        it.venue.change_tick(changed, 10 if it.world.polymarket_markets[changed].tick_e4 != 10 else 100)
        it.venue.resolve(resolved, 0)
        added = it.venue.list_like(changed)
        structural = it.venue.list_like(changed, version="v2")
        assert await it.discovery.catch_up() == 4
        assert it.requests() == A_LOOK
        messages = await it.said()
        assert {m.market.market_id for m in messages if isinstance(m, MarketListed)} == {
            added.market_id,
            structural.market_id,
        }
        assert [m.market.market_id for m in messages if isinstance(m, MarketChanged)] == [changed]
        assert [m.market_id for m in messages if isinstance(m, MarketClosed)] == [resolved]
        it.now_ms += 3_600_000
        assert await it.discovery.catch_up() == 0
        assert it.requests() == A_LOOK


async def test_a_change_of_many_markets_is_read_to_its_end(redis_url: str) -> None:
    async with rig(redis_url, questions=400) as it:
        await it.discovery.refresh()
        await it.said()
        it.now_ms += 3_600_000
        gone = it.markets()[:200]
        for market_id in gone:
            it.venue.resolve(market_id, 1)
        assert await it.discovery.catch_up() == len(gone)
        assert {m.market_id for m in await it.said() if isinstance(m, MarketClosed)} == set(gone)


async def test_what_vanishes_without_a_word_is_found_by_the_next_whole_listing(redis_url: str) -> None:
    async with rig(redis_url, questions=20) as it:
        await it.discovery.refresh()
        await it.said()
        vanished = it.world.polymarket_markets[it.markets()[0]]
        it.venue.withdraw_event(vanished.event.event_id)
        it.now_ms += 3_600_000
        assert await it.discovery.catch_up() == 0
        assert await it.discovery.refresh() >= 1
        assert vanished.market_id in {m.market_id for m in await it.said() if isinstance(m, MarketClosed)}
