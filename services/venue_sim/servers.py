"""Listening ports: one application each, opened together and closed together."""

import errno
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from shared.runtime.errors import StartRefused

_CLOSE_WITHIN_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Door:
    """An application and where it listens; port 0 is any free one."""

    name: str
    app: web.Application
    host: str
    port: int
    variable: str
    """The setting that names the port."""


@asynccontextmanager
async def listening(*doors: Door) -> AsyncIterator[list[str]]:
    """Serve every application while the block runs and yield their ``host:port``, in order.

    Raises StartRefused when a port cannot be had.
    """
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_served(door)) for door in doors]


@asynccontextmanager
async def _served(door: Door) -> AsyncIterator[str]:
    runner = web.AppRunner(door.app, access_log=None, shutdown_timeout=_CLOSE_WITHIN_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, door.host, door.port).start()
        except OSError as error:
            raise StartRefused(_refusal(door, error)) from None
        host, port = runner.addresses[0][:2]
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


def _refusal(door: Door, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {door.port} for {door.name} is already in use on {door.host}: stop what listens there, or set "
            f"{door.variable} to another port (0 is any free one)"
        )
    return f"cannot listen on {door.host}:{door.port} for {door.name} ({door.variable}): {error.strerror or error}"
