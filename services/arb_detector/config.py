"""What a user can tune about the detector, in the terms of its core."""

from decimal import Decimal

import msgspec

from services.arb_detector.episodes import EpisodeRules
from services.arb_detector.sentinel import SentinelRules
from services.arb_detector.trust import TrustLimits
from shared.domain.arbitrage import Limits


class EdgeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asks of an edge, and the hysteresis below it."""

    min_edge_dollars_per_contract: Decimal
    min_edge_dollars: Decimal
    """For the whole opportunity."""
    max_capital_dollars: Decimal | None
    """Per venue and opportunity; None for no limit."""
    void_haircut_dollars_per_contract: Decimal = Decimal(0)
    """Taken off each contract's payout for pairs whose void rules are known to differ."""
    hurdle_rate: Decimal = Decimal(0)
    """What tied-up capital must earn in a year for money to follow; 0 asks for nothing."""
    keep_percent: int = 50
    """An open episode lives while this part of both minimum edges is left."""

    def least_dollars(self, *, is_open: bool) -> Decimal:
        """Return what the whole opportunity must earn to open, or to stay open."""
        return self.min_edge_dollars * self.keep_percent / 100 if is_open else self.min_edge_dollars

    def least_dollars_per_contract(self, *, is_open: bool) -> Decimal:
        """Return what the last contract must earn to open, or to stay open."""
        least_dollars = self.min_edge_dollars_per_contract
        return least_dollars * self.keep_percent / 100 if is_open else least_dollars

    def limits(self, *, is_open: bool, has_void_risk: bool) -> Limits:
        """Return what a price is held against."""
        return Limits(
            min_edge_dollars_per_contract=self.least_dollars_per_contract(is_open=is_open),
            void_haircut_dollars_per_contract=self.void_haircut_dollars_per_contract if has_void_risk else Decimal(0),
        )


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
