"""Publishes what the detector says: under the lease of the partition that it is about, or not at all."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from services.arb_detector.crash_points import CrashPoint
from services.arb_detector.evaluator import PAIR_GONE, Emission
from shared.contracts.alerts import OperationalAlert
from shared.contracts.envelope import Message
from shared.contracts.funnel import FunnelCounted, PairDiverged, PairStanding
from shared.contracts.intents import HedgedIntent, key_id_of, signed
from shared.contracts.opportunities import OpportunityClosed, OpportunityMessage, OpportunityOpened
from shared.contracts.streams import ALERTS, DIVERGENCES, FUNNEL, OPPORTUNITIES, Stream, intents
from shared.domain.pair import PairId, partition_of
from shared.io.bus import Leases, Outbox
from shared.runtime.crash import Crashes
from shared.runtime.settings import Secret

log = logging.getLogger(__name__)


class Publisher:
    """Turns emissions into writes. ``unowned`` counts those whose partition was gone before they were queued."""

    def __init__(self, outbox: Outbox, leases: Leases, crashes: Crashes, *, key: Secret | None) -> None:
        self._outbox = outbox
        self._leases = leases
        self._crashes = crashes
        self._key = key
        self._opened = asyncio.Event()
        self.unowned = 0

    def publish(self, emissions: Iterable[Emission]) -> None:
        """Queue emissions in order; an opening and its intent are one write."""
        waiting = list(emissions)
        for at, message in enumerate(waiting):
            match message:
                case OpportunityOpened():
                    follows = waiting[at + 1] if at + 1 < len(waiting) else None
                    self._open(message, follows if isinstance(follows, HedgedIntent) else None)
                case HedgedIntent():
                    pass  # written with its opening
                case PairStanding():
                    drops = message.reason == PAIR_GONE
                    self._outbox.put(FUNNEL, message, key=message.pair_id, drop_key=drops)
                case PairDiverged():
                    self._diverged(message)
                case _:
                    self._write(message.pair_id, [_told(message)])
                    if isinstance(message, OpportunityClosed):
                        log.info("opportunity.closed", extra=_facts(message))

    def count(self, message: FunnelCounted) -> None:
        """Queue the whole process' funnel."""
        self._outbox.put(FUNNEL, message)

    async def rehearse_crash(self) -> None:
        """Reach the crash point behind each opening that Redis has confirmed; runs for ever."""
        while True:
            await self._opened.wait()
            self._opened.clear()
            await self._outbox.flushed()
            self._crashes.reach(CrashPoint.WRITTEN)

    def _open(self, opening: OpportunityOpened, intent: HedgedIntent | None) -> None:
        self._crashes.reach(CrashPoint.UNWRITTEN)
        writes = [_told(opening)]
        if intent is not None:
            writes.append((intents(intent.account), self._signed(intent), "", False))
        self._write(opening.pair_id, writes)
        log.info("opportunity.opened", extra=_facts(opening))
        self._opened.set()

    def _signed(self, intent: HedgedIntent) -> HedgedIntent:
        assert self._key is not None
        key = self._key.reveal()
        return signed(intent, key_id=key_id_of(key), key=key)

    def _write(self, pair_id: PairId, writes: list[tuple[Stream[Any], Message, str, bool]]) -> None:
        lease = self._leases.held.get(partition_of(pair_id))
        if lease is None:
            self.unowned += len(writes)
            return
        self._outbox.put_under_lease(lease, writes)

    def _diverged(self, message: PairDiverged) -> None:
        self._outbox.put(DIVERGENCES, message, key=message.pair_id)
        alert = OperationalAlert(
            alert_id=f"detector.pair_diverged-{message.pair_id}-{message.pair_version}",
            severity="warning",
            code="detector.pair_diverged",
            title=f"Pair {message.pair_id} is more likely a wrong match than a gift",
            detail=(
                f"Its prices stayed at least {message.least_dollars_per_contract} per contract apart after fees; "
                "review it, and renew its review or suspend it."
            ),
            happened_ts_ns=message.diverged_ts_ns,
        )
        self._outbox.put(ALERTS, alert)
        log.warning("pair.diverged", extra={"pair": message.pair_id, "since_ts_ns": message.since_ts_ns})


def _told(message: OpportunityMessage) -> tuple[Stream[Any], Message, str, bool]:
    key = f"{message.pair_id}|{message.direction}"
    return OPPORTUNITIES, message, key, isinstance(message, OpportunityClosed)


def _facts(message: OpportunityMessage) -> dict[str, str]:
    facts = {"opportunity": message.opportunity_id, "pair": message.pair_id, "direction": message.direction.value}
    if isinstance(message, OpportunityClosed):
        return facts | {"reason": message.reason, "peak_edge_dollars": str(message.peak_edge_dollars)}
    return facts | {
        "contracts": str(message.contracts),
        "edge_dollars": str(message.edge_dollars),
        "alert_only": message.alert_only,
    }
