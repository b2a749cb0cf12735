"""Where each basket stands: what its last evaluation came to, with the figures behind it, for whoever asks why."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from services.arb_detector.basket_evaluator import BasketEvaluator
from services.arb_detector.basket_state import BasketLeg, BasketState
from services.arb_detector.config import DetectorConfig
from services.arb_detector.links import Links
from shared.contracts.baskets import BasketStanding
from shared.contracts.funnel import LegStanding
from shared.domain.book import LevelE
from shared.domain.numbers import price_dollars, size_contracts
from shared.runtime.clock import Clock

_EDGE_STEP = Decimal("0.000001")


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
            reason=reason,
            since_ts_ns=since_ts_ns,
            as_of_ts_ns=now_ns,
            evaluations=state.tally.counts.total(),
            reasons=tuple((str(name), count) for name, count in state.tally.counts.most_common()),
            asked_dollars_per_contract=asked.least_dollars_per_contract(is_open=False),
            asked_dollars=asked.least_dollars(is_open=False),
            alert_only=state.alert_only,
            legs=tuple(self._leg(state, leg) for leg in state.legs),
            edge_dollars_per_contract=None if edge_e18 is None else _dollars(edge_e18),
            opportunity_id="" if watch.episode is None else watch.episode.opportunity_id,
            waited_ms=int(watch.waited_s(self._clock.monotonic_s()) * 1_000),
        )

    def _leg(self, state: BasketState, leg: BasketLeg) -> LegStanding:
        now_s, beat, quote = self._clock.monotonic_s(), self._links.beat_of(leg.state), leg.state.quote
        distrust = self._evaluator.distrusted(leg)
        reason = "market is not open" if leg.terms is None else "" if distrust is None else distrust.value
        top = leg.state.top
        return LegStanding(
            venue=state.basket.venue,
            market_id=leg.member.market_id,
            reason=reason,
            yes_bid=_best(top.yes_bids) if top else None,
            yes_ask=_best(top.yes_asks) if top else None,
            verified="" if quote is None else quote.verified,
            connection="" if quote is None else quote.connection,
            quote_received_ts_ns=0 if quote is None else quote.received_ts_ns,
            beat_age_ms=-1 if beat is None else int((now_s - beat.read_s) * 1_000),
            frame_age_ms=-1 if beat is None else max(0, int((now_s - beat.verified_s) * 1_000)),
            lag_ms=0 if beat is None else beat.message.lag_ms,
        )


def _best(levels: Sequence[LevelE]) -> tuple[Decimal, Decimal] | None:
    return (price_dollars(levels[0][0]), size_contracts(levels[0][1])) if levels else None


def _dollars(edge_e18: int) -> Decimal:
    return Decimal(edge_e18).scaleb(-18).quantize(_EDGE_STEP, rounding=ROUND_FLOOR)
