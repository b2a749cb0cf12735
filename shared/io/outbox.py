"""Writing messages in order and at least once."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from redis.exceptions import ResponseError

from shared.contracts.envelope import Message
from shared.contracts.streams import FIELD, Stream
from shared.io.clients import TRANSIENT, Profile, waits_s
from shared.io.resp import RespLink, Word, pack, raise_refusal

M = TypeVar("M", bound=Message)

_BATCH = 500

log = logging.getLogger(__name__)


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
