"""Tells the executions stream what the ledger says, in order and at least once; readers fold by ``ledger_seq``."""

import asyncio

from services.kalshi_executor.crash_points import CrashPoint
from services.kalshi_executor.ledger import Ledger
from services.kalshi_executor.ledger_thread import LedgerThread
from shared.contracts.executions import ExecutionMessage
from shared.contracts.streams import Stream
from shared.io.bus import Outbox
from shared.runtime.clock import Clock
from shared.runtime.crash import Crashes

_BATCH = 500


class Publisher:
    """Moves the ledger's outbox to the stream whenever it is woken, first of all at its start.

    What Redis refuses for good is noted in the ledger and passed over.
    """

    def __init__(
        self,
        ledger: LedgerThread,
        outbox: Outbox,
        stream: Stream[ExecutionMessage],
        *,
        clock: Clock,
        crashes: Crashes,
    ) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._stream = stream
        self._clock = clock
        self._crashes = crashes
        self._finishing = False
        self._wanted = asyncio.Event()
        self._wanted.set()

    def wake(self) -> None:
        """Say that the ledger has something new to tell."""
        self._wanted.set()

    def finish(self) -> None:
        """Let ``run`` return once everything is published."""
        self._finishing = True
        self._wanted.set()

    async def run(self) -> None:
        """Publish what waits, until told to finish."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._publish_waiting()
            if self._finishing:
                return

    async def _publish_waiting(self) -> None:
        while waiting := await self._ledger.do(Ledger.unpublished, _BATCH):
            for message in waiting:
                self._outbox.put(self._stream, message)
            await self._outbox.flushed()
            await self._note_refused()
            self._crashes.reach(CrashPoint.PUBLISHED)
            await self._ledger.do(Ledger.mark_published, waiting[-1].ledger_seq)

    async def _note_refused(self) -> None:
        for aside in self._outbox.taken_aside(self._stream):
            for payload in aside.payloads:
                seq = self._stream.decoder.decode(payload).ledger_seq
                now_ns = self._clock.now_ns()
                await self._ledger.do(Ledger.set_aside, seq, aside.reason, happened_ts_ns=now_ns)
