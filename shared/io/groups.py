"""Reading a stream as one of a group: what is owed comes first, and nothing is dropped before it is acknowledged."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.contracts.envelope import Message
from shared.contracts.streams import FIELD, Stream, dead_letter_name
from shared.io.clients import BLOCK_MS, TRANSIENT, Client, Profile, connect, waits_s
from shared.io.entries import id_order, payload_of
from shared.io.resp import Reply, RespLink, Word, pack, raise_refusal

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
        self._stream = stream
        self._group = group
        self._consumer = consumer
        self._coming = _Coming(self._link, self._read(">", "BLOCK", BLOCK_MS), ahead=ahead)
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
                    if "NOGROUP" not in str(error):
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
            self._had_group = True
            return entry, entry and await self._delivery(*entry, waited_s, is_owed=False)
        [reply] = await self._acks.ask(self._read(owed_after))
        entry = _first_entry(reply)
        self._had_group = True
        if entry is None or self._coming.holds(entry[0]):
            return entry, None
        return entry, await self._delivery(*entry, 0.0, is_owed=True)

    def _read(self, after: str, *wait: Word) -> bytes:
        """Return the command that reads one entry behind ``after``; ``>`` is what nobody has read yet."""
        words = ("GROUP", self._group, self._consumer, "COUNT", 1, *wait, "STREAMS", self._stream.name)
        return pack("XREADGROUP", *words, after)

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
    """New entries in order, some of them read before they are asked for; a failure comes in its place and ends that.

    They are taken while they are read from the socket: no task has to wake up in between, and how long one has waited
    counts from then.
    """

    def __init__(self, link: RespLink, read: bytes, *, ahead: int) -> None:
        self._link = link
        self._command = read
        self._ahead = ahead
        self._waiting: deque[tuple[_Entry | None, float] | Exception] = deque()
        self._changed = asyncio.Event()
        self._overdue: asyncio.TimerHandle | None = None
        """While a read is on its way: what gives it up."""
        self._is_late = False

    async def next(self) -> tuple[_Entry | None, float]:
        """Return the next entry, None after a second without any, and how long ago it was read in seconds.

        Raises what redis-py would raise; the next call reads again.
        """
        while not self._waiting:
            if self._overdue is None:
                await self._link.open()
                self._read_on()
            self._changed.clear()
            await self._changed.wait()
        found = self._waiting.popleft()
        if isinstance(found, Exception):
            raise found
        self._read_ahead()
        entry, read_at_s = found
        return entry, time.monotonic() - read_at_s

    def holds(self, entry_id: bytes) -> bool:
        """Return whether this entry was read and will come."""
        return any(isinstance(one, tuple) and one[0] is not None and one[0][0] == entry_id for one in self._waiting)

    def _read_ahead(self) -> None:
        has_failed = bool(self._waiting) and isinstance(self._waiting[-1], Exception)
        if self._overdue is None and self._link.is_open and not has_failed and len(self._waiting) < self._ahead:
            self._read_on()

    def _read_on(self) -> None:
        self._is_late = False
        self._overdue = asyncio.get_running_loop().call_later(Profile.READER.value, self._give_up)
        self._link.call(self._command, self._answered)

    def _give_up(self) -> None:
        self._is_late = True
        self._link.close()

    def _answered(self, replies: list[Reply] | None) -> None:
        assert self._overdue is not None
        self._overdue.cancel()
        self._overdue = None
        try:
            entry = self._entry(replies)
        except Exception as error:
            self._waiting.append(error)
        else:
            if entry is not None or not self._waiting:
                self._waiting.append((entry, time.monotonic()))  # the event loop's own time counts in milliseconds
            self._read_ahead()
        self._changed.set()

    def _entry(self, replies: list[Reply] | None) -> _Entry | None:
        if replies is not None:
            return _first_entry(replies[0])
        if self._is_late:
            raise RedisTimeoutError(f"no answer within {Profile.READER.value} s")
        raise RedisConnectionError("the link was lost")


def _first_entry(reply: Reply) -> _Entry | None:
    """Return what XREADGROUP found. Raises what redis-py would raise for a refusal."""
    raise_refusal(reply)
    items = cast("Any", reply)[0][1] if reply else []
    return (items[0][0], payload_of(items[0][1])) if items else None


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
