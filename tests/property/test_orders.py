"""Orders move along the table's edges only, what they filled never falls, and their names can be made again."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market import MarketId
from shared.domain.orders import (
    ALLOWED,
    TERMINAL,
    ClientOrderId,
    Depth,
    Fill,
    ForbiddenMove,
    Order,
    OrderState,
    after_ioc,
    client_order_id,
    moved,
    takeable,
)
from tests.unit.kalshi_executor.builders import levels


def order(state: OrderState = OrderState.JOURNALED, contracts: int = 10) -> Order:
    return Order(
        client_order_id=ClientOrderId("Adk1"),
        intent_id="i",
        leg="kalshi",
        market_id=MarketId("M"),
        outcome="yes",
        contracts=Decimal(contracts),
        limit_price_dollars=Decimal("0.43"),
        max_fee_dollars=Decimal(1),
        state=state,
    )


def fill(contracts: int, trade_id: str = "t", price: str = "0.42") -> Fill:
    return Fill(
        trade_id=trade_id, price_dollars=Decimal(price), contracts=Decimal(contracts), fee_dollars=Decimal("0.01")
    )


def test_every_state_is_in_the_table_and_ends_are_left_only_by_a_late_sight() -> None:
    assert set(ALLOWED) == set(OrderState)
    assert {state for state in TERMINAL if ALLOWED[state]} == {OrderState.NOT_PLACED}
    assert ALLOWED[OrderState.NOT_PLACED] == {OrderState.ACKED}


def test_what_was_never_sent_cannot_reach_the_venue_without_being_marked_as_sending() -> None:
    assert ALLOWED[OrderState.JOURNALED] == {OrderState.SENDING, OrderState.NOT_PLACED}
    reaches_venue = {state for state, following in ALLOWED.items() if OrderState.ACKED in following}
    assert reaches_venue == {
        OrderState.SENDING,
        OrderState.UNKNOWN,
        OrderState.CANCEL_PENDING,
        OrderState.NOT_PLACED,
    }


moves = st.lists(
    st.tuples(st.sampled_from(OrderState), st.lists(st.tuples(st.integers(1, 12), st.integers(1, 5)), max_size=2)),
    max_size=12,
)


@given(moves)
def test_no_sequence_of_moves_leaves_the_table_unfills_or_overfills(
    steps: list[tuple[OrderState, list[tuple[int, int]]]],
) -> None:
    at = order()
    for state, trades in steps:
        before = at
        try:
            at = moved(at, state, fills=[fill(size, trade_id=f"t{number}") for size, number in trades])
        except ForbiddenMove:
            assert at is before
            continue
        assert state in ALLOWED[before.state]
        assert before.filled_contracts <= at.filled_contracts <= at.contracts
        assert (at.state is OrderState.FILLED) == (at.filled_contracts == at.contracts)


def test_a_fill_that_is_told_twice_counts_once() -> None:
    acked = order(OrderState.ACKED)
    partial = moved(acked, OrderState.PARTIAL, fills=[fill(4)])
    again = moved(partial, OrderState.PARTIAL, fills=[fill(4), fill(2, "t2")])
    assert again.filled_contracts == 6
    assert again.cost_dollars == Decimal("2.52")
    assert again.fee_dollars == Decimal("0.02")


def test_a_trade_told_again_with_another_size_cannot_unfill_an_order() -> None:
    partial = moved(order(OrderState.ACKED), OrderState.PARTIAL, fills=[fill(2)])
    assert moved(partial, OrderState.PARTIAL, fills=[fill(1)]).fills == partial.fills


def test_more_filled_than_ordered_is_a_fault() -> None:
    with pytest.raises(ForbiddenMove, match="12 filled of 10"):
        moved(order(OrderState.ACKED), OrderState.PARTIAL, fills=[fill(12)])


@pytest.mark.parametrize(
    ("sizes", "state", "filled"),
    [((), OrderState.CANCELED, 0), ((4, 3), OrderState.CANCELED, 7), ((4, 6), OrderState.FILLED, 10)],
)
def test_an_immediate_or_cancel_order_ends_at_once(sizes: tuple[int, ...], state: OrderState, filled: int) -> None:
    fills = [fill(size, f"t{index}") for index, size in enumerate(sizes)]
    ended = after_ioc(order(OrderState.SENDING), fills)
    assert (ended.state, ended.filled_contracts) == (state, filled)


def test_the_name_of_a_leg_is_made_again_the_same_and_differs_in_every_part() -> None:
    parts = {"ledger_uuid": "l", "environment": "demo", "intent_id": "i", "leg": "kalshi"}
    name = client_order_id(**parts)
    assert name == client_order_id(**parts)
    assert re.fullmatch(r"Adk[A-Z2-7]{26}", name)
    others = {client_order_id(**{**parts, field: "polymarket"}) for field in parts}
    assert len(others | {name}) == 5


def test_buying_no_takes_the_yes_bids_from_the_highest() -> None:
    depth = Depth(levels("0.40x80", "0.39x50"), levels("0.42x60"))
    assert depth.asks("no") == levels("0.60x80", "0.61x50")
    assert depth.asks("yes") == levels("0.42x60")


def test_levels_beyond_the_limit_are_left_alone_and_the_last_one_is_taken_in_part() -> None:
    asks = levels("0.42x60", "0.43x100", "0.44x5")
    assert takeable(asks, contracts=Decimal(100), limit_price_dollars=Decimal("0.43")) == levels("0.42x60", "0.43x40")
    assert takeable(asks, contracts=Decimal(500), limit_price_dollars=Decimal("0.43")) == levels("0.42x60", "0.43x100")
    assert takeable(asks, contracts=Decimal(10), limit_price_dollars=Decimal("0.41")) == ()


@given(
    st.lists(st.tuples(st.integers(1, 99), st.integers(1, 50)), max_size=6),
    st.integers(1, 99),
    st.integers(1, 200),
)
def test_taking_never_exceeds_the_order_the_limit_or_what_is_there(
    raw: list[tuple[int, int]], limit: int, contracts: int
) -> None:
    asks = tuple(sorted((Decimal(price) / 100, Decimal(size)) for price, size in raw))
    taken = takeable(asks, contracts=Decimal(contracts), limit_price_dollars=Decimal(limit) / 100)
    within = sum((size for price, size in asks if price <= Decimal(limit) / 100), Decimal(0))
    assert sum((size for _, size in taken), Decimal(0)) == min(Decimal(contracts), within)
    assert all(price <= Decimal(limit) / 100 for price, _ in taken)
