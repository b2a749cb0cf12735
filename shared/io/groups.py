"""Reading a stream as one of a group: what is owed comes first, and nothing is dropped before it is acknowledged."""

import asyncio
import logging
from collections.abc import AsyncGenerator
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

_POISON_DELIVERIES = 5
_OWED_CHECK_S = 30.0

log = logging.getLogger(__name__)


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
        return (items[0][0], payload_of(items[0][1])) if items else None

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
        oldest.append(id_order(first.decode()))
    ms, seq = min(oldest)
    trimmed: int = await redis.xtrim(stream.name, minid=f"{ms}-{seq}", approximate=False)
    return trimmed
