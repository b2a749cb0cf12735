"""What happened in a conversation with Kalshi's WebSocket, and how often."""

from collections import Counter

import msgspec

from shared.domain.book import Book
from shared.domain.market import MarketId
from shared.venues.kalshi.channels import ChannelMessage
from shared.venues.kalshi.lifecycle import EventFees, EventListed, LifecycleMissed, MarketNews

_TYPES_MAX = 50
_TYPE_CHARACTERS = 40


class BookChanged(msgspec.Struct, frozen=True):
    """The book stands at the end of an operation of the exchange and differs from what was said before."""

    market_id: MarketId


class BookEnded(msgspec.Struct, frozen=True):
    """The exchange cleared the book unasked, as it does after the close: the quote is withdrawn."""

    market_id: MarketId


class BooksLost(msgspec.Struct, frozen=True):
    """These books must not be believed until they change again; the session has asked for new ones."""

    market_ids: tuple[MarketId, ...]
    reason: str


class CommandRefused(msgspec.Struct, frozen=True):
    """The exchange will not stream these markets; they stay without a book until asked for again."""

    code: int
    text: str
    market_ids: tuple[MarketId, ...]


class LinkUnusable(msgspec.Struct, frozen=True):
    """The conversation cannot be mended: drop the connection and dial again."""

    reason: str


class ScaleContradicted(msgspec.Struct, frozen=True):
    """Prices of side ``no`` come on another scale than asked for: no book of this connection is what it seems."""

    reason: str


class ScaleProven(msgspec.Struct, frozen=True):
    """The scale of side ``no`` is the one asked for."""


class ChannelSaid(msgspec.Struct, frozen=True):
    """A message of a channel that was asked for beside the books."""

    message: ChannelMessage


class ChannelMissed(msgspec.Struct, frozen=True):
    """Messages of such a channel are missing, or it was refused."""

    channel: str
    reason: str


class AuditDiffered(msgspec.Struct, frozen=True):
    """A fresh snapshot, in sequence, was not the book that was streamed; the snapshot has replaced it."""

    market_id: MarketId
    levels: int
    """How many levels of both sides were different."""


Event = (
    BookChanged
    | BookEnded
    | BooksLost
    | CommandRefused
    | LinkUnusable
    | ScaleContradicted
    | ScaleProven
    | ChannelSaid
    | ChannelMissed
    | AuditDiffered
    | MarketNews
    | EventFees
    | EventListed
    | LifecycleMissed
)


class BookState(msgspec.Struct, frozen=True):
    """A book that may be quoted, and what vouches for it. The book is the session's own: read it at once."""

    book: Book
    venue_ts_ms: int
    """The exchange's clock at the last change; 0 after a snapshot, which carries no time."""
    received_ts_ns: int
    sequence: int


class Counts:
    """What a session has seen since it was made, connections included."""

    def __init__(self) -> None:
        self.deltas = 0
        self.other_frames: Counter[str] = Counter()
        self.gaps = 0
        self.refused: Counter[str] = Counter()
        """Frames or contents not used, by reason."""
        self.audited = 0
        """Streamed books that were compared with a fresh snapshot."""
        self.audit_differed = 0
        """Of those, how many were not the same."""

    def saw(self, kind: str) -> None:
        """Count a frame by its type, which may be anything: after 50 different ones the rest share a name."""
        known = kind in self.other_frames or len(self.other_frames) < _TYPES_MAX
        self.other_frames[kind[:_TYPE_CHARACTERS] if known else "other"] += 1

    @property
    def frames(self) -> dict[str, int]:
        """Frames by type."""
        deltas = {"orderbook_delta": self.deltas} if self.deltas else {}
        return deltas | dict(self.other_frames)

    @property
    def frames_total(self) -> int:
        """All readable frames."""
        return self.deltas + self.other_frames.total()
