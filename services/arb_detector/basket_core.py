"""Baskets inside one venue as a source of opportunities: quotes, beats, listings and baskets in, episodes out.

It has legs and connections of its own, so that a process without baskets pays nothing for them and pairs are priced as
if there were none.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from services.arb_detector.basket_evaluator import BASKET_CHANGED, BASKET_GONE, BasketEmission, BasketEvaluator
from services.arb_detector.basket_standing import BasketStandings
from services.arb_detector.basket_state import BasketState
from services.arb_detector.config import DetectorConfig
from services.arb_detector.legs import Legs, QuoteInPart
from services.arb_detector.links import Links
from shared.contracts.baskets import BasketOpened, BasketUpdated
from shared.contracts.health import FeedBeat
from shared.domain.live_basket import BasketId, LiveBasket
from shared.domain.market import Market, MarketId, Venue
from shared.runtime.clock import Clock

_SWEPT_AT_ONCE = 20
"""Baskets per sweep whose reason has changed, and again as many in turn."""


class BasketDetector:
    """All live baskets of this process. Methods return what is to be published, in order."""

    def __init__(self, config: DetectorConfig, clock: Clock, *, random_bits: Callable[[int], int]) -> None:
        self._config = config
        self._links = Links(clock)
        self._legs: Legs[BasketState] = Legs(self._links, clock, keeps_unknown=False)
        self._evaluator = BasketEvaluator(config, self._links, clock, random_bits=random_bits)
        self._standings = BasketStandings(config, self._links, self._evaluator, clock)
        self._cases = self._evaluator.cases
        self.baskets: dict[BasketId, BasketState] = {}

    @property
    def evaluations(self) -> int:
        """How often a basket was evaluated."""
        return self._cases.evaluations

    @property
    def funnel(self) -> Counter[str]:
        """Evaluations by outcome; they add up to ``evaluations``."""
        return self._cases.funnel

    def set_baskets(self, baskets: Mapping[BasketId, LiveBasket]) -> list[BasketEmission]:
        """Watch exactly these baskets; episodes of baskets that left or changed are closed."""
        for basket_id, state in tuple(self.baskets.items()):
            if baskets.get(basket_id) != state.basket:
                reason = BASKET_CHANGED if basket_id in baskets else BASKET_GONE
                self._evaluator.close(state, reason)
                if basket_id not in baskets:
                    self._evaluator.out.append(self._standings.last(state, reason))
                del self.baskets[state.key]
        for basket_id, basket in baskets.items():
            if basket_id not in self.baskets:
                self.baskets[basket_id] = self._new_state(basket)
        self._legs.index(self.baskets.values())
        return self._emitted()

    def leave(self, parts: Collection[int]) -> None:
        """Another process has these partitions now: forget their baskets and say nothing, for their episodes go on."""
        theirs = [state for state in self.baskets.values() if state.partition in parts] if parts else []
        for state in theirs:
            self._evaluator.forget(state)
            del self.baskets[state.key]
        if theirs:
            self._legs.index(self.baskets.values())

    def wanted_markets(self) -> set[tuple[Venue, MarketId]]:
        """Return the markets of live baskets that the catalog has not told about yet."""
        return self._legs.unlisted()

    def legs(self, *, unheard_only: bool = False) -> list[tuple[int, Venue, MarketId]]:
        """Return the legs of live baskets with their partition; ``unheard_only``: those without a word from a feed."""
        return self._legs.places(unheard_only=unheard_only)

    def is_market_wanted(self, venue: Venue, market_id: MarketId) -> bool:
        """Return whether a live basket has this market."""
        return self._legs.is_wanted(venue, market_id)

    def set_market(self, market: Market) -> list[BasketEmission]:
        """Take over what the catalog says about a market and evaluate its baskets."""
        for state in self._legs.take_market(market):
            self._set_markets(state)
            self._look_again(state)
        return self._emitted()

    def close_market(self, venue: Venue, market_id: MarketId) -> list[BasketEmission]:
        """A market trades no more: its baskets go on without it, or not at all."""
        closed = self._legs.as_closed(venue, market_id)
        return [] if closed is None else self.set_market(closed)

    def take_quotes(self, entries: Iterable[QuoteInPart]) -> list[BasketEmission]:
        """Take a batch in stream order and evaluate the baskets that it touched, each once with the newest quotes.

        A withdrawal acts at once, even when a newer quote follows in the same batch.
        """
        if not self._legs:
            return []
        for state, wire_ts_ns in self._legs.take(entries, self._look_again).items():
            self._evaluator.evaluate(state, wire_ts_ns)
        return self._emitted()

    def take_books(self, entries: Iterable[QuoteInPart]) -> list[BasketEmission]:
        """Take what the keys of latest books say, where it is newer than what the streams have told."""
        return self.take_quotes([entry for entry in entries if self._legs.is_news(*entry)])

    def take_beat(self, beat: FeedBeat) -> None:
        """Note that a feed's connection is alive, or that it says it is not; timers act on it."""
        self._links.take_beat(beat)

    def tick(self) -> list[BasketEmission]:
        """Evaluate the baskets that wait, are open or are held back."""
        for state in tuple(self._cases.active.values()):
            self._look_again(state)
        return self._emitted()

    def due_s(self) -> float | None:
        """Return when ``tick`` is next needed by what waits, on the monotonic clock; None when nothing does."""
        return self._cases.due_s()

    def resume(self, found: Iterable[BasketOpened | BasketUpdated]) -> list[BasketEmission]:
        """Take over episodes that another process left open; those of baskets that are no longer live are closed."""
        for message in found:
            self._evaluator.resume(self.baskets.get(message.basket_id), message)
        return self._emitted()

    def sweep(self) -> list[BasketEmission]:
        """Look at some baskets in turn, touched or not, and tell where they stand. Call it once a second."""
        for state in self._cases.next(self.baskets, _SWEPT_AT_ONCE):
            self._look_again(state)
            self._evaluator.out.append(self._standings.of(state))
        return self._emitted()

    def _look_again(self, state: BasketState) -> None:
        """Evaluate a basket although no quote touched it."""
        self._evaluator.evaluate(state, None)

    def _new_state(self, basket: LiveBasket) -> BasketState:
        legs = [self._legs.leg(basket.partition, basket.venue, market_id) for market_id in basket.market_ids]
        state = BasketState(basket, legs, self._config.rules, self._config.edges)
        self._set_markets(state)
        return state

    def _set_markets(self, state: BasketState) -> None:
        listed, venue = self._legs.markets, state.basket.venue
        state.set_markets({name: listed[venue, name] for name in state.basket.market_ids if (venue, name) in listed})

    def _emitted(self) -> list[BasketEmission]:
        out, self._evaluator.out = self._evaluator.out, []
        return out
