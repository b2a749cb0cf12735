"""What the detector says of an episode that is open already; its opening is written by ``opening_text``."""

from decimal import Decimal

from services.arb_detector.episodes import Episode
from services.arb_detector.evidence import capturable_dollars, leg_evidence
from services.arb_detector.pair_state import PairState
from services.arb_detector.trust import LegState
from shared.contracts.opportunities import LegEvidence, OpportunityClosed, OpportunityUpdated
from shared.domain.arbitrage import DirectionResult, LegResult, Limits
from shared.domain.market import Venue
from shared.domain.numbers import money_dollars, size_contracts
from shared.domain.pair import Direction, PairId


def updated(
    state: PairState,
    result: DirectionResult,
    episode: Episode,
    *,
    wire_ts_ns: int,
    detected_ts_ns: int,
    alert_only: str,
    days_to_payout: Decimal | None,
    limits: Limits,
) -> OpportunityUpdated:
    """Describe what a pair's present legs offer; ``limits`` are what it was priced against."""
    pair = state.pair
    return OpportunityUpdated(
        opportunity_id=episode.opportunity_id,
        pair_id=pair.pair_id,
        pair_version=state.version,
        direction=result.direction,
        orientation=pair.orientation,
        title=pair.title,
        contracts=result.contracts,
        cost_dollars=result.cost_dollars,
        fee_dollars=result.kalshi.fee_dollars + result.polymarket.fee_dollars,
        payout_dollars=result.payout_dollars,
        edge_dollars=result.edge_dollars,
        haircut_dollars=result.haircut_dollars,
        capital_dollars=result.capital_dollars,
        days_to_payout=days_to_payout,
        annualised_return=result.annualised_return,
        void_haircut_dollars_per_contract=limits.void_haircut_dollars_per_contract,
        min_edge_dollars_per_contract=limits.min_edge_dollars_per_contract,
        legs=(
            _evidence(state, state.kalshi, result.kalshi),
            _evidence(state, state.polymarket, result.polymarket),
        ),
        wire_ts_ns=wire_ts_ns,
        detected_ts_ns=detected_ts_ns,
        seen_ts_ns=episode.seen_ts_ns,
        opened_ts_ns=episode.opened_ts_ns,
        peak_edge_dollars=money_dollars(episode.peak_edge_e10),
        peak_contracts=size_contracts(episode.peak_size_e6),
        capturable_dollars=capturable_dollars(episode),
        alert_only=alert_only,
    )


def closed(
    pair_id: PairId, direction: Direction, episode: Episode, *, reason: str, closed_ts_ns: int
) -> OpportunityClosed:
    """Describe the end of an episode."""
    return OpportunityClosed(
        opportunity_id=episode.opportunity_id,
        pair_id=pair_id,
        direction=direction,
        reason=reason,
        opened_ts_ns=episode.opened_ts_ns,
        closed_ts_ns=closed_ts_ns,
        peak_edge_dollars=money_dollars(episode.peak_edge_e10),
        peak_contracts=size_contracts(episode.peak_size_e6),
        lifetime_ms=max(0, closed_ts_ns - episode.opened_ts_ns) // 1_000_000,
        capturable_dollars=capturable_dollars(episode) or Decimal(0),
    )


def _evidence(state: PairState, leg: LegState, result: LegResult) -> LegEvidence:
    token_ids = state.pair.polymarket_token_ids if leg.venue is Venue.POLYMARKET else ()
    return leg_evidence(leg, state.terms[leg.venue], result, token_ids)
