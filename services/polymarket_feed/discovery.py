"""All open Polymarket markets to the catalog: Gamma's events to the last page, and only what changed."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import msgspec

from services.polymarket_feed.core import catalog_changes, closing
from shared.contracts.catalog import CatalogMessage, MarketChanged, MarketClosed, MarketListed
from shared.contracts.streams import CATALOG
from shared.domain.market import Market, MarketId, PriceStep, Venue
from shared.domain.numbers import NumberRefused, decimal_from_text
from shared.io.bus import TRANSIENT, Outbox, Profile, connect, load_latest, waits_s
from shared.io.fees_file import FeeRate, category_fees
from shared.io.http import HttpClient, HttpUnavailable, Query
from shared.runtime.clock import Clock
from shared.venues.polymarket.catalog import NotListed, lacks_fee_terms, market_from_gamma, price_steps, with_clob_fee
from shared.venues.polymarket.gamma import GammaRefused, flag_of, markets_of, read_event, read_events_page, read_market
from shared.venues.polymarket.rest import ClobFee, RestRefused, read_clob_market
from shared.venues.polymarket.urls import EVENTS_PATH, clob_market_path, open_events_query

_ATTEMPTS = 6
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 5.0
_FEES_ASKED_PER_ROUND = 50
_CATALOG = CATALOG[Venue.POLYMARKET]

log = logging.getLogger(__name__)


class ListingFailed(Exception):
    """Gamma could not be read to the end; the catalog stays as it was and the next round tries again."""


class Discovery:
    """Reads the venue's listing again and again and publishes the differences.

    ``rates`` price what neither Gamma nor the CLOB does. ``on_change`` is called after each round that changed
    something, and soon after a market ended.
    """

    def __init__(
        self,
        gamma: HttpClient,
        clob: HttpClient,
        outbox: Outbox,
        clock: Clock,
        *,
        page_pause_s: float,
        jitter: random.Random,
        on_change: Callable[[], None],
        rates: Sequence[FeeRate] = (),
    ) -> None:
        self._gamma = gamma
        self._clob = clob
        self._outbox = outbox
        self._clock = clock
        self._page_pause_s = page_pause_s
        self._jitter = jitter
        self._on_change = on_change
        self._rates = rates
        self._clob_fees: dict[MarketId, ClobFee | None] = {}
        self._ended: set[MarketId] = set()
        self._steps: dict[MarketId, tuple[PriceStep, ...]] = {}
        self.known: dict[MarketId, Market] = {}
        self.neg_risk: dict[MarketId, bool] = {}
        """What Gamma says about it, which a book's hash covers."""
        self.not_listed: Counter[str] = Counter()
        """Why objects of the latest listing are not in the catalog."""

    async def run(self, redis_url: str, *, refresh_s: int) -> None:
        """Load what the catalog holds, then list and publish for ever."""
        await self._load_known(redis_url)
        self._on_change()
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
        self.not_listed.clear()
        listed = await self._fees_filled_in(self._ahead_of_gamma(await self._all_markets()))
        changes = catalog_changes(self.known, listed)
        for message in changes:
            self._publish(message)
        facts = {"markets": len(self.known), "changes": len(changes), "not_listed": self.not_listed.total()}
        log.info("catalog.read", extra=facts)
        if changes:
            self._on_change()
        return len(changes)

    def ended(self, market_id: MarketId) -> None:
        """The stream said that a market has its result, which Gamma will say later."""
        if market_id in self.known:
            self._ended.add(market_id)
            self._publish(closing(market_id, "resolved"))
            asyncio.get_running_loop().call_soon(self._on_change)

    def tick_changed(self, market_id: MarketId, tick_size: str) -> None:
        """The stream said that a market's price grid changed, which Gamma will say later."""
        market = self.known.get(market_id)
        try:
            tick_dollars = decimal_from_text(tick_size)
        except NumberRefused as error:
            log.warning("tick.refused", extra={"market": market_id, "error": str(error)})
            return
        if market is None or not 0 < tick_dollars < 1:
            return
        steps = price_steps(tick_dollars)
        self._steps[market_id] = steps
        if steps != market.price_steps:
            changed = msgspec.structs.replace(market, price_steps=steps)
            self._publish(MarketChanged(market=changed, changed=("price_steps",)))

    def _ahead_of_gamma(self, listed: list[Market]) -> list[Market]:
        """Return the listing with what the stream has said already, until Gamma says so too: it lags by minutes."""
        by_id = {market.market_id: market for market in listed}
        self._ended &= by_id.keys()
        self._steps = {
            market_id: steps
            for market_id, steps in self._steps.items()
            if market_id in by_id and by_id[market_id].price_steps != steps
        }
        return [
            msgspec.structs.replace(market, price_steps=self._steps.get(market.market_id, market.price_steps))
            for market in listed
            if market.market_id not in self._ended
        ]

    def _publish(self, message: CatalogMessage) -> None:
        if isinstance(message, MarketClosed):
            self.known.pop(message.market_id, None)
            self._outbox.put(_CATALOG, message, key=message.market_id, drop_key=True)
        else:
            self.known[message.market.market_id] = message.market
            self._outbox.put(_CATALOG, message, key=message.market.market_id)

    async def _load_known(self, redis_url: str) -> None:
        async for _ in waits_s():
            redis = connect(redis_url, Profile.WRITER)
            try:
                latest, _ = await load_latest(redis, _CATALOG)
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

    async def _all_markets(self) -> list[Market]:
        found: list[Market] = []
        cursors: set[str] = set()
        cursor = ""
        while True:
            body = await self._get(self._gamma, EVENTS_PATH, open_events_query(cursor))
            try:
                page = read_events_page(body)
            except GammaRefused as error:
                raise ListingFailed(str(error)) from error
            for raw in page.events:
                found += self._markets_of_event(raw)
                await asyncio.sleep(0)  # a page is many milliseconds of work, and books are waiting
            if not page.next_cursor:
                return found
            if page.next_cursor in cursors:
                raise ListingFailed(f"Gamma's cursor {page.next_cursor[:40]!r} came twice after {len(cursors)} pages")
            cursors.add(cursor := page.next_cursor)
            await asyncio.sleep(self._page_pause_s)

    def _markets_of_event(self, raw: msgspec.Raw) -> list[Market]:
        read_on = _utc_date(self._clock.now_ms())
        found: list[Market] = []
        try:
            event = read_event(raw)
            for raw_market in markets_of(event):
                gamma = read_market(raw_market)
                market = market_from_gamma(gamma, event, read_on=read_on)
                if isinstance(market, NotListed):
                    self.not_listed[market.reason] += 1
                else:
                    found.append(market)
                    self.neg_risk[market.market_id] = flag_of(gamma.neg_risk) or False
        except GammaRefused as error:
            self.not_listed["unreadable"] += 1
            log.warning("catalog.refused", extra={"reason": str(error)[:300]})
        return found

    async def _fees_filled_in(self, listed: list[Market]) -> list[Market]:
        """Ask the CLOB, a few per round, for the fees that Gamma does not name."""
        read_on = _utc_date(self._clock.now_ms())
        asked = 0
        filled: list[Market] = []
        for market in listed:
            if not lacks_fee_terms(market):
                filled.append(market)
                continue
            if market.market_id not in self._clob_fees and asked < _FEES_ASKED_PER_ROUND:
                asked += 1
                await self._ask_fee(market.market_id)
            filled.append(self._priced(market, read_on))
        return filled

    def _priced(self, market: Market, read_on: date) -> Market:
        """Return the market with what the CLOB says, else with what its category pays, which is alert-only."""
        priced = with_clob_fee(market, self._clob_fees.get(market.market_id), read_on=read_on)
        if priced.fees is not None or market.market_id not in self._clob_fees:
            return priced
        fees = category_fees(self._rates, market.category.split(","), on=read_on)
        return msgspec.structs.replace(priced, fees=fees)

    async def _ask_fee(self, market_id: MarketId) -> None:
        try:
            terms = read_clob_market(await self._get(self._clob, clob_market_path(market_id), ()))
        except (ListingFailed, RestRefused) as error:
            log.warning("fee.missing", extra={"market": market_id, "error": str(error)[:300]})
            return
        self._clob_fees[market_id] = terms.fee

    async def _get(self, client: HttpClient, path: str, query: Query) -> bytes:
        """Return the body of a 200, trying again where that may help.

        Raises ListingFailed.
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
                    break
            if attempt < _ATTEMPTS:
                await asyncio.sleep(self._jitter.uniform(longest_s / 2, longest_s))
                longest_s = min(_LONGEST_WAIT_S, longest_s * 2)
        raise ListingFailed(problem)


def _utc_date(now_ms: int) -> date:
    return datetime.fromtimestamp(now_ms // 1000, UTC).date()
