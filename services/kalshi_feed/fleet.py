"""As many connections as the wanted markets need, each with its own session, sid and sequence.

A gap or a lost link costs the books of one connection only. A market stays where it is; new ones go where there is
room. The first connection always stands and alone hears of markets' lives, for that channel has no filter.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import count
from typing import Any

from services.kalshi_feed.live_books import LiveBooks
from services.kalshi_feed.trading import TradingState
from shared.domain.market import Market, MarketId
from shared.runtime.clock import Clock
from shared.runtime.connections import assigned
from shared.venues.kalshi.exchange import ExchangeStatus
from shared.venues.kalshi.lifecycle import MarketNews

_LOOK_S = 0.1

log = logging.getLogger(__name__)


class Fleet:
    """The connections of one feed, and what may be quoted on any of them.

    ``new_books`` makes the books of a connection by its name and number; ``serve`` keeps them up until it is cancelled.
    """

    def __init__(
        self,
        new_books: Callable[[str, int], LiveBooks],
        serve: Callable[[LiveBooks], Coroutine[Any, Any, None]],
        trading: TradingState,
        clock: Clock,
        *,
        per_connection: int,
    ) -> None:
        self._new_books = new_books
        self._serve = serve
        self._trading = trading
        self._clock = clock
        self._per_connection = per_connection
        self._carried: dict[MarketId, int] = {}
        self._by_number: dict[int, LiveBooks] = {}
        self._served: dict[int, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._names = count()
        """What is still said of a closed connection must not count for one that is opened in its place."""

    @property
    def connections(self) -> Sequence[LiveBooks]:
        """The books of every connection."""
        return tuple(self._by_number.values())

    def want(self, market_ids: Iterable[MarketId]) -> None:
        """Stream exactly these markets from now on."""
        self._carried = assigned(market_ids, self._carried, per_connection=self._per_connection)
        self._arrange()

    def listed(self, markets: Iterable[Market], read_ms: int) -> None:
        """Take the status and closing times of a listing whose reading began at ``read_ms``."""
        self._trading_changed(self._trading.listed(markets, read_ms=read_ms))

    def exchange(self, status: ExchangeStatus) -> None:
        """Take whether the exchange trades."""
        self._trading_changed(self._trading.exchange(status, self._carried))

    def heard(self, news: MarketNews) -> None:
        """Take what the exchange says about one market."""
        if self._trading.heard(news, self._clock.now_ms()):
            self._trading_changed([news.market_id])

    def lost(self, reason: str) -> None:
        """Withdraw every quote."""
        for books in self.connections:
            books.lost(reason)

    async def run(self) -> None:
        """Keep every connection up, and withdraw what closes by time alone, for ever."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._arrange()
                while True:
                    await asyncio.sleep(_LOOK_S)
                    self._trading_changed(self._trading.due(self._clock.now_ms()))
        finally:
            self._tasks = None

    def _arrange(self) -> None:
        """Open what is missing, close what carries nothing, and tell everybody what to stream."""
        if self._tasks is None:
            return
        mine: dict[int, list[MarketId]] = {0: []}
        for market_id, number in self._carried.items():
            mine.setdefault(number, []).append(market_id)
        for number in self._by_number.keys() - mine.keys():
            self._served.pop(number).cancel()
            books = self._by_number.pop(number)
            books.want(())
            books.lost("no market is left on this connection")
            log.info("connection.closed", extra={"connection": books.connection})
        for number, market_ids in mine.items():
            if number not in self._by_number:
                self._by_number[number] = self._new_books(str(next(self._names)), number)
                self._by_number[number].want(market_ids)
                self._served[number] = self._tasks.create_task(self._serve(self._by_number[number]))
            else:
                self._by_number[number].want(market_ids)

    def _trading_changed(self, market_ids: Iterable[MarketId]) -> None:
        changed = frozenset(market_ids)
        for books in self.connections if changed else ():
            books.trading_changed(changed)
