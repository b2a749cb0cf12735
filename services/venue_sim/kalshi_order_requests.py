"""Bodies of order requests, read as strictly as the venue reads them: texts for prices and counts, never numbers.

Refusals: Kalshi API reference, 2026-11-21 (§5.5): a number where a text belongs is the flat ``bad_request`` that names
the field of the server's type, a missing or unknown value a bare ``msg``.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from services.venue_sim.engine import Side
from services.venue_sim.kalshi_order import OrderRefused, OrderRequest, SelfTrade, TimeInForce

Json = dict[str, Any]

TIMES_IN_FORCE = ("good_till_canceled", "immediate_or_cancel", "fill_or_kill")
SELF_TRADES = ("taker_at_cross", "maker")

_COUNT = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?")
_PRICE = re.compile(r"([01])\.(\d{1,4})")
_NAMES = {str: "string", int: "number", bool: "bool", list: "array", dict: "object", type(None): "null"}


def body_of(data: bytes, kind: str) -> Json:
    """Return a request's JSON object. Raises OrderRefused; ``kind`` is the server's name of the type."""
    try:
        body = msgspec.json.decode(data)
    except msgspec.DecodeError:
        raise _bad_request("invalid character in the body") from None
    if not isinstance(body, dict):
        raise _bad_request(f"json: cannot unmarshal {_json_kind(body)} into Go value of type {kind}")
    return body


def create_request(body: Json, *, now_ms: int) -> OrderRequest:
    """Return what a ``CreateOrderV2Request`` asks for. Raises OrderRefused."""
    reader = _Reader(body, "CreateOrderV2Request")
    time_in_force = reader.choice("time_in_force", TIMES_IN_FORCE)
    expiration_s = reader.integer("expiration_time")
    request = OrderRequest(
        ticker=reader.text("ticker"),
        side=cast(Side, reader.choice("side", ("bid", "ask"))),
        size_e6=reader.count_e6("count"),
        price_e4=reader.price_e4("price"),
        time_in_force=cast(TimeInForce, time_in_force),
        self_trade=cast(SelfTrade, reader.choice("self_trade_prevention_type", SELF_TRADES)),
        client_order_id=reader.text("client_order_id", needed=False),
        expiration_ms=None if expiration_s is None else expiration_s * 1_000,
        post_only=reader.flag("post_only"),
        reduce_only=reader.flag("reduce_only"),
        exchange_index=reader.integer("exchange_index"),
    )
    if reader.integer("subaccount") not in (None, 0):
        raise OrderRefused(404, "user_not_found", "subaccount not found")
    if reader.text("order_group_id", needed=False):
        raise OrderRefused(404, "order_group_not_found")
    _check_together(request, now_ms)
    return request


def _check_together(request: OrderRequest, now_ms: int) -> None:
    """Refuse fields that do not go with each other."""
    waits = request.time_in_force == "good_till_canceled"
    if request.expiration_ms is not None and not waits:
        raise OrderRefused(400, "invalid_order", details="expiration_time needs good_till_canceled")
    if request.expiration_ms is not None and request.expiration_ms <= now_ms:
        raise OrderRefused(400, "invalid_order", details="expiration_time has passed")
    if request.reduce_only and request.time_in_force != "immediate_or_cancel":
        raise OrderRefused(400, "invalid_order", details="reduce_only needs immediate_or_cancel")
    if request.post_only and not waits:
        raise OrderRefused(400, "invalid_order", details="post_only needs good_till_canceled")


class AmendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an ``AmendOrderV2Request`` asks for. ``expiration_ms`` 0 takes the expiry away, None leaves it."""

    ticker: str
    side: Side
    price_e4: int
    count_e6: int
    new_id: str
    expiration_ms: int | None


def amend_request(body: Json) -> AmendRequest:
    """Read an ``AmendOrderV2Request``. Raises OrderRefused."""
    reader = _Reader(body, "AmendOrderV2Request")
    expiration_s = reader.integer("expiration_time")
    return AmendRequest(
        ticker=reader.text("ticker"),
        side=cast(Side, reader.choice("side", ("bid", "ask"))),
        price_e4=reader.price_e4("price"),
        count_e6=reader.count_e6("count"),
        new_id=reader.text("updated_client_order_id", needed=False),
        expiration_ms=None if expiration_s is None else expiration_s * 1_000,
    )


def decrease_request(body: Json) -> tuple[int | None, int | None]:
    """Return ``reduce_by`` and ``reduce_to``, of which one is None. Raises OrderRefused."""
    reader = _Reader(body, "DecreaseOrderV2Request")
    if ("reduce_by" in body) == ("reduce_to" in body):
        raise OrderRefused(400, "invalid_order", "give exactly one of reduce_by and reduce_to", shape="msg")
    if "reduce_by" in body:
        return reader.count_e6("reduce_by"), None
    return None, reader.count_e6("reduce_to", least_e6=0)


def batch_items(body: Json) -> list[Json]:
    """Return the items of a batch. Raises OrderRefused."""
    items = body.get("orders")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise OrderRefused(400, "invalid_parameters", "orders must hold at least one order", shape="msg")
    return items


class _Reader:
    """Reads fields of one body; ``kind`` is the server's name of its type."""

    def __init__(self, body: Mapping[str, Any], kind: str) -> None:
        self._body = body
        self._kind = kind

    def text(self, name: str, *, needed: bool = True) -> str:
        """Return a text, empty when it is missing and may be."""
        value = self._of_type(name, str, "string")
        if needed and not value:
            raise _missing(name)
        return value or ""

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return one of ``choices``."""
        value = self.text(name)
        if value not in choices:
            raise OrderRefused(400, "invalid_parameters", f"invalid {name} {value}", shape="msg")
        return value

    def integer(self, name: str) -> int | None:
        """Return an integer, None when it is missing."""
        value: int | None = self._of_type(name, int, "int64")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean, False when it is missing."""
        return bool(self._of_type(name, bool, "bool"))

    def count_e6(self, name: str, *, least_e6: int = 10_000) -> int:
        """Return a count of contracts: a text with at most two decimals."""
        text = self.text(name)
        found = _COUNT.fullmatch(text)
        count_e6 = int(found[1]) * 1_000_000 + int((found[2] or "").ljust(2, "0")) * 10_000 if found else -1
        if count_e6 < least_e6:
            raise OrderRefused(400, "invalid_count", details=f"{name} {text}")
        return count_e6

    def price_e4(self, name: str) -> int:
        """Return a price in ten-thousandths: a text with at most four decimals, above 0 and below 1."""
        text = self.text(name)
        found = _PRICE.fullmatch(text)
        price_e4 = int(found[1]) * 10_000 + int(found[2].ljust(4, "0")) if found else 0
        if not 0 < price_e4 < 10_000:
            raise OrderRefused(400, "invalid_price", details=f"{name} {text}")
        return price_e4

    def _of_type(self, name: str, kind: type, go_kind: str) -> Any:
        value = self._body.get(name)
        if value is None or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
            return value
        field = f"Go struct field {self._kind}.{name} of type {go_kind}"
        raise _bad_request(f"json: cannot unmarshal {_json_kind(value)} into {field}")


def _json_kind(value: object) -> str:
    return _NAMES.get(type(value), "number")


def _missing(name: str) -> OrderRefused:
    return OrderRefused(400, "invalid_parameters", f"{name} is required", shape="msg")


def _bad_request(details: str) -> OrderRefused:
    return OrderRefused(400, "bad_request", details=details, shape="flat")
