"""The simulator's own door, on loopback: what is true, what has been served, which faults to inject, what to cause."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from services.venue_sim.faults import Faults, UnknownFault
from services.venue_sim.kalshi_rest import json_answer
from services.venue_sim.markets import SimMarket
from services.venue_sim.occasions import EventOrder, Impossible, Stage, perform
from services.venue_sim.polymarket_text import price_text, size_text
from services.venue_sim.stats import Stats
from services.venue_sim.truth import Truth, mapping_facts, truth_json
from services.venue_sim.world import World

Json = dict[str, Any]


class FaultOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /_fault``."""

    venue: str
    name: str
    times: int = 1
    """How often a one-time fault strikes; a lasting one is on while this is above 0."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What the door shows: the world and its truth (neither in a replay of recorded data) and both venues."""

    world: World | None
    truth: Truth | None
    stats: Mapping[str, Stats]
    """By venue."""
    faults: Mapping[str, Faults]
    stages: Mapping[str, Stage] = field(default_factory=dict)
    """Where things can be made to happen, by venue."""
    manifest: Json | None = None
    """What is recorded, by venue and market, in a replay of recorded data."""


def create_control_app(observed: Observed, now_ms: Callable[[], int]) -> web.Application:
    """Return the control application."""
    app = web.Application()

    async def truth(request: web.Request) -> web.Response:
        since = request.query.get("since_ms", "0")
        if not (since.isascii() and since.isdigit()):
            return json_answer({"error": f"since_ms={since!r} is not a number of milliseconds"}, status=400)
        if observed.truth is None:
            return json_answer({"now_ms": now_ms(), "pairs": [], "look_alikes": [], "intervals": []})
        return json_answer(truth_json(observed.truth, now_ms=now_ms(), since_ms=int(since)))

    async def stats(_request: web.Request) -> web.Response:
        venues = {name: counted.as_json() for name, counted in observed.stats.items()}
        operations = observed.world.operation_count if observed.world else 0
        return json_answer({"now_ms": now_ms(), "operations": operations, **venues})

    async def books(_request: web.Request) -> web.Response:
        world = observed.world
        found: dict[str, Mapping[str, SimMarket]] = {}
        if world is not None:
            found = {"kalshi": world.kalshi_markets, "polymarket": world.polymarket_markets}
        return json_answer(
            {venue: {m.market_id: _book_json(m) for m in some.values()} for venue, some in found.items()}
        )

    async def mappings(_request: web.Request) -> web.Response:
        pairs = observed.truth.pairs() if observed.truth else []
        return json_answer({"pairs": [mapping_facts(pair) for pair in pairs if pair.kind == "curated"]})

    async def manifest(_request: web.Request) -> web.Response:
        if observed.manifest is None:
            return json_answer({"error": "this is a simulated world, nothing is recorded"}, status=404)
        return json_answer(observed.manifest)

    async def list_faults(_request: web.Request) -> web.Response:
        return json_answer({"faults": _known_faults(observed.faults)})

    async def arm_fault(request: web.Request) -> web.Response:
        try:
            order = msgspec.json.decode(await request.read(), type=FaultOrder)
            observed.faults[order.venue].arm(order.name, order.times)
        except msgspec.MsgspecError as error:
            return json_answer({"error": str(error)}, status=400)
        except (KeyError, UnknownFault):
            known = _known_faults(observed.faults)
            return json_answer({"error": "no such fault", "faults": known}, status=404)
        return json_answer({"armed": msgspec.to_builtins(order)})

    async def cause_event(request: web.Request) -> web.Response:
        try:
            order = msgspec.json.decode(await request.read(), type=EventOrder)
            return json_answer(perform(observed.stages, order))
        except (msgspec.MsgspecError, Impossible) as error:
            return json_answer({"error": str(error)}, status=400)

    app.router.add_post("/_event", cause_event)
    app.router.add_get("/truth", truth)
    app.router.add_get("/books", books)
    app.router.add_get("/stats", stats)
    app.router.add_get("/mappings", mappings)
    app.router.add_get("/recorded", manifest)
    app.router.add_get("/_fault", list_faults)
    app.router.add_post("/_fault", arm_fault)
    return app


def _book_json(market: SimMarket) -> Json:
    """Return the engine's own book in the terms of YES, best first, and when it last changed."""
    return {
        "ts_ms": market.last_at_us // 1_000,
        "status": market.status,
        "bids": [[price_text(price), size_text(size)] for price, size in market.book.bids()],
        "asks": [[price_text(price), size_text(size)] for price, size in market.book.asks()],
    }


def _known_faults(faults: Mapping[str, Faults]) -> list[Json]:
    return [
        {"venue": venue, "name": kind.name, "lasts": kind.lasts, "does": kind.does}
        for venue, registry in faults.items()
        for kind in registry.kinds()
    ]
