"""What every contestant of the Kalshi benchmark is fed: the simulated world's frames, made before the clock starts."""

from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from services.venue_sim import kalshi_frames
from services.venue_sim.markets import KalshiMarket, Operation
from services.venue_sim.world import World
from shared.domain.market import MarketId

_START_MS = 1_795_284_000_000
_STEP_MS = 20
DEEP_LEVELS = 90
"""Far orders added to each side, a tenth of a cent apart: the simulated books hold five levels a side, recorded ones
of production (Bitcoin, May 2026) about a hundred (median of 97 to 107 in four captures)."""

Best = tuple[Decimal, Decimal]
"""YES bid (0 without one) and YES ask (1 without one)."""


class Tape(NamedTuple):
    """A recording: the markets, their snapshots and what followed."""

    tickers: list[MarketId]
    snapshots: list[bytes]
    deltas: list[bytes]
    delta_tickers: list[MarketId]
    """Which market each delta is about; the rivals read it from the frame, our session's events say it."""


def make_tape(*, messages: int, seed: int) -> Tape:
    """Let a world live and write down what the exchange would send on one subscription."""
    world = World(seed=seed, start_ms=_START_MS, operations_per_s=2_000)
    markets = list(world.kalshi_markets.values())
    bodies: list[bytes] = []
    about: list[MarketId] = []

    def on_operation(operation: Operation) -> None:
        if isinstance(operation.market, KalshiMarket):
            bodies.extend(kalshi_frames.delta_bodies(operation, yes_scale=False))
            about.extend([MarketId(operation.market.market_id)] * (len(bodies) - len(about)))

    snapshots = [
        kalshi_frames.sequenced(
            "orderbook_snapshot", 1, seq, _deep(kalshi_frames.snapshot_body(market, yes_scale=False))
        )
        for seq, market in enumerate(markets, 1)
    ]
    world.subscribe(on_operation)
    now_ms = _START_MS
    while len(bodies) < messages:
        now_ms += _STEP_MS
        world.step(now_ms)
    deltas = [
        kalshi_frames.sequenced("orderbook_delta", 1, seq, body) for seq, body in enumerate(bodies, len(snapshots) + 1)
    ]
    return Tape([MarketId(market.market_id) for market in markets], snapshots, deltas, about)


def _deep(body: bytes) -> bytes:
    """Return a snapshot with far orders on both sides, unless the market trades near an end of the scale."""
    found: dict[str, Any] = msgspec.json.decode(body)
    sides: list[list[list[str]]] = [found.get(f"{side}_dollars_fp", []) for side in ("yes", "no")]
    if all(levels and max(price for price, _ in levels) >= "0.1500" for levels in sides):
        for levels in sides:
            held = {price for price, _ in levels}
            far = (f"0.{step * 10:04d}" for step in range(1, DEEP_LEVELS + 1))
            levels[:0] = [[price, "25.00"] for price in far if price not in held]
    return msgspec.json.encode(found)
