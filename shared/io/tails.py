"""Reading streams from an id on, beside everybody else: nothing is acknowledged, what was lost is counted.

Blocking reads are never cancelled, because a cancelled read can lose the reply that the server had already sent.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Generic, TypeVar

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.contracts.envelope import Message, SequenceWatch
from shared.contracts.streams import Stream
from shared.io.clients import BLOCK_MS, TRANSIENT, Client, Profile, waits_s
from shared.io.entries import id_order, payload_of
from shared.io.resp import EMPTY_WORD, Reply, RespLink, pack, raise_refusal, word

M = TypeVar("M", bound=Message)

_CURSOR_CHECK_S = 30.0

log = logging.getLogger(__name__)


async def last_id(redis: Client, stream_name: str) -> str:
    """Return the id of a stream's newest entry, ``0-0`` when there is none."""
    newest = await redis.xrevrange(stream_name, count=1)
    return newest[0][0].decode() if newest else "0-0"


async def load_latest(redis: Client, stream: Stream[M]) -> tuple[dict[str, M], str]:
    """Return a compacted stream's latest message per key, and the id from which to tail it.

    The id is taken first: what is written in between is seen twice, never missed.
    """
    cursor = await last_id(redis, stream.name)
    held = await redis.hgetall(stream.hash_name)
    latest: dict[str, M] = {}
    for key, payload in held.items():
        try:
            latest[key.decode()] = stream.decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.error("state.unreadable", extra={"hash": stream.hash_name, "key": repr(key), "error": str(error)})
    return latest, cursor


Entry = tuple[str, bytes, bytes]
"""Stream name, entry id, payload."""


class Tail:
    """Reads several streams from given ids on, in one blocking call, and goes on where it was after a lost link.

    When a stream was emptied behind its back (its ids went backwards) it starts again from the beginning and counts it
    in ``recreated``: a plain read from the old id would wait for ever without a word.
    """

    def __init__(self, url: str, cursors: Mapping[str, str], *, count: int = 1_000) -> None:
        self._link = RespLink(url, timeout_s=Profile.READER.value)
        self._cursors: dict[str, str] = dict(cursors)
        self._count = count
        self._command = b""
        """The read up to the ids from which to read, which alone differ from one to the next; made when needed."""
        self._ids: dict[str, bytes] = {}
        """Those ids as the words of the command, in its order."""
        self._heard_s = 0.0
        self.recreated = 0

    def follow(self, cursors: Mapping[str, str]) -> None:
        """Read these streams too, from the next read on; the present one lasts for a second at most."""
        self._cursors.update(cursors)
        self._command = b""

    def unfollow(self, stream_names: Iterable[str]) -> None:
        """Leave these streams alone; what the present read brings of them is dropped."""
        for name in stream_names:
            self._cursors.pop(name, None)
        self._command = b""

    async def batches(self, stopping: asyncio.Event) -> AsyncGenerator[list[Entry], None]:
        """Yield entries as they come, and an empty list after every second without any, until ``stopping`` is set."""
        attempts = waits_s()
        loop = asyncio.get_running_loop()
        check_at_s = 0.0
        try:
            while not stopping.is_set():
                await anext(attempts)
                try:
                    if loop.time() >= check_at_s:
                        await self._rewind_recreated()
                        check_at_s = loop.time() + _CURSOR_CHECK_S
                    entries = await self._read()
                except TRANSIENT as error:
                    log.warning("tail.waiting", extra={"error": str(error), "streams": len(self._cursors)})
                    self._link.close()
                    check_at_s = 0.0
                    continue
                attempts = waits_s()
                yield entries
        finally:
            self._link.close()

    async def pump(self, stopping: asyncio.Event, take: Callable[[list[Entry]], bool | None]) -> None:
        """Call ``take`` with entries as they are read from the socket, as ``batches`` would yield them.

        No task has to wake up between the socket and ``take``. What ``take`` raises ends this, too. When it returns
        true it is called again as soon as Redis has answered, with nothing when there is nothing more.
        """
        attempts = waits_s()
        loop = asyncio.get_running_loop()
        try:
            while not stopping.is_set():
                await anext(attempts)
                begun_s = self._heard_s = loop.time()
                try:
                    await self._rewind_recreated()
                    await self._pumped(stopping, take)
                except TRANSIENT as error:
                    log.warning("tail.waiting", extra={"error": str(error), "streams": len(self._cursors)})
                if self._heard_s > begun_s:
                    attempts = waits_s()
        finally:
            self._link.close()

    async def _pumped(self, stopping: asyncio.Event, take: Callable[[list[Entry]], bool | None]) -> None:
        """Pump until ``stopping`` is set, something fails, or the ids of the streams are to be looked at again."""
        await self._link.open()
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + _CURSOR_CHECK_S
        ended: asyncio.Future[None] = loop.create_future()
        asked: dict[str, str] = {}

        def read_on(*, waits: bool = True) -> None:
            nonlocal asked
            asked = dict(self._cursors)
            self._link.call(self._next_read() if waits else self._read_at_once(), on_answer)

        def on_answer(replies: list[Reply] | None) -> None:
            if ended.done():
                return
            try:
                if replies is None:
                    raise RedisConnectionError("the link was lost")
                self._heard_s = loop.time()
                is_more_wanted = take(self._entries(replies[0], asked))
                if stopping.is_set() or (self._heard_s >= ends_s and not is_more_wanted):
                    ended.set_result(None)
                else:
                    read_on(waits=not is_more_wanted)
            except Exception as error:
                ended.set_exception(error)

        try:
            read_on()
            while not ended.done():
                await asyncio.wait({ended}, timeout=BLOCK_MS / 1_000)
                if not ended.done() and loop.time() - self._heard_s > Profile.READER.value:
                    raise RedisTimeoutError(f"no answer within {Profile.READER.value} s")
            ended.result()
        except BaseException:
            ended.cancel()
            self._link.close()
            raise

    async def _read(self) -> list[Entry]:
        asked = dict(self._cursors)
        [found] = await self._ask(self._next_read())
        return self._entries(found, asked)

    def _next_read(self) -> bytes:
        """Return the command that reads from the present ids on."""
        asked = self._cursors
        if not self._command:
            whole = pack("XREAD", "COUNT", self._count, "BLOCK", BLOCK_MS, "STREAMS", *asked, *[b""] * len(asked))
            self._command = whole[: len(whole) - len(asked) * len(EMPTY_WORD)]
            self._ids = {name: word(cursor.encode()) for name, cursor in asked.items()}
        return self._command + b"".join(self._ids.values())

    def _read_at_once(self) -> bytes:
        """Return the same command without waiting for anything new."""
        return pack("XREAD", "COUNT", self._count, "STREAMS", *self._cursors, *self._cursors.values())

    def _entries(self, found: Any, asked: Mapping[str, str]) -> list[Entry]:
        """Return what a read found, and go on behind it; what was left meanwhile, or begun anew, is dropped."""
        raise_refusal(found)
        entries: list[Entry] = []
        for name, items in found or ():
            stream_name = name.decode()
            if self._cursors.get(stream_name) != asked[stream_name]:
                continue
            entries += [(stream_name, entry_id, payload_of(fields)) for entry_id, fields in items]
            newest = items[-1][0]
            self._cursors[stream_name], self._ids[stream_name] = newest.decode(), word(newest)
        return entries

    async def _rewind_recreated(self) -> None:
        cursors = tuple(self._cursors.items())
        newest = await self._ask(*(pack("XREVRANGE", name, "+", "-", "COUNT", 1) for name, _ in cursors))
        for (name, cursor), items in zip(cursors, newest, strict=True):
            if self._cursors.get(name) != cursor:
                continue
            newest_id = items[0][0].decode() if items else "0-0"
            if id_order(newest_id) < id_order(cursor):
                self.recreated += 1
                self._cursors[name] = "0-0"
                self._command = b""
                log.error("stream.recreated", extra={"stream": name, "cursor": cursor})

    async def _ask(self, *commands: bytes) -> list[Any]:
        replies = await self._link.ask(b"".join(commands), len(commands))
        for reply in replies:
            raise_refusal(reply)
        return replies


class StreamTail(Generic[M]):
    """``Tail`` for one stream, with its messages decoded, repeats dropped and losses counted."""

    def __init__(self, url: str, stream: Stream[M], cursor: str) -> None:
        self._tail = Tail(url, {stream.name: cursor})
        self._stream = stream
        self._recreated = 0
        self.watch = SequenceWatch()
        self.unreadable = 0

    @property
    def missed(self) -> int:
        """Grows whenever messages were lost or the stream began anew: what follows builds on something unknown."""
        return self.watch.lost + self._recreated

    async def batches(self, stopping: asyncio.Event) -> AsyncGenerator[list[M], None]:
        """Yield messages as they come, and an empty list after every second without any."""
        async with aclosing(self._tail.batches(stopping)) as batches:
            async for entries in batches:
                if self._tail.recreated > self._recreated:
                    self._recreated = self._tail.recreated
                    self.watch.forget(self._stream.name)  # a repeat may be newer than what is read before it
                yield [message for _, _, payload in entries if (message := self._decoded(payload)) is not None]

    def _decoded(self, payload: bytes) -> M | None:
        try:
            message = self._stream.decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.unreadable += 1
            log.error("message.unreadable", extra={"stream": self._stream.name, "error": str(error)})
            return None
        return None if self.watch.is_repeat(self._stream.name, message) else message
