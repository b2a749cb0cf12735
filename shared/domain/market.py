"""One market of either venue in common terms: what it asks, how it trades, what it charges."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import NewType

import msgspec

from shared.domain.fees import FeeSchedule

MarketId = NewType("MarketId", str)
"""Kalshi: the market ticker. Polymarket: the condition id; its book is kept in the terms of outcome 0."""


class Venue(StrEnum):
    """A place where contracts trade."""

    KALSHI = "kalshi"
    POLYMARKET = "polymarket"


class MarketStatus(StrEnum):
    """Whether orders can trade."""

    UNOPENED = "unopened"
    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"
    SETTLED = "settled"


class PriceStep(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the price grid: from ``start_dollars`` to ``end_dollars`` in steps of ``step_dollars``."""

    start_dollars: Decimal
    end_dollars: Decimal
    step_dollars: Decimal


class Market(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A market as the catalog knows it. Texts are the venue's own: hostile until shown as text."""

    venue: Venue
    market_id: MarketId
    event_id: str
    """Kalshi: event ticker. Polymarket: event id."""
    series_id: str = ""
    """Kalshi: series ticker. Polymarket: series slug, when there is one."""
    slug: str = ""
    event_slug: str = ""
    event_title: str = ""
    title: str
    outcome_label: str = ""
    """What YES stands for inside its event: Kalshi's yes_sub_title, Polymarket's groupItemTitle."""
    outcomes: tuple[str, ...] = ("Yes", "No")
    """Labels by index; index 0 is what this market's YES pays on."""
    token_ids: tuple[str, ...] = ()
    """Polymarket only: the token of each outcome, in the same order."""
    rules_text: str = ""
    """Everything the venue says about settlement, primary rules first."""
    resolution_source: str = ""
    category: str = ""
    market_type: str = ""
    """Polymarket's sportsMarketType or Kalshi's strike_type, empty when the venue says nothing."""
    line: Decimal | None = None
    """Handicap, total or floor strike, when the venue gives one."""
    status: MarketStatus
    open_time: datetime | None = None
    close_time: datetime | None = None
    """The venue's latest end of trading. Kalshi's often lies long after the event; Polymarket's is a plan."""
    expected_expiration_time: datetime | None = None
    game_start_time: datetime | None = None
    price_steps: tuple[PriceStep, ...]
    size_step_contracts: Decimal
    min_contracts: Decimal
    min_notional_dollars: Decimal = Decimal(0)
    fees: FeeSchedule | None
    """None when the venue's terms are missing or of an unknown kind: such a market is alert-only."""
    never_match: str = ""
    """Why this market must not be paired (a placeholder, "Other", a combo); empty when it may be."""
    taker_delay_s: Decimal = Decimal(0)
    exchange_index: int = 0
    """Kalshi's shard, which holds its own cash."""
    updated_ts_ms: int = 0
    """The venue's clock, when it last changed the market's description; 0 when it does not say."""
    mutually_exclusive: bool | None = None
    """Kalshi: whether at most one market of the event resolves YES. None when the venue does not say."""
    neg_risk: bool | None = None
    """Polymarket: whether exactly one market of the event resolves YES. None when the venue does not say."""
    neg_risk_augmented: bool | None = None
    """Polymarket: whether markets of the event may still be named, so that "Other" changes its meaning."""
    neg_risk_id: str = ""
    """Polymarket: which group of one winner the market belongs to; empty when to none."""
    event_market_count: int | None = None
    """Polymarket, neg-risk: how many markets the event holds, tradable or over. None when that is not known."""

    @property
    def rules_hash(self) -> str:
        """A digest of everything that decides what YES pays on; a pair is suspended when it changes."""
        parts = (self.title, self.outcome_label, *self.outcomes, *self.token_ids, self.rules_text)
        return sha256("\x1f".join(parts).encode()).hexdigest()[:32]
