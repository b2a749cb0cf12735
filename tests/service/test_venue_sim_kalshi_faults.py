"""Each switch of the simulated Kalshi does what its name says, and the venue is well again afterwards."""

from itertools import pairwise

import pytest
import websockets

from tests.service.simulated_kalshi import Json, KalshiClient, SimulatedKalshi, book_of, running_kalshi
from tests.service.trading_venue import ORDERS, trading


async def subscribed(venue: SimulatedKalshi, client: KalshiClient) -> int:
    tickers = list(venue.world.kalshi_markets)
    await client.command("subscribe", channels=["orderbook_delta"], market_tickers=tickers)
    sid: int = (await client.until("subscribed"))["msg"]["sid"]
    await client.caught_up()
    return sid


async def steps_after(venue: SimulatedKalshi, client: KalshiClient, fault: str) -> list[int]:
    """Arm a fault, let the world live, and return by how much each number differs from the one before."""
    sid = await subscribed(venue, client)
    venue.faults.arm(fault)
    venue.pass_time(2_000)
    await client.caught_up()
    return [later - earlier for earlier, later in pairwise(client.sequence(sid))]


@pytest.mark.parametrize(
    ("fault", "odd_steps"),
    [
        ("skip_delta", [2]),
        ("repeat_delta", [0]),
        ("old_seq", [-2, 3]),
        ("swap_deltas", [2, -1, 2]),
    ],
)
async def test_the_numbers_go_wrong_once_and_then_right(fault: str, odd_steps: list[int]) -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        steps = await steps_after(venue, client, fault)
        assert [step for step in steps if step != 1] == odd_steps
        assert len(steps) > 100


async def test_a_delta_takes_more_than_there_is_and_its_number_is_right() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        steps = await steps_after(venue, client, "below_zero")
        assert set(steps) == {1}
        assert client.went_below_zero


async def test_a_burst_multiplies_the_deltas_and_changes_no_book() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        sid = await subscribed(venue, client)
        venue.pass_time(500)
        await client.caught_up()
        calm = len(client.sequence(sid))
        venue.faults.arm("burst", 40)
        venue.pass_time(500)
        await client.caught_up()
        numbers = client.sequence(sid)
        assert len(numbers) - calm > 10 * calm
        assert {later - earlier for earlier, later in pairwise(numbers)} == {1}
        for ticker in venue.world.kalshi_markets:
            assert client.books[ticker] == book_of(venue, ticker)


async def test_an_acknowledgement_can_come_after_the_data() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        venue.faults.arm("ack_late")
        await subscribed(venue, client)
        kinds = [frame["type"] for frame in client.frames]
        assert kinds.index("orderbook_snapshot") < kinds.index("subscribed")
        assert kinds.count("orderbook_snapshot") == len(venue.world.kalshi_markets)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("channel_error", {"code": 10, "msg": "Channel error"}),
        ("buffer_overflow", {"code": 25, "msg": "Subscription buffer overflow"}),
    ],
)
async def test_an_error_ends_the_subscription_and_a_new_one_works(fault: str, said: Json) -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        await subscribed(venue, client)
        venue.faults.arm(fault)
        venue.pass_time(1_000)
        error = await client.until("error")
        assert (error["sid"], error["msg"]) == (1, said)
        frames = len(client.frames)
        await client.caught_up()
        assert all(frame["type"] == "ok" for frame in client.frames[frames:])
        assert await subscribed(venue, client) == 2
        venue.pass_time(1_000)
        await client.caught_up()
        for ticker in venue.world.kalshi_markets:
            assert client.books[ticker] == book_of(venue, ticker)


async def test_a_handshake_can_meet_a_bad_gateway() -> None:
    async with running_kalshi() as venue:
        venue.faults.arm("refuse_handshake")
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with venue.connected():
                pass
        assert refused.value.response.status_code == 502
        async with venue.connected() as client:
            await client.caught_up()


async def test_switches_for_clients_that_need_them() -> None:
    async with running_kalshi() as venue, venue.connected() as client:
        venue.faults.arm("always_both_sides")
        venue.faults.arm("ok_without_seq")
        venue.faults.arm("emit_liquidity_dollars")
        sid = await subscribed(venue, client)
        snapshots = [frame["msg"] for frame in client.frames if frame["type"] == "orderbook_snapshot"]
        assert all({"yes_dollars_fp", "no_dollars_fp"} <= set(body) for body in snapshots)
        assert [] in [body["yes_dollars_fp"] for body in snapshots]
        await client.command(
            "update_subscription", sid=sid, action="delete_markets", market_ticker=next(iter(client.books))
        )
        assert "seq" not in await client.until("ok")
        assert (await venue.get("/markets", limit="1"))["markets"][0]["liquidity_dollars"] == "0.0000"


async def test_a_trading_pause_allows_cancels_and_an_exchange_pause_nothing() -> None:
    async with trading(bids={40: 10}, asks={60: 10}) as trader:
        made = await trader.placed("bid", "1", "0.41")
        path = f"{ORDERS}/{made['order_id']}"
        trader.venue.faults.arm("exchange_paused")
        assert (await trader.ask("DELETE", path))[0] == 503
        assert (await trader.venue.get("/exchange/status"))["exchange_active"] is False
        trader.venue.faults.arm("exchange_paused", 0)
        trader.venue.faults.arm("trading_paused")
        status = await trader.venue.get("/exchange/status")
        assert (status["exchange_active"], status["trading_active"]) == (True, False)
        assert (await trader.order("bid", "1", "0.41"))[1]["error"]["code"] == "trading_paused"
        assert (await trader.ask("DELETE", path))[0] == 200
