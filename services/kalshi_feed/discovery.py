"""All open Kalshi markets to the catalog: complete pages, the fee terms of their series, and only what changed."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec

from services.kalshi_feed.core import after_news, catalog_changes, with_fees_known_before
from services.kalshi_feed.fee_terms import FeeTerms, Waivers
from services.kalshi_feed.live_books import News
from services.kalshi_feed.rest_client import RestClient, RestFailed
from shared.contracts.catalog import MarketChanged, MarketClosed
from shared.contracts.streams import CATALOG
from shared.domain.market import Market, MarketId, Venue
from shared.domain.numbers import NumberRefused
from shared.io.bus import Outbox
from shared.runtime.bus_catalog import listed_markets
from shared.runtime.clock import Clock
from shared.venues.kalshi import catalog, fee_changes, rest
from shared.venues.kalshi.fee_changes import FeeCalendar
from shared.venues.kalshi.lifecycle import EventFees, EventListed, LifecycleMissed, MarketNews
from shared.venues.kalshi.schema import RestEvent, RestMarket, RestSeries

_SERIES_AGAIN_AFTER = 10
"""The list of all series is megabytes; it is read again every so many listings."""

log = logging.getLogger(__name__)


class ListingFailed(Exception):
    """The exchange could not be read to the end; the catalog stays as it was and the next round tries again."""


class Discovery:
    """Reads the exchange's listing again and again and publishes the differences."""

    def __init__(
        self,
        client: RestClient,
        outbox: Outbox,
        clock: Clock,
        *,
        page_pause_s: float,
        fee_precision_dollars: Decimal,
        honour_waivers: bool = False,
        on_listed: Callable[[Sequence[Market], int], None] = lambda _markets, _read_ms: None,
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._clock = clock
        self._page_pause_s = page_pause_s
        self._precision_dollars = fee_precision_dollars
        self._series: dict[str, RestSeries] = {}
        self._rounds = 0
        self._on_listed = on_listed
        self._terms = FeeTerms(fee_precision_dollars)
        self._calendar = FeeCalendar()
        self._waivers = Waivers(honoured=honour_waivers)
        self._over: set[MarketId] = set()
        self._again = asyncio.Event()
        self.known: dict[MarketId, Market] = {}
        self.refused = 0
        """Objects that could not be read since the start."""

    async def run(self, redis_url: str, *, refresh_s: int) -> None:
        """Load what the catalog holds, then list and publish for ever."""
        self.known = await listed_markets(redis_url, CATALOG[Venue.KALSHI])
        while True:
            self._again.clear()
            try:
                await self.refresh()
                await self.read_fee_changes()
            except ListingFailed as error:
                log.warning("catalog.incomplete", extra={"error": str(error), "wait_s": refresh_s})
            await self._until_next(refresh_s)

    async def _until_next(self, refresh_s: int) -> None:
        """Wait for the next round, applying planned fee changes at their time; bad news makes it come sooner."""
        ends_s = self._clock.monotonic_s() + refresh_s
        while self._clock.monotonic_s() < ends_s and not self._again.is_set():
            self.apply_due_fees()
            await asyncio.sleep(min(1.0, refresh_s))

    async def read_fee_changes(self) -> None:
        """Read which changes of fees are planned. Raises ListingFailed."""
        now = _utc(self._clock.now_ms())
        paging, cursor = rest.Paging(), ""
        try:
            body = await self._get(fee_changes.series_fee_changes_request())
            self._calendar.saw(fee_changes.read_series_fee_changes(body), now)
            while True:
                body = await self._get(fee_changes.event_fee_changes_request(cursor=cursor))
                page = fee_changes.read_event_fee_changes(body)
                self._calendar.saw(page.changes, now)
                following = paging.next_cursor(page.cursor)
                if following is None:
                    return
                cursor = following
        except (catalog.BodyRefused, rest.CursorRepeated) as error:
            raise ListingFailed(str(error)) from error

    def apply_due_fees(self) -> None:
        """Apply the planned changes whose time has come."""
        for change in self._calendar.due(_utc(self._clock.now_ms())):
            log.info("fees.changed", extra={"change": change.id})
            for event_id in self._terms.changed(change, self._series):
                self._put_fees(event_id)
        for market_id in self._waivers.ended(_utc(self._clock.now_ms())):
            if market_id in self.known:
                self._put_fees(self.known[market_id].event_id)

    def news(self, news: News) -> None:
        """Take what the exchange said by WebSocket about a market or an event, and tell the catalog."""
        match news:
            case EventFees():
                self._terms.overridden(news)
                self._put_fees(news.event_id)
            case MarketNews(happening="determined" | "settled"):
                self._over.add(news.market_id)
                if self.known.pop(news.market_id, None) is not None:
                    closed = MarketClosed(venue=Venue.KALSHI, market_id=news.market_id, reason=news.happening)
                    self._outbox.put(CATALOG[Venue.KALSHI], closed, key=closed.market_id, drop_key=True)
            case MarketNews():
                market = self.known.get(news.market_id)
                if market is not None:
                    self._put_changed(after_news(market, news))
            case LifecycleMissed(reason):
                log.warning("lifecycle.missed", extra={"reason": reason})
                self._again.set()
            case EventListed():
                pass

    def _put_fees(self, event_id: str) -> None:
        read_on = _utc_date(self._clock.now_ms())
        fees = self._terms.fees(event_id, self._series, read_on=read_on)
        for market in [market for market in self.known.values() if market.event_id == event_id]:
            renewed = self._waivers.applied(msgspec.structs.replace(market, fees=fees), _utc(self._clock.now_ms()))
            self._put_changed(with_fees_known_before(renewed, market.fees))

    def _put_changed(self, market: Market) -> None:
        before = self.known[market.market_id]
        changed = tuple(name for name in market.__struct_fields__ if getattr(market, name) != getattr(before, name))
        if changed:
            self.known[market.market_id] = market
            message = MarketChanged(market=market, changed=changed)
            self._outbox.put(CATALOG[Venue.KALSHI], message, key=market.market_id)

    async def refresh(self) -> int:
        """Read the whole listing once, publish what changed and return how many messages that were.

        Raises ListingFailed.
        """
        began_ms = self._clock.now_ms()
        listed = await self._all_events()
        await self._read_series({event.series_ticker for event, _ in listed})
        self._rounds += 1
        self._terms.listed(event for event, _ in listed)
        self._waivers.listed(market for _, markets in listed for market in markets)
        every = self._markets(listed)
        self._over.intersection_update(market.market_id for market in every)  # over for us, not yet for the listing
        markets = [market for market in every if market.market_id not in self._over]
        changes = catalog_changes(self.known, markets, complete=True)
        self._on_listed(markets, began_ms)
        for message in changes:
            if isinstance(message, MarketClosed):
                self.known.pop(message.market_id, None)
                self._outbox.put(CATALOG[Venue.KALSHI], message, key=message.market_id, drop_key=True)
            else:
                self.known[message.market.market_id] = message.market
                self._outbox.put(CATALOG[Venue.KALSHI], message, key=message.market.market_id)
        log.info("catalog.read", extra={"markets": len(self.known), "changes": len(changes), "refused": self.refused})
        return len(changes)

    async def _all_events(self) -> list[tuple[RestEvent, list[RestMarket]]]:
        found: list[tuple[RestEvent, list[RestMarket]]] = []
        paging = rest.Paging()
        cursor: str | None = ""
        while cursor is not None:
            try:
                read = catalog.read_events(await self._get(rest.events_request(cursor=cursor)))
                cursor = paging.next_cursor(read.cursor)
            except (catalog.BodyRefused, rest.CursorRepeated) as error:
                raise ListingFailed(str(error)) from error
            found += read.events
            for reason in read.refused:
                self._refuse(reason)
            if cursor is not None:
                await asyncio.sleep(self._page_pause_s)
        return found

    async def _read_series(self, needed: set[str]) -> None:
        """Know the terms of every needed series, from the whole list or one by one; one that fails has no fees."""
        if self._rounds % _SERIES_AGAIN_AFTER and needed <= self._series.keys():
            return
        try:
            self._series = catalog.read_all_series(await self._get(rest.all_series_request()))
        except (catalog.BodyRefused, ListingFailed) as error:
            log.warning("series.list_missing", extra={"error": str(error), "needed": len(needed)})
        for ticker in sorted(needed - self._series.keys()):
            try:
                self._series[ticker] = catalog.read_series(await self._get(rest.series_request(ticker)))
            except (catalog.BodyRefused, ListingFailed) as error:
                log.warning("series.missing", extra={"series": ticker, "error": str(error)})
            await asyncio.sleep(self._page_pause_s)

    def _markets(self, listed: list[tuple[RestEvent, list[RestMarket]]]) -> list[Market]:
        now = _utc(self._clock.now_ms())
        markets = []
        for event, rest_markets in listed:
            for rest_market in rest_markets:
                try:
                    market = catalog.market(
                        rest_market, event, self._series, read_on=now.date(), precision_dollars=self._precision_dollars
                    )
                    markets.append(self._waivers.applied(market, now))
                except NumberRefused as error:
                    self._refuse(f"market {rest_market.ticker}: {error}")
        return markets

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        log.warning("catalog.refused", extra={"reason": reason[:300]})

    async def _get(self, request: rest.RestRequest) -> bytes:
        """Return the body of a 200. Raises ListingFailed."""
        try:
            return await self._client.get(request)
        except RestFailed as error:
            raise ListingFailed(str(error)) from None


def _utc(now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms // 1000, UTC)


def _utc_date(now_ms: int) -> date:
    return _utc(now_ms).date()
