"""Writing messages in order and at least once."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeVar

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from shared.contracts.envelope import Message, TextMessage
from shared.contracts.streams import FIELD, Stream
from shared.io.clients import TRANSIENT, Profile, waits_s
from shared.io.leases import FencedAppend, Lease, fenced_append
from shared.io.resp import Reply, RespLink, Word, pack, raise_refusals

M = TypeVar("M", bound=Message)

Write = tuple[Stream[Any], Message | TextMessage, str, bool]
"""Stream, message, its key in the stream's hash or none, and whether to empty the key instead of filling it."""

_BATCH = 500
_FLIGHTS = 8
_TRIES = 8
_SPOILED_S = 60.0
_MOST_SET_ASIDE = 1_000
_ABOUT_THE_SERVER = frozenset(
    (
        *("NOAUTH", "WRONGPASS", "MISCONF", "NOREPLICAS", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "BUSY"),
        *("UNKILLABLE", "NOSCRIPT", "READONLY", "LOADING", "OOM", "EXECABORT"),
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


@dataclass(frozen=True, slots=True)
class _Flight:
    """What was sent and not answered yet: items with the number of commands of each."""

    items: list[tuple[_Append | _Fenced, int]]
    answered: asyncio.Future[list[Reply]]


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
        self._src, self._epoch = (msgspec.json.encode(name).decode() for name in (identity.src, identity.epoch))
        self._flights: deque[_Flight] = deque()
        self._is_failing = False
        self._is_script_known = False
        """Whether the server has the script for writing under a lease, so that its name will do."""
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

    def put_under_lease(self, lease: Lease, writes: Sequence[Write]) -> None:
        """Stamp and queue messages that are written together, and only if the lease is still ours by then.

        Raises OutboxFull.
        """
        appends = []
        for stream, message, key, drop_key in writes:
            if isinstance(message, TextMessage):
                payload = message.stamped(self._src, self._epoch, self._next_pseq(stream))
            else:
                payload = self._encoder.encode(self._stamped(stream, message))
            appends.append(FencedAppend(stream.name, stream.hash_name, key, payload, drop_key, stream.keep))
        self._queue(_Fenced(lease, tuple(appends)))

    def push(self) -> None:
        """Send what is queued, now: a task that has to wake up first costs 0.1 ms.

        While something goes wrong, and while a lot is on its way, the task takes its time.
        """
        if self._link.is_open and not self._is_failing and len(self._flights) < _FLIGHTS:
            self._send(at_once=True)

    async def run(self) -> None:
        """Write what is queued, for ever, trying again while Redis is away."""
        try:
            while True:
                await self._work.wait()
                await self._write_waiting()
        finally:
            self._forget_flights()
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
        pseq = self._next_pseq(stream)
        return msgspec.structs.replace(message, src=self._identity.src, epoch=self._identity.epoch, pseq=pseq)

    def _next_pseq(self, stream: Stream[Any]) -> int:
        if len(self._waiting) >= self._limit:
            raise OutboxFull(f"{len(self._waiting)} messages wait for Redis; the last for {stream.name}")
        pseq = self._pseq.get(stream.name, 0) + 1
        self._pseq[stream.name] = pseq
        return pseq

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
        if not self._flights:
            await self._link.open()
            self._send(at_once=False)
        flight = self._flights[0]
        try:
            self._take_off(flight, await self._link.answer(flight.answered))
        except Exception:
            self._is_failing = True
            self._forget_flights()  # all that waits is sent again, in order
            raise
        self._is_failing = False
        self._flights.popleft()

    def _take_off(self, flight: _Flight, replies: Sequence[Reply]) -> None:
        at = 0
        for item, commands in flight.items:
            at += commands
            reply = replies[at - 1]
            if isinstance(item, _Fenced):
                self._is_script_known = not str(reply).startswith("NOSCRIPT")
            raise_refusals(reply)
            if isinstance(item, _Fenced):
                self._note_fence(item, reply)
            self._waiting.popleft()
            self._refusals = 0

    def _send(self, *, at_once: bool) -> None:
        """Send what waits and is not on its way."""
        flown = sum(len(flight.items) for flight in self._flights)
        batch = list(islice(self._waiting, flown, flown + (1 if self._refusals else _BATCH)))
        if not batch:
            return
        commands = [_commands(item, is_script_known=self._is_script_known) for item in batch]
        lengths = list(map(len, commands))
        packed = b"".join(chain.from_iterable(commands))
        answered = self._link.send(packed, sum(lengths), at_once=at_once)
        self._flights.append(_Flight(list(zip(batch, lengths, strict=True)), answered))

    def _forget_flights(self) -> None:
        for flight in self._flights:
            flight.answered.cancel()
        self._flights.clear()

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


def _commands(item: _Append | _Fenced, *, is_script_known: bool) -> list[bytes]:
    """Return what writes one message; the reply to the last command says whether it is written.

    A compacted stream's hash and log change together or not at all.
    """
    if isinstance(item, _Fenced):
        return [fenced_append(item.lease, item.appends, by_name=is_script_known)]
    trim: tuple[Word, ...] = ("MAXLEN", "~", item.stream.keep) if item.stream.keep else ()
    append = pack("XADD", item.stream.name, *trim, "*", FIELD, item.payload)
    if not item.key:
        return [append]
    keyed: tuple[Word, ...] = ("HDEL", item.stream.hash_name, item.key)
    if not item.drop_key:
        keyed = ("HSET", item.stream.hash_name, item.key, item.payload)
    return [pack("MULTI"), pack(*keyed), append, pack("EXEC")]
