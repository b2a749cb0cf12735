"""The simulated Kalshi: REST and WebSocket on one port, over the world or over other listings."""

from aiohttp import web

from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.kalshi_catalog import WorldCatalog
from services.venue_sim.kalshi_desk import KalshiDesk
from services.venue_sim.kalshi_rest import KalshiRest, is_order
from services.venue_sim.kalshi_subscriptions import Broadcast
from services.venue_sim.kalshi_ws import HEARTBEAT_S, WS_PATH, KalshiSocket
from services.venue_sim.stats import Stats, counting
from services.venue_sim.world import World

DESK = web.AppKey("DESK", KalshiDesk)


def create_app(
    world: World,
    *,
    authenticator: Authenticator,
    stats: Stats | None = None,
    faults: Faults | None = None,
    queue_limit_frames: int = 50_000,
    heartbeat_s: float = HEARTBEAT_S,
    tier: str = "basic",
) -> web.Application:
    """Return the venue's application; it follows the world from now on. Its ``KalshiDesk`` is under the key ``DESK``.

    ``tier`` is the usage tier of the account: it decides how many requests a second it may make.
    """
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
    desk = KalshiDesk(world, broadcast, authenticator, faults, tier=tier)
    app[DESK] = desk
    desk.add_to(app)
    KalshiRest(WorldCatalog(world.kalshi_markets.values(), faults), authenticator, faults).add_to(app)
    return app
