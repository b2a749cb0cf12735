"""Wiring: one world, two venues, one control door, and a clock that moves the world."""

import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from services.venue_sim import kalshi_server, polymarket_live
from services.venue_sim.control import Observed, create_control_app
from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.ready import Addresses, ThrowAwayKey, key_path, ready_json, write_ready_file
from services.venue_sim.servers import Door, listening
from services.venue_sim.settings import Settings
from services.venue_sim.stats import Stats, counting
from services.venue_sim.truth import Truth
from services.venue_sim.world import World
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.errors import StartRefused
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
    stats: dict[str, Callable[[], dict[str, Any]]]
    faults: dict[str, Faults]


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Run the simulator until ``stopping`` is set; the ready file appears when every port listens."""
    clock = SystemClock()
    key = ThrowAwayKey.make()
    venues = live_venues(settings, Authenticator(key.public_keys, clock.now_ms), clock)
    observed = Observed(world=venues.world, truth=venues.truth, venue_stats=venues.stats, faults=venues.faults)
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
    kalshi_stats, polymarket_stats = Stats(), Stats()
    faults = {"kalshi": Faults(), "polymarket": Faults()}
    polymarket = polymarket_live.create_app(world, now_ms=clock.now_ms, faults=faults["polymarket"])
    polymarket.middlewares.append(counting(polymarket_stats, _is_polymarket_order))
    venue = polymarket[polymarket_live.VENUE]
    return Venues(
        kalshi=kalshi_server.create_app(
            world, authenticator=authenticator, stats=kalshi_stats, faults=faults["kalshi"]
        ),
        polymarket=polymarket,
        world=world,
        truth=truth,
        stats={
            "kalshi": kalshi_stats.as_json,
            "polymarket": lambda: polymarket_stats.as_json() | polymarket_counts(venue),
        },
        faults=faults,
    )


def polymarket_counts(venue: polymarket_live.LiveVenue) -> dict[str, Any]:
    """Return what the market channel itself counts."""
    return {
        "frames": venue.frames_made,
        "open_connections": len(venue.channel.clients),
        "slow_clients_dropped": venue.channel.slow_clients_dropped,
    }


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


def _is_polymarket_order(method: str, path: str) -> bool:
    """Tell whether a request would create or cancel an order (CLOB reference, 2026-11-21)."""
    parts = path.split("/")
    return method in ("POST", "DELETE") and parts[1] in (
        "order",
        "orders",
        "cancel-all",
        "cancel-market-orders",
    )


def cli() -> None:
    """Run the service with settings from the environment."""
    sys.exit(run("venue_sim", Settings, serve))
