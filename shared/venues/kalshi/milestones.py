"""What Kalshi's markets are about, by id: happenings of the real world, and the competitors that strikes name.

Kalshi OpenAPI 3.34.0, read 2026-11-21.
"""

from typing import Any

import msgspec

from shared.venues.kalshi.listings import Page, decoded, given, page_of
from shared.venues.kalshi.rest import RestRequest


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    """A real-world happening, such as a game, with the events about it and its ids at other sources."""

    id: str
    category: str = ""
    type: str = ""
    title: str = ""
    start_date: str | None = None
    related_event_tickers: list[str] | None = None
    primary_event_tickers: list[str] | None = None
    source_id: str | None = None
    source_ids: dict[str, Any] | None = None
    details: dict[str, Any] | None = None


class StructuredTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A competitor, team or other thing that strikes name by id."""

    id: str
    name: str = ""
    type: str = ""
    source_id: str | None = None
    source_ids: dict[str, Any] | None = None
    details: dict[str, Any] | None = None


def milestones_request(*, category: str = "", related_event_ticker: str = "", cursor: str = "") -> RestRequest:
    """Ask for a page of milestones."""
    query = (("limit", "500"), *given(category=category, related_event_ticker=related_event_ticker, cursor=cursor))
    return RestRequest(path="/milestones", query=query)


def structured_targets_request(*, kind: str = "", cursor: str = "") -> RestRequest:
    """Ask for a page of structured targets; here the page's size is called ``page_size``."""
    return RestRequest(path="/structured_targets", query=(("page_size", "1000"), *given(type=kind, cursor=cursor)))


def read_milestones(body: bytes) -> Page[Milestone]:
    """Read a page of milestones. Raises BodyRefused."""
    page = decoded(_MILESTONES, body, "milestones")
    return page_of(page.milestones, page.cursor, _MILESTONE.decode, "milestone")


def read_structured_targets(body: bytes) -> Page[StructuredTarget]:
    """Read a page of structured targets. Raises BodyRefused."""
    page = decoded(_TARGETS, body, "structured targets")
    return page_of(page.structured_targets, page.cursor, _TARGET.decode, "structured target")


class _Milestones(msgspec.Struct):
    milestones: list[msgspec.Raw]
    cursor: str | None = None


class _Targets(msgspec.Struct):
    structured_targets: list[msgspec.Raw]
    cursor: str | None = None


_MILESTONES: msgspec.json.Decoder[_Milestones] = msgspec.json.Decoder(_Milestones)
_MILESTONE: msgspec.json.Decoder[Milestone] = msgspec.json.Decoder(Milestone)
_TARGETS: msgspec.json.Decoder[_Targets] = msgspec.json.Decoder(_Targets)
_TARGET: msgspec.json.Decoder[StructuredTarget] = msgspec.json.Decoder(StructuredTarget)
