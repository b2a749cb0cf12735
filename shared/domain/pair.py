"""Two markets that settle on the same question, which way round, and who said so."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Literal, NewType
from zlib import crc32

import msgspec

from shared.domain.market import MarketId, Venue

PairId = NewType("PairId", str)

PARTITIONS = 16
"""Fixed: a pair's partition is part of its stream names."""


class Orientation(StrEnum):
    """Whether the two YES outcomes are the same outcome or opposite ones."""

    SAME = "same"
    INVERTED = "inverted"


class Direction(StrEnum):
    """Which legs are bought, in the terms of Kalshi's question.

    For an inverted pair "NO on Polymarket" means the Polymarket outcome that pays when Kalshi's YES does not,
    which is that market's own outcome 0.
    """

    YES_KALSHI_NO_POLYMARKET = "yes_kalshi_no_polymarket"
    NO_KALSHI_YES_POLYMARKET = "no_kalshi_yes_polymarket"


class Pair(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pair that may be traded or watched. Only curated rows and switched-on templates make one."""

    pair_id: PairId
    kalshi_ticker: MarketId
    polymarket_id: MarketId
    """Condition id."""
    polymarket_token_ids: tuple[str, str]
    """The tokens of outcome 0 and outcome 1."""
    polymarket_outcomes: tuple[str, str] = ("Yes", "No")
    orientation: Orientation
    title: str = ""
    origin: Literal["curated", "template"]
    source: str
    """The mapping file and line, or the template, that made the pair."""
    kalshi_rules_hash: str
    polymarket_rules_hash: str
    not_after: datetime | None = None
    max_notional_dollars: Decimal | None = None
    void_risk: str = ""
    """What happens on a void or tie where the venues differ; empty when nothing is known to differ."""
    alert_only: str = ""
    """Why intents are forbidden although alerts are wanted; empty when both are allowed."""

    def market_id(self, venue: Venue) -> MarketId:
        """Return the pair's market on ``venue``."""
        return self.kalshi_ticker if venue is Venue.KALSHI else self.polymarket_id

    @property
    def partition(self) -> int:
        """The pair's place among the quote streams, stable for ever."""
        return partition_of(self.pair_id)

    @property
    def version(self) -> str:
        """A digest of everything above: who acts on a pair names the version that was meant."""
        return sha256(msgspec.json.encode(self)).hexdigest()[:16]


def partition_of(pair_id: str) -> int:
    """Return the partition of a pair (or of an unpaired market's id): its CRC-32 modulo 16."""
    return crc32(pair_id.encode()) % PARTITIONS
