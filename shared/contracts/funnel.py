"""What becomes of evaluations: each ends in exactly one reason, counted per pair and for the whole process."""

from decimal import Decimal

import msgspec

from shared.contracts.envelope import Message
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Direction, PairId


class LegStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One leg as the detector holds it. Ages are by its monotonic clock."""

    venue: Venue
    market_id: MarketId
    reason: str = ""
    """Why the leg does not count; empty when it does."""
    yes_bid: tuple[Decimal, Decimal] | None = None
    """Best price and its size; None when there is none, or no quote that may be read."""
    yes_ask: tuple[Decimal, Decimal] | None = None
    verified: str = ""
    connection: str = ""
    quote_received_ts_ns: int = 0
    """Our clock when the frame behind the quote was read; 0 without a quote. A quiet book's quote may be old."""
    beat_age_ms: int = -1
    """Since the connection's last beat; -1 before the first."""
    frame_age_ms: int = -1
    """Since the connection last brought anything; -1 when nobody knows."""
    lag_ms: int = 0


class DirectionStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One direction at the best prices: what the first contract would earn by unrounded fees."""

    direction: Direction
    edge_dollars_per_contract: Decimal | None = None
    """One dollar less both prices less both fees; None when a leg is not priced."""
    opportunity_id: str = ""
    """The open episode, empty when there is none."""
    waited_ms: int = 0
    """For how long an edge has waited for the debounce."""


class PairStanding(Message, frozen=True, kw_only=True, tag="pair_standing"):
    """Where one pair stands: what its last evaluation came to, with the figures behind it."""

    pair_id: PairId
    pair_version: str
    title: str = ""
    reason: str
    """The one outcome of the last evaluation."""
    since_ts_ns: int
    """Our clock when the pair's evaluations began to come to this reason."""
    as_of_ts_ns: int
    evaluations: int
    """Since this process took the pair over."""
    reasons: tuple[tuple[str, int], ...] = ()
    """Those evaluations by reason, the most frequent first; they add up."""
    asked_dollars_per_contract: Decimal = Decimal(0)
    """What the last contract must earn."""
    asked_dollars: Decimal = Decimal(0)
    """What the whole opportunity must earn."""
    alert_only: str = ""
    legs: tuple[LegStanding, ...] = ()
    """Kalshi first."""
    directions: tuple[DirectionStanding, ...] = ()


class FunnelCounted(Message, frozen=True, kw_only=True, tag="funnel_counted"):
    """All evaluations of one detector process since it started, by reason."""

    replica: str
    pairs: int
    baskets: int = 0
    """Watched beside the pairs; their evaluations are counted with the others."""
    partitions: tuple[int, ...]
    quotes: int
    coalesced: int
    """Quotes that a newer one of the same market replaced before they were evaluated."""
    evaluations: int
    reasons: tuple[tuple[str, int], ...]
    """They add up to ``evaluations``."""
    counted_ts_ns: int


class PairDiverged(Message, frozen=True, kw_only=True, tag="pair_diverged"):
    """A pair's prices stayed apart far beyond fees for long: more likely a wrong match than a gift.

    The detector tells it as alert-only from then on; the matcher suspends it until somebody has reviewed it anew, which
    gives it another version.
    """

    pair_id: PairId
    pair_version: str
    direction: Direction
    edge_dollars_per_contract: Decimal
    """What the first contract would earn now, by unrounded fees."""
    least_dollars_per_contract: Decimal
    """What it would have earned at every look since ``since_ts_ns``."""
    since_ts_ns: int
    diverged_ts_ns: int
    legs: tuple[LegStanding, ...] = ()


FunnelMessage = PairStanding | FunnelCounted
