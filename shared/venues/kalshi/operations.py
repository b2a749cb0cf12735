"""Books inside an operation of the exchange: several deltas with one time, between which a book may be crossed.

Kalshi API reference (WebSocket), read 2026-11-21; 1.84 million operations recorded 2026-05 to 2026-09.
"""

from shared.venues.kalshi.books import LiveBook
from shared.venues.kalshi.subscriptions import Subscriptions

_CROSSED_FOR_NS = 250_000_000
"""A book that stays crossed this long after its last frame is wrong; a shorter time is an operation cut in two."""


class OpenOperations:
    """The books of one connection whose newest operation may go on."""

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subs = subscriptions
        self._counts = subscriptions.counts
        self._events = subscriptions.events
        self.queue: list[LiveBook] = []
        """In the order of their first delta. The session adds to it by itself: a call for each would cost too much."""
        self.last_times: tuple[int, int] | None = None
        """The exchange's milliseconds and our nanoseconds of a recent delta that carried a time."""

    def forget(self) -> None:
        """Another connection begins."""
        self.queue.clear()
        self.last_times = None

    def settle(self, heard_before_ns: int | None) -> None:
        """End the operations, all or those whose last delta was received before a moment; keep the crossed ones."""
        queue = self.queue
        if queue and queue[-1].venue_ts_ms:
            self.last_times = queue[-1].venue_ts_ms, queue[-1].received_ts_ns
        still_open = []
        for book in queue:
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
        queue[:] = still_open

    def tick(self, now_ns: int) -> None:
        """Lose the books that stay crossed. ``now_ns`` is monotonic time."""
        for book in self.queue:
            if not (book.open and book.live and book.is_crossed):
                book.crossed_since_ns = 0
            elif not book.crossed_since_ns:
                book.crossed_since_ns = now_ns
            elif now_ns - book.crossed_since_ns >= _CROSSED_FOR_NS:
                self._lose(book)

    def _lose(self, book: LiveBook) -> None:
        self._counts.refused["crossed"] += 1
        for sub in list(self._subs.by_sid.values()):
            if sub.markets.get(book.market_id) is book:
                self._subs.lose(sub, (book,), f"crossed: {book.crossing}")
