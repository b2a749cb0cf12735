"""Quotes on the bus: the newest state always comes out, losses of trust go first, ids never fall."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from shared.contracts.quotes import Quote, QuoteMessage, QuotesStale, levels_checksum
from shared.contracts.streams import FIELD, QUOTES, book_key
from shared.domain.book import Book
from shared.domain.market import MarketId, Venue
from shared.io.bus import Client, Identity, Profile, connect
from shared.io.quote_pipe import newest_ids_ms
from shared.runtime.feed import QuotePublisher, QuoteState
from shared.testing.clock import FakeClock
from tests.service.redis_proxy import RedisProxy
from tests.waiting import until

STREAM = QUOTES[Venue.KALSHI][3]
A, B = MarketId("A"), MarketId("B")


class Source:
    """Books that a test sets; a market without one has nothing to publish."""

    def __init__(self) -> None:
        self.books: dict[MarketId, Book] = {}
        self.sequence = 0

    def set_ask(self, market_id: MarketId, size_e6: int) -> None:
        book = self.books.setdefault(market_id, Book())
        book.no_bids.set(5_800, size_e6)
        self.sequence += 1

    def quote_state(self, market_id: MarketId) -> QuoteState | None:
        book = self.books.get(market_id)
        if book is None:
            return None
        return QuoteState(book, 0, 1, "sequence", self.sequence, "c")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Client]:
    client = connect(redis_url, Profile.WRITER)
    yield client
    await client.aclose()


@asynccontextmanager
async def publishing(
    url: str,
    *,
    clock: FakeClock | None = None,
    epoch: str = "e1",
    parts: Sequence[int] = (3,),
    quotes_per_s: int = 100_000,
) -> AsyncIterator[QuotePublisher]:
    publisher = QuotePublisher(
        url,
        venue=Venue.KALSHI,
        identity=Identity("feed", epoch),
        clock=clock or FakeClock(),
        depth=5,
        partitions_of=lambda _: tuple(parts),
        quotes_per_s=quotes_per_s,
    )
    task = asyncio.create_task(publisher.run())
    await until(lambda: publisher._pipe.is_ready)
    yield publisher
    task.cancel()
    await asyncio.wait({task})


async def written(redis: Client) -> list[QuoteMessage]:
    return [STREAM.decoder.decode(fields[FIELD]) for _, fields in await redis.xrange(STREAM.name)]


async def settled(publisher: QuotePublisher) -> None:
    """Wait until everything marked is written and answered."""
    await until(lambda: not (publisher._dirty or publisher._stale or publisher._packed or publisher._pipe.in_flight))


async def test_a_quote_is_on_the_stream_and_is_the_latest_book(redis: Client, redis_url: str) -> None:
    source = Source()
    source.set_ask(A, 60_500_000)
    async with publishing(redis_url) as publisher:
        publisher.mark(source, A)
        await settled(publisher)
    [quote] = await written(redis)
    assert isinstance(quote, Quote)
    assert quote.yes_asks == ((Decimal("0.42"), Decimal("60.5")),)
    assert quote.checksum == levels_checksum((), (("0.42", "60.5"),))
    assert (quote.src, quote.epoch, quote.pseq) == ("feed", "e1", 1)
    assert STREAM.decoder.decode(await redis.get(book_key("kalshi", A, 3))) == quote


async def test_marks_of_one_turn_are_one_quote_of_the_newest_state(redis: Client, redis_url: str) -> None:
    source = Source()
    async with publishing(redis_url) as publisher:
        for size in range(1, 101):
            source.set_ask(A, size * 1_000_000)
            publisher.mark(source, A)
        await settled(publisher)
        assert (publisher.quotes, publisher.conflated) == (1, 99)
    [quote] = await written(redis)
    assert isinstance(quote, Quote)
    assert quote.yes_asks[0][1] == 100


async def test_while_redis_hangs_quotes_conflate_and_the_newest_comes_out(redis: Client, redis_url: str) -> None:
    source = Source()
    async with publishing(redis_url) as publisher:
        await redis.client_pause(20_000, all=False)
        for size in range(1, 2_001):
            source.set_ask(A, size * 1_000_000)
            publisher.mark(source, A)
            await asyncio.sleep(0)
        await redis.client_unpause()
        await settled(publisher)
        assert publisher.quotes < 300
        assert publisher.conflated > 1_600
    newest = (await written(redis))[-1]
    assert isinstance(newest, Quote)
    assert newest.yes_asks[0][1] == 2_000


async def test_a_flood_is_written_at_the_pace_and_ends_with_the_newest_state(redis: Client, redis_url: str) -> None:
    source = Source()
    loop = asyncio.get_running_loop()
    async with publishing(redis_url, quotes_per_s=100) as publisher:
        began_s = loop.time()
        for size in range(1, 2_001):
            source.set_ask(A, size * 1_000_000)
            publisher.mark(source, A)
            await asyncio.sleep(0)
        await settled(publisher)
        most = 5 + 100 * (loop.time() - began_s) + 1
        assert 1 < publisher.quotes <= most
        assert publisher.conflated == 2_000 - publisher.quotes
    newest = (await written(redis))[-1]
    assert isinstance(newest, Quote)
    assert newest.yes_asks[0][1] == 2_000


async def test_under_the_pace_the_mark_that_has_waited_longest_is_served_first(redis: Client, redis_url: str) -> None:
    source = Source()
    markets = [MarketId(f"M{number}") for number in range(30)]
    async with publishing(redis_url, quotes_per_s=200) as publisher:
        for market_id in markets:
            source.set_ask(market_id, 1_000_000)
        for market_id in (*markets, *reversed(markets)):
            publisher.mark(source, market_id)
        await settled(publisher)
        assert publisher.conflated == len(markets)
    assert [message.market_id for message in await written(redis) if isinstance(message, Quote)] == markets


async def test_a_book_that_is_not_whole_at_its_turn_goes_out_with_its_next_mark(redis: Client, redis_url: str) -> None:
    """The feed cannot wait for a quiet moment under a flood: the next change of the book has begun by then."""
    source = Source()
    async with publishing(redis_url) as publisher:
        publisher.mark(source, A)
        await until(lambda: not publisher._dirty)
        source.set_ask(A, 7_000_000)
        publisher.mark(source, A)
        del source.books[A]
        await settled(publisher)
        source.set_ask(B, 1_000_000)
        publisher.mark(source, B)
        await settled(publisher)
    first, second = await written(redis)
    assert isinstance(first, Quote)
    assert (first.market_id, first.yes_asks[0][1]) == (A, 7)
    assert isinstance(second, Quote)
    assert second.market_id == B


async def test_more_books_that_become_whole_at_once_than_the_window_holds_all_go_out(
    redis: Client, redis_url: str
) -> None:
    source = Source()
    markets = [MarketId(f"M{number}") for number in range(600)]
    async with publishing(redis_url) as publisher:
        for market_id in markets:
            publisher.mark(source, market_id)
        await until(lambda: not publisher._dirty)
        for market_id in markets:
            source.set_ask(market_id, 1_000_000)
            publisher.mark(source, market_id)
        assert len(publisher._packed) > 512, "more than may be unconfirmed"
        await settled(publisher)
    assert len(await written(redis)) == len(markets)


async def test_lost_trust_does_not_wait_for_the_pace(redis: Client, redis_url: str) -> None:
    source = Source()
    markets = [MarketId(f"M{number}") for number in range(50)]
    async with publishing(redis_url, quotes_per_s=1) as publisher:
        for market_id in markets:
            source.set_ask(market_id, 1_000_000)
            publisher.mark(source, market_id)
        publisher.stale(markets[25:], "gap")
        await until(lambda: not publisher._stale and publisher._pipe.in_flight == 0)
        assert publisher._dirty, "the pace still holds quotes back"
    stale = [message for message in await written(redis) if isinstance(message, QuotesStale)]
    assert [message.market_ids[0] for message in stale] == markets[25:]


async def test_lost_trust_goes_first_and_takes_the_marks_with_it(redis: Client, redis_url: str) -> None:
    source = Source()
    for market_id in (A, B):
        source.set_ask(market_id, 1_000_000)
    async with publishing(redis_url) as publisher:
        publisher.mark(source, A)
        publisher.mark(source, B)
        publisher.stale([A], "gap")
        await settled(publisher)
    stale, quote = await written(redis)
    assert isinstance(stale, QuotesStale)
    assert (stale.market_ids, stale.reason) == ((A,), "gap")
    assert isinstance(quote, Quote)
    assert quote.market_id == B
    assert isinstance(STREAM.decoder.decode(await redis.get(book_key("kalshi", A, 3))), QuotesStale)


async def test_where_no_pair_has_the_market_any_more_its_last_quote_does_not_stay(
    redis: Client, redis_url: str
) -> None:
    source = Source()
    source.set_ask(A, 1_000_000)
    parts = [3, 4]

    async def latest(part: int) -> QuoteMessage:
        payload = await redis.get(book_key("kalshi", A, part))
        assert payload is not None
        return STREAM.decoder.decode(payload)

    async with publishing(redis_url, parts=parts) as publisher:
        publisher.mark(source, A)
        await settled(publisher)
        parts.remove(3)
        publisher.publish_again()
        await until(lambda: publisher.quotes == 3)
        await settled(publisher)
        assert isinstance(await latest(3), QuotesStale)
        assert isinstance(await latest(4), Quote)
        parts.append(3)
        publisher.publish_again()
        await until(lambda: publisher.quotes == 5)
        await settled(publisher)
        assert isinstance(await latest(3), Quote)
    assert [type(message) for message in await written(redis)] == [Quote, QuotesStale, Quote]


async def test_only_what_is_named_is_said_again(redis: Client, redis_url: str) -> None:
    source = Source()
    async with publishing(redis_url) as publisher:
        for market_id in (A, B):
            source.set_ask(market_id, 1_000_000)
            publisher.mark(source, market_id)
        await settled(publisher)
        publisher.publish_again([B, MarketId("nobody knows it")])
        await until(lambda: publisher.quotes == 3)
        await settled(publisher)
        publisher.stale([A], "gap")
        await settled(publisher)
        publisher.publish_again([A])
        await settled(publisher)
    messages = await written(redis)
    again = [(type(message), m.market_id) for message in messages if isinstance(m := message, Quote)]
    assert again == [(Quote, A), (Quote, B), (Quote, B)]
    assert [m.market_ids for m in messages if isinstance(m, QuotesStale)] == [(A,), (A,)]


async def test_after_a_lost_link_everything_is_said_again(redis: Client, redis_url: str, tmp_path: Path) -> None:
    source = Source()
    source.set_ask(A, 1_000_000)
    async with RedisProxy(redis_url, tmp_path).up() as proxy, publishing(proxy.url) as publisher:
        publisher.mark(source, A)
        publisher.stale([B], "silence")
        await settled(publisher)
        await redis.flushall()
        connections = proxy.connections
        proxy.cut()
        await until(lambda: proxy.connections > connections)
        await until(lambda: publisher._pipe.is_ready)
        await settled(publisher)
        stale, quote = await written(redis)
    assert isinstance(stale, QuotesStale)
    assert isinstance(quote, Quote)


async def test_marking_in_every_turn_while_the_link_ends_raises_nothing(
    redis: Client, redis_url: str, tmp_path: Path
) -> None:
    loop, source, raised = asyncio.get_running_loop(), Source(), list[dict[str, object]]()
    loop.set_exception_handler(lambda _, context: raised.append(context))
    async with RedisProxy(redis_url, tmp_path).up() as proxy, publishing(proxy.url) as publisher:
        connections = proxy.connections
        proxy.cut()
        async with asyncio.timeout(20):
            while proxy.connections == connections:
                source.set_ask(A, 1_000_000 + source.sequence)
                publisher.mark(source, A)
                await asyncio.sleep(0)
        await settled(publisher)
    assert raised == []
    last = (await written(redis))[-1]
    assert isinstance(last, Quote)
    assert last.sequence == source.sequence


async def test_a_link_that_dies_without_a_word_is_replaced(redis: Client, redis_url: str, tmp_path: Path) -> None:
    source = Source()
    source.set_ask(A, 1_000_000)
    async with RedisProxy(redis_url, tmp_path).up() as proxy, publishing(proxy.url) as publisher:
        proxy.stall()
        publisher.mark(source, A)
        await until(lambda: publisher._pipe.in_flight > 0)
        await until(lambda: publisher._pipe.in_flight == 0)
        proxy.flow()
        await until(lambda: publisher._pipe.is_ready)
        await settled(publisher)
    assert (await written(redis))[-1].pseq == publisher.quotes


async def test_ids_go_on_after_a_restart_with_the_clock_set_back(redis: Client, redis_url: str) -> None:
    source = Source()
    source.set_ask(A, 1_000_000)
    now_ms = FakeClock().now_ms()
    for epoch, at_ms in (("e1", now_ms), ("e2", now_ms - 3_600_000)):
        async with publishing(redis_url, clock=FakeClock(now_ms=at_ms), epoch=epoch) as publisher:
            publisher.mark(source, A)
            await settled(publisher)
            assert publisher.refused == 0
    assert [message.epoch for message in await written(redis)] == ["e1", "e2"]
    assert (await newest_ids_ms(redis_url, [STREAM.name]))[STREAM.name] > now_ms


async def test_a_clock_set_back_in_the_middle_refuses_no_quote(redis: Client, redis_url: str) -> None:
    source, clock = Source(), FakeClock()
    async with publishing(redis_url, clock=clock) as publisher:
        for size in range(1, 6):
            source.set_ask(A, size * 1_000_000)
            publisher.mark(source, A)
            await settled(publisher)
            clock.set_wall(now_ms=clock.now_ms() - 60_000)
        assert publisher.refused == 0
    assert [message.pseq for message in await written(redis)] == [1, 2, 3, 4, 5]


async def test_a_market_nobody_wants_is_not_written(redis: Client, redis_url: str) -> None:
    source = Source()
    source.set_ask(A, 1_000_000)
    async with publishing(redis_url, parts=()) as publisher:
        publisher.mark(source, A)
        publisher.stale([B], "gap")
        await settled(publisher)
        assert publisher.quotes == 0
    assert await redis.dbsize() == 0


async def test_a_withdrawal_that_redis_had_no_memory_for_is_said_again(redis: Client, redis_url: str) -> None:
    """Nothing else would say it: the quote that it withdraws would stay the market's last word."""
    source = Source()
    for market_id in (A, B):
        source.set_ask(market_id, 1_000_000)
    async with publishing(redis_url) as publisher:
        publisher.mark(source, A)
        publisher.mark(source, B)
        await settled(publisher)
        await redis.config_set("maxmemory", "1")
        try:
            publisher.stale([A], "gap")
            source.set_ask(B, 2_000_000)
            publisher.mark(source, B)
            await settled(publisher)
            assert publisher.refused >= 4
        finally:
            await redis.config_set("maxmemory", "0")
        async with asyncio.timeout(20):
            while len(await written(redis)) < 4:  # noqa: ASYNC110 - the publisher says it in its own time
                await asyncio.sleep(0.01)
        *_, stale, quote = await written(redis)
        assert isinstance(stale, QuotesStale)
        assert isinstance(quote, Quote)
        assert (stale.market_ids, stale.reason, quote.market_id, quote.yes_asks[0][1]) == ((A,), "gap", B, 2)
        assert isinstance(STREAM.decoder.decode(await redis.get(book_key("kalshi", A, 3))), QuotesStale)


async def test_ids_that_another_writer_has_passed_are_caught_up_with(redis: Client, redis_url: str) -> None:
    source, clock = Source(), FakeClock()
    source.set_ask(A, 1_000_000)
    async with publishing(redis_url, clock=clock) as publisher:
        foreign = f"{clock.now_ms() + 3_600_000}-0"
        await redis.xadd(STREAM.name, {FIELD: b"{}"}, id=foreign)
        publisher.mark(source, A)
        async with asyncio.timeout(20):
            while await redis.xlen(STREAM.name) < 2:  # noqa: ASYNC110 - the publisher reads the ids anew
                await asyncio.sleep(0.01)
        assert publisher.refused == 1
    [(_, fields)] = await redis.xrevrange(STREAM.name, count=1)
    assert isinstance(STREAM.decoder.decode(fields[FIELD]), Quote)


async def test_what_redis_refuses_is_counted_and_the_link_stays(redis: Client, redis_url: str) -> None:
    source = Source()
    source.set_ask(A, 1_000_000)
    async with publishing(redis_url) as publisher:
        await redis.set(STREAM.name, b"not a stream")
        publisher.mark(source, A)
        await settled(publisher)
        assert publisher.refused == 1
        assert publisher._pipe.is_ready
