"""An episode's messages as the detector would write them."""

from decimal import Decimal
from typing import Any

import msgspec

from shared.contracts.opportunities import LegEvidence, OpportunityClosed, OpportunityOpened
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Direction, Orientation, PairId

SEEN_NS = 1_795_284_000_000_000_000


def leg(venue: Venue) -> LegEvidence:
    """YES on Kalshi at 0.43, NO on Polymarket at 0.50."""
    kalshi = venue is Venue.KALSHI
    return LegEvidence(
        venue=venue,
        market_id=MarketId("KXGAME-26NOV22-HOME" if kalshi else "0xabc"),
        outcome="yes" if kalshi else "no",
        limit_price_dollars=Decimal("0.43" if kalshi else "0.50"),
        fills=(),
        fee_dollars=Decimal("1.7095" if kalshi else "1.25"),
        fee_source="test",
        yes_bids=(),
        yes_asks=(),
        venue_ts_ms=0,
        received_ts_ns=SEEN_NS,
        verified="sequence",
        connection="c",
        epoch="e",
        sequence=1,
        checksum=1,
    )


def opened(number: int = 1, **changes: Any) -> OpportunityOpened:
    """The beginning of episode ``number``."""
    plain = OpportunityOpened(
        opportunity_id=f"opp-{number}",
        pair_id=PairId("game-home"),
        pair_version="v",
        direction=Direction.YES_KALSHI_NO_POLYMARKET,
        orientation=Orientation.SAME,
        title="Home side to win",
        contracts=Decimal(100),
        cost_dollars=Decimal("92.4"),
        fee_dollars=Decimal("2.9595"),
        payout_dollars=Decimal(100),
        edge_dollars=Decimal("4.6405"),
        legs=(leg(Venue.KALSHI), leg(Venue.POLYMARKET)),
        wire_ts_ns=SEEN_NS,
        detected_ts_ns=SEEN_NS,
    )
    return msgspec.structs.replace(plain, **changes)


def closed(number: int = 1) -> OpportunityClosed:
    """The end of episode ``number``."""
    return OpportunityClosed(
        opportunity_id=f"opp-{number}",
        pair_id=PairId("game-home"),
        direction=Direction.YES_KALSHI_NO_POLYMARKET,
        reason="edge gone",
        opened_ts_ns=SEEN_NS,
        closed_ts_ns=SEEN_NS + 1_500_000_000,
        peak_edge_dollars=Decimal("4.6405"),
        peak_contracts=Decimal(100),
    )
