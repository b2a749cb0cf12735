"""What the detector says: evidence of an episode, and the hedged intent that follows from it."""

from decimal import Decimal

import msgspec

from services.arb_detector.episodes import Episode
from services.arb_detector.pair_state import PairState
from services.arb_detector.trust import LegState
from shared.contracts.intents import HedgedIntent, IntentLeg
from shared.contracts.opportunities import (
    LegEvidence,
    OpportunityClosed,
    OpportunityOpened,
    OpportunityUpdated,
)
from shared.domain.arbitrage import DirectionResult, LegResult, Limits
from shared.domain.fee_tables import taker_fees
from shared.domain.market import Venue
from shared.domain.numbers import money_dollars, size_contracts
from shared.domain.pair import Direction, PairId

_DEAREST_FEE_E4 = 5_000
"""Both venues' fees are greatest at half a dollar."""


def opened(
    state: PairState,
    result: DirectionResult,
    episode: Episode,
    *,
    wire_ts_ns: int,
    detected_ts_ns: int,
    alert_only: str,
    days_to_payout: Decimal | None,
    limits: Limits,
) -> OpportunityOpened:
    """Describe what a pair's present legs offer; ``limits`` are what it was priced against."""
    pair = state.pair
    return OpportunityOpened(
        opportunity_id=episode.opportunity_id,
        pair_id=pair.pair_id,
        pair_version=pair.version,
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


def updated(as_opened: OpportunityOpened) -> OpportunityUpdated:
    """Return the same facts as an update of a running episode."""
    return OpportunityUpdated(**msgspec.structs.asdict(as_opened))


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
    episode.resumed_s = now_s
    return episode


def intent(state: PairState, found: OpportunityOpened, *, account: str, ttl_ms: int) -> HedgedIntent:
    """Return the unsigned intent of an episode; its id is the episode's, so there is never a second one."""
    kalshi, polymarket = (_intent_leg(state, evidence, found.contracts) for evidence in found.legs)
    legs = (kalshi, polymarket)
    return HedgedIntent(
        intent_id=found.opportunity_id,
        opportunity_id=found.opportunity_id,
        account=account,
        pair_id=found.pair_id,
        pair_version=found.pair_version,
        direction=found.direction,
        legs=legs,
        max_cost_dollars=sum(
            (leg.contracts * leg.limit_price_dollars + leg.max_fee_dollars for leg in legs), Decimal(0)
        ),
        expected_edge_dollars=found.edge_dollars,
        wire_ts_ns=found.wire_ts_ns,
        created_ts_ns=found.detected_ts_ns,
        expires_ts_ns=found.detected_ts_ns + ttl_ms * 1_000_000,
    )


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
        fee_source=f"{terms.fees.source}, from {terms.fees.effective_from.isoformat()}",
        fees=terms.fees,
        size_step_contracts=terms.size_step_contracts,
        min_contracts=terms.min_contracts,
        min_notional_dollars=terms.min_notional_dollars,
        max_capital_dollars=terms.max_capital_dollars,
        yes_bids=_decimals(quote.yes_bids),
        yes_asks=_decimals(quote.yes_asks),
        venue_ts_ms=quote.venue_ts_ms,
        received_ts_ns=quote.received_ts_ns,
        published_ts_ns=quote.published_ts_ns,
        verified=quote.verified,
        connection=quote.connection,
        epoch=quote.epoch,
        sequence=quote.sequence,
        checksum=quote.checksum,
    )


def _intent_leg(state: PairState, evidence: LegEvidence, contracts: Decimal) -> IntentLeg:
    return IntentLeg(
        venue=evidence.venue,
        market_id=evidence.market_id,
        outcome=evidence.outcome,
        token_id=evidence.token_id,
        contracts=contracts,
        limit_price_dollars=evidence.limit_price_dollars,
        max_fee_dollars=_max_fee_dollars(state, evidence, contracts),
        quote_epoch=evidence.epoch,
        quote_sequence=evidence.sequence,
        quote_checksum=evidence.checksum,
        quote_received_ts_ns=evidence.received_ts_ns,
    )


def _max_fee_dollars(state: PairState, evidence: LegEvidence, contracts: Decimal) -> Decimal:
    """Return the most that filling at the limit or better can cost in fees.

    A better price may lie nearer to half a dollar, where fees are greatest; and every level of the book rounds once.
    """
    fees = taker_fees(state.terms[evidence.venue].fees)
    price_e4 = min(int(evidence.limit_price_dollars * 10_000), _DEAREST_FEE_E4)
    levels = len(evidence.yes_asks if evidence.outcome == "yes" else evidence.yes_bids)
    fee_e10 = fees.fee_e10(price_e4, int(contracts * 1_000_000))
    return money_dollars(fee_e10 + levels * fees.rounding_e10)


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


def _decimals(levels: tuple[tuple[str, str], ...]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(price), Decimal(size)) for price, size in levels)
