"""The books of one subscription, and the rule for its sequence numbers."""

from enum import Enum, auto

from shared.domain.book import Book, LevelE
from shared.domain.market import MarketId
from shared.domain.numbers import LEVEL_PRICE_E4, ONE_DOLLAR_E4, SIZE_E6
from shared.venues.kalshi.events import BookChanged
from shared.venues.kalshi.schema import SnapshotBody, TextLevel


class LiveBook:
    """One market's book inside a conversation, and whether it may be believed."""

    __slots__ = (
        "book",
        "changed",
        "crossed_since_ns",
        "ended",
        "failures",
        "group",
        "live",
        "live_since_ns",
        "market_id",
        "no_bids",
        "open",
        "queued",
        "received_ts_ns",
        "retry_at_ns",
        "sequence",
        "venue_ts_ms",
        "wanted",
        "yes_bids",
    )

    def __init__(self, market_id: MarketId) -> None:
        self.market_id = market_id
        self.book = Book()
        self.yes_bids = self.book.yes_bids
        self.no_bids = self.book.no_bids
        self.changed = (BookChanged(market_id),)
        """The one event this book announces most, made once."""
        self.live = False
        """A snapshot has come and every change since was applied."""
        self.open = False
        """Deltas of an operation were applied whose end has not been seen."""
        self.queued = False
        """Whether the session will look at this book when the socket falls silent."""
        self.ended = False
        self.wanted = True
        self.group: str | int | None = None
        """What the deltas of the open operation have in common."""
        self.venue_ts_ms = 0
        self.received_ts_ns = 0
        self.sequence = 0
        self.failures = 0
        self.retry_at_ns = 0
        self.live_since_ns = 0
        self.crossed_since_ns = 0

    @property
    def is_crossed(self) -> bool:
        """Whether the best bids reach a dollar: in 1.84 million recorded operations none ended like that."""
        return self.yes_bids.best_e4 + self.no_bids.best_e4 >= ONE_DOLLAR_E4

    @property
    def crossing(self) -> str:
        """Both best bids, for a message about a book that is crossed."""
        return f"{self.market_id} bids {self.yes_bids.best_e4} and {self.no_bids.best_e4} ten-thousandths"

    def replace(self, body: SnapshotBody, *, yes_price: bool) -> None:
        """Hold exactly what a snapshot says; an absent side is an empty one.

        Raises NumberRefused and then leaves the book as it was.
        """
        yes = _levels(body.yes_dollars_fp)
        no = _levels(body.no_dollars_fp)
        if yes_price:
            no = [(ONE_DOLLAR_E4 - price_e4, size_e6) for price_e4, size_e6 in no]
        self.yes_bids.replace(yes)
        self.no_bids.replace(no)


class Step(Enum):
    """What a sequence number that is not the next one means."""

    TAKE = auto()
    """Use the frame: it is in order, or repeats the number of a control frame that did not consume it."""
    DUPLICATE = auto()
    """The very same frame again: leave it."""
    LATE = auto()
    """One of the frames missed in the last gap: leave it, its books are lost already."""
    GAP = auto()
    """Frames are missing: every book of the subscription is lost. The frame itself may be used afterwards."""
    BACKWARDS = auto()
    """The exchange repeats itself: the connection is not to be trusted."""


class Subscription:
    """One sid: a counter that all its markets share, and their books.

    Numbers start at 1 and rise by one with every data frame. Frames that answer commands carry a number too, and
    whether they consume it is recorded for some kinds and unknown for others, so both readings pass: see
    ``control_step`` and the case of a repeated number in ``data_step``.
    """

    __slots__ = ("_control_seq", "_hole", "channel", "last_frame", "markets", "next_seq", "sid", "yes_price")

    def __init__(self, sid: int, channel: str, *, yes_price: bool, next_seq: int = 1) -> None:
        self.sid = sid
        self.channel = channel
        self.yes_price = yes_price
        """Whether prices of side ``no`` come on the YES scale."""
        self.next_seq = next_seq
        self.last_frame = b""
        self.markets: dict[str, LiveBook] = {}
        self._control_seq = 0
        self._hole = range(0)

    def data_step(self, seq: int, frame: bytes) -> Step:
        """Take the number of a data frame and say what to do with the frame."""
        expected = self.next_seq
        if seq == expected:
            self.next_seq = seq + 1
            self.last_frame = frame
            return Step.TAKE
        if seq > expected:
            self._hole = range(expected, seq)
            self.next_seq = seq + 1
            self.last_frame = frame
            return Step.GAP
        if seq == expected - 1:
            if frame == self.last_frame:
                return Step.DUPLICATE
            repeats_control = seq == self._control_seq
            self._control_seq = 0
            self.last_frame = frame
            return Step.TAKE if repeats_control else Step.GAP
        return Step.LATE if seq in self._hole else Step.BACKWARDS

    def control_step(self, seq: int) -> Step:
        """Take the number of a control frame: the next one, or the last one again."""
        if seq == self.next_seq:
            self.next_seq = seq + 1
            self._control_seq = seq
            return Step.TAKE
        if seq > self.next_seq:
            self._hole = range(self.next_seq, seq)
            self.next_seq = seq + 1
            self._control_seq = seq
            return Step.GAP
        return Step.DUPLICATE if seq == self.next_seq - 1 else Step.LATE


def _levels(levels: list[TextLevel] | None) -> list[LevelE]:
    return [(LEVEL_PRICE_E4[price], SIZE_E6[size]) for price, size in levels] if levels else []
