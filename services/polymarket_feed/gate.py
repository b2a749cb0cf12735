"""Which of two connections speaks for the same markets, while one takes over from the other."""

from collections.abc import Iterable

from shared.domain.market import MarketId
from shared.runtime.feed import QuoteSource
from shared.runtime.quote_sink import QuoteSink


class Gate:
    """A connection's way to the publisher, open only while that connection stands for its markets."""

    def __init__(self, publisher: QuoteSink, *, is_open: bool) -> None:
        self._publisher = publisher
        self.is_open = is_open

    def mark(self, source: QuoteSource, market_id: MarketId) -> None:
        """Say that a book changed."""
        if self.is_open:
            self._publisher.mark(source, market_id)

    def stale(self, market_ids: Iterable[MarketId], reason: str) -> None:
        """Say that quotes must not be believed."""
        if self.is_open:
            self._publisher.stale(market_ids, reason)
