"""What the simulator can be told: ports, seed, pace, and where to put the ready file."""

from pathlib import Path
from typing import Annotated

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from ``VENUE_SIM_…``; everything has a default."""

    host: str = "127.0.0.1"
    """Where to listen. Loopback unless the simulator runs in a container of its own."""
    kalshi_port: Port = 0
    """0 is any free port; the ready file says which."""
    polymarket_port: Port = 0
    control_port: Port = 0
    seed: int = 1
    ready_file: Path | None = None
    """Written when every port listens; the throw-away Kalshi key is put beside it."""
    questions: Annotated[int, msgspec.Meta(ge=2, le=1_000)] = 56
    rate: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 150
    """Operations per second over all markets."""
    plant_interval_ms: Annotated[int, msgspec.Meta(ge=0)] = 2_300
    """The mean time between planted crossings; 0 plants none."""
    recorded: Path | None = None
    """A folder of recorded venue objects and frames to serve instead of a world."""
