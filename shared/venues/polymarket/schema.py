"""The frames of Polymarket's market WebSocket as typed records, and the one door through which bytes become them.

Prices and sizes stay text here; the number gate turns them into integers where they are used. Only the fields the
session needs are decoded. A frame is one object, an array of objects or a text ``PONG``; key order means nothing.
Field names and kinds follow the venue's AsyncAPI text and recorded messages of May to September 2026.

``read_frame`` first tries the strict, fast types. What they refuse is read once more, object by object, with every
field raw, because the venue is said to send numbers where text belongs, nulls and new kinds of events.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated

import msgspec

_TIMESTAMP_DIGITS = 13
"""Enough until 2286. A later time, or one in microseconds, would make every later message an older one."""
Timestamp = Annotated[int, msgspec.Meta(ge=0, lt=10**_TIMESTAMP_DIGITS)]
"""Unix milliseconds, which the venue writes as text; -1 when what came is none."""


class Level(msgspec.Struct, frozen=True, gc=False):
    """One level of a ``book``."""

    price: str
    size: str


class Change(msgspec.Struct, frozen=True, gc=False):
    """One level's new total, with the top and the hash of that token's whole book after the operation."""

    asset_id: str
    price: str
    size: str
    side: str
    hash: str | None = None
    best_bid: str | None = None
    best_ask: str | None = None


class BookFrame(msgspec.Struct, frozen=True, gc=False, tag_field="event_type", tag="book"):
    """A full book, worst level first; ``tick_size`` and ``last_trade_price`` come in the first one only.

    Its sides stay as sent until they are needed: ``levels`` reads them.
    """

    asset_id: str
    timestamp: Timestamp
    bids: msgspec.Raw
    asks: msgspec.Raw
    market: str = ""
    hash: str | None = None
    tick_size: str | None = None
    last_trade_price: str | None = None


class PriceChange(msgspec.Struct, frozen=True, gc=False, tag_field="event_type", tag="price_change"):
    """New absolute sizes; entries for both tokens of the market, whichever was subscribed."""

    timestamp: Timestamp
    price_changes: list[Change]


class LastTrade(msgspec.Struct, frozen=True, gc=False, tag_field="event_type", tag="last_trade_price"):
    """A trade happened; it may come long after the book changes it caused."""

    asset_id: str
    price: str
    market: str = ""


class TickSizeChange(msgspec.Struct, frozen=True, gc=False, tag_field="event_type", tag="tick_size_change"):
    """The price grid changed (near 0 and 1)."""

    asset_id: str
    new_tick_size: str


class MarketResolved(msgspec.Struct, frozen=True, gc=False, tag_field="event_type", tag="market_resolved"):
    """The market has its result; its tokens trade no more."""

    market: str = ""
    assets_ids: list[str] = []


class BestBidAsk(msgspec.Struct, frozen=True, gc=False, tag_field="event_type", tag="best_bid_ask"):
    """The top of one token's book; every change already carries it, so its content is not read."""


class NewMarket(msgspec.Struct, frozen=True, gc=False, tag_field="event_type", tag="new_market"):
    """Some market of the venue was created: a hint to look at the catalog."""

    market: str = ""


Event = BookFrame | PriceChange | LastTrade | TickSizeChange | MarketResolved | BestBidAsk | NewMarket


class Refusal(StrEnum):
    """Why a frame, or a part of one, was not used."""

    NOT_JSON = "not a readable frame"
    NOT_AN_EVENT = "not an event object"
    UNKNOWN_TYPE = "unknown event type"
    MISSING_FIELD = "required field missing or of the wrong kind"
    BAD_NUMBER = "number refused"
    BAD_TIMESTAMP = "timestamp refused"
    BAD_SIDE = "side is neither BUY nor SELL"
    WRONG_MARKET = "token belongs to another market"
    OLDER = "older than what is already applied"
    NO_SNAPSHOT = "change before the first book"


class FrameRefused(ValueError):
    """A frame, or one object of it, could not be read; ``refusal`` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


# Not strict: the venue writes timestamps as text.
_ONE: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event, strict=False)
_BOOK: msgspec.json.Decoder[BookFrame] = msgspec.json.Decoder(BookFrame, strict=False)
_CHANGE: msgspec.json.Decoder[PriceChange] = msgspec.json.Decoder(PriceChange, strict=False)
_MANY: msgspec.json.Decoder[list[Event]] = msgspec.json.Decoder(list[Event], strict=False)
_LEVELS: msgspec.json.Decoder[list[Level]] = msgspec.json.Decoder(list[Level])
_RAW_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_RAW_FIELDS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
CHANGE_ENDING, BOOK_ENDING = b'"price_change"}', b'"book"}'
"""How the venue ends its usual frames. These are hints which type to try first; nothing else relies on key order."""
CHANGE_ENDING_LENGTH = len(CHANGE_ENDING)
decode_price_change = _CHANGE.decode
"""Decodes one well-formed ``price_change``, as nearly all frames are; raises one of ``UNREADABLE`` for any other."""
decode_book = _BOOK.decode
"""Decodes one well-formed ``book``; raises one of ``UNREADABLE`` for any other."""


def read_frame(frame: bytes) -> tuple[list[Event], list[Refusal]]:
    """Return the events of one frame in order, and why any part of it was refused.

    Never raises: bytes that are no JSON give one ``NOT_JSON`` refusal and no event. Text ``PONG`` is not for this
    function.
    """
    try:
        return ([_ONE.decode(frame)] if frame[:1] == b"{" else _MANY.decode(frame)), []
    except UNREADABLE:
        return _read_leniently(frame)


def read_levels(side: msgspec.Raw) -> list[Level]:
    """Return one side of a book, whether its numbers are text or not; a missing one is empty text.

    Raises FrameRefused when it is no list of objects.
    """
    try:
        return _LEVELS.decode(side)
    except UNREADABLE:
        fields = [_fields(part) for part in _list(side)]
        return [Level(price=_text(level, "price") or "", size=_text(level, "size") or "") for level in fields]


def timestamp_ms(text: str) -> int:
    """Return a venue timestamp in Unix milliseconds, -1 when the text is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _TIMESTAMP_DIGITS else -1


def _read_leniently(frame: bytes) -> tuple[list[Event], list[Refusal]]:
    try:
        parts = _RAW_LIST.decode(frame) if frame.lstrip()[:1] == b"[" else [msgspec.Raw(frame)]
    except UNREADABLE:
        return [], [Refusal.NOT_JSON]
    events: list[Event] = []
    refusals: list[Refusal] = []
    for part in parts:
        try:
            events.append(_event_from_fields(_fields(part)))
        except FrameRefused as refused:
            refusals.append(refused.refusal)
    return events, refusals


def _fields(part: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _RAW_FIELDS.decode(part)
    except msgspec.ValidationError:
        raise FrameRefused(Refusal.NOT_AN_EVENT) from None
    except UNREADABLE:
        raise FrameRefused(Refusal.NOT_JSON) from None


def _event_from_fields(fields: dict[str, msgspec.Raw]) -> Event:
    event_type = _text(fields, "event_type")
    if event_type is None:
        raise FrameRefused(Refusal.NOT_AN_EVENT)
    build = _BUILDERS.get(event_type)
    if build is None:
        raise FrameRefused(Refusal.UNKNOWN_TYPE)
    return build(fields)


def _book_frame(fields: dict[str, msgspec.Raw]) -> Event:
    return BookFrame(
        asset_id=_required(fields, "asset_id"),
        timestamp=timestamp_ms(_required(fields, "timestamp")),
        bids=_whole(fields, "bids"),
        asks=_whole(fields, "asks"),
        market=_text(fields, "market") or "",
        hash=_text(fields, "hash"),
        tick_size=_text(fields, "tick_size"),
        last_trade_price=_text(fields, "last_trade_price"),
    )


def _price_change(fields: dict[str, msgspec.Raw]) -> Event:
    return PriceChange(
        timestamp=timestamp_ms(_text(fields, "timestamp") or ""),
        price_changes=[_change(_fields(part)) for part in _parts(fields, "price_changes")],
    )


def _last_trade(fields: dict[str, msgspec.Raw]) -> Event:
    market = _text(fields, "market") or ""
    return LastTrade(asset_id=_required(fields, "asset_id"), price=_required(fields, "price"), market=market)


def _tick_size_change(fields: dict[str, msgspec.Raw]) -> Event:
    new_tick_size = _required(fields, "new_tick_size")
    return TickSizeChange(asset_id=_required(fields, "asset_id"), new_tick_size=new_tick_size)


def _market_resolved(fields: dict[str, msgspec.Raw]) -> Event:
    ids = _parts(fields, "assets_ids") if "assets_ids" in fields else []
    return MarketResolved(market=_text(fields, "market") or "", assets_ids=[_plain(part) for part in ids])


def _best_bid_ask(_fields_unread: dict[str, msgspec.Raw]) -> Event:
    return BestBidAsk()


def _new_market(fields: dict[str, msgspec.Raw]) -> Event:
    return NewMarket(market=_text(fields, "market") or "")


_BUILDERS: dict[str, Callable[[dict[str, msgspec.Raw]], Event]] = {
    "book": _book_frame,
    "price_change": _price_change,
    "last_trade_price": _last_trade,
    "tick_size_change": _tick_size_change,
    "market_resolved": _market_resolved,
    "best_bid_ask": _best_bid_ask,
    "new_market": _new_market,
}


def _change(fields: dict[str, msgspec.Raw]) -> Change:
    """Return the entry with empty text where a field is missing: the session refuses it, knowing whose it was."""
    return Change(
        asset_id=_text(fields, "asset_id") or "",
        price=_text(fields, "price") or "",
        size=_text(fields, "size") or "",
        side=_text(fields, "side") or "",
        hash=_text(fields, "hash"),
        best_bid=_text(fields, "best_bid"),
        best_ask=_text(fields, "best_ask"),
    )


def _whole(fields: dict[str, msgspec.Raw], name: str) -> msgspec.Raw:
    """Return a list as it was written, after a look whether it is one of levels."""
    if name not in fields:
        raise FrameRefused(Refusal.MISSING_FIELD)
    read_levels(fields[name])
    return fields[name].copy()


def _parts(fields: dict[str, msgspec.Raw], name: str) -> Iterable[msgspec.Raw]:
    if name not in fields:
        raise FrameRefused(Refusal.MISSING_FIELD)
    return _list(fields[name])


def _list(part: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _RAW_LIST.decode(part)
    except UNREADABLE:
        raise FrameRefused(Refusal.MISSING_FIELD) from None


def _required(fields: dict[str, msgspec.Raw], name: str) -> str:
    text = _text(fields, name)
    if text is None:
        raise FrameRefused(Refusal.MISSING_FIELD)
    return text


def _text(fields: dict[str, msgspec.Raw], name: str) -> str | None:
    part = fields.get(name)
    if part is None or bytes(part) == b"null":
        return None
    return _plain(part)


def _plain(part: msgspec.Raw) -> str:
    """Return a JSON string's text, or the token of a number, ``true``, an array … as it was written."""
    token = bytes(part)
    try:
        return _TEXT.decode(token) if token.startswith(b'"') else token.decode()
    except UNREADABLE:
        raise FrameRefused(Refusal.NOT_JSON) from None
