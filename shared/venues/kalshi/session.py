"""A conversation with Kalshi's WebSocket without the socket: frames in, events and commands out.

``receive`` is fed every frame in order. Its result says what became of the books; a book can be read through
``book_state`` when it stands at the end of an operation of the exchange. One operation is several deltas with the
same ``ts``, and inside it the book may be crossed by twenty cents, so a book is announced when the ``ts`` changes or
when ``settle`` says that nothing more is waiting on the socket. For that reason a delta that begins a new operation
is kept back until the next call: whoever reacts to ``BookChanged`` at once reads the finished operation.

Kalshi API reference (WebSocket), read 2026-11-21; operations, seq of control frames and cleared books after the close
as recorded 2026-05 to 2026-09.
"""

from collections.abc import Iterable, Sequence

from shared.domain.book import BelowZero, Book, Ladder
from shared.domain.market import MarketId
from shared.domain.numbers import LEVEL_PRICE_E4, ONE_DOLLAR_E4, SIGNED_SIZE_E6, NumberRefused
from shared.venues.kalshi import schema
from shared.venues.kalshi.books import LiveBook, Subscription
from shared.venues.kalshi.events import BookState, Counts, Event
from shared.venues.kalshi.intake import Intake
from shared.venues.kalshi.lifecycle import LIFECYCLE_CHANNEL
from shared.venues.kalshi.operations import OpenOperations
from shared.venues.kalshi.other_frames import OtherFrames
from shared.venues.kalshi.replies import ACK_WITHIN_NS, Replies
from shared.venues.kalshi.schema import Delta, Snapshot
from shared.venues.kalshi.snapshots import Snapshots
from shared.venues.kalshi.subscriptions import Subscriptions

_decode = schema.BOOK_FRAME.decode  # looked up once: it is called for every frame

_Held = tuple[Subscription, LiveBook, Ladder, int, int, str | int | None, int, int, int]
"""A delta kept back: where it goes, price, change, group, the exchange's time, our time, its number."""

_NOTHING: tuple[Event, ...] = ()


class KalshiSession:
    """The books of one connection.

    ``use_yes_price`` asks for side ``no`` on the YES scale and reads it so. ``chunk`` bounds the tickers of one
    command. ``lifecycle`` subscribes to what happens to markets and fees as well, ``channels`` to
    others, for the markets wanted when a connection is opened. ``adopt`` is for recordings: it takes
    any sid and any market it meets, as there is nobody to ask. ``prove_scale`` keeps every book with NO bids back until
    a snapshot or ``scale_compared`` has shown that side ``no`` has the scale that was asked for. An acknowledgement
    that takes longer than ``ack_within_ns`` never comes.
    """

    def __init__(
        self,
        tickers: Iterable[MarketId] = (),
        *,
        use_yes_price: bool = False,
        chunk: int = 100,
        adopt: bool = False,
        lifecycle: bool = False,
        channels: Iterable[str] = (),
        prove_scale: bool = False,
        ack_within_ns: int = ACK_WITHIN_NS,
    ) -> None:
        channels = tuple(channels)
        self.counts = Counts()
        self._subs = Subscriptions(
            tickers,
            use_yes_price=use_yes_price,
            chunk=chunk,
            counts=self.counts,
            channels=[*((LIFECYCLE_CHANNEL,) if lifecycle else ()), *channels],
        )
        self._replies = Replies(self._subs, ack_within_ns=ack_within_ns)
        self._intake = Intake(self._subs, adopt=adopt)
        self._snapshots = Snapshots(self._subs, use_yes_price=use_yes_price, prove_scale=prove_scale, adopt=adopt)
        self._other_frames = OtherFrames(self._subs, self._intake, self._replies, reads_channels=bool(channels))
        self._by_sid = self._subs.by_sid
        self._events = self._subs.events
        self._held: _Held | None = None
        self._operations = OpenOperations(self._subs)
        self._queue = self._operations.queue

    @property
    def wanted_markets(self) -> int:
        """How many markets should be streamed."""
        return len(self._subs.wanted)

    @property
    def live_markets(self) -> int:
        """How many of them have a book that may be believed."""
        allows = self._snapshots.scale.allows
        return sum(book.live and book.wanted and allows(book.book) for book in self._subs.markets.values())

    @property
    def wants_scale_compared(self) -> bool:
        """Whether books are kept back that only a comparison with REST can release."""
        return not self._snapshots.scale.is_proven and any(book.live for book in self._subs.markets.values())

    @property
    def has_data_to_send(self) -> bool:
        """Whether ``data_to_send`` would return anything."""
        return bool(self._subs.outbox)

    @property
    def last_times(self) -> tuple[int, int] | None:
        """The exchange's milliseconds and our nanoseconds of a recent delta that carried a time."""
        return self._operations.last_times

    def market_ids(self) -> tuple[MarketId, ...]:
        """Return the markets a snapshot or a command has named."""
        return tuple(book.market_id for book in self._subs.markets.values())

    def book(self, market_id: MarketId) -> Book | None:
        """Return the book as far as it was applied, perhaps inside an operation; None when it is lost or unknown.

        For quoting ask ``book_state``.
        """
        book = self._subs.markets.get(market_id)
        return book.book if book is not None and book.live else None

    def connected(self, now_ns: int = 0) -> None:
        """A connection was opened: everything starts anew. ``now_ns`` is monotonic time, as in ``tick``."""
        self._reset()
        self._subs.connected(now_ns)

    def disconnected(self, reason: str) -> Sequence[Event]:
        """The connection is gone: no book may be believed any more."""
        self._reset()
        self._subs.disconnected(reason)
        return self._drain()

    def want(self, tickers: Iterable[MarketId]) -> None:
        """Stream exactly these markets from now on; the commands for it wait in ``data_to_send``."""
        self._subs.want(tickers)

    def audit(self, count: int) -> int:
        """Ask for fresh snapshots of up to ``count`` believed books, in turn, and compare them as they come.

        The snapshot has its place in the sequence, so the comparison is exact. Returns how many were asked for.
        """
        return self._subs.audit(count)

    def check(self) -> None:
        """Ask which subscriptions the exchange knows; one that it does not is the end of the connection."""
        self._subs.check()

    def lose(self, market_ids: Iterable[MarketId], reason: str) -> Sequence[Event]:
        """Stop believing these books, for a reason seen from outside, and ask for new ones."""
        asked = set(market_ids)
        for sub in list(self._by_sid.values()):
            self._subs.lose(sub, [book for ticker, book in sub.markets.items() if ticker in asked], reason)
        return self._drain()

    def scale_compared(self, as_asked: int, on_the_other: int) -> Sequence[Event]:
        """Take how many NO prices REST has too, as they were read and on the other scale, over many books.

        With neither the question stays open; REST knows no order, so a moving book may share no price with itself.
        """
        self._snapshots.scale_compared(as_asked, on_the_other)
        return self._drain()

    def data_to_send(self) -> list[str]:
        """Return the text frames to send, each once, in this order."""
        outbox = self._subs.outbox.copy()
        self._subs.outbox.clear()
        return outbox

    def book_state(self, market_id: MarketId) -> BookState | None:
        """Return the book when it may be quoted now; None when it is lost, ended or inside an operation."""
        book = self._subs.markets.get(market_id)
        if book is None or not book.live or book.open or not book.wanted or (book.ended and book.book.is_empty):
            return None
        if not self._snapshots.scale.allows(book.book):
            return None
        return BookState(book.book, book.venue_ts_ms, book.received_ts_ns, book.sequence)

    def receive(  # noqa: PLR0911, PLR0912 - the hot path: a call for each branch would double its time
        self, frame: bytes, received_ts_ns: int
    ) -> Sequence[Event]:
        """Take one frame and return what happened to the books because of it.

        Nothing escapes, whatever the bytes: what cannot be used is counted in ``counts.refused``.
        """
        if self._held is not None:
            self._apply_held()
        try:
            message = _decode(frame)
        except schema.UNREADABLE:
            return self._other(frame)
        if type(message) is not Delta:
            assert isinstance(message, Snapshot)
            self.counts.other_frames["orderbook_snapshot"] += 1
            self._snapshot(message, frame, received_ts_ns)
            return self._drain()
        self.counts.deltas += 1
        sub = self._by_sid.get(message.sid)
        if sub is None or message.seq != sub.next_seq:
            sub = self._intake.subscription_for(message, frame, received_ts_ns)
            if sub is None:
                return self._drain()
        else:
            sub.next_seq += 1
            sub.last_frame = frame
        body = message.msg
        book = sub.markets.get(body.market_ticker)
        if book is None or not book.live:
            return self._without_book(book)
        try:
            price_e4 = LEVEL_PRICE_E4[body.price_dollars]
            change_e6 = SIGNED_SIZE_E6[body.delta_fp]
        except NumberRefused as error:
            return self._refuse_book(sub, book, "number", str(error))
        if body.side == "yes":
            ladder = book.yes_bids
        else:
            ladder = book.no_bids
            if sub.yes_price:
                price_e4 = ONE_DOLLAR_E4 - price_e4
        group = body.ts or body.ts_ms
        if book.open and group != book.group:
            if book.yes_bids.best_e4 + book.no_bids.best_e4 >= ONE_DOLLAR_E4:
                return self._refuse_book(sub, book, "crossed", book.crossing)
            book.open = False
            book.crossed_since_ns = 0
            self._held = (
                sub, book, ladder, price_e4, change_e6, group, body.ts_ms or 0, received_ts_ns, message.seq
            )  # fmt: skip
            if self._events or not book.wanted:
                return self._announce(book)
            return book.changed
        try:
            ladder.add(price_e4, change_e6)
        except BelowZero as error:
            return self._refuse_book(sub, book, "below zero", str(error))
        book.group = group
        book.venue_ts_ms = body.ts_ms or 0
        book.received_ts_ns = received_ts_ns
        book.sequence = message.seq
        book.open = True
        if not book.queued:
            book.queued = True
            self._queue.append(book)
        return self._drain() if self._events else _NOTHING

    def settle(self, *, heard_before_ns: int | None = None) -> Sequence[Event]:
        """End the open operations, because nothing more is waiting on the socket.

        With ``heard_before_ns`` only those whose last delta was received before that moment, for a reader that
        cannot catch up. A book that is crossed is not announced: its operation was cut in two, or it is wrong, which
        ``tick`` finds out.
        """
        if self._held is not None:
            self._apply_held()
        self._operations.settle(heard_before_ns)
        return self._drain()

    def tick(self, now_ns: int) -> Sequence[Event]:
        """Let time pass: unanswered commands, overdue snapshots, books that stay crossed.

        ``now_ns`` is any monotonic clock's; call it several times a second.
        """
        self._replies.tick(now_ns)
        self._operations.tick(now_ns)
        return self._drain()

    def _reset(self) -> None:
        self._held = None
        self._operations.forget()
        self._intake.forget()
        self._snapshots.forget()

    def _drain(self) -> Sequence[Event]:
        if not self._events:
            return _NOTHING
        events = tuple(self._events)
        self._events.clear()
        return events

    def _announce(self, book: LiveBook) -> Sequence[Event]:
        if book.wanted:
            self._events.extend(book.changed)
        return self._drain()

    def _apply_held(self) -> None:
        assert self._held is not None
        sub, book, ladder, price_e4, change_e6, group, venue_ts_ms, received_ts_ns, seq = self._held
        self._held = None
        if not book.live:
            return
        try:
            ladder.add(price_e4, change_e6)
        except BelowZero as error:
            self.counts.refused["below zero"] += 1
            self._subs.lose(sub, (book,), str(error))
            return
        book.group = group
        book.venue_ts_ms = venue_ts_ms
        book.received_ts_ns = received_ts_ns
        book.sequence = seq
        book.open = True
        if not book.queued:
            book.queued = True
            self._queue.append(book)

    def _refuse_book(self, sub: Subscription, book: LiveBook, kind: str, reason: str) -> Sequence[Event]:
        self.counts.refused[kind] += 1
        self._subs.lose(sub, (book,), f"{kind}: {reason}")
        return self._drain()

    def _without_book(self, book: LiveBook | None) -> Sequence[Event]:
        if book is None:
            self.counts.refused["unknown ticker"] += 1
        elif book.wanted:
            self.counts.refused["no snapshot yet"] += 1
        return self._drain()

    def _snapshot(self, message: Snapshot, frame: bytes, received_ts_ns: int) -> None:
        sub = self._by_sid.get(message.sid)
        if sub is None or message.seq != sub.next_seq:
            sub = self._intake.subscription_for(message, frame, received_ts_ns)
            if sub is None:
                return
        else:
            sub.next_seq += 1
            sub.last_frame = frame
        self._snapshots.take(sub, message, received_ts_ns)

    def _other(self, frame: bytes) -> Sequence[Event]:
        """Take a frame that is no book data, then those that waited for what it may acknowledge."""
        self._other_frames.take(frame)
        events: list[Event] = []
        for early, received_ts_ns in self._intake.released():
            counted = self.counts.deltas, self.counts.other_frames.copy()  # when it came
            events.extend(self.receive(early, received_ts_ns))
            self.counts.deltas, self.counts.other_frames = counted
        self._events[:0] = events
        return self._drain()
