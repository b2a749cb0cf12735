"""What a compacted stream holds now, and every change of it from then on."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from shared.contracts.envelope import Message
from shared.contracts.streams import Stream
from shared.io.bus import Profile, StreamTail, connect, load_latest, retried

M = TypeVar("M", bound=Message)


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


async def follow_latest(url: str, stream: Stream[M], stopping: asyncio.Event) -> AsyncIterator[list[M]]:
    """Yield the present state once, empty if nothing is there; then what changes, batch by batch, until ``stopping``.

    Nothing is missed in between; what was written while the state was read may come twice.
    """
    latest, cursor = await load_patiently(url, stream)
    yield list(latest.values())
    async for messages in StreamTail(url, stream, cursor).batches(stopping):
        if messages:
            yield messages
