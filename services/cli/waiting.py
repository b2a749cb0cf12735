"""Waiting for something in another process to come true: there is no event to await, so it is asked again and again."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.runtime.errors import StartRefused

_PAUSE_S = 0.05


async def wait_until(condition: Callable[[], Awaitable[bool]], *, timeout_s: float, what: str) -> None:
    """Return when ``condition`` holds. Raises StartRefused naming ``what`` when it does not in time."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await condition():  # noqa: ASYNC110 - see above
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError:
        raise StartRefused(f"{what} after {timeout_s:.0f} s") from None
