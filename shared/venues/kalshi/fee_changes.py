"""Scheduled changes of Kalshi's fees: how to ask for them, what they say, and when they take effect.

``GET /series/fee_changes`` and ``GET /events/fee_changes`` list what is planned; the series and events themselves
carry only what holds now. Kalshi OpenAPI 3.34.0, read 2026-11-21.
"""

from datetime import datetime
from typing import NamedTuple

import msgspec

from shared.venues.kalshi.catalog import BodyRefused
from shared.venues.kalshi.rest import RestRequest
from shared.venues.kalshi.schema import UNREADABLE

_EVENT_CHANGES_PAGE = 100


class SeriesFeeChange(msgspec.Struct, frozen=True, kw_only=True):
    """From ``scheduled_ts`` on a series has these terms."""

    id: str
    series_ticker: str
    fee_type: str
    fee_multiplier: msgspec.Raw
    """A JSON number as its own text."""
    scheduled_ts: datetime


class EventFeeChange(msgspec.Struct, frozen=True, kw_only=True):
    """From ``scheduled_ts`` on an event overrides its series with these terms; null is back to the series."""

    id: str
    event_ticker: str
    series_ticker: str = ""
    fee_type_override: str | None = None
    fee_multiplier_override: msgspec.Raw = msgspec.Raw(b"null")
    scheduled_ts: datetime


FeeChange = SeriesFeeChange | EventFeeChange


class EventFeeChangesRead(NamedTuple):
    """One page of changes of events."""

    changes: list[EventFeeChange]
    cursor: str


def series_fee_changes_request(*, show_historical: bool = False) -> RestRequest:
    """Ask for the planned changes of all series (with ``show_historical`` for the past ones too); it has no pages."""
    query = (("show_historical", "true"),) if show_historical else ()
    return RestRequest(path="/series/fee_changes", query=query)


def event_fee_changes_request(*, cursor: str = "") -> RestRequest:
    """Ask for a page of the planned changes of events."""
    query = (("limit", str(_EVENT_CHANGES_PAGE)), *((("cursor", cursor),) if cursor else ()))
    return RestRequest(path="/events/fee_changes", query=query)


def read_series_fee_changes(body: bytes) -> list[SeriesFeeChange]:
    """Read ``GET /series/fee_changes``. Raises BodyRefused."""
    try:
        return _owned_series(_SERIES_PAGE.decode(body).series_fee_change_arr or [])
    except UNREADABLE as error:
        raise BodyRefused(f"GET /series/fee_changes: {error}") from None


def read_event_fee_changes(body: bytes) -> EventFeeChangesRead:
    """Read ``GET /events/fee_changes``. Raises BodyRefused."""
    try:
        page = _EVENT_PAGE.decode(body)
    except UNREADABLE as error:
        raise BodyRefused(f"GET /events/fee_changes: {error}") from None
    changes = [
        msgspec.structs.replace(change, fee_multiplier_override=msgspec.Raw(bytes(change.fee_multiplier_override)))
        for change in page.event_fee_changes or []
    ]
    return EventFeeChangesRead(changes, page.cursor or "")


class FeeCalendar:
    """Remembers what is planned and hands out what has become due, each change once.

    A change that lay in the past when it was first seen is in force already and is not handed out.
    """

    def __init__(self) -> None:
        self._planned: dict[str, FeeChange] = {}
        self._done: set[str] = set()

    @property
    def planned(self) -> int:
        """How many changes wait for their time."""
        return len(self._planned)

    def saw(self, changes: list[SeriesFeeChange] | list[EventFeeChange], now: datetime) -> None:
        """Note what is listed now; a planned change that was moved is moved here too."""
        for change in changes:
            if change.id in self._done:
                continue
            if change.scheduled_ts > now or change.id in self._planned:
                self._planned[change.id] = change
            else:
                self._done.add(change.id)

    def due(self, now: datetime) -> list[FeeChange]:
        """Return the changes whose time has come since the last call, earliest first."""
        found = sorted(
            (change for change in self._planned.values() if change.scheduled_ts <= now),
            key=lambda change: (change.scheduled_ts, change.id),
        )
        for change in found:
            del self._planned[change.id]
            self._done.add(change.id)
        return found


def _owned_series(changes: list[SeriesFeeChange]) -> list[SeriesFeeChange]:
    """Copy the raw numbers out of the body, which would be kept alive by them."""
    return [
        msgspec.structs.replace(change, fee_multiplier=msgspec.Raw(bytes(change.fee_multiplier))) for change in changes
    ]


class _SeriesPage(msgspec.Struct):
    series_fee_change_arr: list[SeriesFeeChange] | None = None


class _EventPage(msgspec.Struct):
    event_fee_changes: list[EventFeeChange] | None = None
    cursor: str | None = None


_SERIES_PAGE: msgspec.json.Decoder[_SeriesPage] = msgspec.json.Decoder(_SeriesPage)
_EVENT_PAGE: msgspec.json.Decoder[_EventPage] = msgspec.json.Decoder(_EventPage)
