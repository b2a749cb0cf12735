"""Which legs there are, which watched sets they touch, and what a batch of quotes leaves of them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from services.arb_detector.links import Links
from services.arb_detector.trust import LegState
from shared.contracts.quotes import QuoteRaw, QuoteRawMessage, QuotesStale
from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.runtime.clock import Clock

QuoteInPart = tuple[int, QuoteRawMessage]
"""A message and the partition whose stream it was on."""
LegKey = tuple[int, str, MarketId]
"""Partition, venue, market."""


class HasLegs(Protocol):
    """A watched set, as far as its legs go."""

    @property
    def partition(self) -> int:
        """Where its quotes come from."""
        ...

    @property
    def leg_states(self) -> Sequence[LegState]:
        """Its legs."""
        ...


S = TypeVar("S", bound=HasLegs)


class Legs(Generic[S]):
    """The legs of watched sets by partition, venue and market, and what the catalog says of their markets."""

    def __init__(self, links: Links, clock: Clock, *, keeps_unknown: bool) -> None:
        """``keeps_unknown``: whether to keep what is said of a market before there is a set that has it."""
        self._links = links
        self._clock = clock
        self._keeps_unknown = keeps_unknown
        self._legs: dict[LegKey, LegState] = {}
        self._touched_by: dict[LegKey, list[S]] = {}
        self._sets_with: dict[tuple[Venue, MarketId], list[S]] = {}
        self.markets: dict[tuple[Venue, MarketId], Market] = {}
        self._over = set[tuple[Venue, MarketId]]()
        """Markets that closed before the catalog's hash was read for them."""
        self.quotes = 0
        self.coalesced = 0
        """Quotes that a newer one of the same market replaced before they were evaluated."""

    def leg(self, part: int, venue: Venue, market_id: MarketId) -> LegState:
        """Return a leg for a set, a new one when nothing was said about it."""
        key = (part, venue.value, market_id)
        leg = self._legs.get(key)
        if leg is None:
            leg = self._legs[key] = LegState(venue, market_id)
        return leg

    def take(self, entries: Iterable[QuoteInPart], on_withdrawn: Callable[[S], None]) -> dict[S, int]:
        """Take a batch in stream order; return the sets that quotes touched, with the stamp of the newest one's frame.

        A withdrawal acts at once, even when a newer quote follows in the same batch: each set that it touches is
        handed to ``on_withdrawn``.
        """
        if not (self._legs or self._keeps_unknown):
            return {}
        newest: dict[LegKey, QuoteRaw] = {}
        for part, message in entries:
            if isinstance(message, QuoteRaw):
                self.quotes += 1
                key = (part, message.venue, message.market_id)
                self.coalesced += key in newest
                newest[key] = message
            else:
                self._withdraw(part, message, newest, on_withdrawn)
        touched: dict[S, int] = {}
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        for key, quote in newest.items():
            leg = self._heard_of(key)
            if leg is None:
                continue
            taken_s = now_s - (now_ns - quote.received_ts_ns) / 1_000_000_000
            leg.take(quote, not_before_s=taken_s)
            self._links.take_quote(quote, heard_s=min(taken_s, now_s))
            for one in self._touched_by.get(key, ()):
                touched[one] = quote.received_ts_ns
        return touched

    def take_market(self, market: Market) -> list[S]:
        """Take over what the catalog says about a market; return the sets that have it."""
        self.markets[market.venue, market.market_id] = market
        self._over.discard((market.venue, market.market_id))
        return self._sets_with.get((market.venue, market.market_id), [])

    def as_closed(self, venue: Venue, market_id: MarketId) -> Market | None:
        """Return a market as one that trades no more, None when the catalog has not told about it yet."""
        known = self.markets.get((venue, market_id))
        if known is None:
            self._over.add((venue, market_id))
            return None
        return msgspec.structs.replace(known, status=MarketStatus.CLOSED)

    def not_told_since(self, market: Market) -> Market | None:
        """Return a market of the catalog's hash as it stands now, None when its stream has told about it since."""
        key = (market.venue, market.market_id)
        if key in self.markets:
            return None
        return msgspec.structs.replace(market, status=MarketStatus.CLOSED) if key in self._over else market

    def is_wanted(self, venue: Venue, market_id: MarketId) -> bool:
        """Return whether a watched set has this market."""
        return (venue, market_id) in self._sets_with

    def unlisted(self) -> set[tuple[Venue, MarketId]]:
        """Return the markets of watched sets that the catalog has not told about yet."""
        return self._sets_with.keys() - self.markets.keys()

    def places(self, *, unheard_only: bool) -> list[tuple[int, Venue, MarketId]]:
        """Return partition, venue and market of every leg; ``unheard_only``: of those without a word from a feed."""
        return [
            (part, leg.venue, leg.market_id)
            for (part, _, _), leg in self._legs.items()
            if not (unheard_only and leg.word)
        ]

    def is_news(self, part: int, message: QuoteRawMessage) -> bool:
        """Return whether a message was written after everything known about its markets."""
        market_ids = (message.market_id,) if isinstance(message, QuoteRaw) else message.market_ids
        venue = Venue(message.venue).value
        legs = (self._heard_of((part, venue, market_id)) for market_id in market_ids)
        return all(leg is not None and leg.is_news(message) for leg in legs)

    def leave(self, parts: Collection[int]) -> None:
        """Forget what was said in these partitions, of markets of no set too: from now on it grows old unseen."""
        if parts:
            self._legs = {key: leg for key, leg in self._legs.items() if key[0] not in parts}

    def index(self, sets: Iterable[S]) -> None:
        """Know which of these sets a leg touches, and forget the legs and markets of none."""
        self._touched_by, self._sets_with = {}, {}
        for one in sets:
            for leg in one.leg_states:
                self._touched_by.setdefault((one.partition, leg.venue.value, leg.market_id), []).append(one)
                self._sets_with.setdefault((leg.venue, leg.market_id), []).append(one)
        self._legs = {key: leg for key, leg in self._legs.items() if key in self._touched_by}
        self.markets = {key: market for key, market in self.markets.items() if key in self._sets_with}
        self._over &= self._sets_with.keys()

    def _heard_of(self, key: LegKey) -> LegState | None:
        """Return the leg that something was said about, None when that is nobody's and not to be kept."""
        leg = self._legs.get(key)
        if leg is None and self._keeps_unknown:
            leg = self._legs[key] = LegState(Venue(key[1]), key[2])
        return leg

    def _withdraw(
        self, part: int, message: QuotesStale, newest: dict[LegKey, QuoteRaw], on_withdrawn: Callable[[S], None]
    ) -> None:
        for market_id in message.market_ids:
            key = (part, message.venue.value, market_id)
            newest.pop(key, None)
            leg = self._heard_of(key)
            if leg is not None:
                leg.withdraw(message)
                for one in self._touched_by.get(key, ()):
                    on_withdrawn(one)
