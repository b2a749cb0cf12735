"""What the executor does between its steps: with a transport and a clock that the test controls."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from services.kalshi_executor.executor import Executor
from services.kalshi_executor.ledger import Ledger, LedgerRefused
from services.kalshi_executor.ledger_thread import LedgerThread
from services.kalshi_executor.transport import Accepted, NotSent, SendOutcome
from services.kalshi_executor.view import MarketView
from shared.contracts.executions import ExecutionMessage, IntentRefused, OrderDone
from shared.contracts.intents import HedgedIntent
from shared.domain.orders import Fill, Order, OrderState, moved
from shared.domain.pair import Pair
from shared.domain.risk_terms import LegSeen, RiskLimits
from shared.runtime.crash import Crashes
from shared.runtime.settings import Secret
from shared.testing.clock import FakeClock
from tests.unit.kalshi_executor.builders import ACCOUNT, KEY, NOW_NS, PAIR, context, intent


class StillView(MarketView):
    """The books and markets of the plain moment; ``on_look`` runs at each look."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.look_takes_ms = 0

    async def legs(self, pair: Pair | None) -> tuple[LegSeen, LegSeen]:
        self._clock.advance(ms=self.look_takes_ms)
        return context().legs


class Venue:
    """A transport that keeps what it was asked and answers as it is told."""

    def __init__(self, ledger: LedgerThread) -> None:
        self._ledger = ledger
        self.asked: list[Order] = []
        self.states_on_disk: list[str] = []
        self.answer: SendOutcome = Accepted(())

    async def send(self, order: Order) -> SendOutcome:
        self.asked.append(order)
        self.states_on_disk += [open_order.state for open_order, _ in await self._ledger.do(Ledger.open_orders)]
        return self.answer


class Bench:
    def __init__(self, folder: Path) -> None:
        self.kill_path = folder / "KILL"
        self.ledger = Ledger(folder / "ledger", account=ACCOUNT, environment="demo", mode="dry")
        self.thread = LedgerThread(self.ledger)
        self.clock = FakeClock(now_ms=NOW_NS // 1_000_000)
        self.view = StillView(self.clock)
        self.venue = Venue(self.thread)
        self.altered: list[HedgedIntent] = []
        self.executor = Executor(
            account=ACCOUNT,
            environment="demo",
            mode="dry",
            key=Secret(KEY),
            limits=RiskLimits(),
            kill_path=self.kill_path,
            ledger=self.thread,
            pairs={PAIR.pair_id: PAIR},
            view=self.view,
            transport=self.venue,
            clock=self.clock,
            crashes=Crashes(""),
            on_said=lambda: None,
            on_altered=self.altered.append,
        )

    @property
    def said(self) -> list[ExecutionMessage]:
        return self.ledger.unpublished(100)

    def close(self) -> None:
        self.thread.close()
        self.ledger.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def fill(contracts: int) -> Fill:
    return Fill(trade_id="t", price_dollars=Decimal("0.42"), contracts=Decimal(contracts), fee_dollars=Decimal("0.5"))


async def test_the_order_stands_as_sending_on_disk_before_the_transport_is_asked(bench: Bench) -> None:
    await bench.executor.handle(intent())
    assert bench.venue.states_on_disk == [OrderState.SENDING]
    assert len(bench.venue.asked) == 1


@pytest.mark.parametrize(("filled", "state"), [(0, "canceled"), (30, "canceled"), (100, "filled")])
async def test_what_the_venue_filled_is_what_is_told(bench: Bench, filled: int, state: str) -> None:
    bench.venue.answer = Accepted((fill(filled),) if filled else ())
    await bench.executor.handle(intent())
    ended = bench.said[-1]
    assert isinstance(ended, OrderDone)
    assert ended.filled_contracts == filled
    assert ended.wire_ts_ns == intent().wire_ts_ns
    assert ended.intent_read_ts_ns == NOW_NS
    assert bench.ledger._one("SELECT state FROM orders") == (state,)


async def test_a_venue_that_fills_more_than_was_ordered_stops_the_executor(bench: Bench) -> None:
    bench.venue.answer = Accepted((fill(101),))
    with pytest.raises(Exception, match="101 filled of 100"):
        await bench.executor.handle(intent())
    assert [order.state for order, _ in bench.ledger.open_orders()] == [OrderState.SENDING]


async def test_an_order_that_did_not_leave_is_over_and_never_tried_again(bench: Bench) -> None:
    bench.venue.answer = NotSent("no book")
    await bench.executor.handle(intent())
    await bench.executor.handle(intent())
    assert len(bench.venue.asked) == 1
    assert bench.ledger._one("SELECT state FROM orders") == ("rejected",)
    assert isinstance(bench.said[-1], OrderDone)


async def test_a_slow_look_at_the_books_expires_the_intent(bench: Bench) -> None:
    bench.view.look_takes_ms = 2_000
    await bench.executor.handle(intent())
    [refused] = bench.said
    assert isinstance(refused, IntentRefused)
    assert refused.reason == "expired"


async def test_a_sleep_between_the_checks_and_the_send_stops_the_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Ledger.update

    def slowly(self: Ledger, order: Order, **rest: object) -> None:
        bench.clock.advance(ms=30_000)
        update(self, order, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "update", slowly)
    await bench.executor.handle(intent())
    assert bench.venue.asked == []
    assert bench.ledger._one("SELECT state FROM orders") == ("rejected",)


async def test_a_kill_between_the_checks_and_the_send_stops_the_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Ledger.update

    def killed_meanwhile(self: Ledger, order: Order, **rest: object) -> None:
        bench.kill_path.touch()
        update(self, order, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "update", killed_meanwhile)
    await bench.executor.handle(intent())
    assert bench.venue.asked == []


async def test_a_repeat_is_silent_and_an_altered_repeat_is_reported(bench: Bench) -> None:
    await bench.executor.handle(intent())
    told = len(bench.said)
    await bench.executor.handle(intent())
    assert bench.altered == []
    other = intent(expected_edge_dollars=Decimal(9))
    await bench.executor.handle(other)
    assert bench.altered == [other]
    assert (len(bench.venue.asked), len(bench.said)) == (1, told)


async def test_another_intent_of_the_same_episode_is_refused(bench: Bench) -> None:
    await bench.executor.handle(intent())
    bench.clock.advance(ms=1)
    await bench.executor.handle(intent(intent_id="intent-2"))
    refused = bench.said[-1]
    assert isinstance(refused, IntentRefused)
    assert refused.reason == "opportunity_repeated"


async def test_recovery_does_not_touch_what_no_dry_run_leaves_behind(bench: Bench) -> None:
    bench.venue.answer = Accepted((fill(101),))
    with pytest.raises(Exception, match="101 filled"):
        await bench.executor.handle(intent())
    [(order, _)] = bench.ledger.open_orders()
    bench.ledger.update(moved(order, OrderState.ACKED), happened_ts_ns=NOW_NS)
    with pytest.raises(LedgerRefused, match="is acked"):
        await bench.executor.recover()


def files_with(secret: bytes, folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if secret in path.read_bytes()]


async def test_the_secret_is_not_in_what_is_written(bench: Bench, tmp_path: Path) -> None:
    await bench.executor.handle(intent())
    await bench.executor.handle(msgspec.structs.replace(intent(intent_id="i9"), signature="0"))
    assert files_with(KEY, tmp_path) == []
