"""Leases against a real Redis: an equal share each, taken over when a holder is silent, and no write without one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest

from shared.contracts.opportunities import OpportunityClosed
from shared.contracts.streams import OPPORTUNITIES, Stream
from shared.domain.pair import Direction, PairId
from shared.io.bus import TRANSIENT, Client, Identity, Leases, Outbox, Profile, connect
from shared.io.leases import LEASE_MS
from tests.outboxes import writing
from tests.service.redis_proxy import RedisProxy

HASH = "test:leases"
PARTS = 16


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Client]:
    client = connect(redis_url, Profile.WRITER)
    yield client
    await client.aclose()


def replica(url: str, name: str) -> Leases:
    return Leases(url, HASH, name, partitions=PARTS)


def outbox_at(url: str) -> AbstractAsyncContextManager[Outbox]:
    return writing(Outbox(url, Identity("test", "epoch")))


def message(name: str) -> OpportunityClosed:
    return OpportunityClosed(
        opportunity_id=name,
        pair_id=PairId("p"),
        direction=Direction.YES_KALSHI_NO_POLYMARKET,
        reason="",
        opened_ts_ns=0,
        closed_ts_ns=0,
        peak_edge_dollars=0,
        peak_contracts=0,
    )


async def expire(redis: Client, *names: str) -> None:
    """Let these leases end, as silence would."""
    await redis.hset(f"{HASH}:until", mapping=dict.fromkeys(names, 1))


async def test_one_replica_holds_everything_at_once_and_keeps_it(redis_url: str) -> None:
    one = replica(redis_url, "one")
    assert (await one.renew()).gained == frozenset(range(PARTS))
    assert await one.renew() == await one.renew()
    assert not (await one.renew()).gained
    assert one.held.keys() == set(range(PARTS))
    one.close()


async def test_replicas_that_come_and_go_share_equally_and_never_overlap(redis_url: str) -> None:
    replicas = [replica(redis_url, name) for name in ("one", "two", "three")]

    async def settled(present: list[Leases]) -> list[int]:
        for _ in range(3):
            for each in present:
                await each.renew()
        held = [part for each in present for part in each.held]
        assert sorted(held) == list(range(PARTS))
        return sorted(len(each.held) for each in present)

    assert await settled(replicas[:1]) == [16]
    assert await settled(replicas[:2]) == [8, 8]
    assert await settled(replicas) == [4, 6, 6]
    await replicas[1].leave()
    assert replicas[1].held == {}
    assert await settled([replicas[0], replicas[2]]) == [8, 8]
    for each in replicas:
        each.close()


async def test_a_silent_holder_is_replaced_and_learns_it_by_its_next_renewal(redis_url: str, redis: Client) -> None:
    one, two = replica(redis_url, "one"), replica(redis_url, "two")
    await one.renew()
    await expire(redis, "replica:one", *map(str, range(PARTS)))
    assert (await two.renew()).gained == frozenset(range(PARTS))
    change = await one.renew()
    assert (change.gained, change.lost) == (frozenset(), frozenset(range(PARTS)))
    assert one.held == {}
    one.close()
    two.close()


async def test_a_lease_ends_by_itself(redis_url: str) -> None:
    one, two = replica(redis_url, "one"), replica(redis_url, "two")
    await one.renew()
    assert not (await two.renew()).gained
    async with asyncio.timeout(2 * LEASE_MS / 1_000):
        while len(two.held) < PARTS:
            await asyncio.sleep(0.02)
            await two.renew()
    one.close()
    two.close()


async def test_a_lease_that_would_end_too_late_was_written_before_the_clock_was_set_back(
    redis_url: str, redis: Client
) -> None:
    one, two = replica(redis_url, "one"), replica(redis_url, "two")
    await one.renew()
    in_an_hour = int((await redis.time())[0]) * 1_000 + 3_600_000
    await redis.hset(f"{HASH}:until", mapping=dict.fromkeys(["replica:one", *map(str, range(PARTS))], in_an_hour))
    assert (await two.renew()).gained == frozenset(range(PARTS))
    one.close()
    two.close()


async def test_nothing_is_written_under_a_lease_that_another_has_taken(redis_url: str, redis: Client) -> None:
    one, two = replica(redis_url, "one"), replica(redis_url, "two")
    await one.renew()
    old = one.held[3]
    await expire(redis, "replica:one", *map(str, range(PARTS)))
    await two.renew()
    async with outbox_at(redis_url) as outbox:
        outbox.put_under_lease(old, [(OPPORTUNITIES, message("late"), "p", False)])
        outbox.put_under_lease(two.held[3], [(OPPORTUNITIES, message("now"), "p", False)])
        await outbox.flushed()
        assert outbox.fenced == 1
    [(_, fields)] = await redis.xrange(OPPORTUNITIES.name)
    assert b'"opportunity_id":"now"' in fields[b"d"]
    assert b'"opportunity_id":"now"' in (await redis.hgetall(OPPORTUNITIES.hash_name))[b"p"]
    one.close()
    two.close()


async def test_messages_under_one_lease_are_written_together_and_a_key_can_be_dropped(
    redis_url: str, redis: Client
) -> None:
    one = replica(redis_url, "one")
    await one.renew()
    async with outbox_at(redis_url) as outbox:
        both = [(OPPORTUNITIES, message("a"), "a", False), (OPPORTUNITIES, message("b"), "", False)]
        outbox.put_under_lease(one.held[0], both)
        await outbox.flushed()
        assert await redis.hkeys(OPPORTUNITIES.hash_name) == [b"a"]
        outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message("c"), "a", True)])
        await outbox.flushed()
    assert await redis.hkeys(OPPORTUNITIES.hash_name) == []
    assert await redis.xlen(OPPORTUNITIES.name) == 3
    one.close()


async def test_a_redis_that_lost_its_memory_costs_the_holder_neither_lease_nor_message(
    redis_url: str, redis: Client
) -> None:
    one = replica(redis_url, "one")
    await one.renew()
    await redis.flushall()
    async with outbox_at(redis_url) as outbox:
        outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message("a"), "a", False)])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(outbox.flushed(), 0.2)
        change = await one.renew()
        assert (change.gained, change.lost) == (frozenset(), frozenset())
        await asyncio.wait_for(outbox.flushed(), 5)
        assert outbox.fenced == 0
    assert await redis.xlen(OPPORTUNITIES.name) == 1
    one.close()


async def test_a_partition_that_changed_hands_and_came_back_is_lost_and_gained(redis_url: str, redis: Client) -> None:
    one, two = replica(redis_url, "one"), replica(redis_url, "two")
    await one.renew()
    before = one.held[5]
    await expire(redis, "replica:one", "5")
    await two.renew()
    assert two.held.keys() == {5}
    await two.leave()
    change = await one.renew()
    assert (change.gained, change.lost) == (frozenset({5}), frozenset({5}))
    assert one.held[5] is not before
    one.close()
    two.close()


async def test_a_pushed_message_is_sent_before_any_task_wakes_and_is_written_once(
    redis_url: str, redis: Client
) -> None:
    one = replica(redis_url, "one")
    await one.renew()
    async with outbox_at(redis_url) as outbox:
        outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message("first"), "", False)])
        outbox.push()  # there is no connection yet: the outbox opens one in its own time
        await outbox.flushed()
        outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message("second"), "", False)])
        outbox.push()
        outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message("third"), "", False)])
        outbox.push()
        await outbox.flushed()
    written = [OPPORTUNITIES.decoder.decode(fields[b"d"]) for _, fields in await redis.xrange(OPPORTUNITIES.name)]
    assert [(one.opportunity_id, one.pseq) for one in written] == [("first", 1), ("second", 2), ("third", 3)]
    one.close()


async def test_what_a_replica_or_a_server_without_replicas_refuses_is_tried_until_it_is_taken(
    redis_url: str, redis: Client
) -> None:
    one = replica(redis_url, "one")
    await one.renew()
    await redis.config_set("min-replicas-to-write", 1)
    try:
        async with outbox_at(redis_url) as outbox:
            outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message("a"), "", False)])
            outbox.put(OPPORTUNITIES, message("b"))
            with pytest.raises(TRANSIENT, match="NOREPLICAS"):
                await one.renew()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(outbox.flushed(), 0.3)
            await redis.config_set("min-replicas-to-write", 0)
            await asyncio.wait_for(outbox.flushed(), 5)
            assert outbox.refused == 0
    finally:
        await redis.config_set("min-replicas-to-write", 0)
    assert await redis.xlen(OPPORTUNITIES.name) == 2
    one.close()


async def test_a_server_that_forgot_the_script_is_told_it_again(redis_url: str, redis: Client) -> None:
    one = replica(redis_url, "one")
    await one.renew()
    await redis.config_resetstat()
    async with outbox_at(redis_url) as outbox:
        for name in ("a", "b"):
            outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message(name), "", False)])
            await outbox.flushed()
        assert (await redis.info("commandstats")).get("cmdstat_evalsha", {}).get("calls") == 1
        await redis.script_flush()
        outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message("c"), "", False)])
        outbox.push()
        await asyncio.wait_for(outbox.flushed(), 5)
    assert await redis.xlen(OPPORTUNITIES.name) == 3
    one.close()


async def test_a_trimmed_stream_is_trimmed_under_a_lease_too(redis_url: str, redis: Client) -> None:
    one = replica(redis_url, "one")
    await one.renew()
    short: Stream[OpportunityClosed] = Stream("test:short", msgspec.json.Decoder(OpportunityClosed), keep=100)
    async with outbox_at(redis_url) as outbox:
        for at in range(1_000):
            outbox.put_under_lease(one.held[0], [(short, message(str(at)), "", False)])
        await outbox.flushed()
    assert 100 <= await redis.xlen(short.name) < 300
    one.close()


async def test_pushes_follow_one_another_without_waiting_for_answers(redis_url: str, redis: Client) -> None:
    one = replica(redis_url, "one")
    await one.renew()
    async with outbox_at(redis_url) as outbox:
        outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message("0"), "", False)])
        await outbox.flushed()
        for at in range(1, 50):
            outbox.put_under_lease(one.held[at % PARTS], [(OPPORTUNITIES, message(str(at)), "", False)])
            outbox.push()
        sent = await redis.xlen(OPPORTUNITIES.name)
        await outbox.flushed()
    assert sent > 1
    written = [OPPORTUNITIES.decoder.decode(fields[b"d"]) for _, fields in await redis.xrange(OPPORTUNITIES.name)]
    assert [one.opportunity_id for one in written] == [str(at) for at in range(50)]
    one.close()


async def test_what_was_pushed_over_a_link_that_broke_is_written_later_in_order(
    redis_url: str, redis: Client, tmp_path: Path
) -> None:
    one = replica(redis_url, "one")
    await one.renew()
    async with RedisProxy(redis_url, tmp_path).up() as proxy, outbox_at(proxy.url) as outbox:
        outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message("0"), "", False)])
        await outbox.flushed()
        proxy.swallow_reply_to(b"EVALSHA")
        for at in range(1, 6):
            outbox.put_under_lease(one.held[0], [(OPPORTUNITIES, message(str(at)), "", False)])
            outbox.push()
        await asyncio.wait_for(outbox.flushed(), 10)
    written = [OPPORTUNITIES.decoder.decode(fields[b"d"]) for _, fields in await redis.xrange(OPPORTUNITIES.name)]
    assert proxy.connections == 2
    assert [(one.opportunity_id, one.pseq) for one in written] == [(str(at), at + 1) for at in range(6)]
    one.close()
