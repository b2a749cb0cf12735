"""A process that plays tapes: both venues' sockets without any cost per frame but the write itself.

REST comes from the simulator's own applications; the two WebSockets here speak just enough of each venue's protocol to
be subscribed to, and write pre-rendered frames past the library straight to the transport.

``python -m services.cli.bench.player READY_FILE QUESTIONS SEED``; on the control address ``POST /tape {"parts": [[rate,
seconds], ...]}`` answers with the moment at which playing begins and ``GET /tape`` with what was played.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from websockets.asyncio.server import serve

from services.cli.bench.played import PlayedWorld
from services.cli.bench.playing import Player, now_ms
from services.venue_sim import polymarket_live
from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.kalshi_catalog import WorldCatalog
from services.venue_sim.kalshi_rest import KalshiRest
from services.venue_sim.ready import ThrowAwayKey, key_path
from services.venue_sim.truth import dollars_text, mapping_facts
from services.venue_sim.world import World

Json = dict[str, Any]

PLANT_INTERVAL_MS = 120
"""About eight edges open each second and stay for some seconds; in between, most pairs pay nothing, as in life."""


async def _serve(ready_file: Path, questions: int, seed: int) -> None:
    world = World(
        seed=seed,
        start_ms=now_ms(),
        question_count=questions,
        operations_per_s=100,
        plant_interval_ms=PLANT_INTERVAL_MS,
        crowded=True,
    )
    player = Player(world)
    key = ThrowAwayKey.make()
    key.write(key_path(ready_file))
    async with (
        serve(player.talk_kalshi, "127.0.0.1", 0, compression=None, ping_interval=None) as kalshi_ws,
        serve(player.talk_polymarket, "127.0.0.1", 0, compression=None, ping_interval=None) as polymarket_ws,
    ):
        kalshi = web.Application()
        KalshiRest(WorldCatalog(world.kalshi_markets.values()), Authenticator(key.public_keys, now_ms)).add_to(kalshi)
        polymarket = polymarket_live.create_app(player.played, now_ms=now_ms)
        polymarket.middlewares.append(_catching_up(player.played))
        kalshi_port, polymarket_port, control_port = [
            await _site(app) for app in (kalshi, polymarket, _control_app(player))
        ]
        addresses = {
            "kalshi": {
                "rest_url": f"http://127.0.0.1:{kalshi_port}/trade-api/v2",
                "ws_url": f"ws://127.0.0.1:{_port(kalshi_ws)}/trade-api/ws/v2",
                "key_id": key.key_id,
                "private_key_file": str(key_path(ready_file)),
            },
            "polymarket": {
                "gamma_url": f"http://127.0.0.1:{polymarket_port}/gamma",
                "clob_url": f"http://127.0.0.1:{polymarket_port}",
                "ws_url": f"ws://127.0.0.1:{_port(polymarket_ws)}/ws/market",
            },
            "control_url": f"http://127.0.0.1:{control_port}",
            "seed": seed,
        }
        partial = ready_file.with_suffix(".part")
        partial.write_bytes(msgspec.json.encode(addresses))
        partial.rename(ready_file)
        await asyncio.Event().wait()


def _catching_up(played: PlayedWorld) -> Middleware:
    @web.middleware
    async def catching_up(request: web.Request, handler: Handler) -> web.StreamResponse:
        played.catch_up()
        return await handler(request)

    return catching_up


def _control_app(player: Player) -> web.Application:
    async def prepare(request: web.Request) -> web.Response:
        order = await request.json()
        return web.json_response(await player.prepare([(rate, seconds) for rate, seconds in order["parts"]]))

    async def played(_request: web.Request) -> web.Response:
        return web.json_response(await player.played_tape())

    async def mappings(_request: web.Request) -> web.Response:
        pairs = [
            {
                **mapping_facts(question),
                "multiplier": dollars_text(question.kalshi.fee_multiplier),
                "rate": dollars_text(question.polymarket.fee_rate),
                "token": question.polymarket.token_ids[0],
            }
            for question in player.world.questions
            if question.kind in ("template", "curated")
        ]
        return web.json_response({"pairs": pairs})

    async def tops(_request: web.Request) -> web.Response:
        return web.json_response(player.tops())

    app = web.Application()
    app.router.add_get("/tops", tops)
    app.router.add_post("/tape", prepare)
    app.router.add_get("/tape", played)
    app.router.add_get("/mappings", mappings)
    return app


async def _site(app: web.Application) -> int:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port: int = runner.addresses[0][1]
    return port


def _port(server: Any) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
