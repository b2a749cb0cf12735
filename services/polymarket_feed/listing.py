"""Gamma's listings, read with patience: all open events from end to end, or those that changed since the last look.

The listing of changes is ordered by ``updatedAt``, newest first, and read until it reaches what was seen before. An
event's ``updatedAt`` is never older than its markets' (recorded pages of March and September 2026). An order that moves
cannot be read from end to end: what changes meanwhile jumps over the reader. So the whole listing is read as it stands.
"""

import asyncio
import logging
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import msgspec

from shared.domain.market import Market, MarketId
from shared.io.http import HttpClient, HttpUnavailable, Query
from shared.runtime.clock import Clock
from shared.venues.polymarket.catalog import NotListed, market_from_gamma
from shared.venues.polymarket.gamma import (
    EventsPage,
    GammaEvent,
    GammaRefused,
    flag_of,
    markets_of,
    read_event,
    read_events_page,
    read_market,
    text_of,
    time_of,
)
from shared.venues.polymarket.urls import EVENTS_PATH, EventsQuery

_ATTEMPTS = 6
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 5.0
_OVERLAP = timedelta(seconds=60)
"""How far a listing of changes is read beyond what was seen: Gamma's copies differ by some seconds."""
_ORDER_TOLERANCE = timedelta(seconds=1)
"""Times of different precision may be ordered as text."""

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

OPEN = EventsQuery()
OPEN_V2 = EventsQuery(version="v2")
_NEEDED = (EventsQuery(newest_first=True), EventsQuery(closed=True, newest_first=True))
CHANGES = (*_NEEDED, *(query._replace(version="v2") for query in _NEEDED))

log = logging.getLogger(__name__)


class ListingFailed(Exception):
    """A listing could not be read to its end; the catalog stays as it was and the next round tries again."""


class NotServed(ListingFailed):
    """The venue does not know such a listing, or such an object; asking again will not help."""


class NotOrdered(ListingFailed):
    """The listing of changes does not come newest first: only a whole listing tells what changed."""


class Listing(msgspec.Struct, frozen=True):
    """What was read: the markets, and of which events they are all markets."""

    markets: list[Market]
    event_ids: set[str]


class GammaListings:
    """Reads the venue's listings. Objects that are no market of ours are counted by reason in ``not_listed``."""

    def __init__(self, gamma: HttpClient, clock: Clock, *, page_pause_s: float, jitter: random.Random) -> None:
        self._gamma = gamma
        self._clock = clock
        self._page_pause_s = page_pause_s
        self._jitter = jitter
        self._seen: dict[EventsQuery, datetime] = {}
        self.not_listed: Counter[str] = Counter()
        self.neg_risk: dict[MarketId, bool] = {}
        """What Gamma says about it, which a book's hash covers."""

    async def whole(self) -> Listing:
        """Return every open event of both protocol generations, and begin to listen for changes from here on.

        Raises ListingFailed.
        """
        seen = await self._newest_changes()
        self.not_listed.clear()
        listing = Listing([], set())
        await self._read(OPEN, listing)
        try:
            await self._read(OPEN_V2, listing)
        except NotServed as error:
            log.warning("listing.not_served", extra={"error": str(error)})
        self._seen = seen
        return listing

    async def changes(self) -> Listing:
        """Return the events that changed since the last look, open and closed ones.

        Raises NotOrdered when only the whole listing can tell, else ListingFailed.
        """
        if not self._seen.keys() >= set(_NEEDED):
            raise NotOrdered("Gamma does not say what changed last")
        listing = Listing([], set())
        seen = dict(self._seen)
        for query, before in self._seen.items():
            until = before - _OVERLAP
            newest = await self._read(query, listing, until=until)
            seen[query] = max(before, newest or before)
        self._seen = seen
        return listing

    async def _newest_changes(self) -> dict[EventsQuery, datetime]:
        """Return for each listing of changes when its newest event changed; those that do not say so are left out."""
        seen: dict[EventsQuery, datetime] = {}
        for query in CHANGES:
            try:
                seen[query] = self._newest_of(_page(await self._get(query.page())))
            except (NotServed, NotOrdered) as error:
                log.warning("listing.not_served", extra={"error": str(error)[:300]})
        return seen

    def _newest_of(self, page: EventsPage) -> datetime:
        """Return when the first event of a page changed. Raises NotOrdered."""
        newest = last = None
        for event in filter(None, map(self._event_of, page.events)):
            last = _next_in_order(event, last)
            newest = newest or last
        if page.events and newest is None:
            raise NotOrdered("no event of the page says when it changed")
        return newest or _LONG_AGO

    async def _read(self, query: EventsQuery, listing: Listing, *, until: datetime | None = None) -> datetime | None:
        """Add a listing's events to ``listing``, page by page: to the end, or until they changed before ``until``.

        Return when the newest of them changed. Raises ListingFailed.
        """
        newest = last = None
        cursors: set[str] = set()
        cursor = ""
        while True:
            page = _page(await self._get(query.page(cursor)))
            for raw in page.events:
                event = self._event_of(raw)
                if event is None:
                    continue
                if until is not None:
                    last = _next_in_order(event, last)
                    newest = newest or last
                    if last is not None and last < until:
                        return newest
                self._add(event, listing)
                await asyncio.sleep(0)  # a page is many milliseconds of work, and books are waiting
            if not page.next_cursor:
                return newest
            if page.next_cursor in cursors:
                raise ListingFailed(f"Gamma's cursor {page.next_cursor[:40]!r} came twice after {len(cursors)} pages")
            cursors.add(cursor := page.next_cursor)
            await asyncio.sleep(self._page_pause_s)

    def _event_of(self, raw: msgspec.Raw) -> GammaEvent | None:
        try:
            return read_event(raw)
        except GammaRefused as error:
            self._count_unreadable(error)
            return None

    def _add(self, event: GammaEvent, listing: Listing) -> None:
        read_on = utc_date(self._clock.now_ms())
        listing.event_ids.add(text_of(event.id) or "")
        raw_markets = markets_of(event)
        count = len(raw_markets) if flag_of(event.neg_risk) else None
        for raw_market in raw_markets:
            try:
                gamma = read_market(raw_market)
            except GammaRefused as error:
                self._count_unreadable(error)
                continue
            market = market_from_gamma(gamma, event, read_on=read_on, event_market_count=count)
            if isinstance(market, NotListed):
                self.not_listed[market.reason] += 1
            else:
                listing.markets.append(market)
                self.neg_risk[market.market_id] = flag_of(gamma.neg_risk) or False

    def _count_unreadable(self, error: GammaRefused) -> None:
        self.not_listed["unreadable"] += 1
        log.warning("catalog.refused", extra={"reason": str(error)[:300]})

    async def _get(self, query: Query) -> bytes:
        return await get_patiently(self._gamma, EVENTS_PATH, query, self._jitter)


async def get_patiently(client: HttpClient, path: str, query: Query, jitter: random.Random) -> bytes:
    """Return the body of a 200, trying again where that may help.

    Raises NotServed when it does not, else ListingFailed.
    """
    longest_s = _FIRST_WAIT_S
    problem = ""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            answer = await client.get(path, query)
        except HttpUnavailable as error:
            problem = str(error)
        else:
            if answer.status == 200:
                return answer.body
            problem = f"GET {path}: {answer.status} {answer.body[:200]!r}"
            if answer.status not in (425, 429) and answer.status < 500:
                raise NotServed(problem)
        if attempt < _ATTEMPTS:
            await asyncio.sleep(jitter.uniform(longest_s / 2, longest_s))
            longest_s = min(_LONGEST_WAIT_S, longest_s * 2)
    raise ListingFailed(problem)


def utc_date(now_ms: int) -> date:
    """Return the day of a moment in Unix milliseconds."""
    return datetime.fromtimestamp(now_ms // 1000, UTC).date()


def _page(body: bytes) -> EventsPage:
    try:
        return read_events_page(body)
    except GammaRefused as error:
        raise ListingFailed(str(error)) from error


def _next_in_order(event: GammaEvent, last: datetime | None) -> datetime | None:
    """Return when an event changed, ``last`` when it does not say so. Raises NotOrdered when that is later."""
    changed = time_of(event.updated_at)
    if changed is not None and last is not None and changed > last + _ORDER_TOLERANCE:
        raise NotOrdered(f"event {text_of(event.id)} changed at {changed}, the one before it in the listing at {last}")
    return changed or last
