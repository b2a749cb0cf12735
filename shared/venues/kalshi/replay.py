"""Recorded frames through the live session: what ``dutchbook books kalshi FILE`` prints.

A line is a frame as received, or a line of a transcript, ``{"dir": "in" | "out", "t": seconds, "msg": frame}``. Lines
of direction ``out`` are read for ``use_yes_price`` and not counted.
"""

from collections.abc import Iterable

import msgspec

from shared.domain.book import LevelE
from shared.domain.numbers import price_text, size_text
from shared.venues.kalshi.schema import UNREADABLE
from shared.venues.kalshi.session import KalshiSession

Levels = list[tuple[str, str]]


class ReplayedBook(msgspec.Struct, frozen=True, kw_only=True):
    """One book, best level first; price in dollars and size in contracts as decimal text without padding."""

    yes_bids: Levels
    yes_asks: Levels


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the frames left behind."""

    books: dict[str, ReplayedBook]
    """By ticker; only books that may be believed."""
    lost: tuple[str, ...]
    """Tickers whose book was lost and not rebuilt by the end."""
    frames: dict[str, int]
    """Frames by type."""
    gaps: int
    refused: dict[str, int]
    """Frames or contents not used, by reason."""


def replay(lines: Iterable[bytes], frames: int | None = None, *, use_yes_price: bool = False) -> ReplayResult:
    """Feed recorded lines to a session, all or the first ``frames``, and return its books.

    Where the last frame is inside an operation of the exchange, the book is shown as far as it was applied.
    ``use_yes_price`` says how the recorded client had subscribed; a transcript says it itself.
    """
    session: KalshiSession | None = None
    left = frames
    for line in lines:
        if left is not None and left <= 0:
            break
        stripped = line.strip()
        if not stripped:
            continue
        incoming, content = _unwrapped(stripped)
        if not incoming:
            use_yes_price = _asked_for_yes_price(content, use_yes_price)
            continue
        if session is None:
            session = KalshiSession(use_yes_price=use_yes_price, adopt=True)
        session.receive(content, 0)
        if left is not None:
            left -= 1
    session = session or KalshiSession(adopt=True)
    session.settle()
    return _result(session)


class _Line(msgspec.Struct):
    dir: str
    msg: msgspec.Raw


class _SubscribeParams(msgspec.Struct):
    use_yes_price: bool | None = None


class _OutgoingCommand(msgspec.Struct):
    params: _SubscribeParams | None = None


_LINE: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)
_COMMAND: msgspec.json.Decoder[_OutgoingCommand] = msgspec.json.Decoder(_OutgoingCommand)


def _unwrapped(line: bytes) -> tuple[bool, bytes]:
    """Return whether the line was received, and the frame in it; a line without wrapping is a received frame."""
    try:
        wrapped = _LINE.decode(line)
    except UNREADABLE:
        return True, line
    return wrapped.dir == "in", bytes(wrapped.msg)


def _asked_for_yes_price(command: bytes, so_far: bool) -> bool:
    try:
        params = _COMMAND.decode(command).params
    except UNREADABLE:
        return so_far
    return so_far if params is None or params.use_yes_price is None else params.use_yes_price


def _result(session: KalshiSession) -> ReplayResult:
    books: dict[str, ReplayedBook] = {}
    lost: list[str] = []
    for market_id in sorted(session.market_ids()):
        book = session.book(market_id)
        if book is None:
            lost.append(market_id)
        else:
            books[market_id] = ReplayedBook(yes_bids=_texts(book.bids()), yes_asks=_texts(book.asks()))
    counts = session.counts
    return ReplayResult(
        books=books,
        lost=tuple(lost),
        frames=counts.frames,
        gaps=counts.gaps,
        refused=dict(counts.refused),
    )


def _texts(levels: Iterable[LevelE]) -> Levels:
    return [(price_text(price_e4), size_text(size_e6)) for price_e4, size_e6 in levels]
