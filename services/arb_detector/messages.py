"""What the detector says of an episode that is open already; its opening is written by ``opening_text``."""

from decimal import Decimal

import msgspec

from services.arb_detector.episodes import Episode
from services.arb_detector.opening_text import fee_source
from services.arb_detector.pair_state import PairState
from services.arb_detector.trust import LegState
from shared.contracts.opportunities import (
    LegEvidence,
    OpportunityClosed,
    OpportunityOpened,
    OpportunityUpdated,
)
from shared.domain.arbitrage import DirectionResult, LegResult, Limits
from shared.domain.market import Venue
from shared.domain.numbers import money_dollars, size_contracts
from shared.domain.pair import Direction, PairId

_SIDES: "msgspec.json.Decoder[tuple[tuple[Decimal, Decimal], ...]]" = msgspec.json.Decoder(
    tuple[tuple[Decimal, Decimal], ...]
)


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
        capturable_dollars=_capturable_dollars(episode),
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
        capturable_dollars=_capturable_dollars(episode) or Decimal(0),
    )


def resumed(message: OpportunityOpened | OpportunityUpdated, *, now_s: float) -> Episode:
    """Return the episode that another process told about last with ``message``; its peak may since have been higher."""
    episode = Episode(
        message.opportunity_id,
        opened_ts_ns=message.opened_ts_ns or message.detected_ts_ns,
        seen_ts_ns=message.seen_ts_ns or message.detected_ts_ns,
        edge_e10=e10(message.edge_dollars),
        size_e6=e6(message.contracts),
        now_s=now_s,
    )
    if message.peak_edge_dollars:
        episode.peak_edge_e10 = e10(message.peak_edge_dollars)
        episode.peak_size_e6 = e6(message.peak_contracts)
    if message.capturable_dollars is not None:
        episode.capturable_e10 = e10(message.capturable_dollars)
    episode.alert_only = message.alert_only
    episode.resumed_s = now_s
    return episode


def _evidence(state: PairState, leg: LegState, result: LegResult) -> LegEvidence:
    quote, limit_price_dollars = leg.quote, result.limit_price_dollars
    assert quote is not None
    assert limit_price_dollars is not None
    terms = state.terms[leg.venue]
    return LegEvidence(
        venue=leg.venue,
        market_id=leg.market_id,
        outcome=result.side,
        token_id=_token_id(state, leg, result),
        limit_price_dollars=limit_price_dollars,
        fills=tuple((fill.price_dollars, fill.size_contracts, fill.fee_dollars) for fill in result.fills),
        fee_dollars=result.fee_dollars,
        fee_source=fee_source(terms),
        fees=terms.fees,
        size_step_contracts=terms.size_step_contracts,
        min_contracts=terms.min_contracts,
        min_notional_dollars=terms.min_notional_dollars,
        max_capital_dollars=terms.max_capital_dollars,
        yes_bids=_SIDES.decode(leg.bids_json),
        yes_asks=_SIDES.decode(leg.asks_json),
        venue_ts_ms=quote.venue_ts_ms,
        received_ts_ns=quote.received_ts_ns,
        published_ts_ns=quote.published_ts_ns,
        verified=quote.verified,
        connection=quote.connection,
        epoch=quote.epoch,
        sequence=quote.sequence,
        checksum=quote.checksum,
    )


def _token_id(state: PairState, leg: LegState, result: LegResult) -> str:
    if leg.venue is not Venue.POLYMARKET:
        return ""
    return state.pair.polymarket_token_ids[0 if result.side == "yes" else 1]


def _capturable_dollars(episode: Episode) -> Decimal | None:
    return None if episode.capturable_e10 is None else money_dollars(episode.capturable_e10)


def e10(dollars: Decimal) -> int:
    """Return money as the core keeps it."""
    return int(dollars.scaleb(10))


def e6(contracts: Decimal) -> int:
    """Return a size as the core keeps it."""
    return int(contracts.scaleb(6))
