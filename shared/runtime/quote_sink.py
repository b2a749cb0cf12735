"""Where a feed's books say that their quotes changed or must not be believed: the publisher, or a gate before it."""

from collections.abc import Iterable
from typing import Protocol

from shared.domain.market import MarketId
from shared.runtime.feed import QuoteSource


class QuoteSink(Protocol):
    """Where quotes go."""

    def mark(self, source: QuoteSource, market_id: MarketId) -> None:
        """Say that a book changed."""
        ...

    def stale(self, market_ids: Iterable[MarketId], reason: str) -> None:
        """Say that quotes must not be believed."""
        ...
