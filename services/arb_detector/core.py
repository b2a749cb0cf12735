"""The detector without Redis or sockets: quotes, beats, markets and pairs in; opportunities and intents out.

Only pairs that a quote touched are evaluated, plus, by timer, those that wait or are open. Every evaluation of a pair
ends in exactly one counted outcome. Intents leave here unsigned: the key is the shell's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from services.arb_detector import ids, messages
from services.arb_detector.episodes import Episode, EpisodeRules, Step, Watch
from services.arb_detector.pair_state import EdgeLimits, PairState, Unusable
from services.arb_detector.trust import (
    Beat,
    Distrust,
    LegState,
    TrustLimits,
    distrust,
    skewed,
)
from shared.contracts.health import FeedBeat
from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import OpportunityMessage, OpportunityOpened, OpportunityUpdated
from shared.contracts.quotes import QuotesStale, QuoteText
from shared.domain.depth_walk import Walk
from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.domain.numbers import money_dollars
from shared.domain.pair import Direction, Pair, PairId
from shared.runtime.clock import Clock

Emission = OpportunityMessage | HedgedIntent
QuoteInPart = tuple[int, QuoteText | QuotesStale]
"""A message and the partition whose stream it was on."""

_PAIR_GONE = "pair is no longer live"
_RESUME_GRACE_S = 5.0
_LINK_KEPT_S = 60.0
"""A connection that was not heard of for this long is over: each dial has a name of its own."""
_NOT_HEARD_YET = frozenset({Distrust.NO_QUOTE, Distrust.NO_BEAT, Unusable.MARKET_UNKNOWN})
_PASSES_BY_ITSELF = frozenset(
    {
        Distrust.FROM_THE_FUTURE,
        Distrust.NO_BEAT,
        Distrust.BEAT_OLD,
        Distrust.FEED_NOT_LIVE,
        Distrust.EPOCH,
        Distrust.LINK_QUIET,
        Distrust.LAGGING,
        Distrust.SKEW,
    }
)
"""Reasons that a beat, or time alone, can lift: a quiet book would bring no quote to look again."""
_STEPS = tuple(Step)

_LegKey = tuple[int, str, MarketId]


class DetectorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a user can tune."""

    account: str
    edges: EdgeLimits
    trust: TrustLimits
    rules: EpisodeRules
    suspicious_edge_dollars_per_contract: Decimal
    """A gift larger than this is more likely a wrong pair than money: alert, never an intent."""
    intent_ttl_ms: int
    emits_intents: bool


class Detector:
    """All live pairs of this process. Methods return what is to be published, in order."""

    def __init__(self, config: DetectorConfig, clock: Clock, *, random_bits: Callable[[int], int]) -> None:
        self._config = config
        self._clock = clock
        self._random_bits = random_bits
        self._started_s = clock.monotonic_s()
        self._legs: dict[_LegKey, LegState] = {}
        self._pairs_of: dict[_LegKey, list[PairState]] = {}
        self._pairs_with: dict[tuple[Venue, MarketId], list[PairState]] = {}
        self._markets: dict[tuple[Venue, MarketId], Market] = {}
        self._beats: dict[tuple[str, str], tuple[FeedBeat, float]] = {}
        self._heard_s: dict[tuple[str, str], float] = {}
        self._active: dict[PairId, PairState] = {}
        self._out: list[Emission] = []
        self.pairs: dict[PairId, PairState] = {}
        self.funnel: Counter[str] = Counter()
        """Evaluations by outcome; they add up to ``evaluations``."""
        self.evaluations = 0
        self.quotes = 0
        self.coalesced = 0
        """Quotes that a newer one of the same market replaced before they were evaluated."""

    def set_pairs(self, pairs: Mapping[PairId, Pair]) -> list[Emission]:
        """Watch exactly these pairs; episodes of pairs that left or changed are closed."""
        for pair_id, state in tuple(self.pairs.items()):
            if pairs.get(pair_id) != state.pair:
                self._close_all(state, "pair has changed" if pair_id in pairs else _PAIR_GONE)
                self._active.pop(pair_id, None)
                del self.pairs[pair_id]
        for pair_id, pair in pairs.items():
            if pair_id not in self.pairs:
                self.pairs[pair_id] = self._new_state(pair)
        self._index_legs()
        return self._emitted()

    def wanted_markets(self) -> set[tuple[Venue, MarketId]]:
        """Return the markets of live pairs that the catalog has not told about yet."""
        return self._pairs_with.keys() - self._markets.keys()

    def legs(self, *, unheard_only: bool = False) -> list[tuple[int, Venue, MarketId]]:
        """Return the legs of live pairs with their partition; ``unheard_only``: those without a word from a feed."""
        return [
            (part, leg.venue, leg.market_id)
            for (part, _, _), leg in self._legs.items()
            if not (unheard_only and leg.word_ts_ns)
        ]

    def is_market_wanted(self, venue: Venue, market_id: MarketId) -> bool:
        """Return whether a live pair has this market."""
        return (venue, market_id) in self._pairs_with

    def set_market(self, market: Market) -> list[Emission]:
        """Take over what the catalog says about a market and evaluate its pairs."""
        self._markets[market.venue, market.market_id] = market
        return self._market_changed(market.venue, market.market_id)

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
        newest: dict[_LegKey, QuoteText] = {}
        for part, message in entries:
            if isinstance(message, QuoteText):
                self.quotes += 1
                key = (part, message.venue, message.market_id)
                self.coalesced += key in newest
                newest[key] = message
            else:
                self._withdraw(part, message, newest)
        touched: dict[PairId, tuple[PairState, int]] = {}
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        for key, quote in newest.items():
            self._leg(key).take(quote)
            age_s = max(0, now_ns - quote.received_ts_ns) / 1_000_000_000
            self._heard_s[quote.venue, quote.connection] = now_s - age_s
            for state in self._pairs_of.get(key, ()):
                touched[state.pair.pair_id] = state, quote.received_ts_ns
        for state, wire_ts_ns in touched.values():
            self._evaluate(state, wire_ts_ns)
        return self._emitted()

    @property
    def links(self) -> int:
        """How many connections are remembered."""
        return len(self._beats.keys() | self._heard_s.keys())

    def take_books(self, entries: Iterable[QuoteInPart]) -> list[Emission]:
        """Take what the keys of latest books say, where it is newer than what the streams have told."""
        return self.take_quotes([entry for entry in entries if self._is_news(*entry)])

    def take_beat(self, beat: FeedBeat) -> None:
        """Note that a feed's connection is alive, or that it says it is not; timers act on it."""
        link, now_s = (beat.venue.value, beat.connection), self._clock.monotonic_s()
        if link not in self._beats:
            since_s = now_s - _LINK_KEPT_S
            self._beats = {old: heard for old, heard in self._beats.items() if heard[1] > since_s}
            self._heard_s = {old: heard_s for old, heard_s in self._heard_s.items() if heard_s > since_s}
        self._beats[link] = beat, now_s

    def tick(self) -> list[Emission]:
        """Evaluate the pairs that wait or are open: quiet books reach the end of the debounce, lost trust closes."""
        for state in tuple(self._active.values()):
            self._evaluate(state, None)
        return self._emitted()

    def due_s(self) -> float | None:
        """Return when ``tick`` is next needed by what waits, on the monotonic clock; None when nothing does."""
        times_s = (watch.due_s() for state in self._active.values() for watch in state.watches.values())
        return min((due_s for due_s in times_s if due_s is not None), default=None)

    def resume(self, found: Iterable[OpportunityOpened | OpportunityUpdated]) -> list[Emission]:
        """Take over episodes that an earlier process left open; they keep their ids and are not opened again.

        Those of pairs that are no longer live are closed. Call it once, after the first ``set_pairs``.
        """
        for message in found:
            episode = self._resumed(message)
            state = self.pairs.get(message.pair_id)
            if state is None:
                self._say_closed(message.pair_id, message.direction, episode, _PAIR_GONE)
            else:
                state.watches[message.direction].begin(episode)
                self._active[message.pair_id] = state
        return self._emitted()

    def _evaluate(self, state: PairState, wire_ts_ns: int | None) -> None:
        outcome = self._outcome(state, wire_ts_ns)
        self.evaluations += 1
        self.funnel[outcome] += 1
        state.outcome = outcome
        if state.is_idle and not state.is_held_back:
            self._active.pop(state.pair.pair_id, None)
        else:
            self._active[state.pair.pair_id] = state

    def _outcome(self, state: PairState, wire_ts_ns: int | None) -> str:
        kalshi, polymarket, opening = state.kalshi.top, state.polymarket.top, state.opening
        directions: tuple[Direction, ...] = ()
        state.is_held_back = False
        if kalshi is not None and polymarket is not None and opening is not None:
            directions = opening.promising(kalshi, polymarket)
            if not directions and state.is_idle:
                return Step.NO_EDGE
        reason = self._reason_against(state)
        if reason is not None:
            state.is_held_back = bool(directions) and reason in _PASSES_BY_ITSELF
            return self._give_up(state, reason)
        steps = [self._step(state, direction, watch, wire_ts_ns) for direction, watch in state.watches.items()]
        return max(steps, key=_STEPS.index)

    def _reason_against(self, state: PairState) -> Unusable | Distrust | None:
        """Return why the pair must not be acted upon now, or None."""
        now_ns, now_s = self._clock.now_ns(), self._clock.monotonic_s()
        if state.is_expired(now_ns):
            return Unusable.EXPIRED
        if state.unusable is not None:
            return state.unusable
        limits = self._config.trust
        beats = [self._beat(leg) for leg in (state.kalshi, state.polymarket)]
        for leg, beat in zip((state.kalshi, state.polymarket), beats, strict=True):
            reason = distrust(leg, beat, now_s=now_s, now_ns=now_ns, limits=limits)
            if reason is not None:
                return reason
        assert beats[0] is not None
        assert beats[1] is not None
        return Distrust.SKEW if skewed(beats[0], beats[1], limits) else None

    def _step(self, state: PairState, direction: Direction, watch: Watch, wire_ts_ns: int | None) -> Step:
        now_s = self._clock.monotonic_s()
        if watch.episode is not None:
            if watch.may_hold(now_s) and self._is_promising(state, direction, is_open=True):
                return Step.HOLDING
            walk = self._walk(state, direction, is_open=True)
            step = watch.with_episode(walk, now_s)
            if step is Step.CLOSED:
                self._close(state, direction, "edge is gone")
            elif step is Step.UPDATED and walk is not None:
                facts = self._facts(state, direction, walk, watch.episode.opportunity_id, wire_ts_ns)
                self._out.append(messages.updated(facts))
            return step
        walk = self._walk(state, direction, is_open=False)
        step = watch.without_episode(walk, now_s)
        if step is Step.OPENED and walk is not None:
            self._open(state, direction, walk, wire_ts_ns)
        return step

    def _walk(self, state: PairState, direction: Direction, *, is_open: bool) -> Walk | None:
        """Return what a direction offers, None when it is less than opening, or staying open, asks for."""
        if not self._is_promising(state, direction, is_open=is_open):
            return None
        pricing = state.staying if is_open else state.opening
        kalshi, polymarket = state.kalshi.ladders, state.polymarket.ladders
        assert pricing is not None
        assert kalshi is not None
        assert polymarket is not None
        walk = pricing.walk(direction, kalshi, polymarket)
        edges = self._config.edges
        least_dollars = edges.min_edge_dollars * (edges.keep_percent if is_open else 100) / 100
        return walk if walk is not None and money_dollars(walk.edge_e10) >= least_dollars else None

    def _is_promising(self, state: PairState, direction: Direction, *, is_open: bool) -> bool:
        """Return whether the best prices alone leave enough; the walk finds nothing where they do not."""
        pricing = state.staying if is_open else state.opening
        kalshi, polymarket = state.kalshi.ladders, state.polymarket.ladders
        assert pricing is not None
        assert kalshi is not None
        assert polymarket is not None
        return direction in pricing.promising(kalshi, polymarket)

    def _open(self, state: PairState, direction: Direction, walk: Walk, wire_ts_ns: int | None) -> None:
        opportunity_id = ids.new_id(self._clock.now_ms(), self._random_bits)
        facts = self._facts(state, direction, walk, opportunity_id, wire_ts_ns)
        episode = Episode(
            opportunity_id,
            opened_ts_ns=facts.detected_ts_ns,
            edge_e10=walk.edge_e10,
            size_e6=walk.size_e6,
            now_s=self._clock.monotonic_s(),
        )
        state.watches[direction].begin(episode)
        self._out.append(facts)
        if not facts.alert_only:
            config = self._config
            self._out.append(messages.intent(state, facts, account=config.account, ttl_ms=config.intent_ttl_ms))

    def _facts(
        self, state: PairState, direction: Direction, walk: Walk, opportunity_id: str, wire_ts_ns: int | None
    ) -> OpportunityOpened:
        if wire_ts_ns is None:
            quotes = (state.kalshi.quote, state.polymarket.quote)
            wire_ts_ns = max(quote.received_ts_ns for quote in quotes if quote is not None)
        return messages.opened(
            state,
            direction,
            walk,
            opportunity_id=opportunity_id,
            wire_ts_ns=wire_ts_ns,
            detected_ts_ns=self._clock.now_ns(),
            alert_only=self._why_alert_only(state, walk),
        )

    def _why_alert_only(self, state: PairState, walk: Walk) -> str:
        if state.alert_only:
            return state.alert_only
        if not self._config.emits_intents:
            return "this detector has no key to sign intents"
        most_dollars = self._config.suspicious_edge_dollars_per_contract
        if walk.edge_e10 > most_dollars * 10_000 * walk.size_e6:
            return f"more than {most_dollars} per contract is more likely a wrong pair than money"
        return ""

    def _give_up(self, state: PairState, reason: Unusable | Distrust) -> str:
        """Close whatever is open and forget what waited, except for episodes whose feeds have not spoken yet."""
        young = self._clock.monotonic_s() - self._started_s < _RESUME_GRACE_S
        for direction, watch in state.watches.items():
            watch.start_over()
            episode = watch.episode
            if episode is not None and not (episode.is_resumed and young and reason in _NOT_HEARD_YET):
                self._close(state, direction, reason.value)
        return reason.value

    def _close_all(self, state: PairState, reason: str) -> None:
        for direction, watch in state.watches.items():
            if watch.episode is not None:
                self._close(state, direction, reason)

    def _close(self, state: PairState, direction: Direction, reason: str) -> None:
        episode = state.watches[direction].end(self._clock.monotonic_s())
        self._say_closed(state.pair.pair_id, direction, episode, reason)

    def _say_closed(self, pair_id: PairId, direction: Direction, episode: Episode, reason: str) -> None:
        now_ns = self._clock.now_ns()
        self._out.append(messages.closed(pair_id, direction, episode, reason=reason, closed_ts_ns=now_ns))

    def _resumed(self, message: OpportunityOpened | OpportunityUpdated) -> Episode:
        try:
            opened_ts_ns = ids.made_ms(message.opportunity_id) * 1_000_000
        except ValueError:
            opened_ts_ns = message.detected_ts_ns
        episode = Episode(
            message.opportunity_id,
            opened_ts_ns=opened_ts_ns,
            edge_e10=int(message.edge_dollars.scaleb(10)),
            size_e6=int(message.contracts.scaleb(6)),
            now_s=self._clock.monotonic_s(),
        )
        episode.is_resumed = True
        return episode

    def _withdraw(self, part: int, message: QuotesStale, newest: dict[_LegKey, QuoteText]) -> None:
        for market_id in message.market_ids:
            key = (part, message.venue.value, market_id)
            newest.pop(key, None)
            self._leg(key).withdraw(message.published_ts_ns)
            for state in self._pairs_of.get(key, ()):
                self._evaluate(state, None)

    def _is_news(self, part: int, message: QuoteText | QuotesStale) -> bool:
        market_ids = (message.market_id,) if isinstance(message, QuoteText) else message.market_ids
        venue = Venue(message.venue).value
        return all(message.published_ts_ns > self._leg((part, venue, market_id)).word_ts_ns for market_id in market_ids)

    def _market_changed(self, venue: Venue, market_id: MarketId) -> list[Emission]:
        for state in self._pairs_with.get((venue, market_id), ()):
            self._set_markets(state)
            self._evaluate(state, None)
        return self._emitted()

    def _new_state(self, pair: Pair) -> PairState:
        kalshi, polymarket = (
            self._leg((pair.partition, venue.value, pair.market_id(venue)))
            for venue in (Venue.KALSHI, Venue.POLYMARKET)
        )
        state = PairState(pair, kalshi, polymarket, self._config.rules)
        self._set_markets(state)
        return state

    def _set_markets(self, state: PairState) -> None:
        markets = {venue: self._markets.get((venue, state.pair.market_id(venue))) for venue in Venue}
        state.set_markets(markets, self._config.edges)

    def _beat(self, leg: LegState) -> Beat | None:
        quote = leg.quote
        if quote is None:
            return None
        link = (quote.venue, quote.connection)
        found = self._beats.get(link)
        return None if found is None else Beat(*found, self._heard_s.get(link))

    def _leg(self, key: _LegKey) -> LegState:
        leg = self._legs.get(key)
        if leg is None:
            leg = self._legs[key] = LegState(Venue(key[1]), key[2])
        return leg

    def _index_legs(self) -> None:
        """Know which pairs a leg touches, and forget the legs and markets of none."""
        self._pairs_of, self._pairs_with = {}, {}
        for state in self.pairs.values():
            for leg in (state.kalshi, state.polymarket):
                key = (state.pair.partition, leg.venue.value, leg.market_id)
                self._pairs_of.setdefault(key, []).append(state)
                self._pairs_with.setdefault((leg.venue, leg.market_id), []).append(state)
        self._legs = {key: leg for key, leg in self._legs.items() if key in self._pairs_of}
        self._markets = {key: market for key, market in self._markets.items() if key in self._pairs_with}

    def _emitted(self) -> list[Emission]:
        out, self._out = self._out, []
        return out
