"""Waiting for something in another process to come true: there is no event to await, so it is asked again and again."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.runtime.errors import StartRefused

_PAUSE_S = 0.05
_PAUSE_PER_ASKING = 4
"""What is slow to find out is asked less often, for those who are waited for need the machine too."""


async def wait_until(condition: Callable[[], Awaitable[bool]], *, timeout_s: float, what: str) -> None:
    """Return when ``condition`` holds. Raises StartRefused naming ``what`` when it does not in time."""
    try:
        async with asyncio.timeout(timeout_s):
            loop = asyncio.get_running_loop()
            asked_s = loop.time()
            while not await condition():
                await asyncio.sleep(max(_PAUSE_S, _PAUSE_PER_ASKING * (loop.time() - asked_s)))
                asked_s = loop.time()
    except TimeoutError:
        raise StartRefused(f"{what} after {timeout_s:.0f} s") from None
