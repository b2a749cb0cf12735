"""A stand-in for Slack that answers as it is told and keeps what came."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

PATH = "/services/T0/B0/canary-4711"


class SlackDouble:
    """Answers each post with the next of ``answers``, and with 200 when there is none left."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        """Of the posts that were answered with 200."""
        self.posts: list[Any] = []
        self.answers: deque[Callable[[], web.StreamResponse] | int] = deque()
        self.answering = asyncio.Event()
        self.answering.set()
        self.url = ""
        self.port = 0

    @asynccontextmanager
    async def up(self, port: int = 0) -> AsyncIterator["SlackDouble"]:
        """Listen on loopback for the length of the block."""
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._accept)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}{PATH}"
        try:
            yield self
        finally:
            self.answering.set()
            await runner.cleanup()

    async def wait_posts(self, count: int) -> None:
        """Wait until ``count`` posts came, whatever the answers."""
        deadline_s = time.monotonic() + 20
        while len(self.posts) < count:
            assert time.monotonic() < deadline_s, self.posts
            await asyncio.sleep(0.01)

    async def wait_texts(self, count: int) -> list[str]:
        """Wait until ``count`` posts were taken."""
        deadline_s = time.monotonic() + 20
        while len(self.texts) < count:
            assert time.monotonic() < deadline_s, self.texts
            await asyncio.sleep(0.01)
        return self.texts

    async def _accept(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.posts.append(body)
        await self.answering.wait()
        answer = self.answers.popleft() if self.answers else 200
        response = web.Response(status=answer, text="said") if isinstance(answer, int) else answer()
        if response.status == 200:
            self.texts.append(body["text"])
        return response
