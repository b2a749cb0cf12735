"""Recorded frames through the session: what ``dutchbook books polymarket FILE`` shows.

A line is a frame, or a line of a recording as in ``shared.venues.raw_lines``, of which received ones count. Frames
alone do not say which token is YES, so every token that had a book has its own, by token id.
"""

from collections.abc import Iterable

import msgspec

from shared.domain.book import Book
from shared.domain.market import MarketId
from shared.domain.numbers import price_text, size_text
from shared.venues.polymarket.asset_book import AssetBook, AssetTerms, Phase
from shared.venues.polymarket.schema import BookFrame, read_frame
from shared.venues.polymarket.session import PolymarketSession
from shared.venues.raw_lines import RECEIVED, read_line


class ReplayedBook(msgspec.Struct, frozen=True, kw_only=True):
    """One token's book at the end of a replay: ``[price, size]`` in trimmed decimal text, best first."""

    market: str
    phase: str
    """``live``, or why it should not be quoted: ``held`` inside a burst, ``lost``, ``ended``."""
    yes_bids: list[tuple[str, str]]
    yes_asks: list[tuple[str, str]]


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording came to."""

    books: dict[str, ReplayedBook]
    """By token id: every token that had a book, with what the frames say, whatever its phase."""
    lost: tuple[str, ...]
    """Tokens whose book was lost and not rebuilt by the end: not to be believed."""
    frames: dict[str, int]
    """Messages by event type."""
    gaps: int
    """Books that would have been asked for again from REST."""
    refused: dict[str, int]
    """What was not used, by reason."""


def replay(lines: Iterable[bytes], frames: int | None = None) -> ReplayResult:
    """Run the first ``frames`` incoming frames (all when None) through a session and return where they lead."""
    session = PolymarketSession({})
    session.connected()
    assets: dict[str, AssetTerms] = {}
    markets: dict[str, str] = {}
    kept: dict[str, Book] = {}
    taken = 0
    for line in lines:
        if frames is not None and taken >= frames:
            break
        direction, frame = read_line(line)
        if direction != RECEIVED or not frame:
            continue
        taken += 1
        fresh = {token_id: market for token_id, market in _books_named(frame) if token_id not in assets}
        if fresh:
            markets.update(fresh)
            assets.update({token_id: AssetTerms(market_id=MarketId(token_id)) for token_id in fresh})
            session.want(assets)
            kept.update({token_id: _asset_of(session, token_id).book for token_id in fresh})
        session.receive(frame, 0)
        session.settle()
    books = {
        token_id: _book_of(_asset_of(session, token_id), kept[token_id], market) for token_id, market in markets.items()
    }
    return ReplayResult(
        books=books,
        lost=tuple(token_id for token_id, book in books.items() if book.phase == Phase.LOST.value),
        frames=dict(session.frames),
        gaps=session.resyncs,
        refused=dict(session.refused),
    )


def _books_named(frame: bytes) -> list[tuple[str, str]]:
    """Return token and market of every full book in a frame; only those give a token a book of its own."""
    if b'"bids"' not in frame:
        return []
    messages, _ = read_frame(frame)
    return [(message.asset_id, message.market) for message in messages if isinstance(message, BookFrame)]


def _asset_of(session: PolymarketSession, token_id: str) -> AssetBook:
    asset = session.asset_book(token_id)
    assert asset is not None
    return asset


def _book_of(asset: AssetBook, book: Book, market: str) -> ReplayedBook:
    """Return ``book`` in text: the one that ``asset`` keeps, or kept until the market had its result."""
    return ReplayedBook(
        market=market,
        phase=asset.phase.value if asset.phase is not Phase.AWAITING else Phase.LOST.value,
        yes_bids=[(price_text(price_e4), size_text(size_e6)) for price_e4, size_e6 in book.bids()],
        yes_asks=[(price_text(price_e4), size_text(size_e6)) for price_e4, size_e6 in book.asks()],
    )
