"""Reading a stream as one of a group: what is owed comes first, and nothing is dropped before it is acknowledged."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import msgspec
from redis.exceptions import ResponseError

from shared.contracts.envelope import Message
from shared.contracts.streams import FIELD, Stream, dead_letter_name
from shared.io.clients import BLOCK_MS, TRANSIENT, Client, Profile, connect, waits_s
from shared.io.entries import id_order, payload_of
from shared.io.resp import RespLink, Word, pack, raise_refusal

M = TypeVar("M", bound=Message)

_Entry = tuple[bytes, bytes]
"""An entry's id and its message."""

_POISON_DELIVERIES = 5
_OWED_CHECK_S = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery(Generic[M]):
    """One message of a group, owed until it is acknowledged."""

    message: M
    entry_id: bytes
    waited_s: float = 0.0
    """How long ago it was read: it lay here while those before it were dealt with."""


class GroupReader(Generic[M]):
    """Reads one stream for one consumer group: what this consumer still owes first, then what is new.

    An entry that cannot be read, or that was delivered five times without being acknowledged, goes to the stream's
    dead letters. A group that vanished is made again from the beginning of the stream and counted in ``recreated``.
    Up to ``ahead`` new entries are read while an earlier one is being dealt with.
    """

    def __init__(self, url: str, stream: Stream[M], *, group: str, consumer: str, ahead: int = 0) -> None:
        self._redis = connect(url, Profile.READER)
        self._link = RespLink(url, timeout_s=Profile.READER.value)
        self._acks = RespLink(url, timeout_s=Profile.READER.value)
        """Never blocks, so that an acknowledgement does not wait for the next entry."""
        self._coming = _Coming(self._read_new, ahead)
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
        batches, those behind a slow one would be taken for poison without ever having been tried. One that was read
        ahead and lost in a crash counts one delivery too many, no more: what is owed is never read ahead.
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
                    entry, delivery = await self._next(owed_after)
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
            self._coming.stop()
            self._link.close()
            self._acks.close()
            await self._redis.aclose()

    async def ack(self, delivery: Delivery[M]) -> None:
        """Say that a delivery is done with; it is delivered again when this is lost."""
        try:
            [reply] = await self._acks.ask(pack("XACK", self._stream.name, self._group, delivery.entry_id))
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

    async def _next(self, owed_after: str | None) -> tuple[_Entry | None, Delivery[M] | None]:
        """Return the next entry, owed or new, and what to deliver for it: nothing when it is unusable or will come."""
        if owed_after is None:
            entry, waited_s = await self._coming.next()
            return entry, entry and await self._delivery(*entry, waited_s, is_owed=False)
        entry = await self._read_owed(owed_after)
        if entry is None or self._coming.holds(entry[0]):
            return entry, None
        return entry, await self._delivery(*entry, 0.0, is_owed=True)

    async def _read_new(self) -> _Entry | None:
        return await self._read(self._link, ">", "BLOCK", BLOCK_MS)

    async def _read_owed(self, after: str) -> _Entry | None:
        return await self._read(self._acks, after)

    async def _read(self, link: RespLink, after: str, *wait: Word) -> _Entry | None:
        words = ("GROUP", self._group, self._consumer, "COUNT", 1, *wait, "STREAMS", self._stream.name)
        [found] = await link.ask(pack("XREADGROUP", *words, after))
        raise_refusal(found)
        self._had_group = True
        items = cast("Any", found)[0][1] if found else []
        return (items[0][0], payload_of(items[0][1])) if items else None

    async def _delivery(self, entry_id: bytes, payload: bytes, waited_s: float, *, is_owed: bool) -> Delivery[M] | None:
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
        return Delivery(message, entry_id, waited_s)

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


class _Coming:
    """New entries in order, some of them read before they are asked for; an error comes in its place and ends that."""

    def __init__(self, read: Callable[[], Awaitable[_Entry | None]], ahead: int) -> None:
        self._read = read
        self._ahead = ahead
        self._waiting: deque[tuple[_Entry | None, float] | Exception] = deque()
        self._changed = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def next(self) -> tuple[_Entry | None, float]:
        """Return the next entry, None after a second without any, and how long ago it was read in seconds."""
        if not self._ahead:
            return await self._read(), 0.0
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_on())
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        found = self._waiting.popleft()
        self._changed.set()
        if isinstance(found, Exception):
            self._reading = None
            raise found
        entry, read_at_s = found
        return entry, asyncio.get_running_loop().time() - read_at_s

    def holds(self, entry_id: bytes) -> bool:
        """Return whether this entry was read and will come."""
        return any(isinstance(one, tuple) and one[0] is not None and one[0][0] == entry_id for one in self._waiting)

    def stop(self) -> None:
        """Read no more; what was read and not handed out is owed and comes at the next start."""
        if self._reading is not None:
            self._reading.cancel()

    async def _read_on(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                entry = await self._read()
                if entry is not None or not self._waiting:
                    self._waiting.append((entry, loop.time()))
                    self._changed.set()
                while len(self._waiting) >= self._ahead:
                    self._changed.clear()
                    await self._changed.wait()
        except Exception as error:
            self._waiting.append(error)
            self._changed.set()


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
        oldest.append(id_order(first.decode()))
    ms, seq = min(oldest)
    trimmed: int = await redis.xtrim(stream.name, minid=f"{ms}-{seq}", approximate=False)
    return trimmed
