"""The matcher's settings; each is an environment variable with the service's prefix."""

from decimal import Decimal
from pathlib import Path

import msgspec

from services.matcher.price_sanity import PriceLimits
from shared.runtime.settings import RedisUrl


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``MATCHER_…`` and the shared ``DUTCHBOOK_REDIS_URL``."""

    redis_url: RedisUrl
    mappings_dir: Path = Path("mappings")
    """The folder of pairs, templates and aliases."""
    templates_on: str = ""
    """Kalshi series whose templates are switched on beside those that say so themselves: ``KXNBAGAME,KXNFLGAME``."""
    debounce_ms: int = 100
    """How long changes are gathered before pairs are judged."""
    most_candidates: int = 2_000
    """How many candidates may wait for review at once; more are not proposed until some are decided."""
    mappings_poll_ms: int = 500
    """How often the mapping files are looked at."""
    prices_poll_ms: int = 2_000
    """How often the prices of live pairs are compared."""
    far_apart_dollars: Decimal = Decimal("0.15")
    """YES prices further apart than this speak against a pair."""
    near_one_dollars: Decimal = Decimal("0.05")
    """Prices that are far apart and add up to a dollar, give or take this, say that the pair is inverted."""
    wrong_match_s: int = 60
    """How long prices must be far apart before the pair is suspended."""
    inverted_s: int = 10
    """How long prices must look inverted before the pair is suspended."""
    widest_spread_dollars: Decimal = Decimal("0.20")
    """The middle of a book with a wider spread says nothing about the price."""
    results_within_days: int = 30
    """How long a pair that is over waits for both venues' results before it is retired without them."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("debounce_ms", 0, 60_000),
            ("most_candidates", 0, 1_000_000),
            ("mappings_poll_ms", 10, 3_600_000),
            ("prices_poll_ms", 10, 3_600_000),
            ("wrong_match_s", 0, 86_400),
            ("inverted_s", 0, 86_400),
            ("results_within_days", 0, 3_650),
        ):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"MATCHER_{name.upper()}={getattr(self, name)}: expected {least} to {most}")
        for name in ("far_apart_dollars", "near_one_dollars", "widest_spread_dollars"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"MATCHER_{name.upper()}={getattr(self, name)}: expected more than 0 and less than 1")

    @property
    def price_limits(self) -> PriceLimits:
        """From where on prices speak against a pair."""
        return PriceLimits(
            far_apart_dollars=self.far_apart_dollars,
            near_one_dollars=self.near_one_dollars,
            wrong_match_s=self.wrong_match_s,
            inverted_s=self.inverted_s,
            widest_spread_dollars=self.widest_spread_dollars,
        )

    @property
    def series_on(self) -> tuple[str, ...]:
        """The series of ``templates_on``."""
        return tuple(name.strip() for name in self.templates_on.split(",") if name.strip())
