"""What the market channel says when a market is listed or resolved, for clients with the custom features.

Field names and types: polymarket-client 0.14.0 and the market channel's documentation, read 2026-11-21. Fee numbers
are texts in snake_case here, while Gamma writes numbers in camelCase.
"""

from fractions import Fraction
from typing import Any

import msgspec

from services.venue_sim.markets import PolymarketMarket
from services.venue_sim.polymarket_text import price_text

Json = dict[str, Any]

_FEE_CAP_BPS = "1000"
_REBATE_RATE = "0.25"


def new_market(market: PolymarketMarket, *, at_ms: int) -> bytes:
    """Encode ``new_market``; every client with the custom features hears of every listing."""
    tokens = list(market.token_ids)
    body: Json = {
        "id": market.gamma_id,
        "question": market.question,
        "market": market.market_id,
        "slug": market.slug,
        "description": market.description,
        "assets_ids": tokens,
        "outcomes": list(market.outcomes),
        "event_message": _event_message(market),
        "timestamp": str(at_ms),
        "event_type": "new_market",
        "tags": [tag.lower() for tag in market.event.tags],
        "condition_id": market.market_id,
        "active": True,
        "clob_token_ids": tokens,
        "sports_market_type": market.sports_market_type,
        "line": "",
        "game_start_time": "",
        "order_price_min_tick_size": price_text(market.tick_e4),
        "group_item_title": market.group_item_title,
        "taker_base_fee": _FEE_CAP_BPS,
        "fees_enabled": bool(market.fee_rate),
    }
    if market.fee_rate:
        body["fee_schedule"] = {
            "exponent": "1",
            "rate": _decimal_text(market.fee_rate),
            "taker_only": True,
            "rebate_rate": _REBATE_RATE,
        }
    return msgspec.json.encode(body)


def market_resolved(market: PolymarketMarket, *, at_ms: int) -> bytes:
    """Encode ``market_resolved``."""
    assert market.winner is not None, market.market_id
    return msgspec.json.encode(
        {
            "id": market.gamma_id,
            "question": market.question,
            "market": market.market_id,
            "slug": market.slug,
            "assets_ids": list(market.token_ids),
            "winning_asset_id": market.token_ids[market.winner],
            "winning_outcome": market.outcomes[market.winner],
            "event_message": _event_message(market),
            "timestamp": str(at_ms),
            "event_type": "market_resolved",
            "tags": [tag.lower() for tag in market.event.tags],
        }
    )


def _event_message(market: PolymarketMarket) -> Json:
    event = market.event
    return {
        "id": event.event_id,
        "ticker": event.slug,
        "slug": event.slug,
        "title": event.title,
        "description": event.description,
    }


def _decimal_text(value: Fraction) -> str:
    """Write a rate in ten-thousandths without trailing zeros."""
    scaled = value * 10_000
    assert scaled.denominator == 1, value
    return price_text(scaled.numerator)
