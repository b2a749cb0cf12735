"""Which markets a Kalshi connection carries: subscribing, changing, losing and recovering books.

The session next door applies book data, ``replies`` tells what the exchange answered to the commands from here.
Kalshi API reference (WebSocket), read 2026-11-21; joining of sids recorded 2026-08-07.
"""

from collections.abc import Iterable

from shared.domain.market import MarketId
from shared.venues.kalshi.books import LiveBook, Step, Subscription
from shared.venues.kalshi.command_log import CommandLog
from shared.venues.kalshi.commands import CommandKind, chunked
from shared.venues.kalshi.events import ChannelMissed, CommandRefused, Counts, Event, LinkUnusable
from shared.venues.kalshi.lifecycle import LIFECYCLE_CHANNEL, LifecycleMissed
from shared.venues.kalshi.recovery import Recovery
from shared.venues.kalshi.schema import BOOK_CHANNEL

_SECOND_NS = 1_000_000_000
SNAPSHOT_WITHIN_NS = 5 * _SECOND_NS
_RESUBSCRIBES_MAX = 3
_RESUBSCRIBES_WITHIN_NS = 60 * _SECOND_NS


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
        self._news_missed = ""
        """Why messages about markets' lives may have been missed, until that channel is opened again."""
        self.log = CommandLog(yes_price=use_yes_price)
        self._recovery = Recovery(self.log, self.by_sid, self.events, chunk=chunk)
        self._refused: set[MarketId] = set()
        self._audit_at = 0
        self._reconcile_at_ns: int | None = None
        self._resubscribed_at_ns: list[int] = []

    @property
    def awaits_ack(self) -> bool:
        """Whether a sid may be in use that has not been named yet."""
        return self.log.awaits(CommandKind.SUBSCRIBE)

    @property
    def outbox(self) -> list[str]:
        """The text frames to send, in this order; whoever sends them clears the list."""
        return self.log.outbox

    def connected(self, now_ns: int) -> None:
        """Start over on a fresh connection: sids and numbers of the last one mean nothing any more."""
        self._forget_connection()
        self.log.now_ns = now_ns
        self.log.is_open = True
        self.reconcile()
        for channel in self._channels:
            self._open_channel(channel)

    def disconnected(self, reason: str) -> None:
        """Lose every book; nothing more can be asked."""
        self._news_missed = self._news_missed or (reason if self.log.is_open else "")
        self.log.is_open = False
        self._recovery.announce_lost(self.markets.values(), reason)
        self._forget_connection()

    def want(self, tickers: Iterable[MarketId]) -> None:
        """Carry exactly these markets from now on. A market refused before is tried again when it is new here."""
        wanted = dict.fromkeys(tickers)
        self._refused.intersection_update(self.wanted.keys() & wanted.keys())
        self.wanted = wanted
        for market in self.markets.values():
            market.wanted = market.market_id in wanted
        self.reconcile()

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
            self.channel_missed(subscription.channel, reason)
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
        if subscription is None or self.log.awaits(CommandKind.AUDIT):
            return 0
        live = [ticker for ticker, book in subscription.markets.items() if book.live and book.wanted]
        start = self._audit_at % len(live) if live else 0
        asked = tuple(MarketId(ticker) for ticker in (live[start:] + live[:start])[:count])
        self._audit_at = start + len(asked)
        if asked:
            self.log.send(CommandKind.AUDIT, asked, sid=subscription.sid)
        return len(asked)

    def check(self) -> None:
        """Ask which subscriptions the exchange knows, unless it was asked already."""
        if self.log.is_open and not self.log.awaits(CommandKind.LIST):
            self.log.send(CommandKind.LIST, ())

    def is_audit(self, command_id: int | None) -> bool:
        """Whether a snapshot with this id answers a comparison rather than a loss."""
        return self.log.kind_of(command_id) is CommandKind.AUDIT

    def lose_returned(self, subscription: Subscription, tickers: Iterable[MarketId]) -> None:
        """Forget books that were deleted and are wanted again, so that they are added afresh."""
        returned = [ticker for ticker in tickers if ticker in subscription.markets]
        self._recovery.announce_lost((subscription.markets[ticker] for ticker in returned), "deleted and wanted again")
        self.drop(subscription, returned)

    def channel_opened(self, sid: int, channel: str) -> None:
        """Keep the numbers of a channel without books that the exchange has begun to send."""
        if sid not in self.by_sid:  # its first messages may have come before
            self.adopt(sid, channel)
        if self._news_missed and channel == LIFECYCLE_CHANNEL:
            self.events.append(LifecycleMissed(self._news_missed))
            self._news_missed = ""

    def fewer_per_command(self, most: int) -> None:
        """Name no more than ``most`` markets in one command from now on."""
        self._recovery.chunk = min(self._recovery.chunk, most)

    def reconcile_later(self) -> None:
        """Say in a second what is missing by then: the exchange does not take it now."""
        self._reconcile_at_ns = self.log.now_ns + _SECOND_NS

    def due(self) -> None:
        """Do what waited for its time: what the exchange did not take before, and books that nobody has asked for."""
        if self._reconcile_at_ns is not None and self.log.now_ns >= self._reconcile_at_ns:
            self._reconcile_at_ns = None
            self.reconcile()
        subscription = self._book_subscription()
        if subscription is not None:
            self._recovery.ask_again(subscription)

    def snapshot_came(self, book: LiveBook, *, usable: bool) -> None:
        """Note that the exchange sent a snapshot of this book."""
        self._recovery.snapshot_came(book, usable=usable)

    def _forget_connection(self) -> None:
        self.by_sid.clear()
        self.markets.clear()
        self.retired.clear()
        self.log.forget()
        self._recovery.forget()
        self._reconcile_at_ns = None
        self._resubscribed_at_ns = []

    def _book_subscription(self) -> Subscription | None:
        return next((sub for sub in self.by_sid.values() if sub.channel == BOOK_CHANNEL), None)

    def reconcile(self) -> None:
        """Send what is missing between the markets carried and the markets wanted."""
        if not self.log.is_open:
            return
        under_way = self.log.book_tickers_under_way()
        subscription = self._book_subscription()
        if subscription is None:
            missing = [ticker for ticker in self.wanted if ticker not in self._refused]
            if missing and not self.awaits_ack:
                self.log.send(CommandKind.SUBSCRIBE, tuple(missing[: self._recovery.chunk]))
            return
        missing = [
            ticker
            for ticker in self.wanted
            if ticker not in subscription.markets and ticker not in self._refused and ticker not in under_way
        ]
        for tickers in chunked(missing, self._recovery.chunk):
            self.carry(subscription, tickers)
            self.log.send(CommandKind.ADD, tickers, sid=subscription.sid)
        surplus = [MarketId(ticker) for ticker in subscription.markets if ticker not in self.wanted]
        for tickers in chunked((ticker for ticker in surplus if ticker not in under_way), self._recovery.chunk):
            self.log.send(CommandKind.DELETE, tickers, sid=subscription.sid)

    def carry(self, subscription: Subscription, tickers: Iterable[MarketId]) -> None:
        """Keep books of these markets on this sid from now on; their snapshots should come by themselves."""
        for ticker in tickers:
            book = self.markets.setdefault(ticker, LiveBook(ticker))
            book.wanted = ticker in self.wanted
            subscription.markets[ticker] = book
            self._recovery.expect(book, within_ns=SNAPSHOT_WITHIN_NS)

    def drop(self, subscription: Subscription, tickers: Iterable[MarketId]) -> None:
        """Keep no books of these markets any more."""
        for ticker in tickers:
            subscription.markets.pop(ticker, None)
            self.markets.pop(ticker, None)
            self._recovery.drop(ticker)

    def _open_channel(self, channel: str) -> None:
        self.log.send(CommandKind.CHANNEL, tuple(self.wanted), channel=channel)

    def channel_missed(self, channel: str, reason: str) -> None:
        """Say that messages of another channel than that of the books are missing, or will not come."""
        self.events.append(LifecycleMissed(reason) if channel == LIFECYCLE_CHANNEL else ChannelMissed(channel, reason))

    def refuse(self, subscription: Subscription | None, tickers: tuple[MarketId, ...], *, code: int, text: str) -> None:
        """Do without these markets: the exchange will not stream them."""
        if not tickers:
            return
        self._refused.update(tickers)
        self.counts.refused["ticker not accepted"] += len(tickers)
        if subscription is not None:
            self.drop(subscription, tickers)
        self.events.append(CommandRefused(code, text, tickers))

    def channel_ended(self, subscription: Subscription, reason: str) -> None:
        """Open a channel without books anew: its sid is dead."""
        del self.by_sid[subscription.sid]
        self.retired.add(subscription.sid)
        self.channel_missed(subscription.channel, reason)
        if subscription.channel in self._channels:
            self._open_channel(subscription.channel)

    def resubscribe(self, subscription: Subscription, reason: str) -> None:
        """Leave a sid that cannot be mended and subscribe to its markets anew."""
        del self.by_sid[subscription.sid]
        self.retired.add(subscription.sid)
        self.log.forget_sid(subscription.sid)
        self._recovery.announce_lost(subscription.markets.values(), reason)
        recent = [at for at in self._resubscribed_at_ns if self.log.now_ns - at < _RESUBSCRIBES_WITHIN_NS]
        self._resubscribed_at_ns = [*recent, self.log.now_ns]
        if len(recent) >= _RESUBSCRIBES_MAX:
            self.events.append(LinkUnusable(f"subscribed {len(recent)} times anew within 60 s, last: {reason}"))
            return
        self.log.send(CommandKind.UNSUBSCRIBE, (), sid=subscription.sid)
        self.reconcile()
