"""What the control port can cause on a venue: listings, resolutions, closings, tick changes, settlements, edits."""

import re
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from services.venue_sim.markets import TRADABLE, SimMarket
from services.venue_sim.polymarket_live import LiveVenue
from services.venue_sim.polymarket_text import price_e4
from services.venue_sim.world import World

Json = dict[str, Any]

_PLANTED = re.compile(r"(bid|ask) (0\.[0-9]{1,4}) ([1-9][0-9]{0,6})")
_POLYMARKET_VERSIONS = ("v1", "v2")
_POLYMARKET_TICKS = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")


class EventOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /_event``."""

    venue: str
    event: str
    market: str = ""
    """A Kalshi ticker or a condition id; for ``list``, the market that the new one resembles."""
    value: str = ""
    """What ``event`` needs: a tick size, the protocol's version, new rules, the winning outcome or the result; for
    ``terms`` what the venue says of the market's event, for ``plant`` an order such as ``bid 0.45 100``."""


class Impossible(Exception):
    """The order cannot be carried out; the message says why."""


class Stage(Protocol):
    """A venue on which things can be made to happen."""

    def perform(self, order: EventOrder) -> Json:
        """Carry the order out and return what came of it. Raises Impossible."""
        ...


class PolymarketStage:
    """``list``, ``resolve``, ``tick``, ``edit``, ``terms`` and ``plant`` on the simulated Polymarket."""

    def __init__(self, venue: LiveVenue, world: World) -> None:
        self._venue = venue
        self._world = world

    def perform(self, order: EventOrder) -> Json:
        """Carry the order out and return what came of it. Raises Impossible."""
        if order.market not in self._venue.condition_ids():
            raise Impossible(f"market={order.market!r} is none of Polymarket's condition ids")
        if order.event == "list":
            if order.value not in ("", *_POLYMARKET_VERSIONS):
                raise Impossible(f"value={order.value!r} is no version: {' or '.join(_POLYMARKET_VERSIONS)}")
            listed = self._venue.list_like(order.market, version=order.value or "v1")
            return {"condition_id": listed.market_id, "gamma_id": listed.gamma_id, "token_ids": list(listed.token_ids)}
        if order.event == "resolve":
            if order.value not in ("0", "1"):
                raise Impossible(f"value={order.value!r} is no outcome: 0 or 1")
            self._venue.resolve(order.market, int(order.value))
            return {"condition_id": order.market, "winner": int(order.value)}
        if order.event == "tick":
            if order.value not in _POLYMARKET_TICKS:
                raise Impossible(f"value={order.value!r} is no tick size: {', '.join(_POLYMARKET_TICKS)}")
            self._venue.change_tick(order.market, price_e4(order.value))
            return {"condition_id": order.market, "tick_size": order.value}
        if order.event == "edit":
            self._venue.edit_rules(order.market, order.value)
            return {"condition_id": order.market, "description": order.value}
        if order.event == "terms":
            if order.value not in ("plain", "augmented"):
                raise Impossible(f"value={order.value!r} says nothing about an event: plain or augmented")
            self._venue.state_terms(order.market, augmented=order.value == "augmented")
            return {"condition_id": order.market, "terms": order.value}
        if order.event == "plant":
            plant(self._world, self._world.polymarket_markets[order.market], order.value)
            return {"condition_id": order.market, "planted": order.value}
        raise Impossible(
            f"event={order.event!r} does not happen on polymarket: list, resolve, tick, edit, terms or plant"
        )


def plant(world: World, market: SimMarket, value: str) -> None:
    """Plant ``bid 0.45 100`` on a market; an empty text takes the last one off. Raises Impossible."""
    if not value:
        world.uproot(market)
        return
    found = _PLANTED.fullmatch(value)
    if found is None or price_e4(found[2]) not in market.grid.prices_e4:
        raise Impossible(f"value={value!r} is no order: bid or ask, a price of the market's grid and whole contracts")
    if not any(quoted.market is market for quoted in world.quoted) or market.status != TRADABLE:
        raise Impossible(f"market={market.market_id!r} has no makers")
    world.plant(market, "bid" if found[1] == "bid" else "ask", price_e4(found[2]), int(found[3]) * 1_000_000)


def perform(stages: Mapping[str, Stage], order: EventOrder) -> Json:
    """Carry an order out on its venue. Raises Impossible."""
    if order.venue not in stages:
        raise Impossible(
            f"venue={order.venue!r}: nothing can be made to happen there ({', '.join(stages) or 'a replay'})"
        )
    return stages[order.venue].perform(order)
