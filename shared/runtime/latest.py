"""What a compacted stream holds now, and every change of it from then on."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from shared.contracts.envelope import Message
from shared.contracts.streams import Stream
from shared.io.bus import TRANSIENT, Profile, StreamTail, connect, load_latest, retried, waits_s

M = TypeVar("M", bound=Message)

log = logging.getLogger(__name__)


async def load_now(url: str, stream: Stream[M]) -> tuple[dict[str, M], str]:
    """Return what ``load_latest`` does, over a connection of its own."""
    redis = connect(url, Profile.READER)
    try:
        return await load_latest(redis, stream)
    finally:
        await redis.aclose()


async def load_patiently(url: str, stream: Stream[M]) -> tuple[dict[str, M], str]:
    """Return what ``load_now`` does, waiting for as long as Redis is away."""
    return await retried(lambda: load_now(url, stream), what=stream.hash_name)


async def follow_latest(
    url: str, stream: Stream[M], stopping: asyncio.Event
) -> AsyncGenerator[dict[str, M] | list[M], None]:
    """Yield the present state by its keys, empty if nothing is there; then what ``follow_changes`` does."""
    latest, cursor = await load_patiently(url, stream)
    yield latest
    async with aclosing(follow_changes(url, stream, cursor, stopping)) as changes:
        async for told in changes:
            yield told


async def follow_changes(
    url: str, stream: Stream[M], cursor: str, stopping: asyncio.Event
) -> AsyncGenerator[dict[str, M] | list[M], None]:
    """Yield what is written after ``cursor``, batch by batch, until ``stopping`` is set; some of it may come twice.

    When messages were missed, because the log was trimmed or Redis lost them, the whole state comes instead, as a
    mapping by its keys: what is not in it is no more.
    """
    while not stopping.is_set():
        tail = StreamTail(url, stream, cursor)
        async with aclosing(tail.batches(stopping)) as batches:
            async for messages in batches:
                if tail.missed:
                    break
                if messages:
                    yield messages
        if not tail.missed:
            return
        log.error("state.missed", extra={"stream": stream.name, "messages": tail.watch.lost})
        async for _ in waits_s():
            if stopping.is_set():
                return
            try:
                latest, cursor = await load_now(url, stream)
            except TRANSIENT as error:
                log.warning("redis.waiting", extra={"what": stream.hash_name, "error": str(error)})
                continue
            break
        yield latest
