"""The frames on their way to one WebSocket client: in order, bounded, sent by one task.

A live venue never waits for a slow client: ``push`` drops the client when too much is waiting. A replay does wait:
``deliver`` returns when there is room. Frames are bytes that were encoded once for all clients.
"""

import asyncio
from collections import deque

from aiohttp import WSMsgType, web

from services.venue_sim.stats import Stats

ROOM_FRAMES = 1_000
"""How far a replay may run ahead of its client."""


class Outbox:
    """The queue of one client. ``run`` sends; everything else only queues."""

    def __init__(self, ws: web.WebSocketResponse, stats: Stats, *, limit_frames: int = 100_000) -> None:
        self._ws = ws
        self._stats = stats
        self._limit_frames = limit_frames
        self._frames: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self.overflowed = False
        """Whether the client was too slow and will be disconnected."""

    def push(self, frame: bytes) -> None:
        """Queue one text frame; a client that lets too many pile up is given up."""
        if len(self._frames) >= self._limit_frames:
            self.overflowed = True
        if not self.overflowed:
            self._frames.append(frame)
            self._stats.frames += 1
        self._filled.set()

    async def deliver(self, frame: bytes) -> None:
        """Queue one text frame as soon as the client has taken most of what is waiting."""
        while len(self._frames) >= ROOM_FRAMES:
            self._emptied.clear()
            await self._emptied.wait()
        self.push(frame)

    async def run(self) -> None:
        """Send what is queued until the client is gone or given up; the socket is closed then."""
        try:
            while not self.overflowed:
                while self._frames and not self.overflowed:
                    await self._ws.send_frame(self._frames.popleft(), WSMsgType.TEXT)
                self._emptied.set()
                self._filled.clear()
                if not self._frames and not self.overflowed:
                    await self._filled.wait()
        except ConnectionError:  # aiohttp says so when the client has gone; its reader ends by itself
            return
        await self._ws.close(code=1008, message=b"too slow")
