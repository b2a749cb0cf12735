"""Replaying files: frames, transcripts, blank lines, and only the first so many frames."""

import json
from typing import Any

import msgspec

from shared.venues.polymarket.replay import replay
from tests.unit.polymarket.wire import CONDITION, NO, T0, YES, book_event, change, entry, frame, levels

FIRST = [book_event(levels("0.4 50, 0.42 7"), levels("0.6 10, 0.44 2.50"))]
SECOND = change(entry("BUY", "0.43", "12", bid="0.43", ask="0.44"), ts=T0 + 1)


def said(message: Any, direction: str = "in") -> bytes:
    return frame({"dir": direction, "t": 1.5, "msg": message})


def test_a_file_of_frames() -> None:
    result = replay([frame(FIRST), b"", b"PONG", frame(SECOND) + b"\n"])
    assert msgspec.json.decode(msgspec.json.encode(result)) == {
        "books": {
            YES: {
                "market": CONDITION,
                "phase": "live",
                "yes_bids": [["0.43", "12"], ["0.42", "7"], ["0.4", "50"]],
                "yes_asks": [["0.44", "2.5"], ["0.6", "10"]],
            }
        },
        "lost": [],
        "frames": {"book": 1, "PONG": 1, "price_change": 1},
        "gaps": 0,
        "refused": {},
    }


def test_a_transcript_counts_what_came_in_whatever_the_order_of_its_keys() -> None:
    other_order = frame({"t": 2, "msg": SECOND, "dir": "in"})
    lines = [said({"type": "market"}, "out"), said(FIRST), said("PONG"), other_order]
    assert replay(lines) == replay([frame(FIRST), b"PONG", frame(SECOND)])


def test_only_the_first_frames_count_and_a_burst_cut_short_is_held() -> None:
    step = entry("BUY", "0.44", "1", bid="0.44", ask="0.6")
    lines = [frame(FIRST), frame(change(step, ts=T0 + 1)), frame(SECOND)]
    assert replay(lines, 0).books == {}
    assert replay(lines, 1).frames == {"book": 1}
    assert replay(lines, 2).books[YES].phase == "held"


def test_each_token_that_had_a_book_has_its_own_and_the_others_have_none() -> None:
    sibling = entry("SELL", "0.57", "12", bid="0.56", ask="0.57", asset_id=NO)
    assert replay([frame(FIRST), frame(change(sibling, ts=T0 + 1))]).books.keys() == {YES}
    both = replay([frame(FIRST), frame([book_event(asset_id=NO)])])
    assert list(both.books) == [YES, NO]


def test_what_cannot_be_read_is_counted_by_reason() -> None:
    spoilt = change(entry("BUY", "0.43", "", bid="0.43", ask="0.44"), ts=T0 + 1)
    result = replay([frame(FIRST), b"<html>", b'{"dir":1}', frame(spoilt), json.dumps({"event_type": "x"}).encode()])
    assert result.refused == {
        "not a readable frame": 1,
        "not an event object": 1,
        "number refused": 1,
        "unknown event type": 1,
    }
    assert result.books[YES].phase == "lost"
    assert result.lost == (YES,)


def test_a_market_with_a_result_is_shown_as_it_was_and_one_that_was_emptied_without_levels() -> None:
    result_told = frame({"event_type": "market_resolved", "market": CONDITION, "assets_ids": [YES, NO]})
    ended = replay([frame(FIRST), result_told])
    assert ended.books[YES].phase == "ended"
    assert ended.books[YES].yes_bids == [("0.42", "7"), ("0.4", "50")]
    emptied = replay([frame(FIRST), frame([book_event([], [], ts=T0 + 1)])])
    assert (emptied.books[YES].yes_bids, emptied.books[YES].yes_asks, emptied.lost) == ([], [], ())


def test_a_lost_book_goes_on_as_the_frames_say() -> None:
    spoilt = change(entry("BUY", "x", "1", bid="0.43", ask="0.44"), ts=T0 + 1)
    later = change(entry("BUY", "0.42", "0", bid="0.4", ask="0.44"), ts=T0 + 2)
    result = replay([frame(FIRST), frame(spoilt), frame(later)])
    assert result.books[YES].yes_bids == [("0.4", "50")]
    assert result.lost == (YES,)
