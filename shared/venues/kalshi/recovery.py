"""Books that are not to be believed, and how they are won back: snapshots, asked for with growing pauses."""

from collections.abc import Iterable, Mapping

from shared.venues.kalshi.books import LiveBook, Subscription
from shared.venues.kalshi.command_log import CommandLog
from shared.venues.kalshi.commands import CommandKind, chunked
from shared.venues.kalshi.events import BooksLost, Event

_SECOND_NS = 1_000_000_000
_STEADY_NS = 2 * _SECOND_NS
"""A book that was good this long starts over with quick retries."""
_RETRY_AFTER_NS = tuple(quarters * _SECOND_NS // 4 for quarters in (0, 0, 0, 1, 2, 4, 8, 20))
"""How long a book waits for its next request, by the number of requests that did not help."""


class Recovery:
    """The lost books of one connection. ``chunk`` bounds the tickers of one command."""

    def __init__(self, log: CommandLog, by_sid: Mapping[int, Subscription], events: list[Event], *, chunk: int) -> None:
        self._log = log
        self._by_sid = by_sid
        self._events = events
        self._waiting: dict[str, LiveBook] = {}
        self.chunk = chunk

    def forget(self) -> None:
        """Wait for nothing; the connection is gone."""
        self._waiting.clear()

    def drop(self, ticker: str) -> None:
        """Wait no more for a market that is not carried any more."""
        self._waiting.pop(ticker, None)

    def expect(self, book: LiveBook, *, within_ns: int) -> None:
        """Wait for the first snapshot of a market; ask for it when it does not come by itself."""
        book.retry_at_ns = max(book.retry_at_ns, self._log.now_ns + within_ns)
        if not book.live:
            self._waiting[book.market_id] = book

    def lose(self, subscription: Subscription, books: Iterable[LiveBook], reason: str) -> None:
        """Stop believing these books and ask for snapshots, sooner or later by how often that failed."""
        books = list(books)
        self.announce_lost(books, reason)
        now_ns = self._log.now_ns
        for book in books:
            book.retry_at_ns = min(book.retry_at_ns, now_ns + _retry_after_ns(book))
            if book.wanted:
                self._waiting[book.market_id] = book
        self._ask(subscription, (book for book in books if book.wanted and now_ns >= book.retry_at_ns))

    def announce_lost(self, books: Iterable[LiveBook], reason: str) -> None:
        """Say of which books a quote may stand that it must not be believed."""
        lost = []
        for book in books:
            if book.live:
                if self._log.now_ns - book.live_since_ns > _STEADY_NS:
                    book.failures = 0
                    book.retry_at_ns = self._log.now_ns
                if book.wanted:
                    lost.append(book.market_id)
            book.live = book.open = False
            book.crossed_since_ns = 0
        if lost:
            self._events.append(BooksLost(tuple(lost), reason))

    def snapshot_came(self, book: LiveBook, *, usable: bool) -> None:
        """Note that the exchange sent a snapshot of this book."""
        self._log.snapshot_came(book.market_id)
        book.retry_at_ns = min(book.retry_at_ns, self._log.now_ns + _retry_after_ns(book))
        if usable:
            self._waiting.pop(book.market_id, None)
            if not book.live:
                book.live = True
                book.live_since_ns = self._log.now_ns

    def ask_again(self, subscription: Subscription) -> None:
        """Ask for the books whose pause is over and which nobody has asked for."""
        if not self._waiting:
            return
        under_way = self._log.awaited_snapshots()
        self._ask(
            subscription,
            [
                book
                for ticker, book in self._waiting.items()
                if self._log.now_ns >= book.retry_at_ns and ticker not in under_way and ticker in subscription.markets
            ],
        )

    def _ask(self, subscription: Subscription, books: Iterable[LiveBook]) -> None:
        asked = list(books)
        for book in asked:
            book.failures += 1
            book.retry_at_ns = self._log.now_ns + _retry_after_ns(book)
        if self._log.is_open and subscription.sid in self._by_sid:
            for tickers in chunked((book.market_id for book in asked), self.chunk):
                self._log.send(CommandKind.SNAPSHOT, tickers, sid=subscription.sid)


def _retry_after_ns(book: LiveBook) -> int:
    return _RETRY_AFTER_NS[min(book.failures, len(_RETRY_AFTER_NS) - 1)]
