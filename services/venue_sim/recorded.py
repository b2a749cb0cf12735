"""A folder of recorded venue data, served instead of a simulated world.

``load`` reads objects and frames; two applications serve them on the venues' own paths, Kalshi's with the same
handshake and commands as the simulated one. A replay starts when a client has subscribed, so it misses nothing, and
every new connection starts its own.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from aiohttp import web

from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.kalshi_rest import KalshiRest, is_order
from services.venue_sim.kalshi_ws import HEARTBEAT_S, WS_PATH, KalshiSocket
from services.venue_sim.polymarket_rest import add_routes
from services.venue_sim.polymarket_rest import is_order as is_polymarket_order
from services.venue_sim.polymarket_ws import Client, MarketChannel, dump_frame
from services.venue_sim.recorded_files import kind_of, recordings_in, values_in
from services.venue_sim.recorded_harvest import Harvest
from services.venue_sim.recorded_kalshi import RecordedKalshi
from services.venue_sim.recorded_kalshi_frames import RecordedBroadcast
from services.venue_sim.recorded_kalshi_frames import Recording as KalshiRecording
from services.venue_sim.recorded_polymarket import RecordedPolymarket
from services.venue_sim.recorded_polymarket_frames import Event, replay_for
from services.venue_sim.recorded_polymarket_frames import Recording as PolymarketRecording
from services.venue_sim.stats import Stats, counting

_NO_LIMIT_FRAMES = 1 << 40
"""A replay is queued as it is and read at the client's pace; nobody is too slow for it."""


@dataclass(frozen=True)
class RecordedWorld:
    """Everything a folder holds, per venue."""

    folder: Path
    kalshi: RecordedKalshi
    polymarket: RecordedPolymarket

    def manifest(self) -> dict[str, Any]:
        """Return what there is, for tests that pair markets: one line per market and venue."""
        return {
            "folder": str(self.folder),
            "kalshi": self.kalshi.manifest(),
            "polymarket": self.polymarket.manifest(),
            "condition_of_row": self.polymarket.condition_of_row,
        }


def load(folder: Path) -> RecordedWorld:
    """Read every recording below ``folder``.

    Raises FileNotFoundError when it is no folder, UnreadableRecording (with file and line) when a file is broken.
    """
    harvest = Harvest()
    kalshi: list[KalshiRecording] = []
    polymarket: list[PolymarketRecording] = []
    for path in recordings_in(folder):
        kind = kind_of(path)
        if kind == "kalshi_frames":
            kalshi.append(KalshiRecording.read(path))
        elif kind == "polymarket_frames":
            polymarket.append(PolymarketRecording.read(path))
        else:
            for value in values_in(path):
                harvest.take(value)
    return RecordedWorld(folder, RecordedKalshi(harvest, kalshi), RecordedPolymarket(harvest, polymarket))


def create_kalshi_app(
    recorded: RecordedWorld,
    *,
    authenticator: Authenticator,
    stats: Stats | None = None,
    faults: Faults | None = None,
    heartbeat_s: float = HEARTBEAT_S,
    speed: Fraction | None = None,
) -> web.Application:
    """Return Kalshi's application over recordings; ``speed`` None replays as fast as the client reads."""
    stats = Stats() if stats is None else stats
    faults = Faults() if faults is None else faults
    kalshi = recorded.kalshi
    broadcast = RecordedBroadcast(kalshi.recordings, kalshi.tickers(), kalshi.orderbooks, faults, speed=speed)
    socket = KalshiSocket(
        broadcast, authenticator, stats, faults, queue_limit_frames=_NO_LIMIT_FRAMES, heartbeat_s=heartbeat_s
    )
    app = web.Application(middlewares=[counting(stats, is_order)])
    app.router.add_get(WS_PATH, socket.handle)
    KalshiRest(kalshi, authenticator).add_to(app)
    return app


def create_polymarket_app(
    recorded: RecordedWorld,
    *,
    now_ms: Callable[[], int],
    stats: Stats | None = None,
    speed: Fraction | None = None,
) -> web.Application:
    """Return Polymarket's application over recordings. ``now_ms`` is what ``GET /time`` tells."""
    stats = Stats() if stats is None else stats
    player = _Player(recorded.polymarket, stats, speed)
    app = web.Application(middlewares=[counting(stats, is_polymarket_order)])
    add_routes(app, recorded.polymarket, now_ms)
    app.router.add_get("/ws/market", MarketChannel(player.subscribed, stats=stats).handle)
    app.on_shutdown.append(player.stop)
    return app


class _Player:
    """Answers subscriptions to the market channel with recorded frames."""

    def __init__(self, venue: RecordedPolymarket, stats: Stats, speed: Fraction | None) -> None:
        self._venue = venue
        self._stats = stats
        self._speed = speed
        self._tasks: set[asyncio.Task[None]] = set()

    def subscribed(self, client: Client, token_ids: Sequence[str]) -> None:
        """Queue the opening books at once and let the rest follow; without frames the REST book is the opening."""
        opening, events = replay_for(self._venue.recordings, token_ids)
        books = [event.frame for event in opening]
        opened = {event.token_ids[0] for event in opening}
        books += [frame for token in token_ids if token not in opened and (frame := self._venue.ws_book(token))]
        if client.dump:
            client.outbox.push(dump_frame(books))
        task = asyncio.get_running_loop().create_task(self._play(client, events))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self, _app: web.Application) -> None:
        """End every replay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _play(self, client: Client, events: Sequence[Event]) -> None:
        last_ms: int | None = None
        for event in events:
            if self._speed is not None and last_ms is not None and event.at_ms > last_ms:
                wait_ms = Fraction(event.at_ms - last_ms) / self._speed
                await asyncio.sleep(wait_ms.numerator / wait_ms.denominator / 1000)
            last_ms = event.at_ms
            await client.outbox.deliver(event.frame)
