"""Self-written listings of both venues in the shapes that the venues use."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.fees import KalshiFees, PolymarketFees
from shared.domain.market import Market, MarketId, MarketStatus, PriceStep, Venue

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONDITION = "0x" + "ab" * 32
OTHER_CONDITION = "0x" + "cd" * 32
TOKENS = ("7" * 77, "8" * 77)

_CENTS = (PriceStep(start_dollars=Decimal(0), end_dollars=Decimal(1), step_dollars=Decimal("0.01")),)


def kalshi(ticker: str, title: str, label: str = "", **changes: Any) -> Market:
    """A Kalshi market; its event is the ticker without the last part."""
    event = changes.pop("event_id", ticker.rpartition("-")[0])
    market = Market(
        venue=Venue.KALSHI,
        market_id=MarketId(ticker),
        event_id=event,
        series_id=event.partition("-")[0],
        title=title,
        outcome_label=label,
        rules_text=f"Yes when it is so: {title}",
        status=MarketStatus.OPEN,
        price_steps=_CENTS,
        size_step_contracts=Decimal("0.01"),
        min_contracts=Decimal("0.01"),
        fees=KalshiFees(fee_type="quadratic", multiplier=Decimal(1), effective_from=date(2026, 7, 7), source="a test"),
    )
    return msgspec.structs.replace(market, **changes)


def polymarket(question: str, slug: str = "a-question", **changes: Any) -> Market:
    """A Polymarket market with Yes and No, alone in its event."""
    market = Market(
        venue=Venue.POLYMARKET,
        market_id=MarketId(CONDITION),
        event_id="1",
        slug=slug,
        event_slug=slug,
        title=question,
        token_ids=TOKENS,
        rules_text=f"Resolves to Yes when it is so: {question}",
        status=MarketStatus.OPEN,
        price_steps=_CENTS,
        size_step_contracts=Decimal("0.01"),
        min_contracts=Decimal(5),
        fees=PolymarketFees(rate=Decimal("0.05"), effective_from=date(2026, 7, 1), source="a test"),
    )
    return msgspec.structs.replace(market, **changes)


def kalshi_game_side(code: str, label: str, event: str = "KXNBAGAME-26NOV22HOUPOR", **changes: Any) -> Market:
    """One team's market of Houston at Portland."""
    return kalshi(f"{event}-{code}", "Houston at Portland Winner?", label, event_id=event, **changes)


def moneyline(slug: str = "nba-hou-por-2026-11-22", **changes: Any) -> Market:
    """Rockets vs. Trail Blazers; play starts at 03:00 UTC of the following day."""
    facts: dict[str, Any] = {
        "outcomes": ("Rockets", "Trail Blazers"),
        "market_type": "moneyline",
        "game_start_time": datetime(2026, 11, 23, 3, tzinfo=UTC),
    }
    return polymarket("Rockets vs. Trail Blazers", slug, **(facts | changes))
