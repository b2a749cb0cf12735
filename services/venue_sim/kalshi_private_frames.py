"""What Kalshi's private channels and its lifecycle channel say; bodies encoded once for all connections.

Field names: AsyncAPI of autumn 2026 (Kalshi API reference, 2026-11-21, appendix C). Private channels carry no ``seq``.
"""

from typing import Any

import msgspec

from services.venue_sim.kalshi_account import Position
from services.venue_sim.kalshi_money import dollars_text
from services.venue_sim.kalshi_objects import count_text, price_text, time_text
from services.venue_sim.kalshi_order import Fill, Order, outcome_of
from services.venue_sim.markets import KalshiMarket

Json = dict[str, Any]


def fill_body(fill: Fill) -> bytes:
    """Return ``fill``: unlike in REST it names the client's order id."""
    order = fill.order
    body: Json = {
        "trade_id": fill.trade_id,
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "market_ticker": order.market.market_id,
        "exchange_index": order.market.exchange_index,
        "is_taker": fill.is_taker,
        "side": "yes",
        "action": "buy" if order.side == "bid" else "sell",
        "purchased_side": outcome_of(order.side),
        "outcome_side": outcome_of(order.side),
        "book_side": order.side,
        "yes_price_dollars": price_text(fill.price_e4),
        "count_fp": count_text(fill.size_e6),
        "fee_cost": dollars_text(fill.fee_e10),
        "post_position_fp": count_text(fill.position_after_e6),
        "ts": fill.at_ms // 1_000,
        "ts_ms": fill.at_ms,
        "subaccount": 0,
    }
    return msgspec.json.encode(body)


def user_order_body(order: Order) -> bytes:
    """Return ``user_order``."""
    body: Json = {
        "order_id": order.order_id,
        "user_id": order.user_id,
        "ticker": order.market.market_id,
        "exchange_index": order.market.exchange_index,
        "status": order.status,
        "side": "yes",
        "is_yes": order.side == "bid",
        "outcome_side": outcome_of(order.side),
        "book_side": order.side,
        "yes_price_dollars": price_text(order.price_e4),
        "initial_count_fp": count_text(order.initial_e6),
        "fill_count_fp": count_text(order.filled_e6),
        "remaining_count_fp": count_text(order.remaining_e6),
        "taker_fill_cost_dollars": dollars_text(order.taker_cost_e10),
        "maker_fill_cost_dollars": dollars_text(order.maker_cost_e10),
        "taker_fees_dollars": dollars_text(order.taker_fees_e10),
        "maker_fees_dollars": dollars_text(order.maker_fees_e10),
        "client_order_id": order.client_order_id,
        "self_trade_prevention_type": order.self_trade,
        "created_time": time_text(order.created_us),
        "created_ts_ms": order.created_us // 1_000,
        "last_update_time": time_text(order.updated_us),
        "last_updated_ts_ms": order.updated_us // 1_000,
        "subaccount_number": 0,
    }
    if order.expiration_ms is not None:
        body["expiration_time"] = time_text(order.expiration_ms * 1_000)
        body["expiration_ts_ms"] = order.expiration_ms
    if order.reason:
        body["last_update_reason"] = order.reason
    return msgspec.json.encode(body)


def position_body(user_id: str, position: Position) -> bytes:
    """Return ``market_position``."""
    return msgspec.json.encode(
        {
            "user_id": user_id,
            "market_ticker": position.market.market_id,
            "position_fp": count_text(position.size_e6),
            "position_cost_dollars": dollars_text(position.cost_e10),
            "realized_pnl_dollars": dollars_text(position.realized_e10),
            "fees_paid_dollars": dollars_text(position.fees_e10),
            "position_fee_cost_dollars": dollars_text(position.fees_e10),
            "volume_fp": count_text(position.volume_e6),
            "subaccount": 0,
        }
    )


def determined_body(market: KalshiMarket, result: str, at_ms: int) -> bytes:
    """Return the lifecycle event that a market's answer is known."""
    return msgspec.json.encode(
        {
            "event_type": "determined",
            "market_ticker": market.market_id,
            "exchange_index": market.exchange_index,
            "result": result,
            "settlement_value": price_text(10_000 if result == "yes" else 0),
            "determination_ts": at_ms // 1_000,
        }
    )


def settled_body(market: KalshiMarket, at_ms: int) -> bytes:
    """Return the lifecycle event that a market has paid out."""
    return msgspec.json.encode(
        {
            "event_type": "settled",
            "market_ticker": market.market_id,
            "exchange_index": market.exchange_index,
            "settled_ts": at_ms // 1_000,
        }
    )
