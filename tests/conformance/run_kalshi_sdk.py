"""kalshi-sdk 22.4.0 against the simulated Kalshi: its models as a second opinion, typed frames of every channel.

It wants both sides of a snapshot and a field that the venue has removed, so those two switches are on. Orders are sent
with the official SDK; what the private channels say of them is compared with its answers. Needs Python 3.13, because
both run in one environment.
"""

import asyncio
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from kalshi import AsyncKalshiClient, KalshiAuth, KalshiConfig, KalshiConflictError
from kalshi.models.orders import CreateOrderV2Request
from kalshi.ws import KalshiWebSocket
from kalshi_python_async import Configuration, KalshiClient
from simulator import Simulator, check, eventually, say, simulator

STREAM_S = float(os.environ.get("CONFORMANCE_STREAM_S", "8"))


class Heard:
    """Everything the typed client has handed on, by channel."""

    def __init__(self) -> None:
        self.by_channel: dict[str, list[Any]] = {}
        self.last_ts_ms: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def listen(self, channel: str, stream: Any) -> None:
        """Read a stream from now on."""
        self.by_channel[channel] = []
        self._tasks.append(asyncio.create_task(self._read(channel, stream)))

    def __getitem__(self, channel: str) -> list[Any]:
        return self.by_channel[channel]

    async def close(self) -> None:
        """Read no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, channel: str, stream: Any) -> None:
        async for message in stream:
            self.by_channel[channel].append(message)
            if channel == "books" and message.type == "orderbook_delta":
                self.last_ts_ms[message.msg.market_ticker] = message.msg.ts_ms


def official_client(sim: Simulator) -> KalshiClient:
    """Return the official SDK's client, pointed at the simulator."""
    kalshi = sim.ready["kalshi"]
    official = Configuration(host=kalshi["rest_url"])
    official.api_key_id = kalshi["key_id"]
    official.private_key_pem = Path(kalshi["private_key_file"]).read_text()
    return KalshiClient(official)


async def rest(auth: KalshiAuth, config: KalshiConfig, sim: Simulator) -> None:
    """Read the listings, books and the account, and send one order, through kalshi-sdk's models."""
    sim.control("/_fault", {"venue": "kalshi", "name": "emit_liquidity_dollars", "times": 1})
    client = AsyncKalshiClient(auth=auth, config=config)
    try:
        markets = [market async for market in client.markets.list_all(status="open")]
        truth = set(sim.control("/books")["kalshi"])
        check({market.ticker for market in markets} == truth, "kalshi-sdk lists other markets")
        book = await client.markets.orderbook(markets[0].ticker, depth=5)
        check(len(book.yes) <= 5, "depth=5 gave more levels")
        order = CreateOrderV2Request(
            ticker=markets[0].ticker,
            side="bid",
            count="1.00",
            price="0.0100",
            time_in_force="immediate_or_cancel",
            self_trade_prevention_type="taker_at_cross",
            client_order_id="sdk-1",
        )
        made = await client.orders.create_v2(request=order)
        check((made.fill_count, made.client_order_id) == (0, "sdk-1"), f"kalshi-sdk's order: {made}")
        try:
            await client.orders.create_v2(request=order)
        except KalshiConflictError:
            pass
        else:
            check(False, "a client order id was taken twice")
        balance = await client.portfolio.balance()
        read = await client.orders.get(made.order_id)
        check(read.status == "canceled", f"kalshi-sdk reads {read}")
        say(f"kalshi-sdk: {len(markets)} markets, a book, an order and the balance ({balance.balance}) accepted")
    finally:
        await client.close()


async def run(sim: Simulator) -> None:
    kalshi = sim.ready["kalshi"]
    sim.control("/_fault", {"venue": "kalshi", "name": "always_both_sides", "times": 1})
    auth = KalshiAuth.from_key_path(kalshi["key_id"], kalshi["private_key_file"])
    config = KalshiConfig(base_url=kalshi["rest_url"], ws_base_url=kalshi["ws_url"], max_retries=0)
    await rest(auth, config, sim)
    trading = official_client(sim)
    tickers = sorted(sim.control("/books")["kalshi"])
    heard = Heard()
    socket = KalshiWebSocket(auth=auth, config=config)
    try:
        async with socket.connect() as session:
            heard.listen("fills", await session.subscribe_fill())
            heard.listen("orders", await session.subscribe_user_orders())
            heard.listen("positions", await session.subscribe_market_positions())
            heard.listen("lifecycle", await session.subscribe_market_lifecycle())
            # Books come last: while it waits for an acknowledgement, this client throws other frames away.
            heard.listen("books", await session.subscribe_orderbook_delta(tickers=tickers, maxsize=100_000))
            await eventually(lambda: len(heard["books"]) >= len(tickers), lambda: "a snapshot of every market")
            await asyncio.sleep(STREAM_S)
            compared = await books(session, sim, heard)
            await trade(trading, sim, heard)
    finally:
        await heard.close()
        await trading.close()
    deltas = sum(message.type == "orderbook_delta" for message in heard["books"])
    check(deltas > 100, f"only {deltas} deltas")
    say(f"kalshi-sdk: {compared} books equal the engine's after {deltas} typed deltas")


async def books(session: Any, sim: Simulator, heard: Heard) -> int:
    """Compare the client's own books with the engine's while neither moves."""
    equal = 0
    for ticker in sorted(heard.last_ts_ms):
        truth = (await asyncio.to_thread(sim.control, "/books"))["kalshi"][ticker]
        await eventually(
            lambda ticker=ticker, truth=truth: heard.last_ts_ms[ticker] >= truth["ts_ms"],
            lambda ticker=ticker: f"the newest delta of {ticker}",
        )
        book = session._orderbook_mgr.get(ticker)
        if heard.last_ts_ms[ticker] == truth["ts_ms"]:
            told = (
                {level.price: level.quantity for level in book.yes},
                {level.price: level.quantity for level in book.no},
            )
            bids = {Decimal(price): Decimal(size) for price, size in truth["bids"]}
            asks = {1 - Decimal(price): Decimal(size) for price, size in truth["asks"]}
            check(told == (bids, asks), f"{ticker}: kalshi-sdk's book differs from the engine's")
            equal += 1
    check(equal > len(heard.last_ts_ms) // 2, f"only {equal} books could be compared")
    return equal


async def trade(client: KalshiClient, sim: Simulator, heard: Heard) -> None:
    """Take, rest, cancel and settle; every private message must tell the same."""
    held = sim.control("/books")["kalshi"]
    two_sided = [ticker for ticker in sorted(held) if held[ticker]["bids"] and held[ticker]["asks"]]
    terms = {"self_trade_prevention_type": "taker_at_cross", "side": "bid"}
    taken = await client.create_order_v2(
        ticker=two_sided[0],
        count="2",
        price="0.9900",
        time_in_force="immediate_or_cancel",
        client_order_id="t-1",
        **terms,
    )
    rested = await client.create_order_v2(
        ticker=two_sided[1],
        count="5",
        price="0.0100",
        time_in_force="good_till_canceled",
        client_order_id="t-2",
        **terms,
    )
    await client.cancel_order_v2(order_id=rested.order_id)
    sim.cause("kalshi", "settle", two_sided[0], "yes")
    await eventually(lambda: len(heard["lifecycle"]) >= 2 and len(heard["orders"]) >= 3, lambda: "private messages")
    fills = [message.msg for message in heard["fills"]]
    check(sum(fill.count for fill in fills) == Decimal(taken.fill_count) == 2, f"fills: {fills}")
    check({fill.client_order_id for fill in fills} == {"t-1"}, "a fill names another order")
    check(heard["positions"][-1].msg.position == 2, f"position: {heard['positions'][-1]}")
    states = [(message.msg.client_order_id, message.msg.status) for message in heard["orders"]]
    check(states == [("t-1", "executed"), ("t-2", "resting"), ("t-2", "canceled")], f"user orders: {states}")
    events = [message.msg.event_type for message in heard["lifecycle"]]
    check(events == ["determined", "settled"], f"lifecycle: {events}")
    say(f"kalshi-sdk: fills {len(fills)}, user orders {states}, lifecycle {events}: as the official SDK was answered")


if __name__ == "__main__":
    with simulator(rate="150") as running:
        asyncio.run(run(running))
    say("Kalshi WebSocket: kalshi-sdk and the simulator agree")
