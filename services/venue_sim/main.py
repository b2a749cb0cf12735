"""Wiring: one world, two venues, one control door, and a clock that moves the world."""

import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from aiohttp import web

from services.venue_sim import kalshi_server, polymarket_live, recorded
from services.venue_sim.control import Observed, create_control_app
from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.occasions import PolymarketStage, Stage
from services.venue_sim.ready import Addresses, ThrowAwayKey, key_path, ready_json, write_ready_file
from services.venue_sim.recorded_files import UnreadableRecording
from services.venue_sim.servers import Door, listening
from services.venue_sim.settings import Settings
from services.venue_sim.stats import Stats
from services.venue_sim.truth import Truth
from services.venue_sim.world import World
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.errors import SettingsRefused, StartRefused
from shared.runtime.run import run

log = logging.getLogger(__name__)

_TICK_S = 0.005


@dataclass(frozen=True, kw_only=True)
class Venues:
    """Two venues to serve, and the world behind them unless they replay recorded data."""

    kalshi: web.Application
    polymarket: web.Application
    world: World | None
    truth: Truth | None
    stats: dict[str, Stats]
    faults: dict[str, Faults]
    stages: dict[str, Stage] = field(default_factory=dict)
    account: Callable[[], dict[str, Any]] | None = None
    manifest: dict[str, Any] | None = None
    """What a folder of recordings holds, when one is served."""


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Run the simulator until ``stopping`` is set; the ready file appears when every port listens."""
    clock = SystemClock()
    key = ThrowAwayKey.make()
    authenticator = Authenticator(key.public_keys, clock.now_ms)
    if settings.recorded is None:
        venues = live_venues(settings, authenticator, clock)
    else:
        venues = recorded_venues(settings.recorded, settings.recorded_speed, authenticator, clock)
    observed = Observed(
        world=venues.world,
        truth=venues.truth,
        stats=venues.stats,
        faults=venues.faults,
        stages=venues.stages,
        account=venues.account,
        manifest=venues.manifest,
    )
    control = create_control_app(observed, clock.now_ms)
    host = settings.host
    doors = (
        Door(name="Kalshi", app=venues.kalshi, host=host, port=settings.kalshi_port, variable="VENUE_SIM_KALSHI_PORT"),
        Door(
            name="Polymarket",
            app=venues.polymarket,
            host=host,
            port=settings.polymarket_port,
            variable="VENUE_SIM_POLYMARKET_PORT",
        ),
        Door(name="control", app=control, host=host, port=settings.control_port, variable="VENUE_SIM_CONTROL_PORT"),
    )
    async with listening(*doors) as (kalshi, polymarket, door):
        with _ready(settings, key, Addresses(kalshi=kalshi, polymarket=polymarket, control=door)):
            if venues.world is None:
                await stopping.wait()
            else:
                await keep_moving(venues.world, clock, stopping)


def live_venues(settings: Settings, authenticator: Authenticator, clock: Clock) -> Venues:
    """Return both venues over a new world."""
    world = World(
        seed=settings.seed,
        start_ms=clock.now_ms(),
        question_count=settings.questions,
        operations_per_s=settings.rate,
        plant_interval_ms=settings.plant_interval_ms,
    )
    truth = Truth(world)
    stats = {"kalshi": Stats(), "polymarket": Stats()}
    faults = {"kalshi": Faults(), "polymarket": Faults()}
    kalshi = kalshi_server.create_app(
        world,
        authenticator=authenticator,
        stats=stats["kalshi"],
        faults=faults["kalshi"],
        tier=settings.kalshi_tier,
    )
    polymarket = polymarket_live.create_app(
        world, now_ms=clock.now_ms, stats=stats["polymarket"], faults=faults["polymarket"]
    )
    return Venues(
        kalshi=kalshi,
        polymarket=polymarket,
        world=world,
        truth=truth,
        stats=stats,
        faults=faults,
        account=kalshi[kalshi_server.DESK].account_json,
        stages={
            "kalshi": kalshi[kalshi_server.DESK],
            "polymarket": PolymarketStage(polymarket[polymarket_live.VENUE], world),
        },
    )


def recorded_venues(folder: Path, times_speed: int, authenticator: Authenticator, clock: Clock) -> Venues:
    """Return both venues over a folder of recordings, replayed at ``times_speed`` (0: as fast as clients read).

    Raises SettingsRefused when the folder or a file in it cannot be read.
    """
    try:
        found = recorded.load(folder)
    except (OSError, UnreadableRecording) as error:
        raise SettingsRefused(f"VENUE_SIM_RECORDED={folder}: {error}") from None
    stats = {"kalshi": Stats(), "polymarket": Stats()}
    faults = {"kalshi": Faults(), "polymarket": Faults()}
    speed = Fraction(times_speed) if times_speed else None
    return Venues(
        kalshi=recorded.create_kalshi_app(
            found, authenticator=authenticator, stats=stats["kalshi"], faults=faults["kalshi"], speed=speed
        ),
        polymarket=recorded.create_polymarket_app(found, now_ms=clock.now_ms, stats=stats["polymarket"], speed=speed),
        world=None,
        truth=None,
        stats=stats,
        faults=faults,
        manifest=found.manifest(),
    )


@contextmanager
def _ready(settings: Settings, key: ThrowAwayKey, addresses: Addresses) -> Iterator[None]:
    """Say where everything is, and take it back in the end."""
    with tempfile.TemporaryDirectory(prefix="venue-sim-") as private:
        path = settings.ready_file or Path(private) / "ready.json"
        key_file = key_path(path).absolute()
        try:
            key.write(key_file)
            content = ready_json(addresses, key_id=key.key_id, key_file=key_file, seed=settings.seed)
            write_ready_file(path, content)
        except OSError as error:
            raise StartRefused(f"cannot write the ready file {path} (VENUE_SIM_READY_FILE): {error.strerror}") from None
        log.info("venue_sim.ready", extra={"ready_file": str(path), **content})
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            key_file.unlink(missing_ok=True)


async def keep_moving(world: World, clock: Clock, stopping: asyncio.Event) -> None:
    """Step the world against the clock until ``stopping`` is set."""
    while not stopping.is_set():
        world.step(clock.now_ms())
        await asyncio.sleep(_TICK_S)


def cli() -> None:
    """Run the service with settings from the environment."""
    sys.exit(run("venue_sim", Settings, serve))
