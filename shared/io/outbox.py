"""Writing messages in order, each once for as long as Redis keeps its memory and at least once when it does not."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from shared.contracts.envelope import Message, TextMessage
from shared.contracts.streams import Stream, outbox_key
from shared.io.appends import NUMBER_KEPT_S, Append, Outcome, Turn
from shared.io.clients import TRANSIENT, Client, Profile, waits_s
from shared.io.leases import Lease
from shared.io.resp import Reply, RespLink, ServerUnfit, raise_refusal
from shared.io.set_aside import Refusals, SetAside

M = TypeVar("M", bound=Message)

Write = tuple[Stream[Any], Message | TextMessage, str, bool]
"""Stream, message, its key in the stream's hash or none, and whether to empty the key instead of filling it."""

_BATCH = 500
_FLIGHTS = 8

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who writes: the service and one value per start of its process, which no two outboxes may share.

    Each counts from 1, so a reader would take one's messages for repeats of the other's.
    """

    src: str
    epoch: str


@dataclass(frozen=True, slots=True)
class _Flight:
    """What was sent and not answered yet, one command each."""

    turns: list[Turn]
    answered: asyncio.Future[list[Reply]]


class OutboxFull(Exception):
    """More messages wait for Redis than the outbox may hold."""


class Outbox:
    """Appends in order: messages wait here until Redis has confirmed them, and those behind one that it refused wait
    behind it, on whatever stream they are; see ``shared.io.appends``.

    What Redis forgot, because it lost its memory with a reply on the way, is written again with the same ``pseq``.
    ``StreamTail`` drops it; whoever reads through a group folds by the message's own id, because a group also delivers
    again what was never acknowledged.

    A message that Redis refuses for a reason of its own, such as a key of another type, is set aside after a few tries
    and the others go on in their order. ``on_set_aside`` is told of the first one in a while.
    """

    def __init__(self, url: str, identity: Identity, *, limit: int = 200_000) -> None:
        self._link = RespLink(url, timeout_s=Profile.WRITER.value)
        self._identity = identity
        self._src, self._epoch = (msgspec.json.encode(name).decode() for name in (identity.src, identity.epoch))
        self._number_key = outbox_key(identity.src, uuid4().hex)
        """Of this outbox alone: two that share a name would take each other's messages for their own."""
        self._numbered = 0
        self._confirmed = 0
        self._flights: deque[_Flight] = deque()
        self._is_failing = False
        self._is_script_known = False
        """Whether the server has the script, so that its name will do; the first command of a link has all of it."""
        self._limit = limit
        self._waiting: deque[Turn] = deque()
        self._pseq: dict[str, int] = {}
        self._encoder = msgspec.json.Encoder()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._refusals = Refusals()
        self.on_set_aside: Callable[[SetAside], None] = lambda _: None
        self.fenced = 0
        """Messages that were not written, because another process holds their partition now."""
        self.is_forgotten = False
        """Whether Redis has forgotten messages that it had confirmed; whoever says them again sets this to False."""

    def put(self, stream: Stream[M], message: M, *, key: str = "", drop_key: bool = False) -> M:
        """Stamp a message and queue it; return it as it will be written.

        ``key`` names its place in a compacted stream's hash, which ``drop_key`` empties instead of filling.
        Raises OutboxFull.
        """
        stamped = self._stamped(stream, message)
        self._queue((_append(stream, self._encoder.encode(stamped), key, drop_key),))
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
            appends.append(_append(stream, payload, key, drop_key))
        self._queue(tuple(appends), lease)

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

    @property
    def refused(self) -> int:
        """Messages that were set aside."""
        return self._refusals.messages

    @property
    def is_flushed(self) -> bool:
        """Whether nothing waits to be written."""
        return self._idle.is_set()

    async def look_back(self, redis: Client) -> None:
        """Find out whether Redis still knows what it confirmed, although nothing may have been written since.

        Raises redis-py's ConnectionError or TimeoutError.
        """
        confirmed = self._confirmed
        try:
            known = await redis.getex(self._number_key, ex=NUMBER_KEPT_S)
        except ResponseError as error:  # it writes, and Redis may have no disk left
            raise RedisConnectionError(str(error)) from None
        if int(known or 0) < confirmed == self._confirmed:
            self._forgotten()

    def taken_aside(self, stream: Stream[M]) -> list[SetAside]:
        """Return, once, what was set aside of a stream's messages; of all streams the last thousand are kept."""
        return self._refusals.taken(stream.name)

    def _stamped(self, stream: Stream[M], message: M) -> M:
        pseq = self._next_pseq(stream)
        return msgspec.structs.replace(message, src=self._identity.src, epoch=self._identity.epoch, pseq=pseq)

    def _next_pseq(self, stream: Stream[Any]) -> int:
        if len(self._waiting) >= self._limit:
            raise OutboxFull(f"{len(self._waiting)} messages wait for Redis; the last for {stream.name}")
        pseq = self._pseq.get(stream.name, 0) + 1
        self._pseq[stream.name] = pseq
        return pseq

    def _queue(self, appends: tuple[Append, ...], lease: Lease | None = None) -> None:
        self._numbered += 1
        self._waiting.append(Turn(self._numbered, appends, lease))
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
        aside = self._refusals.given_up(self._waiting[0].appends, reason)
        if aside is None:
            return False
        self._waiting.popleft()
        if aside.is_news:
            self.on_set_aside(aside)
        return True

    async def _write(self) -> None:
        """Write one batch and take off what is confirmed. Raises at the first message that is not."""
        if not self._flights:
            await self._link.open()
            self._send(at_once=False)
        flight = self._flights[0]
        try:
            self._take_off(flight, await self._link.answer(flight.answered))
        except Exception as error:
            self._is_failing = True
            self._is_script_known = False
            self._forget_flights()  # all that waits is sent again, in order
            if isinstance(error, ServerUnfit):
                self._link.close()  # the address may lead to another one by now
            raise
        self._is_failing = False
        self._flights.popleft()

    def _take_off(self, flight: _Flight, replies: Sequence[Reply]) -> None:
        for turn, reply in zip(flight.turns, replies, strict=True):
            raise_refusal(reply)
            self._is_script_known = True
            if reply != Outcome.WRITTEN:
                self._note(turn, reply)
            self._confirmed = turn.number
            self._waiting.popleft()
            self._refusals.of_first = 0

    def _send(self, *, at_once: bool) -> None:
        """Send what waits and is not on its way."""
        flown = sum(len(flight.turns) for flight in self._flights)
        batch = list(islice(self._waiting, flown, flown + (1 if self._refusals.of_first else _BATCH)))
        if not batch:
            return
        packed = [
            turn.packed(
                self._number_key, after=None if at else self._confirmed, by_name=at > 0 or self._is_script_known
            )
            for at, turn in enumerate(batch, start=flown)
        ]
        answered = self._link.send(b"".join(packed), len(packed), at_once=at_once)
        self._flights.append(_Flight(batch, answered))

    def _forget_flights(self) -> None:
        for flight in self._flights:
            flight.answered.cancel()
        self._flights.clear()

    def _forgotten(self) -> None:
        self.is_forgotten = True
        self._confirmed = 0
        log.error("outbox.forgotten", extra={"src": self._identity.src, "epoch": self._identity.epoch})

    def _note(self, turn: Turn, reply: Reply) -> None:
        """Raise unless the messages are done with."""
        part = "" if turn.lease is None else turn.lease.part
        match reply:
            case Outcome.NO_HOLDER:
                raise RedisConnectionError(f"Redis knows no holder of partition {part}")
            case Outcome.OUT_OF_TURN:
                raise RedisConnectionError(
                    f"Redis has forgotten that it wrote message {turn.number - 1} of this outbox"
                )
            case Outcome.WRITTEN_AFRESH:
                self._forgotten()
            case Outcome.OTHER_HOLDER:
                self.fenced += len(turn.appends)
                log.warning("outbox.fenced", extra={"partition": part, "messages": len(turn.appends)})


def _append(stream: Stream[Any], payload: bytes, key: str, drop_key: bool) -> Append:
    return Append(stream.name, stream.hash_name, key, payload, drop_key, stream.keep)
