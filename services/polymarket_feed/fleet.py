"""As many connections as the wanted markets need, each with its own books, each kept up on its own."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import Random

from websockets.asyncio.client import ClientConnection

from services.polymarket_feed.core import asset_of, assigned
from services.polymarket_feed.live_books import LiveBooks
from shared.domain.market import Market, MarketId
from shared.io.websocket import Unauthorised, keep_connected

_START_SPREAD_S = 0.5


class Fleet:
    """Spreads markets over connections and opens one more when the others are full."""

    def __init__(
        self,
        new_books: Callable[[str], LiveBooks],
        open_link: Callable[[], Awaitable[ClientConnection]],
        tasks: asyncio.TaskGroup,
        *,
        per_connection: int,
        jitter: Random,
    ) -> None:
        self._new_books = new_books
        self._open_link = open_link
        self._tasks = tasks
        self._per_connection = per_connection
        self._jitter = jitter
        self._carried: dict[MarketId, int] = {}
        self.connections: list[LiveBooks] = []
        self.running: list[asyncio.Task[None]] = []

    def want(
        self, market_ids: Iterable[MarketId], known: Mapping[MarketId, Market], neg_risk: Mapping[MarketId, bool]
    ) -> None:
        """Stream exactly these markets; those the catalog does not know yet have to wait for it."""
        listed = [market_id for market_id in market_ids if market_id in known]
        self._carried = assigned(listed, self._carried, per_connection=self._per_connection)
        for number in range(len(self.connections), max(self._carried.values(), default=-1) + 1):
            self._start(number)
        for number, books in enumerate(self.connections):
            mine = [market_id for market_id, carrier in self._carried.items() if carrier == number]
            books.want(dict(asset_of(known[market_id], neg_risk=neg_risk.get(market_id)) for market_id in mine))

    def _start(self, number: int) -> None:
        books = self._new_books(f"polymarket-{number}")
        self.connections.append(books)
        self.running.append(self._tasks.create_task(self._keep(books, number)))

    async def _keep(self, books: LiveBooks, number: int) -> None:
        await asyncio.sleep(number * _START_SPREAD_S)  # many connections at once look like an attack
        await keep_connected(
            self._open_link,
            books.talk,
            name=books.connection,
            on_lost=books.lost,
            on_unauthorised=_unauthorised,
            jitter=self._jitter,
        )


def _unauthorised(refusal: Unauthorised) -> None:
    """Do nothing: public data needs no key, the pause and the log line of the lost link say enough."""
