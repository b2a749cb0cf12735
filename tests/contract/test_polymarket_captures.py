"""Polymarket's recorded payloads through our code, beside an independent replay with json and Decimal."""

import json
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.domain.market import MarketId
from shared.venues.polymarket.asset_book import AssetTerms
from shared.venues.polymarket.book_hash import BookTerms, book_hash
from shared.venues.polymarket.replay import ReplayResult, replay
from shared.venues.polymarket.rest import RestBook, read_books, read_clob_market
from shared.venues.polymarket.schema import read_levels
from shared.venues.polymarket.session import PolymarketSession
from tests.shared_folder import shared_folder

WS_FILES = (
    "ws_transcript_market_20260917.jsonl",
    "ws_btc_5m_head_20260514.jsonl",
    "ws_single_events_20260612.jsonl",
)
Books = dict[str, dict[str, dict[Decimal, Decimal]]]


def lines_of(name: str) -> list[bytes]:
    return (shared_folder("captures/polymarket") / name).read_bytes().splitlines()


def incoming(name: str) -> Iterator[Any]:
    for line in lines_of(name):
        message = json.loads(line)
        if isinstance(message, dict) and "dir" in message:
            if message["dir"] == "in":
                yield message["msg"]
        else:
            yield message


def events_of(frame: Any) -> list[dict[str, Any]]:
    if isinstance(frame, str):
        return []
    return frame if isinstance(frame, list) else [frame]


def naive_replay(frames: list[Any]) -> Books:
    """Every token that had a book: absolute sizes in dicts of Decimal, nothing shared with the code under test."""
    books: Books = {}
    for frame in frames:
        for event in events_of(frame):
            if event["event_type"] == "book":
                books[event["asset_id"]] = {
                    side: {Decimal(level["price"]): Decimal(level["size"]) for level in event[side]}
                    for side in ("bids", "asks")
                }
            for change in event.get("price_changes", []):
                if change["asset_id"] in books:
                    side = books[change["asset_id"]]["bids" if change["side"] == "BUY" else "asks"]
                    side[Decimal(change["price"])] = Decimal(change["size"])
                    if not side[Decimal(change["price"])]:
                        del side[Decimal(change["price"])]
    return books


def in_decimals(result: ReplayResult) -> Books:
    return {
        token: {
            "bids": {Decimal(price): Decimal(size) for price, size in book.yes_bids},
            "asks": {Decimal(price): Decimal(size) for price, size in book.yes_asks},
        }
        for token, book in result.books.items()
    }


def ends_of_bursts(frames: list[Any]) -> list[int]:
    """The frame counts after which no message with the same timestamp for the same market follows."""
    last_seen: dict[tuple[str, str], int] = {}
    groups: dict[int, tuple[str, str]] = {}
    for number, frame in enumerate(frames, 1):
        for event in events_of(frame):
            if event["event_type"] in ("book", "price_change"):
                key = (event["market"], event["timestamp"])
                last_seen[key] = number
                groups[number] = key
    return [
        number for number in range(1, len(frames) + 1) if number not in groups or last_seen[groups[number]] == number
    ]


@pytest.mark.parametrize("name", WS_FILES)
def test_a_recording_replays_to_the_books_of_an_independent_replay_at_the_end_of_every_burst(name: str) -> None:
    lines, frames = lines_of(name), list(incoming(name))
    assert len(frames) >= 3
    for count in ends_of_bursts(frames):
        result = replay(lines, count)
        assert in_decimals(result) == naive_replay(frames[:count]), count
        assert {book.phase for book in result.books.values()} <= {"live"}
    whole = replay(lines)
    assert in_decimals(whole) == naive_replay(frames)
    assert whole.refused == {}
    assert whole.gaps == 0


@pytest.mark.parametrize("name", WS_FILES)
def test_levels_come_best_first_in_trimmed_text(name: str) -> None:
    for book in replay(lines_of(name)).books.values():
        bids, asks = [Decimal(price) for price, _ in book.yes_bids], [Decimal(price) for price, _ in book.yes_asks]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        texts = [text for level in [*book.yes_bids, *book.yes_asks] for text in level]
        assert all(text == format(Decimal(text).normalize(), "f") for text in texts)


def test_the_transcript_counts_its_frames_by_type() -> None:
    assert replay(lines_of(WS_FILES[0])).frames == {
        "book": 10,
        "price_change": 121,
        "last_trade_price": 2,
        "PONG": 2,
    }
    assert replay(lines_of(WS_FILES[1])).frames == {"book": 1, "price_change": 19, "last_trade_price": 2}


def known_terms(token_id: str, condition_id: str, *, neg_risk: bool) -> AssetTerms:
    return AssetTerms(
        market_id=MarketId(token_id),
        condition_id=condition_id,
        min_order_size="5",
        tick_size="0.01",
        neg_risk=neg_risk,
    )


def checked_session(name: str, *, neg_risk: bool) -> PolymarketSession:
    """The recording with every token tracked and the hidden fields of the hash filled in, settled per frame."""
    frames = list(incoming(name))
    conditions = {
        event["asset_id"]: event["market"]
        for frame in frames
        for event in events_of(frame)
        if event["event_type"] == "book"
    }
    session = PolymarketSession(
        {token: known_terms(token, market, neg_risk=neg_risk) for token, market in conditions.items()}
    )
    session.connected()
    for frame in frames:
        session.receive("PONG" if frame == "PONG" else json.dumps(frame), 0)
        session.settle()
    return session


def test_the_transcript_proves_10_books_and_236_of_242_changes_and_the_six_others_belong_to_their_bursts_end() -> None:
    session = checked_session(WS_FILES[0], neg_risk=True)
    assert (session.hash_matches, session.hash_early, session.hash_mismatches) == (10 + 236, 6, 0)
    assert session.resyncs == 0


def test_the_busy_five_minute_market_proves_its_book_and_every_change() -> None:
    session = checked_session(WS_FILES[1], neg_risk=False)
    assert (session.hash_matches, session.hash_early, session.hash_mismatches) == (20, 0, 0)


def test_the_siblings_hashes_come_from_the_mirrored_book() -> None:
    """One token was subscribed; mirrored, its first book is the siblings, and all 19 entries match."""
    frames = list(incoming(WS_FILES[1]))
    book = dict(frames[0][0])
    sibling = next(c["asset_id"] for c in frames[1]["price_changes"] if c["asset_id"] != book["asset_id"])
    bids, asks = book["bids"], book["asks"]
    book |= {"asset_id": sibling, "hash": "", "bids": mirrored(asks), "asks": mirrored(bids)}
    session = PolymarketSession({sibling: known_terms(sibling, book["market"], neg_risk=False)})
    session.connected()
    for frame in [[book], *frames[1:]]:
        session.receive(json.dumps(frame), 0)
        session.settle()
    assert session.hash_matches == 19
    assert session.hash_mismatches + session.hash_early <= 1  # the mirrored book's own hash was not recorded


def mirrored(levels: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        {"price": format((1 - Decimal(level["price"])).normalize(), "f"), "size": level["size"]} for level in levels
    ]


def rest_books() -> Iterator[tuple[str, RestBook]]:
    folder = shared_folder("captures/polymarket")
    yield from (
        ("single", book) for book in parsed([json.loads((folder / "rest_clob_book_20260915.json").read_bytes())])
    )
    for line in (folder / "rest_clob_books_batches_20260311T2141.jsonl").read_bytes().splitlines():
        yield from (("batch", book) for book in parsed(batch_of(json.loads(line))))
    for line in (folder / "rest_gamma_and_books_202607.jsonl").read_bytes().splitlines():
        yield from (("pair", book) for book in parsed([clob_book_of(json.loads(line))]))
    for line in Path(folder.parent / "pairs_same_minute_20260720.jsonl").read_bytes().splitlines():
        yield from (("same minute", book) for book in parsed([clob_book_of(json.loads(line))]))


def batch_of(record: dict[str, Any]) -> list[Any]:
    [books] = [value for value in record.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return books


def clob_book_of(record: Any) -> Any:
    """The one object with bids and asks somewhere in a record."""
    if isinstance(record, dict):
        if "bids" in record and "asks" in record:
            return record
        found = [clob_book_of(value) for value in record.values()]
        return next((value for value in found if value is not None), None)
    return None


def parsed(bodies: list[Any]) -> list[RestBook]:
    books, _unreadable = read_books(json.dumps(bodies, ensure_ascii=False).encode())
    return books


def test_every_recorded_rest_book_hashes_to_what_the_venue_said() -> None:
    matched: dict[str, int] = defaultdict(int)
    for source, book in rest_books():
        terms = BookTerms(
            market=book.market,
            asset_id=book.asset_id,
            min_order_size=book.min_order_size,
            tick_size=book.tick_size,
            neg_risk=book.neg_risk,
        )
        computed = book_hash(
            terms,
            timestamp=book.timestamp,
            bids=read_levels(book.bids),
            asks=read_levels(book.asks),
            last_trade_price=book.last_trade_price or "",
        )
        assert computed == book.hash, (source, book.asset_id)
        matched[source] += 1
    assert matched == {"single": 1, "batch": 60, "pair": 11, "same minute": 3}


def test_the_recorded_short_keys_name_the_fee() -> None:
    body = (shared_folder("captures/polymarket") / "rest_clob_market_short_keys_20260506.json").read_bytes()
    fee = read_clob_market(body).fee
    assert fee is not None
    assert (fee.rate, fee.exponent) == (Decimal("0.072"), Decimal(1))
