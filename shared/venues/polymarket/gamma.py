"""Gamma's events and markets as it serves them: every field raw, because their kinds differ from object to object.

One object mixes JSON numbers, numbers in strings, nulls, real arrays and arrays encoded as strings (recorded objects
of March to September 2026; polymarket-client 0.14.0). The readers here turn a raw field into exact text, ``Decimal``,
a flag, a time or a list, and say nothing (None, empty) when the venue does. Numbers never pass through ``float``.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from shared.domain.numbers import NumberRefused, decimal_from_text

_NOTHING = msgspec.Raw(b"null")
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


class GammaRefused(ValueError):
    """A body or an object is not what Gamma serves there; the message says what came."""


class GammaEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event; its markets stay undecoded until asked for."""

    id: msgspec.Raw = _NOTHING
    slug: msgspec.Raw = _NOTHING
    title: msgspec.Raw = _NOTHING
    description: msgspec.Raw = _NOTHING
    resolution_source: msgspec.Raw = _NOTHING
    series_slug: msgspec.Raw = _NOTHING
    updated_at: msgspec.Raw = _NOTHING
    neg_risk: msgspec.Raw = _NOTHING
    neg_risk_augmented: msgspec.Raw = _NOTHING
    tags: msgspec.Raw = _NOTHING
    markets: msgspec.Raw = _NOTHING


class GammaMarket(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One market; the fields a scanner needs."""

    id: msgspec.Raw = _NOTHING
    condition_id: msgspec.Raw = _NOTHING
    slug: msgspec.Raw = _NOTHING
    question: msgspec.Raw = _NOTHING
    description: msgspec.Raw = _NOTHING
    resolution_source: msgspec.Raw = _NOTHING
    group_item_title: msgspec.Raw = _NOTHING
    outcomes: msgspec.Raw = _NOTHING
    clob_token_ids: msgspec.Raw = _NOTHING
    position_ids: msgspec.Raw = _NOTHING
    version: msgspec.Raw = _NOTHING
    active: msgspec.Raw = _NOTHING
    closed: msgspec.Raw = _NOTHING
    archived: msgspec.Raw = _NOTHING
    accepting_orders: msgspec.Raw = _NOTHING
    accepting_orders_timestamp: msgspec.Raw = _NOTHING
    enable_order_book: msgspec.Raw = _NOTHING
    neg_risk: msgspec.Raw = _NOTHING
    neg_risk_other: msgspec.Raw = _NOTHING
    neg_risk_market_id: msgspec.Raw = msgspec.field(name="negRiskMarketID", default=_NOTHING)
    start_date: msgspec.Raw = _NOTHING
    end_date: msgspec.Raw = _NOTHING
    game_start_time: msgspec.Raw = _NOTHING
    sports_market_type: msgspec.Raw = _NOTHING
    line: msgspec.Raw = _NOTHING
    order_price_min_tick_size: msgspec.Raw = _NOTHING
    order_min_size: msgspec.Raw = _NOTHING
    seconds_delay: msgspec.Raw = _NOTHING
    fees_enabled: msgspec.Raw = _NOTHING
    fee_schedule: msgspec.Raw = _NOTHING
    uma_resolution_status: msgspec.Raw = _NOTHING
    events: msgspec.Raw = _NOTHING


class GammaFeeSchedule(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a taker pays; the other fields concern makers."""

    rate: msgspec.Raw = _NOTHING
    exponent: msgspec.Raw = _NOTHING


class EventsPage(msgspec.Struct, frozen=True):
    """A page of ``/events/keyset``; an absent cursor ends the list."""

    events: list[msgspec.Raw]
    next_cursor: str | None = None


_PAGE: msgspec.json.Decoder[EventsPage] = msgspec.json.Decoder(EventsPage)
_EVENT: msgspec.json.Decoder[GammaEvent] = msgspec.json.Decoder(GammaEvent)
_MARKET: msgspec.json.Decoder[GammaMarket] = msgspec.json.Decoder(GammaMarket)
_FEE_SCHEDULE: msgspec.json.Decoder[GammaFeeSchedule] = msgspec.json.Decoder(GammaFeeSchedule)
_RAW_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_RAW_FIELDS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)


def read_events_page(body: bytes) -> EventsPage:
    """Return one page of events, each still raw, so that one odd event costs no other.

    Raises GammaRefused.
    """
    try:
        return _PAGE.decode(body)
    except _UNREADABLE as error:
        raise GammaRefused(f"GET /events/keyset answered {body[:120]!r}: {error}") from None


def read_event(raw: msgspec.Raw | bytes) -> GammaEvent:
    """Return one event. Raises GammaRefused."""
    try:
        return _EVENT.decode(raw)
    except _UNREADABLE as error:
        raise GammaRefused(f"not an event: {error}") from None


def read_market(raw: msgspec.Raw | bytes) -> GammaMarket:
    """Return one market. Raises GammaRefused."""
    try:
        return _MARKET.decode(raw)
    except _UNREADABLE as error:
        raise GammaRefused(f"not a market: {error}") from None


def markets_of(event: GammaEvent) -> list[msgspec.Raw]:
    """Return an event's nested markets, still raw; none when the key is missing."""
    return _list(event.markets)


def event_of(market: GammaMarket) -> GammaEvent:
    """Return the first of a market's own shallow events, an empty one when it has none."""
    for raw in _list(market.events):
        return read_event(raw)
    return GammaEvent()


def fee_schedule_of(market: GammaMarket) -> GammaFeeSchedule | None:
    """Return the market's fee schedule, None when it is missing, null or no object."""
    try:
        return None if text_of(market.fee_schedule) is None else _FEE_SCHEDULE.decode(market.fee_schedule)
    except _UNREADABLE:
        return None


def tag_labels(event: GammaEvent) -> Iterator[str]:
    """Yield the labels of an event's tags."""
    for raw in _list(event.tags):
        try:
            label = _RAW_FIELDS.decode(raw).get("label")
        except _UNREADABLE:
            continue
        if label is not None and (text := text_of(label)):
            yield text


def text_of(raw: msgspec.Raw) -> str | None:
    """Return a string's text, or any other value as it was written; None for null and what is missing."""
    token = bytes(raw).strip()
    if token == b"null":
        return None
    try:
        return _TEXT.decode(token) if token.startswith(b'"') else token.decode()
    except _UNREADABLE:
        return None


def decimal_of(raw: msgspec.Raw) -> Decimal | None:
    """Return a number, or a number in a string, exactly; None when there is none that the gate admits."""
    text = text_of(raw)
    try:
        return None if text is None else decimal_from_text(text, signed=True)
    except NumberRefused:
        return None


def flag_of(raw: msgspec.Raw) -> bool | None:
    """Return true or false, in or out of a string; None for anything else."""
    return {"true": True, "false": False}.get((text_of(raw) or "").lower())


def texts_of(raw: msgspec.Raw) -> tuple[str, ...]:
    """Return a list of texts, be it an array or an array encoded in a string; empty when there is none."""
    return tuple(text for part in _list(raw) if (text := text_of(part)) is not None)


def time_of(raw: msgspec.Raw) -> datetime | None:
    """Return an instant: ISO with ``Z``, or ``2026-05-15 18:00:00+00``; None when it is none."""
    text = text_of(raw) or ""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _list(raw: msgspec.Raw) -> list[msgspec.Raw]:
    text = text_of(raw)
    if not text:
        return []
    try:
        return _RAW_LIST.decode(text)
    except _UNREADABLE:
        return []
