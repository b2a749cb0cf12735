"""Orders as values: the states they may pass through, what fills them, and the name they carry at the venue.

An order moves along the edges of one table and nowhere else. What it has filled never falls and never exceeds its
size. How it gets to a venue and where it is remembered are others' business.
"""

from base64 import b32encode
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Literal, NamedTuple, NewType

import msgspec

from shared.domain.market import MarketId

ClientOrderId = NewType("ClientOrderId", str)
Outcome = Literal["yes", "no"]
LevelD = tuple[Decimal, Decimal]
"""One level: price in dollars, size in contracts."""

_ONE_DOLLAR = Decimal(1)
_DIGEST_CHARACTERS = 26


class OrderState(StrEnum):
    """Where an order is."""

    JOURNALED = "journaled"
    """In the ledger; nothing has left."""
    SENDING = "sending"
    """It may have left."""
    ACKED = "acked"
    """The venue has it."""
    PARTIAL = "partial"
    CANCEL_PENDING = "cancel_pending"
    UNKNOWN = "unknown"
    """Sent without a usable answer: only evidence from the venue may move it."""
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    """Refused by the venue, or stopped by us right before it would have left."""
    NOT_PLACED = "not_placed"
    """Shown not to be at the venue."""


_AT_VENUE = frozenset(
    {
        OrderState.PARTIAL,
        OrderState.FILLED,
        OrderState.CANCEL_PENDING,
        OrderState.CANCELED,
        OrderState.EXPIRED,
    }
)
ALLOWED: dict[OrderState, frozenset[OrderState]] = {
    OrderState.JOURNALED: frozenset({OrderState.SENDING, OrderState.NOT_PLACED}),
    OrderState.SENDING: frozenset({OrderState.ACKED, OrderState.REJECTED, OrderState.UNKNOWN}),
    OrderState.ACKED: _AT_VENUE,
    OrderState.PARTIAL: _AT_VENUE,
    OrderState.CANCEL_PENDING: frozenset(
        {OrderState.ACKED, OrderState.PARTIAL, OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED}
    ),
    OrderState.UNKNOWN: _AT_VENUE | {OrderState.ACKED, OrderState.REJECTED, OrderState.NOT_PLACED},
    OrderState.FILLED: frozenset(),
    OrderState.CANCELED: frozenset(),
    OrderState.EXPIRED: frozenset(),
    OrderState.REJECTED: frozenset(),
    OrderState.NOT_PLACED: frozenset({OrderState.ACKED}),
}
"""Every edge there is. The one way out of an end is a late sight of an order that was thought not placed."""

TERMINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.NOT_PLACED}
)
"""States that hold no money back and need no further work."""


class ForbiddenMove(Exception):
    """An order was to move where the table has no edge, or its fills do not add up; the ledger stays as it was."""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of an order."""

    trade_id: str
    """The venue's; fills are counted once per id."""
    price_dollars: Decimal
    """For the outcome that was bought."""
    contracts: Decimal
    fee_dollars: Decimal


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Buy up to ``contracts`` of an outcome at ``limit_price_dollars`` or better, at once or not at all."""

    client_order_id: ClientOrderId
    intent_id: str
    leg: str
    market_id: MarketId
    outcome: Outcome
    contracts: Decimal
    limit_price_dollars: Decimal
    max_fee_dollars: Decimal
    state: OrderState = OrderState.JOURNALED
    fills: tuple[Fill, ...] = ()

    @property
    def filled_contracts(self) -> Decimal:
        """What has been bought so far."""
        return sum((fill.contracts for fill in self.fills), Decimal(0))

    @property
    def cost_dollars(self) -> Decimal:
        """What the fills cost, without fees."""
        return sum((fill.price_dollars * fill.contracts for fill in self.fills), Decimal(0))

    @property
    def fee_dollars(self) -> Decimal:
        """What the fills cost in fees."""
        return sum((fill.fee_dollars for fill in self.fills), Decimal(0))

    @property
    def is_done(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in TERMINAL


def moved(order: Order, state: OrderState, *, fills: Iterable[Fill] = ()) -> Order:
    """Return the order in its next state, with further fills; of a trade told twice the first word stays.

    Raises ForbiddenMove: no such edge, more filled than ordered, or a state that its fills contradict.
    """
    if state not in ALLOWED[order.state]:
        raise ForbiddenMove(f"{order.client_order_id}: no way from {order.state} to {state}")
    known: dict[str, Fill] = {}
    for fill in (*order.fills, *fills):
        known.setdefault(fill.trade_id, fill)
    after = msgspec.structs.replace(order, state=state, fills=tuple(known.values()))
    filled = after.filled_contracts
    if filled > order.contracts:
        raise ForbiddenMove(f"{order.client_order_id}: {filled} filled of {order.contracts} ordered")
    if (state is OrderState.FILLED) != (filled == order.contracts):
        raise ForbiddenMove(f"{order.client_order_id}: {state} with {filled} filled of {order.contracts}")
    if filled and state in {OrderState.REJECTED, OrderState.NOT_PLACED, OrderState.SENDING}:
        raise ForbiddenMove(f"{order.client_order_id}: {state} although {filled} are filled")
    return after


def after_ioc(order: Order, fills: Sequence[Fill]) -> Order:
    """Return an order that the venue took, filled as far as ``fills`` go, the rest cancelled at once.

    Goes through every state on the way. Raises ForbiddenMove.
    """
    acked = moved(order, OrderState.ACKED)
    filled = sum((fill.contracts for fill in fills), Decimal(0))
    if filled == order.contracts:
        return moved(acked, OrderState.FILLED, fills=fills)
    partial = moved(acked, OrderState.PARTIAL, fills=fills) if filled else acked
    return moved(partial, OrderState.CANCELED)


def client_order_id(*, ledger_uuid: str, environment: str, intent_id: str, leg: str) -> ClientOrderId:
    """Return the one name that this leg of this intent can have: made again, it is the same.

    29 characters of ``[A-Za-z0-9]``; Kalshi takes up to 64 (FIX ClOrdID, Kalshi documentation, 2026). The ledger's own
    id keeps a second installation on the same account from using the same name.
    """
    digest = sha256(f"{ledger_uuid}|{intent_id}|{leg}".encode()).digest()
    return ClientOrderId(f"A{environment[0]}{leg[0]}{b32encode(digest).decode()[:_DIGEST_CHARACTERS]}")


class Depth(NamedTuple):
    """One market's levels in dollars and contracts, best first."""

    yes_bids: tuple[LevelD, ...]
    yes_asks: tuple[LevelD, ...]

    def asks(self, outcome: Outcome) -> tuple[LevelD, ...]:
        """Return what buying ``outcome`` walks, cheapest first: a YES bid at p offers NO at 1 - p."""
        if outcome == "yes":
            return self.yes_asks
        return tuple((_ONE_DOLLAR - price, size) for price, size in self.yes_bids)


def takeable(asks: Iterable[LevelD], *, contracts: Decimal, limit_price_dollars: Decimal) -> tuple[LevelD, ...]:
    """Return what an immediate-or-cancel order takes of ``asks``: whole levels, cheapest first, then a part of one."""
    taken: list[LevelD] = []
    left = contracts
    for price, size in asks:
        if price > limit_price_dollars or left <= 0:
            break
        taken.append((price, min(size, left)))
        left -= size
    return tuple(taken)
