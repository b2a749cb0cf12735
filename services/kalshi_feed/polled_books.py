"""Books without a key: public REST order books, read in batches of 100 as often as the public limit allows.

A polled book is as old as its last answer and says so: ``received_ts_ns`` is when the answer came, ``verified`` is
"rest", and the beat's ages are the age of the oldest book that is quoted. What has not been read for too long is
withdrawn.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from services.kalshi_feed.live_books import Alert
from services.kalshi_feed.rest_client import RestClient, RestFailed
from services.kalshi_feed.trading import TradingState
from shared.contracts.health import FeedBeat
from shared.domain.book import Book
from shared.domain.market import Market, MarketId, Venue
from shared.runtime.clock import Clock
from shared.runtime.feed import QuoteState
from shared.runtime.quote_sink import QuoteSink
from shared.venues.kalshi import catalog, rest
from shared.venues.kalshi.exchange import ExchangeStatus

_OLD_AFTER_S = 10.0
_ROUNDS_MISSED = 3
_IDLE_S = 0.2

log = logging.getLogger(__name__)


class _Polled:
    """One book and when it was read."""

    __slots__ = ("book", "read_ns", "read_s", "times")

    def __init__(self, book: Book, *, read_s: float, read_ns: int, times: int) -> None:
        self.book = book
        self.read_s = read_s
        self.read_ns = read_ns
        self.times = times


class PolledBooks:
    """The wanted markets' books, as the publisher's source of quotes."""

    def __init__(
        self, client: RestClient, publisher: QuoteSink, clock: Clock, *, alert: Alert, epoch: str, poll_s: float
    ) -> None:
        self._client = client
        self._publisher = publisher
        self._clock = clock
        self._alert = alert
        self._poll_s = poll_s
        self._wanted: dict[MarketId, None] = {}
        self._books: dict[MarketId, _Polled] = {}
        self._unknown: set[MarketId] = set()
        self._reads = 0
        self._refused = 0
        self._round_s = poll_s
        self.connection = f"{epoch}-rest"
        self.trading = TradingState()
        self.state_changed = asyncio.Event()

    def want(self, market_ids: Iterable[MarketId]) -> None:
        """Read exactly these markets from now on."""
        self._unknown.intersection_update(self._wanted)
        self._wanted = dict.fromkeys(market_ids)
        self._books = {market_id: polled for market_id, polled in self._books.items() if market_id in self._wanted}

    def listed(self, markets: Iterable[Market], read_ms: int) -> None:
        """Take the status and closing times of a listing whose reading began at ``read_ms``."""
        self._trading_changed(self.trading.listed(markets, read_ms=read_ms))

    def exchange(self, status: ExchangeStatus) -> None:
        """Take whether the exchange trades."""
        self._trading_changed(self.trading.exchange(status, self._wanted))

    def quote_state(self, market_id: MarketId) -> QuoteState | None:
        """Return the book as it was last read; None when that is too long ago."""
        polled = self._books.get(market_id)
        if polled is None or self._is_old(polled) or self.trading.why_not(market_id) is not None:
            return None
        return QuoteState(polled.book, 0, polled.read_ns, "rest", polled.times, self.connection)

    def beat(self, *, quotes: int) -> FeedBeat:
        """Return the feed's sign of life."""
        now_s = self._clock.monotonic_s()
        live = [polled for polled in self._books.values() if not self._is_old(polled)]
        age_ms = max((int((now_s - polled.read_s) * 1000) for polled in live), default=-1)
        complete = len(live) == len(self._wanted)
        return FeedBeat(
            venue=Venue.KALSHI,
            connection=self.connection,
            state="live" if complete else ("degraded" if live else "connecting"),
            markets=len(self._wanted),
            books_live=len(live),
            frame_age_ms=age_ms,
            data_age_ms=age_ms,
            frames=self._reads,
            quotes=quotes,
            refused=self._refused,
            sent_ts_ns=self._clock.now_ns(),
        )

    def lost(self, reason: str) -> None:
        """Withdraw every quote."""
        self._publisher.stale(tuple(self._books), reason)
        self._books.clear()

    async def run(self) -> None:
        """Read round after round, for ever."""
        while True:
            began_s = self._clock.monotonic_s()
            for batch in _batches([market_id for market_id in self._wanted if market_id not in self._unknown]):
                await self._read(batch)
                self._withdraw_old()
            self._trading_changed(self.trading.due(self._clock.now_ms()))
            self._round_s = max(self._clock.monotonic_s() - began_s, self._poll_s)
            await asyncio.sleep(max(_IDLE_S, self._poll_s - (self._clock.monotonic_s() - began_s)))

    async def _read(self, batch: Sequence[MarketId]) -> None:
        try:
            body = await self._client.get(rest.orderbooks_request(batch), attempts=2)
            found = catalog.read_orderbooks(body)
        except RestFailed as error:
            if error.status in {400, 404}:
                await self._halved(batch, str(error))
            else:
                log.warning("poll.failed", extra={"error": str(error), "markets": len(batch)})
            return
        except catalog.BodyRefused as error:
            self._refused += 1
            log.warning("poll.refused", extra={"error": str(error)[:300], "markets": len(batch)})
            return
        self._reads += 1
        read_s, read_ns = self._clock.monotonic_s(), self._clock.now_ns()
        first = not self._books
        for market_id in batch:
            book = found.get(market_id)
            if book is not None and market_id in self._wanted:  # not any more, perhaps
                self._take(market_id, book, read_s=read_s, read_ns=read_ns)
        if first and self._books:
            self.state_changed.set()

    def _take(self, market_id: MarketId, book: Book, *, read_s: float, read_ns: int) -> None:
        if book.is_crossed or book.is_locked:
            self._refused += 1
            self._books.pop(market_id, None)
            self._publisher.stale((market_id,), "the exchange's REST book is crossed")
            return
        before = self._books.get(market_id)
        times = 1 if before is None else before.times + 1
        self._books[market_id] = _Polled(book, read_s=read_s, read_ns=read_ns, times=times)
        self._publisher.mark(self, market_id)

    async def _halved(self, batch: Sequence[MarketId], problem: str) -> None:
        """Find the market that spoils a batch, and leave it out."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._read(batch[:middle])
            await self._read(batch[middle:])
            return
        self._unknown.update(batch)
        self._publisher.stale(batch, "Kalshi has no book of this market")
        self._alert("kalshi_feed.market_refused", f"Kalshi has no book of {batch[0]}", problem)

    def _withdraw_old(self) -> None:
        old = [market_id for market_id, polled in self._books.items() if self._is_old(polled)]
        if old:
            for market_id in old:
                del self._books[market_id]
            log.warning("books.lost", extra={"markets": len(old), "reason": "not read for too long"})
            self._publisher.stale(old, "the order book could not be read for too long")

    def _is_old(self, polled: _Polled) -> bool:
        return self._clock.monotonic_s() - polled.read_s > max(_OLD_AFTER_S, _ROUNDS_MISSED * self._round_s)

    def _trading_changed(self, market_ids: Iterable[MarketId]) -> None:
        for market_id in set(self._wanted).intersection(market_ids):
            reason = self.trading.why_not(market_id)
            if reason is None:
                self._publisher.mark(self, market_id)
            else:
                self._publisher.stale((market_id,), reason)


def _batches(market_ids: Sequence[MarketId]) -> list[Sequence[MarketId]]:
    return [market_ids[at : at + rest.ORDERBOOKS_PAGE] for at in range(0, len(market_ids), rest.ORDERBOOKS_PAGE)]
