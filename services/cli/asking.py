"""Asking the Redis of a running system, for commands that look at it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.io.bus import TRANSIENT
from shared.runtime.errors import StartRefused
from shared.runtime.redis_address import redis_url_in
from shared.runtime.redis_server import check_redis

T = TypeVar("T")


def ask_redis(ask: Callable[[str], Awaitable[T]]) -> T:
    """Return what ``ask`` finds out at the address of Redis.

    Raises StartRefused when the address is missing, the server cannot be used, or it stops answering.
    """
    return asyncio.run(_asked(redis_url_in(os.environ), ask))


async def _asked(url: str, ask: Callable[[str], Awaitable[T]]) -> T:
    await check_redis(url)
    try:
        return await ask(url)
    except TRANSIENT as error:
        raise StartRefused(f"Redis at DUTCHBOOK_REDIS_URL does not answer: {error}") from None
