"""The matcher's settings; each is an environment variable with the service's prefix."""

from pathlib import Path

import msgspec

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

    def __post_init__(self) -> None:
        for name, least, most in (
            ("debounce_ms", 0, 60_000),
            ("most_candidates", 0, 1_000_000),
            ("mappings_poll_ms", 10, 3_600_000),
        ):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"MATCHER_{name.upper()}={getattr(self, name)}: expected {least} to {most}")

    @property
    def series_on(self) -> tuple[str, ...]:
        """The series of ``templates_on``."""
        return tuple(name.strip() for name in self.templates_on.split(",") if name.strip())
