"""Follows the streams that a scan is made of; reads beside everybody else and asks no service."""

import asyncio
import logging
from typing import Any

from services.cli.scan_rows import ScanView
from shared.contracts import streams
from shared.io import tails
from shared.io.bus import TRANSIENT, StreamTail
from shared.runtime.errors import StartRefused
from shared.runtime.latest import load_now

_STREAMS: tuple[streams.Stream[Any], ...] = (
    streams.PAIRS,
    streams.BASKETS,
    streams.FUNNEL,
    streams.BASKET_FUNNEL,
    streams.OPPORTUNITIES,
    streams.BASKET_OPPORTUNITIES,
)
_SILENT_S = 3.0
"""A tail yields each second, also when there is nothing: one that has not for this long has no Redis."""


class ScanWatch:
    """Keeps a ``ScanView`` at the present; ``load`` comes first, ``run`` goes on from there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cursors: dict[str, str] = {}
        self._heard_s: dict[str, float] = {}
        self.view = ScanView()
        self.changed = asyncio.Event()
        """Set when something came; whoever looks clears it."""

    async def load(self) -> None:
        """Read what the hashes hold now. Raises StartRefused when Redis does not answer."""
        for stream in _STREAMS:
            try:
                latest, self._cursors[stream.name] = await load_now(self._url, stream)
            except TRANSIENT as error:
                raise StartRefused(f"Redis does not answer: {error}") from None
            for message in latest.values():
                self.view.take(message)

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow the streams until ``stopping`` is set, through outages of Redis, which ``silent_s`` tells of."""
        logging.getLogger(tails.__name__).setLevel(logging.ERROR)
        async with asyncio.TaskGroup() as tasks:
            for stream in _STREAMS:
                tasks.create_task(self._follow(stream, stopping))

    def silent_s(self) -> float:
        """Return for how long Redis has not answered one of the reads; 0 while all is well."""
        if not self._heard_s:
            return 0.0
        silent_s = asyncio.get_running_loop().time() - min(self._heard_s.values())
        return silent_s if silent_s > _SILENT_S else 0.0

    async def _follow(self, stream: "streams.Stream[Any]", stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        self._heard_s[stream.name] = loop.time()
        async for messages in StreamTail(self._url, stream, self._cursors[stream.name]).batches(stopping):
            self._heard_s[stream.name] = loop.time()
            for message in messages:
                self.view.take(message)
            if messages:
                self.changed.set()
