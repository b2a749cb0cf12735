"""What every source of opportunities does: pairs across the venues are one, baskets inside one venue another.

A source is fed quotes, beats and listings and returns what is to be published, in order. It has neither sockets nor
Redis. Which sets of contracts it watches, how one is judged and what is said of it, is each source's own business.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from services.arb_detector.caseload import Case, Caseload
from services.arb_detector.legs import HasLegs, Legs, QuoteInPart
from services.arb_detector.links import Links
from shared.contracts.catalog import CatalogMessage, MarketClosed
from shared.contracts.health import FeedBeat
from shared.domain.market import Market, MarketId, Venue


class Watched(HasLegs, Case[Any], Protocol):
    """A watched set of contracts as this process holds it."""

    @property
    def item(self) -> object:
        """The pair or the basket itself."""
        ...


K = TypeVar("K", bound=Hashable)
Item = TypeVar("Item")
S = TypeVar("S", bound=Watched)
S_contra = TypeVar("S_contra", bound=Watched, contravariant=True)
Said = TypeVar("Said")
Said_co = TypeVar("Said_co", covariant=True)


class Judge(Protocol[K, S, Said]):
    """Evaluates one set at a time."""

    cases: Caseload[K, S]
    out: list[Said]
    """What is to be said, in order."""

    def evaluate(self, state: S, wire_ts_ns: int | None) -> None:
        """Judge a set now; ``wire_ts_ns`` is the stamp of the frame that gave cause, None when time did."""
        ...

    def close(self, state: S, reason: str) -> None:
        """A set is over: close what is open."""
        ...


class Teller(Protocol[S_contra, Said_co]):
    """Says where a set stands."""

    def last(self, state: S_contra, reason: str) -> Said_co:
        """Return the last word about a set that is no longer watched."""
        ...


class OpportunitySource(ABC, Generic[K, Item, S, Said]):
    """Sets of contracts that may cost less than they pay, watched through the same gate."""

    def __init__(
        self,
        judge: Judge[K, S, Said],
        teller: Teller[S, Said],
        legs: Legs[S],
        links: Links,
        *,
        say: Callable[[list[Said]], None] | None = None,
    ) -> None:
        """``say`` gets what a quote leads to set by set, so that no intent waits for the rest of a batch."""
        self._judge = judge
        self._teller = teller
        self._cases = judge.cases
        self._legs = legs
        self._links = links
        self._say = say
        self.watched: dict[K, S] = {}

    @property
    def evaluations(self) -> int:
        """How often a set was evaluated."""
        return self._cases.evaluations

    @property
    def funnel(self) -> Counter[str]:
        """Evaluations by outcome; they add up to ``evaluations``."""
        return self._cases.funnel

    def wanted_markets(self) -> set[tuple[Venue, MarketId]]:
        """Return the markets of watched sets that the catalog has not told about yet."""
        return self._legs.unlisted()

    def legs(self, *, unheard_only: bool = False) -> list[tuple[int, Venue, MarketId]]:
        """Return the legs with their partition; ``unheard_only``: those without a word from a feed."""
        return self._legs.places(unheard_only=unheard_only)

    def is_market_wanted(self, venue: Venue, market_id: MarketId) -> bool:
        """Return whether a watched set has this market."""
        return self._legs.is_wanted(venue, market_id)

    def set_market(self, market: Market) -> list[Said]:
        """Take over what the catalog says about a market and evaluate its sets."""
        for state in self._legs.take_market(market):
            self._set_markets(state)
            self._judge.evaluate(state, None)
        return self._emitted()

    def list_market(self, market: Market) -> list[Said]:
        """Take over what the catalog held when it was asked; what its stream has told since is newer."""
        found = self._legs.not_told_since(market)
        return [] if found is None else self.set_market(found)

    def close_market(self, venue: Venue, market_id: MarketId) -> list[Said]:
        """A market trades no more: its sets go on without it, or not at all."""
        closed = self._legs.as_closed(venue, market_id)
        return [] if closed is None else self.set_market(closed)

    def take_catalog(self, venue: Venue, message: CatalogMessage) -> list[Said]:
        """Take what the catalog says, which matters where some set has the market."""
        market_id = message.market_id if isinstance(message, MarketClosed) else message.market.market_id
        if not self.is_market_wanted(venue, market_id):
            return []
        if isinstance(message, MarketClosed):
            return self.close_market(venue, market_id)
        return self.set_market(message.market)

    def take_quotes(self, entries: Iterable[QuoteInPart]) -> list[Said]:
        """Take a batch in stream order and evaluate the sets that it touched, each once with the newest quotes.

        A withdrawal acts at once, even when a newer quote follows in the same batch.
        """
        judge = self._judge
        for state, wire_ts_ns in self._legs.take(entries, self._look_again).items():
            judge.evaluate(state, wire_ts_ns)
            if self._say is not None and judge.out:
                self._say(self._emitted())
        return self._emitted()

    def take_books(self, entries: Iterable[QuoteInPart]) -> list[Said]:
        """Take what the keys of latest books say, where it is newer than what the streams have told."""
        return self.take_quotes([entry for entry in entries if self._legs.is_news(*entry)])

    def take_beat(self, beat: FeedBeat) -> None:
        """Note that a feed's connection is alive, or that it says it is not; timers act on it."""
        self._links.take_beat(beat)

    def tick(self) -> list[Said]:
        """Evaluate the sets that wait, are open or are held back.

        So quiet books reach the end of the debounce, and lost trust closes.
        """
        for state in tuple(self._cases.active.values()):
            self._judge.evaluate(state, None)
        return self._emitted()

    def due_s(self) -> float | None:
        """Return when ``tick`` is next needed by what waits, on the monotonic clock; None when nothing does."""
        return self._cases.due_s()

    @abstractmethod
    def sweep(self) -> list[Said]:
        """Look at some sets in turn, touched or not, and tell where they stand."""

    def leave(self, parts: Collection[int]) -> None:
        """Another process has these partitions now: forget their sets and say nothing, for their episodes go on."""
        theirs = [state for state in self.watched.values() if state.partition in parts] if parts else []
        for state in theirs:
            self._cases.drop(state)
            del self.watched[state.key]
        self._legs.leave(parts)
        if theirs:
            self._legs.index(self.watched.values())

    def _watch(self, wanted: Mapping[K, Item], *, gone: str, changed: str) -> list[Said]:
        """Watch exactly these; episodes of what left or changed are closed with that reason.

        What is new and has a leg that was heard already is evaluated: quiet books would give no other cause.
        """
        for key, state in tuple(self.watched.items()):
            if wanted.get(key) != state.item:
                reason = changed if key in wanted else gone
                self._judge.close(state, reason)
                if key not in wanted:
                    self._judge.out.append(self._teller.last(state, reason))
                del self.watched[key]
        new = {key: self._new_state(item) for key, item in wanted.items() if key not in self.watched}
        self.watched.update(new)
        self._legs.index(self.watched.values())
        for state in new.values():
            self._set_markets(state)
            if any(leg.word for leg in state.leg_states):
                self._judge.evaluate(state, None)
        return self._emitted()

    @abstractmethod
    def _new_state(self, item: Item) -> S:
        """Return a set that was not watched before."""

    @abstractmethod
    def _set_markets(self, state: S) -> None:
        """Let a set know what the catalog says about its markets."""

    def _look_again(self, state: S) -> None:
        """Evaluate a set although no quote touched it."""
        self._judge.evaluate(state, None)

    def _emitted(self) -> list[Said]:
        out, self._judge.out = self._judge.out, []
        return out
