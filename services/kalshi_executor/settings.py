"""The executor's settings. Every limit has a default that is safe for a first day."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from shared.domain.risk_terms import RiskLimits
from shared.runtime.crash import CrashAt
from shared.runtime.settings import RedisUrl, SharedVariable

_DEFAULTS = RiskLimits()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from ``KALSHI_EXECUTOR_...`` unless a field names a shared variable."""

    redis_url: RedisUrl
    intent_key_file: Annotated[Path, SharedVariable("DUTCHBOOK_INTENT_KEY_FILE")]
    """Holds the key that signs intents; mode 0600."""
    ledger_file: Path
    """Where the order ledger lies; made when missing. Its folder must be on a local disk."""
    account: Annotated[str, SharedVariable("DUTCHBOOK_ACCOUNT")] = "main"
    environment: Annotated[Literal["demo", "prod"], SharedVariable("KALSHI_ENV")] = "demo"
    mode: Literal["dry", "live"] = "dry"
    """``dry`` simulates every fill and can send nothing; ``live`` is refused in this release."""
    kill_file: Path | None = None
    """While this file exists nothing is sent; ``KILL`` beside the ledger when not set."""
    outbox_keep_days: int = 7
    """How long the ledger keeps messages that the executions stream holds; what they tell of is kept for ever."""
    crash_at: CrashAt = ""
    max_contracts: Decimal = _DEFAULTS.max_contracts
    """The most contracts of one order."""
    max_order_dollars: Decimal = _DEFAULTS.max_order_dollars
    """The most one order may cost, with fees."""
    max_market_dollars: Decimal = _DEFAULTS.max_market_dollars
    """The most that may be spent on one market in one UTC day."""
    max_day_dollars: Decimal = _DEFAULTS.max_day_dollars
    """The most that may be spent in one UTC day."""
    max_ticks_from_book: int = _DEFAULTS.max_ticks_from_book
    """How many ticks an order's limit may be worse than the price at which the present book would fill it."""
    max_ttl_ms: int = _DEFAULTS.max_ttl_ms
    """The longest life that an intent may give itself."""
    rearm_ms: int = _DEFAULTS.rearm_ms
    """The least pause between two orders of one pair."""
    max_orders_per_minute: int = _DEFAULTS.max_orders_per_minute
    """The most orders in any minute, over all pairs."""

    def __post_init__(self) -> None:
        if not 0 <= self.outbox_keep_days <= 3_650:
            raise ValueError(f"KALSHI_EXECUTOR_OUTBOX_KEEP_DAYS={self.outbox_keep_days}: expected 0 to 3650")
        for name in RiskLimits.__struct_fields__:
            if getattr(self, name) < 0:
                raise ValueError(f"KALSHI_EXECUTOR_{name.upper()}={getattr(self, name)}: must not be negative")

    @property
    def limits(self) -> RiskLimits:
        """How much may be risked."""
        return RiskLimits(**{name: getattr(self, name) for name in RiskLimits.__struct_fields__})

    @property
    def kill_path(self) -> Path:
        """The file whose presence stops all sending."""
        return self.kill_file or self.ledger_file.parent / "KILL"
