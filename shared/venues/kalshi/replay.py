"""Recorded frames through the live session: what ``dutchbook books kalshi FILE`` prints.

A line is a frame as received, or a line of a recording as in ``shared.venues.raw_lines``. What was sent is read for
``use_yes_price``; only what was received counts.

A feed forgets a book it cannot believe, because it can ask for it again. Nobody can ask a recording, so here a lost
book is shown as far as the frames tell, and named as lost.
"""

from collections.abc import Iterable

import msgspec

from shared.domain.book import BelowZero, Book, LevelE
from shared.domain.market import MarketId
from shared.domain.numbers import (
    LEVEL_PRICE_E4,
    ONE_DOLLAR_E4,
    SIGNED_SIZE_E6,
    NumberRefused,
    price_text,
    size_text,
)
from shared.venues.kalshi.books import LiveBook
from shared.venues.kalshi.schema import BOOK_FRAME, UNREADABLE, Delta, Snapshot
from shared.venues.kalshi.session import KalshiSession
from shared.venues.raw_lines import RECEIVED, SENT, read_line

Levels = list[tuple[str, str]]


class ReplayedBook(msgspec.Struct, frozen=True, kw_only=True):
    """One book, best level first; price in dollars and size in contracts as decimal text without padding."""

    yes_bids: Levels
    yes_asks: Levels


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the frames left behind."""

    books: dict[str, ReplayedBook]
    """By ticker: every market that had a snapshot, with what the frames say, whether it may be believed or not."""
    lost: tuple[str, ...]
    """Tickers whose book was lost and not rebuilt by the end: not to be believed."""
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
    told: _Told | None = None
    left = frames
    for line in lines:
        if left is not None and left <= 0:
            break
        direction, content = read_line(line)
        if not content:
            continue
        if direction != RECEIVED:
            use_yes_price = _asked_for_yes_price(content, use_yes_price) if direction == SENT else use_yes_price
            continue
        if session is None or told is None:
            session = KalshiSession(use_yes_price=use_yes_price, adopt=True)
            told = _Told(yes_price=use_yes_price)
        if told.take(content):
            session.disconnected("the numbers start again: another connection")
        session.receive(content, 0)
        if left is not None:
            left -= 1
    session = session or KalshiSession(adopt=True)
    session.settle()
    return _result(session, told.books if told is not None else {})


class _SubscribeParams(msgspec.Struct):
    use_yes_price: bool | None = None


class _OutgoingCommand(msgspec.Struct):
    params: _SubscribeParams | None = None


_COMMAND: msgspec.json.Decoder[_OutgoingCommand] = msgspec.json.Decoder(_OutgoingCommand)


def _asked_for_yes_price(command: bytes, so_far: bool) -> bool:
    try:
        params = _COMMAND.decode(command).params
    except UNREADABLE:
        return so_far
    return so_far if params is None or params.use_yes_price is None else params.use_yes_price


class _Told:
    """What the frames say about each book, by nothing but their order."""

    def __init__(self, *, yes_price: bool) -> None:
        self.books: dict[str, Book] = {}
        self._yes_price = yes_price
        self._sequence: dict[int, int] = {}
        self._newest = b""

    def take(self, frame: bytes) -> bool:
        """Apply a frame; return whether it is the first of another connection, whose numbers start at 1 again."""
        try:
            message = BOOK_FRAME.decode(frame)
        except UNREADABLE:
            return False
        if frame == self._newest:
            return False
        self._newest = frame
        starts_again = message.seq == 1 < self._sequence.get(message.sid, 0)
        self._sequence[message.sid] = message.seq
        try:
            self._apply(message)
        except (NumberRefused, BelowZero):
            return starts_again  # the session counts it, and names the book as lost
        return starts_again

    def _apply(self, message: Delta | Snapshot) -> None:
        body = message.msg
        if isinstance(message, Snapshot):
            taken = LiveBook(MarketId(body.market_ticker))
            taken.replace(message.msg, yes_price=self._yes_price)
            self.books[body.market_ticker] = taken.book
            return
        book = self.books.get(body.market_ticker)
        if book is None:
            return
        price_e4 = LEVEL_PRICE_E4[message.msg.price_dollars]
        if message.msg.side == "yes":
            book.yes_bids.add(price_e4, SIGNED_SIZE_E6[message.msg.delta_fp])
        else:
            price_e4 = ONE_DOLLAR_E4 - price_e4 if self._yes_price else price_e4
            book.no_bids.add(price_e4, SIGNED_SIZE_E6[message.msg.delta_fp])


def _result(session: KalshiSession, told: dict[str, Book]) -> ReplayResult:
    books: dict[str, ReplayedBook] = {}
    lost: list[str] = []
    for market_id in sorted(told.keys() | session.market_ids()):
        book = session.book(MarketId(market_id))
        if book is None:
            lost.append(market_id)
            book = told.get(market_id)
        if book is not None:
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
