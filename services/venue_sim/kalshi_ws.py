"""Kalshi's WebSocket: the handshake with its signature, one queue per client, and the venue's heartbeat."""

import asyncio
from collections import deque

from aiohttp import WSMsgType, web

from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.kalshi_commands import CommandDesk
from services.venue_sim.kalshi_faults import FREEZE, REFUSE_HANDSHAKE
from services.venue_sim.kalshi_rest import json_answer
from services.venue_sim.kalshi_subscriptions import Broadcast, Subscription
from services.venue_sim.stats import Stats

WS_PATH = "/trade-api/ws/v2"
HEARTBEAT_S = 10.0
"""The venue pings this often, with the body ``heartbeat`` (AsyncAPI, autumn 2026)."""

_MAX_COMMAND_BYTES = 8 * 1024 * 1024


class KalshiSocket:
    """Serves the venue's one WebSocket URL."""

    def __init__(
        self,
        broadcast: Broadcast,
        authenticator: Authenticator,
        stats: Stats,
        faults: Faults,
        *,
        queue_limit_frames: int = 50_000,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._broadcast = broadcast
        self._authenticator = authenticator
        self._stats = stats
        self._faults = faults
        self._queue_limit_frames = queue_limit_frames
        self._heartbeat_s = heartbeat_s

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until either side ends it; 401 instead of the upgrade when it is not signed."""
        refusal = self._authenticator.refusal("GET", request.path, request.headers)
        if refusal is not None:
            self._stats.refused_handshakes += 1
            return json_answer(refusal.body, status=401)
        if self._faults.take(REFUSE_HANDSHAKE.name):
            self._stats.refused_handshakes += 1
            return web.Response(status=502, text="<html>bad gateway</html>", content_type="text/html")
        ws = web.WebSocketResponse(compress=False, max_msg_size=_MAX_COMMAND_BYTES)
        await ws.prepare(request)
        link = Link(
            request,
            ws,
            broadcast=self._broadcast,
            stats=self._stats,
            faults=self._faults,
            limit_frames=self._queue_limit_frames,
        )
        self._stats.connections += 1
        self._stats.open_connections += 1
        tasks = [asyncio.create_task(link.send()), asyncio.create_task(self._beat(ws))]
        try:
            async for message in ws:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    link.desk.receive(message.data)
        finally:
            link.forget()
            self._stats.open_connections -= 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return ws

    async def _beat(self, ws: web.WebSocketResponse) -> None:
        while not ws.closed:
            await asyncio.sleep(self._heartbeat_s)
            await ws.ping(b"heartbeat")


class Link:
    """One client: what waits to be sent to it, in order."""

    def __init__(
        self,
        request: web.Request,
        ws: web.WebSocketResponse,
        *,
        broadcast: Broadcast,
        stats: Stats,
        faults: Faults,
        limit_frames: int,
    ) -> None:
        self._request = request
        self._ws = ws
        self._broadcast = broadcast
        self._stats = stats
        self._limit_frames = limit_frames
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._faults = faults
        self._filled = asyncio.Event()
        faults.watch(self._filled.set)
        self.desk = CommandDesk(broadcast, self, self._say)
        broadcast.receivers.add(self)

    def push(self, subscription: Subscription, frame: bytes) -> None:
        """Queue a data frame; when the client is too slow, its subscription ends with error 25 instead."""
        if len(self._waiting) < self._limit_frames:
            self._queue(subscription.sid, frame)
            return
        self._waiting = deque(item for item in self._waiting if item[0] != subscription.sid)
        self.end(subscription, 25)

    def end(self, subscription: Subscription, code: int) -> None:
        """End a subscription with an error frame; what is queued is still sent."""
        self._queue(0, self.desk.end(subscription, code))

    def cut(self) -> None:
        """Lose the connection without a close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def forget(self) -> None:
        """Stop hearing of anything; the connection is gone."""
        self._faults.unwatch(self._filled.set)
        self.desk.close()
        self._broadcast.receivers.discard(self)

    async def send(self) -> None:
        """Send what is queued until the client is gone."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting and not self._faults.active(FREEZE.name):
                _, frame = self._waiting.popleft()
                await self._ws.send_frame(frame, WSMsgType.TEXT)

    def _say(self, frame: bytes) -> None:
        self._queue(0, frame)

    def _queue(self, sid: int, frame: bytes) -> None:
        self._waiting.append((sid, frame))
        self._stats.frames += 1
        self._filled.set()
