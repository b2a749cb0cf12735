"""Kalshi's official SDK 3.34.0 against the simulated Kalshi: every listing, every object, the life of orders.

The SDK's models are strict about types, enums and required fields; what it reads is compared with the engine's own
books and account on the control port. Needs Python 3.13.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener
from uuid import uuid4

from kalshi_python_async import Configuration, KalshiClient, models
from kalshi_python_async.exceptions import ApiException
from simulator import Json, Simulator, check, eventually, say, simulator

_HTTP = build_opener(ProxyHandler({}))
_ORDER_PAUSE_S = 0.11
"""The basic tier may create ten orders a second."""
_TOKENS_WITHIN_S = 10.0


def client_of(sim: Simulator) -> KalshiClient:
    """Return the SDK's client, pointed at the simulator."""
    kalshi = sim.ready["kalshi"]
    config = Configuration(host=kalshi["rest_url"])
    config.api_key_id = kalshi["key_id"]
    config.private_key_pem = Path(kalshi["private_key_file"]).read_text()
    return KalshiClient(config)


async def pages(ask: Callable[..., Awaitable[Any]], name: str, **params: Any) -> list[Any]:
    """Follow the cursors to the end."""
    rows: list[Any] = []
    cursor = ""
    while True:
        page = await ask(**params, **({"cursor": cursor} if cursor else {}))
        rows += getattr(page, name)
        cursor = page.cursor
        if not cursor:
            return rows


def raw(sim: Simulator, path: str) -> Json:
    """Return a public body as it is on the wire."""
    with _HTTP.open(sim.ready["kalshi"]["rest_url"] + path, timeout=30) as answer:
        return json.loads(answer.read())


async def listings(client: KalshiClient, sim: Simulator) -> list[str]:
    """Markets, events and series by page and one by one; return the tickers."""
    truth = set(sim.control("/books")["kalshi"])
    markets = await pages(client.get_markets, "markets", limit=7, status="open")
    tickers = [market.ticker for market in markets]
    check(len(tickers) == len(set(tickers)), "a page repeats a market")
    check(set(tickers) == truth, f"the markets differ from the simulator's by {set(tickers) ^ truth}")
    events = await pages(client.get_events, "events", limit=5, with_nested_markets=True)
    nested = {market.ticker for event in events for market in event.markets}
    check(nested == truth, "the events' nested markets differ")
    series = (await client.get_series_list()).series
    check({event.series_ticker for event in events} == {one.ticker for one in series}, "events and series differ")
    for event in events[:3]:
        one = await client.get_event(event_ticker=event.event_ticker, with_nested_markets=True)
        check(one.event.event_ticker == event.event_ticker, "an event reads differently")
        check((await client.get_series(series_ticker=event.series_ticker)).series.fee_type, "a series has no fee type")
    for body in raw(sim, "/markets?limit=1000")["markets"]:
        models.Market.from_dict(body)
    for body in raw(sim, "/events?with_nested_markets=true")["events"]:
        models.EventData.from_dict(body)
    for body in raw(sim, "/series")["series"]:
        models.Series.from_dict(body)
    say(f"listings: {len(markets)} markets, {len(events)} events, {len(series)} series, all accepted by the models")
    return tickers


async def books(client: KalshiClient, sim: Simulator, tickers: list[str]) -> None:
    """Read every book, alone and in a batch, and compare it with the engine's."""
    equal = 0
    for start in range(0, len(tickers), 100):
        before = sim.control("/books")["kalshi"]
        batch = await client.get_market_orderbooks(tickers=tickers[start : start + 100])
        after = sim.control("/books")["kalshi"]
        for row in batch.orderbooks:
            if before[row.ticker]["ts_ms"] == after[row.ticker]["ts_ms"]:
                check(levels(row.orderbook_fp) == engine(before[row.ticker]), f"the book of {row.ticker} differs")
                equal += 1
    one = await client.get_market_orderbook(ticker=tickers[0], depth=2)
    check(len(one.orderbook_fp.yes_dollars) <= 2, "depth=2 gave more levels")
    check(equal > len(tickers) // 2, f"only {equal} books held still long enough to be compared")
    say(f"books: {equal} of {len(tickers)} equal to the engine's (the others moved meanwhile)")


def levels(book: Any) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    """Return YES bids and YES asks of a REST book."""
    bids = {Decimal(price): Decimal(count) for price, count in book.yes_dollars}
    return bids, {1 - Decimal(price): Decimal(count) for price, count in book.no_dollars}


def engine(book: Json) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    """Return the engine's book in the same form."""
    bids, asks = ({Decimal(price): Decimal(size) for price, size in book[side]} for side in ("bids", "asks"))
    return bids, asks


async def exchange(client: KalshiClient, sim: Simulator) -> None:
    """The exchange's own state, the account's limits, and the record of trades."""
    status = await client.get_exchange_status()
    check(status.exchange_active and status.exchange_index_statuses, "the exchange is not active")
    check((await client.get_exchange_schedule()).schedule.standard_hours, "no hours")
    check((await client.get_user_data_timestamp()).as_of_time, "no as_of_time")
    check((await client.get_historical_cutoff()).market_settled_ts, "no cutoff")
    limits = await client.get_account_api_limits()
    costs = await client.get_account_endpoint_costs()
    check(limits.usage_tier and limits.read.refill_rate > 0 and costs.default_cost == 10, "limits and costs differ")
    check((await client.get_series_fee_changes()).series_fee_change_arr == [], "fee changes")
    check((await client.get_event_fee_changes()).event_fee_changes == [], "event fee changes")
    await eventually(lambda: raw(sim, "/markets/trades?limit=1")["trades"], lambda: "a trade")
    trades = await pages(client.get_trades, "trades", limit=50)
    check(trades, "no trades")
    now_s = int(time.time())
    market = await client.get_market(ticker=trades[0].ticker)
    event = await client.get_event(event_ticker=market.market.event_ticker)
    span = {"start_ts": now_s - 600, "end_ts": now_s + 600, "period_interval": 1}
    candles = await client.get_market_candlesticks(
        series_ticker=event.event.series_ticker, ticker=trades[0].ticker, **span
    )
    check(candles.candlesticks, "no candles")
    await client.batch_get_market_candlesticks(market_tickers=trades[0].ticker, **span)
    say(f"exchange: status, schedule, limits ({limits.usage_tier}), {len(trades)} trades, candles")


class Trader:
    """Sends orders through the SDK and keeps inside the limits."""

    def __init__(self, client: KalshiClient) -> None:
        self.client = client

    async def order(self, ticker: str, side: str, count: str, price: str, **more: Any) -> Any:
        terms = {
            "time_in_force": "immediate_or_cancel",
            "self_trade_prevention_type": "taker_at_cross",
            "client_order_id": str(uuid4()),
        } | more
        await asyncio.sleep(_ORDER_PAUSE_S)
        return await self.client.create_order_v2(ticker=ticker, side=side, count=count, price=price, **terms)

    async def paid(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Send a request until the bucket has its tokens, all of them at once; a 429 uses none up."""
        async with asyncio.timeout(_TOKENS_WITHIN_S):
            while True:
                try:
                    return await ask()
                except ApiException as error:
                    check(error.status == 429, f"status {error.status}: {error.body}")
                await asyncio.sleep(_ORDER_PAUSE_S)

    async def refused(self, act: Awaitable[Any], status: int, code: str) -> None:
        """Check that a request is refused with this status and code."""
        try:
            answer = await act
        except ApiException as error:
            check(error.status == status, f"{code}: status {error.status} instead of {status}: {error.body}")
            check(code in str(error.body), f"{code} is not in {error.body}")
        else:
            check(False, f"{code}: was accepted as {answer}")


async def orders(client: KalshiClient, sim: Simulator, tickers: list[str]) -> None:
    """Take, rest, change, cancel; compare fills, positions and cash with the engine's account."""
    trader = Trader(client)
    held = sim.control("/books")["kalshi"]
    two_sided = [ticker for ticker in tickers if held[ticker]["bids"] and held[ticker]["asks"]]
    taken = filled = 0
    for ticker in two_sided[:8]:
        made = await trader.order(ticker, "bid", "3.00", "0.9900")
        filled += Decimal(made.fill_count)
        taken += 1
        made = await trader.order(ticker, "ask", "2.00", "0.0100")
        filled += Decimal(made.fill_count)
    check(filled > 0, "no order filled anything")
    quiet = two_sided[9]
    resting = await trader.order(
        quiet, "bid", "10", "0.0100", time_in_force="good_till_canceled", client_order_id="rests-1"
    )
    check(resting.remaining_count == "10.00", f"the resting order reads {resting}")
    await trader.refused(
        trader.order(quiet, "bid", "1", "0.0100", client_order_id="rests-1"), 409, "order_already_exists"
    )
    await trader.refused(trader.order(quiet, "bid", "1", "0.00015"), 400, "invalid_price")
    await trader.refused(trader.order(quiet, "bid", "9000000", "0.5"), 400, "insufficient_balance")
    await trader.refused(trader.order("KXNO-SUCH", "bid", "1", "0.5"), 404, "market_not_found")
    await trader.refused(
        trader.order(quiet, "bid", "9000", "0.0100", time_in_force="fill_or_kill"), 409, "fill_or_kill"
    )
    smaller = await client.decrease_order_v2(order_id=resting.order_id, reduce_by="4.00")
    check(smaller.remaining_count == "6.00", f"decrease: {smaller}")
    moved = await client.amend_order_v2(
        order_id=resting.order_id, ticker=quiet, side="bid", price="0.0200", count="5.00"
    )
    check(moved.remaining_count == "5.00", f"amend: {moved}")
    account = sim.control("/account")
    check(account["resting"] == {resting.order_id: "5.00"}, f"the engine's resting orders: {account['resting']}")
    read = (await client.get_order(order_id=resting.order_id)).order
    check((read.status, read.yes_price_dollars) == ("resting", "0.0200"), f"the order reads {read}")
    queue = await client.get_order_queue_position(order_id=resting.order_id)
    check(Decimal(queue.queue_position_fp) >= 0, "queue position")
    gone = await client.cancel_order_v2(order_id=resting.order_id, market_ticker=quiet)
    check(gone.reduced_by == "5.00", f"cancel: {gone}")
    await trader.refused(client.cancel_order_v2(order_id=resting.order_id), 404, "not_found")
    await batches(client, trader, quiet)
    await agree(client, sim, filled)
    say(f"orders: {taken * 2} takers filled {filled}; refusals, decrease, amend, cancel, batches, cancel-all agree")


async def batches(client: KalshiClient, trader: Trader, ticker: str) -> None:
    """Create two orders in a batch, one of them wrong, cancel in a batch, then cancel all."""
    terms = {
        "ticker": ticker,
        "side": "bid",
        "count": "1",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "maker",
    }
    wanted = [terms | {"price": "0.0100", "client_order_id": "b-1"}, terms | {"price": "0.00015"}]
    made = await trader.paid(lambda: client.batch_create_orders_v2(orders=wanted))
    check(made.orders[0].remaining_count == "1.00", f"batch: {made}")
    check(made.orders[1].error.code == "invalid_price", f"batch: {made}")
    unwanted = [{"order_id": made.orders[0].order_id}, {"order_id": "nowhere"}]
    gone = await trader.paid(lambda: client.batch_cancel_orders_v2(orders=unwanted))
    check((gone.orders[0].reduced_by, gone.orders[1].error.code) == ("1.00", "not_found"), f"batch cancel: {gone}")
    await trader.order(ticker, "bid", "1", "0.0100", time_in_force="good_till_canceled")
    await trader.paid(client.cancel_all_orders)
    check((await client.get_orders(status="resting")).orders == [], "cancel-all left an order")


async def agree(client: KalshiClient, sim: Simulator, filled: Decimal) -> None:
    """Compare what the portfolio says with the engine's account."""
    account = sim.control("/account")
    fills = await pages(client.get_fills, "fills", limit=5)
    check(sum(Decimal(fill.count_fp) for fill in fills) == filled, "the fills do not add up to what was filled")
    check(len(fills) == account["fills"], "the engine knows of other fills")
    positions = await client.get_positions()
    told = {position.ticker: position.position_fp for position in positions.market_positions}
    check(told == account["positions"], f"positions: {told}, engine: {account['positions']}")
    check(len(positions.event_positions) > 0, "no event positions")
    balance = await client.get_balance()
    free = {row.exchange_index: Decimal(row.balance) for row in balance.balance_breakdown}
    engine_free = {int(shard): Decimal(amount) for shard, amount in account["free_dollars"].items()}
    check(free == engine_free, f"balance: {free}, engine: {engine_free}")
    spent = sum((_paid(fill) for fill in fills), Decimal(0))
    check(engine_free[0] <= 10_000, f"the account got richer by trading at the touch: {engine_free[0]}")
    check(spent > 0, "nothing was paid")
    all_orders = await pages(client.get_orders, "orders", limit=6)
    check(len({order.order_id for order in all_orders}) == len(all_orders), "pages of orders repeat one")
    for order in all_orders:
        own = [fill for fill in fills if fill.order_id == order.order_id]
        check(sum(Decimal(fill.count_fp) for fill in own) == Decimal(order.fill_count_fp), "an order's fills differ")
        fees = sum((Decimal(fill.fee_cost) for fill in own), Decimal(0))
        check(fees == Decimal(order.taker_fees_dollars) + Decimal(order.maker_fees_dollars), "an order's fees differ")
    settled = next(iter(account["positions"]))
    sim.cause("kalshi", "settle", settled, "yes")
    paid = (await client.get_settlements()).settlements
    check([row.ticker for row in paid] == [settled], f"settlements: {paid}")
    check((await client.get_market(ticker=settled)).market.status == "finalized", "the settled market is not finalized")
    say(f"account: {len(fills)} fills, {len(told)} positions and the free cash equal the engine's")


def _paid(fill: Any) -> Decimal:
    price = fill.yes_price_dollars if fill.book_side == "bid" else fill.no_price_dollars
    return Decimal(fill.count_fp) * Decimal(price)


async def too_many(client: KalshiClient) -> None:
    """Ask until the bucket is empty: the answer is a 429 that says so."""
    refused = 0
    for _ in range(150):
        try:
            await client.get_balance()
        except ApiException as error:
            check(error.status == 429, f"status {error.status} instead of 429")
            check(json.loads(error.body) == {"error": "too many requests"}, f"429 says {error.body}")
            check("retry-after" not in {name.lower() for name in error.headers or {}}, "429 has Retry-After")
            refused += 1
    check(refused, "150 reads at once were all admitted")
    say(f"limits: {refused} of 150 reads at once were answered with 429")


async def run(sim: Simulator) -> None:
    client = client_of(sim)
    try:
        tickers = await listings(client, sim)
        await books(client, sim, tickers)
        await exchange(client, sim)
        await orders(client, sim, tickers)
        await too_many(client)
    finally:
        await client.close()


if __name__ == "__main__":
    with simulator(rate="100") as running:
        asyncio.run(run(running))
    say("Kalshi REST: the official SDK and the simulator agree")
