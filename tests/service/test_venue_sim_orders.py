"""The simulated Kalshi's order entry, over plain HTTP: matching, collateral, refusals, what is left on the book."""

import pytest

from services.venue_sim.kalshi_server import DESK
from services.venue_sim.occasions import EventOrder
from tests.service.simulated_kalshi import Json
from tests.service.trading_venue import ORDERS, trading


async def test_a_taker_gets_the_makers_prices_and_the_answer_says_what_filled() -> None:
    async with trading(bids={40: 10}, asks={48: 40, 49: 60, 55: 5}) as trader:
        body = await trader.placed("bid", "100", "0.5000", time_in_force="immediate_or_cancel", client_order_id="c-1")
        assert (body["fill_count"], body["remaining_count"], body["client_order_id"]) == ("100.00", "0.00", "c-1")
        assert body["average_fill_price"] == "0.4860"
        assert trader.sizes("ask") == [(5_500, 5)]
        _, fills = await trader.ask("GET", "/portfolio/fills", order_id=body["order_id"])
        told = {(fill["yes_price_dollars"], fill["count_fp"], fill["fee_cost"]) for fill in fills["fills"]}
        assert told == {("0.4800", "40.00", "0.698900"), ("0.4900", "60.00", "1.049600")}
        assert all(fill["is_taker"] and fill["outcome_side"] == "yes" for fill in fills["fills"])
        assert (await trader.balance())["balance_breakdown"][0]["balance"] == "9949.6515"  # 10000 - 48.6 - 1.7485
        order = await trader.read(body["order_id"])
        assert (order["status"], order["taker_fees_dollars"]) == ("executed", "1.748500")


async def test_an_immediate_order_that_meets_nobody_is_accepted_with_nothing_filled() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        body = await trader.placed("bid", "5.00", "0.59", time_in_force="immediate_or_cancel")
        assert (body["fill_count"], body["remaining_count"]) == ("0.00", "0.00")
        assert "average_fill_price" not in body
        assert (await trader.read(body["order_id"]))["status"] == "canceled"
        assert trader.sizes("bid") == [(4_000, 10)]


async def test_what_an_immediate_order_does_not_fill_is_cancelled() -> None:
    async with trading(bids={40: 10}, asks={50: 3, 60: 10}) as trader:
        body = await trader.placed("bid", "5", "0.50", time_in_force="immediate_or_cancel")
        assert (body["fill_count"], body["remaining_count"]) == ("3.00", "0.00")
        assert (await trader.read(body["order_id"]))["status"] == "canceled"


async def test_a_killed_order_fills_nothing_and_uses_its_id_up() -> None:
    async with trading(bids={40: 10}, asks={50: 3}) as trader:
        for code in ("fill_or_kill_insufficient_resting_volume", "order_already_exists"):
            status, body = await trader.order("bid", "4", "0.50", time_in_force="fill_or_kill", client_order_id="once")
            assert (status, body["error"]["code"]) == (409, code)
        assert trader.sizes("ask") == [(5_000, 3)]
        assert (await trader.placed("bid", "3", "0.50", time_in_force="fill_or_kill"))["fill_count"] == "3.00"


async def test_a_client_order_id_is_used_up_by_a_cancelled_order_too_but_not_by_a_refused_one() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        assert (await trader.order("bid", "1", "0.405", client_order_id="a"))[1]["error"]["code"] == "invalid_price"
        made = await trader.placed("bid", "1", "0.41", client_order_id="a")
        assert (await trader.ask("DELETE", f"{ORDERS}/{made['order_id']}"))[0] == 200
        status, body = await trader.order("bid", "1", "0.41", client_order_id="a")
        assert (status, body["error"]["code"]) == (409, "order_already_exists")


async def test_resting_orders_stand_behind_who_came_before_and_trade_at_their_price() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        first = await trader.placed("bid", "5", "0.40")
        trader.others("bid", 4_000, 7, rests=True)
        second = await trader.placed("bid", "2", "0.40")
        assert trader.sizes("bid") == [(4_000, 24)]
        _, ahead = await trader.ask("GET", f"/portfolio/orders/{first['order_id']}/queue_position")
        assert ahead == {"queue_position_fp": "10.00"}
        trader.others("ask", 4_000, 12)
        assert (await trader.read(first["order_id"]))["fill_count_fp"] == "2.00"
        assert (await trader.read(second["order_id"]))["fill_count_fp"] == "0.00"
        trader.others("ask", 4_000, 11)
        read = await trader.read(first["order_id"])
        assert (read["status"], read["fill_count_fp"], read["maker_fees_dollars"]) == ("executed", "5.00", "0.000000")
        assert (await trader.read(second["order_id"]))["fill_count_fp"] == "1.00"
        assert trader.sizes("bid") == [(4_000, 1)]


async def test_nobody_else_cancels_or_moves_an_accounts_order() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        made = await trader.placed("bid", "5", "0.40")
        book = trader.market.book
        book.cancel("bid", 4_000)
        book.move("bid", 4_000, 4_100)
        assert trader.sizes("bid") == [(4_000, 5)]
        assert (await trader.ask("DELETE", f"{ORDERS}/{made['order_id']}"))[1]["reduced_by"] == "5.00"
        assert trader.sizes("bid") == []


async def test_makers_pay_where_the_series_says_so() -> None:
    async with trading(bids={}, asks={}, fee="quadratic_with_maker_fees") as trader:
        made = await trader.placed("bid", "100", "0.50")
        trader.others("ask", 5_000, 100)
        assert (await trader.read(made["order_id"]))["maker_fees_dollars"] == "0.437500"


@pytest.mark.parametrize(
    ("policy", "filled", "resting_after"), [("taker_at_cross", "10.00", "5.00"), ("maker", "17.00", "0.00")]
)
async def test_an_account_never_trades_with_itself(policy: str, filled: str, resting_after: str) -> None:
    async with trading(bids={40: 10}, asks={50: 10}) as trader:
        own = await trader.placed("ask", "5", "0.50")
        trader.others("ask", 5_000, 7, rests=True)
        body = await trader.placed("bid", "20", "0.50", self_trade_prevention_type=policy)
        assert body["fill_count"] == filled
        assert (await trader.read(own["order_id"]))["remaining_count_fp"] == resting_after
        rests = policy == "maker"
        assert body["remaining_count"] == ("3.00" if rests else "0.00")
        assert trader.sizes("bid") == ([(5_000, 3), (4_000, 10)] if rests else [(4_000, 10)])


async def test_a_bid_holds_back_its_price_and_an_ask_the_rest_of_the_dollar() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        bid = await trader.placed("bid", "100", "0.30")
        assert (await trader.balance())["balance_breakdown"][0]["balance"] == "9970.0000"
        await trader.placed("ask", "100", "0.70")
        balance = await trader.balance()
        assert balance["balance_breakdown"][0] == {"exchange_index": 0, "balance": "9940.0000"}
        assert balance["balance"] == 994_000 + 10_000 + 100_000  # all shards, in cents
        await trader.ask("DELETE", f"{ORDERS}/{bid['order_id']}")
        assert (await trader.balance())["balance_breakdown"][0]["balance"] == "9970.0000"


async def test_more_than_the_shard_holds_is_refused_and_an_unknown_shard_too() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        status, body = await trader.order("bid", "20001", "0.50")
        assert (status, body["error"]["code"]) == (400, "insufficient_balance")
        trader.market.exchange_index = 3
        status, body = await trader.order("bid", "2001", "0.50")
        assert (status, body["error"]["code"]) == (400, "insufficient_balance")
        assert (await trader.order("bid", "1999", "0.50", exchange_index=3))[0] == 201
        assert (await trader.order("bid", "1", "0.50", exchange_index=0))[1]["error"]["code"] == "market_not_found"
        trader.market.exchange_index = 2
        status, body = await trader.order("bid", "1", "0.50")
        assert (status, body["error"]["code"]) == (404, "user_not_found")


async def test_positions_net_and_selling_what_is_held_needs_no_cash() -> None:
    async with trading(bids={40: 100}, asks={50: 100}) as trader:
        await trader.placed("bid", "10", "0.50", time_in_force="immediate_or_cancel")
        _, body = await trader.ask("GET", "/portfolio/positions")
        [position] = body["market_positions"]
        assert (position["position_fp"], position["market_exposure_dollars"]) == ("10.00", "5.000000")
        assert [row["event_ticker"] for row in body["event_positions"]] == [trader.market.event.event_ticker]
        await trader.placed("ask", "15", "0.40", time_in_force="immediate_or_cancel")
        [position] = (await trader.ask("GET", "/portfolio/positions"))[1]["market_positions"]
        assert (position["position_fp"], position["market_exposure_dollars"]) == ("-5.00", "3.000000")
        assert position["realized_pnl_dollars"] == "-1.000000"
        # 10000 - 5 - 0.175 (fee at 0.50) + 10 * 0.40 - 5 * 0.60 - 0.252 (fee at 0.40)
        assert (await trader.balance())["balance_breakdown"][0]["balance"] == "9995.5730"


async def test_reduce_only_takes_no_more_than_is_held() -> None:
    async with trading(bids={40: 100}, asks={50: 100}) as trader:
        status, body = await trader.order("ask", "5", "0.40", reduce_only=True)
        assert (status, body["error"]["code"]) == (400, "invalid_order")
        await trader.placed("bid", "3", "0.50", time_in_force="immediate_or_cancel")
        for filled in ("3.00", "0.00"):
            body = await trader.placed("ask", "5", "0.40", time_in_force="immediate_or_cancel", reduce_only=True)
            assert body["fill_count"] == filled


async def test_post_only_refuses_to_cross() -> None:
    async with trading(bids={40: 100}, asks={50: 100}) as trader:
        status, body = await trader.order("bid", "1", "0.50", post_only=True)
        assert (status, body["error"]) == (
            400,
            {"code": "invalid_order", "message": "invalid order", "details": "post only cross"},
        )
        assert (await trader.placed("bid", "1", "0.49", post_only=True))["remaining_count"] == "1.00"


async def test_cancelling_what_is_cancelled_executed_or_unknown_is_the_same_404() -> None:
    async with trading(bids={40: 100}, asks={50: 100}) as trader:
        done = await trader.placed("bid", "1", "0.50")
        gone = await trader.placed("bid", "1", "0.41")
        assert (await trader.ask("DELETE", f"{ORDERS}/{gone['order_id']}"))[0] == 200
        answers = [
            await trader.ask("DELETE", f"{ORDERS}/{order_id}")
            for order_id in (done["order_id"], gone["order_id"], "00000000-0000-4000-8000-00000000dead")
        ]
        assert answers == [(404, {"error": {"code": "not_found", "message": "not found"}})] * 3


async def test_a_cancel_goes_to_shard_0_unless_it_names_shard_or_market() -> None:
    async with trading(bids={40: 100}, asks={50: 100}) as trader:
        trader.market.exchange_index = 3
        for more in ({"market_ticker": trader.ticker}, {"exchange_index": "3"}):
            made = await trader.placed("bid", "1", "0.41")
            assert (await trader.ask("DELETE", f"{ORDERS}/{made['order_id']}"))[0] == 404
            assert (await trader.ask("DELETE", f"{ORDERS}/{made['order_id']}", **more))[0] == 200


async def test_decreasing_keeps_the_place_and_amending_the_price_loses_it() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        made = await trader.placed("bid", "8", "0.40")
        trader.others("bid", 4_000, 20, rests=True)
        path = f"{ORDERS}/{made['order_id']}"
        _, body = await trader.ask("POST", f"{path}/decrease", {"reduce_by": "2"})
        assert (body["order_id"], body["remaining_count"]) == (made["order_id"], "6.00")
        assert (await trader.ask("POST", f"{path}/decrease", {"reduce_to": "5.00"}))[1]["remaining_count"] == "5.00"
        assert (await trader.ask("POST", f"{path}/decrease", {"reduce_by": "1", "reduce_to": "1"}))[0] == 400
        queue = f"/portfolio/orders/{made['order_id']}/queue_position"
        assert (await trader.ask("GET", queue))[1]["queue_position_fp"] == "10.00"
        same = {"ticker": trader.ticker, "side": "bid", "price": "0.4000", "count": "4"}
        assert (await trader.ask("POST", f"{path}/amend", same))[1]["remaining_count"] == "4.00"
        assert (await trader.ask("GET", queue))[1]["queue_position_fp"] == "10.00"
        status, body = await trader.ask("POST", f"{path}/amend", same | {"price": "0.6000", "count": "12"})
        assert (status, body["fill_count"], body["remaining_count"]) == (200, "10.00", "2.00")
        assert trader.sizes("bid") == [(6_000, 2), (4_000, 30)]
        status, body = await trader.ask("POST", f"{path}/amend", same | {"price": "0.6000", "count": "14"})
        assert (status, body["remaining_count"]) == (200, "4.00")
        assert (await trader.ask("POST", f"{path}/amend", same | {"side": "ask"}))[1]["error"]["code"] == (
            "invalid_order"
        )


async def test_batches_answer_one_by_one_and_are_not_atomic() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        good = {
            "ticker": trader.ticker,
            "side": "bid",
            "count": "1",
            "price": "0.41",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "maker",
        }
        orders = [good | {"client_order_id": "x"}, good | {"client_order_id": "x"}, good | {"price": "0.415"}]
        status, body = await trader.ask("POST", f"{ORDERS}/batched", {"orders": orders})
        assert status == 201
        made, twice, off_grid = body["orders"]
        assert made["remaining_count"] == "1.00"
        assert (twice["client_order_id"], twice["error"]["code"]) == ("x", "order_already_exists")
        assert off_grid["error"]["code"] == "invalid_price"
        gone = {"orders": [{"order_id": made["order_id"]}, {"order_id": "nowhere"}]}
        status, body = await trader.ask("DELETE", f"{ORDERS}/batched", gone)
        assert (status, body["orders"][0]["reduced_by"], body["orders"][1]["error"]["code"]) == (
            200,
            "1.00",
            "not_found",
        )
        assert (await trader.ask("POST", f"{ORDERS}/batched", {"orders": []}))[0] == 400


async def test_cancel_all_answers_204_and_leaves_nothing() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        for price in ("0.41", "0.42", "0.43"):
            await trader.placed("bid", "1", price)
        assert await trader.ask("DELETE", ORDERS) == (204, {})
        assert trader.sizes("bid") == [(4_000, 10)]
        _, body = await trader.ask("GET", "/portfolio/orders", status="resting")
        assert body == {"orders": [], "cursor": ""}


async def test_an_order_expires_at_its_time() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        ends_s = trader.venue.now_ms // 1_000 + 5
        made = await trader.placed("bid", "1", "0.41", expiration_time=ends_s)
        assert (await trader.read(made["order_id"]))["status"] == "resting"
        trader.venue.now_ms = ends_s * 1_000
        trader.others("bid", 3_900, 1, rests=True)
        assert trader.sizes("bid") == [(4_000, 10), (3_900, 1)]
        assert (await trader.read(made["order_id"]))["status"] == "canceled"
        status, body = await trader.order("bid", "1", "0.41", expiration_time=ends_s)
        assert (status, body["error"]["code"]) == (400, "invalid_order")


@pytest.mark.parametrize(
    ("change", "status", "answer"),
    [
        (
            {"price": 0.41},
            400,
            {
                "code": "bad_request",
                "message": "bad request",
                "details": "json: cannot unmarshal number into Go struct field CreateOrderV2Request.price"
                " of type string",
            },
        ),
        ({"count": 1}, 400, "bad_request"),
        ({"side": "yes"}, 400, {"msg": "invalid side yes"}),
        ({"time_in_force": "GTT"}, 400, {"msg": "invalid time_in_force GTT"}),
        ({"self_trade_prevention_type": None}, 400, {"msg": "self_trade_prevention_type is required"}),
        ({"price": "0.415"}, 400, "invalid_price"),
        ({"price": "1.00"}, 400, "invalid_price"),
        ({"price": "0.41000"}, 400, "invalid_price"),
        ({"count": "0.001"}, 400, "invalid_count"),
        ({"count": "0"}, 400, "invalid_count"),
        ({"ticker": "KXNO-1"}, 404, "market_not_found"),
        ({"subaccount": 3}, 404, "user_not_found"),
    ],
)
async def test_what_the_venue_refuses_and_in_which_words(change: Json, status: int, answer: Json | str) -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        terms = {"side": "bid", "count": "1", "price": "0.41"} | change
        told, body = await trader.order(**terms)
        assert told == status
        if isinstance(answer, str):
            assert body.get("error", body)["code"] == answer
        else:
            assert body == answer


async def test_a_closed_market_takes_no_order_and_settling_it_pays_the_winners() -> None:
    async with trading(bids={40: 10}, asks={50: 10}) as trader:
        await trader.placed("bid", "10", "0.50")
        rests = await trader.placed("bid", "1", "0.30")
        desk = trader.venue.app[DESK]
        before = desk.account.cash_e10[0]
        stage = {"venue": "kalshi", "market": trader.ticker}
        desk.perform(EventOrder(event="close", **stage))
        assert (await trader.read(rests["order_id"]))["status"] == "canceled"
        assert (await trader.order("bid", "1", "0.30"))[1]["error"]["code"] == "market_inactive"
        desk.perform(EventOrder(event="settle", value="yes", **stage))
        assert desk.account.cash_e10[0] - before == 10 * 10**10
        [settled] = (await trader.ask("GET", "/portfolio/settlements"))[1]["settlements"]
        assert (settled["market_result"], settled["revenue"], settled["yes_count_fp"]) == ("yes", 1_000, "10.00")
        market = (await trader.venue.get(f"/markets/{trader.ticker}"))["market"]
        assert (market["status"], market["result"], market["settlement_value_dollars"]) == (
            "finalized",
            "yes",
            "1.0000",
        )
