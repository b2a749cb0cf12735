"""Baskets inside one venue as a source of opportunities: quotes, beats, listings and baskets in, episodes out.

It has legs and connections of its own, so that a process without baskets pays nothing for them and pairs are priced as
if there were none.
"""

from collections.abc import Callable, Iterable, Mapping

from services.arb_detector.basket_evaluator import BASKET_CHANGED, BASKET_GONE, BasketEmission, BasketEvaluator
from services.arb_detector.basket_standing import BasketStandings
from services.arb_detector.basket_state import BasketState
from services.arb_detector.config import DetectorConfig
from services.arb_detector.legs import Legs
from services.arb_detector.links import Links
from services.arb_detector.sources import OpportunitySource
from shared.contracts.baskets import BasketOpened, BasketUpdated
from shared.domain.live_basket import BasketId, LiveBasket
from shared.runtime.clock import Clock

_SWEPT_AT_ONCE = 20
"""Baskets per sweep whose reason has changed, and again as many in turn."""


class BasketDetector(OpportunitySource[BasketId, LiveBasket, BasketState, BasketEmission]):
    """All live baskets of this process. Methods return what is to be published, in order."""

    def __init__(self, config: DetectorConfig, clock: Clock, *, random_bits: Callable[[int], int]) -> None:
        links = Links(clock)
        legs: Legs[BasketState] = Legs(links, clock, keeps_unknown=False)
        self._config = config
        self._evaluator = BasketEvaluator(config, links, clock, random_bits=random_bits)
        self._standings = BasketStandings(config, links, self._evaluator, clock)
        super().__init__(self._evaluator, self._standings, legs, links)
        self.baskets = self.watched

    def set_baskets(self, baskets: Mapping[BasketId, LiveBasket]) -> list[BasketEmission]:
        """Watch exactly these baskets; episodes of baskets that left or changed are closed."""
        return self._watch(baskets, gone=BASKET_GONE, changed=BASKET_CHANGED)

    def resume(self, found: Iterable[BasketOpened | BasketUpdated]) -> list[BasketEmission]:
        """Take over episodes that another process left open; those of baskets that are no longer live are closed."""
        for message in found:
            self._evaluator.resume(self.baskets.get(message.basket_id), message)
        return self._emitted()

    def sweep(self) -> list[BasketEmission]:
        """Look at some baskets in turn, touched or not, and tell where they stand. Call it once a second."""
        for state in self._cases.next(self.baskets, _SWEPT_AT_ONCE):
            self._evaluator.evaluate(state, None)
            self._evaluator.out.append(self._standings.of(state))
        return self._emitted()

    def _new_state(self, item: LiveBasket) -> BasketState:
        legs = [self._legs.leg(item.partition, item.venue, market_id) for market_id in item.market_ids]
        return BasketState(item, legs, self._config.rules, self._config.edges)

    def _set_markets(self, state: BasketState) -> None:
        listed, venue = self._legs.markets, state.basket.venue
        state.set_markets({name: listed[venue, name] for name in state.basket.market_ids if (venue, name) in listed})
