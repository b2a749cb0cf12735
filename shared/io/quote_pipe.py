"""The fast way to write quotes: RESP packed by hiredis, one write per batch, a bounded number of replies awaited.

Redis-py's pipeline costs about ten times as much per command. Only quotes need the difference, and only for quotes is
a lost write harmless: the next state of the book replaces it, and after a lost link everything is published anew. So
nothing is retried here; ``in_flight`` tells how much is unconfirmed, and its limit is where conflation begins.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import parse_url

from shared.io.bus import Profile, connect

log = logging.getLogger(__name__)

_LONGEST_WAIT_S = 1.0
_SILENT_S = 3.0
_WATCH_EVERY_S = 0.5
_pack_command: Callable[[tuple[str | int | bytes, ...]], bytes] = cast("Any", hiredis.pack_command)


def pack(*words: str | int | bytes) -> bytes:
    """Return one command in Redis' wire format."""
    return _pack_command(words)


class QuotePipe:
    """One connection to Redis for fire-and-count commands.

    ``on_ready`` is called each time the link is (again) usable: what was in flight before may be lost.
    """

    def __init__(self, url: str, *, on_ready: Callable[[], None], on_room: Callable[[], None]) -> None:
        self._url = url
        self._on_ready = on_ready
        self._on_room = on_room
        self._transport: asyncio.Transport | None = None
        self._answered_s = 0.0
        self.in_flight = 0
        self.refused = 0
        """Commands that Redis answered with an error since the start."""

    @property
    def is_ready(self) -> bool:
        """Whether commands can be written now."""
        return self._transport is not None

    def write(self, packed: bytes, commands: int) -> None:
        """Send packed commands; call only when ready."""
        assert self._transport is not None
        if not self.in_flight:
            self._answered_s = asyncio.get_running_loop().time()
        self.in_flight += commands
        self._transport.write(packed)

    async def run(self) -> None:
        """Keep the connection up, for ever."""
        longest_s = 0.02
        while True:
            try:
                lost = await self._connect()
            except (TimeoutError, OSError, hiredis.HiredisError) as error:
                log.warning("quotes.waiting", extra={"error": str(error)})
                await asyncio.sleep(random.uniform(0, longest_s))
                longest_s = min(_LONGEST_WAIT_S, longest_s * 2)
                continue
            longest_s = 0.02
            try:
                await self._watched(lost)
            finally:
                self._close()
            log.warning("quotes.link_lost")

    async def _watched(self, lost: "asyncio.Future[None]") -> None:
        """Wait until the link is lost, or until what was written has gone unanswered for three seconds.

        A link that died without a word would otherwise hold the window full until the kernel gives up, minutes later.
        """
        loop = asyncio.get_running_loop()
        while not lost.done():
            await asyncio.wait({lost}, timeout=_WATCH_EVERY_S)
            if self.in_flight and loop.time() - self._answered_s > _SILENT_S:
                log.warning("quotes.unanswered", extra={"commands": self.in_flight})
                return

    async def _connect(self) -> "asyncio.Future[None]":
        protocol = _Replies(self)
        options = parse_url(self._url)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(Profile.WRITER.value):
            if "path" in options:
                transport, _ = await loop.create_unix_connection(lambda: protocol, options["path"])
            else:
                host, port = options.get("host", "localhost"), options.get("port", 6379)
                transport, _ = await loop.create_connection(lambda: protocol, host, port)
            await self._greet(transport, protocol, options)
        self._transport = transport
        self.in_flight = 0
        protocol.greeted = True
        self._on_ready()
        return protocol.lost

    async def _greet(self, transport: asyncio.Transport, protocol: "_Replies", options: Any) -> None:
        greetings: list[tuple[str | int, ...]] = []
        if options.get("password"):
            user = (options["username"],) if options.get("username") else ()
            greetings.append(("AUTH", *user, options["password"]))
        greetings.append(("SELECT", options.get("db") or 0))
        transport.write(b"".join(pack(*greeting) for greeting in greetings))
        for _ in greetings:
            reply = await protocol.greetings.get()
            if isinstance(reply, hiredis.ReplyError):
                transport.abort()
                raise OSError(f"Redis refused the connection: {reply}")

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._transport = None
        self.in_flight = 0

    def replied(self, count: int, first_error: Exception | None, errors: int) -> None:
        """Note confirmed commands; called by the protocol for each read from the socket."""
        self.in_flight -= count
        self._answered_s = asyncio.get_running_loop().time()
        if first_error is not None:
            self.refused += errors
            log.error("quotes.refused", extra={"error": str(first_error), "commands": errors})
        self._on_room()


class _Replies(asyncio.Protocol):
    """Counts replies; the first ones, to the greeting, are handed over."""

    def __init__(self, pipe: QuotePipe) -> None:
        self._pipe = pipe
        self._reader = hiredis.Reader()
        self.greetings: asyncio.Queue[object] = asyncio.Queue()
        self.greeted = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        count = errors = 0
        first_error: Exception | None = None
        while (reply := self._reader.gets()) is not False:
            if not self.greeted:
                self.greetings.put_nowait(reply)
                continue
            count += 1
            if isinstance(reply, hiredis.ReplyError):
                errors += 1
                first_error = first_error or reply
        if count:
            self._pipe.replied(count, first_error, errors)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.greeted:
            self.greetings.put_nowait(hiredis.ReplyError(str(exc or "closed")))
        if not self.lost.done():
            self.lost.set_result(None)


async def newest_ids_ms(url: str, stream_names: list[str]) -> dict[str, int]:
    """Return the millisecond part of each stream's newest id: where a writer of explicit ids must go on from."""
    redis = connect(url, Profile.WRITER)
    try:
        async with redis.pipeline(transaction=False) as pipe:
            for name in stream_names:
                pipe.xrevrange(name, count=1)
            replies = await pipe.execute()
    finally:
        await redis.aclose()
    return {
        name: int(reply[0][0].partition(b"-")[0]) if reply else 0
        for name, reply in zip(stream_names, replies, strict=True)
    }
