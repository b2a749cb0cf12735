"""Which pairs are live is known from the hash at the start and from the stream afterwards, against a real Redis."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from shared.contracts.pairs import (
    CandidateReviewed,
    PairActivated,
    PairMessage,
    PairRetired,
    PairSuspended,
)
from shared.contracts.streams import FIELD, PAIRS
from shared.domain.market import MarketId, Venue
from shared.domain.pair import PairId, partition_of
from shared.io import tails
from shared.io.bus import Identity, Outbox, Profile, connect
from shared.runtime.live_pairs import LivePairs
from tests.outboxes import writing
from tests.pairs import made_up_pair
from tests.service.lost_message import lose


class Seen:
    """Counts the changes and lets a test wait until some pairs are the live ones."""

    def __init__(self, url: str) -> None:
        self.live = LivePairs(url, on_change=self.note)
        self._changed = asyncio.Condition()
        self._told: set[asyncio.Task[None]] = set()
        self.changes = 0

    def note(self) -> None:
        self.changes += 1
        task = asyncio.ensure_future(self._tell())
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until_told(self, changes: int) -> None:
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: self.changes >= changes)

    async def until(self, *names: str) -> None:
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: self.live.loaded.is_set() and set(self.live.pairs) == set(names))


@asynccontextmanager
async def following(url: str) -> AsyncIterator[Seen]:
    seen, stopping = Seen(url), asyncio.Event()
    running = asyncio.create_task(seen.live.run(stopping))
    try:
        yield seen
    finally:
        stopping.set()
        await asyncio.wait_for(running, 30)


@asynccontextmanager
async def matcher(url: str) -> AsyncIterator[Outbox]:
    async with writing(Outbox(url, Identity("matcher", "e1"))) as outbox:
        yield outbox
        await asyncio.wait_for(outbox.flushed(), 30)


def say(outbox: Outbox, message: PairMessage, pair_id: str) -> None:
    outbox.put(PAIRS, message, key=pair_id)


async def test_what_was_live_before_is_live_at_the_start(redis_url: str) -> None:
    async with matcher(redis_url) as outbox:
        say(outbox, PairActivated(pair=made_up_pair("a")), "a")
        say(outbox, PairActivated(pair=made_up_pair("b")), "b")
        say(outbox, PairSuspended(pair=made_up_pair("b"), reason="rules changed"), "b")
    async with following(redis_url) as seen:
        await seen.until("a")


async def test_pairs_come_go_and_change_while_it_follows(redis_url: str) -> None:
    async with matcher(redis_url) as outbox, following(redis_url) as seen:
        await seen.until()
        say(outbox, PairActivated(pair=made_up_pair("a")), "a")
        say(outbox, PairActivated(pair=made_up_pair("b", kalshi="K2")), "b")
        await seen.until("a", "b")
        say(outbox, PairSuspended(pair=made_up_pair("a"), reason="rules changed"), "a")
        await seen.until("b")
        say(outbox, PairRetired(pair_id=PairId("b"), reason="closed"), "b")
        say(outbox, CandidateReviewed(pair_id=PairId("c"), approved=True, reviewer="alice"), "c")
        say(outbox, PairActivated(pair=msgspec.structs.replace(made_up_pair("a"), title="again")), "a")
        await seen.until("a")
        assert seen.live.pairs[PairId("a")].title == "again"


async def test_what_the_log_has_lost_is_read_from_the_hash(redis_url: str) -> None:
    redis = connect(redis_url, Profile.WRITER)
    async with matcher(redis_url) as outbox, following(redis_url) as seen:
        await seen.until()
        for name in ("a", "b", "c"):
            say(outbox, PairActivated(pair=made_up_pair(name)), name)
        await seen.until("a", "b", "c")
        await lose(outbox, redis, PAIRS, PairSuspended(pair=made_up_pair("a"), reason="rules changed"), key="a")
        await lose(outbox, redis, PAIRS, PairRetired(pair_id=PairId("b"), reason="over"), key="b", drop_key=True)
        say(outbox, PairActivated(pair=made_up_pair("d")), "d")
        await seen.until("c", "d")
    await redis.aclose()


async def test_an_older_word_that_is_read_again_is_not_the_last_one(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is read from its beginning when its ids went backwards, with words from before the reader's time."""
    monkeypatch.setattr(tails, "_CURSOR_CHECK_S", 0.0)
    redis = connect(redis_url, Profile.WRITER)
    outbox = Outbox(redis_url, Identity("matcher", "an earlier one"))
    activated = msgspec.json.encode(outbox._stamped(PAIRS, PairActivated(pair=made_up_pair("a"))))
    await redis.hset(PAIRS.hash_name, "a", activated)
    async with matcher(redis_url) as outbox, following(redis_url) as seen:
        await seen.until("a")
        say(outbox, PairActivated(pair=made_up_pair("b")), "b")
        say(outbox, PairSuspended(pair=made_up_pair("a"), reason="rules changed"), "a")
        await seen.until("b")
        later = [fields[FIELD] for _, fields in await redis.xrange(PAIRS.name)]
        async with redis.pipeline(transaction=True) as pipe:
            pipe.delete(PAIRS.name)
            for at, payload in enumerate([activated, *later], start=1):
                pipe.xadd(PAIRS.name, {FIELD: payload}, id=f"{at}-0")
            await pipe.execute()
        changes = seen.changes
        await seen.until_told(changes + 1)
        say(outbox, PairActivated(pair=made_up_pair("c")), "c")
        await seen.until("b", "c")
    await redis.aclose()


async def test_a_market_is_streamed_to_every_partition_that_needs_it(redis_url: str) -> None:
    names = ["a", "b", "c"]
    async with matcher(redis_url) as outbox:
        for name in names:
            say(outbox, PairActivated(pair=made_up_pair(name, kalshi="SHARED", polymarket=f"0x{name}")), name)
    async with following(redis_url) as seen:
        await seen.until(*names)
        live = seen.live
        assert live.partitions(Venue.KALSHI, MarketId("SHARED")) == tuple(sorted({partition_of(n) for n in names}))
        assert live.partitions(Venue.POLYMARKET, MarketId("0xb")) == (partition_of("b"),)
        assert live.partitions(Venue.POLYMARKET, MarketId("SHARED")) == ()
        assert live.markets(Venue.KALSHI) == {"SHARED"}
        assert live.markets(Venue.POLYMARKET) == {"0xa", "0xb", "0xc"}


async def test_only_markets_whose_partitions_changed_have_moved(redis_url: str) -> None:
    moved: list[tuple[frozenset[MarketId], frozenset[MarketId]]] = []
    seen = Seen(redis_url)

    def note() -> None:
        moved.append((seen.live.moved(Venue.KALSHI), seen.live.moved(Venue.POLYMARKET)))
        seen.note()

    seen.live = LivePairs(redis_url, on_change=note)
    stopping = asyncio.Event()
    running = asyncio.create_task(seen.live.run(stopping))
    try:
        async with matcher(redis_url) as outbox:
            await seen.until()
            say(outbox, PairActivated(pair=made_up_pair("a", kalshi="K", polymarket="0xa")), "a")
            await seen.until("a")
            say(outbox, PairActivated(pair=made_up_pair("b", kalshi="K", polymarket="0xb")), "b")
            await seen.until("a", "b")
            say(outbox, CandidateReviewed(pair_id=PairId("c"), approved=True, reviewer="alice"), "c")
            say(outbox, PairSuspended(pair=made_up_pair("a"), reason="rules changed"), "a")
            await seen.until("b")
    finally:
        stopping.set()
        await asyncio.wait_for(running, 30)
    assert partition_of("a") != partition_of("b")
    told = [both for both in moved if any(both)]
    assert told == [({"K"}, {"0xa"}), ({"K"}, {"0xb"}), ({"K"}, {"0xa"})]
    assert seen.live.partitions(Venue.KALSHI, MarketId("K")) == (partition_of("b"),)


async def test_many_pairs_that_take_long_to_tell_are_told_in_few_batches(redis_url: str) -> None:
    names = [f"p{number}" for number in range(60)]
    tellings = 0

    def slow() -> None:
        nonlocal tellings
        tellings += 1
        time.sleep(0.02)
        seen.note()

    seen = Seen(redis_url)
    seen.live = LivePairs(redis_url, on_change=slow)
    stopping = asyncio.Event()
    running = asyncio.create_task(seen.live.run(stopping))
    try:
        async with matcher(redis_url) as outbox:
            await seen.until()
            for name in names:
                say(outbox, PairActivated(pair=made_up_pair(name, kalshi=name)), name)
                await outbox.flushed()
            await seen.until(*names)
    finally:
        stopping.set()
        await asyncio.wait_for(running, 30)
    assert tellings < len(names) / 2
