"""One evaluation of one pair: may its legs be believed, is there an edge, and what follows for its episodes.

Every evaluation ends in exactly one counted outcome. What is to be said is gathered in ``out``, in order.
"""

from collections.abc import Callable
from decimal import Decimal

from services.arb_detector import ids, messages
from services.arb_detector.caseload import Caseload
from services.arb_detector.config import DetectorConfig
from services.arb_detector.episodes import Episode, Step, Watch
from services.arb_detector.evidence import e6, e10, resumed
from services.arb_detector.links import Links
from services.arb_detector.opening_text import Opening, OpeningFacts
from services.arb_detector.pair_state import PairState, Unusable
from services.arb_detector.ration import Ration
from services.arb_detector.trust import NOT_HEARD_YET, PASSES_BY_ITSELF, Distrust, distrust, skewed
from shared.contracts.funnel import PairDiverged, PairStanding
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened, OpportunityUpdated
from shared.domain.arbitrage import may_earn_e10, result_of
from shared.domain.depth_legs import E24_PER_E10, Walk
from shared.domain.depth_near import settled
from shared.domain.numbers import money_dollars
from shared.domain.pair import Direction, PairId
from shared.domain.returns import RETURN_DIGITS, annualised_e6, in_days
from shared.runtime.clock import Clock

Emission = Opening | OpportunityUpdated | OpportunityClosed | PairStanding | PairDiverged

PAIR_GONE = "pair is no longer live"
PAIR_CHANGED = "pair has changed"
_NOT_HEARD_YET = NOT_HEARD_YET | {Unusable.MARKET_UNKNOWN}
_STEPS = tuple(Step)
_TOO_MANY = "too many intents in the last minute"


class Evaluator:
    """Judges pairs one at a time."""

    def __init__(
        self, config: DetectorConfig, links: Links, clock: Clock, *, random_bits: Callable[[int], int]
    ) -> None:
        self._config = config
        self._links = links
        self._clock = clock
        self._random_bits = random_bits
        self._suspicious_e18 = int(config.suspicious_edge_dollars_per_contract.scaleb(18))
        self._ration = Ration(per_minute=config.max_intents_per_minute, per_pair=config.max_intents_per_pair)
        self.cases: Caseload[PairId, PairState] = Caseload()
        self.out: list[Emission] = []

    def evaluate(self, state: PairState, wire_ts_ns: int | None) -> None:
        """Judge a pair now; ``wire_ts_ns`` is the stamp of the frame that gave cause, None when time did."""
        self.cases.note(state, self._outcome(state, wire_ts_ns))

    def reason_against(self, state: PairState) -> Unusable | Distrust | None:
        """Return why a pair must not be acted upon now, or None."""
        if state.is_expired(self._clock.now_ns()):
            return Unusable.EXPIRED
        if state.unusable is not None:
            return state.unusable
        limits, now_s = self._config.trust, self._clock.monotonic_s()
        beats = [self._links.beat_of(leg) for leg in state.leg_states]
        for leg, beat in zip(state.leg_states, beats, strict=True):
            reason = distrust(leg, beat, now_s=now_s, limits=limits)
            if reason is not None:
                return reason
        assert beats[0] is not None
        assert beats[1] is not None
        return Distrust.SKEW if skewed(beats[0], beats[1], limits) else None

    def close(self, state: PairState, reason: str) -> None:
        """A pair is over: close what is open."""
        self.cases.drop(state)
        for direction, watch in state.watches.items():
            if watch.episode is not None:
                self._close(state, direction, reason)

    def resume(self, state: PairState | None, message: OpportunityOpened | OpportunityUpdated) -> None:
        """Take over an episode that another process left open; one of a pair that is gone or changed is closed."""
        episode = resumed(message, now_s=self._clock.monotonic_s())
        if state is None or state.version != message.pair_version:
            self._say_closed(message.pair_id, message.direction, episode, PAIR_GONE if state is None else PAIR_CHANGED)
            return
        state.watches[message.direction].begin(episode)
        self.cases.active[state.key] = state

    def _outcome(self, state: PairState, wire_ts_ns: int | None) -> str:
        kalshi, polymarket, opening = state.kalshi.top, state.polymarket.top, state.opening
        directions: tuple[Direction, ...] = ()
        state.is_held_back = False
        if kalshi is not None and polymarket is not None and opening is not None:
            directions = opening.promising(kalshi, polymarket)
            if not directions and state.is_idle:
                return Step.NO_EDGE
        reason = self.reason_against(state)
        if reason is not None:
            state.is_held_back = bool(directions) and reason in PASSES_BY_ITSELF
            return self._give_up(state, reason)
        steps = [self._step(state, direction, watch, wire_ts_ns) for direction, watch in state.watches.items()]
        return max(steps, key=_STEPS.index)

    def _step(self, state: PairState, direction: Direction, watch: Watch, wire_ts_ns: int | None) -> Step:
        now_s = self._clock.monotonic_s()
        episode = watch.episode
        if episode is None:
            walk = self._walk(state, direction, is_open=False)
            step = watch.without_episode(walk, now_s)
            if step is Step.OPENED and walk is not None:
                return self._open(state, direction, walk, wire_ts_ns)
            return step
        if watch.may_hold(now_s) and self._is_promising(state, direction, is_open=True):
            return Step.HOLDING
        walk = self._walk(state, direction, is_open=True)
        step = watch.with_episode(walk, now_s)
        if step is Step.CLOSED:
            self._close(state, direction, "edge is gone")
        elif step is Step.UPDATED and walk is not None:
            self._update(state, direction, walk, episode, wire_ts_ns)
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
        if walk is None:
            return None
        least_dollars = self._config.edges.least_dollars(is_open=is_open)
        if money_dollars(walk.edge_e10) >= least_dollars:
            return walk
        if money_dollars(may_earn_e10(walk)) < least_dollars:
            return None
        exact = result_of(walk, direction, pricing.orientation)
        return walk if exact.edge_dollars >= least_dollars else None

    def _is_promising(self, state: PairState, direction: Direction, *, is_open: bool) -> bool:
        """Return whether the best prices alone leave enough; the walk finds nothing where they do not."""
        pricing = state.staying if is_open else state.opening
        kalshi, polymarket = state.kalshi.ladders, state.polymarket.ladders
        assert pricing is not None
        assert kalshi is not None
        assert polymarket is not None
        return direction in pricing.promising(kalshi, polymarket)

    def _open(self, state: PairState, direction: Direction, walk: Walk, wire_ts_ns: int | None) -> Step:
        """Open an episode at the exact best size. Every line here is time in which the edge can go."""
        now_ns, now_s = self._clock.now_ns(), self._clock.monotonic_s()
        exact, text, watch = settled(walk), state.text, state.watches[direction]
        assert text is not None
        edge_e10, new_id = exact.edge_e10, ids.new_id(now_ns // 1_000_000, self._random_bits)
        episode = watch.episode_of(new_id, exact, now_ns=now_ns, now_s=now_s)
        days_e2 = state.days_e2(now_ns)
        earns_e6 = annualised_e6(edge_e10, sum(exact.outlays_e10), days_e2)
        alert_only, step = self._why_alert_only(state, edge_e10, exact.size_e6, earns_e6), Step.OPENED
        if not alert_only:
            if self._ration.allows(state.pair.pair_id, now_s):
                self._ration.note(state.pair.pair_id, now_s)
            else:
                alert_only, step = _TOO_MANY, Step.RATIONED
        facts = OpeningFacts(
            wire_ts_ns=self._wire_ts_ns(state, wire_ts_ns),
            detected_ts_ns=self._clock.now_ns(),
            days_e2=days_e2,
            annualised_e6=earns_e6,
            alert_only=alert_only,
            account=self._config.account,
            intent_ttl_ms=self._config.intent_ttl_ms,
        )
        episode.alert_only = alert_only
        watch.begin(episode)
        self.out.append(text.opening(direction, exact, state.leg_states, episode, facts))
        return step

    def _update(
        self, state: PairState, direction: Direction, walk: Walk, episode: Episode, wire_ts_ns: int | None
    ) -> None:
        now_ns, pricing = self._clock.now_ns(), state.staying
        assert pricing is not None
        days_e2 = state.days_e2(now_ns)
        days = in_days(days_e2)
        result = result_of(walk, direction, state.pair.orientation, days_to_payout=days)
        edge_e10, size_e6 = e10(result.edge_dollars), e6(result.contracts)
        episode.note_told(edge_e10, size_e6)
        earns_e6 = annualised_e6(edge_e10, e10(result.capital_dollars), days_e2)
        self.out.append(
            messages.updated(
                state,
                result,
                episode,
                wire_ts_ns=self._wire_ts_ns(state, wire_ts_ns),
                detected_ts_ns=now_ns,
                alert_only=self._why_alert_only(state, edge_e10, size_e6, earns_e6) or episode.alert_only,
                days_to_payout=days,
                limits=pricing.limits,
            )
        )

    def _wire_ts_ns(self, state: PairState, wire_ts_ns: int | None) -> int:
        """Return the stamp of the frame that gave cause; when time did, of the newest that there is."""
        if wire_ts_ns is not None:
            return wire_ts_ns
        return max(leg.quote.received_ts_ns for leg in state.leg_states if leg.quote is not None)

    def _why_alert_only(self, state: PairState, edge_e10: int, size_e6: int, earns_e6: int | None) -> str:
        if state.why_alert_only:
            return state.why_alert_only
        config = self._config
        if not config.emits_intents:
            return "this detector has no key to sign intents"
        if edge_e10 * E24_PER_E10 > self._suspicious_e18 * size_e6:
            most_dollars = config.suspicious_edge_dollars_per_contract
            return f"more than {most_dollars} per contract is more likely a wrong pair than money"
        hurdle = config.edges.hurdle_rate
        if hurdle and earns_e6 is not None:
            earns = Decimal(earns_e6).scaleb(-RETURN_DIGITS)
            if earns < hurdle:
                return f"earns {earns} a year on its capital, less than {hurdle}"
        return ""

    def _give_up(self, state: PairState, reason: Unusable | Distrust) -> str:
        """Close whatever is open and forget what waited, except for episodes whose feeds have not spoken yet."""
        now_s = self._clock.monotonic_s()
        for direction, watch in state.watches.items():
            watch.start_over()
            episode = watch.episode
            if episode is None:
                continue
            if not (reason in _NOT_HEARD_YET and episode.is_just_resumed(now_s)):
                self._close(state, direction, reason.value)
        return reason.value

    def _close(self, state: PairState, direction: Direction, reason: str) -> None:
        episode = state.watches[direction].end(self._clock.monotonic_s())
        self._say_closed(state.pair.pair_id, direction, episode, reason)

    def _say_closed(self, pair_id: PairId, direction: Direction, episode: Episode, reason: str) -> None:
        now_ns = self._clock.now_ns()
        self.out.append(messages.closed(pair_id, direction, episode, reason=reason, closed_ts_ns=now_ns))
