"""Waiting for a condition, never for a number of seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar

T = TypeVar("T")

GRACE_S = 60


def eventually(look: Callable[[], T], *, within_s: float = GRACE_S, what: Callable[[], object] = lambda: "") -> T:
    """Return the first true answer; fail with ``what()`` when none comes in time."""
    ends_s = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < ends_s, what()
        time.sleep(0.02)
    return found


async def until(holds: Callable[[], object | Awaitable[object]], *, within_s: float = 30.0) -> None:
    """Let the event loop run until something holds; raises TimeoutError when that takes too long."""
    async with asyncio.timeout(within_s):
        while True:
            found = holds()
            if await found if isawaitable(found) else found:
                return
            await asyncio.sleep(0.005)
