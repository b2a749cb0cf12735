"""What the simulator can be told: ports, seed, pace, and where to put the ready file."""

from pathlib import Path

import msgspec

from services.venue_sim.kalshi_buckets import TIERS


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from ``VENUE_SIM_…``; everything has a default."""

    host: str = "127.0.0.1"
    """Where to listen. Loopback unless the simulator runs in a container of its own."""
    kalshi_port: int = 0
    """0 is any free port; the ready file says which."""
    polymarket_port: int = 0
    control_port: int = 0
    seed: int = 1
    ready_file: Path | None = None
    """Written when every port listens; the throw-away Kalshi key is put beside it."""
    questions: int = 56
    rate: int = 150
    """Operations per second over all markets."""
    plant_interval_ms: int = 2_300
    """The mean time between planted crossings; 0 plants none."""
    kalshi_tier: str = "basic"
    """The usage tier of the Kalshi account: how many requests a second it may make."""
    recorded: Path | None = None
    """A folder of recorded venue objects and frames to serve instead of a world."""
    recorded_speed: int = 0
    """Recorded seconds per second of a replay; 0 is as fast as the client reads."""

    def __post_init__(self) -> None:
        if self.kalshi_tier not in TIERS:
            raise ValueError(f"VENUE_SIM_KALSHI_TIER={self.kalshi_tier}: expected one of {', '.join(TIERS)}")
        for name, lowest, highest in (
            ("kalshi_port", 0, 65_535),
            ("polymarket_port", 0, 65_535),
            ("control_port", 0, 65_535),
            ("questions", 2, 1_000),
            ("rate", 1, 100_000),
            ("plant_interval_ms", 0, 3_600_000),
            ("recorded_speed", 0, 1_000_000),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise ValueError(f"VENUE_SIM_{name.upper()}={value}: expected {lowest} to {highest}")
