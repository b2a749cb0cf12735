"""Whole books: put in place, compared with what was streamed, and told about. Kalshi API reference, read 2026-11-21."""

from shared.domain.market import MarketId
from shared.domain.numbers import NumberRefused
from shared.venues.kalshi.books import LiveBook, Subscription
from shared.venues.kalshi.events import AuditDiffered, BookEnded, LinkUnusable, ScaleContradicted, ScaleProven
from shared.venues.kalshi.scale import ScaleWatch
from shared.venues.kalshi.schema import Snapshot
from shared.venues.kalshi.subscriptions import Subscriptions


class Snapshots:
    """The snapshots of one connection after the other, and what they say about the scale of side ``no``."""

    def __init__(self, subscriptions: Subscriptions, *, use_yes_price: bool, prove_scale: bool, adopt: bool) -> None:
        self._subs = subscriptions
        self._counts = subscriptions.counts
        self._events = subscriptions.events
        self._use_yes_price = use_yes_price
        self._prove_scale = prove_scale
        self._adopt = adopt
        self.scale = ScaleWatch(use_yes_price=use_yes_price, is_proven=not prove_scale)

    def forget(self) -> None:
        """Another connection begins: it has to prove its scale itself."""
        self.scale = ScaleWatch(use_yes_price=self._use_yes_price, is_proven=not self._prove_scale)

    def take(self, sub: Subscription, message: Snapshot, received_ts_ns: int) -> None:
        """Put the book of a snapshot in place, whose number was taken."""
        body = message.msg
        book = sub.markets.get(body.market_ticker)
        if book is None:
            if not self._adopt:
                self._counts.refused["unknown ticker"] += 1
                return
            book = self._subs.markets[body.market_ticker] = LiveBook(MarketId(body.market_ticker))
            sub.markets[body.market_ticker] = book
        unasked = book.live and message.id is None
        was_believed = book.live and self._subs.is_audit(message.id)
        before = (book.yes_bids.sizes_e6.copy(), book.no_bids.sizes_e6.copy()) if was_believed else None
        try:
            book.replace(body, yes_price=sub.yes_price)
        except NumberRefused as error:
            self._refuse(sub, book, "number", f"number: {error}")
            return
        if before is not None and not self._audited(book, *before):
            self._subs.snapshot_came(book, usable=True)
            return
        book.venue_ts_ms = 0
        book.received_ts_ns = received_ts_ns
        book.sequence = message.seq
        book.open = False
        book.group = None
        was_proven = self.scale.is_proven
        if self.scale.snapshot(book.book) and not self._adopt:
            self._contradicted()
        if book.is_crossed:
            self._refuse(sub, book, "crossed", f"crossed snapshot: {book.crossing}")
            return
        self._subs.snapshot_came(book, usable=True)
        self._announce(book, ended=unasked and book.book.is_empty)
        if self.scale.is_proven and not was_proven:
            self._release()

    def scale_compared(self, as_asked: int, on_the_other: int) -> None:
        """Take how many NO prices REST has too, as they were read and on the other scale."""
        was_proven = self.scale.is_proven
        if self.scale.compared(as_asked, on_the_other):
            self._contradicted()
        elif self.scale.is_proven and not was_proven:
            self._release()

    def _refuse(self, sub: Subscription, book: LiveBook, kind: str, reason: str) -> None:
        self._subs.snapshot_came(book, usable=False)
        self._counts.refused[kind] += 1
        self._subs.lose(sub, (book,), reason)

    def _contradicted(self) -> None:
        """Stop believing anything that was read on the wrong scale."""
        reason = self.scale.contradiction
        self._counts.refused["scale"] += 1
        self._subs.lose_everything(reason)
        self.scale.is_proven = False
        self._events += [ScaleContradicted(reason), LinkUnusable(reason)]

    def _release(self) -> None:
        """Announce the books that were kept back."""
        self._events.append(ScaleProven())
        for book in self._subs.markets.values():
            if book.live and book.wanted and not book.open:
                self._events.extend(book.changed)

    def _audited(self, book: LiveBook, yes_e6: dict[int, int], no_e6: dict[int, int]) -> bool:
        """Count a comparison of what was streamed with the snapshot that replaced it; return whether it differed."""
        self._counts.audited += 1
        differing = sum(
            was.get(price) != now.get(price)
            for was, now in ((yes_e6, book.yes_bids.sizes_e6), (no_e6, book.no_bids.sizes_e6))
            for price in was.keys() | now.keys()
        )
        if differing:
            self._counts.audit_differed += 1
            self._events.append(AuditDiffered(book.market_id, differing))
        return bool(differing)

    def _announce(self, book: LiveBook, *, ended: bool) -> None:
        told = book.ended
        book.ended = ended
        if not book.wanted:
            return
        if not ended:
            self._events.extend(book.changed)
        elif not told:
            self._events.append(BookEnded(book.market_id))
