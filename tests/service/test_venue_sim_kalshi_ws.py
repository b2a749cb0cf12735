"""The simulated Kalshi's WebSocket against an ordinary client: numbers, books, scales, answers, faults."""

import asyncio
from itertools import pairwise

import pytest
import websockets

from services.venue_sim.kalshi_ws import WS_PATH
from tests.service.simulated_kalshi import (
    KalshiClient,
    SimulatedKalshi,
    book_of,
    e4,
    hundredths,
    running_kalshi,
    ts_groups,
)


async def subscribed(venue: SimulatedKalshi, client: KalshiClient, *tickers: str, **params: object) -> int:
    wanted = list(tickers or venue.world.kalshi_markets)
    await client.command("subscribe", channels=["orderbook_delta"], market_tickers=wanted, **params)
    return (await client.until("subscribed"))["msg"]["sid"]


async def test_a_handshake_without_a_good_signature_is_refused() -> None:
    async with running_kalshi() as venue:
        url = f"ws://{venue.address}{WS_PATH}"
        for headers in ({}, venue.headers("GET", "/ws/v2"), venue.headers("GET", WS_PATH, early_ms=60_000)):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(url, additional_headers=headers)
            assert refused.value.response.status_code == 401
        assert venue.stats.refused_handshakes == 3


@pytest.mark.parametrize("yes_scale", [False, True])
async def test_after_many_deltas_every_book_is_the_worlds_and_no_number_is_missing(yes_scale: bool) -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        sid = await subscribed(venue, client, use_yes_price=yes_scale)
        venue.pass_time(10_000)
        await client.caught_up()
        assert client.sequence(sid) == list(range(1, len(client.sequence(sid)) + 1))
        assert len(client.sequence(sid)) > 1_000
        assert not client.went_below_zero
        for ticker in venue.world.kalshi_markets:
            assert client.books[ticker] == book_of(venue, ticker, yes_scale=yes_scale), ticker


async def test_no_group_of_equal_ts_ends_crossed_though_some_are_crossed_inside() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        await subscribed(venue, client)
        for _ in range(4):
            venue.pass_time(5_000)
            await client.caught_up()
        books = {t: {"yes": dict[int, int](), "no": dict[int, int]()} for t in venue.world.kalshi_markets}
        crossed_inside = 0
        for frame in client.frames:
            if frame["type"] == "orderbook_snapshot":
                for side in ("yes", "no"):
                    levels = frame["msg"].get(f"{side}_dollars_fp", [])
                    books[frame["msg"]["market_ticker"]][side] = {e4(p): hundredths(c) for p, c in levels}
        deltas = [frame for frame in client.frames if frame["type"] == "orderbook_delta"]
        for _, group in ts_groups(deltas):
            for number, msg in enumerate(group):
                book = books[msg["market_ticker"]]
                level = book[msg["side"]]
                level[e4(msg["price_dollars"])] = level.get(e4(msg["price_dollars"]), 0) + hundredths(msg["delta_fp"])
                held = [max((p for p, size in book[side].items() if size), default=0) for side in ("yes", "no")]
                is_last = number == len(group) - 1
                assert not (is_last and sum(held) >= 10_000), msg
                crossed_inside += not is_last and sum(held) >= 10_000
        assert crossed_inside > 0


async def test_a_side_without_levels_has_no_key() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        await subscribed(venue, client)
        await client.caught_up()
        missing = 0
        for frame in client.frames:
            if frame["type"] == "orderbook_snapshot":
                book = venue.world.kalshi_markets[frame["msg"]["market_ticker"]].book
                assert ("yes_dollars_fp" in frame["msg"]) == bool(book.bids())
                assert ("no_dollars_fp" in frame["msg"]) == bool(book.asks())
                missing += "yes_dollars_fp" not in frame["msg"]
        assert missing > 0


async def test_subscribing_again_joins_the_sid_and_its_ok_takes_a_number() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        first, second, third = list(venue.world.kalshi_markets)[:3]
        sid = await subscribed(venue, client, first)
        asked = await client.command("subscribe", channels=["orderbook_delta"], market_tickers=[second])
        ok = await client.until("ok")
        assert ok == {"id": asked, "sid": sid, "seq": 2, "type": "ok", "msg": {"market_tickers": [first, second]}}
        snapshot = await client.next()
        assert (snapshot["type"], snapshot["seq"], snapshot["msg"]["market_ticker"]) == (
            "orderbook_snapshot",
            3,
            second,
        )
        await client.command("update_subscription", sid=sid, action="add_markets", market_ticker=third)
        assert (await client.until("ok"))["msg"]["market_tickers"] == [first, second, third]
        await client.command("update_subscription", sids=[sid], action="delete_markets", market_tickers=[first])
        assert (await client.until("ok"))["msg"]["market_tickers"] == [second, third]
        venue.pass_time(5_000)
        await client.caught_up()
        after = client.frames[client.frames.index(ok) :]
        assert client.sequence(sid) == list(range(1, len(client.sequence(sid)) + 1))
        deltas = {frame["msg"]["market_ticker"] for frame in after if frame["type"] == "orderbook_delta"}
        assert deltas == {second, third}


async def test_a_snapshot_can_be_asked_for_and_carries_the_commands_id() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        one, two = list(venue.world.kalshi_markets)[:2]
        sid = await subscribed(venue, client, one, two)
        venue.pass_time(2_000)
        asked = await client.command("update_subscription", sids=[sid], action="get_snapshot", market_tickers=[two])
        await client.caught_up()
        [answer] = [frame for frame in client.frames if frame.get("id") == asked]
        assert (answer["type"], answer["sid"], answer["msg"]["market_ticker"]) == ("orderbook_snapshot", sid, two)
        assert client.sequence(sid) == list(range(1, len(client.sequence(sid)) + 1))
        assert client.books[two] == book_of(venue, two)


async def test_sids_count_in_the_order_of_the_acknowledgements_and_can_be_listed_and_ended() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        ticker = next(iter(venue.world.kalshi_markets))
        await client.command(
            "subscribe", channels=["orderbook_delta", "trade", "ticker", "market_lifecycle_v2"], market_ticker=ticker
        )
        opened = [(await client.until("subscribed"))["msg"] for _ in range(4)]
        assert [msg["sid"] for msg in opened] == [1, 2, 3, 4]
        asked = await client.command("list_subscriptions")
        assert await client.until("ok") == {"id": asked, "type": "ok", "msg": opened}
        asked = await client.command("unsubscribe", sids=[1])
        ended = await client.until("unsubscribed")
        assert ended == {"id": asked, "sid": 1, "seq": client.sequence(1)[-2] + 1, "type": "unsubscribed"}
        venue.pass_time(3_000)
        await client.caught_up()
        assert client.frames.count(ended) == 1
        after = client.frames[client.frames.index(ended) + 1 :]
        assert {frame["sid"] for frame in after if "sid" in frame} <= {2, 3, 4}


async def test_trades_and_tickers_agree_with_the_book() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        await client.command("subscribe", channels=["trade", "ticker"])
        venue.pass_time(0)
        await client.caught_up()
        operations = []
        venue.world.subscribe(operations.append)
        venue.pass_time(4_000)
        await client.caught_up()
        made = [op for op in operations if op.trade is not None and op.market.venue == "kalshi"]
        trades = [frame for frame in client.frames if frame["type"] == "trade"]
        assert sum(len(op.trade.fills) for op in made if op.trade) == len(trades) > 5
        assert client.sequence(1) == list(range(1, len(trades) + 1))
        tickers = {f["msg"]["market_ticker"]: f for f in client.frames if f["type"] == "ticker"}
        for ticker, frame in tickers.items():
            assert "seq" not in frame
            bid_e4 = venue.world.kalshi_markets[ticker].book.best_bid_e4() or 0
            assert e4(frame["msg"]["yes_bid_dollars"]) == bid_e4


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("nonsense", 1),
        ("[1]", 1),
        ('{"id":1,"cmd":"dance","params":{"a":1}}', 5),
        ('{"id":1,"cmd":"subscribe"}', 2),
        ('{"id":1,"cmd":"subscribe","params":{"market_ticker":"X"}}', 3),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["nothing"]}}', 8),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"]}}', 14),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"],"market_ticker":"KXNO"}}', 11),
        ('{"id":1,"cmd":"unsubscribe","params":{"x":1}}', 4),
        ('{"id":1,"cmd":"unsubscribe","params":{"sids":[9]}}', 7),
        ('{"id":1,"cmd":"update_subscription","params":{"sids":[1,2],"action":"add_markets"}}', 12),
    ],
)
async def test_a_wrong_command_is_answered_with_its_code(data: str, code: int) -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        await client.ws.send(data)
        assert (await client.until("error"))["msg"]["code"] == code


async def test_an_error_on_a_subscription_takes_a_number_of_it() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        ticker = next(iter(venue.world.kalshi_markets))
        sid = await subscribed(venue, client, ticker)
        for params, code in (
            ({"action": "sing", "market_ticker": ticker}, 13),
            ({"market_ticker": ticker}, 15),
            ({"action": "add_markets"}, 14),
            ({"action": "add_markets", "market_ticker": "KXNO"}, 11),
        ):
            asked = await client.command("update_subscription", sids=[sid], **params)
            error = await client.until("error")
            assert (error["id"], error["sid"], error["msg"]["code"]) == (asked, sid, code)
        assert client.sequence(sid) == [1, 2, 3, 4, 5]


async def test_commands_may_come_as_binary_frames() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        ticker = next(iter(venue.world.kalshi_markets))
        await client.command("subscribe", binary=True, channels=["orderbook_delta"], market_ticker=ticker)
        assert (await client.until("orderbook_snapshot"))["msg"]["market_ticker"] == ticker


async def test_the_heartbeat_is_a_ping_with_its_name() -> None:
    heard = asyncio.Event()

    class Listening(websockets.ClientConnection):
        def process_event(self, event: object) -> None:
            if getattr(event, "data", None) == b"heartbeat":
                heard.set()
            super().process_event(event)

    async with running_kalshi(heartbeat_s=0.01) as venue:
        headers = venue.headers("GET", WS_PATH)
        url = f"ws://{venue.address}{WS_PATH}"
        async with websockets.connect(url, additional_headers=headers, create_connection=Listening):
            await asyncio.wait_for(heard.wait(), 5)


async def test_a_skipped_delta_leaves_a_gap() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        sid = await subscribed(venue, client)
        await client.caught_up()
        venue.faults.arm("skip_delta")
        venue.pass_time(2_000)
        await client.caught_up()
        numbers = client.sequence(sid)
        gaps = [(a, b) for a, b in pairwise(numbers) if b != a + 1]
        assert [b - a for a, b in gaps] == [2]


async def test_a_dropped_connection_ends_without_a_close_frame() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        await subscribed(venue, client)
        venue.faults.arm("drop_connection")
        venue.pass_time(1_000)
        with pytest.raises(websockets.ConnectionClosedError) as lost:
            await client.until("nothing that ever comes")
        assert lost.value.rcvd is None


async def test_a_frozen_venue_sends_nothing_until_it_thaws_and_then_everything() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        sid = await subscribed(venue, client)
        await client.caught_up()
        venue.faults.arm("freeze")
        venue.pass_time(2_000)
        asked = await client.command("list_subscriptions")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.ws.recv(), 0.1)
        venue.faults.arm("freeze", 0)
        while (await client.next()).get("id") != asked:
            pass
        assert client.sequence(sid) == list(range(1, len(client.sequence(sid)) + 1))
        for ticker in venue.world.kalshi_markets:
            assert client.books[ticker] == book_of(venue, ticker)


async def test_a_client_that_is_too_slow_loses_its_subscription_with_error_25() -> None:
    async with running_kalshi(queue_limit_frames=200) as venue, venue.connected() as client:
        sid = await subscribed(venue, client)
        await client.caught_up()
        venue.pass_time(5_000)  # the event loop has no chance to send in between
        error = await client.until("error")
        assert (error["sid"], error["msg"]["code"]) == (sid, 25)
        venue.pass_time(1_000)
        asked = await client.command("list_subscriptions")
        assert await client.next() == {"id": asked, "type": "ok", "msg": []}
