"""Orders of the simulated Kalshi: what one is, how it reads back, and why one can be refused.

Names and types: the official SDK 3.34.0 (``CreateOrderV2Request``, ``Order``, ``Fill``), October 2026.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from services.venue_sim.engine import Side
from services.venue_sim.kalshi_money import dollars_text
from services.venue_sim.kalshi_objects import count_text, price_text, time_text
from services.venue_sim.markets import KalshiMarket

Json = dict[str, Any]
TimeInForce = Literal["good_till_canceled", "immediate_or_cancel", "fill_or_kill"]
SelfTrade = Literal["taker_at_cross", "maker"]
Status = Literal["resting", "canceled", "executed"]

_ONE_E4 = 10_000


class OrderRefused(Exception):
    """An order request that is answered with an error; ``shape`` picks one of the venue's error bodies."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str = "",
        *,
        details: str = "",
        shape: Literal["nested", "flat", "msg"] = "nested",
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or code.replace("_", " ")
        self.details = details
        self.shape = shape

    @property
    def flat(self) -> Json:
        """Return code, message and details, as in a batch's item."""
        body = {"code": self.code, "message": self.message}
        return body | ({"details": self.details} if self.details else {})

    @property
    def body(self) -> Json:
        """Return the whole answer's body."""
        if self.shape == "msg":
            return {"msg": self.message}
        return self.flat if self.shape == "flat" else {"error": self.flat}


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """A well-formed request for an order; whether the market takes it is for the exchange to say."""

    ticker: str
    side: Side
    size_e6: int
    price_e4: int
    time_in_force: TimeInForce
    self_trade: SelfTrade
    client_order_id: str = ""
    expiration_ms: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    exchange_index: int | None = None


@dataclass(kw_only=True, eq=False)
class Order:
    """One accepted order."""

    order_id: str
    user_id: str
    client_order_id: str
    market: KalshiMarket
    side: Side
    price_e4: int
    initial_e6: int
    time_in_force: TimeInForce
    self_trade: SelfTrade
    expiration_ms: int | None
    created_us: int
    updated_us: int
    remaining_e6: int = 0
    filled_e6: int = 0
    ahead_e6: int = 0
    """What stands before it at its price and belongs to nobody here."""
    status: Status = "resting"
    reason: str = ""
    taker_cost_e10: int = 0
    maker_cost_e10: int = 0
    taker_fees_e10: int = 0
    maker_fees_e10: int = 0
    fill_value_e10: int = 0
    """The sum of YES price times size over its fills."""
    versions: list[tuple[int, Json]] = field(default_factory=list)
    """How it read from which millisecond on, for reads that trail the engine."""

    @property
    def fees_e10(self) -> int:
        """All fees so far."""
        return self.taker_fees_e10 + self.maker_fees_e10

    def filled(self, price_e4: int, size_e6: int, *, is_taker: bool, fee_e10: int) -> None:
        """Take one fill."""
        cost_e10 = (price_e4 if self.side == "bid" else 10_000 - price_e4) * size_e6
        if is_taker:
            self.taker_cost_e10 += cost_e10
            self.taker_fees_e10 += fee_e10
        else:
            self.maker_cost_e10 += cost_e10
            self.maker_fees_e10 += fee_e10
        self.remaining_e6 -= size_e6
        self.filled_e6 += size_e6
        self.fill_value_e10 += price_e4 * size_e6

    def note(self, at_us: int, reason: str = "") -> None:
        """Remember how it reads from now on."""
        self.updated_us = max(at_us, self.updated_us)
        self.reason = reason or self.reason
        self.versions.append((self.updated_us // 1_000, order_json(self)))


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One of the account's fills."""

    fill_id: str
    trade_id: str
    order: Order
    price_e4: int
    size_e6: int
    is_taker: bool
    fee_e10: int
    at_us: int
    position_after_e6: int

    @property
    def at_ms(self) -> int:
        """Unix milliseconds."""
        return self.at_us // 1_000


def outcome_of(side: Side) -> str:
    """Return what an order of this side buys."""
    return "yes" if side == "bid" else "no"


def order_json(order: Order) -> Json:
    """Return ``Order`` as REST has it. The legacy fields say everything on the YES leg."""
    body: Json = {
        "order_id": order.order_id,
        "user_id": order.user_id,
        "client_order_id": order.client_order_id,
        "ticker": order.market.market_id,
        "side": "yes",
        "action": "buy" if order.side == "bid" else "sell",
        "outcome_side": outcome_of(order.side),
        "book_side": order.side,
        "type": "limit",
        "status": order.status,
        "yes_price_dollars": price_text(order.price_e4),
        "no_price_dollars": price_text(_ONE_E4 - order.price_e4),
        "fill_count_fp": count_text(order.filled_e6),
        "remaining_count_fp": count_text(order.remaining_e6),
        "initial_count_fp": count_text(order.initial_e6),
        "taker_fill_cost_dollars": dollars_text(order.taker_cost_e10),
        "maker_fill_cost_dollars": dollars_text(order.maker_cost_e10),
        "taker_fees_dollars": dollars_text(order.taker_fees_e10),
        "maker_fees_dollars": dollars_text(order.maker_fees_e10),
        "created_time": time_text(order.created_us),
        "last_update_time": time_text(order.updated_us),
        "self_trade_prevention_type": order.self_trade,
        "subaccount_number": 0,
        "exchange_index": order.market.exchange_index,
    }
    if order.expiration_ms is not None:
        body["expiration_time"] = time_text(order.expiration_ms * 1_000)
    return body


def fill_json(fill: Fill) -> Json:
    """Return ``Fill`` as REST has it; the client's order id is on the WebSocket only."""
    order = fill.order
    return {
        "fill_id": fill.fill_id,
        "trade_id": fill.trade_id,
        "order_id": order.order_id,
        "ticker": order.market.market_id,
        "market_ticker": order.market.market_id,
        "exchange_index": order.market.exchange_index,
        "side": "yes",
        "action": "buy" if order.side == "bid" else "sell",
        "outcome_side": outcome_of(order.side),
        "book_side": order.side,
        "count_fp": count_text(fill.size_e6),
        "yes_price_dollars": price_text(fill.price_e4),
        "no_price_dollars": price_text(_ONE_E4 - fill.price_e4),
        "is_taker": fill.is_taker,
        "fee_cost": dollars_text(fill.fee_e10),
        "created_time": time_text(fill.at_us),
        "subaccount_number": 0,
        "ts": fill.at_ms // 1_000,
    }
