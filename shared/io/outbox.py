"""Writing messages in order and at least once."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from shared.contracts.envelope import Message
from shared.contracts.streams import FIELD, Stream
from shared.io.clients import TRANSIENT, Profile, waits_s
from shared.io.leases import FencedAppend, Lease, fenced_append
from shared.io.resp import Reply, RespLink, Word, pack, raise_refusal

M = TypeVar("M", bound=Message)

_BATCH = 500
_TRIES = 8
_SPOILED_S = 60.0
_MOST_SET_ASIDE = 1_000
_ABOUT_THE_SERVER = frozenset(
    (
        *(
            "NOAUTH",
            "WRONGPASS",
            "MISCONF",
            "NOREPLICAS",
            "CLUSTERDOWN",
            "MASTERDOWN",
            "TRYAGAIN",
            "BUSY",
            "UNKILLABLE",
        ),
        *("NOSCRIPT", "READONLY", "LOADING", "OOM", "EXECABORT"),
    )
)
"""Refusals that say nothing against the message, or not what: it is tried for as long as it takes."""
_OTHER_HOLDER, _NO_HOLDER = 0, -1

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


@dataclass(frozen=True, slots=True)
class _Fenced:
    lease: Lease
    appends: tuple[FencedAppend, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """Messages that Redis refused again and again for a reason of their own; meant to be written together."""

    streams: tuple[str, ...]
    payloads: tuple[bytes, ...]
    reason: str


class OutboxFull(Exception):
    """More messages wait for Redis than the outbox may hold."""


class Outbox:
    """Appends in order and at least once: messages wait here until Redis has confirmed them.

    A reply that was lost leads to a second entry with the same ``pseq``. ``StreamTail`` drops it; whoever reads through
    a group folds by the message's own id, because a group also delivers again what was never acknowledged.

    A message that Redis refuses for a reason of its own, such as a key of another type, is set aside after a few tries
    and the others go on in their order. ``on_set_aside`` is told of the first one in a while.
    """

    def __init__(self, url: str, identity: Identity, *, limit: int = 200_000) -> None:
        self._link = RespLink(url, timeout_s=Profile.WRITER.value)
        self._identity = identity
        self._limit = limit
        self._waiting: deque[_Append | _Fenced] = deque()
        self._pseq: dict[str, int] = {}
        self._encoder = msgspec.json.Encoder()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._refusals = 0
        """How often the first that waits was refused; while it is, it is sent alone."""
        self._spoiled_s: dict[str, float] = {}
        """When a stream's message was last set aside: the next one is not tried as often."""
        self._set_aside: deque[SetAside] = deque(maxlen=_MOST_SET_ASIDE)
        self.on_set_aside: Callable[[SetAside], None] = lambda _: None
        self.refused = 0
        """Messages that were set aside."""
        self.fenced = 0
        """Messages that were not written, because another process holds their partition now."""

    def put(self, stream: Stream[M], message: M, *, key: str = "", drop_key: bool = False) -> M:
        """Stamp a message and queue it; return it as it will be written.

        ``key`` names its place in a compacted stream's hash, which ``drop_key`` empties instead of filling.
        Raises OutboxFull.
        """
        stamped = self._stamped(stream, message)
        self._queue(_Append(stream, self._encoder.encode(stamped), key, drop_key))
        return stamped

    def put_under_lease(self, lease: Lease, items: Sequence[tuple[Stream[Any], Message, str, bool]]) -> None:
        """Stamp and queue messages that are written together, and only if the lease is still ours by then.

        An item is stream, message, key and whether to empty the key. The streams are of the kind that writers do not
        trim. Raises OutboxFull.
        """
        appends = []
        for stream, message, key, drop_key in items:
            assert not stream.keep, stream
            payload = self._encoder.encode(self._stamped(stream, message))
            appends.append(FencedAppend(stream.name, stream.hash_name, key, payload, drop_key))
        self._queue(_Fenced(lease, tuple(appends)))

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

    def taken_aside(self, stream: Stream[M]) -> list[SetAside]:
        """Return, once, what was set aside of a stream's messages; of all streams the last thousand are kept."""
        found = [aside for aside in self._set_aside if stream.name in aside.streams]
        self._set_aside = deque((a for a in self._set_aside if a not in found), maxlen=_MOST_SET_ASIDE)
        return found

    def _stamped(self, stream: Stream[M], message: M) -> M:
        if len(self._waiting) >= self._limit:
            raise OutboxFull(f"{len(self._waiting)} messages wait for Redis; the last for {stream.name}")
        pseq = self._pseq.get(stream.name, 0) + 1
        self._pseq[stream.name] = pseq
        return msgspec.structs.replace(message, src=self._identity.src, epoch=self._identity.epoch, pseq=pseq)

    def _queue(self, item: _Append | _Fenced) -> None:
        self._waiting.append(item)
        self._idle.clear()
        self._work.set()

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
                if self._give_up(str(error)):
                    attempts = waits_s()
            else:
                attempts = waits_s()
        self._work.clear()
        self._idle.set()

    def _give_up(self, reason: str) -> bool:
        """Set the first that waits aside if Redis will never take it; return whether it was."""
        self._refusals += 1
        if reason.partition(" ")[0] in _ABOUT_THE_SERVER:
            return False
        refused = _refused(self._waiting[0], reason)
        now_s = asyncio.get_running_loop().time()
        is_news = all(now_s - self._spoiled_s.get(name, -_SPOILED_S) >= _SPOILED_S for name in refused.streams)
        if is_news and self._refusals < _TRIES:
            return False
        self._refusals = 0
        self._waiting.popleft()
        self._spoiled_s |= dict.fromkeys(refused.streams, now_s)
        self._set_aside.append(refused)
        self.refused += len(refused.payloads)
        log.error("outbox.set_aside", extra={"streams": refused.streams, "reason": reason})
        if is_news:
            self.on_set_aside(refused)
        return True

    async def _write(self) -> None:
        """Write one batch and take off what is confirmed. Raises at the first message that is not."""
        at_once = 1 if self._refusals else _BATCH
        batch = [self._waiting[index] for index in range(min(at_once, len(self._waiting)))]
        commands = [_commands(item) for item in batch]
        packed = b"".join(word for words in commands for word in words)
        replies = await self._link.ask(packed, sum(map(len, commands)))
        at = 0
        for item, words in zip(batch, commands, strict=True):
            at += len(words)
            raise_refusal(replies[at - 1])
            if isinstance(item, _Fenced):
                self._note_fence(item, replies[at - 1])
            self._waiting.popleft()
            self._refusals = 0

    def _note_fence(self, item: _Fenced, reply: Reply) -> None:
        if reply == _NO_HOLDER:
            raise RedisConnectionError(f"Redis knows no holder of partition {item.lease.part}")
        if reply == _OTHER_HOLDER:
            self.fenced += len(item.appends)
            log.warning("outbox.fenced", extra={"partition": item.lease.part, "messages": len(item.appends)})


def _refused(item: _Append | _Fenced, reason: str) -> SetAside:
    if isinstance(item, _Fenced):
        names = tuple(dict.fromkeys(append.stream_name for append in item.appends))
        return SetAside(names, tuple(append.payload for append in item.appends), reason)
    return SetAside((item.stream.name,), (item.payload,), reason)


def _commands(item: _Append | _Fenced) -> list[bytes]:
    """Return what writes one message; the reply to the last command says whether it is written.

    A compacted stream's hash and log change together or not at all.
    """
    if isinstance(item, _Fenced):
        return [fenced_append(item.lease, item.appends)]
    trim: tuple[Word, ...] = ("MAXLEN", "~", item.stream.keep) if item.stream.keep else ()
    append = pack("XADD", item.stream.name, *trim, "*", FIELD, item.payload)
    if not item.key:
        return [append]
    keyed: tuple[Word, ...] = ("HDEL", item.stream.hash_name, item.key)
    if not item.drop_key:
        keyed = ("HSET", item.stream.hash_name, item.key, item.payload)
    return [pack("MULTI"), pack(*keyed), append, pack("EXEC")]
