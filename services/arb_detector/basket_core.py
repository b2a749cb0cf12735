"""Baskets inside one venue as a source of opportunities: quotes, beats, listings and baskets in, episodes out.

It has legs and connections of its own, so that a process without baskets pays nothing for them and pairs are priced as
if there were none.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from services.arb_detector.basket_evaluator import BASKET_CHANGED, BASKET_GONE, BasketEmission, BasketEvaluator
from services.arb_detector.basket_standing import BasketStandings
from services.arb_detector.basket_state import BasketState
from services.arb_detector.config import DetectorConfig
from services.arb_detector.legs import LegKey, QuoteInPart
from services.arb_detector.links import Links
from services.arb_detector.trust import LegState
from shared.contracts.baskets import BasketOpened, BasketUpdated
from shared.contracts.health import FeedBeat
from shared.contracts.quotes import QuotesStale
from shared.domain.live_basket import BasketId, LiveBasket
from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.runtime.clock import Clock


class BasketDetector:
    """All live baskets of this process. Methods return what is to be published, in order."""

    def __init__(self, config: DetectorConfig, clock: Clock, *, random_bits: Callable[[int], int]) -> None:
        self._config = config
        self._clock = clock
        self._links = Links(clock)
        self._evaluator = BasketEvaluator(config, self._links, clock, random_bits=random_bits)
        self._standings = BasketStandings(config, self._links, self._evaluator, clock)
        self._legs: dict[LegKey, LegState] = {}
        self._touched_by: dict[LegKey, list[BasketState]] = {}
        self._with_market: dict[tuple[Venue, MarketId], list[BasketState]] = {}
        self._markets: dict[tuple[Venue, MarketId], Market] = {}
        self._counted: Counter[str] = Counter()
        """Evaluations by outcome of baskets that are no longer here."""
        self.baskets: dict[BasketId, BasketState] = {}

    @property
    def evaluations(self) -> int:
        """How often a basket was evaluated."""
        return self._evaluator.evaluations

    @property
    def funnel(self) -> Counter[str]:
        """Evaluations by outcome; they add up to ``evaluations``."""
        total = Counter(self._counted)
        for state in self.baskets.values():
            total.update(state.counts)
        return total

    def set_baskets(self, baskets: Mapping[BasketId, LiveBasket]) -> list[BasketEmission]:
        """Watch exactly these baskets; episodes of baskets that left or changed are closed."""
        for basket_id, state in tuple(self.baskets.items()):
            if baskets.get(basket_id) != state.basket:
                reason = BASKET_CHANGED if basket_id in baskets else BASKET_GONE
                self._evaluator.close(state, reason)
                if basket_id not in baskets:
                    self._evaluator.out.append(self._standings.last(state, reason))
                self._remove(state)
        for basket_id, basket in baskets.items():
            if basket_id not in self.baskets:
                self.baskets[basket_id] = self._new_state(basket)
        self._index()
        return self._emitted()

    def leave(self, parts: Collection[int]) -> None:
        """Another process has these partitions now: forget their baskets and say nothing, for their episodes go on."""
        for state in tuple(self.baskets.values()):
            if state.basket.partition in parts:
                self._evaluator.forget(state)
                self._remove(state)
        self._index()

    def wanted_markets(self) -> set[tuple[Venue, MarketId]]:
        """Return the markets of live baskets that the catalog has not told about yet."""
        return self._with_market.keys() - self._markets.keys()

    def legs(self, *, unheard_only: bool = False) -> list[tuple[int, Venue, MarketId]]:
        """Return the legs of live baskets with their partition; ``unheard_only``: those without a word from a feed."""
        legs = self._legs.items()
        return [(key[0], leg.venue, leg.market_id) for key, leg in legs if not (unheard_only and leg.word)]

    def is_market_wanted(self, venue: Venue, market_id: MarketId) -> bool:
        """Return whether a live basket has this market."""
        return (venue, market_id) in self._with_market

    def set_market(self, market: Market) -> list[BasketEmission]:
        """Take over what the catalog says about a market and evaluate its baskets."""
        self._markets[market.venue, market.market_id] = market
        for state in self._with_market.get((market.venue, market.market_id), ()):
            self._set_markets(state)
            self._evaluator.evaluate(state, None)
        return self._emitted()

    def close_market(self, venue: Venue, market_id: MarketId) -> list[BasketEmission]:
        """A market trades no more: its baskets go on without it, or not at all."""
        known = self._markets.get((venue, market_id))
        if known is None:
            return []
        return self.set_market(msgspec.structs.replace(known, status=MarketStatus.CLOSED))

    def take_quotes(self, entries: Iterable[QuoteInPart]) -> list[BasketEmission]:
        """Take a batch in stream order and evaluate the baskets that it touched, each once with the newest quotes.

        A withdrawal acts at once, even when a newer quote follows in the same batch.
        """
        if not self._legs:
            return []
        touched: dict[BasketId, tuple[BasketState, int]] = {}
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        for part, message in entries:
            if isinstance(message, QuotesStale):
                self._withdraw(part, message)
                continue
            key = (part, message.venue, message.market_id)
            leg = self._legs.get(key)
            if leg is None:
                continue
            taken_s = now_s - (now_ns - message.received_ts_ns) / 1_000_000_000
            leg.take(message, not_before_s=taken_s)
            self._links.take_quote(message, heard_s=min(taken_s, now_s))
            for state in self._touched_by[key]:
                touched[state.basket.basket_id] = state, message.received_ts_ns
        for state, wire_ts_ns in touched.values():
            self._evaluator.evaluate(state, wire_ts_ns)
        return self._emitted()

    def take_books(self, entries: Iterable[QuoteInPart]) -> list[BasketEmission]:
        """Take what the keys of latest books say, where it is newer than what the streams have told."""
        return self.take_quotes([entry for entry in entries if self._is_news(entry)])

    def take_beat(self, beat: FeedBeat) -> None:
        """Note that a feed's connection is alive, or that it says it is not; timers act on it."""
        self._links.take_beat(beat)

    def tick(self) -> list[BasketEmission]:
        """Evaluate the baskets that wait, are open or are held back."""
        for state in tuple(self._evaluator.active.values()):
            self._evaluator.evaluate(state, None)
        return self._emitted()

    def due_s(self) -> float | None:
        """Return when ``tick`` is next needed by what waits, on the monotonic clock; None when nothing does."""
        if not self._evaluator.active:
            return None
        times_s = (state.watch.due_s() for state in self._evaluator.active.values())
        return min((due_s for due_s in times_s if due_s is not None), default=None)

    def resume(self, found: Iterable[BasketOpened | BasketUpdated]) -> list[BasketEmission]:
        """Take over episodes that another process left open; those of baskets that are no longer live are closed."""
        for message in found:
            self._evaluator.resume(self.baskets.get(message.basket_id), message)
        return self._emitted()

    def sweep(self) -> list[BasketEmission]:
        """Look at some baskets in turn, touched or not, and tell where they stand. Call it once a second."""
        for state in self._standings.next(self.baskets):
            self._evaluator.evaluate(state, None)
            self._evaluator.out.append(self._standings.of(state))
        return self._emitted()

    def _withdraw(self, part: int, message: QuotesStale) -> None:
        for market_id in message.market_ids:
            key = (part, message.venue.value, market_id)
            leg = self._legs.get(key)
            if leg is not None:
                leg.withdraw(message)
                for state in self._touched_by[key]:
                    self._evaluator.evaluate(state, None)

    def _is_news(self, entry: QuoteInPart) -> bool:
        """Return whether a message was written after everything known about its markets."""
        part, message = entry
        market_ids = message.market_ids if isinstance(message, QuotesStale) else (message.market_id,)
        legs = (self._legs.get((part, Venue(message.venue).value, market_id)) for market_id in market_ids)
        return all(leg is not None and leg.is_news(message) for leg in legs)

    def _new_state(self, basket: LiveBasket) -> BasketState:
        legs = []
        for market_id in basket.market_ids:
            key = (basket.partition, basket.venue.value, market_id)
            legs.append(self._legs.setdefault(key, LegState(basket.venue, market_id)))
        state = BasketState(basket, legs, self._config.rules, self._config.edges)
        self._set_markets(state)
        return state

    def _set_markets(self, state: BasketState) -> None:
        venue = state.basket.venue
        members = {market_id: self._markets.get((venue, market_id)) for market_id in state.basket.market_ids}
        state.set_markets({market_id: market for market_id, market in members.items() if market is not None})

    def _remove(self, state: BasketState) -> None:
        self._counted.update(state.counts)
        del self.baskets[state.basket.basket_id]

    def _index(self) -> None:
        """Know which baskets a leg touches, and forget the legs and markets of none."""
        self._touched_by, self._with_market = {}, {}
        for state in self.baskets.values():
            basket = state.basket
            for market_id in basket.market_ids:
                self._touched_by.setdefault((basket.partition, basket.venue.value, market_id), []).append(state)
                self._with_market.setdefault((basket.venue, market_id), []).append(state)
        self._legs = {key: leg for key, leg in self._legs.items() if key in self._touched_by}
        self._markets = {key: market for key, market in self._markets.items() if key in self._with_market}

    def _emitted(self) -> list[BasketEmission]:
        out, self._evaluator.out = self._evaluator.out, []
        return out
