"""The simulated Polymarket over real sockets: its REST bodies, and a client that keeps books from its frames."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestClient, TestServer

from services.venue_sim.faults import Faults
from services.venue_sim.markets import PolymarketMarket
from services.venue_sim.polymarket_live import DROP_CHANGE, EMPTY_DUMP, FREEZE, VENUE, WRONG_HASH, create_app
from services.venue_sim.world import World

START_MS = 1_795_300_000_000

Client = TestClient[Any, Any]


def armed(**times: int) -> Faults:
    """Faults as the control server would arm them."""
    faults = Faults()
    faults.declare(FREEZE, EMPTY_DUMP, DROP_CHANGE, WRONG_HASH)
    for name, count in times.items():
        faults.arm(name, count)
    return faults


@asynccontextmanager
async def venue(world: World, faults: Faults | None = None, **options: Any) -> AsyncIterator[Client]:
    app = create_app(world, now_ms=lambda: START_MS + 60_000, faults=faults, trade_delay_s=0.0, **options)
    async with TestClient(TestServer(app)) as client:
        yield client


def small_world(**options: Any) -> World:
    return World(seed=7, start_ms=START_MS, **options)


async def get(client: Client, path: str, **params: str) -> Any:
    async with client.get(path, params=params) as response:
        assert response.status == 200, (path, await response.text())
        return json.loads(await response.text())


async def pages(client: Client, path: str, key: str, limit: int) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] = {}
    while True:
        body = await get(client, path, limit=str(limit), closed="false", **cursor)
        found.append(body[key])
        if "next_cursor" not in body:
            return found
        cursor = {"after_cursor": body["next_cursor"]}


def official_hash(book: dict[str, Any], market: PolymarketMarket, last_price: str) -> str:
    """The hash as the official clients compute it, from a book as it was received."""
    parts = {
        **{key: book[key] for key in ("market", "asset_id", "timestamp")},
        "hash": "",
        **{key: book[key] for key in ("bids", "asks")},
        "min_order_size": str(market.min_contracts_e6 // 1_000_000),
        "tick_size": {100: "0.01", 10: "0.001"}[market.tick_e4],
        "neg_risk": market.event.neg_risk,
        "last_trade_price": last_price,
    }
    return sha1(json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


# --- discovery --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "key"), [("/gamma/events/keyset", "events"), ("/gamma/markets/keyset", "markets")])
async def test_following_the_cursor_brings_every_object_once_and_the_last_page_has_none(path: str, key: str) -> None:
    world = small_world()
    async with venue(world) as client:
        listed = [one["id"] for page in await pages(client, path, key, limit=7) for one in page]
    markets = world.polymarket_markets.values()
    expected = {m.event.event_id for m in markets} if key == "events" else {m.gamma_id for m in markets}
    assert len(listed) == len(set(listed))
    assert set(listed) == expected


async def test_a_page_that_ends_exactly_at_the_end_has_no_cursor() -> None:
    world = small_world()
    async with venue(world) as client:
        body = await get(client, "/gamma/markets/keyset", limit=str(len(world.polymarket_markets)))
    assert len(body["markets"]) == len(world.polymarket_markets) <= 100
    assert "next_cursor" not in body


async def test_limits_are_clamped_silently_and_offsets_are_refused() -> None:
    world = small_world(question_count=300)
    assert len(world.polymarket_markets) > 100
    async with venue(world) as client:
        body = await get(client, "/gamma/markets/keyset", limit="500")
        assert len(body["markets"]) == 100
        assert "next_cursor" in body
        for query in ({"offset": "20"}, {"after_cursor": "nonsense"}):
            async with client.get("/gamma/events/keyset", params=query) as response:
                assert response.status == 422


async def test_filters_are_applied_and_the_default_page_holds_twenty() -> None:
    world = small_world()
    first = next(iter(world.polymarket_markets.values()))
    first.status = "closed"
    async with venue(world) as client:
        open_ids = [m["id"] for page in await pages(client, "/gamma/markets/keyset", "markets", 100) for m in page]
        closed = (await get(client, "/gamma/markets/keyset", closed="true"))["markets"]
        assert len((await get(client, "/gamma/markets/keyset"))["markets"]) == 20
        by_condition = (await get(client, "/gamma/markets/keyset", condition_ids=first.market_id))["markets"]
        by_token = await get(client, "/gamma/markets", clob_token_ids=first.token_ids[1])
    assert [one["id"] for one in closed] == [first.gamma_id] == [one["id"] for one in by_condition]
    assert [one["id"] for one in by_token] == [first.gamma_id]
    assert first.gamma_id not in open_ids
    assert (closed[0]["acceptingOrders"], closed[0]["closed"]) == (False, True)


STRICT_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(["id", "question", "conditionId", "slug", "description", "outcomes", "outcomePrices"], str),
    **dict.fromkeys(["clobTokenIds", "endDate", "startDate", "questionID", "volume", "liquidity"], str),
    **dict.fromkeys(["groupItemTitle", "resolutionSource", "umaResolutionStatuses", "version"], str),
    **dict.fromkeys(["active", "closed", "archived", "acceptingOrders", "enableOrderBook", "negRisk"], bool),
    **dict.fromkeys(["feesEnabled", "negRiskOther", "automaticallyActive"], bool),
    **dict.fromkeys(["orderPriceMinTickSize", "volumeNum", "liquidityNum", "spread"], (int, float)),
    **dict.fromkeys(["orderMinSize", "makerBaseFee", "takerBaseFee"], int),
}


async def test_market_objects_have_the_wire_types_that_a_strict_client_accepts() -> None:
    world = small_world()
    async with venue(world) as client:
        events = [one for page in await pages(client, "/gamma/events/keyset", "events", 100) for one in page]
    markets = [market for event in events for market in event["markets"]]
    assert len(markets) == len(world.polymarket_markets)
    for market in markets:
        for name, kinds in STRICT_TYPES.items():
            assert isinstance(market[name], kinds), (name, market[name])
        outcomes, tokens = json.loads(market["outcomes"]), json.loads(market["clobTokenIds"])
        assert (len(outcomes), len(tokens)) == (2, 2)
        assert all(token.isdecimal() and int(token) > 1 << 103 for token in tokens)
        assert market["conditionId"].startswith("0x")
        assert len(market["conditionId"]) == 66
        assert market["orderPriceMinTickSize"] in (0.1, 0.01, 0.005, 0.0025, 0.001, 0.0001)
        if market["feesEnabled"]:
            assert set(market["feeSchedule"]) == {"exponent", "rate", "takerOnly", "rebateRate"}
            assert market["feeType"]
        else:
            assert market["feeSchedule"] is None
        if "gameStartTime" in market:
            assert market["gameStartTime"].endswith("+00")
            assert market["gameStartTime"][10] == " "
    for event in events:
        assert isinstance(event["id"], str)
        assert isinstance(event["volume"], int | float)
        assert [tag.keys() for tag in event["tags"]] == [{"id", "slug", "label"}] * len(event["tags"])


async def test_one_object_is_found_by_id_and_by_slug_and_an_unknown_one_is_a_404() -> None:
    world = small_world()
    market = next(iter(world.polymarket_markets.values()))
    async with venue(world) as client:
        for path in (f"/gamma/markets/{market.gamma_id}", f"/gamma/markets/slug/{market.slug}"):
            body = await get(client, path)
            assert (body["id"], body["events"][0]["id"]) == (market.gamma_id, market.event.event_id)
        for path in (f"/gamma/events/{market.event.event_id}", f"/gamma/events/slug/{market.event.slug}"):
            assert market.gamma_id in [one["id"] for one in (await get(client, path))["markets"]]
        for path in ("/gamma/markets/0", "/gamma/events/slug/none", "/markets/0x00", "/markets-by-token/1"):
            async with client.get(path) as response:
                assert response.status == 404


# --- CLOB reads -------------------------------------------------------------------------------------------------


def two_sided(world: World) -> PolymarketMarket:
    return next(m for m in world.polymarket_markets.values() if m.book.bids() and m.book.asks())


async def test_a_book_is_worst_level_first_in_trimmed_texts_and_its_hash_is_the_official_one() -> None:
    world = small_world()
    market = two_sided(world)
    async with venue(world) as client:
        yes, no = [await get(client, "/book", token_id=token) for token in market.token_ids]
    assert list(yes) == [
        *("market", "asset_id", "timestamp", "hash", "bids", "asks"),
        *("min_order_size", "tick_size", "neg_risk", "last_trade_price"),
    ]
    for book in (yes, no):
        bids, asks = ([float(level["price"]) for level in book[side]] for side in ("bids", "asks"))
        assert bids == sorted(bids)
        assert asks == sorted(asks, reverse=True)
        assert official_hash(book, market, book["last_trade_price"]) == book["hash"]
        assert all(not text.endswith("0") for side in ("bids", "asks") for text in [one["price"] for one in book[side]])
    assert [(round((1 - float(one["price"])) * 1e4), one["size"]) for one in no["asks"]] == [
        (round(float(one["price"]) * 1e4), one["size"]) for one in yes["bids"]
    ]


async def test_many_books_come_in_the_services_own_order_without_the_unknown_ones() -> None:
    world = small_world()
    wanted = [market.token_ids[0] for market in world.polymarket_markets.values()]
    async with venue(world) as client:
        async with client.post("/books", json=[{"token_id": token} for token in [*wanted, "123"]]) as response:
            found = [book["asset_id"] for book in json.loads(await response.text())]
        async with client.post("/books", json=[{"token_id": str(n)} for n in range(501)]) as response:
            assert response.status == 400
        async with client.post("/books", data=b"{") as response:
            assert response.status == 400
        async with client.get("/book", params={"token_id": "123"}) as response:
            assert response.status == 404
            assert json.loads(await response.text()) == {"error": "No orderbook exists for the requested token id"}
    assert set(found) == set(wanted)
    assert found != wanted


async def test_the_small_reads_agree_with_the_book() -> None:
    world = small_world()
    market = next(m for m in world.polymarket_markets.values() if m.book.bids() and m.book.asks() and m.fee_rate)
    token = market.token_ids[0]
    async with venue(world) as client:
        book = await get(client, "/book", token_id=token)
        bid, ask = float(book["bids"][-1]["price"]), float(book["asks"][-1]["price"])
        assert float((await get(client, "/midpoint", token_id=token))["mid"]) == pytest.approx((bid + ask) / 2)
        assert float((await get(client, "/spread", token_id=token))["spread"]) == pytest.approx(ask - bid)
        assert float((await get(client, "/price", token_id=token, side="BUY"))["price"]) == bid
        assert float((await get(client, "/price", token_id=token, side="SELL"))["price"]) == ask
        tick = await get(client, "/tick-size", token_id=token)
        assert tick == {"minimum_tick_size": market.tick_e4 / 1e4}
        assert await get(client, "/neg-risk", token_id=token) == {"neg_risk": market.event.neg_risk}
        assert await get(client, "/fee-rate", token_id=token) == {"base_fee": 1000}
        assert await get(client, "/time") == (START_MS + 60_000) // 1000
        assert await get(client, "/version") == {"version": 2}
        assert await get(client, "/ok") == "OK"
        by_token = await get(client, f"/markets-by-token/{market.token_ids[1]}")
        assert by_token == {
            "condition_id": market.market_id,
            "primary_token_id": token,
            "secondary_token_id": market.token_ids[1],
        }
        short = await get(client, f"/clob-markets/{market.market_id}")
        assert [one["t"] for one in short["t"]] == list(market.token_ids)
        assert short["fd"] == {"r": float(market.fee_rate), "e": 1, "to": True}
        assert ("nr" in short) == market.event.neg_risk
        long = await get(client, f"/markets/{market.market_id}")
        assert [one["token_id"] for one in long["tokens"]] == list(market.token_ids)
        listed = await get(client, "/markets")
        assert (listed["next_cursor"], listed["count"]) == ("LTE=", len(world.polymarket_markets))


async def test_the_last_trade_is_told_in_each_tokens_terms() -> None:
    world = small_world()
    market = two_sided(world)
    async with venue(world) as client:
        before = await get(client, "/last-trade-price", token_id=market.token_ids[0])
        price_e4, size_e6 = market.book.asks()[0]
        world.inject(market, "bid", price_e4, size_e6 // 2, now_ms=START_MS + 10, rests=False)
        yes, no = [await get(client, "/last-trade-price", token_id=token) for token in market.token_ids]
    assert before["side"] == ""
    assert (yes["side"], no["side"]) == ("BUY", "SELL")
    assert round(float(yes["price"]) * 1e4) == price_e4 == 10_000 - round(float(no["price"]) * 1e4)


# --- the market channel -----------------------------------------------------------------------------------------


@dataclass
class KeptBook:
    """One token's book as a client keeps it from absolute sizes."""

    bids: dict[str, str] = field(default_factory=dict)
    asks: dict[str, str] = field(default_factory=dict)
    last_prices: list[str] = field(default_factory=list)

    def replace(self, body: dict[str, Any]) -> None:
        self.bids = {level["price"]: level["size"] for level in body["bids"]}
        self.asks = {level["price"]: level["size"] for level in body["asks"]}

    def change(self, entry: dict[str, str]) -> None:
        side = self.bids if entry["side"] == "BUY" else self.asks
        side[entry["price"]] = entry["size"]
        if entry["size"] == "0":
            del side[entry["price"]]

    def bests(self) -> tuple[str, str]:
        return max(self.bids, key=float, default="0"), min(self.asks, key=float, default="1")

    def levels_e(self, side: str) -> list[tuple[int, int]]:
        held = self.bids if side == "bids" else self.asks
        levels = [(round(float(price) * 1e4), round(float(size) * 1e6)) for price, size in held.items()]
        return sorted(levels, reverse=side == "bids")

    def arrays(self) -> dict[str, list[dict[str, str]]]:
        def one(held: dict[str, str], reverse: bool) -> list[dict[str, str]]:
            return [{"price": p, "size": held[p]} for p in sorted(held, key=float, reverse=reverse)]

        return {"bids": one(self.bids, False), "asks": one(self.asks, True)}


async def frames_of(ws: ClientWebSocketResponse, stop: Callable[[Any], bool]) -> list[Any]:
    """Read frames until ``stop`` says that the last one was the awaited one."""
    found: list[Any] = []
    async with asyncio.timeout(10):
        while True:
            message = await ws.receive()
            assert message.type == WSMsgType.TEXT, message
            found.append(message.data if message.data == "PONG" else json.loads(message.data))
            if stop(found[-1]):
                return found


async def until_pong(ws: ClientWebSocketResponse) -> list[Any]:
    """Everything sent so far: the answer to our PING comes after it."""
    await ws.send_str("PING")
    return (await frames_of(ws, lambda frame: frame == "PONG"))[:-1]


async def subscribed(
    client: Client, tokens: list[str], **extra: Any
) -> tuple[ClientWebSocketResponse, list[dict[str, Any]]]:
    ws = await client.ws_connect("/ws/market", max_msg_size=1 << 25)
    await ws.send_json({"type": "market", "assets_ids": tokens, **extra})
    [dump] = await until_pong(ws)
    return ws, dump


def of_type(frames: list[Any], kind: str) -> list[dict[str, Any]]:
    return [frame for frame in frames if isinstance(frame, dict) and frame["event_type"] == kind]


def bursts(frames: list[Any]) -> Iterator[list[dict[str, Any]]]:
    """Group price changes and books by market and timestamp, as they follow each other."""
    group: list[dict[str, Any]] = []
    for frame in frames:
        if frame["event_type"] not in ("price_change", "book"):
            continue
        if group and (group[0]["market"], group[0]["timestamp"]) != (frame["market"], frame["timestamp"]):
            yield group
            group = []
        group.append(frame)
    if group:
        yield group


async def test_a_client_that_applies_absolute_sizes_ends_every_burst_with_the_worlds_book_and_both_hashes() -> None:
    world = small_world(operations_per_s=400)
    markets = list(world.polymarket_markets.values())
    tokens = [token for market in markets for token in market.token_ids]
    by_id = {market.market_id: market for market in markets}
    async with venue(world) as client:
        ws, dump = await subscribed(client, tokens)
        assert {book["asset_id"] for book in dump} == set(tokens)
        kept: dict[str, KeptBook] = {token: KeptBook() for token in tokens}
        last: dict[str, str] = {}
        for book in dump:
            kept[book["asset_id"]].replace(book)
            last[book["market"]] = book["last_trade_price"]
            market = by_id[book["market"]]
            assert official_hash(book, market, book["last_trade_price"]) == book["hash"]
        for step in range(1, 41):
            world.step(START_MS + step * 50)
        frames = await until_pong(ws)
    crossed = 0
    for group in bursts(frames):
        market = by_id[group[0]["market"]]
        entries = [entry for frame in of_type(group, "price_change") for entry in frame["price_changes"]]
        assert {entry["asset_id"] for entry in entries} == set(market.token_ids)
        for frame in of_type(group, "price_change"):
            for entry in frame["price_changes"]:
                kept[entry["asset_id"]].change(entry)
            bid, ask = kept[market.token_ids[0]].bests()
            crossed += float(bid) >= float(ask)
        if (consumed := of_type(group, "book")) != []:
            maker = of_type(group, "price_change")[-1]["price_changes"][0]
            last[market.market_id] = f"{float(maker['price']):.3f}"
            assert {book["asset_id"] for book in consumed} == set(market.token_ids)
            assert all("tick_size" not in book and "last_trade_price" not in book for book in consumed)
        for token in market.token_ids:
            own = [entry for entry in entries if entry["asset_id"] == token]
            body = {"market": market.market_id, "asset_id": token, "timestamp": group[0]["timestamp"]}
            digest = official_hash({**body, **kept[token].arrays()}, market, last[market.market_id])
            assert {entry["hash"] for entry in own} == {digest}
            assert {(entry["best_bid"], entry["best_ask"]) for entry in own} == {kept[token].bests()}
    for market in markets:
        yes = kept[market.token_ids[0]]
        assert (yes.levels_e("bids"), yes.levels_e("asks")) == (market.book.bids(), market.book.asks())
    assert sum(1 for _ in bursts(frames)) > 100
    assert crossed > 0


async def test_a_taker_that_rests_is_shown_first_then_the_levels_it_consumed_then_the_book_then_the_trade() -> None:
    world = small_world()
    market = next(m for m in world.polymarket_markets.values() if len(m.book.asks()) >= 3 and m.book.bids())
    (first_e4, first_e6), (second_e4, second_e6) = market.book.asks()[:2]
    async with venue(world) as client:
        ws, _ = await subscribed(client, [market.token_ids[0]], custom_feature_enabled=True)
        size_e6 = first_e6 + second_e6 + 9_000_000
        world.inject(market, "bid", second_e4, size_e6, now_ms=START_MS + 5, rests=True)
        frames = await frames_of(ws, lambda frame: frame["event_type"] == "last_trade_price")
    kinds = [frame["event_type"] for frame in frames]
    assert kinds == ["price_change"] * 3 + ["book", "best_bid_ask", "last_trade_price"]
    own = [next(e for e in f["price_changes"] if e["asset_id"] == market.token_ids[0]) for f in frames[:3]]
    as_e4 = [(entry["side"], round(float(entry["price"]) * 1e4), entry["size"]) for entry in own]
    assert as_e4 == [("BUY", second_e4, "9"), ("SELL", first_e4, "0"), ("SELL", second_e4, "0")]
    assert len({frame["timestamp"] for frame in frames}) == 1
    assert {entry["hash"] for entry in own} == {frames[3]["hash"]}
    assert {entry["best_bid"] for entry in own} == {own[0]["price"]} == {frames[4]["best_bid"]}
    trade = frames[5]
    assert (trade["asset_id"], trade["side"], trade["fee_rate_bps"]) == (market.token_ids[0], "BUY", "0")
    assert round(float(trade["size"]) * 1e6) == first_e6 + second_e6


async def test_the_mirror_entry_comes_whichever_token_was_subscribed_and_once_only() -> None:
    world = small_world()
    market = two_sided(world)
    price_e4, _ = market.book.bids()[0]
    for tokens in ([market.token_ids[0]], [market.token_ids[1]], list(market.token_ids)):
        async with venue(world) as client:
            ws, dump = await subscribed(client, tokens)
            assert sorted(book["asset_id"] for book in dump) == sorted(tokens)
            world.inject(market, "bid", price_e4, 5_000_000, now_ms=START_MS, rests=True)
            [change] = await until_pong(ws)
            assert {entry["asset_id"] for entry in change["price_changes"]} == set(market.token_ids)


async def test_subscriptions_grow_and_shrink_without_acknowledgement() -> None:
    world = small_world()
    first, second = [m for m in world.polymarket_markets.values() if m.book.bids()][:2]
    async with venue(world) as client:
        ws, dump = await subscribed(client, [])
        assert dump == []
        await ws.send_json({"operation": "subscribe", "assets_ids": [first.token_ids[0], "123"]})
        [[book]] = await until_pong(ws)
        assert book["asset_id"] == first.token_ids[0]
        await ws.send_json({"operation": "subscribe", "assets_ids": [first.token_ids[0]]})
        assert await until_pong(ws) == []
        await ws.send_json({"operation": "unsubscribe", "assets_ids": [first.token_ids[0]]})
        assert await until_pong(ws) == []
        for market in (first, second):
            world.inject(market, "bid", market.book.bids()[0][0], 1_000_000, now_ms=START_MS, rests=True)
        assert await until_pong(ws) == []
        await ws.send_json({"operation": "subscribe", "assets_ids": [first.token_ids[0]]})
        [[again]] = await until_pong(ws)
        assert again["hash"] != book["hash"]


@pytest.mark.parametrize(
    "said", ['{"type":"market","asset_ids":["1"]}', "not JSON", '{"operation":"sub","assets_ids":["1"]}', "[]", "7"]
)
async def test_what_the_channel_does_not_understand_is_answered_by_silence(said: str) -> None:
    async with venue(small_world()) as client:
        ws = await client.ws_connect("/ws/market")
        await ws.send_str(said)
        assert await until_pong(ws) == []


async def test_a_tick_change_is_announced_and_is_part_of_the_next_hash() -> None:
    world = small_world()
    market = next(m for m in world.polymarket_markets.values() if m.tick_e4 == 100 and m.book.bids())
    async with venue(world) as client:
        ws, _ = await subscribed(client, [market.token_ids[0]])
        client.app[VENUE].change_tick(market.market_id, 10)
        [change] = await until_pong(ws)
        book = await get(client, "/book", token_id=market.token_ids[0])
    assert (change["event_type"], change["old_tick_size"], change["new_tick_size"]) == (
        "tick_size_change",
        "0.01",
        "0.001",
    )
    assert book["tick_size"] == "0.001"
    assert official_hash(book, market, book["last_trade_price"]) == book["hash"]


# --- faults -----------------------------------------------------------------------------------------------------


async def test_a_frozen_channel_answers_pings_and_sends_nothing_else() -> None:
    world, faults = small_world(), armed()
    market = two_sided(world)
    async with venue(world, faults) as client:
        ws, _ = await subscribed(client, [market.token_ids[0]])
        faults.arm("freeze")
        world.inject(market, "bid", market.book.bids()[0][0], 1_000_000, now_ms=START_MS, rests=True)
        assert await until_pong(ws) == []
        _, dump = await subscribed(client, [market.token_ids[0]])
        assert dump == []
        assert (await get(client, "/book", token_id=market.token_ids[0]))["timestamp"] >= str(START_MS)


async def test_a_dropped_change_and_a_wrong_hash_strike_once_each() -> None:
    world = small_world()
    faults = armed(drop_change=1, wrong_hash=1)
    market = two_sided(world)
    token, price_e4 = market.token_ids[0], market.book.bids()[0][0]
    async with venue(world, faults) as client:
        ws, _ = await subscribed(client, [token])
        hashes = []
        for second in range(3):
            world.inject(market, "bid", price_e4, 1_000_000, now_ms=START_MS + 1000 * second, rests=True)
            hashes.append((await get(client, "/book", token_id=token))["hash"])
        changes = await until_pong(ws)
    sent = [next(e["hash"] for e in f["price_changes"] if e["asset_id"] == token) for f in changes]
    assert len(sent) == 2
    assert sent[0] != hashes[1]
    assert sent[1] == hashes[2]


async def test_an_empty_dump_does_not_stop_the_changes() -> None:
    world = small_world()
    market = two_sided(world)
    async with venue(world, armed(empty_dump=1)) as client:
        ws, dump = await subscribed(client, [market.token_ids[0]])
        assert dump == []
        world.inject(market, "bid", market.book.bids()[0][0], 1_000_000, now_ms=START_MS, rests=True)
        assert len(await until_pong(ws)) == 1


async def test_a_client_that_does_not_read_is_cut_off_and_the_others_are_served() -> None:
    world = small_world()
    market = two_sided(world)
    token, price_e4 = market.token_ids[0], market.book.bids()[0][0]
    async with venue(world, queue_limit_frames=50) as client:
        ws, _ = await subscribed(client, [token])
        for at in range(200):  # without giving the sender a turn
            world.inject(market, "bid", price_e4, 1_000_000, now_ms=START_MS + at, rests=True)
        async with asyncio.timeout(10):
            while not ws.closed:
                await ws.receive()
        assert ws.close_code == 1006
        other, _ = await subscribed(client, [token])
        world.inject(market, "bid", price_e4, 1_000_000, now_ms=START_MS + 999, rests=True)
        assert len(await until_pong(other)) == 1
        assert client.app[VENUE].channel.slow_clients_dropped == 1


async def test_a_client_that_stopped_reading_in_the_middle_is_cut_off_too() -> None:
    world = small_world()
    async with venue(world, queue_limit_frames=50) as client:
        ws, _ = await subscribed(client, [two_sided(world).token_ids[0]])
        channel = client.app[VENUE].channel
        [held] = channel.clients
        async with asyncio.timeout(20):
            while channel.clients:  # the sender gets its turns, but what it sends is taken by nobody
                held.outbox.push(b'"' + b"x" * 200_000 + b'"')
                await asyncio.sleep(0)
        assert held.outbox.overflowed
        assert channel.slow_clients_dropped == 1
        await ws.close()
