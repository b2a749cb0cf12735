"""As many connections as the wanted markets need, each with its own books, each kept up on its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import Random

from services.polymarket_feed.core import asset_of
from services.polymarket_feed.gate import Gate
from services.polymarket_feed.live_books import LiveBooks
from shared.domain.market import Market, MarketId
from shared.io.frame_link import FrameLink
from shared.io.websocket import Unauthorised, keep_connected
from shared.runtime.connections import assigned
from shared.runtime.quote_sink import QuoteSink
from shared.venues.polymarket.asset_book import AssetTerms, Phase

_START_SPREAD_S = 0.5
_TAKEOVER_S = 15.0
_LOOK_S = 0.02

log = logging.getLogger(__name__)


class Fleet:
    """Spreads markets over connections and opens one more when the others are full.

    Each connection is renewed from time to time, because some fall silent after hours: another one is opened beside it
    and takes over when it has every book the old one has.
    """

    def __init__(
        self,
        new_books: Callable[[str, Gate], LiveBooks],
        open_link: Callable[[], Awaitable[FrameLink]],
        publisher: QuoteSink,
        tasks: asyncio.TaskGroup,
        *,
        per_connection: int,
        renew_s: float,
        jitter: Random,
    ) -> None:
        self._new_books = new_books
        self._open_link = open_link
        self._publisher = publisher
        self._tasks = tasks
        self._per_connection = per_connection
        self._renew_s = renew_s
        self._jitter = jitter
        self._carried: dict[MarketId, int] = {}
        self._assets: list[dict[str, AssetTerms]] = []
        self._gates: list[Gate] = []
        self._links: list[asyncio.Task[None]] = []
        self._renewals: list[asyncio.Task[None]] = []
        self.connections: list[LiveBooks] = []
        self.renewed = 0
        """Connections that another one took over from."""

    def want(
        self, market_ids: Iterable[MarketId], known: Mapping[MarketId, Market], neg_risk: Mapping[MarketId, bool]
    ) -> None:
        """Stream exactly these markets; those the catalog does not know yet have to wait for it."""
        listed = sorted(market_id for market_id in market_ids if market_id in known)
        self._carried = assigned(listed, self._carried, per_connection=self._per_connection)
        for number in range(len(self.connections), max(self._carried.values(), default=-1) + 1):
            self._start(number)
        for number, books in enumerate(self.connections):
            mine = [market_id for market_id, carrier in self._carried.items() if carrier == number]
            self._assets[number] = dict(asset_of(known[it], neg_risk=neg_risk.get(it)) for it in mine)
            books.want(self._assets[number])

    def cancel(self) -> None:
        """Hang up everywhere."""
        for task in self._links + self._renewals:
            task.cancel()

    async def renew(self, number: int) -> bool:
        """Let a new connection take over from an old one without a gap; False when it lacks a book for too long."""
        gate = Gate(self._publisher, is_open=False)
        books = self._new_books(f"polymarket-{number}", gate)
        books.want(self._assets[number])
        link = self._tasks.create_task(self._keep(books, start_after_s=0.0))
        try:
            async with asyncio.timeout(_TAKEOVER_S):
                while not books.covers(self.connections[number]):  # noqa: ASYNC110 - two sessions, no event for both
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            link.cancel()
            log.warning("link.not_renewed", extra={"connection": books.connection})
            return False
        except asyncio.CancelledError:
            link.cancel()
            raise
        self._take_over(number, books, gate, link)
        return True

    def _take_over(self, number: int, books: LiveBooks, gate: Gate, link: asyncio.Task[None]) -> None:
        """Nobody else runs in between: whatever one of the two has not read yet, the other will bring."""
        self._gates[number].is_open = False
        gate.is_open = True
        self._links[number].cancel()
        self.connections[number].retire()
        self.connections[number], self._gates[number], self._links[number] = books, gate, link
        for market_id in books.session.market_ids(Phase.LIVE):
            gate.mark(books, market_id)
        gate.stale(books.session.market_ids(Phase.AWAITING, Phase.HELD, Phase.LOST), "the connection was renewed")
        books.want(self._assets[number])
        self.renewed += 1
        log.info("link.renewed", extra={"connection": books.connection})

    def _start(self, number: int) -> None:
        gate = Gate(self._publisher, is_open=True)
        books = self._new_books(f"polymarket-{number}", gate)
        self.connections.append(books)
        self._gates.append(gate)
        self._assets.append({})
        # Many connections at once look like an attack.
        self._links.append(self._tasks.create_task(self._keep(books, start_after_s=number * _START_SPREAD_S)))
        self._renewals.append(self._tasks.create_task(self._renew_for_ever(number)))

    async def _renew_for_ever(self, number: int) -> None:
        while True:
            await asyncio.sleep(self._jitter.uniform(0.5, 1.5) * self._renew_s)
            await self.renew(number)

    async def _keep(self, books: LiveBooks, *, start_after_s: float) -> None:
        await asyncio.sleep(start_after_s)
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
