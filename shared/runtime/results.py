"""What markets paid, told to whoever paired them: a feed asks its venue about the pairs that wait for their results.

A result stands in the catalog's hash for as long as a pair waits for it, so that a reader that was away finds it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from shared.contracts.catalog import CatalogMessage, MarketClosed
from shared.contracts.streams import CATALOG, Stream
from shared.domain.market import Market, MarketId, Venue
from shared.domain.pair import Pair
from shared.io.bus import Outbox
from shared.runtime.live_pairs import LivePairs

log = logging.getLogger(__name__)


class ResultUnknown(Exception):
    """The venue could not be asked, or its answer could not be read; the next round asks again."""


Ask = Callable[[Pair], Awaitable[Decimal | None]]
"""Returns what YES (Polymarket: outcome 0) of a pair's market paid, None before it is final. Raises ResultUnknown."""


class ResultTeller:
    """One venue's results; ``known`` are the markets that it still lists."""

    def __init__(
        self,
        venue: Venue,
        pairs: LivePairs,
        outbox: Outbox,
        ask: Ask,
        known: Callable[[], Mapping[MarketId, Market]],
    ) -> None:
        self._venue = venue
        self._stream: Stream[CatalogMessage] = CATALOG[venue]
        self._pairs = pairs
        self._outbox = outbox
        self._ask = ask
        self._known = known
        self._told: dict[MarketId, Decimal] = {}

    async def run(self, *, every_s: float) -> None:
        """Ask for ever."""
        await self._pairs.loaded.wait()
        while True:
            await self.look()
            await asyncio.sleep(every_s)

    async def look(self) -> None:
        """Ask once about every market that a pair waits for and that has no result yet."""
        waiting = {pair.market_id(self._venue): pair for pair in self._pairs.over.values()}
        for market_id in self._told.keys() - waiting.keys():
            paid = self._told.pop(market_id)
            if market_id not in self._known():
                self._tell(market_id, paid, keep=False)
        for market_id, pair in waiting.items():
            if market_id in self._told or market_id in self._known():
                continue
            try:
                paid_dollars = await self._ask(pair)
            except ResultUnknown as error:
                log.warning("result.unknown", extra={"market": market_id, "error": str(error)[:300]})
                continue
            if paid_dollars is not None:
                self._told[market_id] = paid_dollars
                self._tell(market_id, paid_dollars, keep=True)
                log.info("market.settled", extra={"market": market_id, "yes_paid_dollars": str(paid_dollars)})

    def _tell(self, market_id: MarketId, paid_dollars: Decimal, *, keep: bool) -> None:
        message = MarketClosed(venue=self._venue, market_id=market_id, reason="settled", yes_paid_dollars=paid_dollars)
        self._outbox.put(self._stream, message, key=market_id, drop_key=not keep)
