"""Which markets a Kalshi connection carries: subscribing, changing, losing and recovering books.

The session next door applies book data; this half speaks in commands and replies. It knows no clock: whoever owns
the connection calls ``tick`` with monotonic nanoseconds several times a second.
Kalshi API reference (WebSocket), read 2026-11-21; joining of sids recorded 2026-08-07.
"""

from collections.abc import Iterable

from shared.domain.market import MarketId
from shared.venues.kalshi.books import LiveBook, Step, Subscription
from shared.venues.kalshi.command_log import SNAPSHOTS, CommandLog
from shared.venues.kalshi.commands import Command, CommandKind, chunked
from shared.venues.kalshi.events import ChannelMissed, CommandRefused, Counts, Event, LinkUnusable
from shared.venues.kalshi.lifecycle import LIFECYCLE_CHANNEL, LifecycleMissed
from shared.venues.kalshi.recovery import Recovery
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
_RESUBSCRIBES_MAX = 3
_RESUBSCRIBES_WITHIN_NS = 60 * _SECOND_NS

_TERMINAL = frozenset({10, 25})
"""Channel error and buffer overflow: the sid is dead."""
_PASSING = frozenset({18, 27})
"""Command timeout and command rate: the same command may work later."""
_HOPELESS = frozenset({3, 5, 8, 9, 13})
"""Our commands are not understood or not allowed; no other ticker would help."""
_TOO_MANY_MARKETS = 26


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
        self.retired: set[int] = set()
        self._yes_price = use_yes_price
        self.counts = counts
        self._channels = tuple(dict.fromkeys(channels))
        self._ack_within_ns = ack_within_ns
        self._news_missed = ""
        """Why messages about markets' lives may have been missed, until that channel is opened again."""
        self._log = CommandLog(yes_price=use_yes_price)
        self._recovery = Recovery(self._log, self.by_sid, self.events, chunk=chunk)
        self._refused: set[MarketId] = set()
        self._audit_at = 0
        self._reconcile_at_ns: int | None = None
        self._resubscribed_at_ns: list[int] = []

    @property
    def awaits_ack(self) -> bool:
        """Whether a sid may be in use that has not been named yet."""
        return self._log.awaits(CommandKind.SUBSCRIBE)

    @property
    def outbox(self) -> list[str]:
        """The text frames to send, in this order; whoever sends them clears the list."""
        return self._log.outbox

    def connected(self, now_ns: int) -> None:
        """Start over on a fresh connection: sids and numbers of the last one mean nothing any more."""
        self._forget_connection()
        self._log.now_ns = now_ns
        self._log.is_open = True
        self._reconcile()
        for channel in self._channels:
            self._open_channel(channel)

    def disconnected(self, reason: str) -> None:
        """Lose every book; nothing more can be asked."""
        self._news_missed = self._news_missed or (reason if self._log.is_open else "")
        self._log.is_open = False
        self._recovery.announce_lost(self.markets.values(), reason)
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
            self._recovery.announce_lost(former.markets.values(), f"sid {sid} was given out anew")
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
            self.counts.refused["control number backwards"] += 1

    def gap(self, subscription: Subscription, reason: str) -> None:
        """Lose every book of the sid at once and ask for all of them."""
        self.counts.gaps += 1
        if subscription.channel != BOOK_CHANNEL:
            self._channel_missed(subscription.channel, reason)
        self.lose(subscription, subscription.markets.values(), reason)

    def lose(self, subscription: Subscription, books: Iterable[LiveBook], reason: str) -> None:
        """Stop believing these books and ask for snapshots, sooner or later by how often that failed."""
        self._recovery.lose(subscription, books, reason)

    def lose_everything(self, reason: str) -> None:
        """Stop believing any book, because nobody can say which one it was about."""
        for subscription in list(self.by_sid.values()):
            self.lose(subscription, subscription.markets.values(), reason)

    def audit(self, count: int) -> int:
        """Ask for snapshots of up to ``count`` believed books, in turn, to compare; return how many were asked for."""
        subscription = self._book_subscription()
        if subscription is None or self._log.awaits(CommandKind.AUDIT):
            return 0
        live = [ticker for ticker, book in subscription.markets.items() if book.live and book.wanted]
        start = self._audit_at % len(live) if live else 0
        asked = tuple(MarketId(ticker) for ticker in (live[start:] + live[:start])[:count])
        self._audit_at = start + len(asked)
        if asked:
            self._log.send(CommandKind.AUDIT, asked, sid=subscription.sid)
        return len(asked)

    def check(self) -> None:
        """Ask which subscriptions the exchange knows, unless it was asked already."""
        if self._log.is_open and not self._log.awaits(CommandKind.LIST):
            self._log.send(CommandKind.LIST, ())

    def is_audit(self, command_id: int | None) -> bool:
        """Whether a snapshot with this id answers a comparison rather than a loss."""
        return self._log.kind_of(command_id) is CommandKind.AUDIT

    def snapshot_came(self, book: LiveBook, *, usable: bool) -> None:
        """Note that the exchange sent a snapshot of this book."""
        self._recovery.snapshot_came(book, usable=usable)

    def tick(self, now_ns: int) -> None:
        """Notice what did not come: acks, snapshots, and the moment to try again."""
        self._log.now_ns = now_ns
        if not self._log.is_open:
            return
        for command in list(self._log.pending.values()):
            if command.again_ns and now_ns >= command.again_ns:
                del self._log.pending[command.id]
                self._log.send(command.kind, command.tickers, sid=command.sid)
                continue
            if now_ns - command.sent_ns > self._ack_within_ns and command.kind not in SNAPSHOTS:
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
        subscription = self._book_subscription()
        if subscription is not None:
            self._recovery.ask_again(subscription)

    def _forget_connection(self) -> None:
        self.by_sid.clear()
        self.markets.clear()
        self.retired.clear()
        self._log.forget()
        self._recovery.forget()
        self._reconcile_at_ns = None
        self._resubscribed_at_ns = []

    def _book_subscription(self) -> Subscription | None:
        return next((sub for sub in self.by_sid.values() if sub.channel == BOOK_CHANNEL), None)

    def _reconcile(self) -> None:
        """Send what is missing between the markets carried and the markets wanted."""
        if not self._log.is_open:
            return
        under_way = self._log.book_tickers_under_way()
        subscription = self._book_subscription()
        if subscription is None:
            missing = [ticker for ticker in self.wanted if ticker not in self._refused]
            if missing and not self.awaits_ack:
                self._log.send(CommandKind.SUBSCRIBE, tuple(missing[: self._recovery.chunk]))
            return
        missing = [
            ticker
            for ticker in self.wanted
            if ticker not in subscription.markets and ticker not in self._refused and ticker not in under_way
        ]
        for tickers in chunked(missing, self._recovery.chunk):
            self._carry(subscription, tickers)
            self._log.send(CommandKind.ADD, tickers, sid=subscription.sid)
        surplus = [MarketId(ticker) for ticker in subscription.markets if ticker not in self.wanted]
        for tickers in chunked((ticker for ticker in surplus if ticker not in under_way), self._recovery.chunk):
            self._log.send(CommandKind.DELETE, tickers, sid=subscription.sid)

    def _carry(self, subscription: Subscription, tickers: Iterable[MarketId]) -> None:
        for ticker in tickers:
            book = self.markets.setdefault(ticker, LiveBook(ticker))
            book.wanted = ticker in self.wanted
            subscription.markets[ticker] = book
            self._recovery.expect(book, within_ns=SNAPSHOT_WITHIN_NS)

    def _drop(self, subscription: Subscription, tickers: Iterable[MarketId]) -> None:
        for ticker in tickers:
            subscription.markets.pop(ticker, None)
            self.markets.pop(ticker, None)
            self._recovery.drop(ticker)

    def _open_channel(self, channel: str) -> None:
        self._log.send(CommandKind.CHANNEL, tuple(self.wanted), channel=channel)

    def _channel_missed(self, channel: str, reason: str) -> None:
        self.events.append(LifecycleMissed(reason) if channel == LIFECYCLE_CHANNEL else ChannelMissed(channel, reason))

    def _count_number(self, sid: int | None, seq: int | None) -> None:
        subscription = self.by_sid.get(sid) if sid is not None else None
        if subscription is not None and seq is not None:
            self.control_number(subscription, seq)

    def _subscribed(self, message: Subscribed) -> None:
        command = self._log.pending.pop(message.id or 0, None)
        if command is None and self._log.is_open:
            self.counts.refused["unasked subscription"] += 1
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
        command = self._log.pending.pop(message.id or 0, None)
        if command is None:
            return
        if command.kind is CommandKind.LIST:
            self._listed(message)
            return
        if command.kind is CommandKind.CHANNEL:
            return
        if command.kind in SNAPSHOTS:
            self._log.pending[command.id] = command  # the snapshots are the answer
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
            self.counts.refused["unreadable list of subscriptions"] += 1
            return
        unknown = sorted(self.by_sid.keys() - listed)
        if unknown:
            self.events.append(LinkUnusable(f"the exchange does not list our subscription {unknown[0]}"))

    def _lose_returned(self, subscription: Subscription, tickers: Iterable[MarketId]) -> None:
        """Forget books that were deleted and are wanted again, so that they are added afresh."""
        returned = [ticker for ticker in tickers if ticker in subscription.markets]
        self._recovery.announce_lost((subscription.markets[ticker] for ticker in returned), "deleted and wanted again")
        self._drop(subscription, returned)

    def _error(self, message: ErrorReply) -> None:
        code, text = message.msg.code, message.msg.msg
        self.counts.refused[f"error {code}"] += 1
        subscription = self.by_sid.get(message.sid) if message.sid is not None else None
        if subscription is not None and code in _TERMINAL and subscription.channel != BOOK_CHANNEL:
            self._channel_ended(subscription, f"error {code}: {text}")
            return
        if subscription is not None and code in _TERMINAL:
            self._resubscribe(subscription, f"error {code}: {text}")
            return
        command = self._log.pending.pop(message.id or 0, None)
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
        self._reconcile_at_ns = self._log.now_ns + _SECOND_NS

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
            command.again_ns = self._log.now_ns + _SECOND_NS
            self._log.pending[command.id] = command  # the others may still be acknowledged, or were refused with it
            return
        if len(command.tickers) == 1 or culprits:
            self._refuse(subscription, command.tickers, code=code, text=text)
            self._reconcile()
            return
        half = (len(command.tickers) + 1) // 2
        if code == _TOO_MANY_MARKETS:
            self._recovery.chunk = min(self._recovery.chunk, half)
        pieces = chunked(command.tickers, half)
        if subscription is None:
            self._log.send(CommandKind.SUBSCRIBE, next(pieces))
            return
        for tickers in pieces:
            self._log.send(CommandKind.ADD, tickers, sid=subscription.sid)

    def _refuse(
        self, subscription: Subscription | None, tickers: tuple[MarketId, ...], *, code: int, text: str
    ) -> None:
        if not tickers:
            return
        self._refused.update(tickers)
        self.counts.refused["ticker not accepted"] += len(tickers)
        if subscription is not None:
            self._drop(subscription, tickers)
        self.events.append(CommandRefused(code, text, tickers))

    def _snapshot_overdue(self, command: Command) -> None:
        """Ask again later for books that did not come; subscribe anew when nothing came and this is no habit."""
        del self._log.pending[command.id]
        books = [self.markets[ticker] for ticker in command.waiting if ticker in self.markets]
        silent = len(command.waiting) == len(command.tickers)
        subscription = self.by_sid.get(command.sid)
        if subscription is not None and silent and any(book.failures <= 1 for book in books):
            self._resubscribe(subscription, "no snapshot within 5 s")

    def _audit_overdue(self, command: Command) -> None:
        """Stop believing books that the exchange will not confirm; what follows is the way of any lost book."""
        del self._log.pending[command.id]
        self.counts.refused["audit unanswered"] += 1
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
        self._log.forget_sid(subscription.sid)
        self._recovery.announce_lost(subscription.markets.values(), reason)
        recent = [at for at in self._resubscribed_at_ns if self._log.now_ns - at < _RESUBSCRIBES_WITHIN_NS]
        self._resubscribed_at_ns = [*recent, self._log.now_ns]
        if len(recent) >= _RESUBSCRIBES_MAX:
            self.events.append(LinkUnusable(f"subscribed {len(recent)} times anew within 60 s, last: {reason}"))
            return
        self._log.send(CommandKind.UNSUBSCRIBE, (), sid=subscription.sid)
        self._reconcile()
