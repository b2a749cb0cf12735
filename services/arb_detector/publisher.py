"""Publishes what the detector says: under the lease of the partition that it is about, or not at all."""

import asyncio
import logging
from collections.abc import Sequence

from services.arb_detector.crash_points import CrashPoint
from services.arb_detector.evaluator import PAIR_GONE, Emission
from services.arb_detector.opening_text import Opening
from shared.contracts.funnel import FunnelCounted, PairDiverged, PairStanding
from shared.contracts.intents import key_id_of, signed_text
from shared.contracts.opportunities import OpportunityClosed, OpportunityUpdated
from shared.contracts.streams import ALERTS, DIVERGENCES, FUNNEL, OPPORTUNITIES, intents
from shared.domain.pair import PairId, partition_of
from shared.io.bus import Leases, Outbox, Write
from shared.runtime.alarm import operational_alert
from shared.runtime.crash import Crashes
from shared.runtime.settings import Secret

log = logging.getLogger(__name__)


class Publisher:
    """Turns emissions into writes. ``unowned`` counts those whose partition was gone before they were queued."""

    def __init__(
        self, outbox: Outbox, aside: Outbox, leases: Leases, crashes: Crashes, *, account: str, key: Secret | None
    ) -> None:
        self._outbox = outbox
        self._aside = aside
        """For what nobody waits for, so that no opening waits behind it either."""
        self._leases = leases
        self._crashes = crashes
        self._intents = intents(account)
        self._key = key
        self._key_id = "" if key is None else key_id_of(key.reveal())
        self._opened = asyncio.Event()
        self.unowned = 0

    def publish(self, emissions: Sequence[Emission]) -> None:
        """Write emissions in order; an opening and its intent are one write."""
        if not emissions:
            return
        for message in emissions:
            match message:
                case Opening():
                    self._open(message)
                case PairStanding():
                    drops = message.reason == PAIR_GONE
                    self._write(self._aside, message.pair_id, [(FUNNEL, message, message.pair_id, drops)])
                case PairDiverged():
                    self._diverged(message)
                case _:
                    is_over = isinstance(message, OpportunityClosed)
                    self._write(self._outbox, message.pair_id, [(OPPORTUNITIES, message, _place(message), is_over)])
                    if isinstance(message, OpportunityClosed):
                        log.info("opportunity.closed", extra=_closed(message))
        self._outbox.push()

    def count(self, message: FunnelCounted) -> None:
        """Queue the whole process' funnel."""
        self._aside.put(FUNNEL, message)

    async def rehearse_crash(self) -> None:
        """Reach the crash point behind each opening that Redis has confirmed; runs for ever."""
        while True:
            await self._opened.wait()
            self._opened.clear()
            await self._outbox.flushed()
            self._crashes.reach(CrashPoint.WRITTEN)

    def _open(self, opening: Opening) -> None:
        self._crashes.reach(CrashPoint.UNWRITTEN)
        writes: list[Write] = [(OPPORTUNITIES, opening.message, _place(opening), False)]
        if opening.intent:
            assert self._key is not None
            intent = signed_text(opening.intent, key_id=self._key_id, key=self._key.reveal())
            writes.append((self._intents, intent, "", False))
        self._write(self._outbox, opening.pair_id, writes)
        self._outbox.push()
        log.info("opportunity.opened", extra=_opened(opening))
        self._opened.set()

    def _write(self, outbox: Outbox, pair_id: PairId, writes: list[Write]) -> None:
        lease = self._leases.held.get(partition_of(pair_id))
        if lease is None:
            self.unowned += len(writes)
            return
        outbox.put_under_lease(lease, writes)

    def _diverged(self, message: PairDiverged) -> None:
        alert = operational_alert(
            "warning",
            "detector.pair_diverged",
            f"Pair {message.pair_id} is more likely a wrong match than a gift",
            f"Its prices stayed at least {message.least_dollars_per_contract} per contract apart after fees; "
            "review it, and renew its review or suspend it.",
            happened_ts_ns=message.diverged_ts_ns,
            about=f"{message.pair_id}-{message.pair_version}",
        )
        self._write(
            self._aside, message.pair_id, [(DIVERGENCES, message, message.pair_id, False), (ALERTS, alert, "", False)]
        )
        log.warning("pair.diverged", extra={"pair": message.pair_id, "since_ts_ns": message.since_ts_ns})


def _place(message: Opening | OpportunityUpdated | OpportunityClosed) -> str:
    """Return the key of an episode among the open ones."""
    return f"{message.pair_id}|{message.direction}"


def _opened(opening: Opening) -> dict[str, object]:
    return {
        "opportunity": opening.opportunity_id,
        "pair": opening.pair_id,
        "direction": opening.direction.value,
        "contracts": opening.contracts,
        "edge_dollars": opening.edge_dollars,
        "alert_only": opening.alert_only,
    }


def _closed(message: OpportunityClosed) -> dict[str, object]:
    return {
        "opportunity": message.opportunity_id,
        "pair": message.pair_id,
        "direction": message.direction.value,
        "reason": message.reason,
        "peak_edge_dollars": str(message.peak_edge_dollars),
    }
