"""Where each basket stands: what its last evaluation came to, with the figures behind it, for whoever asks why."""

from services.arb_detector.basket_evaluator import BasketEvaluator
from services.arb_detector.basket_state import BasketLeg, BasketState
from services.arb_detector.config import DetectorConfig
from services.arb_detector.evidence import leg_standing, shown_edge_dollars
from services.arb_detector.links import Links
from shared.contracts.baskets import BasketStanding
from shared.contracts.funnel import LegStanding
from shared.runtime.clock import Clock


class BasketStandings:
    """Tells where a basket stands."""

    def __init__(self, config: DetectorConfig, links: Links, evaluator: BasketEvaluator, clock: Clock) -> None:
        self._config = config
        self._links = links
        self._evaluator = evaluator
        self._clock = clock

    def of(self, state: BasketState) -> BasketStanding:
        """Return where a basket stands now."""
        now_ns = self._clock.now_ns()
        return self._told(state, state.in_full(state.tally.outcome), state.tally.tell(now_ns), now_ns)

    def last(self, state: BasketState, reason: str) -> BasketStanding:
        """Return the last word about a basket that is no longer watched."""
        now_ns = self._clock.now_ns()
        return self._told(state, reason, now_ns, now_ns)

    def _told(self, state: BasketState, reason: str, since_ts_ns: int, now_ns: int) -> BasketStanding:
        asked, watch = self._config.edges, state.watch
        edge_e18 = state.first_contract_e18(state.quoted())
        return BasketStanding(
            basket_id=state.basket.basket_id,
            basket_version=state.basket.version,
            title=state.basket.title,
            reason=str(reason),
            since_ts_ns=since_ts_ns,
            as_of_ts_ns=now_ns,
            evaluations=state.tally.counts.total(),
            reasons=state.tally.reasons,
            asked_dollars_per_contract=asked.least_dollars_per_contract(is_open=False),
            asked_dollars=asked.least_dollars(is_open=False),
            alert_only=state.alert_only,
            legs=tuple(self._leg(leg) for leg in state.legs),
            edge_dollars_per_contract=None if edge_e18 is None else shown_edge_dollars(edge_e18),
            opportunity_id="" if watch.episode is None else watch.episode.opportunity_id,
            waited_ms=int(watch.waited_s(self._clock.monotonic_s()) * 1_000),
        )

    def _leg(self, leg: BasketLeg) -> LegStanding:
        distrust = self._evaluator.distrusted(leg)
        reason = "market is not open" if leg.terms is None else "" if distrust is None else distrust.value
        return leg_standing(leg.state, self._links.beat_of(leg.state), reason, now_s=self._clock.monotonic_s())
