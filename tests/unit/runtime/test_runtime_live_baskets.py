"""Which baskets are live, and where the books of followed markets go: from the hash at the start, then the stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from shared.contracts.baskets import BasketActivated, BasketMessage, BasketRetired, BasketSuspended
from shared.contracts.pairs import PairActivated
from shared.contracts.streams import BASKETS, PAIRS
from shared.domain.baskets import BasketKind
from shared.domain.live_basket import LiveBasket
from shared.domain.market import MarketId, Venue
from shared.io.bus import Identity, Outbox, Profile, connect
from shared.runtime.live_baskets import Followed, LiveBaskets
from shared.runtime.live_pairs import LivePairs
from tests.pairs import made_up_pair
from tests.service.lost_message import lose
from tests.unit.arb_detector.basket_scene import basket

A, B = MarketId("A"), MarketId("B")


class Feed:
    """What a feed holds, and a way to say something about baskets and wait until it has heard."""

    def __init__(self, url: str) -> None:
        self.changed = asyncio.Event()
        self.pairs = LivePairs(url, on_change=self.changed.set)
        self.baskets = LiveBaskets(url, on_change=self.changed.set)
        self.followed = Followed(self.pairs, self.baskets)
        self.outbox = Outbox(url, Identity("matcher", "m-1"))

    async def say(self, one: LiveBasket, message: BasketMessage) -> None:
        self.changed.clear()
        self.outbox.put(BASKETS, message, key=one.basket_id, drop_key=isinstance(message, BasketRetired))
        await asyncio.wait_for(self.changed.wait(), 20)


@asynccontextmanager
async def feed_at(url: str) -> AsyncIterator[Feed]:
    feed, stopping = Feed(url), asyncio.Event()
    work = [feed.pairs.run(stopping), feed.baskets.run(stopping), feed.outbox.run()]
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait_for(feed.followed.loaded(), 20)
        yield feed
    finally:
        stopping.set()
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_markets_books_go_where_pairs_and_baskets_want_them(redis_url: str) -> None:
    one, other = basket(), basket(kind=BasketKind.EVERY_YES)
    paired = made_up_pair("a-pair", kalshi="A")
    redis = connect(redis_url, Profile.WRITER)
    await redis.hset(PAIRS.hash_name, paired.pair_id, msgspec.json.encode(PairActivated(pair=paired)))
    await redis.hset(BASKETS.hash_name, one.basket_id, msgspec.json.encode(BasketActivated(basket=one)))
    await redis.aclose()
    async with feed_at(redis_url) as feed:
        parts = feed.followed.partitions
        assert feed.followed.markets(Venue.KALSHI) == {"A", "B", "C"}
        assert feed.followed.markets(Venue.POLYMARKET) == {"0xab"}
        assert parts(Venue.KALSHI, A) == tuple(sorted({paired.partition, one.partition}))
        assert parts(Venue.KALSHI, B) == (one.partition,)
        assert parts(Venue.POLYMARKET, MarketId("0xab")) == (paired.partition,)
        await feed.say(other, BasketActivated(basket=other))
        assert parts(Venue.KALSHI, B) == tuple(sorted({one.partition, other.partition}))
        await feed.say(one, BasketSuspended(basket=one, reason="the venue said no"))
        assert parts(Venue.KALSHI, B) == (other.partition,)
        await feed.say(other, BasketRetired(basket_id=other.basket_id, reason="over"))
        assert parts(Venue.KALSHI, B) == ()
        assert parts(Venue.KALSHI, A) == (paired.partition,)
        assert feed.followed.markets(Venue.KALSHI) == {"A"}


async def test_baskets_that_the_log_does_not_tell_of_are_read_from_the_hash(redis_url: str) -> None:
    one, other = basket(), basket(kind=BasketKind.EVERY_YES)
    redis = connect(redis_url, Profile.WRITER)
    async with feed_at(redis_url) as feed:
        await feed.say(one, BasketActivated(basket=one))
        retired = BasketRetired(basket_id=one.basket_id, reason="over")
        await lose(feed.outbox, redis, BASKETS, retired, key=one.basket_id, drop_key=True)
        await feed.say(other, BasketActivated(basket=other))
        assert feed.baskets.baskets.keys() == {other.basket_id}
    await redis.aclose()
