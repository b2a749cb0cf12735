"""A wire to a real Redis that can be cut, stalled, or made to lose one reply."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class RedisProxy:
    """Forwards a unix socket to another; ``url`` is what the code under test connects to."""

    def __init__(self, real_url: str, folder: Path) -> None:
        self._real = real_url.removeprefix("unix://")
        self._path = folder / "proxy.sock"
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._unused = asyncio.Event()
        self._unused.set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._swallow_after = b""
        self.url = f"unix://{self._path}"
        self.connections = 0
        """Accepted since the start."""

    @asynccontextmanager
    async def up(self) -> AsyncIterator["RedisProxy"]:
        """Listen for the length of the block; every link is cut at its end."""
        server = await asyncio.start_unix_server(self._accept, self._path)
        try:
            yield self
        finally:
            self._flowing.set()
            server.close()
            self.cut()
            await server.wait_closed()
            await self._unused.wait()
            self._path.unlink(missing_ok=True)

    def cut(self) -> None:
        """Break every link that is open now."""
        for pair in self._links:
            for writer in pair:
                writer.transport.abort()

    def swallow_reply_to(self, command: bytes) -> None:
        """Let the next request that contains ``command`` through, and cut its link in place of the reply."""
        self._swallow_after = command

    def stall(self) -> None:
        """Carry nothing in either direction until ``flow``; links stay open."""
        self._flowing.clear()

    def flow(self) -> None:
        """Carry again."""
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        real_reader, real_writer = await asyncio.open_unix_connection(self._real)
        pair = (writer, real_writer)
        self._links.add(pair)
        self._unused.clear()
        swallowing = asyncio.Event()
        try:
            await asyncio.gather(
                self._carry(reader, real_writer, swallowing, is_request=True),
                self._carry(real_reader, writer, swallowing, is_request=False),
            )
        except (ConnectionError, OSError):
            return
        finally:
            for end in pair:
                end.transport.abort()
            self._links.discard(pair)
            if not self._links:
                self._unused.set()

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, swallowing: asyncio.Event, *, is_request: bool
    ) -> None:
        while data := await source.read(65_536):
            await self._flowing.wait()
            if is_request and self._swallow_after and self._swallow_after in data:
                self._swallow_after = b""
                swallowing.set()
            if not is_request and swallowing.is_set():
                raise ConnectionResetError("the reply is swallowed")
            sink.write(data)
            await sink.drain()
        raise ConnectionResetError("the other end closed")
