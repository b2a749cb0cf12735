"""Recorded venues in one process with the tests, and independent readings of the same files."""

import asyncio
import gzip
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.venue_sim import recorded
from services.venue_sim.kalshi_auth import Authenticator

NOW_MS = 1_795_300_000_000
KEY = Ed25519PrivateKey.generate()
WS_PATH = "/trade-api/ws/v2"

Client = TestClient[Any, Any]
Books = dict[str, dict[tuple[str, str], Decimal]]


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[Client]:
    async with TestClient(TestServer(app)) as client:
        yield client


def kalshi_app(world: recorded.RecordedWorld, **options: Any) -> web.Application:
    authenticator = Authenticator({"key": KEY.public_key()}, lambda: NOW_MS)
    return recorded.create_kalshi_app(world, authenticator=authenticator, **options)


def polymarket_app(world: recorded.RecordedWorld, **options: Any) -> web.Application:
    return recorded.create_polymarket_app(world, now_ms=lambda: NOW_MS, **options)


def signed() -> dict[str, str]:
    signature = KEY.sign(f"{NOW_MS}GET{WS_PATH}".encode())
    return {
        "KALSHI-ACCESS-KEY": "key",
        "KALSHI-ACCESS-TIMESTAMP": str(NOW_MS),
        "KALSHI-ACCESS-SIGNATURE": b64encode(signature).decode(),
    }


async def get(client: Client, path: str, **params: str) -> Any:
    async with client.get(path, params=params) as response:
        assert response.status == 200, (path, await response.text())
        return json.loads(await response.text())


async def until(ws: ClientWebSocketResponse, enough: Callable[[list[Any]], bool]) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(30):
        while not enough(found):
            message = await ws.receive()
            assert message.type == WSMsgType.TEXT, message
            found.append(json.loads(message.data))
    return found


# --- independent readings of the same files -----------------------------------------------------------------------


def received(path: Path) -> list[Any]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    values = [json.loads(line) for line in text.splitlines() if line.strip()]
    return [value["msg"] if "dir" in value else value for value in values if not _is_sent(value)]


def _is_sent(value: Any) -> bool:
    return isinstance(value, dict) and value.get("dir") == "out"


def kalshi_frames(folder: Path) -> list[tuple[bool, dict[str, Any]]]:
    """Every recorded book frame with whether its NO prices are YES prices, file after file."""
    paths = sorted(path for path in folder.rglob("ws_*") if path.is_file())
    return [
        ("use_yes_price_true" in path.name, frame)
        for path in paths
        for frame in received(path)
        if isinstance(frame, dict) and str(frame.get("type", "")).startswith("orderbook")
    ]


def kept_books(frames: list[tuple[bool, dict[str, Any]]]) -> Books:
    books: Books = {}
    for yes_scale, frame in frames:
        msg = frame["msg"]
        book = books.setdefault(msg["market_ticker"], {})

        def key(side: str, price: str, yes_scale: bool = yes_scale) -> tuple[str, str]:
            return side, f"{1 - Decimal(price):.4f}" if yes_scale and side == "no" else price

        if frame["type"] == "orderbook_snapshot":
            book.clear()
            for side in ("yes", "no"):
                for price, size in msg.get(f"{side}_dollars_fp", []):
                    book[key(side, price)] = Decimal(size)
            continue
        level = key(msg["side"], msg["price_dollars"])
        book[level] = book.get(level, Decimal(0)) + Decimal(msg["delta_fp"])
        assert book[level] >= 0
        if not book[level]:
            del book[level]
    return books


SMALL = [
    "ws_prod_mlb_multi_ticker_20260807.jsonl",
    "ws_demo_use_yes_price_false_20260611.jsonl",
    "ws_demo_use_yes_price_true_20260611.jsonl",
    "ws_demo_transcript_all_channels_20260917.jsonl",
    "ws_prod_btc15m_20260515T2132Z_conn3.jsonl.gz",
    "ws_prod_btc15m_20260515T2132Z_conn4.jsonl.gz",
    "ws_prod_btc15m_20260515T2132Z_conn6.jsonl.gz",
]


def polymarket_bodies(folder: Path) -> list[dict[str, Any]]:
    paths = sorted(folder.glob("ws_*"))
    frames = [frame for path in paths for frame in received(path)]
    bodies = [body for frame in frames for body in (frame if isinstance(frame, list) else [frame])]
    return [body for body in bodies if isinstance(body, dict)]


def final_levels(bodies: list[dict[str, Any]]) -> dict[str, dict[tuple[str, str], str]]:
    books: dict[str, dict[tuple[str, str], str]] = {}
    for body in bodies:
        if body["event_type"] == "book":
            sides = (("BUY", "bids"), ("SELL", "asks"))
            levels = {(side, one["price"]): one["size"] for side, key in sides for one in body[key]}
            books[body["asset_id"]] = levels
        for entry in body.get("price_changes", []):
            if entry["asset_id"] in books:
                books[entry["asset_id"]][entry["side"], entry["price"]] = entry["size"]
    return {token: {level: size for level, size in book.items() if size != "0"} for token, book in books.items()}
