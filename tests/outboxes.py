"""An outbox that writes for as long as a test needs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.io.bus import Outbox


@asynccontextmanager
async def writing(outbox: Outbox) -> AsyncIterator[Outbox]:
    """Let ``outbox`` write while the block lasts; what is not flushed by its end may stay unwritten."""
    running = asyncio.create_task(outbox.run())
    try:
        yield outbox
    finally:
        running.cancel()
        await asyncio.wait([running])
