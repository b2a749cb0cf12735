"""What every source of opportunities can do: pairs across the venues are one, baskets inside one venue another.

A source is fed quotes, beats and listings and returns what is to be published, in order. It has neither sockets nor
Redis; which sets of contracts it watches, and whose episodes it takes over, is its own business.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar

from services.arb_detector.legs import QuoteInPart
from shared.contracts.catalog import CatalogMessage, MarketClosed
from shared.contracts.health import FeedBeat
from shared.domain.market import Market, MarketId, Venue

Said_co = TypeVar("Said_co", covariant=True)


class OpportunitySource(Protocol[Said_co]):
    """Sets of contracts that may cost less than they pay, watched through the same gate."""

    @property
    def evaluations(self) -> int:
        """How often a set was evaluated."""
        ...

    @property
    def funnel(self) -> Counter[str]:
        """Evaluations by outcome; they add up to ``evaluations``."""
        ...

    def wanted_markets(self) -> set[tuple[Venue, MarketId]]:
        """Return the markets of watched sets that the catalog has not told about yet."""
        ...

    def legs(self, *, unheard_only: bool = False) -> list[tuple[int, Venue, MarketId]]:
        """Return the legs with their partition; ``unheard_only``: those without a word from a feed."""
        ...

    def is_market_wanted(self, venue: Venue, market_id: MarketId) -> bool:
        """Return whether a watched set has this market."""
        ...

    def set_market(self, market: Market) -> Sequence[Said_co]:
        """Take over what the catalog says about a market and evaluate its sets."""
        ...

    def close_market(self, venue: Venue, market_id: MarketId) -> Sequence[Said_co]:
        """A market trades no more."""
        ...

    def take_quotes(self, entries: Iterable[QuoteInPart]) -> Sequence[Said_co]:
        """Take a batch in stream order and evaluate the sets that it touched, each once with the newest quotes."""
        ...

    def take_books(self, entries: Iterable[QuoteInPart]) -> Sequence[Said_co]:
        """Take what the keys of latest books say, where it is newer than what the streams have told."""
        ...

    def take_beat(self, beat: FeedBeat) -> None:
        """Note that a feed's connection is alive, or that it says it is not."""
        ...

    def tick(self) -> Sequence[Said_co]:
        """Evaluate the sets that wait or are open."""
        ...

    def due_s(self) -> float | None:
        """Return when ``tick`` is next needed by what waits, on the monotonic clock; None when nothing does."""
        ...

    def sweep(self) -> Sequence[Said_co]:
        """Look at some sets in turn, touched or not, and tell where they stand."""
        ...

    def leave(self, parts: Collection[int]) -> None:
        """Another process has these partitions now: forget their sets and say nothing."""
        ...


def take_catalog(source: OpportunitySource[Said_co], venue: Venue, message: CatalogMessage) -> Sequence[Said_co]:
    """Hand over what the catalog says about a market that some set has; return what follows."""
    market_id = message.market_id if isinstance(message, MarketClosed) else message.market.market_id
    if not source.is_market_wanted(venue, market_id):
        return ()
    return (
        source.close_market(venue, market_id)
        if isinstance(message, MarketClosed)
        else source.set_market(message.market)
    )
