"""What Polymarket's REST services need from whoever plays the venue, and Gamma's paging over it.

The simulated world and a folder of recordings both are a ``Catalog``; the HTTP handlers know only this.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

import msgspec

Json = dict[str, Any]

PAGE_LIMIT = 100
"""Gamma clamps larger limits silently (keyset pages, September 2026)."""
DEFAULT_LIMIT = 20


class LastTrade(NamedTuple):
    """The newest trade in one token's terms; both empty before the first."""

    price: str
    side: str


class Catalog(Protocol):
    """One venue's listings and books. Objects are Gamma's; ids are Gamma ids as strings."""

    def event_ids(self) -> Sequence[str]:
        """Every event in the order of the listings."""

    def event(self, event_id: str) -> Json | None:
        """One event with its markets nested, or None."""

    def event_updated_ms(self, event_id: str) -> int:
        """When what is listed about an event or its markets last changed; Unix milliseconds."""

    def market_ids(self) -> Sequence[str]:
        """Every market in the order of the listings."""

    def market_updated_ms(self, gamma_id: str) -> int:
        """When what is listed about a market last changed; Unix milliseconds."""

    def market(self, gamma_id: str) -> Json | None:
        """One market with its event's head in ``events``, or None."""

    def event_id_of_slug(self, slug: str) -> str | None:
        """The event with this slug."""

    def market_id_of(self, *, slug: str = "", condition_id: str = "", token_id: str = "") -> str | None:
        """The market with this slug, condition or token; exactly one is given."""

    def book(self, token_id: str) -> Json | None:
        """The ten-field book of one token, worst levels first; None when there is none (unknown or closed)."""

    def last_trade(self, token_id: str) -> LastTrade:
        """The newest trade of one token's market."""


class Page(NamedTuple):
    """One page of a keyset listing."""

    objects: list[Json]
    next_cursor: str | None
    """None on the last page, where the key is left out of the body."""


def keyset_page(
    ids: Sequence[str],
    fetch: Callable[[str], Json | None],
    keep: Callable[[Json], bool],
    *,
    limit: int,
    after: str,
    rank: Callable[[str], int] | None = None,
) -> Page:
    """Return the page of at most ``limit`` kept objects behind the cursor ``after`` (empty: the first page).

    ``rank`` orders a listing by a number that may change between two pages: the cursor holds it, so that an object
    that has moved to the front meanwhile costs no other.
    Raises ValueError when the cursor is none of ours.
    """
    places = {object_id: (0 if rank is None else rank(object_id), at) for at, object_id in enumerate(ids)}
    behind = _place(places, after)
    kept: list[tuple[str, Json]] = []
    for object_id, place in sorted(places.items(), key=itemgetter(1)):
        if (behind is not None and place <= behind) or (one := fetch(object_id)) is None or not keep(one):
            continue
        if len(kept) == limit:  # there is one more, so this is not the last page
            return Page([body for _, body in kept], _cursor(kept[-1][0], places[kept[-1][0]][0]))
        kept.append((object_id, one))
    return Page([body for _, body in kept], None)


def offset_page(
    ids: Iterable[str], fetch: Callable[[str], Json | None], keep: Callable[[Json], bool], *, limit: int, offset: int
) -> list[Json]:
    """Return one page of the legacy listings, which count objects instead of following a cursor."""
    kept = (one for object_id in ids if (one := fetch(object_id)) is not None and keep(one))
    return [one for at, one in enumerate(kept) if offset <= at < offset + limit]


class _Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    rank: int = 0


def _cursor(object_id: str, rank: int) -> str:
    return urlsafe_b64encode(msgspec.json.encode(_Cursor(object_id, rank))).decode().rstrip("=")


def _place(places: Mapping[str, tuple[int, int]], cursor: str) -> tuple[int, int] | None:
    """Return the place behind which a page begins, None for the first page."""
    if not cursor:
        return None
    try:
        last = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=_Cursor)
        return last.rank, places[last.id][1]
    except (Base64Error, msgspec.DecodeError, KeyError, ValueError) as error:
        raise ValueError(f"invalid cursor: {cursor}") from error
