"""Kalshi's REST objects as the catalog's markets, and its REST books as books.

Kalshi OpenAPI 3.34.0 and recordings of 2026-06 to 2026-08, read 2026-11-21. Parsing is lenient about what may be
missing and strict about numbers; an object that cannot be used is refused alone, with its reason.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, get_args

import msgspec

from shared.domain.book import Book
from shared.domain.fees import KalshiFees, KalshiFeeType
from shared.domain.market import Market, MarketId, MarketStatus, PriceStep, Venue
from shared.domain.numbers import LEVEL_PRICE_E4, SIZE_E6, NumberRefused, decimal_from_text
from shared.venues.kalshi import schema
from shared.venues.kalshi.schema import UNREADABLE, PriceRange, RestEvent, RestLevels, RestMarket, RestSeries

SIZE_STEP_CONTRACTS = Decimal("0.01")
"""Every market trades hundredths of a contract since 2026-04."""
DIRECT_PRECISION_DOLLARS = Decimal("0.0001")
FCM_PRECISION_DOLLARS = Decimal("0.01")

_STATUS = {
    "initialized": MarketStatus.UNOPENED,
    "active": MarketStatus.OPEN,
    "inactive": MarketStatus.PAUSED,
    "closed": MarketStatus.CLOSED,
    "determined": MarketStatus.CLOSED,
    "disputed": MarketStatus.CLOSED,
    "amended": MarketStatus.CLOSED,
    "finalized": MarketStatus.SETTLED,
}
_WHOLE_CENTS = (PriceStep(start_dollars=Decimal(0), end_dollars=Decimal(1), step_dollars=Decimal("0.01")),)
"""Valid in every price structure, so a safe grid for a market that names none."""
_FEE_TYPES: frozenset[str] = frozenset(get_args(KalshiFeeType))
_PAID_DOLLARS = {"yes": Decimal(1), "no": Decimal(0)}
_NO_LEGS = frozenset({b"null", b"[]"})
_FLAGS = {b"true": True, b"false": False}
"""Anything else says nothing."""


class EventsRead(NamedTuple):
    """One page of events; ``refused`` says what could not be read, one text for each object."""

    events: list[tuple[RestEvent, list[RestMarket]]]
    cursor: str
    refused: list[str]


class BodyRefused(ValueError):
    """A body is not what its endpoint should send; the text says where it differs."""


def read_events(body: bytes) -> EventsRead:
    """Read ``GET /events?with_nested_markets=true``.

    Raises BodyRefused when there is no list of events; single events and markets are refused by themselves.
    """
    try:
        page = schema.EVENTS_PAGE.decode(body)
    except UNREADABLE as error:
        raise BodyRefused(f"GET /events: {error}") from None
    read = EventsRead([], page.cursor or "", [])
    for raw_event in page.events:
        try:
            event = schema.REST_EVENT.decode(raw_event)
        except UNREADABLE as error:
            read.refused.append(f"event: {error}")
            continue
        markets = []
        for raw_market in event.markets or ():
            try:
                markets.append(schema.REST_MARKET.decode(raw_market))
            except UNREADABLE as error:
                read.refused.append(f"market of {event.event_ticker}: {error}")
        read.events.append((event, markets))
    return read


def read_all_series(body: bytes) -> dict[str, RestSeries]:
    """Read ``GET /series``: series by ticker. One that cannot be read is left out: its markets have no fees.

    Raises BodyRefused.
    """
    try:
        page = schema.SERIES_PAGE.decode(body)
    except UNREADABLE as error:
        raise BodyRefused(f"GET /series: {error}") from None
    found = {}
    for raw in page.series or ():
        try:
            series = schema.REST_SERIES.decode(raw)
        except UNREADABLE:
            continue
        found[series.ticker] = series
    return found


def read_series(body: bytes) -> RestSeries:
    """Read ``GET /series/{ticker}``.

    Raises BodyRefused.
    """
    try:
        return schema.ONE_SERIES.decode(body).series
    except UNREADABLE as error:
        raise BodyRefused(f"GET /series/…: {error}") from None


def read_orderbooks(body: bytes) -> dict[MarketId, Book]:
    """Read ``GET /markets/orderbooks``: whole books by ticker.

    Raises BodyRefused, also for a number that is refused: half a book is worse than none.
    """
    try:
        entries = schema.ORDERBOOKS.decode(body).orderbooks
        return {MarketId(entry.ticker): book_from_levels(entry.orderbook_fp) for entry in entries}
    except UNREADABLE as error:  # NumberRefused is a ValueError
        raise BodyRefused(f"GET /markets/orderbooks: {error}") from None


def book_from_levels(levels: RestLevels) -> Book:
    """Return the book of a REST answer; both sides are bids on their own scales, in any order.

    Raises NumberRefused.
    """
    book = Book()
    book.yes_bids.replace((LEVEL_PRICE_E4[price], SIZE_E6[size]) for price, size in levels.yes_dollars or ())
    book.no_bids.replace((LEVEL_PRICE_E4[price], SIZE_E6[size]) for price, size in levels.no_dollars or ())
    return book


def market(
    rest: RestMarket,
    event: RestEvent,
    series: Mapping[str, RestSeries],
    *,
    read_on: date,
    precision_dollars: Decimal = DIRECT_PRECISION_DOLLARS,
) -> Market:
    """Return the catalog's record of one market.

    Its fees are None when the series is unknown or its terms are missing, malformed or of an unknown type.
    Raises NumberRefused when a price range is no number.
    """
    kind = series.get(event.series_ticker)
    return Market(
        venue=Venue.KALSHI,
        market_id=MarketId(rest.ticker),
        event_id=event.event_ticker,
        series_id=event.series_ticker,
        event_title=event.title or "",
        title=rest.title or event.title or rest.ticker,
        outcome_label=rest.yes_sub_title or "",
        rules_text="\n\n".join(filter(None, (rest.rules_primary, rest.rules_secondary))),
        resolution_source=_sources(event, kind),
        category=(kind.category if kind is not None else None) or event.category or "",
        market_type=rest.strike_type or "",
        line=_strike(rest),
        status=_STATUS.get(rest.status, MarketStatus.PAUSED),
        open_time=_time(rest.open_time),
        close_time=_time(rest.close_time),
        expected_expiration_time=_time(rest.expected_expiration_time),
        price_steps=_price_steps(rest),
        size_step_contracts=SIZE_STEP_CONTRACTS,
        min_contracts=SIZE_STEP_CONTRACTS,
        fees=fees(event, kind, read_on=read_on, precision_dollars=precision_dollars),
        never_match=_never_match(rest),
        exchange_index=next((index for index in (rest.exchange_index, event.exchange_index) if index is not None), 0),
        updated_ts_ms=_time_ms(rest.updated_time),
        mutually_exclusive=_FLAGS.get(bytes(event.mutually_exclusive)),
    )


def yes_paid_dollars(body: bytes) -> Decimal | None:
    """Read ``GET /markets/{ticker}``: what one YES contract paid, None before the market is finalized.

    A determined market may still be disputed and amended (market life-cycle, Kalshi OpenAPI 3.34.0). A scalar result
    has only the value. Raises BodyRefused.
    """
    try:
        rest = schema.ONE_MARKET.decode(body).market
        value = decimal_from_text(rest.settlement_value_dollars) if rest.settlement_value_dollars else None
    except UNREADABLE as error:  # NumberRefused is a ValueError
        raise BodyRefused(f"GET /markets/…: {error}") from None
    if rest.status != "finalized":
        return None
    return value if value is not None else _PAID_DOLLARS.get(rest.result or "")


def fees(
    event: RestEvent,
    series: RestSeries | None,
    *,
    read_on: date,
    precision_dollars: Decimal = DIRECT_PRECISION_DOLLARS,
) -> KalshiFees | None:
    """Return the terms of an event's markets: its own override where it has one, else its series'.

    None when they are missing, malformed, negative or of an unknown type.
    """
    fee_type = event.fee_type_override or (series.fee_type if series is not None else None)
    try:
        multiplier = schema.decimal_from_token(event.fee_multiplier_override)
        if multiplier is None and series is not None:
            multiplier = schema.decimal_from_token(series.fee_multiplier)
    except NumberRefused:
        return None
    if fee_type not in _FEE_TYPES or multiplier is None or multiplier < 0:
        return None
    overridden = event.fee_type_override is not None or bytes(event.fee_multiplier_override) != b"null"
    where = f"event {event.event_ticker}" if overridden else f"series {event.series_ticker}"
    return KalshiFees(
        fee_type=msgspec.convert(fee_type, KalshiFeeType),
        multiplier=multiplier,
        precision_dollars=precision_dollars,
        effective_from=read_on,
        source=f"Kalshi API, {where}, read {read_on.isoformat()}",
    )


def waived(fees: KalshiFees, until: datetime) -> KalshiFees:
    """Return the terms while the exchange waives the taker fee (``fee_waiver_expiration_time``, OpenAPI 3.34.0).

    Only for takers: what the exchange then charges makers is not said.
    """
    source = f"{fees.source}; taker fee waived until {until:%Y-%m-%dT%H:%MZ}"
    return msgspec.structs.replace(fees, multiplier=Decimal(0), source=source)


def waived_until(rest: RestMarket) -> datetime | None:
    """Return until when the exchange says that it waives a market's taker fee."""
    return _time(rest.fee_waiver_expiration_time)


def price_steps(ranges: Iterable[PriceRange]) -> tuple[PriceStep, ...]:
    """Return the price grid that these ranges describe; nothing when one of them is no number."""
    try:
        return _steps(ranges)
    except NumberRefused:
        return ()


def _sources(event: RestEvent, series: RestSeries | None) -> str:
    named = event.settlement_sources or (series.settlement_sources if series is not None else None) or ()
    return "; ".join(filter(None, (source.name or source.url for source in named)))


def _strike(rest: RestMarket) -> Decimal | None:
    """Return the floor strike, or the cap where there is no floor; None for one that is no plain number."""
    try:
        floor = schema.decimal_from_token(rest.floor_strike)
        return schema.decimal_from_token(rest.cap_strike) if floor is None else floor
    except NumberRefused:
        return None


def _price_steps(rest: RestMarket) -> tuple[PriceStep, ...]:
    return _steps(rest.price_ranges or ()) or _WHOLE_CENTS


def _steps(ranges: Iterable[PriceRange]) -> tuple[PriceStep, ...]:
    return tuple(
        PriceStep(
            start_dollars=decimal_from_text(stretch.start),
            end_dollars=decimal_from_text(stretch.end),
            step_dollars=decimal_from_text(stretch.step),
        )
        for stretch in ranges
    )


def _never_match(rest: RestMarket) -> str:
    if rest.mve_collection_ticker or bytes(rest.mve_selected_legs) not in _NO_LEGS:
        return "combo of several markets"
    if rest.market_type not in {None, "", "binary"}:
        return f"market type {rest.market_type}"
    return ""


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    return moment if moment.tzinfo is not None else None


def _time_ms(text: str | None) -> int:
    moment = _time(text)
    return 0 if moment is None else int(moment.timestamp() * 1000)
