"""Redis' wire protocol on a bare transport, packed and parsed by hiredis: for the ways that quotes and intents take.

redis-py's asyncio client costs about ten times as much per command, which on these ways is most of the latency. It has
everything else; nothing here retries, and a link that fails is thrown away.
"""

import asyncio
import os
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url
from redis.exceptions import BusyLoadingError, OutOfMemoryError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

Word = str | int | bytes
Reply = object
"""What hiredis parsed: None, int, bytes, a list of these, or a ``hiredis.ReplyError``."""

OnAnswer = Callable[[list[Reply] | None], None]


class ServerUnfit(RedisConnectionError):
    """This server cannot do it now, whatever it is: its disk is full, it is a replica now, or busy with a script."""


_REFUSALS: dict[str, type[RedisError]] = {
    "OOM": OutOfMemoryError,
    "LOADING": BusyLoadingError,
    **dict.fromkeys(
        ("MISCONF", "NOREPLICAS", "READONLY", "MASTERDOWN", "UNBLOCKED", "BUSY", "UNKILLABLE"), ServerUnfit
    ),
    **dict.fromkeys(("CLUSTERDOWN", "TRYAGAIN"), ServerUnfit),
}
_pack_command: Callable[[tuple[Word, ...]], bytes] = cast("Any", hiredis.pack_command)


def pack(*words: Word) -> bytes:
    """Return one command in Redis' wire format."""
    return _pack_command(words)


def word(text: bytes) -> bytes:
    """Return one word of a command in Redis' wire format, for commands whose other words are packed already."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


EMPTY_WORD = word(b"")


def raise_refusal(reply: Reply) -> None:
    """Raise what redis-py would raise when ``reply`` is an error."""
    if isinstance(reply, hiredis.ReplyError):
        text = str(reply)
        kind, _, _ = text.partition(" ")
        raise _REFUSALS.get(kind, ResponseError)(text)


def _tls(options: Any) -> ssl.SSLContext | None:
    """Return how to encrypt, where the address begins with ``rediss``; ``?ssl_ca_certs=FILE`` names who is believed."""
    if options.get("connection_class") is not SSLConnection:
        return None
    return ssl.create_default_context(cafile=options.get("ssl_ca_certs"))


class RespTransport(asyncio.Protocol):
    """One greeted connection; replies are handed over as they are read from the socket, in order.

    ``on_lost`` is called once, when the connection ends for whatever reason.
    """

    def __init__(self, *, on_replies: Callable[[list[Reply]], None], on_lost: Callable[[], None]) -> None:
        self._on_replies = on_replies
        self._on_lost = on_lost
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._greeted: asyncio.Queue[Reply] | None = asyncio.Queue()

    async def open(self, url: str, *, timeout_s: float) -> None:
        """Connect, authenticate and choose the database. Raises redis-py's ConnectionError or TimeoutError."""
        options = parse_url(url)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                if "path" in options:
                    transport, _ = await loop.create_unix_connection(lambda: self, options["path"])
                else:
                    host, port = options.get("host", "localhost"), options.get("port", 6379)
                    transport, _ = await loop.create_connection(lambda: self, host, port, ssl=_tls(options))
                try:
                    await self._greet(transport, options)
                except BaseException:  # a cancelled or timed-out greeting must not leave the socket behind
                    transport.abort()
                    raise
        except TimeoutError:
            raise RedisTimeoutError(f"no connection within {timeout_s} s") from None
        except OSError as error:
            raise RedisConnectionError(str(error)) from None
        self._transport = transport
        is_plain = transport.get_extra_info("sslcontext") is None
        self._descriptor = transport.get_extra_info("socket").fileno() if is_plain else -1

    @property
    def is_open(self) -> bool:
        """Whether the connection was greeted and has not ended since."""
        return self._transport is not None

    def write(self, packed: bytes) -> None:
        """Send packed commands. Raises redis-py's ConnectionError when the connection is not open."""
        if self._transport is None:
            raise RedisConnectionError("the link is closed")
        self._transport.write(packed)

    def write_now(self, packed: bytes) -> None:
        """Do the same before this turn of the event loop goes on: uvloop sends what is written when a turn ends."""
        transport = self._transport
        if transport is None:
            raise RedisConnectionError("the link is closed")
        sent = 0
        if self._descriptor >= 0 and not transport.is_closing() and not transport.get_write_buffer_size():
            try:
                sent = os.write(self._descriptor, packed)
            except OSError:
                sent = 0  # full, or broken: the transport waits, or finds out
        if sent < len(packed):
            transport.write(packed[sent:])

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    async def _greet(self, transport: asyncio.Transport, options: Any) -> None:
        assert self._greeted is not None
        greetings = []
        if options.get("password"):
            user = (options["username"],) if options.get("username") else ()
            greetings.append(pack("AUTH", *user, options["password"]))
        greetings.append(pack("SELECT", options.get("db") or 0))
        transport.write(b"".join(greetings))
        for _ in greetings:
            reply = await self._greeted.get()
            if isinstance(reply, hiredis.ReplyError):
                raise RedisConnectionError(f"Redis refused the connection: {reply}")
        self._greeted = None

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._reader.feed(data)
        replies: list[Reply] = []
        while (reply := self._reader.gets()) is not False:
            if self._greeted is None:
                replies.append(reply)
            else:
                self._greeted.put_nowait(reply)
        if replies:
            self._on_replies(replies)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if self._greeted is not None:
            self._greeted.put_nowait(hiredis.ReplyError(f"closed {exc or ''}".rstrip()))
        self._transport = None
        self._on_lost()


class RespLink:
    """A connection whose replies are awaited, in order: opened when it is needed, dropped after any failure."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._transport: RespTransport | None = None
        self._asked: deque[tuple[int, list[Reply], OnAnswer]] = deque()

    async def ask(self, packed: bytes, commands: int = 1) -> list[Reply]:
        """Send packed commands and return their replies, refusals among them.

        Raises redis-py's ConnectionError or TimeoutError; what was sent may or may not have been done then.
        """
        await self.open()
        return await self.answer(self.send(packed, commands))

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent at once."""
        return self._transport is not None

    async def open(self) -> None:
        """Connect unless that is done. Raises as ``ask`` does."""
        if self._transport is None:
            transport = RespTransport(on_replies=self._replied, on_lost=self._lost)
            await transport.open(self._url, timeout_s=self._timeout_s)
            self._transport = transport

    def send(self, packed: bytes, commands: int = 1, *, at_once: bool = False) -> "asyncio.Future[list[Reply]]":
        """Send packed commands over the open link; ``answer`` waits for what comes back.

        ``at_once`` is for what must not wait until this turn of the event loop ends.
        """
        answered: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()

        def on_answer(replies: list[Reply] | None) -> None:
            if answered.done():
                return
            if replies is None:
                answered.set_exception(RedisConnectionError("the link was lost"))
            else:
                answered.set_result(replies)

        self.call(packed, on_answer, commands, at_once=at_once)
        return answered

    def call(self, packed: bytes, on_answer: OnAnswer, commands: int = 1, *, at_once: bool = False) -> None:
        """Send packed commands over the open link; ``on_answer`` gets the replies while they are read from the socket.

        It gets None when the link is lost before. No task has to wake up, and nobody looks at the time: do that.
        """
        if self._transport is None:
            raise RedisConnectionError("the link is closed")
        (self._transport.write_now if at_once else self._transport.write)(packed)
        self._asked.append((commands, [], on_answer))

    async def answer(self, answered: "asyncio.Future[list[Reply]]") -> list[Reply]:
        """Return the replies to what was sent. Raises as ``ask`` does."""
        loop = asyncio.get_running_loop()
        overdue = loop.call_later(self._timeout_s, self._overdue, answered)  # asyncio.timeout costs five times as much
        try:
            return await answered
        finally:
            overdue.cancel()

    def _overdue(self, answered: asyncio.Future[list[Reply]]) -> None:
        if not answered.done():
            answered.set_exception(RedisTimeoutError(f"no answer within {self._timeout_s} s"))
            self.close()

    def close(self) -> None:
        """Drop the connection; whoever still waits is told."""
        if self._transport is not None:
            self._transport.close()
        self._lost()

    def _replied(self, replies: list[Reply]) -> None:
        for reply in replies:
            commands, held, on_answer = self._asked[0]
            held.append(reply)
            if len(held) == commands:
                self._asked.popleft()
                on_answer(held)

    def _lost(self) -> None:
        self._transport = None
        while self._asked:
            _, _, on_answer = self._asked.popleft()
            on_answer(None)
