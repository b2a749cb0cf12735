"""How a feed lives beside its venue: it beats, and at its end it says what must be said and stops in order."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from shared.contracts.health import FeedBeat
from shared.contracts.streams import FEED_HEALTH
from shared.io.bus import Outbox
from shared.runtime.feed import QuotePublisher

_BEAT_S = 1.0
_LAST_WORDS_S = 1.0

log = logging.getLogger(__name__)


async def keep_beating(changed: asyncio.Event, beats: Callable[[], Iterable[FeedBeat]], outbox: Outbox) -> None:
    """Beat each second, and at once when ``changed`` is set: quotes are not believed before the first beat."""
    while True:
        changed.clear()
        for beat in beats():
            outbox.put(FEED_HEALTH, beat)
        with suppress(TimeoutError):
            async with asyncio.timeout(_BEAT_S):
                await changed.wait()


async def stopped(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Cancel these tasks and wait until they are done; what they raise is the task group's to see."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def last_words(outbox: Outbox, publisher: QuotePublisher) -> None:
    """Let what is queued be written; while Redis is away it is given up, and the quotes end by their age."""
    try:
        async with asyncio.timeout(_LAST_WORDS_S):
            await publisher.flushed()
            await outbox.flushed()
    except TimeoutError:
        log.warning("outbox.abandoned")
