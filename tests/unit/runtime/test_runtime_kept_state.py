"""A writer's state is whole again after Redis came back with an older memory of it, against a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from shared.contracts.catalog import MarketClosed, MarketListed
from shared.contracts.streams import CATALOG
from shared.domain.market import Market, MarketId, Venue
from shared.io.bus import Client, Identity, Outbox, Profile, connect, load_latest
from shared.runtime import bus_catalog
from shared.runtime.bus_catalog import repair_catalog
from tests.unit.arb_detector.scene import market

STREAM = CATALOG[Venue.KALSHI]
WITHIN_S = 20.0


@asynccontextmanager
async def repaired(url: str, known: dict[MarketId, Market]) -> AsyncIterator[tuple[Outbox, Client]]:
    """An outbox that has listed ``known``, and the task that keeps the catalog as ``known`` is."""
    outbox, redis = Outbox(url, Identity("feed", "e1")), connect(url, Profile.WRITER)
    tasks = [asyncio.create_task(outbox.run())]
    for market_id, one in known.items():
        outbox.put(STREAM, MarketListed(market=one), key=market_id)
    await outbox.flushed()
    tasks.append(asyncio.create_task(repair_catalog(url, STREAM, outbox, lambda: known)))
    try:
        yield outbox, redis
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await redis.aclose()


async def until_held(redis: Client, *names: str) -> dict[str, object]:
    async with asyncio.timeout(WITHIN_S):
        while True:
            latest, _ = await load_latest(redis, STREAM)
            listed = {key: word for key, word in latest.items() if not isinstance(word, MarketClosed)}
            if listed.keys() == set(names):
                return dict(latest)
            await asyncio.sleep(0.01)


def markets(*names: str) -> dict[MarketId, Market]:
    return {MarketId(name): market(Venue.KALSHI, market_id=MarketId(name)) for name in names}


async def test_what_a_crash_took_back_is_said_again(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many markets as before, but one that is closed is listed and one that was listed is not there."""
    monkeypatch.setattr(bus_catalog, "_LOOK_EVERY_S", 0.02)
    known = markets("A", "B")
    async with repaired(redis_url, known) as (outbox, redis):
        before, number = await redis.hgetall(STREAM.hash_name), await redis.get(outbox._number_key)
        outbox.put(STREAM, MarketListed(market=market(Venue.KALSHI, market_id=MarketId("C"))), key="C")
        known |= markets("C")
        del known[MarketId("B")]
        outbox.put(STREAM, closed("B"), key="B", drop_key=True)
        await until_held(redis, "A", "C")
        paid = closed("D")
        await redis.hset(STREAM.hash_name, "D", msgspec.json.encode(paid))
        async with redis.pipeline(transaction=True) as pipe:
            pipe.hdel(STREAM.hash_name, "C")
            pipe.hset(STREAM.hash_name, mapping=before)
            pipe.set(outbox._number_key, number)
            await pipe.execute()
        held = await until_held(redis, "A", "C")
        assert held["D"] == paid, "what a market has paid stays"


async def test_an_empty_server_is_told_everything(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_catalog, "_LOOK_EVERY_S", 0.02)
    async with repaired(redis_url, markets("A", "B")) as (_, redis):
        await redis.flushall()
        await until_held(redis, "A", "B")


def closed(name: str) -> MarketClosed:
    return MarketClosed(venue=Venue.KALSHI, market_id=MarketId(name), reason="over")
