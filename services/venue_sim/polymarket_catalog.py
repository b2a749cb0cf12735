"""What Polymarket's REST services need from whoever plays the venue, and Gamma's paging over it.

The simulated world and a folder of recordings both are a ``Catalog``; the HTTP handlers know only this.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Sequence
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

    def market_ids(self) -> Sequence[str]:
        """Every market in the order of the listings."""

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
    ids: Sequence[str], fetch: Callable[[str], Json | None], keep: Callable[[Json], bool], *, limit: int, after: str
) -> Page:
    """Return the page of at most ``limit`` kept objects behind the cursor ``after`` (empty: the first page).

    Raises ValueError when the cursor is none of ours.
    """
    start = _position(ids, after)
    kept: list[tuple[str, Json]] = []
    for object_id in ids[start:]:
        one = fetch(object_id)
        if one is None or not keep(one):
            continue
        if len(kept) == limit:  # there is one more, so this is not the last page
            return Page([body for _, body in kept], _cursor(kept[-1][0]))
        kept.append((object_id, one))
    return Page([body for _, body in kept], None)


def offset_page(
    ids: Iterable[str], fetch: Callable[[str], Json | None], keep: Callable[[Json], bool], *, limit: int, offset: int
) -> list[Json]:
    """Return one page of the legacy listings, which count objects instead of following a cursor."""
    kept = (one for object_id in ids if (one := fetch(object_id)) is not None and keep(one))
    return [one for at, one in enumerate(kept) if offset <= at < offset + limit]


def _cursor(object_id: str) -> str:
    return urlsafe_b64encode(msgspec.json.encode({"id": object_id})).decode().rstrip("=")


def _position(ids: Sequence[str], cursor: str) -> int:
    if not cursor:
        return 0
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        last_id: str = msgspec.json.decode(text, type=dict[str, str])["id"]
        return ids.index(last_id) + 1
    except (Base64Error, msgspec.DecodeError, KeyError, ValueError) as error:
        raise ValueError(f"invalid cursor: {cursor}") from error
