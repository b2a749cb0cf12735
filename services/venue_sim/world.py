"""The seeded world both venues serve: its questions, and everything that happens to their books.

The same seed, start and step times give the same operations. Nothing here knows of sockets or of the wall clock:
whoever runs the world calls ``step`` with the time.
"""

from collections.abc import Callable
from random import Random

from services.venue_sim.engine import Effect, Side
from services.venue_sim.markets import KalshiMarket, Operation, PolymarketMarket, Quoted, SimMarket, SimQuestion
from services.venue_sim.plants import Planter
from services.venue_sim.questions import Listing, list_questions
from services.venue_sim.quoting import Quoter

Listener = Callable[[Operation], None]
ClosingListener = Callable[[SimMarket, int], None]
"""Called with the market and the time in Unix milliseconds."""

_LATEST_CATCH_UP_US = 100_000
"""A world that was not stepped for longer than this does not make up for it: its own time stood still."""
_OPINION_INTERVAL_US = 150_000


class World:
    """Markets on two venues, quoted around common opinions, with crossings planted now and then.

    ``operations_per_s`` is the rate over all markets; ``plant_interval_ms`` the mean time between plants, 0 for
    none. A ``crowded`` world keeps only each market's own times in order: one that waits for its next millisecond does
    not make the others wait, which would otherwise bound the rate at some thirty operations in a millisecond.
    """

    def __init__(
        self,
        *,
        seed: int,
        start_ms: int,
        question_count: int = 56,
        operations_per_s: int = 150,
        plant_interval_ms: int = 2_300,
        crowded: bool = False,
    ) -> None:
        assert operations_per_s > 0, operations_per_s
        self.seed = seed
        self.start_ms = start_ms
        self.operation_count = 0
        listing = list_questions(Random(seed), start_ms=start_ms, count=question_count)
        self._adopt(listing)
        self._random = Random(seed + 1)
        self._quoter = Quoter(self._random, listing.quoted)
        self._planter = Planter(self._random, self._quoter, listing, plant_interval_ms)
        self._crowded = crowded
        self._planted: dict[str, tuple[Quoted, Side, int]] = {}
        self._listeners: list[Listener] = []
        self._closing_listeners: list[ClosingListener] = []
        self.set_rate(operations_per_s)
        self._now_us = start_ms * 1_000
        self._skipped_us = 0
        self._last_us = 0
        self._next_operation_us = self._now_us
        self._next_opinion_us = self._now_us
        self._planter.start(self._now_us)
        self._quoter.open_books()

    def _adopt(self, listing: Listing) -> None:
        self.questions: tuple[SimQuestion, ...] = listing.questions
        self.kalshi_markets: dict[str, KalshiMarket] = {m.market_id: m for m in listing.kalshi}
        self.polymarket_markets: dict[str, PolymarketMarket] = {m.market_id: m for m in listing.polymarket}
        self.quoted: tuple[Quoted, ...] = listing.quoted
        asked: dict[str, list[SimQuestion]] = {id_: [] for id_ in (*self.kalshi_markets, *self.polymarket_markets)}
        for question in listing.questions:
            asked[question.kalshi.market_id].append(question)
            asked[question.polymarket.market_id].append(question)
        self.questions_of: dict[str, tuple[SimQuestion, ...]] = {id_: tuple(found) for id_, found in asked.items()}

    def set_rate(self, operations_per_s: int) -> None:
        """Let so many operations happen each second from now on, over all markets, on average."""
        self._mean_interval_us = max(1, 1_000_000 // operations_per_s)

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` with every operation, after the book has changed, in the order of subscription."""
        self._listeners.append(listener)

    def subscribe_closings(self, listener: ClosingListener) -> None:
        """Call ``listener`` with every market that stops trading, after its book was emptied."""
        self._closing_listeners.append(listener)

    def close(self, market: SimMarket, *, now_ms: int, status: str = "closed") -> None:
        """Stop trading in a market: nobody quotes it any more and its book is empty.

        That is no operation: neither venue sends the changes of a closing level by level.
        """
        market.status = status
        market.book.clear()
        for listener in self._closing_listeners:
            listener(market, now_ms)

    def list_polymarket(self, market: PolymarketMarket) -> None:
        """Add a market that nobody quotes."""
        self.polymarket_markets[market.market_id] = market
        self.questions_of[market.market_id] = ()

    def step(self, now_ms: int) -> list[Operation]:
        """Let everything happen that is due at ``now_ms`` (Unix milliseconds) and return it in order."""
        until_us = now_ms * 1_000 - self._skipped_us
        late_us = until_us - self._now_us - _LATEST_CATCH_UP_US
        if late_us > 0:
            self._skipped_us += late_us
            until_us -= late_us
        done: list[Operation] = []
        while (due_us := self._due_us()) <= until_us:
            self._now_us = due_us
            done.extend(self._happen(due_us))
        self._now_us = max(self._now_us, until_us)
        return done

    def inject(
        self, market: SimMarket, side: Side, price_e4: int, size_e6: int, *, now_ms: int, rests: bool
    ) -> Operation | None:
        """Trade or place an order from outside; return what it did, None when it changed nothing."""
        act = market.book.place if rests else market.book.take
        return self._emit(market, now_ms * 1_000, act(side, price_e4, size_e6))

    def withdraw(self, market: SimMarket, side: Side, price_e4: int, size_e6: int, *, now_ms: int) -> Operation | None:
        """Take an account's order (a part of it) off the book."""
        return self._emit(market, now_ms * 1_000, market.book.withdraw(side, price_e4, size_e6))

    def plant(self, market: SimMarket, side: Side, price_e4: int, size_e6: int) -> None:
        """Place an order that takes everything in its way and stands until ``uproot``.

        Meanwhile nobody else touches the best levels of what the market is about.
        """
        self.uproot(market)
        quoted = next(one for one in self.quoted if one.market is market)
        quoted.proposition.held += 1
        self._planted[market.market_id] = quoted, side, price_e4
        self._emit(market, self._now_us + self._skipped_us, Planter.plant(quoted, side, price_e4, size_e6))

    def uproot(self, market: SimMarket) -> None:
        """Cancel what ``plant`` placed on a market, if anything."""
        planted = self._planted.pop(market.market_id, None)
        if planted is not None:
            quoted, side, price_e4 = planted
            quoted.proposition.held -= 1
            self._emit(market, self._now_us + self._skipped_us, market.book.cancel(side, price_e4))

    def _due_us(self) -> int:
        return min(self._next_operation_us, self._next_opinion_us, self._planter.due_us)

    def _happen(self, due_us: int) -> list[Operation]:
        if due_us == self._planter.due_us:
            acted = self._planter.act(due_us)
        elif due_us == self._next_opinion_us:
            self._next_opinion_us += _OPINION_INTERVAL_US
            self._quoter.change_an_opinion()
            return []
        else:
            mean_us = self._mean_interval_us
            self._next_operation_us += 1 + self._random.randrange(mean_us // 5, 2 * mean_us - mean_us // 5 + 1)
            acted = self._quoter.act()
        operation = None if acted is None else self._emit(acted[0], due_us + self._skipped_us, acted[1])
        return [] if operation is None else [operation]

    def _emit(self, market: SimMarket, at_us: int, effect: Effect) -> Operation | None:
        if not effect.changes:
            return None
        at_us = in_order_us = max(at_us, self._last_us + 1)
        if at_us // 1_000 <= market.last_at_us // 1_000:
            at_us = (market.last_at_us // 1_000 + 1) * 1_000
        self._last_us = in_order_us if self._crowded else at_us
        operation = Operation.of(market, at_us, effect)
        market.count(operation)
        self.operation_count += 1
        for listener in self._listeners:
            listener(operation)
        return operation
