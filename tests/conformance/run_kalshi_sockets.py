"""pykalshi-client 1.3.0 against the simulated Kalshi's WebSocket: numbers without a gap, books after N deltas.

The client counts the numbers of ``ok`` frames too and raises on any gap; it sends its commands as binary frames. Books
are kept from the frames it hands on and compared with the engine's at the same millisecond.
"""

import asyncio
import json
import os
from collections import Counter, defaultdict
from decimal import Decimal

from pykalshi.auth import KalshiCredentials
from pykalshi.config import ClientConfig
from pykalshi.ws_client import KalshiWebSocketClient
from simulator import Json, Simulator, check, eventually, say, simulator

STREAM_S = float(os.environ.get("CONFORMANCE_STREAM_S", "8"))
LEAST_DELTAS = 500

Book = dict[str, dict[Decimal, Decimal]]


class Replay:
    """Books by ticker and side, and every state by the millisecond of its last delta."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}
        self.states: dict[str, dict[int, Book]] = defaultdict(dict)
        self.kinds: Counter[str] = Counter()
        self.below_zero = 0

    async def take(self, text: str) -> None:
        """Take one frame as the client hands it on."""
        frame = json.loads(text)
        self.kinds[frame["type"]] += 1
        if frame["type"] == "orderbook_snapshot":
            body = frame["msg"]
            self.books[body["market_ticker"]] = {
                side: {Decimal(price): Decimal(count) for price, count in body.get(f"{side}_dollars_fp", [])}
                for side in ("yes", "no")
            }
        elif frame["type"] == "orderbook_delta":
            self._change(frame["msg"])

    def _change(self, body: Json) -> None:
        book = self.books[body["market_ticker"]]
        levels, price = book[body["side"]], Decimal(body["price_dollars"])
        levels[price] = levels.get(price, Decimal(0)) + Decimal(body["delta_fp"])
        self.below_zero += levels[price] < 0
        if not levels[price]:
            del levels[price]
        copied = {side: dict(found) for side, found in book.items()}
        self.states[body["market_ticker"]][body["ts_ms"]] = copied


def engine(book: Json) -> Book:
    """Return the engine's book as the wire has it: bids of both outcomes."""
    return {
        "yes": {Decimal(price): Decimal(size) for price, size in book["bids"]},
        "no": {1 - Decimal(price): Decimal(size) for price, size in book["asks"]},
    }


async def compare(sim: Simulator, replay: Replay) -> int:
    """Compare every book with the engine's as of the engine's last change."""
    truth = (await asyncio.to_thread(sim.control, "/books"))["kalshi"]
    compared = 0
    for ticker, states in replay.states.items():
        at_ms = truth[ticker]["ts_ms"]
        await eventually(
            lambda states=states, at_ms=at_ms: max(states) >= at_ms,
            lambda ticker=ticker, at_ms=at_ms: f"a delta of {ticker} as late as {at_ms}",
        )
        check(states.get(at_ms) == engine(truth[ticker]), f"{ticker} at {at_ms}: replay and engine differ")
        compared += 1
    return compared


async def run(sim: Simulator) -> None:
    kalshi = sim.ready["kalshi"]
    host = kalshi["rest_url"].removesuffix("/trade-api/v2")
    config = ClientConfig(
        http_base_url=host, ws_base_url=host.replace("http", "ws"), auto_configure_rates=False, max_retries=0
    )
    replay = Replay()
    credentials = KalshiCredentials.from_key_file(kalshi["key_id"], kalshi["private_key_file"])
    client = KalshiWebSocketClient(credentials, config, on_message_callback=replay.take)
    await client.connect()
    listening = asyncio.create_task(client.listener_loop())
    tickers = sorted(sim.control("/books")["kalshi"])
    half = len(tickers) // 2
    await client.add_markets(tickers[:half], ["orderbook_delta", "trade", "ticker"])
    await eventually(lambda: len(replay.books) == half, lambda: "the first snapshots")
    await client.add_markets(tickers[half:], ["orderbook_delta"])
    await eventually(lambda: len(replay.books) == len(tickers), lambda: "the snapshots of the added markets")
    await asyncio.sleep(STREAM_S)
    compared = await compare(sim, replay)
    check(not listening.done(), f"the client gave up: {listening.exception() if listening.done() else ''}")
    check(replay.below_zero == 0, "a level fell below zero")
    check(replay.kinds["orderbook_delta"] >= LEAST_DELTAS, f"too few deltas: {replay.kinds}")
    check(compared > len(tickers) // 2, f"only {compared} books could be compared")
    check(replay.kinds["trade"] and replay.kinds["ticker"], f"no trades or tickers: {replay.kinds}")
    await client.close()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    say(f"pykalshi-client: {compared} books equal the engine's after {dict(sorted(replay.kinds.items()))}, no gap")


if __name__ == "__main__":
    with simulator(rate="400") as running:
        asyncio.run(run(running))
    say("Kalshi WebSocket: pykalshi-client and the simulator agree")
