"""One intent at a time: decide, journal, act, journal what came of it. The order of these steps is the safety."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from services.kalshi_executor.core import done, journaled, planned_order, refused
from services.kalshi_executor.crash_points import CrashPoint
from services.kalshi_executor.ledger import Ledger, LedgerRefused, digest
from services.kalshi_executor.ledger_thread import LedgerThread
from services.kalshi_executor.transport import Accepted, OrderTransport
from services.kalshi_executor.view import MarketView
from shared.contracts.executions import Mode
from shared.contracts.intents import HedgedIntent, is_authentic, key_id_of
from shared.domain.orders import Order, OrderState, after_ioc, moved
from shared.domain.pair import Pair, PairId
from shared.domain.risk import ApprovedIntent, Refusal, approve, still_allowed
from shared.domain.risk_terms import Context, RefusalReason, RiskLimits
from shared.runtime.clock import Clock
from shared.runtime.crash import Crashes
from shared.runtime.settings import Secret

log = logging.getLogger(__name__)


class Executor:
    """Acts on intents, at most once each.

    ``on_said`` is called when the ledger has something new to publish, ``on_altered`` when an intent comes a second
    time with other contents.
    """

    def __init__(
        self,
        *,
        account: str,
        environment: str,
        mode: Mode,
        key: Secret,
        limits: RiskLimits,
        kill_path: Path,
        ledger: LedgerThread,
        pairs: Mapping[PairId, Pair],
        view: MarketView,
        transport: OrderTransport,
        clock: Clock,
        crashes: Crashes,
        on_said: Callable[[], None],
        on_altered: Callable[[HedgedIntent], None],
    ) -> None:
        self._account = account
        self._environment = environment
        self._mode: Mode = mode
        self._key = key
        self._limits = limits
        self._kill_path = kill_path
        self._ledger = ledger
        self._pairs = pairs
        self._view = view
        self._transport = transport
        self._clock = clock
        self._crashes = crashes
        self._on_said = on_said
        self._on_altered = on_altered

    async def recover(self) -> None:
        """Close what a crash left open. In dry-run nothing outlives the process, so nothing open was ever placed."""
        for order, intent in await self._ledger.do(Ledger.open_orders):
            self._crashes.reach(CrashPoint.RECOVERING)
            log.warning("order.left_open", extra={"order": order.client_order_id, "state": order.state})
            match order.state:
                case OrderState.SENDING:
                    unknown = moved(order, OrderState.UNKNOWN)
                    await self._ledger.do(Ledger.update, unknown, happened_ts_ns=self._clock.now_ns())
                    await self._finish(intent, moved(unknown, OrderState.NOT_PLACED), read_ts_ns=0)
                case OrderState.JOURNALED | OrderState.UNKNOWN:
                    await self._finish(intent, moved(order, OrderState.NOT_PLACED), read_ts_ns=0)
                case _:
                    raise LedgerRefused(
                        f"order {order.client_order_id} is {order.state}, which no dry-run leaves behind: "
                        "put the ledger aside and look at it"
                    )

    async def handle(self, intent: HedgedIntent, *, waited_s: float = 0.0) -> None:
        """Bring one intent to its end; when this returns the ledger knows it and it may be acknowledged.

        ``waited_s`` is how long ago it was read: that it had to wait for others makes it no younger.
        """
        read_ts_ns = self._clock.now_ns() - int(waited_s * 1_000_000_000)
        read_s = self._clock.monotonic_s() - waited_s
        earlier = await self._ledger.do(Ledger.digest_of, intent.intent_id)
        if earlier is not None:
            if earlier != digest(intent):
                self._on_altered(intent)
            return
        self._crashes.reach(CrashPoint.READ)
        verdict = approve(intent, await self._context(intent, read_s))
        if isinstance(verdict, Refusal):
            await self._refuse(intent, verdict, read_ts_ns)
        else:
            await self._execute(intent, verdict, read_ts_ns, read_s)

    async def _context(self, intent: HedgedIntent, read_s: float) -> Context:
        pair = self._pairs.get(intent.pair_id)
        legs = await self._view.legs(pair)
        usage = await self._ledger.do(Ledger.usage, intent, self._clock.now_ns())
        key = self._key.reveal()
        return Context(
            authentic=is_authentic(intent, key_id=key_id_of(key), key=key),
            account=self._account,
            now_ns=self._clock.now_ns(),
            waited_ms=self._ms_since(read_s),
            killed=self._is_killed(),
            pair=pair,
            legs=legs,
            usage=usage,
            limits=self._limits,
        )

    async def _refuse(self, intent: HedgedIntent, refusal: Refusal, read_ts_ns: int) -> None:
        message = refused(intent, refusal, mode=self._mode, now_ns=self._clock.now_ns())
        log.info(
            "intent.refused",
            extra={"intent": intent.intent_id, "reason": refusal.reason.value, "detail": refusal.detail},
        )
        await self._ledger.do(
            Ledger.refuse,
            intent,
            refusal,
            message,
            read_ts_ns=read_ts_ns,
            take_id=refusal.reason is not RefusalReason.NOT_AUTHENTIC,
        )
        self._on_said()

    async def _execute(self, intent: HedgedIntent, approved: ApprovedIntent, read_ts_ns: int, read_s: float) -> None:
        order = planned_order(approved, ledger_uuid=self._ledger.uuid, environment=self._environment)
        message = journaled(intent, order, mode=self._mode, now_ns=self._clock.now_ns())
        await self._ledger.do(Ledger.journal, intent, order, message, read_ts_ns=read_ts_ns)
        self._crashes.reach(CrashPoint.JOURNALED)
        order = moved(order, OrderState.SENDING)
        await self._ledger.do(Ledger.update, order, happened_ts_ns=self._clock.now_ns())
        self._crashes.reach(CrashPoint.SENDING)
        order = await self._sent(order, approved, read_s)
        self._crashes.reach(CrashPoint.ANSWERED)
        await self._finish(intent, order, read_ts_ns=read_ts_ns)

    async def _sent(self, order: Order, approved: ApprovedIntent, read_s: float) -> Order:
        """Return the order after its one attempt, or stopped right before it by what time alone can turn."""
        late = still_allowed(
            approved, now_ns=self._clock.now_ns(), waited_ms=self._ms_since(read_s), killed=self._is_killed()
        )
        if late is not None:
            log.warning("order.stopped", extra={"order": order.client_order_id, "reason": late.reason.value})
            return moved(order, OrderState.REJECTED)
        outcome = await self._transport.send(order)
        if isinstance(outcome, Accepted):
            return after_ioc(order, outcome.fills)
        log.warning("order.not_sent", extra={"order": order.client_order_id, "reason": outcome.reason})
        return moved(order, OrderState.REJECTED)

    async def _finish(self, intent: HedgedIntent, order: Order, *, read_ts_ns: int) -> None:
        now_ns = self._clock.now_ns()
        message = done(intent, order, mode=self._mode, now_ns=now_ns, read_ts_ns=read_ts_ns)
        await self._ledger.do(Ledger.update, order, happened_ts_ns=now_ns, message=message)
        self._crashes.reach(CrashPoint.DONE)
        log.info(
            "order.done",
            extra={
                "order": order.client_order_id,
                "state": order.state.value,
                "contracts": str(order.contracts),
                "filled_contracts": str(order.filled_contracts),
                "cost_dollars": str(order.cost_dollars),
                "fee_dollars": str(order.fee_dollars),
            },
        )
        self._on_said()

    def _is_killed(self) -> bool:
        return self._kill_path.exists()

    def _ms_since(self, read_s: float) -> int:
        return int((self._clock.monotonic_s() - read_s) * 1_000)
