"""The shapes of Kalshi's frames and bodies: only the fields we need, numbers still as the venue's text.

Frames come in three tries, so that the one kind that makes up the traffic costs one decode: book data, then control
replies, then an envelope for everything else. Kalshi AsyncAPI and OpenAPI 3.34.0, read 2026-11-21; recordings of
2026-05 to 2026-09.
"""

import re
from decimal import Decimal
from typing import Literal

import msgspec

from shared.domain.numbers import NumberFault, NumberRefused

BOOK_CHANNEL = "orderbook_delta"

TextLevel = tuple[str, str]
"""A price on the side's own scale and a size in contracts, as text."""

_PLAIN_TOKEN = re.compile(rb"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?")
"""Wider than the gate for prices and sizes: a strike may be a company's value in dollars."""


class DeltaBody(msgspec.Struct, gc=False):
    """One change of one level; deltas of one engine operation share ``ts``."""

    market_ticker: str
    price_dollars: str
    delta_fp: str
    side: Literal["yes", "no"]
    ts: str | None = None
    """RFC 3339 with up to six fraction digits; deprecated, but it is what tells operations apart."""
    ts_ms: int | None = None


class Delta(msgspec.Struct, gc=False, tag="orderbook_delta"):
    """A change relative to what the level held."""

    sid: int
    seq: int
    msg: DeltaBody


class SnapshotBody(msgspec.Struct):
    """A whole book; the key of a side without levels is left out."""

    market_ticker: str
    yes_dollars_fp: list[TextLevel] | None = None
    no_dollars_fp: list[TextLevel] | None = None


class Snapshot(msgspec.Struct, tag="orderbook_snapshot"):
    """A whole book, with the command's ``id`` when it answers ``get_snapshot``."""

    sid: int
    seq: int
    msg: SnapshotBody
    id: int | None = None


class SubscribedBody(msgspec.Struct):
    """Which channel got which sid."""

    channel: str
    sid: int


class Subscribed(msgspec.Struct, tag="subscribed"):
    """The answer to ``subscribe``, one for each channel."""

    msg: SubscribedBody
    id: int | None = None


class ListedBody(msgspec.Struct):
    """One of the subscriptions that the exchange knows; not recorded yet, so nothing of it is required."""

    channel: str | None = None
    sid: int | None = None


class OkBody(msgspec.Struct):
    """The complete list of the subscription's tickers after the change, when it is sent."""

    market_tickers: list[str] | None = None


class Ok(msgspec.Struct, tag="ok"):
    """The answer to a change of a subscription; ``msg`` is a list only for ``list_subscriptions``."""

    id: int | None = None
    sid: int | None = None
    seq: int | None = None
    msg: OkBody | list[ListedBody] | None = None


class Unsubscribed(msgspec.Struct, tag="unsubscribed"):
    """A sid is gone."""

    sid: int
    id: int | None = None
    seq: int | None = None


class ErrorBody(msgspec.Struct):
    """What was wrong, and with which tickers when only some were refused."""

    code: int
    msg: str = ""
    market_ticker: str | None = None
    market_tickers: list[str] | None = None


class ErrorReply(msgspec.Struct, tag="error"):
    """A refused command (``id``) or a failed subscription (``sid``)."""

    msg: ErrorBody
    id: int | None = None
    sid: int | None = None
    seq: int | None = None


class Envelope(msgspec.Struct):
    """What every frame may have around its body."""

    type: str
    sid: int | None = None
    seq: int | None = None


BookFrame = Delta | Snapshot
ControlFrame = Subscribed | Ok | Unsubscribed | ErrorReply

BOOK_FRAME: msgspec.json.Decoder[BookFrame] = msgspec.json.Decoder(BookFrame)
CONTROL_FRAME: msgspec.json.Decoder[ControlFrame] = msgspec.json.Decoder(ControlFrame)
ENVELOPE: msgspec.json.Decoder[Envelope] = msgspec.json.Decoder(Envelope)
BOOK_TYPES = frozenset({"orderbook_delta", "orderbook_snapshot"})
CONTROL_TYPES = frozenset({"subscribed", "ok", "unsubscribed", "error"})

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""Everything a decoder raises for bytes that are not the frame or body it expects."""


class PriceRange(msgspec.Struct):
    """A stretch of the price grid, as text."""

    start: str
    end: str
    step: str


class RestMarket(msgspec.Struct):
    """A market object; strikes are JSON numbers and kept as their raw text."""

    ticker: str
    event_ticker: str
    status: str
    title: str | None = None
    yes_sub_title: str | None = None
    no_sub_title: str | None = None
    rules_primary: str | None = None
    rules_secondary: str | None = None
    open_time: str | None = None
    close_time: str | None = None
    expected_expiration_time: str | None = None
    occurrence_datetime: str | None = None
    updated_time: str | None = None
    fee_waiver_expiration_time: str | None = None
    strike_type: str | None = None
    floor_strike: msgspec.Raw = msgspec.Raw(b"null")
    cap_strike: msgspec.Raw = msgspec.Raw(b"null")
    price_ranges: list[PriceRange] | None = None
    market_type: str | None = None
    mve_collection_ticker: str | None = None
    mve_selected_legs: msgspec.Raw = msgspec.Raw(b"null")
    is_provisional: bool | None = None
    exchange_index: int | None = None
    result: str | None = None
    settlement_value_dollars: str | None = None


class SettlementSource(msgspec.Struct):
    """Who says what happened."""

    name: str | None = None
    url: str | None = None


class RestEvent(msgspec.Struct):
    """An event with its markets."""

    event_ticker: str
    series_ticker: str
    title: str | None = None
    sub_title: str | None = None
    category: str | None = None
    settlement_sources: list[SettlementSource] | None = None
    fee_type_override: str | None = None
    fee_multiplier_override: msgspec.Raw = msgspec.Raw(b"null")
    exchange_index: int | None = None
    mutually_exclusive: msgspec.Raw = msgspec.Raw(b"null")
    markets: list[msgspec.Raw] | None = None
    """Each decoded on its own, so that one odd market does not cost the page."""


class RestSeries(msgspec.Struct):
    """A series: the terms its events inherit."""

    ticker: str
    title: str | None = None
    category: str | None = None
    fee_type: str | None = None
    fee_multiplier: msgspec.Raw = msgspec.Raw(b"null")
    settlement_sources: list[SettlementSource] | None = None


class EventsPage(msgspec.Struct):
    """``GET /events``."""

    events: list[msgspec.Raw]
    cursor: str | None = None


class SeriesPage(msgspec.Struct):
    """``GET /series``."""

    series: list[msgspec.Raw] | None


class OneSeries(msgspec.Struct):
    """``GET /series/{ticker}``."""

    series: RestSeries


class OneMarket(msgspec.Struct):
    """``GET /markets/{ticker}``."""

    market: RestMarket


class RestLevels(msgspec.Struct):
    """A book by REST: bids of both sides on their own scales, in no order that may be relied on."""

    yes_dollars: list[TextLevel] | None = None
    no_dollars: list[TextLevel] | None = None


class OneOrderbook(msgspec.Struct):
    """``GET /markets/{ticker}/orderbook``."""

    orderbook_fp: RestLevels


class TickerOrderbook(msgspec.Struct):
    """One entry of ``GET /markets/orderbooks``."""

    ticker: str
    orderbook_fp: RestLevels


class Orderbooks(msgspec.Struct):
    """``GET /markets/orderbooks``."""

    orderbooks: list[TickerOrderbook]


EVENTS_PAGE: msgspec.json.Decoder[EventsPage] = msgspec.json.Decoder(EventsPage)
SERIES_PAGE: msgspec.json.Decoder[SeriesPage] = msgspec.json.Decoder(SeriesPage)
ONE_SERIES: msgspec.json.Decoder[OneSeries] = msgspec.json.Decoder(OneSeries)
ONE_MARKET: msgspec.json.Decoder[OneMarket] = msgspec.json.Decoder(OneMarket)
ONE_ORDERBOOK: msgspec.json.Decoder[OneOrderbook] = msgspec.json.Decoder(OneOrderbook)
ORDERBOOKS: msgspec.json.Decoder[Orderbooks] = msgspec.json.Decoder(Orderbooks)
REST_EVENT: msgspec.json.Decoder[RestEvent] = msgspec.json.Decoder(RestEvent)
REST_MARKET: msgspec.json.Decoder[RestMarket] = msgspec.json.Decoder(RestMarket)
REST_SERIES: msgspec.json.Decoder[RestSeries] = msgspec.json.Decoder(RestSeries)


def decimal_from_token(token: msgspec.Raw) -> Decimal | None:
    """Return the exact value of a JSON number from its own text, never by way of a float; None for ``null``.

    Raises NumberRefused for anything else: a number in quotation marks, an exponent, more than 15 whole digits.
    """
    raw = bytes(token)
    if raw == b"null":
        return None
    if _PLAIN_TOKEN.fullmatch(raw) is None:
        raise NumberRefused(NumberFault.NOT_PLAIN, raw)
    return Decimal(raw.decode("ascii"))
