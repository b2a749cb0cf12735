"""A man in the middle between a feed process and the simulated Kalshi, who spoils what passes on request.

He runs on a thread of his own. WebSocket frames pass through a rule, numbers are shifted behind what he injects, and
handshakes, single REST answers and the socket itself can be made to fail.
"""

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web

Frame = dict[str, Any]
Rule = Callable[["Connection", Frame], list[Frame]]
"""From one frame of the exchange to those that are passed on; numbers of later frames follow by themselves."""

WS_PATH = "/trade-api/ws/v2"
REST_PREFIX = "/trade-api/v2"


def unspoiled(_connection: "Connection", frame: Frame) -> list[Frame]:
    return [frame]


class Connection:
    """One client's link."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.ws = ws
        self.transport = request.transport
        self.shift = 0
        """Added to every number of the book subscription: how many frames were injected."""
        self.frames = 0
        self._last_text = ""
        self.commands: list[Frame] = []
        self.stalled = False
        """Nothing passes any more, in neither direction, and nobody says so."""

    def saw(self, text: str) -> None:
        """Remember the newest frame of the book subscription; nobody needs its number yet."""
        self.frames += 1
        if '"sid":1,' in text and '"seq":' in text:
            self._last_text = text

    def injected(self, frame: Frame) -> Frame:
        """Give an invented frame the next number."""
        self.shift += 1
        return {**frame, "sid": 1, "seq": json.loads(self._last_text)["seq"] + self.shift}


class Proxy:
    """Where the feed connects to."""

    def __init__(self, rest_url: str, ws_url: str) -> None:
        self._rest_url, self._ws_url = rest_url, ws_url
        self._loop = asyncio.new_event_loop()
        self.rule: Rule = unspoiled
        self.struck_ns: list[int] = []
        """When a fault struck, by the wall clock."""
        self.handshakes: deque[web.Response | int] = deque()
        """What the next handshakes get instead of a link: an answer, or a close code right after the upgrade."""
        self.refuse_all: Callable[[], web.Response | int] | None = None
        self.rest: dict[str, Any] = {}
        """Bodies to answer with instead of the exchange's, by path."""
        self.dials_s: list[float] = []
        self.signatures: list[str] = []
        self.connections: list[Connection] = []
        self.address = ""

    @property
    def rest_url(self) -> str:
        return f"http://{self.address}{REST_PREFIX}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.address}{WS_PATH}"

    def once(self, change: Rule, *, kind: str = "orderbook_delta") -> None:
        """Spoil the next frame of a type, then nothing more."""

        def rule(connection: Connection, frame: Frame) -> list[Frame]:
            if frame["type"] != kind:
                return [frame]
            self.rule = unspoiled
            self.strike()
            return change(connection, frame)

        self.rule = rule

    def strike(self) -> None:
        self.struck_ns.append(time.time_ns())

    def do(self, act: Callable[[Connection], Any]) -> None:
        """Do something with the newest connection, on the proxy's thread."""

        async def acted() -> None:
            self.strike()
            found = act(self.connections[-1])
            if asyncio.iscoroutine(found):
                await found

        asyncio.run_coroutine_threadsafe(acted(), self._loop).result(20)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        self.dials_s.append(time.monotonic())
        self.signatures.append(request.headers.get("KALSHI-ACCESS-SIGNATURE", ""))
        refusal = self.refuse_all() if self.refuse_all else (self.handshakes.popleft() if self.handshakes else None)
        if isinstance(refusal, web.Response):
            return refusal
        ws = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=0, timeout=1)
        await ws.prepare(request)
        if refusal is not None:
            await ws.close(code=refusal)
            return ws
        headers = _signature(request)
        connection = Connection(ws, request)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(self._ws_url, headers=headers, max_msg_size=0, compress=0) as upstream,
        ):
            self.connections.append(connection)
            down = asyncio.create_task(self._down(connection, upstream))
            try:
                await self._up(connection, upstream)
            finally:
                down.cancel()
                await asyncio.gather(down, return_exceptions=True)
        return ws

    async def _up(self, connection: Connection, upstream: aiohttp.ClientWebSocketResponse) -> None:
        async for message in connection.ws:
            if connection.stalled:
                continue
            if message.type is WSMsgType.PING:
                await connection.ws.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                connection.commands.append(json.loads(message.data))
                await upstream.send_str(message.data)

    async def _down(self, connection: Connection, upstream: aiohttp.ClientWebSocketResponse) -> None:
        async for message in upstream:
            connection.saw(message.data)
            if self.rule is unspoiled and not connection.shift:
                if not connection.stalled:
                    await connection.ws.send_str(message.data)
                continue
            frame = json.loads(message.data)
            if frame.get("sid") == 1 and "seq" in frame:
                frame["seq"] += connection.shift
            for passed in self.rule(connection, frame):
                if not connection.stalled:
                    await connection.ws.send_str(json.dumps(passed))
        await connection.ws.close()

    async def _rest(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix(REST_PREFIX)
        if path in self.rest:
            return web.json_response(self.rest[path])
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                f"{self._rest_url}{path}", params=list(request.query.items()), headers=_signature(request)
            ) as answer,
        ):
            return web.Response(body=await answer.read(), status=answer.status, content_type="application/json")

    async def _serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        app = web.Application()
        app.router.add_get(WS_PATH, self._websocket)
        app.router.add_get(REST_PREFIX + "/{rest:.*}", self._rest)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.address = f"{host}:{port}"
        ready.set()
        await ended.wait()
        for connection in self.connections:
            if connection.transport is not None and not connection.transport.is_closing():
                connection.transport.abort()
        await runner.cleanup()

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Serve while the block runs."""
        ready, ended = threading.Event(), asyncio.Event()
        thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(ready, ended),))
        thread.start()
        try:
            assert ready.wait(20)
            yield self
        finally:
            self._loop.call_soon_threadsafe(ended.set)
            thread.join(20)
            self._loop.close()


def _signature(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.upper().startswith("KALSHI-")}
