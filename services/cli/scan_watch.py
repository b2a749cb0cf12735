"""Follows the streams that a scan is made of; reads beside everybody else and asks no service."""

import asyncio
import logging
from contextlib import aclosing, suppress
from typing import Any

from services.cli.scan_rows import ScanView
from shared.contracts import streams
from shared.io import tails
from shared.io.bus import TRANSIENT, Profile, connect
from shared.runtime import latest
from shared.runtime.errors import StartRefused

_STREAMS: tuple[streams.Stream[Any], ...] = (
    streams.PAIRS,
    streams.BASKETS,
    streams.FUNNEL,
    streams.BASKET_FUNNEL,
    streams.OPPORTUNITIES,
    streams.BASKET_OPPORTUNITIES,
)
_PING_S = 1.0
_SILENT_S = 3.0
"""Asked each second, Redis has not answered for this long: that is worth a word."""


class ScanWatch:
    """Keeps a ``ScanView`` at the present; ``load`` comes first, ``run`` goes on from there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cursors: dict[str, str] = {}
        self._heard_s: float | None = None
        self.view = ScanView()
        self.changed = asyncio.Event()
        """Set when something came; whoever looks clears it."""

    async def load(self) -> None:
        """Read what the hashes hold now. Raises StartRefused when Redis does not answer."""
        for stream in _STREAMS:
            try:
                held, self._cursors[stream.name] = await latest.load_now(self._url, stream)
            except TRANSIENT as error:
                raise StartRefused(f"Redis does not answer: {error}") from None
            for message in held.values():
                self.view.take(message)

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow the streams until ``stopping`` is set, through outages of Redis, which ``silent_s`` tells of."""
        for module in (tails, latest):
            logging.getLogger(module.__name__).setLevel(logging.ERROR)
        async with asyncio.TaskGroup() as tasks:
            pinging = tasks.create_task(self._ping())
            following = [tasks.create_task(self._follow(stream, stopping)) for stream in _STREAMS]
            await asyncio.wait(following)
            pinging.cancel()

    def silent_s(self) -> float:
        """Return for how long Redis has not answered; 0 while all is well."""
        silent_s = 0.0 if self._heard_s is None else asyncio.get_running_loop().time() - self._heard_s
        return silent_s if silent_s > _SILENT_S else 0.0

    async def _ping(self) -> None:
        """Note when Redis answered last; runs for ever."""
        redis = connect(self._url, Profile.WRITER)
        try:
            while True:
                with suppress(*TRANSIENT):
                    await redis.ping()
                    self._heard_s = asyncio.get_running_loop().time()
                await asyncio.sleep(_PING_S)
        finally:
            await redis.aclose()

    async def _follow(self, stream: "streams.Stream[Any]", stopping: asyncio.Event) -> None:
        changes = latest.follow_changes(self._url, stream, self._cursors[stream.name], stopping)
        async with aclosing(changes):
            async for told in changes:
                if isinstance(told, dict):
                    self.view.forget(stream)
                for message in told.values() if isinstance(told, dict) else told:
                    self.view.take(message)
                self.changed.set()
