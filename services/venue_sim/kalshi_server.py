"""The simulated Kalshi: REST and WebSocket on one port, over the world or over other listings."""

from aiohttp import web

from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.kalshi_catalog import WorldCatalog
from services.venue_sim.kalshi_rest import KalshiRest, is_order
from services.venue_sim.kalshi_subscriptions import Broadcast
from services.venue_sim.kalshi_ws import HEARTBEAT_S, WS_PATH, KalshiSocket
from services.venue_sim.stats import Stats, counting
from services.venue_sim.world import World


def create_app(
    world: World,
    *,
    authenticator: Authenticator,
    stats: Stats | None = None,
    faults: Faults | None = None,
    queue_limit_frames: int = 50_000,
    heartbeat_s: float = HEARTBEAT_S,
) -> web.Application:
    """Return the venue's application; it follows the world from now on."""
    stats = Stats() if stats is None else stats
    faults = Faults() if faults is None else faults
    broadcast = Broadcast(world.kalshi_markets, faults)
    world.subscribe(broadcast.on_operation)
    world.subscribe_closings(broadcast.on_closing)
    socket = KalshiSocket(
        broadcast, authenticator, stats, faults, queue_limit_frames=queue_limit_frames, heartbeat_s=heartbeat_s
    )
    app = web.Application(middlewares=[counting(stats, is_order)])
    app.router.add_get(WS_PATH, socket.handle)
    KalshiRest(WorldCatalog(world.kalshi_markets.values()), authenticator).add_to(app)
    return app
