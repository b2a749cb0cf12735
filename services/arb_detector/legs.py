"""Which legs there are, which pairs they touch, and what a batch of quotes leaves of them."""

from collections.abc import Collection, Iterable, Mapping

from services.arb_detector.pair_state import PairState
from services.arb_detector.trust import LegState
from shared.contracts.quotes import QuoteRaw, QuotesStale
from shared.domain.market import Market, MarketId, Venue

QuoteInPart = tuple[int, QuoteRaw | QuotesStale]
"""A message and the partition whose stream it was on."""
LegKey = tuple[int, str, MarketId]
"""Partition, venue, market."""


class Legs:
    """The legs of live pairs by partition, venue and market."""

    def __init__(self) -> None:
        self._legs: dict[LegKey, LegState] = {}
        self._pairs_of: dict[LegKey, list[PairState]] = {}
        self._pairs_with: dict[tuple[Venue, MarketId], list[PairState]] = {}

    def leg(self, key: LegKey) -> LegState:
        """Return a leg, a new one when nothing was said about it."""
        leg = self._legs.get(key)
        if leg is None:
            leg = self._legs[key] = LegState(Venue(key[1]), key[2])
        return leg

    def pairs_of(self, key: LegKey) -> Iterable[PairState]:
        """Return the pairs that a leg touches."""
        return self._pairs_of.get(key, ())

    def pairs_with(self, venue: Venue, market_id: MarketId) -> Iterable[PairState]:
        """Return the pairs that have a market."""
        return self._pairs_with.get((venue, market_id), ())

    def is_wanted(self, venue: Venue, market_id: MarketId) -> bool:
        """Return whether a live pair has this market."""
        return (venue, market_id) in self._pairs_with

    def unlisted(self, markets: Mapping[tuple[Venue, MarketId], Market]) -> set[tuple[Venue, MarketId]]:
        """Return the markets of live pairs that are not in ``markets``."""
        return self._pairs_with.keys() - markets.keys()

    def places(self, *, unheard_only: bool) -> list[tuple[int, Venue, MarketId]]:
        """Return partition, venue and market of every leg; ``unheard_only``: of those without a word from a feed."""
        return [
            (part, leg.venue, leg.market_id)
            for (part, _, _), leg in self._legs.items()
            if not (unheard_only and leg.word)
        ]

    def is_news(self, part: int, message: QuoteRaw | QuotesStale) -> bool:
        """Return whether a message was written after everything known about its markets."""
        market_ids = (message.market_id,) if isinstance(message, QuoteRaw) else message.market_ids
        venue = Venue(message.venue).value
        return all(self.leg((part, venue, market_id)).is_news(message) for market_id in market_ids)

    def leave(self, parts: Collection[int]) -> None:
        """Forget what was said in these partitions, of markets without a pair too: it grows old unseen from now on."""
        if parts:
            self._legs = {key: leg for key, leg in self._legs.items() if key[0] not in parts}

    def index(self, states: Iterable[PairState]) -> None:
        """Know which pairs a leg touches, and forget the legs of none."""
        self._pairs_of, self._pairs_with = {}, {}
        for state in states:
            for leg in (state.kalshi, state.polymarket):
                key = (state.pair.partition, leg.venue.value, leg.market_id)
                self._pairs_of.setdefault(key, []).append(state)
                self._pairs_with.setdefault((leg.venue, leg.market_id), []).append(state)
        self._legs = {key: leg for key, leg in self._legs.items() if key in self._pairs_of}
