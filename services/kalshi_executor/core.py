"""From an approved intent to its order, and from what happened to the message that says so: plain values."""

from typing import Any

from shared.contracts.executions import IntentRefused, Mode, OrderDone, OrderJournaled
from shared.contracts.intents import HedgedIntent
from shared.domain.orders import Order, OrderState, client_order_id
from shared.domain.risk import ApprovedIntent, Refusal

KALSHI_LEG = "kalshi"


def planned_order(approved: ApprovedIntent, *, ledger_uuid: str, environment: str) -> Order:
    """Return the one order of an approved intent; planned again, it is the same."""
    return Order(
        client_order_id=client_order_id(
            ledger_uuid=ledger_uuid, environment=environment, intent_id=approved.intent_id, leg=KALSHI_LEG
        ),
        intent_id=approved.intent_id,
        leg=KALSHI_LEG,
        market_id=approved.market_id,
        outcome=approved.outcome,
        contracts=approved.contracts,
        limit_price_dollars=approved.limit_price_dollars,
        max_fee_dollars=approved.max_fee_dollars,
        state=OrderState.JOURNALED,
    )


def refused(intent: HedgedIntent, refusal: Refusal, *, mode: Mode, now_ns: int) -> IntentRefused:
    """Say that an intent was refused."""
    return IntentRefused(**_about(intent, mode, now_ns), reason=refusal.reason.value, detail=refusal.detail)


def journaled(intent: HedgedIntent, order: Order, *, mode: Mode, now_ns: int) -> OrderJournaled:
    """Say that an order stands in the ledger."""
    return OrderJournaled(
        **_about(intent, mode, now_ns),
        client_order_id=order.client_order_id,
        market_id=order.market_id,
        outcome=order.outcome,
        contracts=order.contracts,
        limit_price_dollars=order.limit_price_dollars,
    )


def done(intent: HedgedIntent, order: Order, *, mode: Mode, now_ns: int, read_ts_ns: int) -> OrderDone:
    """Say that an order is over. ``read_ts_ns`` is 0 when that was found out after a restart."""
    assert order.is_done, order.state
    return OrderDone(
        **_about(intent, mode, now_ns),
        client_order_id=order.client_order_id,
        market_id=order.market_id,
        outcome=order.outcome,
        contracts=order.contracts,
        filled_contracts=order.filled_contracts,
        fills=tuple((fill.price_dollars, fill.contracts, fill.fee_dollars) for fill in order.fills),
        cost_dollars=order.cost_dollars,
        fee_dollars=order.fee_dollars,
        wire_ts_ns=intent.wire_ts_ns,
        intent_read_ts_ns=read_ts_ns,
    )


def _about(intent: HedgedIntent, mode: Mode, now_ns: int) -> dict[str, Any]:
    return {
        "ledger_seq": 0,  # the ledger gives the number when it keeps the message
        "account": intent.account,
        "mode": mode,
        "intent_id": intent.intent_id,
        "opportunity_id": intent.opportunity_id,
        "pair_id": intent.pair_id,
        "happened_ts_ns": now_ns,
    }
