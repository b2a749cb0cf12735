"""The fast way to write quotes: RESP packed by hiredis, one write per batch, a bounded number of replies awaited.

Redis-py's pipeline costs about ten times as much per command. Only quotes need the difference, and only for quotes is
a lost write harmless: the next state of the book replaces it, and everything is published anew after a lost link or a
refusal. So nothing is retried here; ``in_flight`` tells how much is unconfirmed, and its limit is where conflation
begins.
"""

import asyncio
import logging
import random
from collections.abc import Callable

import hiredis

from shared.io.clients import TRANSIENT, Profile, connect
from shared.io.resp import Reply, RespTransport

log = logging.getLogger(__name__)

_LONGEST_WAIT_S = 1.0
_SILENT_S = 3.0
_WATCH_EVERY_S = 0.5


class QuotePipe:
    """One connection to Redis for fire-and-count commands.

    ``on_ready`` is called each time the link is (again) usable: what was in flight before may be lost. ``on_refused``
    is called when Redis has not done some of what it was told.
    """

    def __init__(
        self, url: str, *, on_ready: Callable[[], None], on_room: Callable[[], None], on_refused: Callable[[], None]
    ) -> None:
        self._url = url
        self._on_ready = on_ready
        self._on_room = on_room
        self._on_refused = on_refused
        self._transport: RespTransport | None = None
        self._answered_s = 0.0
        self.in_flight = 0
        self.refused = 0
        """Commands that Redis answered with an error since the start."""

    @property
    def is_ready(self) -> bool:
        """Whether commands can be written now: between the end of a connection and ``run`` noticing it, they cannot."""
        return self._transport is not None and self._transport.is_open

    def write(self, packed: bytes, commands: int) -> None:
        """Send packed commands; call only when ready."""
        assert self._transport is not None
        if not self.in_flight:
            self._answered_s = asyncio.get_running_loop().time()
        self.in_flight += commands
        self._transport.write_now(packed)

    async def run(self) -> None:
        """Keep the connection up, for ever."""
        longest_s = 0.02
        while True:
            try:
                lost = await self._connect()
            except TRANSIENT as error:
                log.warning("quotes.waiting", extra={"error": str(error)})
                await asyncio.sleep(random.uniform(0, longest_s))
                longest_s = min(_LONGEST_WAIT_S, longest_s * 2)
                continue
            longest_s = 0.02
            try:
                await self._watched(lost)
            finally:
                self._close()
            log.warning("quotes.link_lost")

    async def _watched(self, lost: "asyncio.Future[None]") -> None:
        """Wait until the link is lost, or until what was written has gone unanswered for three seconds.

        A link that died without a word would otherwise hold the window full until the kernel gives up, minutes later.
        """
        loop = asyncio.get_running_loop()
        while not lost.done():
            await asyncio.wait({lost}, timeout=_WATCH_EVERY_S)
            if self.in_flight and loop.time() - self._answered_s > _SILENT_S:
                log.warning("quotes.unanswered", extra={"commands": self.in_flight})
                return

    async def _connect(self) -> "asyncio.Future[None]":
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_lost() -> None:
            if not lost.done():
                lost.set_result(None)

        transport = RespTransport(on_replies=self._replied, on_lost=on_lost)
        await transport.open(self._url, timeout_s=Profile.WRITER.value)
        self._transport = transport
        self.in_flight = 0
        self._on_ready()
        return lost

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._transport = None
        self.in_flight = 0

    def _replied(self, replies: list[Reply]) -> None:
        self.in_flight -= len(replies)
        self._answered_s = asyncio.get_running_loop().time()
        errors = [reply for reply in replies if isinstance(reply, hiredis.ReplyError)]
        if errors:
            self.refused += len(errors)
            log.error("quotes.refused", extra={"error": str(errors[0]), "commands": len(errors)})
            self._on_refused()
        self._on_room()


async def newest_ids_ms(url: str, stream_names: list[str]) -> dict[str, int]:
    """Return the millisecond part of each stream's newest id: where a writer of explicit ids must go on from."""
    redis = connect(url, Profile.WRITER)
    try:
        async with redis.pipeline(transaction=False) as pipe:
            for name in stream_names:
                pipe.xrevrange(name, count=1)
            replies = await pipe.execute()
    finally:
        await redis.aclose()
    return {
        name: int(reply[0][0].partition(b"-")[0]) if reply else 0
        for name, reply in zip(stream_names, replies, strict=True)
    }
