"""Kalshi's listings, page by page: every cursor is guarded, and an object that cannot be read is refused alone.

What is common to all readers of REST answers is here as well. Kalshi OpenAPI 3.34.0, read 2026-11-21.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from shared.domain.numbers import NumberRefused
from shared.venues.kalshi.catalog import BodyRefused
from shared.venues.kalshi.rest import Paging, RestRequest
from shared.venues.kalshi.schema import UNREADABLE

T = TypeVar("T")

_MOST_PAGES = 10_000


class Page(NamedTuple, Generic[T]):
    """One page of a listing; ``refused`` says what could not be read, one text for each object."""

    items: list[T]
    cursor: str
    refused: list[str]


class TooManyPages(ValueError):
    """A listing that does not end; what was read must not be taken for the whole."""


class Pages(Generic[T]):
    """A listing being read: send ``request``, hand the body to ``receive``, until ``request`` is None.

    Items that come twice, because the listing moved under the cursor, are kept once, by ``key``, the later one.
    """

    def __init__(
        self,
        ask: Callable[[str], RestRequest],
        read: Callable[[bytes], Page[T]],
        *,
        key: Callable[[T], Hashable],
        most_pages: int = _MOST_PAGES,
    ) -> None:
        self._ask = ask
        self._read = read
        self._key = key
        self._most_pages = most_pages
        self._paging = Paging()
        self._pages = 0
        self._items: dict[Hashable, T] = {}
        self.request: RestRequest | None = ask("")
        self.refused: list[str] = []

    def receive(self, body: bytes) -> None:
        """Take the body of the page that was asked for. Raises BodyRefused, CursorRepeated or TooManyPages."""
        page = self._read(body)
        self._pages += 1
        self._items.update((self._key(item), item) for item in page.items)
        self.refused += page.refused
        cursor = self._paging.next_cursor(page.cursor)
        if cursor is not None and self._pages >= self._most_pages:
            raise TooManyPages(f"{self._pages} pages and no end")
        self.request = None if cursor is None else self._ask(cursor)

    @property
    def items(self) -> list[T]:
        """Everything read so far."""
        return list(self._items.values())


def given(**values: str) -> list[tuple[str, str]]:
    """Return the parameters of a query that have a value."""
    return [(name, value) for name, value in values.items() if value]


def decoded(decoder: "msgspec.json.Decoder[T]", body: bytes, what: str) -> T:
    """Return what a body says; ``what`` names it in the refusal. Raises BodyRefused."""
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        raise BodyRefused(f"{what}: {error}") from None


def page_of(raws: Sequence[msgspec.Raw], cursor: str | None, read: Callable[[Any], T], what: str) -> Page[T]:
    """Return a page whose objects are read one by one; one that cannot be read is refused with its reason."""
    page: Page[T] = Page([], cursor or "", [])
    for raw in raws:
        try:
            page.items.append(read(bytes(raw)))
        except (*UNREADABLE, NumberRefused) as error:
            page.refused.append(f"{what}: {error}")
    return page
