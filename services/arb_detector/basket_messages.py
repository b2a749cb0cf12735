"""What the detector says of baskets: the evidence of an episode, enough to price it again offline."""

from decimal import Decimal

import msgspec

from services.arb_detector.basket_state import BasketLeg, BasketState, Found
from services.arb_detector.episodes import Episode
from services.arb_detector.evidence import capturable_dollars, leg_evidence
from shared.contracts.baskets import BasketClosed, BasketOpened, BasketUpdated
from shared.contracts.opportunities import LegEvidence
from shared.domain.arbitrage import Limits
from shared.domain.legs import LegResult
from shared.domain.live_basket import BasketId
from shared.domain.numbers import money_dollars, size_contracts


def opened(
    state: BasketState,
    found: Found,
    episode: Episode,
    *,
    wire_ts_ns: int | None,
    detected_ts_ns: int,
    limits: Limits,
) -> BasketOpened:
    """Describe what a basket's present legs offer; ``limits`` are what it was priced against."""
    basket, event, result = state.basket, state.event, found.result
    assert event is not None
    by_id = {leg.member.market_id: leg for leg in state.legs}
    bought = [(by_id[claim.market_id], leg) for claim, leg in result.legs]
    quotes = [leg.state.quote for leg, _ in bought]
    return BasketOpened(
        opportunity_id=episode.opportunity_id,
        basket_id=basket.basket_id,
        basket_version=basket.version,
        kind=basket.kind,
        venue=basket.venue,
        event_id=basket.event_id,
        title=basket.title,
        source=basket.source,
        assumes=result.basket.assumes,
        mutually_exclusive=event.mutually_exclusive,
        neg_risk=event.neg_risk,
        neg_risk_augmented=event.neg_risk_augmented,
        event_market_count=len(event.market_ids),
        contracts=result.contracts,
        cost_dollars=result.cost_dollars,
        fee_dollars=result.fee_dollars,
        payout_dollars=result.payout_dollars,
        edge_dollars=result.edge_dollars,
        haircut_dollars=result.haircut_dollars,
        capital_dollars=result.capital_dollars,
        max_capital_dollars=state.max_capital_dollars,
        days_to_payout=found.days_to_payout,
        annualised_return=result.annualised_return,
        void_haircut_dollars_per_contract=limits.void_haircut_dollars_per_contract,
        min_edge_dollars_per_contract=limits.min_edge_dollars_per_contract,
        legs=tuple(_evidence(leg, filled) for leg, filled in bought),
        labels=tuple(leg.member.label for leg, _ in bought),
        wire_ts_ns=wire_ts_ns or max(quote.received_ts_ns for quote in quotes if quote is not None),
        detected_ts_ns=detected_ts_ns,
        seen_ts_ns=episode.seen_ts_ns,
        opened_ts_ns=episode.opened_ts_ns,
        peak_edge_dollars=money_dollars(episode.peak_edge_e10),
        peak_contracts=size_contracts(episode.peak_size_e6),
        capturable_dollars=capturable_dollars(episode),
        alert_only=state.alert_only,
    )


def updated(as_opened: BasketOpened) -> BasketUpdated:
    """Return the same facts as an update of a running episode."""
    return BasketUpdated(**msgspec.structs.asdict(as_opened))


def closed(basket_id: BasketId, episode: Episode, *, reason: str, closed_ts_ns: int) -> BasketClosed:
    """Describe the end of an episode."""
    return BasketClosed(
        opportunity_id=episode.opportunity_id,
        basket_id=basket_id,
        reason=reason,
        opened_ts_ns=episode.opened_ts_ns,
        closed_ts_ns=closed_ts_ns,
        peak_edge_dollars=money_dollars(episode.peak_edge_e10),
        peak_contracts=size_contracts(episode.peak_size_e6),
        lifetime_ms=max(0, closed_ts_ns - episode.opened_ts_ns) // 1_000_000,
        capturable_dollars=capturable_dollars(episode) or Decimal(0),
    )


def _evidence(leg: BasketLeg, result: LegResult) -> LegEvidence:
    assert leg.terms is not None
    return leg_evidence(leg.state, leg.terms, result, leg.member.token_ids)
