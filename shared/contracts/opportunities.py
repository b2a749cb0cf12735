"""Episodes in which YES on one venue plus NO on the other costs less than the dollar that one of them pays."""

from decimal import Decimal
from typing import Literal

import msgspec

from shared.contracts.envelope import Message
from shared.domain.fees import FeeSchedule
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Direction, Orientation, PairId


class LegEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One leg as the detector saw and priced it: enough to work it out again."""

    venue: Venue
    market_id: MarketId
    outcome: Literal["yes", "no"]
    """What is bought, in the venue's own terms: Polymarket "yes" is outcome 0, "no" is outcome 1."""
    token_id: str = ""
    """Polymarket: the token that is bought."""
    limit_price_dollars: Decimal
    """The worst price paid, for the outcome that is bought."""
    fills: tuple[tuple[Decimal, Decimal, Decimal], ...]
    """Price, contracts and fee of every level taken, cheapest first."""
    fee_dollars: Decimal
    fee_source: str
    fees: FeeSchedule | None = None
    """The terms that ``fee_source`` names. With the four below, and the levels, the leg can be priced again."""
    size_step_contracts: Decimal = Decimal(0)
    min_contracts: Decimal = Decimal(0)
    min_notional_dollars: Decimal = Decimal(0)
    max_capital_dollars: Decimal | None = None
    """What cost and fees were allowed to take from the venue's account; None for no limit."""
    yes_bids: tuple[tuple[Decimal, Decimal], ...]
    yes_asks: tuple[tuple[Decimal, Decimal], ...]
    venue_ts_ms: int
    received_ts_ns: int
    published_ts_ns: int = 0
    verified: str
    connection: str
    epoch: str
    sequence: int
    checksum: int


class _Economics(Message, frozen=True, kw_only=True):
    opportunity_id: str
    """One per episode, the same through all its messages."""
    pair_id: PairId
    pair_version: str
    direction: Direction
    orientation: Orientation
    title: str = ""
    contracts: Decimal
    """Bought on both legs alike."""
    cost_dollars: Decimal
    """Both legs, without fees."""
    fee_dollars: Decimal
    payout_dollars: Decimal
    edge_dollars: Decimal
    """Payout less cost, fees and haircut."""
    haircut_dollars: Decimal = Decimal(0)
    """Taken off the payout where the pair's void rules may differ."""
    capital_dollars: Decimal = Decimal(0)
    """What both legs take from the accounts, with fees."""
    days_to_payout: Decimal | None = None
    """Until both venues have ordinarily paid; None when neither says when."""
    annualised_return: Decimal | None = None
    """Edge over capital, times 365 over the days to payout, rounded down."""
    void_haircut_dollars_per_contract: Decimal = Decimal(0)
    min_edge_dollars_per_contract: Decimal = Decimal(0)
    """What every contract had to earn to be taken."""
    legs: tuple[LegEvidence, LegEvidence]
    """Kalshi first."""
    wire_ts_ns: int
    """Our clock when the frame that led to this message was read from its socket."""
    detected_ts_ns: int
    """Our clock when this message was made."""
    seen_ts_ns: int = 0
    """Our clock when the episode's edge was first seen; the debounce lies between this and the opening."""
    opened_ts_ns: int = 0
    peak_edge_dollars: Decimal = Decimal(0)
    """The greatest edge of the episode so far."""
    peak_contracts: Decimal = Decimal(0)
    capturable_dollars: Decimal | None = None
    """The least edge from the opening to a quarter of a second later: what was there for somebody who needs that long
    to act. None while that is not known."""
    alert_only: str = ""
    """Why no intent follows, or, in an update, followed; empty when one does, or did."""


class OpportunityOpened(_Economics, frozen=True, kw_only=True, tag="opportunity_opened"):
    """An edge held through the debounce on two trusted legs."""


class OpportunityUpdated(_Economics, frozen=True, kw_only=True, tag="opportunity_updated"):
    """An open episode's edge or size changed materially."""


class OpportunityClosed(Message, frozen=True, kw_only=True, tag="opportunity_closed"):
    """An episode is over."""

    opportunity_id: str
    pair_id: PairId
    direction: Direction
    reason: str
    opened_ts_ns: int
    closed_ts_ns: int
    peak_edge_dollars: Decimal
    peak_contracts: Decimal
    lifetime_ms: int = 0
    capturable_dollars: Decimal = Decimal(0)
    """As in ``OpportunityOpened``; 0 for an episode that was over before that."""


OpportunityMessage = OpportunityOpened | OpportunityUpdated | OpportunityClosed
