"""The shell around the baskets: what they are fed from Redis, and what they say, written under the partition's lease.

It stands beside the pairs in one process and behind them in each turn: a batch of quotes is theirs first.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from services.arb_detector.basket_core import BasketDetector
from services.arb_detector.basket_evaluator import BASKET_GONE, BasketEmission
from services.arb_detector.bus import drop_standings, load_books, load_markets, load_open_baskets
from services.arb_detector.legs import QuoteInPart
from shared.contracts.baskets import (
    BasketClosed,
    BasketOpened,
    BasketStanding,
)
from shared.contracts.catalog import CatalogMessage
from shared.contracts.health import FeedBeat
from shared.contracts.streams import BASKET_FUNNEL, BASKET_OPPORTUNITIES, Stream
from shared.domain.live_basket import BasketId, LiveBasket
from shared.domain.market import Venue
from shared.domain.pair import partition_of
from shared.io.bus import Client, Lease, Leases, Outbox
from shared.runtime.clock import Clock

_SWEEP_S = 0.9

log = logging.getLogger(__name__)


class BasketDesk:
    """Feeds a ``BasketDetector`` and writes what it says."""

    def __init__(self, source: BasketDetector, outbox: Outbox, leases: Leases, clock: Clock) -> None:
        self.source = source
        self._clock = clock
        self._swept_s = 0.0
        self._outbox = outbox
        self._leases = leases

    async def take_over(
        self,
        redis: Client,
        baskets: Mapping[BasketId, LiveBasket],
        new: Mapping[int, Lease],
        *,
        followed: Collection[int],
    ) -> None:
        """Watch the baskets of the ``followed`` and the ``new`` partitions that are still held.

        Of new ones the episodes too are taken over that another process left open, before any book of theirs is looked
        at; their quotes must be followed from before this call, whenever that begins.
        """
        source, parts = self.source, self._leases.held.keys() & {*followed, *new}
        self._say(source.set_baskets({name: one for name, one in baskets.items() if one.partition in parts}))
        for market in await load_markets(redis, source.wanted_markets()):
            self._say(source.list_market(market))
        if new:
            episodes, held = await load_open_baskets(redis, new), self._leases.held
            self._say(source.resume(found for part, found in episodes if held.get(part) is new[part]))
            await drop_standings(redis, BASKET_FUNNEL, new, source.baskets)
        self._say(source.take_books(await load_books(redis, source.legs(unheard_only=True))))

    def leave(self, parts: Collection[int]) -> None:
        """Another process has these partitions now."""
        self.source.leave(parts)

    def take_quotes(self, quotes: Iterable[QuoteInPart]) -> None:
        """Take a batch of quotes, which the pairs have had."""
        self._say(self.source.take_quotes(quotes))

    def take_beat(self, beat: FeedBeat) -> None:
        """Take a feed's beat."""
        self.source.take_beat(beat)

    def take_catalog(self, venue: Venue, message: CatalogMessage) -> None:
        """Take what the catalog says about a market that some basket has."""
        self._say(self.source.take_catalog(venue, message))

    def tick(self) -> None:
        """Let what waits be looked at."""
        self._say(self.source.tick())

    def sweep(self) -> None:
        """Tell where some baskets stand, if that was not done just before: about once a second."""
        now_s = self._clock.monotonic_s()
        if now_s - self._swept_s >= _SWEEP_S:
            self._swept_s = now_s
            self._say(self.source.sweep())

    async def refresh_books(self, redis: Client, parts: Collection[int]) -> None:
        """After a loss on the streams of these partitions, ask the keys what was missed."""
        legs = [leg for leg in self.source.legs() if leg[0] in parts]
        self._say(self.source.take_books(await load_books(redis, legs)))

    def _say(self, emissions: Iterable[BasketEmission]) -> None:
        for message in emissions:
            if isinstance(message, BasketStanding):
                self._write(BASKET_FUNNEL, message, is_over=message.reason == BASKET_GONE)
            else:
                self._write(BASKET_OPPORTUNITIES, message, is_over=isinstance(message, BasketClosed))

    def _write(self, stream: Stream[Any], message: BasketEmission, *, is_over: bool) -> None:
        """Write a message while the basket's partition is ours; whoever has it otherwise says how the basket is."""
        lease = self._leases.held.get(partition_of(message.basket_id))
        if lease is None:
            return
        self._outbox.put_under_lease(lease, [(stream, message, message.basket_id, is_over)])
        facts = {"opportunity": message.opportunity_id, "basket": message.basket_id}
        if isinstance(message, BasketClosed):
            log.info("basket.closed", extra=facts | {"reason": message.reason})
        elif isinstance(message, BasketOpened):
            log.info("basket.opened", extra=facts | {"edge_dollars": str(message.edge_dollars)})
