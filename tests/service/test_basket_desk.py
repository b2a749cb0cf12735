"""What a detector says of baskets is written under the lease of their partition, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from services.arb_detector.basket_desk import BasketDesk
from services.arb_detector.basket_evaluator import BASKET_GONE
from shared.contracts.baskets import BasketStanding
from shared.contracts.streams import BASKET_FUNNEL, DETECTOR_LEASES
from shared.domain.live_basket import BasketId
from shared.domain.pair import partition_of
from shared.io.bus import Client, Identity, Lease, Outbox, Profile, connect
from shared.testing.clock import FakeClock
from tests.outboxes import writing

NAME = BasketId("a-basket")
PART = partition_of(NAME)


def standing(reason: str) -> BasketStanding:
    return BasketStanding(
        basket_id=NAME, basket_version="1", reason=reason, since_ts_ns=0, as_of_ts_ns=0, evaluations=0
    )


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Client]:
    client = connect(redis_url, Profile.WRITER)
    await client.hset(DETECTOR_LEASES, str(PART), "me:1")
    yield client
    await client.aclose()


async def say(url: str, held: dict[int, Lease], *words: BasketStanding) -> None:
    """Let a desk with these leases say where a basket stands, one word after the other."""
    async with writing(Outbox(url, Identity("test", "e1"))) as outbox:
        for word in words:
            source = SimpleNamespace(sweep=lambda word=word: [word])
            clock = FakeClock()
            clock.advance(ms=10_000)
            BasketDesk(source, outbox, SimpleNamespace(held=held), clock).sweep()  # type: ignore[arg-type]
        await asyncio.wait_for(outbox.flushed(), 20)


@pytest.mark.parametrize("leases", [{}, {PART: Lease(DETECTOR_LEASES, PART, "another:2")}])
async def test_a_process_without_the_partition_neither_tells_nor_ends_a_standing(
    redis: Client, redis_url: str, leases: dict[int, Lease]
) -> None:
    await redis.hset(BASKET_FUNNEL.hash_name, NAME, b"the word of whoever has it")
    await say(redis_url, leases, standing("open"), standing(BASKET_GONE))
    assert await redis.hgetall(BASKET_FUNNEL.hash_name) == {NAME.encode(): b"the word of whoever has it"}
    assert await redis.xlen(BASKET_FUNNEL.name) == 0


async def test_the_holder_tells_where_a_basket_stands_until_it_is_gone(redis: Client, redis_url: str) -> None:
    ours = {PART: Lease(DETECTOR_LEASES, PART, "me:1")}
    await say(redis_url, ours, standing("open"))
    assert b'"reason":"open"' in await redis.hget(BASKET_FUNNEL.hash_name, NAME)
    await say(redis_url, ours, standing(BASKET_GONE))
    assert await redis.hgetall(BASKET_FUNNEL.hash_name) == {}
    assert await redis.xlen(BASKET_FUNNEL.name) == 2
