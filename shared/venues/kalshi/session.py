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
from shared.venues.kalshi.books import LiveBook, Step, Subscription
from shared.venues.kalshi.channels import CHANNEL_TYPES, read_channel
from shared.venues.kalshi.events import (
    AuditDiffered,
    BookEnded,
    BookState,
    ChannelSaid,
    Counts,
    Event,
    LinkUnusable,
    ScaleContradicted,
    ScaleProven,
)
from shared.venues.kalshi.lifecycle import LIFECYCLE_CHANNEL, LIFECYCLE_TYPES, read_lifecycle
from shared.venues.kalshi.scale import ScaleWatch
from shared.venues.kalshi.schema import Delta, Envelope, Snapshot
from shared.venues.kalshi.subscriptions import ACK_WITHIN_NS, CROSSED_FOR_NS, Subscriptions

_STASH_FRAMES = 4_096
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
        self.counts = Counts()
        self._subs = Subscriptions(
            tickers,
            use_yes_price=use_yes_price,
            chunk=chunk,
            counts=self.counts,
            channels=[*((LIFECYCLE_CHANNEL,) if lifecycle else ()), *channels],
            ack_within_ns=ack_within_ns,
        )
        self._reads_channels = bool(tuple(channels))
        self._use_yes_price = use_yes_price
        self._prove_scale = prove_scale
        self._scale = ScaleWatch(use_yes_price=use_yes_price, is_proven=not prove_scale)
        self._by_sid = self._subs.by_sid
        self._adopt = adopt
        self._events = self._subs.events
        self._held: _Held | None = None
        self._queue: list[LiveBook] = []
        self._stash: list[tuple[bytes, int]] = []
        self._last_times: tuple[int, int] | None = None

    @property
    def wanted_markets(self) -> int:
        """How many markets should be streamed."""
        return len(self._subs.wanted)

    @property
    def live_markets(self) -> int:
        """How many of them have a book that may be believed."""
        allows = self._scale.allows
        return sum(book.live and book.wanted and allows(book.book) for book in self._subs.markets.values())

    @property
    def wants_scale_compared(self) -> bool:
        """Whether books are kept back that only a comparison with REST can release."""
        return not self._scale.is_proven and any(book.live for book in self._subs.markets.values())

    @property
    def has_data_to_send(self) -> bool:
        """Whether ``data_to_send`` would return anything."""
        return bool(self._subs.outbox)

    @property
    def last_times(self) -> tuple[int, int] | None:
        """The exchange's milliseconds and our nanoseconds of a recent delta that carried a time."""
        return self._last_times

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
        self._by_sid = self._subs.by_sid

    def disconnected(self, reason: str) -> Sequence[Event]:
        """The connection is gone: no book may be believed any more."""
        self._reset()
        self._subs.disconnected(reason)
        self._by_sid = self._subs.by_sid
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
        if on_the_other > as_asked:
            self._contradicted()
        elif as_asked and not self._scale.is_proven:
            self._scale.is_proven = True
            self._release()
        return self._drain()

    def data_to_send(self) -> list[str]:
        """Return the text frames to send, each once, in this order."""
        outbox, self._subs.outbox = self._subs.outbox, []
        return outbox

    def book_state(self, market_id: MarketId) -> BookState | None:
        """Return the book when it may be quoted now; None when it is lost, ended or inside an operation."""
        book = self._subs.markets.get(market_id)
        if book is None or not book.live or book.open or not book.wanted or (book.ended and book.book.is_empty):
            return None
        if not self._scale.allows(book.book):
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
            self._other(frame)
            return self._drain()
        if type(message) is not Delta:
            assert isinstance(message, Snapshot)
            self.counts.other_frames["orderbook_snapshot"] += 1
            self._snapshot(message, frame, received_ts_ns)
            return self._drain()
        self.counts.deltas += 1
        sub = self._by_sid.get(message.sid)
        if sub is None or message.seq != sub.next_seq:
            sub = self._subscription_for(message, frame, received_ts_ns)
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
                return self._refuse_book(sub, book, "crossed", _crossing(book))
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
        still_open = []
        if self._queue and self._queue[-1].venue_ts_ms:
            self._last_times = self._queue[-1].venue_ts_ms, self._queue[-1].received_ts_ns
        for book in self._queue:
            late = heard_before_ns is not None and book.received_ts_ns >= heard_before_ns
            if book.open and book.live and (late or book.is_crossed):
                still_open.append(book)
                continue
            book.queued = False
            if book.open and book.live:
                book.open = False
                book.crossed_since_ns = 0
                if book.wanted:
                    self._events.extend(book.changed)
        self._queue = still_open
        return self._drain()

    def tick(self, now_ns: int) -> Sequence[Event]:
        """Let time pass: unanswered commands, overdue snapshots, books that stay crossed.

        ``now_ns`` is any monotonic clock's; call it several times a second.
        """
        self._subs.tick(now_ns)
        for book in self._queue:
            if not (book.open and book.live and book.is_crossed):
                book.crossed_since_ns = 0
            elif not book.crossed_since_ns:
                book.crossed_since_ns = now_ns
            elif now_ns - book.crossed_since_ns >= CROSSED_FOR_NS:
                self._lose_crossed(book)
        return self._drain()

    def _reset(self) -> None:
        self._held = None
        self._queue = []
        self._stash = []
        self._last_times = None
        self._scale = ScaleWatch(use_yes_price=self._use_yes_price, is_proven=not self._prove_scale)

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

    def _lose_crossed(self, book: LiveBook) -> None:
        self.counts.refused["crossed"] += 1
        for sub in list(self._by_sid.values()):
            if sub.markets.get(book.market_id) is book:
                self._subs.lose(sub, (book,), f"crossed: {_crossing(book)}")

    def _subscription_for(self, message: Delta | Snapshot, frame: bytes, received_ts_ns: int) -> Subscription | None:
        """Return the frame's subscription when the frame is to be used, having dealt with its number."""
        sub = self._by_sid.get(message.sid)
        if sub is None:
            if not self._adopt:
                self._unknown_sid(message.sid, frame, received_ts_ns)
                return None
            sub = self._subs.adopt(message.sid, schema.BOOK_CHANNEL, next_seq=message.seq)
        expected = sub.next_seq
        return sub if self._take(sub, message.seq, expected, frame) else None

    def _take(self, sub: Subscription, seq: int, expected: int, frame: bytes) -> bool:
        match sub.data_step(seq, frame):
            case Step.TAKE:
                return True
            case Step.GAP:
                self._subs.gap(sub, f"sid {sub.sid} went from seq {expected - 1} to {seq}")
                return True
            case Step.DUPLICATE:
                self.counts.refused["duplicate"] += 1
            case Step.LATE:
                self.counts.refused["late"] += 1
            case Step.BACKWARDS:
                self.counts.refused["backwards"] += 1
                reason = f"sid {sub.sid} went back from seq {expected - 1} to {seq}"
                self._subs.gap(sub, reason)
                self._events.append(LinkUnusable(reason))
        return False

    def _unknown_sid(self, sid: int, frame: bytes, received_ts_ns: int) -> None:
        """Keep data that came before its acknowledgement; too much of it is let go and found as a gap."""
        if sid in self._subs.retired:
            self.counts.refused["after unsubscribe"] += 1
        elif not self._subs.awaits_ack:
            self.counts.refused["unknown sid"] += 1
        elif len(self._stash) >= _STASH_FRAMES:
            self.counts.refused["too much before the acknowledgement"] += len(self._stash) + 1
            self._stash.clear()
        else:
            self._stash.append((frame, received_ts_ns))

    def _replay_stash(self) -> None:
        stash, self._stash = self._stash, []
        events: list[Event] = []
        for frame, received_ts_ns in stash:
            frames = self.counts.deltas, self.counts.other_frames.copy()
            events.extend(self.receive(frame, received_ts_ns))
            self.counts.deltas, self.counts.other_frames = frames  # they were counted when they came
        self._events[:0] = events

    def _snapshot(self, message: Snapshot, frame: bytes, received_ts_ns: int) -> None:
        sub = self._by_sid.get(message.sid)
        if sub is None or message.seq != sub.next_seq:
            sub = self._subscription_for(message, frame, received_ts_ns)
            if sub is None:
                return
        else:
            sub.next_seq += 1
            sub.last_frame = frame
        body = message.msg
        book = sub.markets.get(body.market_ticker)
        if book is None:
            if not self._adopt:
                self.counts.refused["unknown ticker"] += 1
                return
            book = self._subs.markets[body.market_ticker] = LiveBook(MarketId(body.market_ticker))
            sub.markets[body.market_ticker] = book
        unasked = book.live and message.id is None
        was_believed = book.live and self._subs.is_audit(message.id)
        before = (book.yes_bids.sizes_e6.copy(), book.no_bids.sizes_e6.copy()) if was_believed else None
        try:
            book.replace(body, yes_price=sub.yes_price)
        except NumberRefused as error:
            self._subs.snapshot_came(book, usable=False)
            self.counts.refused["number"] += 1
            self._subs.lose(sub, (book,), f"number: {error}")
            return
        if before is not None and not self._audited(book, *before):
            self._subs.snapshot_came(book, usable=True)
            return
        book.venue_ts_ms = 0
        book.received_ts_ns = received_ts_ns
        book.sequence = message.seq
        book.open = False
        book.group = None
        was_proven = self._scale.is_proven
        if self._scale.snapshot(book.book) and not self._adopt:
            self._contradicted()
        if book.is_crossed:
            self._subs.snapshot_came(book, usable=False)
            self.counts.refused["crossed"] += 1
            self._subs.lose(sub, (book,), f"crossed snapshot: {_crossing(book)}")
            return
        self._subs.snapshot_came(book, usable=True)
        self._announce_snapshot(book, ended=unasked and book.book.is_empty)
        if self._scale.is_proven and not was_proven:
            self._release()

    def _contradicted(self) -> None:
        """Stop believing anything that was read on the wrong scale."""
        reason = self._scale.contradiction
        self.counts.refused["scale"] += 1
        for sub in list(self._by_sid.values()):
            self._subs.lose(sub, sub.markets.values(), reason)
        self._scale.is_proven = False
        self._events += [ScaleContradicted(reason), LinkUnusable(reason)]

    def _release(self) -> None:
        """Announce the books that were kept back."""
        self._events.append(ScaleProven())
        for book in self._subs.markets.values():
            if book.live and book.wanted and not book.open:
                self._events.extend(book.changed)

    def _audited(self, book: LiveBook, yes_e6: dict[int, int], no_e6: dict[int, int]) -> bool:
        """Count a comparison of what was streamed with the snapshot that replaced it; return whether it differed."""
        self.counts.audited += 1
        differing = sum(
            was.get(price) != now.get(price)
            for was, now in ((yes_e6, book.yes_bids.sizes_e6), (no_e6, book.no_bids.sizes_e6))
            for price in was.keys() | now.keys()
        )
        if differing:
            self.counts.audit_differed += 1
            self._events.append(AuditDiffered(book.market_id, differing))
        return bool(differing)

    def _announce_snapshot(self, book: LiveBook, *, ended: bool) -> None:
        told = book.ended
        book.ended = ended
        if not book.wanted:
            return
        if not ended:
            self._events.extend(book.changed)
        elif not told:
            self._events.append(BookEnded(book.market_id))

    def _other(self, frame: bytes) -> None:
        """Take a frame that is not well-formed book data: a control reply, another channel's, or rubbish."""
        try:
            envelope = schema.ENVELOPE.decode(frame)
        except schema.UNREADABLE:
            self._unreadable("unreadable frame")
            return
        if envelope.type in schema.BOOK_TYPES:
            self.counts.other_frames[envelope.type] += 1
            self._malformed(envelope)
            return
        self.counts.saw(envelope.type)
        if envelope.type not in schema.CONTROL_TYPES:
            self._other_channel(envelope, frame)
            return
        try:
            message = schema.CONTROL_FRAME.decode(frame)
        except schema.UNREADABLE:
            self._unreadable(f"malformed {envelope.type}")
            return
        self._subs.control(message)
        if self._stash and not self._subs.awaits_ack:
            self._replay_stash()

    def _malformed(self, envelope: Envelope) -> None:
        """Lose what a book frame without usable content was about: all books of its sid."""
        sub = self._by_sid.get(envelope.sid) if envelope.sid is not None else None
        if sub is None or envelope.seq is None:
            self._unreadable(f"malformed {envelope.type}")
            return
        self.counts.refused[f"malformed {envelope.type}"] += 1
        expected = sub.next_seq
        if self._take(sub, envelope.seq, expected, b""):
            self._subs.lose(sub, sub.markets.values(), f"malformed {envelope.type}")

    def _unreadable(self, kind: str) -> None:
        """Lose every book: nobody can say which one the frame was about."""
        self.counts.refused[kind] += 1
        for sub in list(self._by_sid.values()):
            self._subs.lose(sub, sub.markets.values(), kind)

    def _other_channel(self, envelope: Envelope, frame: bytes) -> None:
        """Follow the numbers of channels without books too, so that a hole in them is noticed; then read the frame."""
        if envelope.sid is not None and envelope.seq is not None and not self._is_next(envelope, frame):
            return
        try:
            if envelope.type in LIFECYCLE_TYPES:
                self._events.append(read_lifecycle(frame))
            elif envelope.type in CHANNEL_TYPES and self._reads_channels:
                self._events.append(ChannelSaid(read_channel(frame)))
        except ValueError:
            self.counts.refused[f"malformed {envelope.type}"] += 1

    def _is_next(self, envelope: Envelope, frame: bytes) -> bool:
        assert envelope.sid is not None
        assert envelope.seq is not None
        sub = self._by_sid.get(envelope.sid)
        if sub is None:
            channel = LIFECYCLE_CHANNEL if envelope.type in LIFECYCLE_TYPES else envelope.type
            sub = self._subs.adopt(envelope.sid, channel, next_seq=envelope.seq)
        expected = sub.next_seq
        if sub.channel == schema.BOOK_CHANNEL:
            self._subs.control_number(sub, envelope.seq)
            return False
        return self._take(sub, envelope.seq, expected, frame)


def _crossing(book: LiveBook) -> str:
    return f"{book.market_id} bids {book.yes_bids.best_e4} and {book.no_bids.best_e4} ten-thousandths"
