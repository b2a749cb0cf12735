"""What the detector says of any leg and any episode, of a pair or of a basket: enough to price a leg again offline."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

import msgspec

from services.arb_detector.episodes import Episode
from services.arb_detector.terms import fee_source
from services.arb_detector.trust import Beat, LegState
from shared.contracts.baskets import BasketOpened, BasketUpdated
from shared.contracts.funnel import LegStanding
from shared.contracts.opportunities import LegEvidence, OpportunityOpened, OpportunityUpdated
from shared.domain.arbitrage import LegResult, MarketTerms
from shared.domain.book import LevelE
from shared.domain.numbers import money_dollars, price_dollars, size_contracts

_EDGE_STEP = Decimal("0.000001")
Open = OpportunityOpened | OpportunityUpdated | BasketOpened | BasketUpdated
"""The last word about an episode that is open."""
_SIDES: "msgspec.json.Decoder[tuple[tuple[Decimal, Decimal], ...]]" = msgspec.json.Decoder(
    tuple[tuple[Decimal, Decimal], ...]
)


def leg_evidence(leg: LegState, terms: MarketTerms, result: LegResult, token_ids: Sequence[str]) -> LegEvidence:
    """Describe a leg as it is bought; ``token_ids`` are those of its outcomes, none where they have none."""
    quote, limit_price_dollars = leg.quote, result.limit_price_dollars
    assert quote is not None
    assert limit_price_dollars is not None
    return LegEvidence(
        venue=leg.venue,
        market_id=leg.market_id,
        outcome=result.side,
        token_id=token_ids[0 if result.side == "yes" else 1] if token_ids else "",
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


def leg_standing(leg: LegState, beat: Beat | None, reason: str, *, now_s: float) -> LegStanding:
    """Describe a leg as it is held; ``reason`` is why it does not count, empty when it does."""
    quote, top = leg.quote, leg.top
    return LegStanding(
        venue=leg.venue,
        market_id=leg.market_id,
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


def shown_edge_dollars(edge_e18: int) -> Decimal:
    """Return an edge by unrounded fees as it is shown, never more than it is."""
    return Decimal(edge_e18).scaleb(-18).quantize(_EDGE_STEP, rounding=ROUND_FLOOR)


def resumed(message: Open, *, now_s: float) -> Episode:
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


def capturable_dollars(episode: Episode) -> Decimal | None:
    """Return what somebody slower would have got, None while that is not known."""
    return None if episode.capturable_e10 is None else money_dollars(episode.capturable_e10)


def e10(dollars: Decimal) -> int:
    """Return money as the core keeps it."""
    return int(dollars.scaleb(10))


def e6(contracts: Decimal) -> int:
    """Return a size as the core keeps it."""
    return int(contracts.scaleb(6))


def _best(levels: Sequence[LevelE]) -> tuple[Decimal, Decimal] | None:
    return (price_dollars(levels[0][0]), size_contracts(levels[0][1])) if levels else None
