"""A simulated Kalshi on a free port, and an ordinary client of it, for the tests of this folder."""

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import websockets
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.kalshi_rest import REST_PREFIX
from services.venue_sim.kalshi_server import create_app
from services.venue_sim.kalshi_ws import WS_PATH
from services.venue_sim.ready import ThrowAwayKey
from services.venue_sim.servers import Door, listening
from services.venue_sim.stats import Stats
from services.venue_sim.world import World

Json = dict[str, Any]

START_MS = 1_795_284_000_000
KEY = ThrowAwayKey.make()


class SimulatedKalshi:
    """The venue, its world and its clock, which only the test moves."""

    def __init__(self, **app_options: Any) -> None:
        self.now_ms = START_MS
        self.world = World(seed=21, start_ms=START_MS, operations_per_s=400)
        self.stats = Stats()
        self.faults = Faults()
        self.app = create_app(
            self.world,
            authenticator=Authenticator(KEY.public_keys, lambda: self.now_ms),
            stats=self.stats,
            faults=self.faults,
            **app_options,
        )
        self.address = ""
        self.http: aiohttp.ClientSession

    def pass_time(self, ms: int) -> None:
        """Let the world live for a while."""
        for _ in range(ms // 50):
            self.now_ms += 50
            self.world.step(self.now_ms)

    def headers(self, method: str, path: str, *, key_id: str = KEY.key_id, early_ms: int = 0) -> dict[str, str]:
        """Return the headers of a signed request."""
        timestamp = str(self.now_ms + early_ms)
        pss = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)
        signature = KEY.private_key.sign(f"{timestamp}{method}{path}".encode(), pss, SHA256())
        return {
            "KALSHI-ACCESS-KEY": key_id,
            "KALSHI-ACCESS-TIMESTAMP": timestamp,
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
        }

    async def get(self, path: str, **params: str) -> Json:
        """Return the body of an answer with status 200."""
        status, body = await self.ask("GET", path, params=params)
        assert status == 200, body
        return body

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Json]:
        """Return status and body of any answer."""
        async with self.http.request(method, f"http://{self.address}{REST_PREFIX}{path}", **options) as answer:
            body = await answer.read()
            return answer.status, msgspec.json.decode(body) if body else {}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["KalshiClient"]:
        """Open a signed WebSocket."""
        headers = self.headers("GET", WS_PATH)
        url = f"ws://{self.address}{WS_PATH}"
        async with websockets.connect(url, additional_headers=headers, max_size=None, compression=None) as ws:
            yield KalshiClient(ws)


@asynccontextmanager
async def running_kalshi(**app_options: Any) -> AsyncIterator[SimulatedKalshi]:
    """Run a venue while the block runs."""
    venue = SimulatedKalshi(**app_options)
    door = Door(name="Kalshi", app=venue.app, host="127.0.0.1", port=0, variable="")
    async with listening(door) as [venue.address], aiohttp.ClientSession() as venue.http:
        yield venue


class KalshiClient:
    """Sends commands, reads frames, keeps books: written from the venue's documents, not from the simulator."""

    def __init__(self, ws: websockets.ClientConnection) -> None:
        self.ws = ws
        self.frames: list[Json] = []
        self.books: dict[str, dict[str, dict[int, int]]] = {}
        """By ticker and side (``yes``, ``no``): hundredths of contracts by ten-thousandths of a dollar."""
        self.went_below_zero = False
        self._id = 0

    async def command(self, cmd: str, *, binary: bool = False, **params: Any) -> int:
        """Send a command and return its id."""
        self._id += 1
        data = msgspec.json.encode({"id": self._id, "cmd": cmd, "params": params})
        await self.ws.send(data if binary else data.decode())
        return self._id

    async def next(self) -> Json:
        """Return the next frame and keep the books with it."""
        frame: Json = msgspec.json.decode(await self.ws.recv())
        self.frames.append(frame)
        if frame["type"] == "orderbook_snapshot":
            self._replace(frame["msg"])
        elif frame["type"] == "orderbook_delta":
            self._change(frame["msg"])
        return frame

    async def until(self, *kinds: str) -> Json:
        """Read on until a frame of one of these types comes."""
        while True:
            frame = await self.next()
            if frame["type"] in kinds:
                return frame

    async def caught_up(self) -> None:
        """Read everything the venue has sent so far: ask something and wait for its answer."""
        asked = await self.command("list_subscriptions")
        while (frame := await self.next()).get("id") != asked:
            assert frame["type"] != "error", frame

    def sequence(self, sid: int) -> list[int]:
        """Return the numbers taken on a subscription, in the order they came."""
        return [frame["seq"] for frame in self.frames if frame.get("sid") == sid and "seq" in frame]

    def _replace(self, msg: Json) -> None:
        self.books[msg["market_ticker"]] = {
            side: {e4(price): hundredths(count) for price, count in msg.get(f"{side}_dollars_fp", [])}
            for side in ("yes", "no")
        }

    def _change(self, msg: Json) -> None:
        levels = self.books[msg["market_ticker"]][msg["side"]]
        price = e4(msg["price_dollars"])
        levels[price] = levels.get(price, 0) + hundredths(msg["delta_fp"])
        self.went_below_zero |= levels[price] < 0
        if not levels[price]:
            del levels[price]


def book_of(venue: SimulatedKalshi, ticker: str, *, yes_scale: bool = False) -> dict[str, dict[int, int]]:
    """Return the world's book as a client should have it."""
    book = venue.world.kalshi_markets[ticker].book
    return {
        "yes": {price: size // 10_000 for price, size in book.bids()},
        "no": {price if yes_scale else 10_000 - price: size // 10_000 for price, size in book.asks()},
    }


def ts_groups(frames: list[Json]) -> Iterator[tuple[str, list[Json]]]:
    """Yield runs of deltas with the identical ``ts`` of one market."""
    group: list[Json] = []
    for frame in frames:
        msg = frame["msg"]
        if group and (group[-1]["ts"], group[-1]["market_ticker"]) != (msg["ts"], msg["market_ticker"]):
            yield group[0]["ts"], group
            group = []
        group.append(msg)
    if group:
        yield group[0]["ts"], group


def e4(text: str) -> int:
    """Return a price in ten-thousandths; it must have four decimals."""
    whole, _, fraction = text.partition(".")
    assert len(fraction) == 4, text
    return int(whole) * 10_000 + int(fraction)


def hundredths(text: str) -> int:
    """Return a count in hundredths; it must have two decimals."""
    whole, _, fraction = text.partition(".")
    assert len(fraction) == 2, text
    return int(whole + fraction)
