"""What the control port causes: listings, resolutions, ticks and settlements, and what the venues say of them."""

from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.venue_sim.control import Observed, create_control_app
from services.venue_sim.kalshi_server import DESK
from services.venue_sim.occasions import PolymarketStage
from services.venue_sim.polymarket_live import VENUE, create_app
from services.venue_sim.truth import Truth
from services.venue_sim.world import World
from tests.service.simulated_kalshi import running_kalshi

START_MS = 1_795_300_000_000
Json = dict[str, Any]
Client = TestClient[Any, Any]


class Venue:
    """Polymarket over a world, with a control port."""

    def __init__(self) -> None:
        self.world = World(seed=5, start_ms=START_MS)
        self.truth = Truth(self.world)
        self.app = create_app(self.world, now_ms=lambda: START_MS + 1_000, trade_delay_s=0.0)
        stages = {"polymarket": PolymarketStage(self.app[VENUE], self.world)}
        self.control = create_control_app(
            Observed(world=self.world, truth=self.truth, stats={}, faults={}, stages=stages), lambda: START_MS
        )


def client_of(app: web.Application) -> Client:
    return TestClient(TestServer(app))


async def cause(control: Client, **order: str) -> tuple[int, Json]:
    async with control.post("/_event", data=msgspec.json.encode(order)) as answer:
        return answer.status, await answer.json()


async def subscribed(client: Client, tokens: list[str], *, custom: bool) -> Any:
    ws = await client.ws_connect("/ws/market")
    await ws.send_str(
        msgspec.json.encode({"assets_ids": tokens, "type": "market", "custom_feature_enabled": custom}).decode()
    )
    assert len(await ws.receive_json()) == len(tokens)
    return ws


async def test_a_new_market_is_told_to_everybody_with_the_custom_features_and_can_be_read() -> None:
    venue = Venue()
    known, other = list(venue.world.polymarket_markets.values())[:2]
    async with client_of(venue.app) as client, client_of(venue.control) as control:
        with_custom = await subscribed(client, [other.token_ids[0]], custom=True)
        without = await subscribed(client, [other.token_ids[0]], custom=False)
        status, listed = await cause(control, venue="polymarket", event="list", market=known.market_id)
        assert status == 200
        said = await with_custom.receive_json()
        assert (said["event_type"], said["condition_id"]) == ("new_market", listed["condition_id"])
        assert said["clob_token_ids"] == listed["token_ids"]
        assert said["fee_schedule"]["rate"] == f"{known.fee_rate.numerator / known.fee_rate.denominator:g}"
        await without.send_str("PING")
        assert (await without.receive()).data == "PONG"
        async with client.get(f"/gamma/markets/{listed['gamma_id']}") as answer:
            assert (await answer.json())["acceptingOrders"] is True
        async with client.get("/book", params={"token_id": listed["token_ids"][0]}) as answer:
            assert (await answer.json())["bids"] == []
        venue.world.step(START_MS + 5_000)


async def test_a_resolved_market_is_closed_everywhere_and_nobody_quotes_it_any_more() -> None:
    venue = Venue()
    market = next(m for m in venue.world.polymarket_markets.values() if m.book.bids() and m.book.asks())
    async with client_of(venue.app) as client, client_of(venue.control) as control:
        ws = await subscribed(client, [market.token_ids[0]], custom=True)
        assert (await cause(control, venue="polymarket", event="resolve", market=market.market_id, value="1"))[0] == 200
        said = await ws.receive_json()
        assert (said["event_type"], said["winning_asset_id"], said["winning_outcome"]) == (
            "market_resolved",
            market.token_ids[1],
            market.outcomes[1],
        )
        async with client.get(f"/gamma/markets/{market.gamma_id}") as answer:
            body = await answer.json()
        assert (body["closed"], body["acceptingOrders"], body["outcomePrices"]) == (True, False, '["0", "1"]')
        assert body["umaResolutionStatus"] == "resolved"
        async with client.get("/book", params={"token_id": market.token_ids[0]}) as answer:
            assert answer.status == 404
        for step in range(1, 200):
            venue.world.step(START_MS + step * 50)
        assert not market.book.bids()
        assert not market.book.asks()
        for interval in venue.truth.intervals():
            assert interval.question.polymarket is not market or interval.closed_ms is not None


async def test_a_tick_that_changes_is_told_for_both_tokens() -> None:
    venue = Venue()
    market = next(m for m in venue.world.polymarket_markets.values() if m.tick_e4 == 100)
    async with client_of(venue.app) as client, client_of(venue.control) as control:
        ws = await subscribed(client, list(market.token_ids), custom=False)
        assert (await cause(control, venue="polymarket", event="tick", market=market.market_id, value="0.001"))[
            0
        ] == 200
        said = [await ws.receive_json() for _ in market.token_ids]
        assert [one["asset_id"] for one in said] == list(market.token_ids)
        assert {(one["old_tick_size"], one["new_tick_size"]) for one in said} == {("0.01", "0.001")}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"venue": "nowhere"}, "nowhere"),
        ({"event": "explode"}, "explode"),
        ({"market": "0x1"}, "0x1"),
        ({"value": "2"}, "outcome"),
        ({"more": "x"}, "more"),
        ({"event": "tick", "value": "0.02"}, "tick size"),
    ],
)
async def test_what_cannot_happen_is_refused_with_the_reason(change: Json, word: str) -> None:
    venue = Venue()
    market = next(iter(venue.world.polymarket_markets))
    async with client_of(venue.control) as control:
        order = {"venue": "polymarket", "event": "resolve", "market": market, "value": "1"} | change
        status, body = await cause(control, **order)
        assert status == 400
        assert word in body["error"]


async def test_the_control_port_shows_the_account_and_refuses_to_settle_twice() -> None:
    async with running_kalshi() as venue:
        desk = venue.app[DESK]
        observed = Observed(
            world=venue.world, truth=None, stats={}, faults={}, stages={"kalshi": desk}, account=desk.account_json
        )
        ticker = next(iter(venue.world.kalshi_markets))
        async with client_of(create_control_app(observed, lambda: venue.now_ms)) as control:
            async with control.get("/account") as answer:
                assert (await answer.json())["cash_dollars"]["0"] == "10000.000000"
            settle = {"venue": "kalshi", "event": "settle", "market": ticker, "value": "no"}
            assert await cause(control, **settle) == (200, {"ticker": ticker, "status": "finalized", "result": "no"})
            for change in ({}, {"market": "KXNO-1"}, {"event": "tick"}, {"value": "perhaps"}):
                assert (await cause(control, **(settle | change)))[0] == 400


async def test_a_planted_order_stands_until_it_is_taken_off_and_the_truth_knows_what_it_is_worth() -> None:
    venue = Venue()
    question = next(q for q in venue.truth.mapped_pairs() if q.orientation == "same")
    market = question.polymarket
    async with client_of(venue.control) as control:
        order = {"venue": "polymarket", "event": "plant", "market": market.market_id, "value": "bid 0.98 50"}
        assert (await cause(control, **order))[0] == 200
        assert market.book.best_bid_e4() == 9_800
        for step in range(1, 100):
            venue.world.step(START_MS + step * 50)
        assert market.book.size_e6("bid", 9_800) == 50_000_000, "nobody else touches it"
        assert any(i.closed_ms is None and i.question is question for i in venue.truth.intervals())
        assert (await cause(control, **(order | {"value": ""})))[0] == 200
        assert (market.book.best_bid_e4() or 0) < 9_800
        assert not any(i.closed_ms is None and i.question is question for i in venue.truth.intervals())
        for value in ("bid", "bid 1.5 10", "ask 0.5 0", "ask 0.50001 10", "hold 0.5 10"):
            assert (await cause(control, **(order | {"value": value})))[0] == 400


async def test_what_polymarket_says_of_an_event_can_change_and_only_its_listing_tells() -> None:
    venue = Venue()
    market = next(m for m in venue.world.polymarket_markets.values() if m.event.neg_risk)
    async with client_of(venue.app) as client, client_of(venue.control) as control:
        for value, said in (("augmented", True), ("plain", False)):
            order = {"venue": "polymarket", "event": "terms", "market": market.market_id, "value": value}
            assert (await cause(control, **order))[0] == 200
            async with client.get(f"/gamma/markets/{market.gamma_id}") as answer:
                [event] = (await answer.json())["events"]
            assert (event["negRisk"], event["negRiskAugmented"]) == (True, said)
        assert (await cause(control, **(order | {"value": "perhaps"})))[0] == 400


async def test_what_kalshi_says_of_an_event_can_change_and_only_its_listing_tells() -> None:
    async with running_kalshi() as venue:
        observed = Observed(world=venue.world, truth=None, stats={}, faults={}, stages={"kalshi": venue.app[DESK]})
        market = next(m for m in venue.world.kalshi_markets.values() if m.event.mutually_exclusive)
        async with client_of(create_control_app(observed, lambda: venue.now_ms)) as control:
            for value, said in (("independent", False), ("exclusive", True)):
                order = {"venue": "kalshi", "event": "terms", "market": market.market_id, "value": value}
                assert (await cause(control, **order))[0] == 200
                body = await venue.get(f"/events/{market.event.event_ticker}")
                assert body["event"]["mutually_exclusive"] is said
            assert (await cause(control, **(order | {"value": "perhaps"})))[0] == 400
            planted = {"venue": "kalshi", "event": "plant", "market": market.market_id, "value": "bid 0.97 10"}
            assert (await cause(control, **planted))[0] == 200
            assert market.book.best_bid_e4() == 9_700
