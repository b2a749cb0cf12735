"""The detector without Redis or sockets: quotes, beats, markets and pairs in; opportunities and intents out.

Only pairs that a quote touched are evaluated, plus, by timer, those that wait or are open. Intents leave here unsigned:
the key is the shell's.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from services.arb_detector.config import DetectorConfig
from services.arb_detector.evaluator import PAIR_CHANGED, PAIR_GONE, Emission, Evaluator
from services.arb_detector.legs import LegKey, Legs, QuoteInPart
from services.arb_detector.links import Links
from services.arb_detector.pair_state import PairState
from services.arb_detector.sentinel import why_diverged
from services.arb_detector.standing import Standings
from shared.contracts.funnel import PairDiverged
from shared.contracts.health import FeedBeat
from shared.contracts.opportunities import OpportunityOpened, OpportunityUpdated
from shared.contracts.quotes import QuoteRaw, QuotesStale
from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.domain.pair import Pair, PairId
from shared.runtime.clock import Clock


class Detector:
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
        self._config = config
        self._say = say
        self._clock = clock
        self._links = Links(clock)
        self._legs = Legs()
        self._evaluator = Evaluator(config, self._links, clock, random_bits=random_bits)
        self._standings = Standings(config, self._links, clock)
        self._markets: dict[tuple[Venue, MarketId], Market] = {}
        self.pairs: dict[PairId, PairState] = {}
        self.quotes = 0
        self.coalesced = 0
        """Quotes that a newer one of the same market replaced before they were evaluated."""

    @property
    def evaluations(self) -> int:
        """How often a pair was evaluated."""
        return self._evaluator.evaluations

    @property
    def funnel(self) -> Counter[str]:
        """Evaluations by outcome; they add up to ``evaluations``."""
        return self._evaluator.funnel

    @property
    def links(self) -> int:
        """How many connections are remembered."""
        return len(self._links)

    def set_pairs(self, pairs: Mapping[PairId, Pair]) -> list[Emission]:
        """Watch exactly these pairs; episodes of pairs that left or changed are closed.

        A pair whose legs have both been heard already is evaluated: quiet books would give no other cause.
        """
        for pair_id, state in tuple(self.pairs.items()):
            if pairs.get(pair_id) != state.pair:
                reason = PAIR_CHANGED if pair_id in pairs else PAIR_GONE
                self._evaluator.close_all(state, reason)
                if pair_id not in pairs:
                    self._evaluator.out.append(self._standings.last(state, reason))
                self._remove(state)
        new = [self._new_state(pair) for pair_id, pair in pairs.items() if pair_id not in self.pairs]
        self.pairs.update((state.pair.pair_id, state) for state in new)
        self._index()
        for state in new:
            if state.kalshi.word and state.polymarket.word:
                self._evaluator.evaluate(state, None)
        return self._emitted()

    def unfamiliar(self, pairs: Mapping[PairId, Pair]) -> list[PairId]:
        """Return which of these are not watched, or not as they are now."""
        return [
            pair_id for pair_id, pair in pairs.items() if pair_id not in self.pairs or self.pairs[pair_id].pair != pair
        ]

    def leave(self, parts: Collection[int]) -> None:
        """Another process has these partitions now: forget their pairs and say nothing, for their episodes go on."""
        theirs = [state for state in self.pairs.values() if state.pair.partition in parts] if parts else []
        for state in theirs:
            self._evaluator.forget(state)
            self._remove(state)
        self._legs.leave(parts)
        if theirs:
            self._index()

    def wanted_markets(self) -> set[tuple[Venue, MarketId]]:
        """Return the markets of live pairs that the catalog has not told about yet."""
        return self._legs.unlisted(self._markets)

    def legs(self, *, unheard_only: bool = False) -> list[tuple[int, Venue, MarketId]]:
        """Return the legs of live pairs with their partition; ``unheard_only``: those without a word from a feed."""
        return self._legs.places(unheard_only=unheard_only)

    def is_market_wanted(self, venue: Venue, market_id: MarketId) -> bool:
        """Return whether a live pair has this market."""
        return self._legs.is_wanted(venue, market_id)

    def set_market(self, market: Market) -> list[Emission]:
        """Take over what the catalog says about a market and evaluate its pairs."""
        self._markets[market.venue, market.market_id] = market
        for state in self._legs.pairs_with(market.venue, market.market_id):
            self._set_markets(state)
            self._evaluator.evaluate(state, None)
        return self._emitted()

    def close_market(self, venue: Venue, market_id: MarketId) -> list[Emission]:
        """A market trades no more: its pairs are closed."""
        known = self._markets.get((venue, market_id))
        if known is None:
            return []
        return self.set_market(msgspec.structs.replace(known, status=MarketStatus.CLOSED))

    def take_quotes(self, entries: Iterable[QuoteInPart]) -> list[Emission]:
        """Take a batch in stream order and evaluate the pairs that it touched, each once with the newest quotes.

        A withdrawal acts at once, even when a newer quote follows in the same batch.
        """
        newest: dict[LegKey, QuoteRaw] = {}
        for part, message in entries:
            if isinstance(message, QuoteRaw):
                self.quotes += 1
                key = (part, message.venue, message.market_id)
                self.coalesced += key in newest
                newest[key] = message
            else:
                self._withdraw(part, message, newest)
        touched: dict[PairId, tuple[PairState, int]] = {}
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        for key, quote in newest.items():
            taken_s = now_s - (now_ns - quote.received_ts_ns) / 1_000_000_000
            self._legs.leg(key).take(quote, not_before_s=taken_s)
            self._links.take_quote(quote, heard_s=min(taken_s, now_s))
            for state in self._legs.pairs_of(key):
                touched[state.pair.pair_id] = state, quote.received_ts_ns
        for state, wire_ts_ns in touched.values():
            self._evaluator.evaluate(state, wire_ts_ns)
            if self._say is not None and self._evaluator.out:
                self._say(self._emitted())
        return self._emitted()

    def take_books(self, entries: Iterable[QuoteInPart]) -> list[Emission]:
        """Take what the keys of latest books say, where it is newer than what the streams have told."""
        return self.take_quotes([entry for entry in entries if self._legs.is_news(*entry)])

    def take_beat(self, beat: FeedBeat) -> None:
        """Note that a feed's connection is alive, or that it says it is not; timers act on it."""
        self._links.take_beat(beat)

    def tick(self) -> list[Emission]:
        """Evaluate the pairs that wait or are open: quiet books reach the end of the debounce, lost trust closes."""
        for state in tuple(self._evaluator.active.values()):
            self._evaluator.evaluate(state, None)
        return self._emitted()

    def due_s(self) -> float | None:
        """Return when ``tick`` is next needed by what waits, on the monotonic clock; None when nothing does."""
        times_s = [state.due_s() for state in self._evaluator.waiting.values()]
        return min((due_s for due_s in times_s if due_s is not None), default=None)

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
        for state in self._standings.next(self.pairs, self._evaluator.changed, at_once):
            self._evaluator.evaluate(state, None)
            if self._evaluator.reason_against(state) is None:
                diverged = self._standings.look_for_divergence(state)
                if diverged is not None:
                    self._evaluator.out.append(diverged)
                    self.set_diverged([diverged])
            self._evaluator.out.append(self._standings.of(state))
        return self._emitted()

    def _withdraw(self, part: int, message: QuotesStale, newest: dict[LegKey, QuoteRaw]) -> None:
        for market_id in message.market_ids:
            key = (part, message.venue.value, market_id)
            newest.pop(key, None)
            self._legs.leg(key).withdraw(message)
            for state in self._legs.pairs_of(key):
                self._evaluator.evaluate(state, None)

    def _new_state(self, pair: Pair) -> PairState:
        kalshi, polymarket = (
            self._legs.leg((pair.partition, venue.value, pair.market_id(venue)))
            for venue in (Venue.KALSHI, Venue.POLYMARKET)
        )
        state = PairState(pair, kalshi, polymarket, self._config.rules)
        self._set_markets(state)
        return state

    def _set_markets(self, state: PairState) -> None:
        markets = {venue: self._markets.get((venue, state.pair.market_id(venue))) for venue in Venue}
        state.set_markets(markets, self._config.edges)

    def _remove(self, state: PairState) -> None:
        del self.pairs[state.pair.pair_id]

    def _index(self) -> None:
        """Know which pairs a leg touches, and forget the legs and markets of none."""
        self._legs.index(self.pairs.values())
        self._markets = {key: market for key, market in self._markets.items() if self._legs.is_wanted(*key)}

    def _emitted(self) -> list[Emission]:
        out, self._evaluator.out = self._evaluator.out, []
        return out
