"""What the exchange answers to commands, and what it leaves unanswered: acknowledgements, refusals, silence.

It knows no clock: whoever owns the connection calls ``tick`` with monotonic nanoseconds several times a second.
Kalshi API reference (WebSocket), read 2026-11-21; joining of sids recorded 2026-08-07.
"""

from shared.venues.kalshi.command_log import SNAPSHOTS
from shared.venues.kalshi.commands import Command, CommandKind, chunked
from shared.venues.kalshi.events import LinkUnusable
from shared.venues.kalshi.schema import (
    BOOK_CHANNEL,
    ControlFrame,
    ErrorReply,
    Ok,
    Subscribed,
    Unsubscribed,
)
from shared.venues.kalshi.subscriptions import SNAPSHOT_WITHIN_NS, Subscriptions

_SECOND_NS = 1_000_000_000
ACK_WITHIN_NS = 10 * _SECOND_NS

_TERMINAL = frozenset({10, 25})
"""Channel error and buffer overflow: the sid is dead."""
_PASSING = frozenset({18, 27})
"""Command timeout and command rate: the same command may work later."""
_HOPELESS = frozenset({3, 5, 8, 9, 13})
"""Our commands are not understood or not allowed; no other ticker would help."""
_UNKNOWN_SID = 7
"""Whatever was asked, nothing comes on that sid: its books have stood still since nobody knows when."""
_TOO_MANY_MARKETS = 26


class Replies:
    """The answers of one connection after the other. One that takes longer than ``ack_within_ns`` never comes."""

    def __init__(self, subscriptions: Subscriptions, *, ack_within_ns: int = ACK_WITHIN_NS) -> None:
        self._subs = subscriptions
        self._log = subscriptions.log
        self._counts = subscriptions.counts
        self._events = subscriptions.events
        self._ack_within_ns = ack_within_ns

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

    def tick(self, now_ns: int) -> None:
        """Notice what did not come: acks, snapshots, and the moment to try again."""
        self._log.now_ns = now_ns
        if not self._log.is_open:
            return
        for command in list(self._log.pending.values()):
            if command.id not in self._log.pending:
                continue  # the sid was left because of another one's silence
            if command.again_ns and now_ns >= command.again_ns:
                del self._log.pending[command.id]
                self._log.send(command.kind, command.tickers, sid=command.sid)
                continue
            if now_ns - command.sent_ns > self._ack_within_ns and command.kind not in SNAPSHOTS:
                within_s = self._ack_within_ns // _SECOND_NS
                self._events.append(LinkUnusable(f"no answer to {command.kind} {command.id} within {within_s} s"))
                return
            if now_ns - command.sent_ns > SNAPSHOT_WITHIN_NS and command.kind is CommandKind.SNAPSHOT:
                self._snapshot_overdue(command)
            if now_ns - command.sent_ns > SNAPSHOT_WITHIN_NS and command.kind is CommandKind.AUDIT:
                self._audit_overdue(command)
        self._subs.due()

    def _count_number(self, sid: int | None, seq: int | None) -> None:
        subscription = self._subs.by_sid.get(sid) if sid is not None else None
        if subscription is not None and seq is not None:
            self._subs.control_number(subscription, seq)

    def _subscribed(self, message: Subscribed) -> None:
        command = self._log.pending.pop(message.id or 0, None)
        if command is None and self._log.is_open:
            self._counts.refused["unasked subscription"] += 1
            return
        if message.msg.channel != BOOK_CHANNEL:
            self._subs.channel_opened(message.msg.sid, message.msg.channel)
            return
        subscription = self._subs.adopt(message.msg.sid, message.msg.channel)
        if command is not None:
            self._subs.carry(subscription, command.tickers)
            self._subs.reconcile()

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
        subscription = self._subs.by_sid.get(sid) or self._subs.adopt(sid, BOOK_CHANNEL)
        if command.kind is CommandKind.SUBSCRIBE:
            self._subs.carry(subscription, command.tickers)
        if command.kind is CommandKind.DELETE:
            self._subs.drop(subscription, (ticker for ticker in command.tickers if ticker not in self._subs.wanted))
            self._subs.lose_returned(subscription, command.tickers)
        else:
            listed = None if message.msg is None or isinstance(message.msg, list) else message.msg.market_tickers
            if listed is not None:
                missing = tuple(ticker for ticker in command.tickers if ticker not in set(listed))
                self._subs.refuse(subscription, missing, code=0, text="not in the list of the acknowledgement")
        self._subs.reconcile()

    def _listed(self, message: Ok) -> None:
        """Compare what the exchange says it streams with what we believe to hold."""
        if not isinstance(message.msg, list):
            return
        listed = {one.sid for one in message.msg}
        if None in listed:
            self._counts.refused["unreadable list of subscriptions"] += 1
            return
        unknown = sorted(self._subs.by_sid.keys() - listed)
        if unknown:
            self._events.append(LinkUnusable(f"the exchange does not list our subscription {unknown[0]}"))

    def _error(self, message: ErrorReply) -> None:
        code, text = message.msg.code, message.msg.msg
        self._counts.refused[f"error {code}"] += 1
        subscription = self._subs.by_sid.get(message.sid) if message.sid is not None else None
        if subscription is not None and code in _TERMINAL and subscription.channel != BOOK_CHANNEL:
            self._subs.channel_ended(subscription, f"error {code}: {text}")
            return
        if subscription is not None and code in _TERMINAL:
            self._subs.resubscribe(subscription, f"error {code}: {text}")
            return
        command = self._log.pending.pop(message.id or 0, None)
        is_look = command is not None and command.kind in {CommandKind.AUDIT, CommandKind.LIST}
        if command is None or (is_look and code != _UNKNOWN_SID):
            return
        if command.kind is CommandKind.CHANNEL:
            self._subs.channel_missed(command.channel, f"error {code} to the subscription of {command.channel}: {text}")
        elif code in _PASSING:
            self._try_later(command)
        elif command.kind is CommandKind.SNAPSHOT or command.kind is CommandKind.DELETE or code == _UNKNOWN_SID:
            self._subscription_failed(command, f"error {code} to {command.kind}: {text}")
        elif code in _HOPELESS:
            self._events.append(LinkUnusable(f"error {code} to {command.kind}: {text}"))
        else:
            self._tickers_failed(command, message)

    def _try_later(self, command: Command) -> None:
        subscription = self._subs.by_sid.get(command.sid)
        if command.kind is CommandKind.ADD and subscription is not None:
            self._subs.drop(subscription, command.tickers)
        self._subs.reconcile_later()

    def _subscription_failed(self, command: Command, reason: str) -> None:
        subscription = self._subs.by_sid.get(command.sid)
        if subscription is not None:
            self._subs.resubscribe(subscription, reason)

    def _tickers_failed(self, command: Command, message: ErrorReply) -> None:
        """Leave out the tickers that were named; without names halve the command until one is left."""
        code, text = message.msg.code, message.msg.msg
        named = {*(message.msg.market_tickers or ()), *filter(None, (message.msg.market_ticker,))}
        subscription = self._subs.by_sid.get(command.sid)
        culprits = tuple(ticker for ticker in command.tickers if ticker in named)
        if culprits and len(culprits) < len(command.tickers):
            self._subs.refuse(subscription, culprits, code=code, text=text)
            command.tickers = tuple(ticker for ticker in command.tickers if ticker not in named)
            command.again_ns = self._log.now_ns + _SECOND_NS
            self._log.pending[command.id] = command  # the others may still be acknowledged, or were refused with it
            return
        if len(command.tickers) == 1 or culprits:
            self._subs.refuse(subscription, command.tickers, code=code, text=text)
            self._subs.reconcile()
            return
        half = (len(command.tickers) + 1) // 2
        if code == _TOO_MANY_MARKETS:
            self._subs.fewer_per_command(half)
        pieces = chunked(command.tickers, half)
        if subscription is None:
            self._log.send(CommandKind.SUBSCRIBE, next(pieces))
            return
        for tickers in pieces:
            self._log.send(CommandKind.ADD, tickers, sid=subscription.sid)

    def _snapshot_overdue(self, command: Command) -> None:
        """Ask again later for books that did not come; subscribe anew when nothing came and this is no habit."""
        del self._log.pending[command.id]
        books = [self._subs.markets[ticker] for ticker in command.waiting if ticker in self._subs.markets]
        silent = len(command.waiting) == len(command.tickers)
        subscription = self._subs.by_sid.get(command.sid)
        if subscription is not None and silent and any(book.failures <= 1 for book in books):
            self._subs.resubscribe(subscription, "no snapshot within 5 s")

    def _audit_overdue(self, command: Command) -> None:
        """Stop believing books that the exchange will not confirm; what follows is the way of any lost book."""
        del self._log.pending[command.id]
        self._counts.refused["audit unanswered"] += 1
        subscription = self._subs.by_sid.get(command.sid)
        if subscription is not None:
            books = [subscription.markets[ticker] for ticker in command.waiting if ticker in subscription.markets]
            self._subs.lose(subscription, books, "no snapshot to compare with within 5 s")
