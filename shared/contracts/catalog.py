"""What a venue lists: one message per market that appeared, changed or ended."""

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
    """A market trades no more; nothing about it follows."""

    venue: Venue
    market_id: MarketId
    reason: str


CatalogMessage = MarketListed | MarketChanged | MarketClosed
