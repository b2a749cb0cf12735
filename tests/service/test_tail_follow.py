"""A tail can take up streams and leave them while it reads."""

import asyncio

from shared.contracts.streams import FIELD
from shared.io.bus import Profile, Tail, connect


async def test_streams_are_followed_and_left_while_others_are_read(redis_url: str) -> None:
    redis, stopping = connect(redis_url, Profile.WRITER), asyncio.Event()
    await redis.xadd("one", {FIELD: b"1"})
    tail = Tail(redis_url, {"one": "0-0"})
    seen: list[tuple[str, bytes]] = []
    async with asyncio.timeout(20):
        async for entries in tail.batches(stopping):
            seen += [(name, payload) for name, _, payload in entries]
            match seen[-1:]:
                case [("one", b"1")]:
                    await redis.xadd("two", {FIELD: b"2"})
                    tail.follow({"two": "0-0"})
                case [("two", b"2")]:
                    tail.unfollow(["two", "never followed"])
                    await redis.xadd("two", {FIELD: b"3"})
                    await redis.xadd("one", {FIELD: b"4"})
                case [("one", b"4")]:
                    tail.follow({"two": "0-0"})
                case [("two", b"3")]:
                    stopping.set()
    assert seen == [("one", b"1"), ("two", b"2"), ("one", b"4"), ("two", b"2"), ("two", b"3")]
    await redis.aclose()


async def test_what_a_read_brings_of_a_stream_that_was_left_meanwhile_is_dropped(redis_url: str) -> None:
    redis, stopping = connect(redis_url, Profile.WRITER), asyncio.Event()
    tail = Tail(redis_url, {"one": "0-0", "two": "0-0"})
    seen: list[bytes] = []

    async def read() -> None:
        async for entries in tail.batches(stopping):
            seen.extend(payload for _, _, payload in entries)
            if b"last" in seen:
                stopping.set()

    reading = asyncio.create_task(read())
    async with asyncio.timeout(20):
        while not (await redis.info("clients"))["blocked_clients"]:  # noqa: ASYNC110 - the server knows
            await asyncio.sleep(0.01)
        tail.unfollow(["two"])
        await redis.xadd("two", {FIELD: b"left"})
        await redis.xadd("one", {FIELD: b"last"})
        await reading
    assert seen == [b"last"]
    await redis.aclose()
