"""All open Polymarket markets to the catalog: the whole listing now and then, what changed in between, as messages."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import msgspec

from services.polymarket_feed.core import catalog_changes, closing, concerned
from services.polymarket_feed.listing import (
    GammaListings,
    ListingFailed,
    NotOrdered,
    get_patiently,
    utc_date,
)
from shared.contracts.catalog import CatalogMessage, MarketChanged, MarketClosed
from shared.contracts.streams import CATALOG
from shared.domain.market import Market, MarketId, PriceStep, Venue
from shared.domain.numbers import NumberRefused, decimal_from_text
from shared.io.bus import Outbox
from shared.io.fees_file import FeeRate, category_fees
from shared.io.http import HttpClient
from shared.runtime.bus_catalog import listed_markets
from shared.runtime.clock import Clock
from shared.venues.polymarket.catalog import lacks_fee_terms, price_steps, with_clob_fee
from shared.venues.polymarket.rest import ClobFee, RestRefused, read_clob_market
from shared.venues.polymarket.urls import clob_market_path

_FEES_ASKED_PER_ROUND = 50
_CATALOG = CATALOG[Venue.POLYMARKET]

log = logging.getLogger(__name__)


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
        self._listings = GammaListings(gamma, clock, page_pause_s=page_pause_s, jitter=jitter)
        self._clob = clob
        self._outbox = outbox
        self._clock = clock
        self._jitter = jitter
        self._on_change = on_change
        self._rates = rates
        self._clob_fees: dict[MarketId, ClobFee | None] = {}
        self._ended: set[MarketId] = set()
        self._steps: dict[MarketId, tuple[PriceStep, ...]] = {}
        self.known: dict[MarketId, Market] = {}

    @property
    def neg_risk(self) -> Mapping[MarketId, bool]:
        """What Gamma says about it, which a book's hash covers."""
        return self._listings.neg_risk

    @property
    def not_listed(self) -> Counter[str]:
        """Why objects that were read since the last whole listing began are not in the catalog."""
        return self._listings.not_listed

    async def run(self, redis_url: str, *, refresh_s: int, crawl_s: int) -> None:
        """Load what the catalog holds, then list and publish for ever: what changed, and all of it each ``crawl_s``."""
        self.known = await listed_markets(redis_url, _CATALOG)
        self._on_change()
        crawled_s: float | None = None
        while True:
            now_s = self._clock.monotonic_s()
            try:
                if crawled_s is None or now_s - crawled_s >= crawl_s:
                    await self.refresh()
                    crawled_s = now_s
                else:
                    await self.catch_up()
            except ListingFailed as error:
                log.warning("catalog.incomplete", extra={"error": str(error), "wait_s": refresh_s})
            await asyncio.sleep(refresh_s)

    async def refresh(self) -> int:
        """Read the whole listing once, publish what changed and return how many messages that were.

        Raises ListingFailed.
        """
        listing = await self._listings.whole()
        listed = {market.market_id for market in listing.markets}
        self._ended &= listed
        self._steps = {market_id: steps for market_id, steps in self._steps.items() if market_id in listed}
        return self._publish_changes(await self._fees_filled_in(listing.markets), lambda _: self.known)

    async def catch_up(self) -> int:
        """Read what changed since the last look, publish it and return how many messages that were.

        Where the venue does not say what changed, the whole listing is read. Raises ListingFailed.
        """
        try:
            listing = await self._listings.changes()
        except NotOrdered as error:
            log.warning("catalog.not_ordered", extra={"error": str(error)})
            return await self.refresh()
        named = {market.market_id for market in listing.markets}
        unpriced = [
            market for market in self.known.values() if self._awaits_fee(market) and market.market_id not in named
        ]
        listed = await self._fees_filled_in(listing.markets + unpriced)
        return self._publish_changes(listed, lambda told: concerned(self.known, listing.event_ids, told))

    def _publish_changes(self, listed: list[Market], about: Callable[[list[Market]], Mapping[MarketId, Market]]) -> int:
        """Publish what a listing changes; ``about`` says which of the known markets it speaks of."""
        told = self._ahead_of_gamma(listed)
        changes = catalog_changes(about(told), told)
        for message in changes:
            self._publish(message)
        facts = {"read": len(listed), "markets": len(self.known), "changes": len(changes)}
        log.info("catalog.read", extra={**facts, "not_listed": self.not_listed.total()})
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
        self._steps = {
            market_id: steps
            for market_id, steps in self._steps.items()
            if market_id not in by_id or by_id[market_id].price_steps != steps
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

    async def _fees_filled_in(self, listed: list[Market]) -> list[Market]:
        """Ask the CLOB, a few per round, for the fees that Gamma does not name."""
        read_on = utc_date(self._clock.now_ms())
        asked = 0
        filled: list[Market] = []
        for market in listed:
            if not lacks_fee_terms(market):
                filled.append(market)
                continue
            if self._awaits_fee(market) and asked < _FEES_ASKED_PER_ROUND:
                asked += 1
                await self._ask_fee(market.market_id)
            filled.append(self._priced(market, read_on))
        return filled

    def _awaits_fee(self, market: Market) -> bool:
        return lacks_fee_terms(market) and market.market_id not in self._clob_fees

    def _priced(self, market: Market, read_on: date) -> Market:
        """Return the market with what the CLOB says, else with what its category pays, which is alert-only."""
        priced = with_clob_fee(market, self._clob_fees.get(market.market_id), read_on=read_on)
        if priced.fees is not None or market.market_id not in self._clob_fees:
            return priced
        fees = category_fees(self._rates, market.category.split(","), on=read_on)
        return msgspec.structs.replace(priced, fees=fees)

    async def _ask_fee(self, market_id: MarketId) -> None:
        try:
            terms = read_clob_market(await get_patiently(self._clob, clob_market_path(market_id), (), self._jitter))
        except (ListingFailed, RestRefused) as error:
            log.warning("fee.missing", extra={"market": market_id, "error": str(error)[:300]})
            return
        self._clob_fees[market_id] = terms.fee
