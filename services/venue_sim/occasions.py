"""What the control port can cause on a venue: listings, resolutions, closings, tick changes, settlements, edits."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from services.venue_sim.polymarket_live import LiveVenue
from services.venue_sim.polymarket_text import price_e4

Json = dict[str, Any]

_POLYMARKET_VERSIONS = ("v1", "v2")
_POLYMARKET_TICKS = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")


class EventOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /_event``."""

    venue: str
    event: str
    market: str = ""
    """A Kalshi ticker or a condition id; for ``list``, the market that the new one resembles."""
    value: str = ""
    """What ``event`` needs: a tick size, the protocol's version, new rules, the winning outcome or the result."""


class Impossible(Exception):
    """The order cannot be carried out; the message says why."""


class Stage(Protocol):
    """A venue on which things can be made to happen."""

    def perform(self, order: EventOrder) -> Json:
        """Carry the order out and return what came of it. Raises Impossible."""
        ...


class PolymarketStage:
    """``list``, ``resolve``, ``tick`` and ``edit`` on the simulated Polymarket."""

    def __init__(self, venue: LiveVenue) -> None:
        self._venue = venue

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
        raise Impossible(f"event={order.event!r} does not happen on polymarket: list, resolve, tick or edit")


def perform(stages: Mapping[str, Stage], order: EventOrder) -> Json:
    """Carry an order out on its venue. Raises Impossible."""
    if order.venue not in stages:
        raise Impossible(
            f"venue={order.venue!r}: nothing can be made to happen there ({', '.join(stages) or 'a replay'})"
        )
    return stages[order.venue].perform(order)
