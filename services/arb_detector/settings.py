"""The detector's settings. Times are milliseconds; money is dollars as decimal text."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec

from services.arb_detector.config import DetectorConfig, EdgeLimits
from services.arb_detector.episodes import EpisodeRules
from services.arb_detector.sentinel import SentinelRules
from services.arb_detector.trust import TrustLimits
from shared.runtime.crash import CrashAt
from shared.runtime.settings import RedisUrl, SharedVariable


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from ``ARB_DETECTOR_...`` unless a field names a shared variable."""

    redis_url: RedisUrl
    account: Annotated[str, SharedVariable("DUTCHBOOK_ACCOUNT")] = "main"
    intent_key_file: Annotated[Path | None, SharedVariable("DUTCHBOOK_INTENT_KEY_FILE")] = None
    """Holds the key that signs intents, mode 0600. Without it opportunities are told and no intent is made."""
    crash_at: CrashAt = ""
    """For rehearsals: D03 kills the process behind the first opening, D04 before it."""
    debounce_ms: int = 50
    """How long an edge must hold before it counts; 0 opens at once."""
    linger_ms: int = 250
    """How long an edge must be gone before its episode closes."""
    reopen_after_ms: int = 500
    """The least pause between closing an episode and opening the next of the same direction."""
    update_after_ms: int = 100
    """The least pause between two tellings of one episode."""
    material_percent: int = 10
    """By how much edge or size must change to be told."""
    min_edge_dollars_per_contract: Decimal = Decimal("0.001")
    """The last contract of an opportunity earns at least this, after all fees."""
    min_edge_dollars: Decimal = Decimal("0.01")
    """For the whole opportunity, after all fees."""
    void_haircut_dollars_per_contract: Decimal = Decimal(0)
    """Taken off each contract's payout where a pair's void rules are known to differ."""
    hurdle_rate: Decimal = Decimal(0)
    """What tied-up capital must earn in a year, such as 0.05: below it an opportunity is alert-only; 0 for none."""
    max_capital_dollars: Decimal = Decimal(250)
    """Per venue and opportunity, with fees; 0 for no limit."""
    suspicious_edge_dollars_per_contract: Decimal = Decimal("0.10")
    """Above this a pair is more likely wrong than generous: alert, no intent."""
    diverged_edge_dollars_per_contract: Decimal = Decimal("0.05")
    """A pair whose first contract would earn this after fees all the time is more likely wrong than generous."""
    diverged_after_s: int = 600
    """For how long, until it is told as diverged: alert-only, and up for review."""
    intent_ttl_ms: int = 2_000
    """How long an intent may be acted upon, up to 10000."""
    max_intents_per_minute: int = 300
    """Of all pairs of one process together; what opens beyond it is alert-only. 0 for no limit."""
    max_intents_per_pair: int = 12
    """Of one pair, in a minute; what opens beyond it is alert-only. 0 for no limit."""
    beat_age_ms: int = 2_500
    """A feed without a beat for this long is silent: its quotes do not count."""
    frame_age_ms: int = 2_500
    """A connection without a frame for this long is quiet: its quotes do not count."""
    lag_ms: int = 1_000
    """A connection this far behind the venue's clock lags: its quotes do not count."""
    skew_ms: int = 2_500
    """How far apart in time the two connections may last have proved themselves."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, int | Decimal) and value < 0:
                raise ValueError(f"ARB_DETECTOR_{name.upper()}={value}: must not be negative")
        if not 0 < self.intent_ttl_ms <= 10_000:
            raise ValueError(f"ARB_DETECTOR_INTENT_TTL_MS={self.intent_ttl_ms}: must be from 1 to 10000")

    def config(self) -> DetectorConfig:
        """Return what the core needs to know."""
        return DetectorConfig(
            account=self.account,
            edges=EdgeLimits(
                min_edge_dollars_per_contract=self.min_edge_dollars_per_contract,
                min_edge_dollars=self.min_edge_dollars,
                max_capital_dollars=self.max_capital_dollars or None,
                void_haircut_dollars_per_contract=self.void_haircut_dollars_per_contract,
                hurdle_rate=self.hurdle_rate,
            ),
            trust=TrustLimits(
                beat_age_s=self.beat_age_ms / 1_000,
                frame_age_ms=self.frame_age_ms,
                lag_ms=self.lag_ms,
                skew_s=self.skew_ms / 1_000,
            ),
            rules=EpisodeRules(
                debounce_s=self.debounce_ms / 1_000,
                linger_s=self.linger_ms / 1_000,
                reopen_after_s=self.reopen_after_ms / 1_000,
                update_after_s=self.update_after_ms / 1_000,
                material_percent=self.material_percent,
            ),
            sentinel=SentinelRules(
                edge_dollars_per_contract=self.diverged_edge_dollars_per_contract, after_s=self.diverged_after_s
            ),
            suspicious_edge_dollars_per_contract=self.suspicious_edge_dollars_per_contract,
            intent_ttl_ms=self.intent_ttl_ms,
            max_intents_per_minute=self.max_intents_per_minute,
            max_intents_per_pair=self.max_intents_per_pair,
            emits_intents=self.intent_key_file is not None,
        )
