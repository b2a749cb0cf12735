"""What Kalshi says about the life of its markets and the fees of its events, by WebSocket.

The channel ``market_lifecycle_v2`` has no filter and carries three types of message. Opening and normal closing are
implicit by time and send nothing; everything else is optional, so that each field may be missing.
Kalshi AsyncAPI, read 2026-11-21.
"""

from typing import Literal

import msgspec

from shared.domain.market import MarketId
from shared.domain.numbers import NumberRefused
from shared.venues.kalshi.schema import UNREADABLE, PriceRange, decimal_from_token

LIFECYCLE_CHANNEL = "market_lifecycle_v2"
LIFECYCLE_TYPES = frozenset({"market_lifecycle_v2", "event_lifecycle", "event_fee_update"})

Happening = Literal[
    "created",
    "activated",
    "deactivated",
    "close_date_updated",
    "determined",
    "settled",
    "price_level_structure_updated",
    "metadata_updated",
    "other",
]
_HAPPENINGS = frozenset(Happening.__args__)  # type: ignore[attr-defined]


class MarketNews(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a market other than a change of its book."""

    market_id: MarketId
    happening: Happening
    """``deactivated`` also stands for an ``activated`` message that says the opposite in ``is_deactivated``."""
    close_ts_s: int | None = None
    price_ranges: tuple[PriceRange, ...] | None = None
    result: str = ""


class EventFees(msgspec.Struct, frozen=True, kw_only=True):
    """An event's fee override changed; both None is back to the series' terms."""

    event_id: str
    fee_type: str | None
    multiplier: msgspec.Raw
    """A JSON number as its own text, or ``null``."""


class EventListed(msgspec.Struct, frozen=True):
    """An event appeared or its text changed; a listing by REST says more."""

    event_id: str


class LifecycleMissed(msgspec.Struct, frozen=True):
    """Messages of the lifecycle channel are missing: read the listing instead."""

    reason: str


Lifecycle = MarketNews | EventFees | EventListed


def read_lifecycle(frame: bytes) -> Lifecycle:
    """Return what a frame of one of the ``LIFECYCLE_TYPES`` says.

    Raises ValueError for a frame without the content its type needs.
    """
    try:
        message = _FRAME.decode(frame)
        match message:
            case _Market(msg=body):
                return _news(body)
            case _Fees(msg=fees):
                decimal_from_token(fees.fee_multiplier_override)  # refuses what is no plain number
                return EventFees(
                    event_id=fees.event_ticker,
                    fee_type=fees.fee_type_override,
                    multiplier=msgspec.Raw(bytes(fees.fee_multiplier_override)),
                )
            case _Event(msg=event):
                return EventListed(event.event_ticker)
    except (*UNREADABLE, NumberRefused) as error:
        raise ValueError(str(error)) from None


def _news(body: "_MarketBody") -> MarketNews:
    happening: Happening = body.event_type if body.event_type in _HAPPENINGS else "other"  # type: ignore[assignment]
    if happening in {"activated", "deactivated"} and body.is_deactivated is not None:
        happening = "deactivated" if body.is_deactivated else "activated"
    return MarketNews(
        market_id=MarketId(body.market_ticker),
        happening=happening,
        close_ts_s=body.close_ts,
        price_ranges=None if body.price_ranges is None else tuple(body.price_ranges),
        result=body.result or "",
    )


class _MarketBody(msgspec.Struct):
    event_type: str
    market_ticker: str
    close_ts: int | None = None
    result: str | None = None
    is_deactivated: bool | None = None
    price_ranges: list[PriceRange] | None = None


class _Market(msgspec.Struct, tag="market_lifecycle_v2"):
    msg: _MarketBody


class _EventBody(msgspec.Struct):
    event_ticker: str


class _Event(msgspec.Struct, tag="event_lifecycle"):
    msg: _EventBody


class _FeesBody(msgspec.Struct):
    event_ticker: str
    fee_type_override: str | None = None
    fee_multiplier_override: msgspec.Raw = msgspec.Raw(b"null")


class _Fees(msgspec.Struct, tag="event_fee_update"):
    msg: _FeesBody


_FRAME: msgspec.json.Decoder[_Market | _Event | _Fees] = msgspec.json.Decoder(_Market | _Event | _Fees)
