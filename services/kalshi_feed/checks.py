"""Looking twice: books against fresh snapshots, a silent stream and its price scale against REST, and the exchange."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from services.kalshi_feed.live_books import LiveBooks
from services.kalshi_feed.rest_client import RestClient, RestFailed
from shared.domain.book import Book
from shared.domain.market import MarketId
from shared.venues.kalshi import catalog, exchange, rest
from shared.venues.kalshi.exchange import ExchangeStatus
from shared.venues.kalshi.scale import agreement

_AUDITED_AT_ONCE = 3
_AUDIT_STEP_S = 1.0
_AUDITED_IN_DOUBT = 50
"""So many of a connection's books are compared each second after one of them was wrong."""
_SETTLED_AFTER_S = 1.0
_PROBE_STEP_S = 1.0
_SCALE_STEP_S = 0.2
_SCALE_PAUSE_S = 2.0

log = logging.getLogger(__name__)


async def audit_books(books: LiveBooks, *, every_s: float) -> None:
    """Compare a few books of the stream with snapshots that have their place in the sequence, for ever, in turn.

    When one differs, all of the connection are compared next: what went wrong there is not known to stop there.
    """
    counts, step_s = books.session.counts, min(every_s, _AUDIT_STEP_S)
    differed, in_doubt, waited_s = counts.audit_differed, 0, 0.0
    while True:
        await asyncio.sleep(step_s)
        waited_s += step_s
        if counts.audit_differed != differed and not in_doubt:
            in_doubt = len(books.wanted)
        differed = counts.audit_differed
        if in_doubt:
            in_doubt = max(0, in_doubt - books.audit(_AUDITED_IN_DOUBT))
        elif waited_s >= every_s:
            books.audit(_AUDITED_AT_ONCE)
        else:
            continue
        waited_s = 0.0


class SilenceProbe:
    """Asks for the subscriptions, and REST for the books, when no book has moved for a while: pings prove no data.

    Nor do the answers to our own audits, which come more often than that.

    A REST book has no sequence, so only books that did not move between the question and a second after the answer
    are compared.
    """

    def __init__(self, books: LiveBooks, client: RestClient, *, after_s: float) -> None:
        self._books = books
        self._client = client
        self._after_s = after_s
        self._next = 0
        self.probes = 0
        self.differed = 0

    async def run(self) -> None:
        """Probe whenever nothing has moved for ``after_s``, for ever."""
        counts = self._books.session.counts
        quiet_s, deltas = 0.0, counts.deltas
        while True:
            await asyncio.sleep(_PROBE_STEP_S)
            if counts.deltas != deltas or not self._books.is_connected:
                quiet_s, deltas = 0.0, counts.deltas
                continue
            quiet_s += _PROBE_STEP_S
            if quiet_s >= self._after_s:
                quiet_s = 0.0
                self._books.check()
                try:
                    await self.probe()
                except (RestFailed, catalog.BodyRefused) as error:
                    log.warning("probe.failed", extra={"error": str(error)})

    async def probe(self) -> int:
        """Compare the next 100 silent books with REST, lose those that differ, and return how many that were.

        Raises RestFailed or BodyRefused.
        """
        before = self._states()
        if not before:
            return 0
        start = self._next % len(before)
        asked = (list(before)[start:] + list(before)[:start])[: rest.ORDERBOOKS_PAGE]
        self._next = start + len(asked)
        found = catalog.read_orderbooks(await self._client.get(rest.orderbooks_request(asked)))
        await asyncio.sleep(_SETTLED_AFTER_S)
        now = self._states()
        still = [market_id for market_id in asked if now.get(market_id) == before[market_id]]
        wrong = [market_id for market_id in still if market_id in found and self._differs(market_id, found[market_id])]
        self.probes += 1
        self.differed += len(wrong)
        if wrong:
            log.error("probe.differed", extra={"markets": len(wrong)})
            self._books.lose(wrong, "the exchange's REST book is another one while the stream is silent")
        return len(wrong)

    def _states(self) -> Mapping[MarketId, tuple[str, int]]:
        states = ((market_id, self._books.quote_state(market_id)) for market_id in self._books.session.market_ids())
        return {market_id: (state.connection, state.sequence) for market_id, state in states if state is not None}

    def _differs(self, market_id: MarketId, theirs: Book) -> bool:
        state = self._books.quote_state(market_id)
        return state is not None and levels(state.book) != levels(theirs)


def levels(book: Book) -> tuple[dict[int, int], dict[int, int]]:
    """Return both sides of a book, to be compared."""
    return book.yes_bids.sizes_e6, book.no_bids.sizes_e6


class ScaleProbe:
    """Asks REST on which scale the prices of side ``no`` are, while the stream alone cannot prove it."""

    def __init__(self, books: LiveBooks, client: RestClient) -> None:
        self._books = books
        self._client = client

    async def run(self) -> None:
        """Probe whenever a connection keeps books back for want of a proof, for ever."""
        while True:
            await asyncio.sleep(_SCALE_STEP_S)
            if self._books.session.wants_scale_compared:
                try:
                    await self.probe()
                except (RestFailed, catalog.BodyRefused) as error:
                    log.warning("probe.failed", extra={"error": str(error)})
                if self._books.session.wants_scale_compared:
                    await asyncio.sleep(_SCALE_PAUSE_S)

    async def probe(self) -> None:
        """Compare the NO prices of up to 100 books with REST. Raises RestFailed or BodyRefused."""
        session, connection = self._books.session, self._books.connection
        asked = [market_id for market_id in session.market_ids() if session.book(market_id) is not None]
        asked = asked[: rest.ORDERBOOKS_PAGE]
        if not asked:
            return
        found = catalog.read_orderbooks(await self._client.get(rest.orderbooks_request(asked)))
        if self._books.connection != connection:
            return  # these books are gone
        pairs = [(session.book(market_id), found.get(market_id)) for market_id in asked]
        counts = [agreement(ours, theirs) for ours, theirs in pairs if ours is not None and theirs is not None]
        self._books.scale_compared(sum(same for same, _ in counts), sum(other for _, other in counts))


class ExchangeWatch:
    """Asks whether the exchange trades; while it does not, no quote may stand."""

    def __init__(self, client: RestClient, on_status: Callable[[ExchangeStatus], None], *, every_s: float) -> None:
        self._client = client
        self._on_status = on_status
        self._every_s = every_s

    async def run(self) -> None:
        """Ask again and again; an answer that does not come changes nothing."""
        while True:
            try:
                body = await self._client.get(rest.exchange_status_request(), attempts=2)
                self._on_status(exchange.read_exchange_status(body))
            except (RestFailed, catalog.BodyRefused) as error:
                log.warning("exchange.status_missing", extra={"error": str(error)})
            await asyncio.sleep(self._every_s)
