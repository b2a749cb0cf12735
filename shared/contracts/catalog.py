"""What a venue lists: one message per market that appeared, changed or ended."""

from decimal import Decimal

from shared.contracts.envelope import Message
from shared.domain.market import Market, MarketId, Venue


class MarketListed(Message, frozen=True, kw_only=True, tag="market_listed"):
    """A market is seen for the first time by this feed's catalog."""

    market: Market


class MarketChanged(Message, frozen=True, kw_only=True, tag="market_changed"):
    """A listed market differs from what was said before."""

    market: Market
    changed: tuple[str, ...]
    """Names of the fields that differ."""


class MarketClosed(Message, frozen=True, kw_only=True, tag="market_closed"):
    """A market trades no more. It may be said again once the venue has settled, with what YES paid."""

    venue: Venue
    market_id: MarketId
    reason: str
    yes_paid_dollars: Decimal | None = None
    """What one contract of this market's YES (Polymarket: of outcome 0) paid; None while that is not known."""


CatalogMessage = MarketListed | MarketChanged | MarketClosed
