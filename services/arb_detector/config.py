"""What a user can tune about the detector, in the terms of its core."""

from decimal import Decimal

import msgspec

from services.arb_detector.episodes import EpisodeRules
from services.arb_detector.pair_state import EdgeLimits
from services.arb_detector.sentinel import SentinelRules
from services.arb_detector.trust import TrustLimits


class DetectorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a user can tune."""

    account: str
    edges: EdgeLimits
    trust: TrustLimits
    rules: EpisodeRules
    sentinel: SentinelRules
    suspicious_edge_dollars_per_contract: Decimal
    """A gift larger than this is more likely a wrong pair than money: alert, never an intent."""
    emits_intents: bool
    intent_ttl_ms: int
    max_intents_per_minute: int = 0
    """Of all pairs of one process together; 0 for no limit."""
    max_intents_per_pair: int = 0
    """Of one pair, in a minute; 0 for no limit."""
