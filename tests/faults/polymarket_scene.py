"""The Polymarket feed and the simulated venue as processes on a Redis, with every market in a live pair."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from services.venue_sim.markets import TRADABLE
from shared.contracts.catalog import CatalogMessage
from shared.contracts.health import FeedBeat
from shared.contracts.pairs import PairActivated
from shared.contracts.quotes import Quote, QuotesStale
from shared.contracts.streams import CATALOG, FEED_HEALTH, FIELD, PAIRS, QUOTES, Stream
from shared.domain.market import Market, Venue
from shared.domain.pair import Pair
from shared.io.bus import Identity, Outbox
from tests.e2e.pipeline import Pipeline, pipeline
from tests.outboxes import writing
from tests.pairs import made_up_pair
from tests.waiting import eventually

DEPTH = 10
Levels = tuple[tuple[Decimal, Decimal], ...]
T = TypeVar("T")
_CATALOG = CATALOG[Venue.POLYMARKET]
_LOOK_PAUSE_S = 0.001
"""Between two looks at the venue's books, for each book."""


class Scene:
    """What the venue is asked to do wrong, and what the feed wrote."""

    def __init__(self, pipe: Pipeline) -> None:
        self.pipe = pipe
        self._seen: dict[tuple[str, int], tuple[Levels, Levels]] = {}
        self._look_again_s = 0.0
        self._read_to: dict[str, str | bytes] = {}
        self._messages: list[Quote | QuotesStale] = []
        self._newest: dict[str, Quote | QuotesStale] = {}
        self._beats: dict[str, FeedBeat] = {}
        self._catalog: list[CatalogMessage] = []

    def until(self, holds: Callable[[], object], *, within_s: float = 30.0) -> None:
        """Wait for something, looking at the venue's books meanwhile."""

        def look() -> object:
            if time.monotonic() >= self._look_again_s:
                pause_s = _LOOK_PAUSE_S * len(self.venue_books())
                self._look_again_s = time.monotonic() + pause_s
            return holds()

        eventually(look, within_s=within_s, what=lambda: self.pipe.runs["polymarket_feed"].stderr)

    @property
    def markets(self) -> dict[str, Market]:
        """The catalog's open markets."""
        return self.pipe.catalog(Venue.POLYMARKET)

    def fault(self, name: str, times: int = 1) -> None:
        """Arm a fault of the simulated Polymarket; 0 switches it off."""
        self.pipe.control("/_fault", {"venue": "polymarket", "name": name, "times": times})

    def event(self, event: str, market_id: str, value: str) -> None:
        """Make something happen on the simulated Polymarket."""
        self.pipe.control("/_event", {"venue": "polymarket", "event": event, "market": market_id, "value": value})

    def venue_books(self) -> dict[str, Any]:
        """Return the simulator's own books, by market."""
        found: dict[str, Any] = self.pipe.control("/books")["polymarket"]
        for market_id, book in found.items():
            if book["status"] == TRADABLE:
                self._seen[market_id, book["ts_ms"]] = (_levels(book["bids"]), _levels(book["asks"]))
        return found

    def untrue(self) -> list[Quote]:
        """Return the quotes that were another book than the venue's of the time they name, as far as it was seen."""
        known = [quote for quote in self.quotes() if (quote.market_id, quote.venue_ts_ms) in self._seen]
        assert known, "no quote of a book that was seen"
        return [q for q in known if self._seen[q.market_id, q.venue_ts_ms] != (q.yes_bids, q.yes_asks)]

    def messages(self, since_ns: int = 0) -> list[Quote | QuotesStale]:
        """Return what was written on the quote streams after ``since_ns``, in order."""
        for stream in QUOTES[Venue.POLYMARKET]:
            new = self._new(stream)
            self._messages += new
            for message in new:
                about = (message.market_id,) if isinstance(message, Quote) else message.market_ids
                self._newest |= dict.fromkeys(about, message)
        self._messages.sort(key=_published_ns)
        return self._messages[bisect_right(self._messages, since_ns, key=_published_ns) :]

    def _new(self, stream: Stream[T]) -> list[T]:
        """Return what was written on a stream since the last call for it."""
        entries = self.pipe.redis.xrange(stream.name, min=self._read_to.get(stream.name, "-"))
        if entries:
            self._read_to[stream.name] = b"(" + entries[-1][0]
        return [stream.decoder.decode(fields[FIELD]) for _, fields in entries]

    def quotes(self, since_ns: int = 0) -> list[Quote]:
        return [message for message in self.messages(since_ns) if isinstance(message, Quote)]

    def withdrawn(self, since_ns: int = 0) -> set[str]:
        """Return the markets whose quotes were withdrawn."""
        stale = [message for message in self.messages(since_ns) if isinstance(message, QuotesStale)]
        return {market_id for message in stale for market_id in message.market_ids}

    def beats(self) -> dict[str, FeedBeat]:
        """Return the newest beat of each connection."""
        self._beats |= {beat.connection.rpartition("-")[0]: beat for beat in self._new(FEED_HEALTH)}
        return dict(self._beats)

    def catalog_messages(self) -> list[CatalogMessage]:
        """Return the catalog's messages, oldest first."""
        self._catalog += self._new(_CATALOG)
        return self._catalog

    def refused(self) -> int:
        """Return how many messages the feed did not use."""
        return sum(beat.refused for beat in self.beats().values())

    def gaps(self) -> int:
        """Return how many books the feed says it lost a message of."""
        return sum(beat.gaps for beat in self.beats().values())

    def asked_books(self) -> int:
        """Return how often the venue was asked for books over REST."""
        return self.pipe.control("/stats")["polymarket"]["requests"].get("POST /books", 0)

    def ends_with_the_venues_books(
        self, *, without: frozenset[str] = frozenset(), within_s: float = 40.0, tops_only: bool = False
    ) -> None:
        """Require that what was last said about each market is, from now on, once the venue's book of that moment.

        And that no quote of the whole test was crossed, or another book than the venue's.
        With ``tops_only`` their tops alone are compared, as nothing more is promised while hashes are amiss.
        """
        waiting = set(self.venue_books()) - without

        def is_settled() -> bool:
            books = self.venue_books()
            self.messages()
            waiting.difference_update(
                [it for it in waiting if it in self._newest and _is_the_book(self._newest[it], books[it])]
            )
            return not waiting

        self.until(is_settled, within_s=within_s)
        crossed = [q for q in self.quotes() if q.yes_bids and q.yes_asks and q.yes_bids[0][0] >= q.yes_asks[0][0]]
        assert crossed == []
        untrue = [(quote, self._seen[quote.market_id, quote.venue_ts_ms]) for quote in self.untrue()]
        if tops_only:
            untrue = [
                (quote, sides) for quote, sides in untrue if _tops((quote.yes_bids, quote.yes_asks)) != _tops(sides)
            ]
        assert untrue == [], untrue[0]


@contextmanager
def scene(folder: Path, redis_url: str, *, questions: int = 8, rate: int = 150, **feed: str) -> Iterator[Scene]:
    """Yield a scene in which every market is quoted; at its end every process must end well."""
    with pipeline(folder, redis_url) as pipe:
        pipe.start_simulator(
            VENUE_SIM_QUESTIONS=str(questions), VENUE_SIM_RATE=str(rate), VENUE_SIM_PLANT_INTERVAL_MS="0"
        )
        feed = {"POLYMARKET_FEED_REFRESH_S": "2", "POLYMARKET_FEED_PAGE_PAUSE_MS": "0", **feed}
        pipe.start("polymarket_feed", **feed)
        it = Scene(pipe)
        expected = len(it.venue_books())
        eventually(lambda: len(it.markets) == expected, what=lambda: pipe.runs["polymarket_feed"].stderr)
        asyncio.run(_activate(redis_url, it.markets))
        eventually(
            lambda: {quote.market_id for quote in it.quotes()} == set(it.markets),
            what=lambda: pipe.runs["polymarket_feed"].stderr,
        )
        yield it
        pipe.stop_all()


async def _activate(redis_url: str, markets: Mapping[str, Market]) -> None:
    async with writing(Outbox(redis_url, Identity("test", "1"))) as outbox:
        for market in markets.values():
            pair = pair_of(market)
            outbox.put(PAIRS, PairActivated(pair=pair), key=pair.pair_id)
        await outbox.flushed()


def pair_of(market: Market) -> Pair:
    """Return a live pair of a market with some Kalshi market."""
    name = market.market_id[-8:]
    tokens = (market.token_ids[0], market.token_ids[1])
    return made_up_pair(f"pair-{name}", kalshi=f"K-{name}", polymarket=market.market_id, polymarket_token_ids=tokens)


def _published_ns(message: Quote | QuotesStale) -> int:
    return message.published_ts_ns


def _is_the_book(quote: Quote | QuotesStale, book: Mapping[str, Any]) -> bool:
    if isinstance(quote, QuotesStale):
        return False
    never_touched = 0
    return book["ts_ms"] in (quote.venue_ts_ms, never_touched) and (quote.yes_bids, quote.yes_asks) == (
        _levels(book["bids"]),
        _levels(book["asks"]),
    )


def _tops(sides: tuple[Levels, Levels]) -> list[Decimal | None]:
    return [side[0][0] if side else None for side in sides]


def _levels(texts: list[list[str]]) -> Levels:
    return tuple((Decimal(price), Decimal(size)) for price, size in texts[:DEPTH])
