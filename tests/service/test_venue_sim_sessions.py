"""The product's own conversations understand the simulated and the recorded venues: no refusal, no gap, equal books."""

import asyncio
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient

from services.venue_sim import recorded
from services.venue_sim.polymarket_live import create_app
from services.venue_sim.world import World
from shared.domain.market import Market, MarketId, MarketStatus
from shared.venues.kalshi import catalog as kalshi_catalog
from shared.venues.kalshi.session import KalshiSession
from shared.venues.polymarket.asset_book import AssetTerms
from shared.venues.polymarket.catalog import NotListed, market_from_gamma
from shared.venues.polymarket.gamma import markets_of, read_event, read_events_page, read_market
from shared.venues.polymarket.session import PolymarketSession
from tests.service import recorded_venues as files
from tests.shared_folder import shared_folder

START_MS = 1_795_300_000_000
TODAY = date(2026, 11, 21)

Client = TestClient[Any, Any]


async def polymarket_listing(client: Client) -> list[Market | NotListed]:
    found: list[Market | NotListed] = []
    cursor: dict[str, str] = {}
    while True:
        async with client.get("/gamma/events/keyset", params={"limit": "100", **cursor}) as response:
            page = read_events_page(await response.read())
        for raw_event in page.events:
            event = read_event(raw_event)
            found += [market_from_gamma(read_market(raw), event, read_on=TODAY) for raw in markets_of(event)]
        if not page.next_cursor:
            return found
        cursor = {"after_cursor": page.next_cursor}


def terms_of(market: Market, *, neg_risk: bool) -> AssetTerms:
    return AssetTerms(
        market_id=market.market_id,
        condition_id=market.market_id,
        min_order_size=f"{market.min_contracts.normalize():f}",
        tick_size=f"{market.price_steps[0].step_dollars.normalize():f}",
        neg_risk=neg_risk,
    )


async def converse(client: Client, session: PolymarketSession, world: World | None, frames: int) -> None:
    """Let the session talk to the venue until it has received ``frames`` frames; hashes are checked burst by burst."""
    session.connected()
    last: tuple[str, str] | None = None
    async with client.ws_connect("/ws/market", max_msg_size=1 << 25) as ws, asyncio.timeout(30):
        for text in session.data_to_send():
            await ws.send_str(text)
        for number in range(frames):
            message = await ws.receive()
            assert message.type == WSMsgType.TEXT, message
            body = json.loads(message.data)
            if number == 0 and world is not None:
                for step in range(1, 61):
                    world.step(START_MS + step * 50)
            key = (body["market"], body["timestamp"]) if isinstance(body, dict) else None
            if key != last:
                session.settle()
            last = key
            session.receive(message.data, number)
    session.settle()


async def test_the_polymarket_session_verifies_every_hash_of_the_simulated_world() -> None:
    world = World(seed=11, start_ms=START_MS, operations_per_s=300)
    app = create_app(world, now_ms=lambda: START_MS, trade_delay_s=0.0)
    async with files.serving(app) as client:
        listed = [market for market in await polymarket_listing(client) if isinstance(market, Market)]
        assert {market.market_id for market in listed} == set(world.polymarket_markets)
        assert all(market.status is MarketStatus.OPEN and market.fees is not None for market in listed)
        neg_risk = {market_id: market.event.neg_risk for market_id, market in world.polymarket_markets.items()}
        assets = {m.token_ids[0]: terms_of(m, neg_risk=neg_risk[m.market_id]) for m in listed}
        session = PolymarketSession(assets, custom_features=False)
        sent: list[int] = []
        world.subscribe(
            lambda op: (
                sent.append(len(op.changes) + (2 if op.trade else 0)) if op.market.venue == "polymarket" else None
            )
        )
        await converse(client, session, world, 1 + 300)
    assert sum(sent) >= 300
    assert session.hash_matches > 100
    assert (session.hash_mismatches, sum(session.refused.values())) == (0, 0)


async def test_the_polymarket_session_ends_with_the_books_of_the_recordings() -> None:
    folder = shared_folder("captures/polymarket")
    world = recorded.load(folder)
    bodies = files.polymarket_bodies(folder)
    wanted = files.final_levels(bodies)
    async with files.serving(files.polymarket_app(world)) as client:
        listed = [market for market in await polymarket_listing(client) if isinstance(market, Market)]
        streamed = {line["condition_id"]: line for line in world.manifest()["polymarket"] if line["recordings"]}
        booked = [m for m in listed if m.market_id in streamed and m.token_ids[0] in wanted]
        assert len(booked) == 5
        assert all(market.status is MarketStatus.OPEN for market in booked)
        session = PolymarketSession({m.token_ids[0]: AssetTerms(market_id=m.market_id) for m in booked})
        tokens = {market.token_ids[0] for market in booked}
        frames = [body for body in bodies if _concerns(body, tokens)]
        await converse(client, session, None, 1 + len(frames) - len(booked))
    assert sum(session.refused.values()) == 0
    for market in booked:
        state = session.book_state(market.market_id)
        assert state is not None, market.market_id
        levels = wanted[market.token_ids[0]]
        for side, held in (("BUY", state.book.bids()), ("SELL", state.book.asks())):
            shown = {
                (round(float(price) * 1e4), round(float(size) * 1e6))
                for (s, price), size in levels.items()
                if s == side
            }
            assert set(held) == shown


def _concerns(body: dict[str, Any], tokens: set[str]) -> bool:
    named = {entry["asset_id"] for entry in body.get("price_changes", [])} or {body["asset_id"]}
    return not named.isdisjoint(tokens)


async def test_the_kalshi_session_ends_with_the_books_of_the_recordings(tmp_path: Path) -> None:
    source = shared_folder("captures/kalshi")
    for path in source.iterdir():
        if path.name.startswith("rest_") or path.name in files.SMALL:
            (tmp_path / path.name).symlink_to(path)
    world = recorded.load(tmp_path)
    tickers = [MarketId(line["ticker"]) for line in world.manifest()["kalshi"] if line["book_frames"]]
    expected = files.kalshi_frames(tmp_path)
    session = KalshiSession(tickers)
    async with files.serving(files.kalshi_app(world)) as client:
        await _read_listing(client, tickers)
        session.connected()
        async with client.ws_connect(files.WS_PATH, headers=files.signed(), max_msg_size=1 << 25) as ws:
            books = 0
            async with asyncio.timeout(30):
                while books < len(expected):
                    for text in session.data_to_send():
                        await ws.send_str(text)
                    frame = str((await ws.receive()).data).encode()
                    books += b'"type":"orderbook' in frame
                    session.receive(frame, 0)
    session.settle()
    assert (session.counts.gaps, session.counts.refused) == (0, Counter())
    wanted = files.kept_books(expected)
    assert len(tickers) > 12
    for ticker in tickers:
        book = session.book(ticker)
        assert book is not None, ticker
        held = {("yes", p): s for p, s in book.yes_bids.sizes_e6.items()} | {
            ("no", p): s for p, s in book.no_bids.sizes_e6.items()
        }
        assert held == {
            (side, int(price_dollars * 10_000)): int(size * 1_000_000)
            for (side, price_dollars), size in _exact(wanted[ticker])
        }


def _exact(book: dict[tuple[str, str], Any]) -> list[tuple[tuple[str, Any], Any]]:
    return [((side, type(size)(price)), size) for (side, price), size in book.items()]


async def _read_listing(client: Client, tickers: list[MarketId]) -> None:
    """Every recorded event is readable, and each of ``tickers`` is listed as open with fees."""
    params = {"with_nested_markets": "true", "status": "open", "limit": "200"}
    listed: dict[MarketId, Market] = {}
    async with client.get("/trade-api/v2/series") as response:
        series = kalshi_catalog.read_all_series(await response.read())
    while True:
        async with client.get("/trade-api/v2/events", params=params) as response:
            page = kalshi_catalog.read_events(await response.read())
        assert page.refused == []
        for event, markets in page.events:
            for rest in markets:
                market = kalshi_catalog.market(rest, event, series, read_on=TODAY)
                listed[market.market_id] = market
        if not page.cursor:
            break
        params["cursor"] = page.cursor
    for ticker in tickers:
        assert listed[ticker].status is MarketStatus.OPEN
        assert listed[ticker].fees is not None
