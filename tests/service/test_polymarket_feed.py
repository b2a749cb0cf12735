"""The Polymarket feed against the simulated venue over real sockets, writing to a real Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from services.polymarket_feed.main import main
from services.polymarket_feed.settings import Settings
from services.venue_sim.faults import Faults
from services.venue_sim.markets import Operation, PolymarketMarket
from services.venue_sim.polymarket_live import VENUE, LiveVenue, create_app
from services.venue_sim.world import World
from shared.contracts.catalog import MarketListed
from shared.contracts.health import FeedBeat
from shared.contracts.pairs import PairActivated, PairRetired
from shared.contracts.quotes import Quote, QuotesStale
from shared.contracts.streams import CATALOG, FEED_HEALTH, FIELD, PAIRS, QUOTES
from shared.domain.market import Venue
from shared.domain.pair import Pair
from shared.io.bus import Identity, Outbox, Profile, connect
from tests.outboxes import writing
from tests.pairs import made_up_pair
from tests.waiting import until

DEPTH = 10
Levels = tuple[tuple[Decimal, Decimal], ...]
pytestmark = pytest.mark.timeout(60)


class Rig:
    """The venue, its truth over time, and what the feed wrote."""

    def __init__(self, world: World, venue: LiveVenue, faults: Faults, redis_url: str) -> None:
        self.world = world
        self.venue = venue
        self.faults = faults
        self.redis_url = redis_url
        self.redis = connect(redis_url, Profile.WRITER)
        self.truth: dict[tuple[str, int], tuple[Levels, Levels]] = {}
        self.paused = False
        for market in world.polymarket_markets.values():
            self._remember(market, world.start_ms)
        world.subscribe(self._happened)

    def _happened(self, operation: Operation) -> None:
        if isinstance(operation.market, PolymarketMarket):
            self._remember(operation.market, operation.at_ms)

    def _remember(self, market: PolymarketMarket, at_ms: int) -> None:
        book = self.venue.book(market.token_ids[0])
        assert book is not None
        sides = tuple(
            tuple((Decimal(level["price"]), Decimal(level["size"])) for level in reversed(book[side]))[:DEPTH]
            for side in ("bids", "asks")
        )
        self.truth[market.market_id, at_ms] = (sides[0], sides[1])

    async def messages(self) -> list[Quote | QuotesStale]:
        """Everything on the quote streams, in order of publication."""
        found: list[Quote | QuotesStale] = []
        for stream in QUOTES[Venue.POLYMARKET]:
            for _, fields in await self.redis.xrange(stream.name):
                found.append(stream.decoder.decode(fields[FIELD]))
        return sorted(found, key=lambda message: message.published_ts_ns)

    async def quotes(self) -> list[Quote]:
        return [message for message in await self.messages() if isinstance(message, Quote)]

    async def stale(self) -> list[QuotesStale]:
        return [message for message in await self.messages() if isinstance(message, QuotesStale)]

    async def beats(self) -> list[FeedBeat]:
        return [FEED_HEALTH.decoder.decode(f[FIELD]) for _, f in await self.redis.xrange(FEED_HEALTH.name)]

    async def all_quoted(self) -> bool:
        """Whether the newest message about every market is a quote."""
        newest = await self._newest()
        return len(newest) == len(self.world.polymarket_markets) and all(
            isinstance(message, Quote) for message in newest.values()
        )

    async def latest_agree(self) -> bool:
        """Whether the newest message about every market is a quote that equals the venue's present book."""
        newest = await self._newest()
        return len(newest) == len(self.world.polymarket_markets) and all(
            isinstance(message, Quote) and (message.yes_bids, message.yes_asks) == self.present(market_id)
            for market_id, message in newest.items()
        )

    async def _newest(self) -> dict[str, Quote | QuotesStale]:
        newest: dict[str, Quote | QuotesStale] = {}
        for message in await self.messages():
            for market_id in [message.market_id] if isinstance(message, Quote) else message.market_ids:
                newest[market_id] = message
        return newest

    def present(self, market_id: str) -> tuple[Levels, Levels]:
        return next(sides for (truth_id, _), sides in reversed(self.truth.items()) if truth_id == market_id)

    async def untrue(self) -> list[Quote]:
        """Quotes whose levels were never the venue's book at the time they name, and crossed ones."""
        return [
            quote
            for quote in await self.quotes()
            if self.truth.get((quote.market_id, quote.venue_ts_ms)) != (quote.yes_bids, quote.yes_asks)
            or (quote.yes_bids and quote.yes_asks and quote.yes_bids[0][0] >= quote.yes_asks[0][0])
        ]


def pair_of(market: PolymarketMarket) -> Pair:
    return made_up_pair(
        f"pair-{market.gamma_id}",
        kalshi=f"K-{market.gamma_id}",
        polymarket=market.market_id,
        polymarket_token_ids=market.token_ids,
    )


@asynccontextmanager
async def rig(redis_url: str, *, per_s: int = 300, **settings: Any) -> AsyncIterator[Rig]:
    """A venue that moves, every one of its markets in a live pair, and the feed running."""

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    world = World(seed=11, start_ms=now_ms(), question_count=12, operations_per_s=per_s)
    faults = Faults()
    app = create_app(world, now_ms=now_ms, faults=faults, trade_delay_s=0.02)
    async with TestServer(app) as server, asyncio.TaskGroup() as tasks:
        it = Rig(world, app[VENUE], faults, redis_url)
        outbox = Outbox(redis_url, Identity("test", "1"))
        for market in world.polymarket_markets.values():
            outbox.put(PAIRS, PairActivated(pair=pair_of(market)), key=pair_of(market).pair_id)
        stopping = asyncio.Event()
        base = str(server.make_url("/")).rstrip("/")
        configured = Settings(
            redis_url=redis_url,
            gamma_url=f"{base}/gamma",
            clob_url=base,
            ws_url=f"{base.replace('http', 'ws')}/ws/market",
            **{"page_pause_ms": 0, "refresh_s": 2, **settings},
        )
        running = [tasks.create_task(outbox.run()), tasks.create_task(_drive(it, now_ms))]
        feed = tasks.create_task(main(configured, stopping))
        try:
            yield it
        finally:
            stopping.set()
            await feed
            for task in running:
                task.cancel()
            await it.redis.aclose()


async def _drive(it: Rig, now_ms: Callable[[], int]) -> None:
    while True:
        if not it.paused:
            it.world.step(now_ms())
        await asyncio.sleep(0.01)


async def test_every_quote_is_the_venues_book_of_that_millisecond_and_the_last_ones_are_the_present(
    redis_url: str,
) -> None:
    async with rig(redis_url) as it:

        async def has_moved() -> bool:
            return len(await it.quotes()) > 400

        await until(has_moved)
        it.paused = True
        await until(it.latest_agree)
        quotes = await it.quotes()
        assert await it.untrue() == []
        assert {quote.verified for quote in quotes} <= {"top", "hash"}
        assert quotes[-1].verified == "hash"
        assert await it.stale() == []
        catalog = CATALOG[Venue.POLYMARKET]
        listed = [catalog.decoder.decode(fields[FIELD]) for _, fields in await it.redis.xrange(catalog.name)]
        assert {m.market.market_id for m in listed if isinstance(m, MarketListed)} == set(it.world.polymarket_markets)
        assert all(m.market.fees is not None for m in listed if isinstance(m, MarketListed))

        async def beats_live() -> bool:
            beats = await it.beats()
            return bool(beats) and (beats[-1].state, beats[-1].books_live) == ("live", len(it.world.polymarket_markets))

        await until(beats_live)


async def test_markets_spread_over_connections_and_a_retired_pair_is_withdrawn(redis_url: str) -> None:
    async with rig(redis_url, assets_per_connection=5) as it:
        await until(it.all_quoted)
        names = {quote.connection for quote in await it.quotes()}
        assert len(names) == -(-len(it.world.polymarket_markets) // 5)
        market = next(iter(it.world.polymarket_markets.values()))
        gone = PairRetired(pair_id=pair_of(market).pair_id, reason="a test")
        async with writing(Outbox(redis_url, Identity("test", "2"))) as outbox:
            outbox.put(PAIRS, gone, key=gone.pair_id, drop_key=True)
            await outbox.flushed()

        async def one_less() -> bool:
            newest = {beat.connection.rpartition("-")[0]: beat for beat in await it.beats()}
            return sum(beat.markets for beat in newest.values()) == len(it.world.polymarket_markets) - 1

        await until(one_less)


async def test_dropped_changes_are_noticed_and_mended_from_rest(redis_url: str) -> None:
    async with rig(redis_url, audit_s=2) as it:
        await until(it.all_quoted)

        async def is_noticed() -> bool:
            it.faults.arm("drop_change")
            return any(beat.gaps > 0 for beat in await it.beats())

        await until(is_noticed)
        it.faults.arm("drop_change", 0)
        it.paused = True
        await until(it.latest_agree)


async def test_wrong_hashes_on_right_books_cost_no_quote(redis_url: str) -> None:
    async with rig(redis_url) as it:
        await until(it.all_quoted)
        it.faults.arm("wrong_hash", 10**9)
        before = len(await it.quotes())

        async def goes_on() -> bool:
            return len(await it.quotes()) > before + 300

        await until(goes_on)
        it.paused = True
        await until(it.latest_agree)
        assert await it.stale() == []
        assert await it.untrue() == []


async def test_a_frozen_connection_is_withdrawn_and_then_rest_speaks_until_the_stream_does_again(
    redis_url: str,
) -> None:
    async with rig(redis_url, audit_s=1) as it:
        await until(it.all_quoted)
        it.faults.arm("freeze")

        async def is_withdrawn() -> bool:
            return {m for stale in await it.stale() for m in stale.market_ids} == set(it.world.polymarket_markets)

        await until(is_withdrawn, within_s=10)
        withdrawn = len(await it.quotes())

        async def rest_speaks() -> bool:
            after = (await it.quotes())[withdrawn:]
            return {q.market_id for q in after if q.verified == "rest"} == set(it.world.polymarket_markets)

        await until(rest_speaks)
        it.faults.arm("freeze", 0)
        spoken = len(await it.quotes())

        async def the_stream_speaks() -> bool:
            newer = (await it.quotes())[spoken:]
            return {q.market_id for q in newer if q.verified != "rest"} == set(it.world.polymarket_markets)

        await until(the_stream_speaks)
        it.paused = True
        await until(it.latest_agree)
        assert await it.untrue() == []


async def test_connections_are_renewed_without_any_quote_being_withdrawn(redis_url: str) -> None:
    async with rig(redis_url, renew_s=1) as it:
        await until(it.all_quoted)

        async def renewed() -> bool:
            return len({quote.connection for quote in await it.quotes()}) >= 3

        await until(renewed)
        it.paused = True
        await until(it.latest_agree)
        assert await it.stale() == []
        assert await it.untrue() == []


async def test_an_orderly_stop_withdraws_every_quote(redis_url: str) -> None:
    async with rig(redis_url) as it:
        await until(it.all_quoted)
        redis = connect(redis_url, Profile.WRITER)
    it.redis = redis
    stale = await it.stale()
    assert {m for one in stale for m in one.market_ids} == set(it.world.polymarket_markets)
    assert {one.reason for one in stale} == {"the feed is stopping"}
    await redis.aclose()


async def test_a_lost_connection_makes_quotes_stale_until_new_books_come(redis_url: str) -> None:
    async with rig(redis_url) as it:
        await until(it.all_quoted)
        for client in tuple(it.venue.channel.clients):
            client.outbox.overflowed = True  # the venue hangs up
            client.outbox.push(b"")

        async def lost() -> bool:
            return {m for stale in await it.stale() for m in stale.market_ids} == set(it.world.polymarket_markets)

        await until(lost)
        it.paused = True
        await until(it.latest_agree)
        assert await it.untrue() == []
        assert len({quote.connection for quote in await it.quotes()}) == 2
