"""A stand-in for Slack's webhook on loopback: it answers as Slack does and counts what came."""

from types import TracebackType
from typing import Self

from aiohttp import web


class SlackSink:
    """Accepts posts on ``url`` while the ``with`` block lasts and keeps the newest messages."""

    def __init__(self) -> None:
        self.messages = 0
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_post("/services/T000/B000/demo", self._accept)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/services/T000/B000/demo"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _accept(self, request: web.Request) -> web.Response:
        await request.read()
        self.messages += 1
        return web.Response(text="ok")
