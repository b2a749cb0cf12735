"""A tail can take up streams and leave them while it reads."""

import asyncio
import time
from pathlib import Path

import pytest

from shared.contracts.streams import FIELD
from shared.io import tails
from shared.io.bus import Client, Entry, Profile, Tail, connect
from tests.service.redis_proxy import RedisProxy


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


async def test_a_pump_hands_over_entries_of_streams_that_come_and_go_and_goes_on_after_a_lost_link(
    redis_url: str, tmp_path: Path
) -> None:
    redis, stopping = connect(redis_url, Profile.WRITER), asyncio.Event()
    await redis.xadd("one", {FIELD: b"1"})
    seen: list[bytes] = []
    changed = asyncio.Event()

    def take(entries: list[Entry]) -> None:
        seen.extend(payload for _, _, payload in entries)
        changed.set()

    async def until(payload: bytes) -> None:
        while payload not in seen:
            changed.clear()
            await changed.wait()

    async with asyncio.timeout(20), RedisProxy(redis_url, tmp_path).up() as proxy:
        tail = Tail(proxy.url, {"one": "0-0"})
        pumping = asyncio.create_task(tail.pump(stopping, take))
        await until(b"1")
        await redis.xadd("two", {FIELD: b"2"})
        tail.follow({"two": "0-0"})
        await redis.xadd("one", {FIELD: b"3"})
        await until(b"2")
        proxy.cut()
        await redis.xadd("two", {FIELD: b"4"})
        await until(b"4")
        tail.unfollow(["two"])
        await redis.xadd("two", {FIELD: b"5"})
        await redis.xadd("one", {FIELD: b"6"})
        await until(b"6")
        stopping.set()
        await redis.xadd("one", {FIELD: b"last"})
        await pumping
    assert sorted(seen) == [b"1", b"2", b"3", b"4", b"6", b"last"]
    assert proxy.connections == 2
    await redis.aclose()


async def test_a_pump_starts_again_on_a_stream_that_was_emptied(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "_CURSOR_CHECK_S", 0.0)
    redis, stopping = connect(redis_url, Profile.WRITER), asyncio.Event()
    await redis.xadd("one", {FIELD: b"old"}, id="9999999999999-0")
    seen: list[bytes] = []

    def take(entries: list[Entry]) -> None:
        seen.extend(payload for _, _, payload in entries)
        if b"new" in seen:
            stopping.set()

    tail = Tail(redis_url, {"one": "9999999999999-0"})
    await redis.delete("one")
    await redis.xadd("one", {FIELD: b"new"})
    async with asyncio.timeout(20):
        await tail.pump(stopping, take)
    assert (seen, tail.recreated) == ([b"new"], 1)
    await redis.aclose()


async def test_a_taker_that_wants_more_is_answered_at_once_with_what_there_is(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "BLOCK_MS", 15_000)
    redis, stopping = connect(redis_url, Profile.WRITER), asyncio.Event()
    await redis.xadd("one", {FIELD: b"1"})
    seen: list[list[bytes]] = []

    def take(entries: list[Entry]) -> bool:
        seen.append([payload for _, _, payload in entries])
        if len(seen) == 3:
            stopping.set()
        return True

    began_s = time.monotonic()
    async with asyncio.timeout(20):
        await Tail(redis_url, {"one": "0-0"}).pump(stopping, take)
    assert seen == [[b"1"], [], []]
    assert time.monotonic() - began_s < 10, "it waited for what did not come"
    await redis.aclose()


@pytest.mark.parametrize("how", ["batches", "pump"])
async def test_a_server_that_ends_a_blocked_read_does_not_end_the_reader(redis_url: str, how: str) -> None:
    """As it does when it becomes a replica."""
    redis, stopping = connect(redis_url, Profile.WRITER), asyncio.Event()
    tail, seen = Tail(redis_url, {"one": "0-0"}), list[Entry]()

    def take(entries: list[Entry]) -> None:
        seen.extend(entries)
        if seen:
            stopping.set()

    async def read() -> None:
        async for entries in tail.batches(stopping):
            take(entries)

    reading = asyncio.create_task(read() if how == "batches" else tail.pump(stopping, take))
    async with asyncio.timeout(20):
        while not await _unblocked(redis):  # noqa: ASYNC110 - the server knows
            await asyncio.sleep(0.01)
        await redis.xadd("one", {FIELD: b"1"})
        await reading
    assert [payload for _, _, payload in seen] == [b"1"]
    await redis.aclose()


async def _unblocked(redis: Client) -> bool:
    """Whether a blocked read was found and ended with an error."""
    blocked = [one["id"] for one in await redis.client_list() if "b" in one["flags"]]
    return bool(blocked) and bool(await redis.client_unblock(blocked[0], error=True))


async def test_what_the_taker_raises_ends_the_pump(redis_url: str) -> None:
    redis = connect(redis_url, Profile.WRITER)
    await redis.xadd("one", {FIELD: b"1"})

    def take(entries: list[Entry]) -> None:
        raise KeyError(entries[0][2])

    with pytest.raises(KeyError, match="1"):
        await Tail(redis_url, {"one": "0-0"}).pump(asyncio.Event(), take)
    await redis.aclose()
