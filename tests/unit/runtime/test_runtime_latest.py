"""A compacted stream is followed from what it holds to what changes, and waited for while its server is away."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from shared.contracts.pairs import PairActivated, PairMessage, PairRetired, PairSuspended
from shared.contracts.streams import PAIRS
from shared.domain.pair import PairId
from shared.io.bus import Outbox, Profile, connect
from shared.runtime.latest import follow_latest, load_patiently
from tests.pairs import made_up_pair
from tests.service.lost_message import lose
from tests.service.redis_proxy import RedisProxy
from tests.unit.runtime.test_runtime_live_pairs import matcher, say


async def written(outbox: Outbox, message: PairMessage, pair_id: str) -> None:
    say(outbox, message, pair_id)
    await asyncio.wait_for(outbox.flushed(), 20)


async def test_first_comes_what_is_there_then_what_changes(redis_url: str) -> None:
    gone = PairRetired(pair_id=PairId("a"), reason="closed")
    async with asyncio.timeout(30), matcher(redis_url) as outbox:
        await written(outbox, PairActivated(pair=made_up_pair("a")), "a")
        await written(outbox, PairActivated(pair=made_up_pair("b")), "b")
        stopping = asyncio.Event()
        async with aclosing(follow_latest(redis_url, PAIRS, stopping)) as batches:
            present = await anext(batches)
            assert isinstance(present, dict)
            assert {key: type(message) for key, message in present.items()} == {"a": PairActivated, "b": PairActivated}
            await written(outbox, gone, "a")
            [message] = await anext(batches)
            assert isinstance(message, PairRetired)
            stopping.set()
            assert [messages async for messages in batches] == []


async def test_an_empty_state_is_told_too(redis_url: str) -> None:
    async with aclosing(follow_latest(redis_url, PAIRS, asyncio.Event())) as batches:
        assert await asyncio.wait_for(anext(batches), 20) == {}


async def test_the_whole_state_comes_again_when_something_was_missed(redis_url: str) -> None:
    redis = connect(redis_url, Profile.WRITER)
    async with (
        asyncio.timeout(30),
        matcher(redis_url) as outbox,
        aclosing(follow_latest(redis_url, PAIRS, asyncio.Event())) as told,
    ):
        assert await anext(told) == {}
        await written(outbox, PairActivated(pair=made_up_pair("a")), "a")
        assert [type(message) for message in await anext(told)] == [PairActivated]
        await lose(outbox, redis, PAIRS, PairSuspended(pair=made_up_pair("a"), reason="rules changed"), key="a")
        await written(outbox, PairActivated(pair=made_up_pair("b")), "b")
        whole = await anext(told)
        assert isinstance(whole, dict)
        assert {key: type(message) for key, message in whole.items()} == {"a": PairSuspended, "b": PairActivated}
        await written(outbox, PairActivated(pair=made_up_pair("c")), "c")
        assert [type(message) for message in await anext(told)] == [PairActivated], "and then changes, as before"
    await redis.aclose()


async def test_a_state_is_waited_for_while_its_server_is_away(
    redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with matcher(redis_url) as outbox:
        await written(outbox, PairActivated(pair=made_up_pair("a")), "a")
    proxy = RedisProxy(redis_url, tmp_path)
    loading = asyncio.create_task(load_patiently(proxy.url, PAIRS))
    while "redis.waiting" not in caplog.messages:
        assert not (await asyncio.wait({loading}, timeout=0.01))[0], "nobody listens yet"
    async with proxy.up():
        latest, _ = await asyncio.wait_for(loading, 20)
    assert list(latest) == ["a"]
