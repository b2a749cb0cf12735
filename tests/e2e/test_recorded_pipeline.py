"""Real input: recorded objects and frames of both venues, served by the simulator to unchanged feeds and matcher.

The pairs of this test are made up: any recorded Kalshi market with any recorded Polymarket market, because what is
claimed is that every book on the bus is the one the recorded frames end with, not that two markets ask the same.
"""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from services.matcher.mapping_text import curated_row, curated_yaml
from shared.domain.market import Market, MarketStatus, Venue
from shared.domain.pair import Orientation
from tests.e2e.pipeline import Levels, Pipeline, pipeline
from tests.shared_folder import shared_folder
from tests.waiting import eventually

DEEP = "1000"
"""More levels than any recorded book has, so that a quote holds the whole book."""
ONE = Decimal(1)
LATE = datetime(2100, 1, 1, tzinfo=UTC)


# --- what the files say, by json and Decimal alone ------------------------------------------------------------------


def values_in(path: Path) -> Iterator[Any]:
    """The received JSON values of a file."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    lines = [content] if path.suffix == ".json" else content.splitlines()
    for line in lines:
        value = json.loads(line) if line.strip() else None
        if isinstance(value, dict) and "dir" in value:
            value = value["msg"] if value["dir"] == "in" else None
        yield value


def kalshi_books(folder: Path) -> dict[str, Levels]:
    """The book each ticker's frames end with: YES bids, and NO bids as YES asks."""
    books: dict[str, Levels] = {}
    for path in sorted((folder / "kalshi").glob("ws_*")):
        yes_prices = "use_yes_price_true" in path.name
        for frame in values_in(path):
            kind = frame.get("type") if isinstance(frame, dict) else None
            if kind == "orderbook_snapshot":
                msg, book = frame["msg"], {}
                for side in ("yes", "no"):
                    for price, size in msg.get(f"{side}_dollars_fp", []):
                        book[kalshi_level(side, price, yes_prices)] = Decimal(size)
                books[msg["market_ticker"]] = book
            elif kind == "orderbook_delta":
                msg = frame["msg"]
                level = kalshi_level(msg["side"], msg["price_dollars"], yes_prices)
                add(books[msg["market_ticker"]], level, Decimal(msg["delta_fp"]))
    return books


def kalshi_level(side: str, price: str, yes_prices: bool) -> tuple[str, Decimal]:
    if side == "yes":
        return "bid", Decimal(price)
    return "ask", Decimal(price) if yes_prices else ONE - Decimal(price)


def add(book: Levels, level: tuple[str, Decimal], change: Decimal) -> None:
    left = book.pop(level, Decimal(0)) + change
    assert left >= 0, (level, change)
    if left:
        book[level] = left


def polymarket_books(folder: Path) -> dict[str, Levels]:
    """The book each token's frames end with, or its newest REST book when there are no frames of it."""
    books: dict[str, Levels] = {}
    newest: dict[str, int] = {}
    for path in sorted(path for path in folder.rglob("*") if path.name.startswith(("rest_", "pairs_"))):
        for found in (one for value in values_in(path) for one in rest_books_in(value)):
            if int(found["timestamp"]) > newest.get(found["asset_id"], -1):
                newest[found["asset_id"]] = int(found["timestamp"])
                books[found["asset_id"]] = polymarket_levels(found)
    for path in sorted((folder / "polymarket").glob("ws_*")):
        for frame in values_in(path):
            for body in frame if isinstance(frame, list) else [frame]:
                if isinstance(body, dict):
                    apply_polymarket(books, body)
    return books


def rest_books_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and {"asset_id", "bids", "asks", "min_order_size"} <= value.keys():
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from rest_books_in(one)


def polymarket_levels(body: dict[str, Any]) -> Levels:
    sides = (("bid", body["bids"]), ("ask", body["asks"]))
    return {(side, Decimal(one["price"])): Decimal(one["size"]) for side, levels in sides for one in levels}


def apply_polymarket(books: dict[str, Levels], body: dict[str, Any]) -> None:
    if body["event_type"] == "book":
        books[body["asset_id"]] = polymarket_levels(body)
    for entry in body.get("price_changes", ()):
        book = books.get(entry["asset_id"])
        if book is not None:
            level = "bid" if entry["side"] == "BUY" else "ask", Decimal(entry["price"])
            book.pop(level, None)
            if Decimal(entry["size"]):
                book[level] = Decimal(entry["size"])


# --- the mapping of this test ---------------------------------------------------------------------------------------


def write_made_up_pairs(folder: Path, kalshi: list[Market], polymarket: list[Market]) -> int:
    """Pair the first with the first, the second with the second; return how many pairs there are."""
    rows = [
        curated_row(
            pair_id=f"made-up-{number}",
            category="test_only",
            orientation=Orientation.SAME,
            ticker=left.market_id,
            event_ticker=left.event_id,
            series_ticker=left.series_id,
            yes_label=left.outcome_label,
            condition_id=right.market_id,
            event_slug=right.event_slug,
            market_slug=right.slug,
            outcomes=(right.outcomes[0], right.outcomes[1]),
            token_ids=(right.token_ids[0], right.token_ids[1]),
            kalshi_rules_text=left.rules_text,
            polymarket_rules_text=right.rules_text,
            verified_by="nobody",
            second_reviewer="nobody else",
            verified_at=datetime.now(UTC),
            not_after=LATE,
            evidence="made up for a test: these two markets do not ask the same question",
        )
        for number, (left, right) in enumerate(zip(kalshi, polymarket, strict=False))
    ]
    (folder / "pairs").mkdir(parents=True)
    (folder / "pairs" / "made_up.yaml").write_text(curated_yaml(rows))
    return len(rows)


def listed(pipe: Pipeline, venue: Venue, market_ids: list[str]) -> list[Market]:
    """Return these markets, in this order, once every one is listed and may be paired; nothing before."""
    catalog = pipe.catalog(venue)
    found = [catalog[market_id] for market_id in market_ids if market_id in catalog]
    usable = [market for market in found if market.status is MarketStatus.OPEN and not market.never_match]
    return usable if len(usable) == len(market_ids) else []


def different(pipe: Pipeline, venue: Venue, wanted: dict[str, Levels]) -> dict[str, object]:
    """Return, for each paired market that is not as the files say, the levels of the bus and of the files.

    A book that the recording empties was emptied by the venue at the end of trading: it is withdrawn, not quoted.
    """
    books = pipe.books(venue, pipe.live_pairs())
    return {key: (book, wanted[key]) for key, book in books.items() if book != (wanted[key] or None)}


def faults(pipe: Pipeline, venue: Venue) -> dict[str, object]:
    """Return what a feed lost or refused; frames are on both sides counted when they are handed over."""
    beat, served = pipe.beat(venue), pipe.control("/stats")[venue]
    if beat is None:
        return {"beat": None}
    counts = {"unread": served["frames"] - beat.frames, "gaps": beat.gaps, "refused": beat.refused}
    return {name: count for name, count in counts.items() if count}


def test_every_book_on_the_bus_is_the_one_the_recorded_frames_end_with(tmp_path: Path, redis_url: str) -> None:
    captures = shared_folder("captures")
    kalshi, by_token = kalshi_books(captures), polymarket_books(captures)
    with pipeline(tmp_path, redis_url) as pipe:
        pipe.start_simulator(VENUE_SIM_RECORDED=str(captures))
        recorded = pipe.control("/recorded")
        booked = [line for line in recorded["polymarket"] if line["token_ids"] and line["token_ids"][0] in by_token]
        booked.sort(key=lambda line: not line["recordings"])  # those with frames first: they must be paired
        polymarket = {line["condition_id"]: by_token[line["token_ids"][0]] for line in booked}
        pipe.start("kalshi_feed", KALSHI_FEED_DEPTH=DEEP, KALSHI_FEED_PAGE_PAUSE_MS="1")
        pipe.start("polymarket_feed", POLYMARKET_FEED_DEPTH=DEEP, POLYMARKET_FEED_PAGE_PAUSE_MS="1")

        left = eventually(lambda: listed(pipe, Venue.KALSHI, list(kalshi)))
        right = eventually(lambda: listed(pipe, Venue.POLYMARKET, list(polymarket)))
        count = write_made_up_pairs(tmp_path / "mappings", left, right)
        assert count >= 20
        pipe.start("matcher", MATCHER_MAPPINGS_DIR=str(tmp_path / "mappings"))
        eventually(lambda: len(pipe.live_pairs()) == count, what=pipe.live_pairs)

        for venue, wanted in ((Venue.KALSHI, kalshi), (Venue.POLYMARKET, polymarket)):
            found = partial(different, pipe, venue, wanted)
            lost = partial(faults, pipe, venue)
            eventually(lambda found=found: not found(), what=found)
            eventually(lambda lost=lost: not lost(), what=lost)
            assert found() == {}, "every frame was read, and the books are still the files'"
        pipe.stop_all()
