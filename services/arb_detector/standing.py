"""Where each pair stands: what its last evaluation came to, with the figures behind it, for whoever asks why."""

from services.arb_detector.config import DetectorConfig
from services.arb_detector.evidence import leg_standing, shown_edge_dollars
from services.arb_detector.links import Links
from services.arb_detector.pair_state import PairState
from services.arb_detector.trust import LegState, distrust
from shared.contracts.funnel import DirectionStanding, LegStanding, PairDiverged, PairStanding
from shared.domain.pair import Direction
from shared.runtime.clock import Clock


class Standings:
    """Tells where a pair stands."""

    def __init__(self, config: DetectorConfig, links: Links, clock: Clock) -> None:
        self._config = config
        self._links = links
        self._clock = clock

    def of(self, state: PairState) -> PairStanding:
        """Return where a pair stands now."""
        now_ns = self._clock.now_ns()
        return self._told(state, state.tally.outcome, state.tally.tell(now_ns), now_ns)

    def last(self, state: PairState, reason: str) -> PairStanding:
        """Return the last word about a pair that is no longer watched."""
        now_ns = self._clock.now_ns()
        return self._told(state, reason, now_ns, now_ns)

    def look_for_divergence(self, state: PairState) -> PairDiverged | None:
        """Note how far apart the prices of a trusted pair are; return what there is to tell, once per version."""
        rules, now_s = self._config.sentinel, self._clock.monotonic_s()
        edges = [(edge_e18, direction) for direction in Direction if (edge_e18 := _edge_e18(state, direction))]
        edge_e18, direction = max(edges, default=(0, Direction.YES_KALSHI_NO_POLYMARKET))
        apart = state.apart
        if edge_e18 < rules.edge_dollars_per_contract.scaleb(18):
            apart.end()
            return None
        apart.note(direction, edge_e18, now_s)
        lasted_s = now_s - apart.since_s
        if state.diverged or lasted_s < rules.after_s:
            return None
        now_ns = self._clock.now_ns()
        return PairDiverged(
            pair_id=state.pair.pair_id,
            pair_version=state.version,
            direction=direction,
            edge_dollars_per_contract=shown_edge_dollars(edge_e18),
            least_dollars_per_contract=shown_edge_dollars(apart.least_e18),
            since_ts_ns=now_ns - int(lasted_s * 1_000_000_000),
            diverged_ts_ns=now_ns,
            legs=self._legs(state),
        )

    def _told(self, state: PairState, reason: str, since_ts_ns: int, now_ns: int) -> PairStanding:
        asked, now_s = self._config.edges, self._clock.monotonic_s()
        return PairStanding(
            pair_id=state.pair.pair_id,
            pair_version=state.version,
            title=state.pair.title,
            reason=str(reason),
            since_ts_ns=since_ts_ns,
            as_of_ts_ns=now_ns,
            evaluations=state.tally.counts.total(),
            reasons=state.tally.reasons,
            asked_dollars_per_contract=asked.least_dollars_per_contract(is_open=False),
            asked_dollars=asked.least_dollars(is_open=False),
            alert_only=state.why_alert_only,
            legs=self._legs(state),
            directions=tuple(_direction(state, direction, now_s) for direction in Direction),
        )

    def _legs(self, state: PairState) -> tuple[LegStanding, ...]:
        return tuple(self._leg(leg) for leg in state.leg_states)

    def _leg(self, leg: LegState) -> LegStanding:
        now_s, beat = self._clock.monotonic_s(), self._links.beat_of(leg)
        reason = distrust(leg, beat, now_s=now_s, limits=self._config.trust)
        return leg_standing(leg, beat, "" if reason is None else reason.value, now_s=now_s)


def _direction(state: PairState, direction: Direction, now_s: float) -> DirectionStanding:
    watch, edge_e18 = state.watches[direction], _edge_e18(state, direction)
    return DirectionStanding(
        direction=direction,
        edge_dollars_per_contract=None if edge_e18 is None else shown_edge_dollars(edge_e18),
        opportunity_id="" if watch.episode is None else watch.episode.opportunity_id,
        waited_ms=int(watch.waited_s(now_s) * 1_000),
    )


def _edge_e18(state: PairState, direction: Direction) -> int | None:
    kalshi, polymarket = state.kalshi.top, state.polymarket.top
    if state.opening is None or kalshi is None or polymarket is None:
        return None
    return state.opening.first_contract_e18(direction, kalshi, polymarket)
