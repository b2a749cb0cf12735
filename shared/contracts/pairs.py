"""Which markets are the same question, and which might be."""

from decimal import Decimal
from typing import Literal

from shared.contracts.envelope import Message
from shared.domain.market import MarketId
from shared.domain.pair import Orientation, Pair, PairId


class PairActivated(Message, frozen=True, kw_only=True, tag="pair_activated"):
    """A pair may be watched and, unless it is alert-only, traded."""

    pair: Pair


class PairSuspended(Message, frozen=True, kw_only=True, tag="pair_suspended"):
    """A pair must not be traded until it is activated again."""

    pair: Pair
    reason: str
    awaits: Literal["listing", "review", "results"] = "listing"
    """What ends it: listings as the mapping says, a newer review, or, once a market is over, both venues' results."""
    doubt: str = ""
    """While results are awaited: what a newer review would have to end if the market were listed again."""


class PairRetired(Message, frozen=True, kw_only=True, tag="pair_retired"):
    """A pair is over: a market closed, or its mapping was removed."""

    pair_id: PairId
    reason: str


class CandidateFound(Message, frozen=True, kw_only=True, tag="candidate_found"):
    """Two markets look alike; a person has to decide. Never traded."""

    pair_id: PairId
    kalshi_ticker: MarketId
    polymarket_id: MarketId
    orientation: Orientation
    relation: str
    score: Decimal
    """From 0 to 1."""
    kalshi_title: str
    polymarket_title: str
    vetoes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class CandidateReviewed(Message, frozen=True, kw_only=True, tag="candidate_reviewed"):
    """A person decided about a candidate."""

    pair_id: PairId
    approved: bool
    reviewer: str
    note: str = ""


PairMessage = PairActivated | PairSuspended | PairRetired | CandidateFound | CandidateReviewed
