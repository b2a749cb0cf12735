"""The simulated Kalshi account around its orders: reads that lag, answers that get lost, limits, private channels."""

import asyncio
from fractions import Fraction

import aiohttp
import msgspec
import pytest

from services.venue_sim.engine import Side
from services.venue_sim.kalshi_money import DIRECT_E10, FCM_E10, charged_fee_e10, dollars_text, formula_fee_e10
from services.venue_sim.kalshi_rest import OLD_ORDER_PATHS, REST_PREFIX
from services.venue_sim.kalshi_server import DESK
from services.venue_sim.markets import KalshiSeries
from services.venue_sim.occasions import EventOrder
from services.venue_sim.truth import Truth
from tests.service.simulated_kalshi import KalshiClient, book_of, running_kalshi
from tests.service.trading_venue import ORDERS, Trader, trading

SHALLOW = {"bids": {40: 10}, "asks": {60: 10}}


async def heard(client: KalshiClient, *channels: str) -> None:
    await client.command("subscribe", channels=list(channels))
    for _ in channels:
        await client.until("subscribed")


async def test_reads_trail_the_engine_by_the_lag_and_say_so() -> None:
    async with trading(**SHALLOW) as trader:
        made = await trader.placed("bid", "5", "0.41")
        trader.venue.faults.arm("read_lag_ms", 1_500)
        await trader.ask("DELETE", f"{ORDERS}/{made['order_id']}")
        cancelled_ms = trader.venue.now_ms
        assert (await trader.read(made["order_id"]))["status"] == "resting"
        _, as_of = await trader.ask("GET", "/exchange/user_data_timestamp")
        assert as_of == {"as_of_time": "2026-11-21T18:00:02.5Z"}
        assert trader.venue.now_ms == cancelled_ms + 2_000
        assert (await trader.read(made["order_id"]))["status"] == "canceled"


async def test_fills_and_positions_and_the_balance_lag_alike() -> None:
    async with trading(**SHALLOW) as trader:
        trader.venue.faults.arm("read_lag_ms", 3_500)
        await trader.placed("bid", "5", "0.60", time_in_force="immediate_or_cancel")
        assert (await trader.ask("GET", "/portfolio/fills"))[1]["fills"] == []
        assert (await trader.ask("GET", "/portfolio/positions"))[1]["market_positions"] == []
        assert (await trader.balance())["balance_breakdown"][0]["balance"] == "10000.0000"
        trader.venue.now_ms += 3_500
        assert len((await trader.ask("GET", "/portfolio/fills"))[1]["fills"]) == 1
        assert (await trader.balance())["balance_breakdown"][0]["balance"] == "9996.9160"


async def test_a_makers_fill_is_not_seen_before_the_lag_has_passed() -> None:
    async with trading(bids={}, asks={60: 10}) as trader:
        made = await trader.placed("bid", "5", "0.40")
        trader.venue.now_ms += 60_000
        trader.venue.faults.arm("read_lag_ms", 2_500)
        trader.others("ask", 4_000, 5)
        assert (await trader.read(made["order_id"]))["status"] == "resting"
        assert (await trader.ask("GET", "/portfolio/positions"))[1]["market_positions"] == []
        assert (await trader.read(made["order_id"]))["status"] == "executed"
        [position] = (await trader.ask("GET", "/portfolio/positions"))[1]["market_positions"]
        assert position["position_fp"] == "5.00"


async def test_an_order_whose_answer_is_lost_has_been_placed() -> None:
    async with trading(**SHALLOW) as trader:
        trader.venue.faults.arm("lose_response")
        with pytest.raises(aiohttp.ClientError):
            await trader.order("bid", "5", "0.41", client_order_id="lost")
        status, body = await trader.order("bid", "5", "0.41", client_order_id="lost")
        assert (status, body["error"]["code"]) == (409, "order_already_exists")
        assert trader.sizes("bid") == [(4_100, 5), (4_000, 10)]


async def test_an_exchange_that_is_unavailable_does_nothing() -> None:
    async with trading(**SHALLOW) as trader:
        trader.venue.faults.arm("exchange_unavailable")
        assert (await trader.order("bid", "5", "0.41", client_order_id="a"))[0] == 503
        assert (await trader.order("bid", "5", "0.41", client_order_id="a"))[0] == 201


async def test_the_private_channels_tell_of_fills_orders_and_positions_without_numbers() -> None:
    async with trading(**SHALLOW) as trader, trader.venue.connected() as client:
        await heard(client, "fill", "user_orders", "market_positions", "market_lifecycle_v2")
        await trader.placed("bid", "5", "0.60", time_in_force="immediate_or_cancel", client_order_id="mine")
        trader.venue.app[DESK].perform(EventOrder(venue="kalshi", event="settle", market=trader.ticker, value="no"))
        await client.caught_up()
        by_type = {frame["type"]: frame for frame in client.frames}
        assert all("seq" not in by_type[kind] for kind in ("fill", "user_order", "market_position"))
        fill = by_type["fill"]["msg"]
        assert (fill["client_order_id"], fill["fee_cost"], fill["post_position_fp"]) == ("mine", "0.084000", "5.00")
        assert by_type["market_position"]["msg"]["position_fp"] == "5.00"
        assert by_type["user_order"]["msg"]["status"] == "executed"
        life = [frame["msg"]["event_type"] for frame in client.frames if frame["type"] == "market_lifecycle_v2"]
        assert life == ["determined", "settled"]


async def test_a_maker_is_told_why_its_order_changed() -> None:
    async with trading(**SHALLOW) as trader, trader.venue.connected() as client:
        await heard(client, "user_orders")
        made = await trader.placed("bid", "5", "0.41", expiration_time=trader.venue.now_ms // 1_000 + 60)
        trader.others("ask", 4_100, 2)
        await trader.ask("POST", f"{ORDERS}/{made['order_id']}/decrease", {"reduce_by": "1"})
        trader.venue.now_ms += 60_000
        trader.others("bid", 3_000, 1, rests=True)
        await client.caught_up()
        told = [
            (f["msg"].get("last_update_reason"), f["msg"]["remaining_count_fp"])
            for f in client.frames
            if f["type"] == "user_order"
        ]
        assert told == [(None, "5.00"), ("Trade", "3.00"), ("Decrease", "2.00"), ("ExpiryCancel", "0.00")]


async def test_a_market_that_closes_sends_a_snapshot_without_sides() -> None:
    async with trading(**SHALLOW) as trader, trader.venue.connected() as client:
        await client.command("subscribe", channels=["orderbook_delta"], market_tickers=[trader.ticker])
        await client.until("orderbook_snapshot")
        trader.venue.app[DESK].perform(EventOrder(venue="kalshi", event="close", market=trader.ticker))
        frame = await client.until("orderbook_snapshot")
        assert set(frame["msg"]) == {"market_ticker", "market_id"}
        assert frame["seq"] == 2


async def test_too_many_requests_are_refused_until_tokens_have_come_back() -> None:
    async with trading(**SHALLOW) as trader:
        headers = trader.venue.headers("GET", REST_PREFIX + "/portfolio/balance")
        answers = [await trader.venue.ask("GET", "/portfolio/balance", headers=headers) for _ in range(21)]
        assert [status for status, _ in answers] == [200] * 20 + [429]
        assert answers[-1][1] == {"error": "too many requests"}
        status, limits = await trader.ask("GET", "/account/limits")
        assert status == 200
        assert limits["read"] == {"refill_rate": 200, "bucket_capacity": 200}
        costs = await trader.venue.get("/account/endpoint_costs")
        assert costs["default_cost"] == 10
        assert {"method": "DELETE", "path": f"{REST_PREFIX}{ORDERS}/:order_id", "cost": 2} in costs["endpoint_costs"]


async def test_a_batch_pays_for_all_its_items_at_once() -> None:
    async with trading(**SHALLOW) as trader:
        item = {"order_id": "nowhere"}
        assert (await trader.ask("DELETE", f"{ORDERS}/batched", {"orders": [item] * 51}))[0] == 429
        assert (await trader.ask("DELETE", f"{ORDERS}/batched", {"orders": [item] * 50}))[0] == 200


@pytest.mark.parametrize("path", OLD_ORDER_PATHS)
async def test_the_old_order_paths_are_gone(path: str) -> None:
    async with trading(**SHALLOW) as trader:
        for method in ("POST", "DELETE"):
            status, body = await trader.ask(method, path.replace("{order_id}", "x"), {})
            assert (status, body["error"]["code"]) == (410, "deprecated_v1_order_endpoint")


async def test_every_order_request_counts_whatever_becomes_of_it() -> None:
    async with trading(**SHALLOW) as trader:
        made = await trader.placed("bid", "5", "0.41")
        path = f"{ORDERS}/{made['order_id']}"
        for method, where in (
            ("POST", ORDERS),
            ("POST", f"{ORDERS}/batched"),
            ("DELETE", f"{ORDERS}/batched"),
            ("POST", f"{path}/amend"),
            ("POST", f"{path}/decrease"),
            ("DELETE", path),
            ("DELETE", ORDERS),
        ):
            await trader.ask(method, where, {})
        await trader.ask("GET", "/portfolio/orders")
        assert trader.venue.stats.orders_received == 8


async def test_orders_are_listed_by_page_status_market_and_time() -> None:
    async with trading(**SHALLOW) as trader:
        ids = [(await trader.placed("bid", "1", price))["order_id"] for price in ("0.41", "0.42", "0.43", "0.44")]
        await trader.ask("DELETE", f"{ORDERS}/{ids[0]}")
        _, first = await trader.ask("GET", "/portfolio/orders", limit="3")
        _, second = await trader.ask("GET", "/portfolio/orders", limit="3", cursor=first["cursor"])
        assert [order["order_id"] for order in first["orders"] + second["orders"]] == ids[::-1]
        assert second["cursor"] == ""
        assert len((await trader.ask("GET", "/portfolio/orders", status="resting"))[1]["orders"]) == 3
        assert (await trader.ask("GET", "/portfolio/orders", ticker="KXNO-1"))[1]["orders"] == []
        event = trader.market.event.event_ticker
        assert len((await trader.ask("GET", "/portfolio/orders", event_ticker=event))[1]["orders"]) == 4
        later = str(trader.venue.now_ms // 1_000 + 10)
        assert (await trader.ask("GET", "/portfolio/orders", min_ts=later))[1]["orders"] == []
        assert (await trader.ask("GET", "/portfolio/orders", status="open"))[0] == 400


async def test_the_record_has_trades_candles_hours_and_a_cutoff() -> None:
    async with trading(**SHALLOW) as trader:
        await trader.placed("bid", "5", "0.60", time_in_force="immediate_or_cancel")
        [trade] = (await trader.venue.get("/markets/trades", ticker=trader.ticker))["trades"]
        assert (trade["yes_price_dollars"], trade["count_fp"], trade["taker_book_side"]) == ("0.6000", "5.00", "bid")
        [fill] = (await trader.ask("GET", "/portfolio/fills"))[1]["fills"]
        assert fill["trade_id"] == trade["trade_id"]
        now_s = trader.venue.now_ms // 1_000
        path = f"/series/{trader.market.event.series.ticker}/markets/{trader.ticker}/candlesticks"
        span = {"start_ts": str(now_s - 60), "end_ts": str(now_s + 60), "period_interval": "1"}
        [candle] = (await trader.venue.get(path, **span))["candlesticks"]
        assert (candle["price"]["close_dollars"], candle["volume_fp"]) == ("0.6000", "5.00")
        assert candle["yes_bid"]["close_dollars"] == "0.4000"
        assert (await trader.venue.ask("GET", path))[0] == 400
        assert "market_positions_last_updated_ts" in await trader.venue.get("/historical/cutoff")
        [hours] = (await trader.venue.get("/exchange/schedule"))["schedule"]["standard_hours"]
        assert hours["thursday"][0]["close_time"] == "03:00"


@pytest.mark.parametrize(
    ("size_e6", "price_e4", "multiplier", "direct", "fcm"),
    [
        (1_000_000, 5_200, 1, "0.017500", "0.020000"),
        (1_000_000, 9_900, 1, "0.000700", "0.010000"),
        (100_000_000, 3_500, 1, "1.592500", "1.600000"),
        (10_000_000, 6_300, 1, "0.163200", "0.170000"),
        (250_000_000, 410, 1, "0.688100", "0.690000"),
        (3_500_000, 4_730, 1, "0.061100", "0.064500"),
        (1_000_000, 550, 1, "0.003700", "0.005000"),
        (100_000_000, 5_000, 0, "0.000000", "0.000000"),
    ],
)
def test_fees_of_the_venues_own_examples(size_e6: int, price_e4: int, multiplier: int, direct: str, fcm: str) -> None:
    series = KalshiSeries(
        ticker="S",
        title="",
        category="",
        frequency="",
        tags=(),
        source_name="",
        source_url="",
        fee_multiplier=Fraction(multiplier),
    )
    formula = formula_fee_e10(series, "taker", price_e4=price_e4, size_e6=size_e6)
    for precision, wanted in ((DIRECT_E10, direct), (FCM_E10, fcm)):
        assert dollars_text(charged_fee_e10(-price_e4 * size_e6, formula, precision_e10=precision)) == wanted


async def test_books_and_truth_stay_right_while_an_account_trades_in_a_living_world() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        truth = Truth(venue.world)
        tickers = list(venue.world.kalshi_markets)
        await client.command("subscribe", channels=["orderbook_delta"], market_tickers=tickers)
        desk = venue.app[DESK]
        for number, market in enumerate(venue.world.kalshi_markets.values()):
            trader = Trader(venue, market)
            side: Side = "bid" if number % 2 else "ask"
            best = market.book.best_e4(side)
            price_e4 = best if best is not None else market.grid.prices_e4[len(market.grid.prices_e4) // 2]
            await trader.placed(side, "7", f"0.{price_e4:04d}")
            venue.pass_time(200)
        venue.pass_time(20_000)
        await client.caught_up()
        assert len(desk.exchange.fills) > 10
        assert not client.went_below_zero
        for ticker, market in venue.world.kalshi_markets.items():
            assert client.books[ticker] == book_of(venue, ticker)
            bid_e4, ask_e4 = market.book.best_bid_e4(), market.book.best_ask_e4()
            assert bid_e4 is None or ask_e4 is None or bid_e4 < ask_e4
            for order in desk.exchange.resting():
                if order.market is market:
                    assert market.book.size_e6(order.side, order.price_e4) >= order.ahead_e6 + order.remaining_e6
        spent = sum(fill.fee_e10 for fill in desk.exchange.fills)
        assert spent == sum(position.fees_e10 for position in desk.account.positions.values())
        again = Truth(venue.world)
        open_now = {(i.question.label, i.direction) for i in truth.intervals() if i.closed_ms is None}
        assert open_now == {(i.question.label, i.direction) for i in again.intervals()}


async def test_an_order_that_crosses_the_other_venue_is_an_opportunity_in_the_truth() -> None:
    async with running_kalshi() as venue:
        truth = Truth(venue.world)
        question = next(
            q
            for q in truth.mapped_pairs()
            if q.orientation == "same"
            and (q.polymarket.book.best_bid_e4() or 0) > 3_000
            and q.kalshi.grid.label == "linear_cent"
        )
        trader = Trader(venue, question.kalshi)
        price_e4 = (question.polymarket.book.best_bid_e4() or 0) // 100 * 100 - 600
        made = await trader.placed("ask", "6000", f"0.{price_e4:04d}")
        mine = [i for i in truth.intervals() if i.question is question and i.closed_ms is None]
        assert [i.direction for i in mine] == ["yes_kalshi_no_polymarket"]
        await trader.ask("DELETE", f"{ORDERS}/{made['order_id']}")
        assert all(i.closed_ms is not None for i in truth.intervals() if i.question is question)


async def test_requests_at_the_same_time_do_not_fill_the_same_contracts_twice() -> None:
    async with trading(**SHALLOW) as trader:
        orders = [trader.placed("bid", "4", "0.60", time_in_force="immediate_or_cancel") for _ in range(5)]
        filled = [msgspec.convert(body["fill_count"], str) for body in await asyncio.gather(*orders)]
        assert sorted(filled) == ["0.00", "0.00", "2.00", "4.00", "4.00"]
