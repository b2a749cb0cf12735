"""Which baskets are live right now, kept up to date from their stream, and where the books of followed markets go."""

import asyncio
from collections.abc import Callable

from shared.contracts.baskets import BasketActivated, BasketMessage, BasketRetired
from shared.contracts.streams import BASKETS
from shared.domain.live_basket import BasketId, LiveBasket
from shared.domain.market import MarketId, Venue
from shared.runtime.latest import follow_latest
from shared.runtime.live_pairs import LivePairs


class LiveBaskets:
    """The activated baskets by id, and for each market the partitions where its quotes are wanted for them.

    ``on_change`` is called after each batch of changes, first when the present state is loaded.
    """

    def __init__(self, url: str, *, on_change: Callable[[], None]) -> None:
        self._url = url
        self._on_change = on_change
        self._parts: dict[tuple[Venue, MarketId], tuple[int, ...]] = {}
        self.baskets: dict[BasketId, LiveBasket] = {}
        self.loaded = asyncio.Event()

    def partitions(self, venue: Venue, market_id: MarketId) -> tuple[int, ...]:
        """Return where a market's quotes go; empty when no live basket has it."""
        return self._parts.get((venue, market_id), ())

    def markets(self, venue: Venue) -> frozenset[MarketId]:
        """Return the markets of ``venue`` that live baskets need."""
        return frozenset(market_id for of, market_id in self._parts if of is venue)

    async def run(self, stopping: asyncio.Event) -> None:
        """Load the present baskets and follow their changes until ``stopping`` is set."""
        async for told in follow_latest(self._url, BASKETS, stopping):
            if isinstance(told, dict):
                self.baskets.clear()
            for message in told.values() if isinstance(told, dict) else told:
                self._apply(message)
            self._changed()
            self.loaded.set()

    def _apply(self, message: BasketMessage) -> None:
        if isinstance(message, BasketActivated):
            self.baskets[message.basket.basket_id] = message.basket
            return
        basket_id = message.basket_id if isinstance(message, BasketRetired) else message.basket.basket_id
        self.baskets.pop(basket_id, None)

    def _changed(self) -> None:
        parts: dict[tuple[Venue, MarketId], set[int]] = {}
        for basket in self.baskets.values():
            for market_id in basket.market_ids:
                parts.setdefault((basket.venue, market_id), set()).add(basket.partition)
        self._parts = {key: tuple(sorted(found)) for key, found in parts.items()}
        self._on_change()


class Followed:
    """What a feed follows: the markets of live pairs and of live baskets, and where the books of each go."""

    def __init__(self, pairs: LivePairs, baskets: LiveBaskets) -> None:
        self._pairs = pairs
        self._baskets = baskets

    def partitions(self, venue: Venue, market_id: MarketId) -> tuple[int, ...]:
        """Return where a market's quotes go; empty when nobody wants it."""
        of_pairs = self._pairs.partitions(venue, market_id)
        if not self._baskets.baskets:
            return of_pairs
        of_baskets = self._baskets.partitions(venue, market_id)
        if not of_baskets:
            return of_pairs
        return tuple(sorted({*of_pairs, *of_baskets})) if of_pairs else of_baskets

    def markets(self, venue: Venue) -> frozenset[MarketId]:
        """Return the markets of ``venue`` that somebody wants."""
        return self._pairs.markets(venue) | self._baskets.markets(venue)

    async def loaded(self) -> None:
        """Wait until both are known."""
        await self._pairs.loaded.wait()
        await self._baskets.loaded.wait()
