"""Which markets a Kalshi connection carries: subscribing, changing, losing and recovering books.

The session next door applies book data; this half speaks in commands and replies. It knows no clock: whoever owns
the connection calls ``tick`` with monotonic nanoseconds several times a second.
Kalshi API reference (WebSocket), read 2026-11-21; joining of sids recorded 2026-08-07.
"""

from collections.abc import Iterable

from shared.domain.market import MarketId
from shared.venues.kalshi.books import LiveBook, Step, Subscription
from shared.venues.kalshi.commands import Command, CommandKind, chunked
from shared.venues.kalshi.events import BooksLost, ChannelMissed, CommandRefused, Counts, Event, LinkUnusable
from shared.venues.kalshi.lifecycle import LIFECYCLE_CHANNEL, LifecycleMissed
from shared.venues.kalshi.schema import (
    BOOK_CHANNEL,
    ControlFrame,
    ErrorReply,
    Ok,
    Subscribed,
    Unsubscribed,
)

_SECOND_NS = 1_000_000_000
ACK_WITHIN_NS = 10 * _SECOND_NS
SNAPSHOT_WITHIN_NS = 5 * _SECOND_NS
CROSSED_FOR_NS = _SECOND_NS // 4
"""A book that stays crossed this long after its last frame is wrong; a shorter time is an operation cut in two."""
_STEADY_NS = 2 * _SECOND_NS
"""A book that was good this long starts over with quick retries."""
_RETRY_AFTER_NS = tuple(quarters * _SECOND_NS // 4 for quarters in (0, 0, 0, 1, 2, 4, 8, 20))
"""How long a book waits for its next request, by the number of requests that did not help."""
_RESUBSCRIBES_MAX = 3
_RESUBSCRIBES_WITHIN_NS = 60 * _SECOND_NS

_TERMINAL = frozenset({10, 25})
"""Channel error and buffer overflow: the sid is dead."""
_PASSING = frozenset({18, 27})
"""Command timeout and command rate: the same command may work later."""
_HOPELESS = frozenset({3, 5, 8, 9, 13})
"""Our commands are not understood or not allowed; no other ticker would help."""
_TOO_MANY_MARKETS = 26
_SNAPSHOTS = frozenset({CommandKind.SNAPSHOT, CommandKind.AUDIT})


class Subscriptions:
    """The sids of one connection, the commands under way and the books that wait for a snapshot."""

    def __init__(
        self,
        tickers: Iterable[MarketId],
        *,
        use_yes_price: bool,
        chunk: int,
        counts: Counts,
        channels: Iterable[str] = (),
        ack_within_ns: int = ACK_WITHIN_NS,
    ) -> None:
        assert chunk > 0, chunk
        self.wanted = dict.fromkeys(tickers)
        self.by_sid: dict[int, Subscription] = {}
        self.markets: dict[str, LiveBook] = {}
        self.events: list[Event] = []
        self.outbox: list[str] = []
        self.retired: set[int] = set()
        self.now_ns = 0
        self._yes_price = use_yes_price
        self._chunk = chunk
        self._counts = counts
        self._channels = tuple(dict.fromkeys(channels))
        self._ack_within_ns = ack_within_ns
        self._news_missed = ""
        """Why messages about markets' lives may have been missed, until that channel is opened again."""
        self._connected = False
        self._refused: set[MarketId] = set()
        self._pending: dict[int, Command] = {}
        self._waiting: dict[str, LiveBook] = {}
        self._next_id = 1
        self._audit_at = 0
        self._reconcile_at_ns: int | None = None
        self._resubscribed_at_ns: list[int] = []

    @property
    def awaits_ack(self) -> bool:
        """Whether a sid may be in use that has not been named yet."""
        return any(command.kind is CommandKind.SUBSCRIBE for command in self._pending.values())

    def connected(self, now_ns: int) -> None:
        """Start over on a fresh connection: sids and numbers of the last one mean nothing any more."""
        self._forget_connection()
        self.now_ns = now_ns
        self._connected = True
        self._reconcile()
        for channel in self._channels:
            self._open_channel(channel)

    def disconnected(self, reason: str) -> None:
        """Lose every book; nothing more can be asked."""
        self._news_missed = self._news_missed or (reason if self._connected else "")
        self._connected = False
        self._announce_lost(self.markets.values(), reason)
        self._forget_connection()

    def want(self, tickers: Iterable[MarketId]) -> None:
        """Carry exactly these markets from now on. A market refused before is tried again when it is new here."""
        wanted = dict.fromkeys(tickers)
        self._refused.intersection_update(self.wanted.keys() & wanted.keys())
        self.wanted = wanted
        for market in self.markets.values():
            market.wanted = market.market_id in wanted
        self._reconcile()

    def control(self, message: ControlFrame) -> None:
        """Take the answer to a command, or the end of a subscription."""
        match message:
            case Subscribed():
                self._subscribed(message)
            case Ok():
                self._count_number(message.sid, message.seq)
                self._ok(message)
            case Unsubscribed():
                self._count_number(message.sid, message.seq)
            case ErrorReply():
                self._count_number(message.sid, message.seq)
                self._error(message)

    def adopt(self, sid: int, channel: str, *, next_seq: int = 1) -> Subscription:
        """Begin to keep ``sid``; what an earlier subscription of that number held is lost."""
        former = self.by_sid.get(sid)
        if former is not None:
            self._announce_lost(former.markets.values(), f"sid {sid} was given out anew")
        self.retired.discard(sid)
        subscription = Subscription(sid, channel, yes_price=self._yes_price, next_seq=next_seq)
        self.by_sid[sid] = subscription
        return subscription

    def control_number(self, subscription: Subscription, seq: int) -> None:
        """Take the number of a frame that is not book data."""
        expected = subscription.next_seq
        step = subscription.control_step(seq)
        if step is Step.GAP:
            self.gap(subscription, f"sid {subscription.sid} went from seq {expected - 1} to {seq}")
        elif step is Step.LATE:
            self._counts.refused["control number backwards"] += 1

    def gap(self, subscription: Subscription, reason: str) -> None:
        """Lose every book of the sid at once and ask for all of them."""
        self._counts.gaps += 1
        if subscription.channel != BOOK_CHANNEL:
            self._channel_missed(subscription.channel, reason)
        self.lose(subscription, subscription.markets.values(), reason)

    def lose(self, subscription: Subscription, books: Iterable[LiveBook], reason: str) -> None:
        """Stop believing these books and ask for snapshots, sooner or later by how often that failed."""
        books = list(books)
        self._announce_lost(books, reason)
        for book in books:
            book.retry_at_ns = min(book.retry_at_ns, self.now_ns + _retry_after_ns(book))
            if book.wanted:
                self._waiting[book.market_id] = book
        self._ask(subscription, (book for book in books if book.wanted and self.now_ns >= book.retry_at_ns))

    def audit(self, count: int) -> int:
        """Ask for snapshots of up to ``count`` believed books, in turn, to compare; return how many were asked for."""
        subscription = self._book_subscription()
        if subscription is None or any(command.kind is CommandKind.AUDIT for command in self._pending.values()):
            return 0
        live = [ticker for ticker, book in subscription.markets.items() if book.live and book.wanted]
        start = self._audit_at % len(live) if live else 0
        asked = tuple(MarketId(ticker) for ticker in (live[start:] + live[:start])[:count])
        self._audit_at = start + len(asked)
        if asked:
            self._send(CommandKind.AUDIT, asked, sid=subscription.sid)
        return len(asked)

    def check(self) -> None:
        """Ask which subscriptions the exchange knows, unless it was asked already."""
        if self._connected and not any(command.kind is CommandKind.LIST for command in self._pending.values()):
            self._send(CommandKind.LIST, ())

    def is_audit(self, command_id: int | None) -> bool:
        """Whether a snapshot with this id answers a comparison rather than a loss."""
        command = self._pending.get(command_id or 0)
        return command is not None and command.kind is CommandKind.AUDIT

    def snapshot_came(self, book: LiveBook, *, usable: bool) -> None:
        """Note that the exchange sent a snapshot of this book."""
        for command in [command for command in self._pending.values() if command.kind in _SNAPSHOTS]:
            command.waiting.discard(book.market_id)
            if not command.waiting:
                del self._pending[command.id]
        book.retry_at_ns = min(book.retry_at_ns, self.now_ns + _retry_after_ns(book))
        if usable:
            self._waiting.pop(book.market_id, None)
            if not book.live:
                book.live = True
                book.live_since_ns = self.now_ns

    def tick(self, now_ns: int) -> None:
        """Notice what did not come: acks, snapshots, and the moment to try again."""
        self.now_ns = now_ns
        if not self._connected:
            return
        for command in list(self._pending.values()):
            if command.again_ns and now_ns >= command.again_ns:
                del self._pending[command.id]
                self._send(command.kind, command.tickers, sid=command.sid)
                continue
            if now_ns - command.sent_ns > self._ack_within_ns and command.kind not in _SNAPSHOTS:
                within_s = self._ack_within_ns // _SECOND_NS
                self.events.append(LinkUnusable(f"no answer to {command.kind} {command.id} within {within_s} s"))
                return
            if now_ns - command.sent_ns > SNAPSHOT_WITHIN_NS and command.kind is CommandKind.SNAPSHOT:
                self._snapshot_overdue(command)
            if now_ns - command.sent_ns > SNAPSHOT_WITHIN_NS and command.kind is CommandKind.AUDIT:
                self._audit_overdue(command)
        if self._reconcile_at_ns is not None and now_ns >= self._reconcile_at_ns:
            self._reconcile_at_ns = None
            self._reconcile()
        self._ask_again()

    def _forget_connection(self) -> None:
        self.by_sid = {}
        self.markets = {}
        self.retired = set()
        self.outbox = []
        self._pending = {}
        self._waiting = {}
        self._next_id = 1
        self._reconcile_at_ns = None
        self._resubscribed_at_ns = []

    def _book_subscription(self) -> Subscription | None:
        return next((sub for sub in self.by_sid.values() if sub.channel == BOOK_CHANNEL), None)

    def _reconcile(self) -> None:
        """Send what is missing between the markets carried and the markets wanted."""
        if not self._connected:
            return
        books = (command for command in self._pending.values() if command.channel == BOOK_CHANNEL)
        under_way = {ticker for command in books for ticker in command.tickers}
        subscription = self._book_subscription()
        if subscription is None:
            missing = [ticker for ticker in self.wanted if ticker not in self._refused]
            if missing and not self.awaits_ack:
                self._send(CommandKind.SUBSCRIBE, tuple(missing[: self._chunk]))
            return
        missing = [
            ticker
            for ticker in self.wanted
            if ticker not in subscription.markets and ticker not in self._refused and ticker not in under_way
        ]
        for tickers in chunked(missing, self._chunk):
            self._carry(subscription, tickers)
            self._send(CommandKind.ADD, tickers, sid=subscription.sid)
        surplus = [MarketId(ticker) for ticker in subscription.markets if ticker not in self.wanted]
        for tickers in chunked((ticker for ticker in surplus if ticker not in under_way), self._chunk):
            self._send(CommandKind.DELETE, tickers, sid=subscription.sid)

    def _carry(self, subscription: Subscription, tickers: Iterable[MarketId]) -> None:
        for ticker in tickers:
            book = self.markets.setdefault(ticker, LiveBook(ticker))
            book.wanted = ticker in self.wanted
            book.retry_at_ns = max(book.retry_at_ns, self.now_ns + SNAPSHOT_WITHIN_NS)
            subscription.markets[ticker] = book
            if not book.live:
                self._waiting[ticker] = book

    def _drop(self, subscription: Subscription, tickers: Iterable[MarketId]) -> None:
        for ticker in tickers:
            subscription.markets.pop(ticker, None)
            self.markets.pop(ticker, None)
            self._waiting.pop(ticker, None)

    def _open_channel(self, channel: str) -> None:
        self._send(CommandKind.CHANNEL, tuple(self.wanted), channel=channel)

    def _channel_missed(self, channel: str, reason: str) -> None:
        self.events.append(LifecycleMissed(reason) if channel == LIFECYCLE_CHANNEL else ChannelMissed(channel, reason))

    def _send(
        self, kind: CommandKind, tickers: tuple[MarketId, ...], *, sid: int = 0, channel: str = BOOK_CHANNEL
    ) -> None:
        command = Command(
            id=self._next_id,
            kind=kind,
            tickers=tickers,
            channel=channel,
            sid=sid,
            sent_ns=self.now_ns,
            waiting=set(tickers),
        )
        self._next_id += 1
        if kind is not CommandKind.UNSUBSCRIBE:  # nothing depends on its answer: the sid is left already
            self._pending[command.id] = command
        self.outbox.append(command.text(yes_price=self._yes_price))

    def _count_number(self, sid: int | None, seq: int | None) -> None:
        subscription = self.by_sid.get(sid) if sid is not None else None
        if subscription is not None and seq is not None:
            self.control_number(subscription, seq)

    def _subscribed(self, message: Subscribed) -> None:
        command = self._pending.pop(message.id or 0, None)
        if command is None and self._connected:
            self._counts.refused["unasked subscription"] += 1
            return
        if message.msg.channel != BOOK_CHANNEL:
            if message.msg.sid not in self.by_sid:  # its first messages may have come before
                self.adopt(message.msg.sid, message.msg.channel)
            if self._news_missed and message.msg.channel == LIFECYCLE_CHANNEL:
                self.events.append(LifecycleMissed(self._news_missed))
                self._news_missed = ""
            return
        subscription = self.adopt(message.msg.sid, message.msg.channel)
        if command is not None:
            self._carry(subscription, command.tickers)
            self._reconcile()

    def _ok(self, message: Ok) -> None:
        command = self._pending.pop(message.id or 0, None)
        if command is None:
            return
        if command.kind is CommandKind.LIST:
            self._listed(message)
            return
        if command.kind is CommandKind.CHANNEL:
            return
        if command.kind in _SNAPSHOTS:
            self._pending[command.id] = command  # the snapshots are the answer
            return
        sid = message.sid if message.sid is not None else command.sid
        subscription = self.by_sid.get(sid) or self.adopt(sid, BOOK_CHANNEL)
        if command.kind is CommandKind.SUBSCRIBE:
            self._carry(subscription, command.tickers)
        if command.kind is CommandKind.DELETE:
            self._drop(subscription, (ticker for ticker in command.tickers if ticker not in self.wanted))
            self._lose_returned(subscription, command.tickers)
        else:
            listed = None if message.msg is None or isinstance(message.msg, list) else message.msg.market_tickers
            if listed is not None:
                missing = tuple(ticker for ticker in command.tickers if ticker not in set(listed))
                self._refuse(subscription, missing, code=0, text="not in the list of the acknowledgement")
        self._reconcile()

    def _listed(self, message: Ok) -> None:
        """Compare what the exchange says it streams with what we believe to hold."""
        if not isinstance(message.msg, list):
            return
        listed = {one.sid for one in message.msg}
        if None in listed:
            self._counts.refused["unreadable list of subscriptions"] += 1
            return
        unknown = sorted(self.by_sid.keys() - listed)
        if unknown:
            self.events.append(LinkUnusable(f"the exchange does not list our subscription {unknown[0]}"))

    def _lose_returned(self, subscription: Subscription, tickers: Iterable[MarketId]) -> None:
        """Forget books that were deleted and are wanted again, so that they are added afresh."""
        returned = [ticker for ticker in tickers if ticker in subscription.markets]
        self._announce_lost((subscription.markets[ticker] for ticker in returned), "deleted and wanted again")
        self._drop(subscription, returned)

    def _error(self, message: ErrorReply) -> None:
        code, text = message.msg.code, message.msg.msg
        self._counts.refused[f"error {code}"] += 1
        subscription = self.by_sid.get(message.sid) if message.sid is not None else None
        if subscription is not None and code in _TERMINAL and subscription.channel != BOOK_CHANNEL:
            self._channel_ended(subscription, f"error {code}: {text}")
            return
        if subscription is not None and code in _TERMINAL:
            self._resubscribe(subscription, f"error {code}: {text}")
            return
        command = self._pending.pop(message.id or 0, None)
        if command is None or command.kind in {CommandKind.AUDIT, CommandKind.LIST}:
            return
        if command.kind is CommandKind.CHANNEL:
            self._channel_missed(command.channel, f"error {code} to the subscription of {command.channel}: {text}")
        elif code in _PASSING:
            self._try_later(command)
        elif command.kind is CommandKind.SNAPSHOT or command.kind is CommandKind.DELETE or code == 7:
            self._subscription_failed(command, f"error {code} to {command.kind}: {text}")
        elif code in _HOPELESS:
            self.events.append(LinkUnusable(f"error {code} to {command.kind}: {text}"))
        else:
            self._tickers_failed(command, message)

    def _try_later(self, command: Command) -> None:
        subscription = self.by_sid.get(command.sid)
        if command.kind is CommandKind.ADD and subscription is not None:
            self._drop(subscription, command.tickers)
        self._reconcile_at_ns = self.now_ns + _SECOND_NS

    def _subscription_failed(self, command: Command, reason: str) -> None:
        subscription = self.by_sid.get(command.sid)
        if subscription is not None:
            self._resubscribe(subscription, reason)

    def _tickers_failed(self, command: Command, message: ErrorReply) -> None:
        """Leave out the tickers that were named; without names halve the command until one is left."""
        code, text = message.msg.code, message.msg.msg
        named = {*(message.msg.market_tickers or ()), *filter(None, (message.msg.market_ticker,))}
        subscription = self.by_sid.get(command.sid)
        culprits = tuple(ticker for ticker in command.tickers if ticker in named)
        if culprits and len(culprits) < len(command.tickers):
            self._refuse(subscription, culprits, code=code, text=text)
            command.tickers = tuple(ticker for ticker in command.tickers if ticker not in named)
            command.again_ns = self.now_ns + _SECOND_NS
            self._pending[command.id] = command  # the others may still be acknowledged, or were refused with it
            return
        if len(command.tickers) == 1 or culprits:
            self._refuse(subscription, command.tickers, code=code, text=text)
            self._reconcile()
            return
        half = (len(command.tickers) + 1) // 2
        if code == _TOO_MANY_MARKETS:
            self._chunk = min(self._chunk, half)
        pieces = chunked(command.tickers, half)
        if subscription is None:
            self._send(CommandKind.SUBSCRIBE, next(pieces))
            return
        for tickers in pieces:
            self._send(CommandKind.ADD, tickers, sid=subscription.sid)

    def _refuse(
        self, subscription: Subscription | None, tickers: tuple[MarketId, ...], *, code: int, text: str
    ) -> None:
        if not tickers:
            return
        self._refused.update(tickers)
        self._counts.refused["ticker not accepted"] += len(tickers)
        if subscription is not None:
            self._drop(subscription, tickers)
        self.events.append(CommandRefused(code, text, tickers))

    def _announce_lost(self, books: Iterable[LiveBook], reason: str) -> None:
        lost = []
        for book in books:
            if book.live:
                if self.now_ns - book.live_since_ns > _STEADY_NS:
                    book.failures = 0
                    book.retry_at_ns = self.now_ns
                if book.wanted:
                    lost.append(book.market_id)
            book.live = book.open = False
            book.crossed_since_ns = 0
        if lost:
            self.events.append(BooksLost(tuple(lost), reason))

    def _ask(self, subscription: Subscription, books: Iterable[LiveBook]) -> None:
        asked = list(books)
        for book in asked:
            book.failures += 1
            book.retry_at_ns = self.now_ns + _retry_after_ns(book)
        if self._connected and subscription.sid in self.by_sid:
            for tickers in chunked((book.market_id for book in asked), self._chunk):
                self._send(CommandKind.SNAPSHOT, tickers, sid=subscription.sid)

    def _ask_again(self) -> None:
        subscription = self._book_subscription()
        if subscription is None or not self._waiting:
            return
        under_way = {ticker for command in self._pending.values() for ticker in command.waiting}
        self._ask(
            subscription,
            [
                book
                for ticker, book in self._waiting.items()
                if self.now_ns >= book.retry_at_ns and ticker not in under_way and ticker in subscription.markets
            ],
        )

    def _snapshot_overdue(self, command: Command) -> None:
        """Ask again later for books that did not come; subscribe anew when nothing came and this is no habit."""
        del self._pending[command.id]
        books = [self.markets[ticker] for ticker in command.waiting if ticker in self.markets]
        silent = len(command.waiting) == len(command.tickers)
        subscription = self.by_sid.get(command.sid)
        if subscription is not None and silent and any(book.failures <= 1 for book in books):
            self._resubscribe(subscription, "no snapshot within 5 s")

    def _audit_overdue(self, command: Command) -> None:
        """Stop believing books that the exchange will not confirm; what follows is the way of any lost book."""
        del self._pending[command.id]
        self._counts.refused["audit unanswered"] += 1
        subscription = self.by_sid.get(command.sid)
        if subscription is not None:
            books = [subscription.markets[ticker] for ticker in command.waiting if ticker in subscription.markets]
            self.lose(subscription, books, "no snapshot to compare with within 5 s")

    def _channel_ended(self, subscription: Subscription, reason: str) -> None:
        del self.by_sid[subscription.sid]
        self.retired.add(subscription.sid)
        self._channel_missed(subscription.channel, reason)
        if subscription.channel in self._channels:
            self._open_channel(subscription.channel)

    def _resubscribe(self, subscription: Subscription, reason: str) -> None:
        """Leave a sid that cannot be mended and subscribe to its markets anew."""
        del self.by_sid[subscription.sid]
        self.retired.add(subscription.sid)
        self._pending = {key: command for key, command in self._pending.items() if command.sid != subscription.sid}
        self._announce_lost(subscription.markets.values(), reason)
        recent = [at for at in self._resubscribed_at_ns if self.now_ns - at < _RESUBSCRIBES_WITHIN_NS]
        self._resubscribed_at_ns = [*recent, self.now_ns]
        if len(recent) >= _RESUBSCRIBES_MAX:
            self.events.append(LinkUnusable(f"subscribed {len(recent)} times anew within 60 s, last: {reason}"))
            return
        self._send(CommandKind.UNSUBSCRIBE, (), sid=subscription.sid)
        self._reconcile()


def _retry_after_ns(book: LiveBook) -> int:
    return _RETRY_AFTER_NS[min(book.failures, len(_RETRY_AFTER_NS) - 1)]
