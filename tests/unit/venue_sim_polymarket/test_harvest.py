"""Venue objects are found in recordings whatever a recorder put around them."""

import json
from pathlib import Path

import pytest

from services.venue_sim.recorded_files import kind_of, messages_in, recordings_in
from services.venue_sim.recorded_harvest import Harvest, Json


def kalshi_market(ticker: str, **more: object) -> Json:
    return {"ticker": ticker, "event_ticker": ticker.rpartition("-")[0], "rules_primary": "", **more}


def test_nested_loose_mapped_and_wrapped_objects_are_all_found() -> None:
    harvest = Harvest()
    nested = {
        "event_ticker": "E-1",
        "series_ticker": "E",
        "mutually_exclusive": True,
        "markets": [kalshi_market("E-1-A")],
    }
    harvest.take({"events": [nested]})
    harvest.take({"note": "wrapper", "ticker": "E-1-B", "single": {"market": kalshi_market("E-1-B")}})
    harvest.take({"E-1-C": kalshi_market("E-1-C")})
    harvest.take({"series": {"ticker": "E", "fee_type": "quadratic", "fee_multiplier": 1}})
    assert list(harvest.kalshi_markets) == ["E-1-A", "E-1-B", "E-1-C"]
    assert harvest.kalshi_events["E-1"] == {"event_ticker": "E-1", "series_ticker": "E", "mutually_exclusive": True}
    assert list(harvest.kalshi_series) == ["E"]


def test_an_order_book_belongs_to_the_market_its_record_or_its_path_names() -> None:
    harvest = Harvest()
    harvest.take({"kalshi_ticker": "A-1-X", "book": {"orderbook_fp": {"yes_dollars": []}}})
    harvest.take({"path": "/trade-api/v2/markets/B-1-Y/orderbook", "body": {"orderbook_fp": {"no_dollars": []}}})
    assert list(harvest.kalshi_orderbooks) == ["A-1-X", "B-1-Y"]


def test_of_two_recordings_of_one_object_the_fuller_is_kept_and_of_two_books_the_newer() -> None:
    harvest = Harvest()
    for more in ({}, {"title": "full"}, {"status": "later"}):
        harvest.take(kalshi_market("A-1-X", **more))
    assert harvest.kalshi_markets["A-1-X"]["title"] == "full"
    for timestamp in ("5", "7", "6"):
        book = {"asset_id": "1", "bids": [], "asks": [], "hash": "", "min_order_size": "5", "timestamp": timestamp}
        harvest.take([book])
    assert harvest.clob_books["1"]["timestamp"] == "7"


def test_a_gamma_market_belongs_to_the_event_it_names_or_is_nested_in() -> None:
    market: Json = {"id": "1", "conditionId": "0x1", "question": "Q", "outcomes": "[]"}
    event: Json = {"id": "50", "slug": "e", "title": "E", "enableOrderBook": True}
    harvest = Harvest()
    harvest.take({**event, "markets": [market]})
    harvest.take({**market, "id": "2", "events": [{**event, "id": 51}]})
    assert harvest.event_of_gamma_market == {"1": "50", "2": "51"}
    assert sorted(harvest.gamma_events) == ["50", "51"]
    assert "events" not in harvest.gamma_markets["2"]


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        ({"type": "subscribed", "id": 1, "msg": {"channel": "orderbook_delta", "sid": 1}}, "kalshi_frames"),
        ({"dir": "out", "msg": {"assets_ids": ["1"], "type": "market"}}, "polymarket_frames"),
        ({"dir": "out", "msg": {"id": 1, "cmd": "subscribe"}}, "kalshi_frames"),
        ([{"event_type": "book", "market": "0x1"}], "polymarket_frames"),
        ({"ticker": "A-1-X", "market": {}}, "objects"),
        ({"pool": "p", "poly_id": "x", "question": "Q"}, "objects"),
    ],
)
def test_a_file_is_known_by_its_first_line(tmp_path: Path, first: object, kind: str) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text(json.dumps(first) + "\n\n")
    assert kind_of(path) == kind


def test_a_transcript_keeps_what_was_sent_apart_and_folders_are_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/2.jsonl", "1.json", "3.txt"):
        (tmp_path / name).write_text('{"dir":"out","msg":{"cmd":"x"}}\n{"dir":"in","t":1.5,"msg":"PONG"}\n')
    assert [path.name for path in recordings_in(tmp_path)] == ["1.json", "2.jsonl"]
    sent, received = messages_in(tmp_path / "b/2.jsonl")
    assert (sent.sent, received.sent, received.raw) == (True, False, b'"PONG"')
