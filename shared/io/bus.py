"""Redis as the bus: client profiles that fit how each connection is used, and the ways to write and read streams.

The library's defaults are wrong for money: every command is retried ten times, so one lost reply becomes two entries,
and a hung server blocks for a minute. Every client here retries nothing by itself; whoever calls decides. Blocking
reads are never cancelled, because a cancelled read can lose the reply that the server had already sent.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar, cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.contracts.envelope import Message, SequenceWatch
from shared.contracts.streams import FIELD, Stream, dead_letter_name
from shared.io.resp import RespLink, Word, pack, raise_refusal

M = TypeVar("M", bound=Message)

Client = Any
"""A redis-py client. Its reply types depend on protocol and decoding, which its annotations cannot say; here replies
are RESP2 and bytes."""

TRANSIENT = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError)
"""Redis is gone, slow or full for now; the same call may succeed later."""

BLOCK_MS = 1_000
_BATCH = 500
_POISON_DELIVERIES = 5
_FIRST_WAIT_S = 0.02
_LONGEST_WAIT_S = 1.0
_CURSOR_CHECK_S = 30.0
_OWED_CHECK_S = 30.0

log = logging.getLogger(__name__)


class Profile(Enum):
    """How a connection is used; the value is its socket timeout in seconds."""

    READER = 3.0
    """Blocking reads of at most a second."""
    WRITER = 1.0
    CONTROL = 0.25
    """Reads that decide whether money may move; a slow answer counts as no."""


def connect(url: str, profile: Profile) -> Client:
    """Return a client for one purpose; it connects on first use and never retries a command by itself."""
    return Redis.from_url(
        url,
        protocol=2,
        decode_responses=False,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        socket_timeout=profile.value,
        socket_connect_timeout=min(profile.value, 1.0),
        health_check_interval=0,
    )


def waits_s() -> AsyncIterator[None]:
    """Yield at once, then after full-jitter pauses that grow from 20 ms to 1 s; restart it after a success."""
    return _waits()


async def _waits() -> AsyncIterator[None]:
    longest_s = _FIRST_WAIT_S
    while True:
        yield None
        await asyncio.sleep(random.uniform(0, longest_s))
        longest_s = min(_LONGEST_WAIT_S, longest_s * 2)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who writes: the service and one value per start of its process."""

    src: str
    epoch: str


@dataclass(frozen=True, slots=True)
class _Append:
    stream: Stream[Any]
    payload: bytes
    key: str
    drop_key: bool


class OutboxFull(Exception):
    """More messages wait for Redis than the outbox may hold."""


class Outbox:
    """Appends in order and at least once: messages wait here until Redis has confirmed them.

    A reply that was lost leads to a second entry with the same ``pseq``. ``StreamTail`` drops it; whoever reads through
    a group folds by the message's own id, because a group also delivers again what was never acknowledged.
    """

    def __init__(self, url: str, identity: Identity, *, limit: int = 200_000) -> None:
        self._link = RespLink(url, timeout_s=Profile.WRITER.value)
        self._identity = identity
        self._limit = limit
        self._waiting: deque[_Append] = deque()
        self._pseq: dict[str, int] = {}
        self._encoder = msgspec.json.Encoder()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, stream: Stream[M], message: M, *, key: str = "", drop_key: bool = False) -> M:
        """Stamp a message and queue it; return it as it will be written.

        ``key`` names its place in a compacted stream's hash, which ``drop_key`` empties instead of filling.
        Raises OutboxFull.
        """
        if len(self._waiting) >= self._limit:
            raise OutboxFull(f"{len(self._waiting)} messages wait for Redis; the last for {stream.name}")
        pseq = self._pseq.get(stream.name, 0) + 1
        self._pseq[stream.name] = pseq
        stamped = msgspec.structs.replace(message, src=self._identity.src, epoch=self._identity.epoch, pseq=pseq)
        self._waiting.append(_Append(stream, self._encoder.encode(stamped), key, drop_key))
        self._idle.clear()
        self._work.set()
        return stamped

    async def run(self) -> None:
        """Write what is queued, for ever, trying again while Redis is away."""
        try:
            while True:
                await self._work.wait()
                await self._write_waiting()
        finally:
            self._link.close()

    async def flushed(self) -> None:
        """Wait until everything queued so far is written."""
        await self._idle.wait()

    async def _write_waiting(self) -> None:
        attempts = waits_s()
        while self._waiting:
            await anext(attempts)
            try:
                await self._write()
            except TRANSIENT as error:
                log.warning("outbox.waiting", extra={"error": str(error), "messages": len(self._waiting)})
            except ResponseError as error:
                log.error("outbox.refused", extra={"error": str(error), "messages": len(self._waiting)})
            else:
                attempts = waits_s()
        self._work.clear()
        self._idle.set()

    async def _write(self) -> None:
        """Write one batch and take off what is confirmed. Raises at the first message that is not."""
        batch = [self._waiting[index] for index in range(min(_BATCH, len(self._waiting)))]
        commands = [_commands(item) for item in batch]
        packed = b"".join(word for words in commands for word in words)
        replies = await self._link.ask(packed, sum(map(len, commands)))
        at = 0
        for words in commands:
            at += len(words)
            raise_refusal(replies[at - 1])
            self._waiting.popleft()


def _commands(item: _Append) -> list[bytes]:
    """Return what writes one message; the reply to the last command says whether it is written.

    A compacted stream's hash and log change together or not at all.
    """
    trim: tuple[Word, ...] = ("MAXLEN", "~", item.stream.keep) if item.stream.keep else ()
    append = pack("XADD", item.stream.name, *trim, "*", FIELD, item.payload)
    if not item.key:
        return [append]
    keyed: tuple[Word, ...] = ("HDEL", item.stream.hash_name, item.key)
    if not item.drop_key:
        keyed = ("HSET", item.stream.hash_name, item.key, item.payload)
    return [pack("MULTI"), pack(*keyed), append, pack("EXEC")]


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
        self.recreated = 0

    async def batches(self, stopping: asyncio.Event) -> AsyncIterator[list[Entry]]:
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
                    check_at_s = 0.0
                    continue
                attempts = waits_s()
                yield entries
        finally:
            self._link.close()

    async def _read(self) -> list[Entry]:
        read = pack(
            "XREAD", "COUNT", self._count, "BLOCK", BLOCK_MS, "STREAMS", *self._cursors, *self._cursors.values()
        )
        [found] = await self._ask(read)
        entries: list[Entry] = []
        for name, items in found or ():
            stream_name = name.decode()
            entries.extend((stream_name, entry_id, _payload(fields)) for entry_id, fields in items)
            self._cursors[stream_name] = items[-1][0].decode()
        return entries

    async def _rewind_recreated(self) -> None:
        newest = await self._ask(*(pack("XREVRANGE", name, "+", "-", "COUNT", 1) for name in self._cursors))
        for (name, cursor), items in zip(tuple(self._cursors.items()), newest, strict=True):
            newest_id = items[0][0].decode() if items else "0-0"
            if _id_order(newest_id) < _id_order(cursor):
                self.recreated += 1
                self._cursors[name] = "0-0"
                log.error("stream.recreated", extra={"stream": name, "cursor": cursor})

    async def _ask(self, *commands: bytes) -> list[Any]:
        replies = await self._link.ask(b"".join(commands), len(commands))
        for reply in replies:
            raise_refusal(reply)
        return replies


def _payload(fields: list[bytes] | None) -> bytes:
    """Return the message of an entry's flat list of fields and values; empty when it has none."""
    for name, value in zip((fields or [])[::2], (fields or [])[1::2], strict=True):
        if name == FIELD:
            return value
    return b""


class StreamTail(Generic[M]):
    """``Tail`` for one stream, with its messages decoded, repeats dropped and losses counted."""

    def __init__(self, url: str, stream: Stream[M], cursor: str) -> None:
        self._tail = Tail(url, {stream.name: cursor})
        self._stream = stream
        self.watch = SequenceWatch()
        self.unreadable = 0

    async def batches(self, stopping: asyncio.Event) -> AsyncIterator[list[M]]:
        """Yield messages as they come, and an empty list after every second without any."""
        async for entries in self._tail.batches(stopping):
            yield [message for _, _, payload in entries if (message := self._decoded(payload)) is not None]

    def _decoded(self, payload: bytes) -> M | None:
        try:
            message = self._stream.decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.unreadable += 1
            log.error("message.unreadable", extra={"stream": self._stream.name, "error": str(error)})
            return None
        return None if self.watch.is_repeat(self._stream.name, message) else message


@dataclass(frozen=True, slots=True)
class Delivery(Generic[M]):
    """One message of a group, owed until it is acknowledged."""

    message: M
    entry_id: bytes


class GroupReader(Generic[M]):
    """Reads one stream for one consumer group: what this consumer still owes first, then what is new.

    An entry that cannot be read, or that was delivered five times without being acknowledged, goes to the stream's
    dead letters. A group that vanished is made again from the beginning of the stream and counted in ``recreated``.
    """

    def __init__(self, url: str, stream: Stream[M], *, group: str, consumer: str) -> None:
        self._redis = connect(url, Profile.READER)
        self._link = RespLink(url, timeout_s=Profile.READER.value)
        self._stream = stream
        self._group = group
        self._consumer = consumer
        self._had_group = False
        self._ack_lost = False
        self.recreated = 0
        self.dead_letters = 0

    async def deliveries(self, stopping: asyncio.Event) -> AsyncGenerator[Delivery[M], None]:
        """Yield one delivery at a time until ``stopping`` is set; acknowledge each with ``ack``.

        What is still owed is read at the start, after every lost link and every half minute without anything new.
        Entries are fetched one by one, so that the server's count of deliveries is the count of attempts: fetched in
        batches, those behind a slow one would be taken for poison without ever having been tried.
        """
        attempts = waits_s()
        loop = asyncio.get_running_loop()
        owed_after: str | None = "0"
        owed_at_s = loop.time()
        group_missing = False
        try:
            while not stopping.is_set():
                await anext(attempts)
                if self._ack_lost:
                    self._ack_lost = False
                    owed_after = "0"
                try:
                    if group_missing:
                        await self._make_group()
                        group_missing = False
                    entry = await self._read(owed_after)
                    delivery = None if entry is None else await self._delivery(*entry, is_owed=owed_after is not None)
                except TRANSIENT as error:
                    log.warning("group.waiting", extra={"stream": self._stream.name, "error": str(error)})
                    owed_after = "0"
                    continue
                except ResponseError as error:
                    if "NOGROUP" not in str(error) and "UNBLOCKED" not in str(error):
                        raise
                    group_missing = True
                    continue
                attempts = waits_s()
                if owed_after is not None:
                    owed_after = None if entry is None else entry[0].decode()
                    owed_at_s = loop.time()
                elif entry is None and loop.time() - owed_at_s > _OWED_CHECK_S:
                    owed_after = "0"
                if delivery is not None:
                    yield delivery
        finally:
            self._link.close()
            await self._redis.aclose()

    async def ack(self, delivery: Delivery[M]) -> None:
        """Say that a delivery is done with; it is delivered again when this is lost."""
        try:
            [reply] = await self._link.ask(pack("XACK", self._stream.name, self._group, delivery.entry_id))
            raise_refusal(reply)
        except TRANSIENT as error:
            self._ack_lost = True
            log.warning("group.ack_lost", extra={"stream": self._stream.name, "error": str(error)})

    async def give_up(self, delivery: Delivery[M], reason: str) -> None:
        """Put a delivery among the dead letters, for good; it is delivered again when this is lost."""
        try:
            await self._bury(delivery.entry_id, msgspec.json.encode(delivery.message), reason)
        except TRANSIENT as error:
            self._ack_lost = True
            log.warning("group.ack_lost", extra={"stream": self._stream.name, "error": str(error)})

    async def _read(self, owed_after: str | None) -> tuple[bytes, bytes] | None:
        wait: tuple[Word, ...] = () if owed_after else ("BLOCK", BLOCK_MS)
        words = ("GROUP", self._group, self._consumer, "COUNT", 1, *wait, "STREAMS", self._stream.name)
        [found] = await self._link.ask(pack("XREADGROUP", *words, owed_after or ">"))
        raise_refusal(found)
        self._had_group = True
        items = cast("Any", found)[0][1] if found else []
        return (items[0][0], _payload(items[0][1])) if items else None

    async def _delivery(self, entry_id: bytes, payload: bytes, *, is_owed: bool) -> Delivery[M] | None:
        try:
            message = self._stream.decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            await self._bury(entry_id, payload, str(error))
            return None
        if is_owed:
            pending = await self._redis.xpending_range(self._stream.name, self._group, entry_id, entry_id, 1)
            if pending and pending[0]["times_delivered"] > _POISON_DELIVERIES:
                await self._bury(entry_id, payload, f"delivered {pending[0]['times_delivered']} times")
                return None
        return Delivery(message, entry_id)

    async def _bury(self, entry_id: bytes, payload: bytes, reason: str) -> None:
        self.dead_letters += 1
        log.error("message.dead", extra={"stream": self._stream.name, "entry": entry_id.decode(), "reason": reason})
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xadd(dead_letter_name(self._stream), {FIELD: payload, b"reason": reason.encode()}, maxlen=10_000)
            pipe.xack(self._stream.name, self._group, entry_id)
            await pipe.execute()

    async def _make_group(self) -> None:
        """Make the missing group; it starts with the first entry that the stream still has."""
        try:
            await self._redis.xgroup_create(self._stream.name, self._group, id="0", mkstream=True)
        except ResponseError as refusal:
            if "BUSYGROUP" not in str(refusal):
                raise
            return
        if self._had_group:
            self.recreated += 1
            log.error("stream.recreated", extra={"stream": self._stream.name, "group": self._group})
        self._had_group = True


async def trim_behind_groups(redis: Client, stream: Stream[Any], *, before_ms: int | None = None) -> int:
    """Drop the entries that every group has acknowledged and return how many; nothing unread is ever dropped.

    ``before_ms`` keeps everything that was written at that Unix millisecond or later, for those who look back.
    """
    oldest: list[tuple[int, int]] = [] if before_ms is None else [(before_ms, 0)]
    try:
        groups = await redis.xinfo_groups(stream.name)
    except ResponseError:
        return 0
    if not groups:
        return 0
    for group in groups:
        pending = await redis.xpending(stream.name, group["name"])
        first = pending["min"] or group["last-delivered-id"]
        oldest.append(_id_order(first.decode()))
    ms, seq = min(oldest)
    trimmed: int = await redis.xtrim(stream.name, minid=f"{ms}-{seq}", approximate=False)
    return trimmed


def _id_order(entry_id: str) -> tuple[int, int]:
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq or 0)


__all__ = [
    "BLOCK_MS",
    "TRANSIENT",
    "Delivery",
    "Entry",
    "GroupReader",
    "Identity",
    "Outbox",
    "OutboxFull",
    "Profile",
    "RedisError",
    "StreamTail",
    "Tail",
    "connect",
    "last_id",
    "load_latest",
    "trim_behind_groups",
    "waits_s",
]
