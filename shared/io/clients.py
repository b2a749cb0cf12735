"""Redis clients that fit how each connection is used.

The library's defaults are wrong for money: every command is retried ten times, so one lost reply becomes two entries,
and a hung server blocks for a minute. Every client here retries nothing by itself; whoever calls decides.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError
from redis.exceptions import TimeoutError as RedisTimeoutError

Client = Any
"""A redis-py client. Its reply types depend on protocol and decoding, which its annotations cannot say; here replies
are RESP2 and bytes."""

TRANSIENT = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError)
"""Redis is gone, slow or full for now; the same call may succeed later."""

BLOCK_MS = 1_000
"""How long a blocking read waits; less than its socket's timeout."""
_FIRST_WAIT_S = 0.02
_LONGEST_WAIT_S = 1.0

T = TypeVar("T")

log = logging.getLogger(__name__)


class Profile(Enum):
    """How a connection is used; the value is its socket timeout in seconds."""

    READER = 3.0
    """Blocking reads of at most a second."""
    WRITER = 1.0
    CONTROL = 0.25
    """Reads that decide whether money may move; a slow answer counts as no."""


def connect(url: str, profile: Profile) -> Client:
    """Return a client for one purpose; it connects on first use and never retries a command by itself."""
    return Redis.from_url(
        url,
        protocol=2,
        decode_responses=False,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        socket_timeout=profile.value,
        socket_connect_timeout=min(profile.value, 1.0),
        health_check_interval=0,
    )


def waits_s() -> AsyncIterator[None]:
    """Yield at once, then after full-jitter pauses that grow from 20 ms to 1 s; restart it after a success."""
    return _waits()


async def _waits() -> AsyncIterator[None]:
    longest_s = _FIRST_WAIT_S
    while True:
        yield None
        await asyncio.sleep(random.uniform(0, longest_s))
        longest_s = min(_LONGEST_WAIT_S, longest_s * 2)


async def retried(call: Callable[[], Awaitable[T]], *, what: str) -> T:
    """Return what ``call`` returns, made again for as long as Redis is away; ``what`` it is for stands in the log."""
    async for _ in waits_s():
        try:
            return await call()
        except TRANSIENT as error:
            log.warning("redis.waiting", extra={"what": what, "error": str(error)})
    raise AssertionError("waits_s never ends")
