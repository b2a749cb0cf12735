"""Recorded mode: every recorded frame reaches a client that subscribes, and every book ends where the frames end."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse

from services.venue_sim import recorded
from services.venue_sim.control import Observed, create_control_app
from services.venue_sim.recorded_files import UnreadableRecording
from tests.service.recorded_venues import (
    NOW_MS,
    SMALL,
    WS_PATH,
    Client,
    final_levels,
    get,
    kalshi_app,
    kalshi_frames,
    kept_books,
    polymarket_app,
    polymarket_bodies,
    received,
    serving,
    signed,
    until,
)
from tests.shared_folder import shared_folder

# --- Kalshi -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_folder(tmp_path: Path) -> Path:
    source = shared_folder("captures/kalshi")
    for name in SMALL:
        (tmp_path / name).symlink_to(source / name)
    return tmp_path


async def subscribe_kalshi(client: Client, tickers: list[str], **params: Any) -> ClientWebSocketResponse:
    ws = await client.ws_connect(WS_PATH, headers=signed(), max_msg_size=1 << 25)
    command = {"channels": ["orderbook_delta"], "market_tickers": tickers, **params}
    await ws.send_json({"id": 1, "cmd": "subscribe", "params": command})
    return ws


@pytest.mark.parametrize("yes_scale", [False, True])
async def test_kalshi_frames_arrive_renumbered_without_a_gap_and_every_book_ends_as_recorded(
    small_folder: Path, yes_scale: bool
) -> None:
    expected = kalshi_frames(small_folder)
    tickers = list(dict.fromkeys(frame["msg"]["market_ticker"] for _, frame in expected))
    assert len(tickers) > 12
    async with serving(kalshi_app(recorded.load(small_folder))) as client:
        ws = await subscribe_kalshi(client, tickers, use_yes_price=yes_scale)
        frames = await until(ws, lambda found: len(found) == 1 + len(expected))
        await ws.send_json(
            {
                "id": 9,
                "cmd": "update_subscription",
                "params": {"sid": 1, "action": "get_snapshot", "market_tickers": tickers},
            }
        )
        snapshots = await until(ws, lambda found: len(found) == len(tickers))
        rest = {ticker: await get(client, f"/trade-api/v2/markets/{ticker}/orderbook") for ticker in tickers}
    assert frames[0]["type"] == "subscribed"
    assert [frame["seq"] for frame in frames[1:]] == list(range(1, len(expected) + 1))
    assert {frame["sid"] for frame in frames[1:]} == {1}
    wanted = kept_books(expected)
    assert kept_books([(yes_scale, frame) for frame in frames[1:]]) == wanted
    assert kept_books([(yes_scale, frame) for frame in snapshots]) == wanted
    for ticker, body in rest.items():
        sides = body["orderbook_fp"]
        held = {(side, p): Decimal(size) for side in ("yes", "no") for p, size in sides[f"{side}_dollars"]}
        assert held == wanted[ticker], ticker


async def test_frames_of_one_recording_keep_their_order_across_markets_and_nothing_else_is_sent(
    small_folder: Path,
) -> None:
    recording = [f for f in received(small_folder / SMALL[0]) if f["type"].startswith("orderbook")]
    tickers = list(dict.fromkeys(frame["msg"]["market_ticker"] for frame in recording))[:5]
    wanted = [frame["msg"] for frame in recording if frame["msg"]["market_ticker"] in tickers]
    async with serving(kalshi_app(recorded.load(small_folder))) as client:
        ws = await subscribe_kalshi(client, tickers)
        frames = await until(ws, lambda found: len(found) == 1 + len(wanted))
        await ws.send_json({"id": 2, "cmd": "list_subscriptions"})
        [answer] = await until(ws, lambda found: len(found) == 1)
    assert [frame["msg"] for frame in frames[1:]] == wanted
    assert answer["type"] == "ok"


async def test_a_market_with_frames_only_is_found_by_discovery_under_its_event(small_folder: Path) -> None:
    async with serving(kalshi_app(recorded.load(small_folder))) as client:
        body = await get(client, "/trade-api/v2/events", with_nested_markets="true", status="open")
        series = await get(client, "/trade-api/v2/series/KXBTC15M")
    [event] = [one for one in body["events"] if one["event_ticker"] == "KXBTC15M-26MAY151800"]
    assert [market["ticker"] for market in event["markets"]] == ["KXBTC15M-26MAY151800-00"]
    assert (event["series_ticker"], event["markets"][0]["status"]) == ("KXBTC15M", "active")
    assert event["markets"][0]["price_ranges"][0]["step"] in ("0.0100", "0.0010")
    assert series["series"]["fee_type"] == "quadratic"


def test_a_recording_with_missing_frames_is_refused_by_file_and_place(tmp_path: Path) -> None:
    path = tmp_path / "ws_gap.jsonl"
    one = {"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": {"market_ticker": "T-1-A", "market_id": ""}}
    path.write_text("\n".join(json.dumps(frame) for frame in (one, {**one, "seq": 3})))
    with pytest.raises(UnreadableRecording, match=r"ws_gap\.jsonl, message 2: sid 1 goes from seq 1 to 3"):
        recorded.load(tmp_path)


def test_a_broken_file_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "rest_x.jsonl").write_text('{"a":1}\n{"a":\n')
    with pytest.raises(UnreadableRecording, match=r"rest_x\.jsonl, line 2: not JSON"):
        recorded.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder of recordings"):
        recorded.load(tmp_path / "none")


# --- Polymarket ---------------------------------------------------------------------------------------------------


async def test_every_polymarket_frame_is_replayed_and_every_book_ends_as_recorded() -> None:
    folder = shared_folder("captures/polymarket")
    expected = polymarket_bodies(folder)
    world = recorded.load(folder)
    tokens = [token for line in world.manifest()["polymarket"] for token in line["token_ids"] if line["recordings"]]
    books = [body for body in expected if body["event_type"] == "book"]
    opening = len({body["asset_id"] for body in books})
    async with serving(polymarket_app(world)) as client:
        ws = await client.ws_connect("/ws/market", max_msg_size=1 << 25)
        await ws.send_json({"type": "market", "assets_ids": tokens})
        frames = await until(ws, lambda found: len(found) == 1 + len(expected) - opening)
        rest = {body["asset_id"]: await get(client, "/book", token_id=body["asset_id"]) for body in books}
    [dump, *rest_of_frames] = frames
    assert len(dump) == opening
    assert sorted(map(json.dumps, [*dump, *rest_of_frames])) == sorted(map(json.dumps, expected))
    wanted = final_levels(expected)
    assert final_levels([*dump, *rest_of_frames]) == wanted
    for token, book in rest.items():
        shown = {("BUY", one["price"]): one["size"] for one in book["bids"]}
        shown |= {("SELL", one["price"]): one["size"] for one in book["asks"]}
        assert shown == wanted[token]


async def test_a_client_of_one_token_gets_its_markets_changes_in_order_and_no_other_markets() -> None:
    folder = shared_folder("captures/polymarket")
    world = recorded.load(folder)
    line = next(line for line in world.manifest()["polymarket"] if line["recordings"] and line["tokens_with_book"])
    condition, token = line["condition_id"], line["tokens_with_book"][0]
    bodies = [body for body in polymarket_bodies(folder) if body["market"] == condition]
    wanted = [body for body in bodies if body.get("asset_id", token) == token]
    async with serving(polymarket_app(world)) as client:
        ws = await client.ws_connect("/ws/market", max_msg_size=1 << 25)
        await ws.send_json({"type": "market", "assets_ids": [token]})
        [dump, *frames] = await until(ws, lambda found: len(found) == len(wanted))
    assert [*dump, *frames] == wanted


async def test_recorded_gamma_objects_are_paged_to_the_end_under_their_events() -> None:
    folder = shared_folder("captures/polymarket")
    world = recorded.load(folder)
    found: list[str] = []
    cursor: dict[str, str] = {}
    async with serving(polymarket_app(world)) as client:
        while True:
            body = await get(client, "/gamma/events/keyset", limit="10", **cursor)
            found += [market["conditionId"] for event in body["events"] for market in event["markets"]]
            if "next_cursor" not in body:
                break
            cursor = {"after_cursor": body["next_cursor"]}
    lines = world.manifest()["polymarket"]
    assert sorted(found) == sorted(line["condition_id"] for line in lines)
    assert len(lines) > 120


# --- a folder of one's own ----------------------------------------------------------------------------------------


def write_lines(path: Path, *values: Any) -> None:
    path.write_text("\n".join(json.dumps(value) for value in values))


async def test_rows_of_a_matching_catalog_are_listed_on_both_venues_without_books(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "kalshi.jsonl",
        {
            "pool": "p",
            "kalshi_id": "KXA-26-B",
            "event_ticker": "KXA-26",
            "event_title": "Who wins A?",
            "title": "Will B win A?",
            "yes_sub_title": "B",
            "close_time": "2026-12-31T00:00:00Z",
            "rules_primary": "If B wins A.",
        },
    )
    write_lines(
        tmp_path / "polymarket.jsonl",
        {"pool": "p", "poly_id": "gamma:12", "question": "Will B win A?", "event_slug": "a", "event_title": "A"},
        {"pool": "p", "poly_id": "0x" + "ab" * 32, "gamma_id": "13", "question": "Will C win A?", "event_slug": "a"},
    )
    world = recorded.load(tmp_path)
    async with serving(kalshi_app(world)) as client:
        market = (await get(client, "/trade-api/v2/markets/KXA-26-B"))["market"]
        event = (await get(client, "/trade-api/v2/events/KXA-26"))["event"]
        book = await get(client, "/trade-api/v2/markets/KXA-26-B/orderbook")
    assert (market["title"], market["yes_sub_title"], market["rules_primary"]) == ("Will B win A?", "B", "If B wins A.")
    assert (event["title"], event["series_ticker"]) == ("Who wins A?", "KXA")
    assert book == {"orderbook_fp": {"yes_dollars": [], "no_dollars": []}}
    async with serving(polymarket_app(world)) as client:
        [event] = (await get(client, "/gamma/events/keyset"))["events"]
        token = json.loads(event["markets"][0]["clobTokenIds"])[0]
        async with client.get("/book", params={"token_id": token}) as response:
            assert response.status == 404
    assert [one["question"] for one in event["markets"]] == ["Will B win A?", "Will C win A?"]
    assert event["markets"][1]["conditionId"] == "0x" + "ab" * 32
    assert world.manifest()["condition_of_row"]["gamma:12"] == event["markets"][0]["conditionId"]


async def test_a_market_with_a_rest_book_only_opens_with_it_on_both_channels(tmp_path: Path) -> None:
    yes, no = "7" * 70, "8" * 70
    book = {
        **{"market": "0x" + "cd" * 32, "asset_id": yes, "timestamp": "1790000000000", "hash": "00"},
        **{"bids": [{"price": "0.4", "size": "5"}], "asks": [], "min_order_size": "5", "tick_size": "0.01"},
        **{"neg_risk": False, "last_trade_price": "0.400"},
    }
    gamma = {
        **{"id": "5", "conditionId": book["market"], "question": "Q?", "slug": "q", "outcomes": '["Yes", "No"]'},
        "clobTokenIds": json.dumps([yes, no]),
    }
    kalshi = {"ticker": "KXQ-1-A", "event_ticker": "KXQ-1", "title": "Q?", "rules_primary": "", "status": "active"}
    orderbook = {"orderbook_fp": {"yes_dollars": [["0.4000", "5.00"]], "no_dollars": []}}
    write_lines(
        tmp_path / "pairs.jsonl",
        {"kalshi_ticker": "KXQ-1-A", "market": kalshi, "orderbook": orderbook, "gamma_market": gamma, "book": book},
    )
    world = recorded.load(tmp_path)
    async with serving(polymarket_app(world)) as client:
        ws = await client.ws_connect("/ws/market")
        await ws.send_json({"type": "market", "assets_ids": [yes, no]})
        [[opened]] = await until(ws, lambda found: len(found) == 1)
    assert (opened["event_type"], opened["bids"], opened["tick_size"]) == ("book", book["bids"], "0.01")
    assert "min_order_size" not in opened
    async with serving(kalshi_app(world)) as client:
        ws = await subscribe_kalshi(client, ["KXQ-1-A"])
        [_, snapshot] = await until(ws, lambda found: len(found) == 2)
    assert snapshot["msg"] == {"market_ticker": "KXQ-1-A", "market_id": "", "yes_dollars_fp": [["0.4000", "5.00"]]}


async def test_at_a_given_speed_the_recorded_pauses_are_kept_and_a_snapshot_shows_the_book_so_far(
    tmp_path: Path,
) -> None:
    first = {"market_ticker": "KXS-1-A", "market_id": "", "yes_dollars_fp": [["0.4000", "5.00"]]}
    delta = {"market_ticker": "KXS-1-A", "market_id": "", "price_dollars": "0.4000", "delta_fp": "1.00", "side": "yes"}
    write_lines(
        tmp_path / "ws_slow.jsonl",
        {"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": first},
        {"type": "orderbook_delta", "sid": 1, "seq": 2, "msg": {**delta, "ts_ms": 1_000}},
        {"type": "orderbook_delta", "sid": 1, "seq": 3, "msg": {**delta, "ts_ms": 3_601_000}},
    )
    async with serving(kalshi_app(recorded.load(tmp_path), speed=Fraction(1))) as client:
        ws = await subscribe_kalshi(client, ["KXS-1-A"])
        frames = await until(ws, lambda found: len(found) == 3)
        params = {"sid": 1, "action": "get_snapshot", "market_tickers": ["KXS-1-A"]}
        await ws.send_json({"id": 2, "cmd": "update_subscription", "params": params})
        [snapshot] = await until(ws, lambda found: len(found) == 1)
    assert [frame["type"] for frame in frames] == ["subscribed", "orderbook_snapshot", "orderbook_delta"]
    assert (snapshot["seq"], snapshot["msg"]["yes_dollars_fp"]) == (3, [["0.4000", "6.00"]])


async def test_the_control_door_lists_what_is_recorded(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "ws_one.jsonl",
        {"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": {"market_ticker": "KXS-1-A", "market_id": ""}},
    )
    manifest = recorded.load(tmp_path).manifest()
    observed = Observed(world=None, truth=None, stats={}, faults={}, manifest=manifest)
    async with serving(create_control_app(observed, lambda: NOW_MS)) as client:
        body = await get(client, "/recorded")
    assert body["kalshi"] == [
        {
            "ticker": "KXS-1-A",
            "event_ticker": "KXS-1",
            "recordings": ["ws_one.jsonl"],
            "book_frames": 1,
            "rest_book": True,
        }
    ]
    assert body["polymarket"] == []


async def test_a_market_with_frames_is_listed_as_trading_whatever_was_recorded_later(tmp_path: Path) -> None:
    condition, yes, no = "0x" + "cd" * 32, "7" * 70, "8" * 70
    market = {
        **{"id": "5", "conditionId": condition, "question": "Q?", "slug": "q", "outcomes": '["Yes", "No"]'},
        **{"clobTokenIds": json.dumps([yes, no]), "closed": True, "acceptingOrders": False},
    }
    event = {"id": "6", "slug": "e", "title": "E", "enableOrderBook": True, "closed": True, "markets": [market]}
    write_lines(tmp_path / "rest_event.jsonl", event)
    change = {"price": "0.4", "size": "5", "hash": "", "best_bid": "0.4", "best_ask": "1"}
    entries = [{**change, "asset_id": yes, "side": "BUY"}, {**change, "asset_id": no, "price": "0.6", "side": "SELL"}]
    frame = {"market": condition, "price_changes": entries, "timestamp": "1790000000000", "event_type": "price_change"}
    write_lines(tmp_path / "ws_one.jsonl", frame)
    async with serving(polymarket_app(recorded.load(tmp_path))) as client:
        [listed] = (await get(client, "/gamma/events/keyset", closed="false"))["events"]
    assert (listed["id"], listed["closed"]) == ("6", False)
    assert [listed["markets"][0][key] for key in ("closed", "acceptingOrders", "active")] == [False, True, True]
