"""The frames on their way to one WebSocket client: in order, bounded, sent by one task.

A live venue never waits for a slow client: ``push`` cuts its connection when too much is waiting. A replay does wait:
``deliver`` returns when there is room. Frames are bytes that were encoded once for all clients.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from aiohttp import WSMsgType, web

from services.venue_sim.stats import Stats

ROOM_FRAMES = 1_000
"""How far a replay may run ahead of its client."""


class Outbox:
    """The queue of one client. ``run`` sends; everything else only queues. ``cut`` loses the connection at once."""

    def __init__(
        self, ws: web.WebSocketResponse, stats: Stats, cut: Callable[[], None], *, limit_frames: int = 100_000
    ) -> None:
        self._ws = ws
        self._stats = stats
        self._cut = cut
        self._limit_frames = limit_frames
        self._frames: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self.overflowed = False
        """Whether the client was too slow and has been cut off."""

    def push(self, frame: bytes) -> None:
        """Queue one text frame; a client that lets too many pile up is given up."""
        if self.overflowed:
            return
        if len(self._frames) >= self._limit_frames:
            self.overflowed = True
            self.cut()  # closing in good order would wait behind what the client does not read
            return
        self._frames.append(frame)
        self._stats.frames += 1
        self._filled.set()

    def cut(self) -> None:
        """Lose the connection without a close frame."""
        self._frames.clear()
        self._cut()

    async def deliver(self, frame: bytes) -> None:
        """Queue one text frame as soon as the client has taken most of what is waiting."""
        while len(self._frames) >= ROOM_FRAMES:
            self._emptied.clear()
            await self._emptied.wait()
        self.push(frame)

    async def run(self) -> None:
        """Send what is queued until the client is gone."""
        try:
            while True:
                while self._frames:
                    await self._ws.send_frame(self._frames.popleft(), WSMsgType.TEXT)
                self._emptied.set()
                self._filled.clear()
                await self._filled.wait()
        except ConnectionError:  # aiohttp says so when the client has gone; its reader ends by itself
            return
