"""What the bus promises, against a real server: order, repeats folded, losses counted, and nothing owed forgotten."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.contracts.alerts import OperationalAlert
from shared.contracts.pairs import PairActivated, PairMessage, PairRetired, PairSuspended
from shared.contracts.streams import ALERTS, FIELD, PAIRS, dead_letter_name
from shared.io import bus
from shared.io.bus import (
    Client,
    Delivery,
    GroupReader,
    Identity,
    Lease,
    Outbox,
    OutboxFull,
    Profile,
    SetAside,
    StreamTail,
    connect,
    last_id,
    load_latest,
    trim_behind_groups,
)
from shared.io.resp import RespLink, pack
from tests.outboxes import writing
from tests.service.redis_proxy import RedisProxy
from tests.service.spoiled_link import Fate, SpoiledLink
from tests.unit.kalshi_executor.builders import PAIR
from tests.waiting import until

ME = Identity("test", "epoch-1")
LEASES = "test:leases"


def alert(number: int) -> OperationalAlert:
    return OperationalAlert(alert_id=str(number), severity="info", code="t", title="t", happened_ts_ns=number)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Client]:
    client = connect(redis_url, Profile.WRITER)
    yield client
    await client.aclose()


@pytest.fixture
async def proxy(redis_url: str, tmp_path: Path) -> AsyncIterator[RedisProxy]:
    async with RedisProxy(redis_url, tmp_path).up() as proxy:
        yield proxy


def spoil(outbox: Outbox, url: str, fates: list[Fate]) -> None:
    """Give the commands that the outbox sends these fates, one each."""
    outbox._link = SpoiledLink(url, fates, number_key=outbox._number_key, leases=LEASES, holder="me:1")


async def numbers_on_stream(redis: Client) -> list[int]:
    return [int(ALERTS.decoder.decode(fields[FIELD]).alert_id) for _, fields in await redis.xrange(ALERTS.name)]


async def tailed(url: str, count: int, *, cursor: str = "0-0") -> tuple[list[int], StreamTail[OperationalAlert]]:
    """Return the first ``count`` messages after ``cursor``, and the tail that read them."""
    stopping = asyncio.Event()
    tail = StreamTail(url, ALERTS, cursor)
    found: list[int] = []
    async with asyncio.timeout(20):
        async for messages in tail.batches(stopping):
            found += [int(message.alert_id) for message in messages]
            if len(found) >= count:
                stopping.set()
    return found, tail


async def refused_once_more(redis: Client) -> None:
    """Wait until the server has refused another command for want of memory."""

    async def refusals() -> int:
        told = await redis.info("errorstats")
        return sum(found["count"] for name, found in told.items() if name in ("errorstat_OOM", "errorstat_EXECABORT"))

    before = await refusals()
    await until(lambda: _more(refusals, before))


async def _more(count: Callable[[], Awaitable[int]], before: int) -> bool:
    return await count() > before


class TestOutbox:
    async def test_messages_are_written_in_order_and_counted(self, redis: Client, redis_url: str) -> None:
        async with writing(Outbox(redis_url, ME)) as outbox:
            for number in range(1_200):
                outbox.put(ALERTS, alert(number))
            await outbox.flushed()
        assert await numbers_on_stream(redis) == list(range(1_200))
        [(_, fields)] = await redis.xrevrange(ALERTS.name, count=1)
        last = ALERTS.decoder.decode(fields[FIELD])
        assert (last.src, last.epoch, last.pseq) == ("test", "epoch-1", 1_200)

    async def test_a_lost_reply_doubles_nothing(self, redis: Client, proxy: RedisProxy) -> None:
        async with writing(Outbox(proxy.url, ME)) as outbox:
            outbox.put(ALERTS, alert(0))
            await outbox.flushed()
            proxy.swallow_reply_to(b"EVALSHA")
            for number in (1, 2):
                outbox.put(ALERTS, alert(number))
            await outbox.flushed()
            outbox.put(ALERTS, alert(3))
            await outbox.flushed()
        assert proxy.connections == 2
        assert await numbers_on_stream(redis) == [0, 1, 2, 3]

    async def test_what_a_forgetful_server_is_told_twice_a_tail_folds(self, redis: Client, redis_url: str) -> None:
        outbox = Outbox(redis_url, ME)
        fates = [Fate.DONE, Fate.DONE, Fate.UNHEARD, Fate.FORGOTTEN]
        spoil(outbox, redis_url, fates)
        async with writing(outbox):
            for number in range(4):
                outbox.put(ALERTS, alert(number))
            await outbox.flushed()
        assert await numbers_on_stream(redis) == [0, 1, 2, 0, 1, 2, 3]
        found, tail = await tailed(redis_url, 4)
        assert (found, tail.watch.lost) == ([0, 1, 2, 3], 0)

    @pytest.mark.parametrize("is_told_by", ["the next message", "a look"])
    @pytest.mark.parametrize("remembers", ["1", None])
    async def test_a_server_that_came_back_with_an_older_memory_is_noticed(
        self, redis: Client, redis_url: str, remembers: str | None, is_told_by: str
    ) -> None:
        outbox = Outbox(redis_url, ME)
        async with writing(outbox):
            for number in range(3):
                outbox.put(ALERTS, alert(number))
            await outbox.flushed()
            await outbox.look_back(redis)
            outbox.put(ALERTS, alert(3))
            await outbox.flushed()
            assert not outbox.is_forgotten
            await redis.delete(outbox._number_key)
            if remembers is not None:
                await redis.set(outbox._number_key, remembers)
            if is_told_by == "a look":
                await outbox.look_back(redis)
                assert outbox.is_forgotten
                outbox.is_forgotten = False
                await outbox.look_back(redis)
                assert not outbox.is_forgotten, "once is enough"
            outbox.put(ALERTS, alert(4))
            await outbox.flushed()
            assert outbox.is_forgotten == (is_told_by == "the next message")
        assert await numbers_on_stream(redis) == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("why", [Fate.REFUSED, Fate.UNLEASED])
    async def test_nothing_overtakes_a_message_that_was_refused(self, redis: Client, redis_url: str, why: Fate) -> None:
        """A suspension that is refused and comes after the next word about the pair would be that pair's last word."""
        lease = Lease(LEASES, 0, "me:1")
        await redis.hset(LEASES, "0", lease.holder)
        outbox = Outbox(redis_url, ME)
        spoil(outbox, redis_url, [Fate.DONE, why, Fate.DONE, Fate.DONE, Fate.DONE])
        activated = PairActivated(pair=PAIR)
        words = [activated, PairSuspended(pair=PAIR, reason="in the middle"), activated, activated]
        async with writing(outbox):
            for word in words:
                outbox.put_under_lease(lease, [(PAIRS, word, "a", False)])
            await outbox.flushed()
        written = [PAIRS.decoder.decode(fields[FIELD]) for _, fields in await redis.xrange(PAIRS.name)]
        assert [(message.pseq, type(message)) for message in written] == [
            (number, type(word)) for number, word in enumerate(words, start=1)
        ]
        assert type(PAIRS.decoder.decode(await redis.hget(PAIRS.hash_name, "a"))) is PairActivated

    async def test_what_is_written_together_is_not_written_at_all_when_one_part_is_refused(
        self, redis: Client, redis_url: str
    ) -> None:
        lease = Lease(LEASES, 0, "me:1")
        await redis.hset(LEASES, "0", lease.holder)
        await redis.set(ALERTS.name, "no stream")
        async with writing(Outbox(redis_url, ME)) as outbox:
            outbox.put_under_lease(
                lease, [(PAIRS, PairActivated(pair=PAIR), "a", False), (ALERTS, alert(1), "", False)]
            )
            await outbox.flushed()
        assert outbox.refused == 2
        assert await redis.exists(PAIRS.name, PAIRS.hash_name) == 0

    async def test_while_redis_is_away_messages_wait_and_come_out_in_order(
        self, redis: Client, redis_url: str, tmp_path: Path
    ) -> None:
        proxy = RedisProxy(redis_url, tmp_path)
        async with writing(Outbox(proxy.url, ME)) as outbox:
            for number in range(5):
                outbox.put(ALERTS, alert(number))
            await asyncio.sleep(0.05)
            assert await numbers_on_stream(redis) == []
            async with proxy.up():
                await outbox.flushed()
        assert await numbers_on_stream(redis) == [0, 1, 2, 3, 4]

    async def test_a_server_that_hangs_is_given_up_within_the_writers_second(
        self, redis: Client, proxy: RedisProxy
    ) -> None:
        async with writing(Outbox(proxy.url, ME)) as outbox:
            proxy.stall()
            outbox.put(ALERTS, alert(1))
            await until(lambda: proxy.connections >= 2)
            proxy.flow()
            await outbox.flushed()
        assert set(await numbers_on_stream(redis)) == {1}

    async def test_what_redis_will_never_take_is_set_aside_and_the_rest_goes_on_in_order(
        self, redis: Client, redis_url: str
    ) -> None:
        told: list[SetAside] = []
        await redis.set(PAIRS.name, "no stream")
        outbox = Outbox(redis_url, ME)
        outbox.on_set_aside = told.append
        async with writing(outbox):
            for number in range(4):
                outbox.put(ALERTS, alert(number))
                outbox.put(PAIRS, PairRetired(pair_id=PAIR.pair_id, reason=str(number)), key="a")
            await outbox.flushed()
            assert list(dict.fromkeys(await numbers_on_stream(redis))) == [0, 1, 2, 3]
            assert (outbox.refused, len(told)) == (4, 1)
            assert told[0].streams == (PAIRS.name,)
            assert "WRONGTYPE" in told[0].reason
            aside = [PAIRS.decoder.decode(payload) for one in outbox.taken_aside(PAIRS) for payload in one.payloads]
            assert [message.reason for message in aside if isinstance(message, PairRetired)] == ["0", "1", "2", "3"]
            assert outbox.taken_aside(PAIRS) == outbox.taken_aside(ALERTS) == []
            await redis.delete(PAIRS.name)
            outbox.put(PAIRS, PairRetired(pair_id=PAIR.pair_id, reason="again"), key="a")
            await outbox.flushed()
        assert await redis.xlen(PAIRS.name) == 1
        assert outbox.refused == 4

    async def test_a_full_server_loses_nothing_however_long_it_refuses(self, redis: Client, redis_url: str) -> None:
        usual = (await redis.config_get("maxmemory"))["maxmemory"]
        await redis.config_set("maxmemory", "1")
        try:
            outbox = Outbox(redis_url, ME)
            async with writing(outbox):
                outbox.put(PAIRS, PairRetired(pair_id=PAIR.pair_id, reason="x"), key="a")
                outbox.put(ALERTS, alert(1))
                for _ in range(10):
                    await refused_once_more(redis)
                await redis.config_set("maxmemory", usual)
                await outbox.flushed()
        finally:
            await redis.config_set("maxmemory", usual)
        assert (outbox.refused, await redis.xlen(PAIRS.name), await numbers_on_stream(redis)) == (0, 1, [1])

    async def test_the_outbox_holds_so_much_and_no_more(self, redis_url: str) -> None:
        outbox = Outbox(redis_url, ME, limit=2)
        for number in range(2):
            outbox.put(ALERTS, alert(number))
        with pytest.raises(OutboxFull, match="2 messages"):
            outbox.put(ALERTS, alert(2))


class TestCompactedState:
    async def test_the_latest_per_key_is_kept_and_what_is_dropped_is_gone(self, redis: Client, redis_url: str) -> None:
        async with writing(Outbox(redis_url, ME)) as outbox:
            outbox.put(PAIRS, PairRetired(pair_id=PAIR.pair_id, reason="x"), key="a")
            outbox.put(PAIRS, PairActivated(pair=PAIR), key="a")
            outbox.put(PAIRS, PairActivated(pair=PAIR), key="b")
            outbox.put(PAIRS, PairRetired(pair_id=PAIR.pair_id, reason="x"), key="b", drop_key=True)
            await outbox.flushed()
        latest, cursor = await load_latest(redis, PAIRS)
        assert {key: type(message) for key, message in latest.items()} == {"a": PairActivated}
        assert cursor == await last_id(redis, PAIRS.name)

    async def test_what_is_written_while_loading_is_seen_by_the_tail(self, redis: Client, redis_url: str) -> None:
        _, cursor = await load_latest(redis, PAIRS)
        async with writing(Outbox(redis_url, ME)) as outbox:
            outbox.put(PAIRS, PairActivated(pair=PAIR), key="a")
            await outbox.flushed()
        stopping = asyncio.Event()
        seen: list[PairMessage] = []
        async for messages in StreamTail(redis_url, PAIRS, cursor).batches(stopping):
            seen += messages
            stopping.set()
        assert [type(message) for message in seen] == [PairActivated]

    async def test_one_unreadable_value_does_not_hide_the_others(
        self, redis: Client, redis_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with writing(Outbox(redis_url, ME)) as outbox:
            outbox.put(PAIRS, PairActivated(pair=PAIR), key="good")
            await outbox.flushed()
        await redis.hset(PAIRS.hash_name, "bad", b"\xff")
        latest, _ = await load_latest(redis, PAIRS)
        assert list(latest) == ["good"]
        assert "state.unreadable" in [record.getMessage() for record in caplog.records]


class TestTail:
    async def test_a_second_without_anything_is_an_empty_batch(self, redis_url: str) -> None:
        stopping = asyncio.Event()
        async for messages in StreamTail(redis_url, ALERTS, "0-0").batches(stopping):
            assert messages == []
            stopping.set()

    async def test_a_cut_link_loses_nothing(self, redis: Client, proxy: RedisProxy) -> None:
        async with writing(Outbox(proxy.url, ME)) as outbox:
            reading = asyncio.create_task(tailed(proxy.url, 60))
            for number in range(60):
                outbox.put(ALERTS, alert(number))
                await outbox.flushed()
                if number % 20 == 10:
                    proxy.cut()
            found, _ = await reading
        assert found == list(range(60))

    async def test_an_unreadable_entry_is_counted_and_passed_over(self, redis: Client, redis_url: str) -> None:
        await redis.xadd(ALERTS.name, {FIELD: b"{"})
        await redis.xadd(ALERTS.name, {b"other": b"field"})
        async with writing(Outbox(redis_url, ME)) as outbox:
            outbox.put(ALERTS, alert(1))
            await outbox.flushed()
        found, tail = await tailed(redis_url, 1)
        assert (found, tail.unreadable) == ([1], 2)

    async def test_what_trimming_took_is_counted(self, redis: Client, redis_url: str) -> None:
        async with writing(Outbox(redis_url, ME)) as outbox:
            for number in range(10):
                outbox.put(ALERTS, alert(number))
            await outbox.flushed()
        entries = await redis.xrange(ALERTS.name)
        await redis.xdel(ALERTS.name, *[entry_id for entry_id, _ in entries[3:7]])
        found, tail = await tailed(redis_url, 6)
        assert (found, tail.watch.lost) == ([0, 1, 2, 7, 8, 9], 4)

    async def test_a_stream_that_was_emptied_is_read_again_from_its_beginning(
        self, redis: Client, proxy: RedisProxy
    ) -> None:
        stopping = asyncio.Event()
        tail = StreamTail(proxy.url, ALERTS, "9999999999999-0")
        await redis.xadd(ALERTS.name, {FIELD: _encoded(alert(1))}, id="5-1")
        async with asyncio.timeout(20):
            async for messages in tail.batches(stopping):
                if messages:
                    assert [message.alert_id for message in messages] == ["1"]
                    stopping.set()
        assert tail._tail.recreated == 1


def _encoded(message: OperationalAlert) -> bytes:
    return msgspec.json.encode(message)


class Group:
    """A group reader whose deliveries are taken one at a time."""

    def __init__(self, url: str, ahead: int) -> None:
        self.stopping = asyncio.Event()
        self.reader = GroupReader(url, ALERTS, group="g", consumer="c", ahead=ahead)
        self._deliveries = self.reader.deliveries(self.stopping)

    async def take(self, *, ack: bool = True) -> int:
        async with asyncio.timeout(20):
            delivery: Delivery[OperationalAlert] = await anext(self._deliveries)
        if ack:
            await self.reader.ack(delivery)
        return int(delivery.message.alert_id)

    async def stop(self) -> None:
        self.stopping.set()
        await self._deliveries.aclose()


@pytest.fixture(params=[0, 4], ids=["one by one", "reading ahead"])
async def group(redis_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Callable[[str], Group]]:
    made: list[Group] = []

    def make(url: str = redis_url) -> Group:
        made.append(Group(url, request.param))
        return made[-1]

    yield make
    for each in made:
        await each.stop()


async def put(redis: Client, *numbers: int) -> list[bytes]:
    return [await redis.xadd(ALERTS.name, {FIELD: _encoded(alert(number))}) for number in numbers]


class TestGroup:
    async def test_what_was_there_before_the_group_is_delivered_too(
        self, redis: Client, group: Callable[..., Group]
    ) -> None:
        await put(redis, 1, 2)
        reader = group()
        assert [await reader.take(), await reader.take()] == [1, 2]
        assert reader.reader.recreated == 0

    async def test_after_a_restart_what_is_owed_comes_before_what_is_new(
        self, redis: Client, group: Callable[..., Group]
    ) -> None:
        await put(redis, 1, 2, 3)
        first = group()
        assert [await first.take(ack=False), await first.take(), await first.take(ack=False)] == [1, 2, 3]
        await first.stop()
        await put(redis, 4)
        second = group()
        assert [await second.take() for _ in range(3)] == [1, 3, 4]
        assert (await redis.xpending(ALERTS.name, "g"))["pending"] == 0

    async def test_a_reply_that_was_lost_is_delivered_again(
        self, redis: Client, proxy: RedisProxy, group: Callable[..., Group]
    ) -> None:
        await put(redis, 1)
        reader = group(proxy.url)
        assert await reader.take() == 1
        proxy.swallow_reply_to(b"XREADGROUP")
        await put(redis, 2)
        assert await reader.take() == 2

    async def test_a_server_that_hangs_is_given_up_within_the_readers_seconds(
        self, redis: Client, proxy: RedisProxy, group: Callable[..., Group]
    ) -> None:
        await put(redis, 1)
        reader = group(proxy.url)
        assert await reader.take() == 1
        waiting = asyncio.create_task(reader.take())
        await until(lambda: _blocked(redis))
        proxy.stall()
        await put(redis, 2)
        links = proxy.connections
        await until(lambda: proxy.connections > links)
        proxy.flow()
        assert await waiting == 2

    async def test_a_lost_acknowledgement_means_one_more_delivery(
        self, redis: Client, proxy: RedisProxy, group: Callable[..., Group]
    ) -> None:
        await put(redis, 1)
        reader = group(proxy.url)
        delivery = await anext(reader._deliveries)
        proxy.stall()
        proxy.cut()
        await reader.reader.ack(delivery)
        proxy.flow()
        assert await reader.take() == 1

    @pytest.mark.parametrize("how", ["destroyed", "flushed"])
    async def test_a_group_that_vanished_is_made_again_and_counted(
        self, redis: Client, group: Callable[..., Group], how: str
    ) -> None:
        await put(redis, 1)
        reader = group()
        assert await reader.take() == 1
        waiting = asyncio.create_task(reader.take())
        await until(lambda: _blocked(redis))
        await (redis.xgroup_destroy(ALERTS.name, "g") if how == "destroyed" else redis.flushall())
        await put(redis, 2)
        taken = [await waiting]
        if how == "destroyed":
            taken.append(await reader.take())
        assert taken == ([1, 2] if how == "destroyed" else [2])
        assert reader.reader.recreated == 1

    async def test_a_link_that_breaks_while_the_group_is_made_again_does_not_end_the_reader(
        self, redis: Client, proxy: RedisProxy, group: Callable[..., Group]
    ) -> None:
        await put(redis, 1)
        reader = group(proxy.url)
        proxy.swallow_reply_to(b"XGROUP")
        assert await reader.take() == 1

    async def test_the_sixth_delivery_goes_to_the_dead_letters(
        self, redis: Client, group: Callable[..., Group]
    ) -> None:
        await put(redis, 1, 2)
        for _ in range(5):
            reader = group()
            assert await reader.take(ack=False) == 1
            await reader.stop()
        last = group()
        assert await last.take() == 2
        [(_, fields)] = await redis.xrange(dead_letter_name(ALERTS))
        assert fields == {FIELD: _encoded(alert(1)), b"reason": b"delivered 6 times"}
        assert last.reader.dead_letters == 1

    async def test_those_behind_a_slow_one_are_not_taken_for_poison(
        self, redis: Client, group: Callable[..., Group]
    ) -> None:
        await put(redis, 1, 2)
        for _ in range(5):
            reader = group()
            assert await reader.take(ack=False) == 1
            await reader.stop()
        reader = group()
        slow, *behind = await redis.xpending_range(ALERTS.name, "g", "-", "+", 10)
        assert slow["times_delivered"] == 5
        assert all(entry["times_delivered"] == 1 for entry in behind), "read ahead at the first start, never again"
        assert await reader.take() == 2

    @pytest.mark.parametrize("fields", [{FIELD: b"\xff"}, {FIELD: b"{}"}, {b"other": b"1"}])
    async def test_an_unreadable_entry_is_put_aside_and_the_next_one_comes(
        self, redis: Client, group: Callable[..., Group], fields: dict[bytes, bytes]
    ) -> None:
        await redis.xadd(ALERTS.name, fields)
        await put(redis, 2)
        reader = group()
        assert await reader.take() == 2
        [(_, dead)] = await redis.xrange(dead_letter_name(ALERTS))
        assert dead[FIELD] == fields.get(FIELD, b"")
        assert (await redis.xpending(ALERTS.name, "g"))["pending"] == 0

    async def test_an_owed_entry_whose_contents_were_trimmed_does_not_stop_the_reader(
        self, redis: Client, group: Callable[..., Group]
    ) -> None:
        [first] = await put(redis, 1)
        reader = group()
        assert await reader.take(ack=False) == 1
        await reader.stop()
        await redis.xdel(ALERTS.name, first)
        await put(redis, 2)
        again = group()
        assert await again.take() == 2
        assert again.reader.dead_letters == 1

    async def test_what_was_read_ahead_says_how_long_it_waited_and_is_delivered_once(
        self, redis: Client, redis_url: str
    ) -> None:
        reader = GroupReader(redis_url, ALERTS, group="g", consumer="c", ahead=2)
        async with aclosing(reader.deliveries(asyncio.Event())) as deliveries:
            await put(redis, 1, 2, 3, 4, 5)
            first = await anext(deliveries)
            await until(lambda: _pending(redis, 3))  # one is being dealt with, two lie ready, and no more are read
            reader._ack_lost = True  # what is owed is read again: the first, but not those that will come anyway
            taken = [await anext(deliveries) for _ in range(5)]
        assert [delivery.message.alert_id for delivery in taken] == ["1", "2", "3", "4", "5"]
        assert first.message.alert_id == "1"
        assert taken[1].waited_s > 0

    async def test_what_is_given_up_is_kept_with_its_reason(self, redis: Client, redis_url: str) -> None:
        await put(redis, 1)
        reader = GroupReader(redis_url, ALERTS, group="g", consumer="c")
        async with aclosing(reader.deliveries(asyncio.Event())) as deliveries:
            await reader.give_up(await anext(deliveries), "not wanted")
        [(_, fields)] = await redis.xrange(dead_letter_name(ALERTS))
        assert fields[b"reason"] == b"not wanted"
        assert (await redis.xpending(ALERTS.name, "g"))["pending"] == 0


async def _pending(redis: Client, count: int) -> bool:
    return bool((await redis.xpending(ALERTS.name, "g"))["pending"] == count)


async def _blocked(redis: Client) -> bool:
    found: dict[str, Any] = await redis.info("clients")
    return int(found["blocked_clients"]) > 0


class TestTrimming:
    async def test_what_any_group_has_not_acknowledged_stays(self, redis: Client) -> None:
        ids = await put(redis, 1, 2, 3, 4)
        for name in ("fast", "slow"):
            await redis.xgroup_create(ALERTS.name, name, id="0")
        await redis.xreadgroup("fast", "c", {ALERTS.name: ">"})
        await redis.xreadgroup("slow", "c", {ALERTS.name: ">"}, count=3)
        await redis.xack(ALERTS.name, "fast", *ids)
        await redis.xack(ALERTS.name, "slow", ids[0], ids[2])
        assert await trim_behind_groups(redis, ALERTS) == 1
        assert await numbers_on_stream(redis) == [2, 3, 4]

    async def test_what_is_young_enough_stays_even_when_it_was_read(self, redis: Client) -> None:
        for number in (1, 2, 3):
            await redis.xadd(ALERTS.name, {FIELD: _encoded(alert(number))}, id=f"{number}000-0")
        await redis.xgroup_create(ALERTS.name, "g", id="$")
        assert await trim_behind_groups(redis, ALERTS, before_ms=2_000) == 1
        assert await numbers_on_stream(redis) == [2, 3]

    async def test_without_a_group_nothing_is_dropped(self, redis: Client) -> None:
        assert await trim_behind_groups(redis, ALERTS, before_ms=2**50) == 0
        await put(redis, 1)
        assert await trim_behind_groups(redis, ALERTS, before_ms=2**50) == 0
        assert await numbers_on_stream(redis) == [1]


async def test_a_control_read_of_a_hung_server_is_a_no_within_its_quarter_second(proxy: RedisProxy) -> None:
    control = connect(proxy.url, Profile.CONTROL)
    await control.get("k")
    proxy.stall()
    started_s = asyncio.get_running_loop().time()
    with pytest.raises(bus.TRANSIENT):
        await control.get("k")
    assert asyncio.get_running_loop().time() - started_s < 1
    await control.aclose()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_is_sent_at_once_arrives_whole_and_in_order_however_full_the_socket_is(
    redis_url: str, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def exchange() -> list[object]:
        link = RespLink(redis_url, timeout_s=5)
        await link.open()
        payloads = [bytes([65 + at]) * 300_000 for at in range(20)]
        for at, payload in enumerate(payloads):
            link.send(pack("RPUSH", "pushed", payload), at_once=at % 3 > 0)
        found = await link.ask(pack("LRANGE", "pushed", 0, -1))
        link.close()
        assert found == [payloads]
        with pytest.raises(RedisConnectionError):
            link.send(pack("PING"), at_once=True)
        return found

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(exchange())
