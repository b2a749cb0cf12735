"""Every recorded Kalshi frame goes through the session and gives the book of an independent, naive replay."""

import gzip
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.venues.kalshi.events import BookChanged
from shared.venues.kalshi.replay import ReplayedBook, replay
from shared.venues.kalshi.session import KalshiSession
from tests.shared_folder import shared_folder

FILES = (
    "ws_demo_transcript_all_channels_20260917.jsonl",
    "ws_demo_use_yes_price_false_20260611.jsonl",
    "ws_demo_use_yes_price_true_20260611.jsonl",
    "ws_prod_btc15m_20260511T0531Z_conn1.jsonl",
    "ws_prod_btc15m_20260513T1541Z_conn1.jsonl.gz",
    "ws_prod_btc15m_20260513T1541Z_conn2.jsonl.gz",
    "ws_prod_btc15m_20260513T2301Z_conn1.jsonl.gz",
    "ws_prod_btc15m_20260513T2301Z_conn2.jsonl.gz",
    "ws_prod_btc15m_20260515T2132Z_conn1.jsonl.gz",
    "ws_prod_btc15m_20260515T2132Z_conn2.jsonl.gz",
    "ws_prod_btc15m_20260515T2132Z_conn3.jsonl.gz",
    "ws_prod_btc15m_20260515T2132Z_conn4.jsonl.gz",
    "ws_prod_btc15m_20260515T2132Z_conn6.jsonl.gz",
    "ws_prod_mlb_multi_ticker_20260807.jsonl",
    "ws_prod_single_frames_202607.jsonl",
)


def lines_of(name: str) -> list[bytes]:
    path: Path = shared_folder(f"captures/kalshi/{name}")
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return content.splitlines()


def asked_for_yes_price(name: str) -> bool:
    return "use_yes_price_true" in name


def frames_of(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """The received frames, taken out of a transcript where they are in one."""
    for line in lines:
        frame = json.loads(line)
        if "dir" not in frame:
            yield frame
        elif frame["dir"] == "in":
            yield frame["msg"]


def naive_books(lines: list[bytes], count: int | None, *, yes_price: bool) -> dict[str, ReplayedBook]:
    """What the frames say, by json and Decimal alone: no sequence numbers, no operations, no doubts."""
    books: dict[str, dict[str, dict[Decimal, Decimal]]] = {}
    for number, frame in enumerate(frames_of(lines)):
        if count is not None and number >= count:
            break
        body = frame.get("msg")
        if frame["type"] == "orderbook_snapshot":
            books[body["market_ticker"]] = {
                side: {Decimal(price): Decimal(size) for price, size in body.get(f"{side}_dollars_fp", [])}
                for side in ("yes", "no")
            }
        elif frame["type"] == "orderbook_delta":
            levels = books[body["market_ticker"]][body["side"]]
            price = Decimal(body["price_dollars"])
            levels[price] = levels.get(price, Decimal(0)) + Decimal(body["delta_fp"])
            if not levels[price]:
                del levels[price]
    return {
        ticker: ReplayedBook(
            yes_bids=[(plain(price), plain(size)) for price, size in sorted(sides["yes"].items(), reverse=True)],
            yes_asks=sorted(
                (plain(price if yes_price else 1 - price), plain(size)) for price, size in sides["no"].items()
            ),
        )
        for ticker, sides in books.items()
    }


def plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@pytest.mark.parametrize("name", FILES)
def test_a_recording_replays_without_gap_or_refusal_to_the_naive_book(name: str) -> None:
    lines = lines_of(name)
    result = replay(lines, use_yes_price=asked_for_yes_price(name))
    assert (result.gaps, result.refused, result.lost) == (0, {}, ())
    assert result.books == naive_books(lines, None, yes_price=asked_for_yes_price(name))
    by_type: dict[str, int] = {}
    for frame in frames_of(lines):
        by_type[frame["type"]] = by_type.get(frame["type"], 0) + 1
    assert result.frames == by_type


@pytest.mark.parametrize("name", FILES)
def test_the_book_after_any_number_of_frames_is_the_naive_one(name: str) -> None:
    lines = lines_of(name)[:5_000]
    total = sum(1 for _ in frames_of(lines))
    chosen = random.Random(name)
    for count in {0, 1, total, *(chosen.randint(0, total) for _ in range(6))}:
        result = replay(lines, count, use_yes_price=asked_for_yes_price(name))
        assert result.books == naive_books(lines, count, yes_price=asked_for_yes_price(name)), count
        assert sum(result.frames.values()) == count


@pytest.mark.parametrize("name", FILES)
def test_no_announced_book_is_crossed_or_unknown(name: str) -> None:
    session = KalshiSession(adopt=True, use_yes_price=asked_for_yes_price(name))
    announced = 0
    for frame in frames_of(lines_of(name)):
        for event in session.receive(json.dumps(frame).encode(), 0):
            if isinstance(event, BookChanged):
                state = session.book_state(event.market_id)
                assert state is not None
                assert not state.book.is_crossed
                assert not state.book.is_locked
                announced += 1
    if name != "ws_prod_single_frames_202607.jsonl":
        assert announced


def test_the_recordings_hold_crossed_moments_that_were_kept_back() -> None:
    """Otherwise the test above would prove nothing: 138 frames of this file leave the book crossed."""
    session = KalshiSession(adopt=True)
    crossed = 0
    for line in lines_of("ws_prod_btc15m_20260513T1541Z_conn1.jsonl.gz"):
        session.receive(line, 0)
        session.settle()
        crossed += any(
            (book := session.book(market_id)) is not None and book.is_crossed for market_id in session.market_ids()
        )
    assert crossed == 138


def test_the_answer_to_a_snapshot_request_equals_the_streamed_book() -> None:
    """Recorded 2026-09-17: 136 deltas after the first snapshot the exchange sent a second one, on request."""
    lines = lines_of("ws_demo_transcript_all_channels_20260917.jsonl")
    frames = list(frames_of(lines))
    second = next(n for n, frame in enumerate(frames) if frame["type"] == "orderbook_snapshot" and frame.get("id"))
    before = replay(lines, second)
    after = replay(lines, second + 1)
    assert before.frames["orderbook_delta"] == 136
    assert before.books == after.books


def test_a_recording_with_a_missing_frame_is_not_believed() -> None:
    lines = lines_of("ws_prod_btc15m_20260511T0531Z_conn1.jsonl")
    del lines[100]
    result = replay(lines)
    assert result.gaps == 1
    assert result.books == naive_books(lines, None, yes_price=False)
    assert result.lost == ("KXBTC15M-26MAY110145-45",)
    assert result.refused == {"no snapshot yet": sum(b'"orderbook_delta","sid"' in line for line in lines[100:])}
