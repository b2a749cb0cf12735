"""All open Kalshi markets to the catalog: complete pages, the fee terms of their series, and only what changed."""

import asyncio
import logging
import random
from datetime import UTC, date, datetime
from decimal import Decimal

from services.kalshi_feed.core import catalog_changes
from shared.contracts.catalog import MarketChanged, MarketClosed, MarketListed
from shared.contracts.streams import CATALOG
from shared.domain.market import Market, MarketId, Venue
from shared.domain.numbers import NumberRefused
from shared.io.bus import TRANSIENT, Outbox, Profile, connect, load_latest, waits_s
from shared.io.http import HttpClient, HttpUnavailable
from shared.runtime.clock import Clock
from shared.venues.kalshi import catalog, rest
from shared.venues.kalshi.schema import RestEvent, RestMarket, RestSeries

_ATTEMPTS = 6
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 5.0
_SERIES_AGAIN_AFTER = 10
"""The list of all series is megabytes; it is read again every so many listings."""

log = logging.getLogger(__name__)


class ListingFailed(Exception):
    """The exchange could not be read to the end; the catalog stays as it was and the next round tries again."""


class Discovery:
    """Reads the exchange's listing again and again and publishes the differences."""

    def __init__(
        self,
        client: HttpClient,
        outbox: Outbox,
        clock: Clock,
        *,
        page_pause_s: float,
        fee_precision_dollars: Decimal,
        jitter: random.Random,
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._clock = clock
        self._page_pause_s = page_pause_s
        self._precision_dollars = fee_precision_dollars
        self._jitter = jitter
        self._series: dict[str, RestSeries] = {}
        self._rounds = 0
        self.known: dict[MarketId, Market] = {}
        self.refused = 0
        """Objects that could not be read since the start."""

    async def run(self, redis_url: str, *, refresh_s: int) -> None:
        """Load what the catalog holds, then list and publish for ever."""
        await self._load_known(redis_url)
        while True:
            try:
                await self.refresh()
            except ListingFailed as error:
                log.warning("catalog.incomplete", extra={"error": str(error), "wait_s": refresh_s})
            await asyncio.sleep(refresh_s)

    async def refresh(self) -> int:
        """Read the whole listing once, publish what changed and return how many messages that were.

        Raises ListingFailed.
        """
        listed = await self._all_events()
        await self._read_series({event.series_ticker for event, _ in listed})
        self._rounds += 1
        changes = catalog_changes(self.known, self._markets(listed), complete=True)
        for message in changes:
            if isinstance(message, MarketClosed):
                self.known.pop(message.market_id, None)
                self._outbox.put(CATALOG[Venue.KALSHI], message, key=message.market_id, drop_key=True)
            else:
                self.known[message.market.market_id] = message.market
                self._outbox.put(CATALOG[Venue.KALSHI], message, key=message.market.market_id)
        log.info("catalog.read", extra={"markets": len(self.known), "changes": len(changes), "refused": self.refused})
        return len(changes)

    async def _load_known(self, redis_url: str) -> None:
        async for _ in waits_s():
            redis = connect(redis_url, Profile.WRITER)
            try:
                latest, _ = await load_latest(redis, CATALOG[Venue.KALSHI])
            except TRANSIENT as error:
                log.warning("catalog.waiting", extra={"error": str(error)})
                continue
            finally:
                await redis.aclose()
            self.known = {
                message.market.market_id: message.market
                for message in latest.values()
                if isinstance(message, MarketListed | MarketChanged)
            }
            return

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
        read_on = _utc_date(self._clock.now_ms())
        markets = []
        for event, rest_markets in listed:
            for rest_market in rest_markets:
                try:
                    markets.append(
                        catalog.market(
                            rest_market,
                            event,
                            self._series,
                            read_on=read_on,
                            precision_dollars=self._precision_dollars,
                        )
                    )
                except NumberRefused as error:
                    self._refuse(f"market {rest_market.ticker}: {error}")
        return markets

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        log.warning("catalog.refused", extra={"reason": reason[:300]})

    async def _get(self, request: rest.RestRequest) -> bytes:
        """Return the body of a 200, trying again where that may help.

        Raises ListingFailed.
        """
        longest_s = _FIRST_WAIT_S
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = await self._client.get(request.path, request.query)
            except HttpUnavailable as error:
                problem = str(error)
            else:
                if answer.status == 200:
                    return answer.body
                said = rest.api_error(answer.status, answer.body)
                problem = f"GET {request.path}: {answer.status} {said.code} {said.message}".rstrip()
                if answer.status != 429 and answer.status < 500:
                    break
            if attempt < _ATTEMPTS:
                await asyncio.sleep(self._jitter.uniform(longest_s / 2, longest_s))
                longest_s = min(_LONGEST_WAIT_S, longest_s * 2)
        raise ListingFailed(problem)


def _utc_date(now_ms: int) -> date:
    return datetime.fromtimestamp(now_ms // 1000, UTC).date()
