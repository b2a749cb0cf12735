"""Discovery over a scripted Gamma: cursors to the end, failures that change nothing, and fees from the CLOB."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.polymarket_feed.discovery import Discovery, ListingFailed
from shared.contracts.catalog import CatalogMessage, MarketChanged, MarketClosed, MarketListed
from shared.contracts.streams import CATALOG, FIELD
from shared.domain.fees import FALLBACK_SOURCE, PolymarketFees
from shared.domain.market import MarketId, Venue
from shared.io.bus import Identity, Outbox, Profile, connect
from shared.io.fees_file import FeeRate, read_fees
from shared.io.http import HttpClient
from shared.testing.clock import FakeClock
from tests.outboxes import writing


def condition(number: int) -> str:
    return f"0x{number:064x}"


def gamma_market(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "conditionId": condition(number),
        "question": f"Question {number}?",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": json.dumps([str(10**70 + number), str(10**71 + number)]),
        "acceptingOrders": True,
        "closed": False,
        "enableOrderBook": True,
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
        "feesEnabled": False,
        **changes,
    }


class Gamma:
    """Pages by cursor; ``broken`` answers come first, one per request for the whole listing."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.pages = list(pages)
        self.broken: list[web.Response] = []
        self.queries: list[dict[str, str]] = []
        self.changed: list[dict[str, Any]] = []
        """The events in the order in which the listing of changes gives them."""
        self.second_protocol: list[dict[str, Any]] | None = []
        """The markets that only ``version=v2`` brings; None: no such listing is served."""
        self.repeats_cursor = False
        self.fee: dict[str, Any] = {"fd": {"r": 0.072, "e": 1, "to": True}}
        self.fees_asked = 0

    async def events(self, request: web.Request) -> web.Response:
        self.queries.append(dict(request.query))
        if "version" in request.query:
            if self.second_protocol is None:
                return web.json_response({"error": "unknown version"}, status=422)
            return web.json_response({"events": [{"id": "v2", "title": "E", "markets": self.second_protocol}]})
        if "order" in request.query:
            events = self.changed if request.query["closed"] == "false" else []
            return web.json_response({"events": events})
        if self.broken:
            return self.broken.pop(0)
        number = int(request.query.get("after_cursor", "0"))
        events = [{"id": f"e{number}", "title": "E", "markets": self.pages[number]}]
        body: dict[str, Any] = {"$schema": "x", "events": events}
        if number + 1 < len(self.pages):
            body["next_cursor"] = str(number + 1)
        if self.repeats_cursor:
            body["next_cursor"] = "0"
        return web.json_response(body)

    async def clob_market(self, request: web.Request) -> web.Response:
        self.fees_asked += 1
        return web.json_response(self.fee)


class Rig:
    """A discovery, its catalog in Redis, and how often it said that something changed."""

    def __init__(self, discovery: Discovery, outbox: Outbox, redis: Any) -> None:
        self.discovery = discovery
        self.outbox = outbox
        self.redis = redis
        self.changes = 0

    async def published(self) -> list[CatalogMessage]:
        await self.outbox.flushed()
        stream = CATALOG[Venue.POLYMARKET]
        return [stream.decoder.decode(fields[FIELD]) for _, fields in await self.redis.xrange(stream.name)]


@asynccontextmanager
async def rig(gamma: Gamma, redis_url: str, rates: Sequence[FeeRate] = ()) -> AsyncIterator[Rig]:
    app = web.Application()
    app.router.add_get("/events/keyset", gamma.events)
    app.router.add_get("/clob-markets/{condition}", gamma.clob_market)

    def changed() -> None:
        it.changes += 1

    async with TestServer(app) as server, HttpClient(str(server.make_url("/"))) as client:
        outbox = Outbox(redis_url, Identity("test", "1"))
        discovery = Discovery(
            client, client, outbox, FakeClock(), page_pause_s=0, jitter=NoWait(), on_change=changed, rates=rates
        )
        redis = connect(redis_url, Profile.WRITER)
        it = Rig(discovery, outbox, redis)
        try:
            async with writing(outbox):
                yield it
        finally:
            await redis.aclose()


class NoWait(random.Random):
    """Jitter that never waits."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


async def test_every_page_is_read_with_the_full_page_size_until_the_cursor_is_absent(redis_url: str) -> None:
    gamma = Gamma([gamma_market(1)], [], [gamma_market(2), gamma_market(3)])  # a short page is not the end
    async with rig(gamma, redis_url) as it:
        assert await it.discovery.refresh() == 3
        assert [m.market.market_id for m in await it.published() if isinstance(m, MarketListed)] == [
            condition(1),
            condition(2),
            condition(3),
        ]
        assert it.changes == 1
    whole = [query for query in gamma.queries if "order" not in query and "version" not in query]
    assert whole == [
        {"closed": "false", "limit": "100"},
        {"closed": "false", "limit": "100", "after_cursor": "1"},
        {"closed": "false", "limit": "100", "after_cursor": "2"},
    ]


async def test_a_second_round_says_only_what_changed(redis_url: str) -> None:
    gamma = Gamma([gamma_market(1), gamma_market(2)])
    async with rig(gamma, redis_url) as it:
        await it.discovery.refresh()
        assert await it.discovery.refresh() == 0
        gamma.pages = [[gamma_market(1, question="Other words?")]]
        assert await it.discovery.refresh() == 2
        changed, closed = (await it.published())[-2:]
        assert isinstance(changed, MarketChanged)
        assert changed.changed == ("title",)
        assert isinstance(closed, MarketClosed)
        assert closed.market_id == condition(2)
        held = await it.redis.hkeys(CATALOG[Venue.POLYMARKET].hash_name)
        assert held == [condition(1).encode()]


async def test_a_cursor_that_comes_twice_fails_the_round_and_closes_nothing(redis_url: str) -> None:
    gamma = Gamma([gamma_market(1)])
    async with rig(gamma, redis_url) as it:
        await it.discovery.refresh()
        gamma.repeats_cursor = True
        with pytest.raises(ListingFailed, match="came twice"):
            await it.discovery.refresh()
        assert it.discovery.known.keys() == {condition(1)}


@pytest.mark.parametrize("status", [425, 429, 500, 503])
async def test_a_passing_fault_is_tried_again(status: int, redis_url: str) -> None:
    gamma = Gamma([gamma_market(1)])
    gamma.broken = [web.Response(status=status, text="<html>") for _ in range(3)]
    async with rig(gamma, redis_url) as it:
        assert await it.discovery.refresh() == 1


@pytest.mark.parametrize(("status", "body"), [(422, "{}"), (200, "<html>"), (200, '{"events":7}')])
async def test_a_lasting_fault_fails_the_round_by_name(status: int, body: str, redis_url: str) -> None:
    gamma = Gamma([gamma_market(1)])
    gamma.broken = [web.Response(status=status, text=body)]
    async with rig(gamma, redis_url) as it:
        with pytest.raises(ListingFailed, match="/events/keyset"):
            await it.discovery.refresh()
        assert it.discovery.known == {}


async def test_odd_objects_cost_no_others_and_are_counted_by_reason(redis_url: str) -> None:
    gamma = Gamma([gamma_market(1, clobTokenIds="")], [gamma_market(2), gamma_market(3, conditionId="7")], [7])  # type: ignore[list-item]
    async with rig(gamma, redis_url) as it:
        assert await it.discovery.refresh() == 1
        assert it.discovery.not_listed == {
            "hydrating: no condition or token ids yet": 1,
            "ids of an unknown form": 1,
            "unreadable": 1,
        }


async def test_a_missing_schedule_is_asked_of_the_clob_once_and_stays_unknown_when_it_has_none(redis_url: str) -> None:
    gamma = Gamma([gamma_market(1, feesEnabled=True, feeSchedule=None)])
    async with rig(gamma, redis_url) as it:
        await it.discovery.refresh()
        fees = it.discovery.known[MarketId(condition(1))].fees
        assert isinstance(fees, PolymarketFees)
        assert (fees.rate, fees.source) == (Decimal("0.072"), "CLOB /clob-markets fd, 2026-11-21")
        await it.discovery.refresh()
        assert gamma.fees_asked == 1
        gamma.pages, gamma.fee = [[gamma_market(2, feesEnabled=True)]], {"tbf": 1000}
        await it.discovery.refresh()
        assert it.discovery.known[MarketId(condition(2))].fees is None


async def test_what_neither_gamma_nor_the_clob_prices_costs_what_its_category_pays(redis_url: str) -> None:
    gamma = Gamma([gamma_market(1, feesEnabled=True, feeSchedule=None, takerBaseFee=1000)])
    gamma.fee = {"tbf": 1000}
    rates = read_fees(Path(__file__).parents[2] / "mappings" / "fees.yaml").polymarket
    async with rig(gamma, redis_url, rates=rates) as it:
        await it.discovery.refresh()
        fees = it.discovery.known[MarketId(condition(1))].fees
        assert isinstance(fees, PolymarketFees)
        assert fees.source.startswith(FALLBACK_SOURCE)
        assert fees.rate == Decimal("0.07")


async def test_what_the_stream_says_about_a_market_reaches_the_catalog_at_once(redis_url: str) -> None:
    gamma = Gamma([gamma_market(1), gamma_market(2)])
    async with rig(gamma, redis_url) as it:
        await it.discovery.refresh()
        it.discovery.tick_changed(MarketId(condition(1)), "0.001")
        it.discovery.tick_changed(MarketId(condition(1)), "NaN")
        it.discovery.tick_changed(MarketId("unknown"), "0.001")
        it.discovery.ended(MarketId(condition(2)))
        it.discovery.ended(MarketId(condition(2)))
        assert await it.discovery.refresh() == 0  # Gamma does not know yet
        changed, closed = (await it.published())[2:]
        assert isinstance(changed, MarketChanged)
        assert changed.changed == ("price_steps",)
        assert changed.market.price_steps[0].step_dollars == Decimal("0.001")
        assert isinstance(closed, MarketClosed)
        assert (closed.market_id, closed.reason) == (condition(2), "resolved")
        gamma.pages = [[gamma_market(1, orderPriceMinTickSize=0.001)]]
        assert await it.discovery.refresh() == 0
        gamma.pages = [[gamma_market(1)]]
        assert await it.discovery.refresh() == 1  # and back again, on Gamma's word


async def test_markets_of_the_second_protocol_are_listed_by_their_position_ids(redis_url: str) -> None:
    gamma = Gamma([gamma_market(1)])
    positions = [str(2**110 + 1), str(2**110 + 2)]
    gamma.second_protocol = [gamma_market(2, version="v2", clobTokenIds="[]", positionIds=positions)]
    async with rig(gamma, redis_url) as it:
        assert await it.discovery.refresh() == 2
        assert it.discovery.known[MarketId(condition(2))].token_ids == tuple(positions)
        gamma.second_protocol = None
        assert await it.discovery.refresh() == 1
        assert it.discovery.known.keys() == {condition(1)}


def event(number: int, updated_at: str | None, *markets: dict[str, Any]) -> dict[str, Any]:
    body = {"id": f"e{number}", "title": "E", "markets": list(markets)}
    return body if updated_at is None else {**body, "updatedAt": updated_at}


async def test_what_changed_is_read_newest_first_until_what_was_seen_before(redis_url: str) -> None:
    gamma = Gamma([gamma_market(1)], [gamma_market(2)])
    gamma.changed = [event(0, "2026-11-21T10:00:00.5Z", gamma_market(1))]
    async with rig(gamma, redis_url) as it:
        await it.discovery.refresh()
        gamma.changed = [
            event(7, None, gamma_market(7)),
            event(1, "2026-11-21T10:02:00Z", gamma_market(2, question="Other words?"), gamma_market(3)),
            event(0, "2026-11-21T09:59:00Z", gamma_market(1, question="Too old to be looked at")),
        ]
        assert await it.discovery.catch_up() == 3
        assert [(type(m), m.market.market_id) for m in (await it.published())[2:]] == [  # type: ignore[union-attr]
            (MarketListed, condition(7)),
            (MarketChanged, condition(2)),
            (MarketListed, condition(3)),
        ]
        gamma.changed[1]["markets"].pop()
        assert await it.discovery.catch_up() == 1
        assert it.discovery.known.keys() == {condition(1), condition(2), condition(7)}


@pytest.mark.parametrize(
    "unordered",
    [
        [event(0, "2026-11-21T10:00:00Z"), event(1, "2026-11-21T10:02:00Z")],
        [event(0, None), event(1, None)],
    ],
    ids=["oldest first", "no times"],
)
async def test_a_venue_that_does_not_order_its_changes_is_read_as_a_whole(
    unordered: list[dict[str, Any]], redis_url: str
) -> None:
    gamma = Gamma([gamma_market(1)])
    gamma.changed = unordered
    async with rig(gamma, redis_url) as it:
        await it.discovery.refresh()
        gamma.pages = [[gamma_market(1, question="Other words?")]]
        assert await it.discovery.catch_up() == 1
        assert it.discovery.known[MarketId(condition(1))].title == "Other words?"


async def test_fees_that_were_not_asked_for_in_the_first_round_are_in_the_next(redis_url: str) -> None:
    gamma = Gamma([gamma_market(number, feesEnabled=True, feeSchedule=None) for number in range(1, 61)])
    gamma.changed = [event(99, "2026-11-21T10:00:00Z")]
    async with rig(gamma, redis_url) as it:
        await it.discovery.refresh()
        assert sum(market.fees is None for market in it.discovery.known.values()) == 10
        assert await it.discovery.catch_up() == 10
        assert all(market.fees is not None for market in it.discovery.known.values())
        assert gamma.fees_asked == 60
