"""The detector without Redis or sockets: quotes, beats, markets and pairs in; opportunities and intents out.

Only pairs that a quote touched are evaluated, plus, by timer, those that wait or are open. Intents leave here unsigned:
the key is the shell's.
"""

from collections.abc import Callable, Iterable, Mapping

from services.arb_detector.config import DetectorConfig
from services.arb_detector.evaluator import PAIR_CHANGED, PAIR_GONE, Emission, Evaluator
from services.arb_detector.legs import Legs
from services.arb_detector.links import Links
from services.arb_detector.pair_state import PairState
from services.arb_detector.sentinel import why_diverged
from services.arb_detector.sources import OpportunitySource
from services.arb_detector.standing import Standings
from shared.contracts.funnel import PairDiverged
from shared.contracts.opportunities import OpportunityOpened, OpportunityUpdated
from shared.domain.market import Venue
from shared.domain.pair import Pair, PairId
from shared.runtime.clock import Clock


class Detector(OpportunitySource[PairId, Pair, PairState, Emission]):
    """All live pairs of this process. Methods return what is to be published, in order."""

    def __init__(
        self,
        config: DetectorConfig,
        clock: Clock,
        *,
        random_bits: Callable[[int], int],
        say: Callable[[list[Emission]], None] | None = None,
    ) -> None:
        """``say`` gets what a quote leads to pair by pair, so that no intent waits for the rest of a batch."""
        links = Links(clock)
        legs: Legs[PairState] = Legs(links, clock, keeps_unknown=True)
        self._config = config
        self._evaluator = Evaluator(config, links, clock, random_bits=random_bits)
        self._standings = Standings(config, links, clock)
        super().__init__(self._evaluator, self._standings, legs, links, say=say)
        self.pairs = self.watched

    @property
    def quotes(self) -> int:
        """How many quotes were taken."""
        return self._legs.quotes

    @property
    def coalesced(self) -> int:
        """Quotes that a newer one of the same market replaced before they were evaluated."""
        return self._legs.coalesced

    @property
    def links(self) -> int:
        """How many connections are remembered."""
        return len(self._links)

    def set_pairs(self, pairs: Mapping[PairId, Pair]) -> list[Emission]:
        """Watch exactly these pairs; episodes of pairs that left or changed are closed."""
        return self._watch(pairs, gone=PAIR_GONE, changed=PAIR_CHANGED)

    def unfamiliar(self, pairs: Mapping[PairId, Pair]) -> list[PairId]:
        """Return which of these are not watched, or not as they are now."""
        return [
            pair_id for pair_id, pair in pairs.items() if pair_id not in self.pairs or self.pairs[pair_id].pair != pair
        ]

    def resume(self, found: Iterable[OpportunityOpened | OpportunityUpdated]) -> list[Emission]:
        """Take over episodes that another process left open; they keep their ids and are not opened again.

        Those of pairs that are no longer live are closed. Call it after ``set_pairs`` made their pairs live.
        """
        for message in found:
            self._evaluator.resume(self.pairs.get(message.pair_id), message)
        return self._emitted()

    def set_diverged(self, found: Iterable[PairDiverged]) -> None:
        """Take over what a sentinel found about pairs that are here; under another version they were reviewed since."""
        for message in found:
            state = self.pairs.get(message.pair_id)
            if state is not None and state.version == message.pair_version:
                state.diverged = why_diverged(message)

    def sweep(self, at_once: int = 100) -> list[Emission]:
        """Look at some pairs in turn, touched or not: tell where they stand, and which have diverged.

        ``at_once`` of those whose reason has changed and as many others: about a hundred each second, in portions that
        no quote has to wait long behind.
        """
        for state in self._cases.next(self.pairs, at_once):
            self._evaluator.evaluate(state, None)
            if self._evaluator.reason_against(state) is None:
                diverged = self._standings.look_for_divergence(state)
                if diverged is not None:
                    self._evaluator.out.append(diverged)
                    self.set_diverged([diverged])
            self._evaluator.out.append(self._standings.of(state))
        return self._emitted()

    def _new_state(self, item: Pair) -> PairState:
        kalshi, polymarket = (
            self._legs.leg(item.partition, venue, item.market_id(venue)) for venue in (Venue.KALSHI, Venue.POLYMARKET)
        )
        return PairState(item, kalshi, polymarket, self._config.rules)

    def _set_markets(self, state: PairState) -> None:
        markets = {venue: self._legs.markets.get((venue, state.pair.market_id(venue))) for venue in Venue}
        state.set_markets(markets, self._config.edges)
