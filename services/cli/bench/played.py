"""The world as far as it was played: the rendered one is already where the tape ends, and nobody may be told of that.

What is played is noted, market by market, and handed on when there is time, or at the latest when somebody asks. Only
what it comes to is kept of it, each level's last size and the last trade: handing on every operation cost the player a
fifth of a core, which the pipeline that is measured then lacked.
"""

from collections.abc import Container, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace

from services.cli.bench.tape import mirrors_of
from services.venue_sim import polymarket_frames
from services.venue_sim.engine import LevelChange, SimBook
from services.venue_sim.markets import KalshiMarket, Operation
from services.venue_sim.world import Listener, World


class PlayedWorld:
    """What the simulator's Polymarket application asks of a world, and both venues' books, as far as was played."""

    def __init__(self, world: World) -> None:
        self.start_ms = world.start_ms
        self.polymarket_markets = world.polymarket_markets
        self.subscribe_closings = world.subscribe_closings
        self.list_polymarket = world.list_polymarket
        self.close = world.close
        self._mirrors = mirrors_of(world.polymarket_markets)
        self._at_ms = {id_: market.last_at_us // 1_000 for id_, market in world.polymarket_markets.items()}
        self._kalshi = {ticker: _PlayedMarket(market) for ticker, market in world.kalshi_markets.items()}
        self._listeners: list[Listener] = []
        self._noted: dict[str, _Noted] = {}

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` with every operation on Polymarket that was played."""
        self._listeners.append(listener)

    def kalshi_market(self, ticker: str) -> KalshiMarket:
        """Return a market with the book it has at the moment played last."""
        self.catch_up()
        return self._kalshi[ticker].market

    def polymarket_snapshots(self, tokens: Container[str]) -> list[bytes]:
        """Return the books of these tokens at the moment played last, as a subscription is answered."""
        self.catch_up()
        return [
            polymarket_frames.snapshot(self._mirrors[market.market_id], index, self._at_ms[market.market_id])
            for market in self.polymarket_markets.values()
            for index, token in enumerate(market.token_ids)
            if token in tokens
        ]

    def note(self, operations: Iterable[Operation]) -> None:
        """Take note of what was just played, in its order."""
        for operation in operations:
            noted = self._noted.get(operation.market.market_id)
            if noted is None:
                noted = self._noted[operation.market.market_id] = _Noted(operation)
            noted.take(operation)

    def catch_up(self, most: int | None = None) -> None:
        """Hand on what was noted, or that of the ``most`` markets that have waited longest."""
        for _ in range(len(self._noted) if most is None else min(most, len(self._noted))):
            market_id = next(iter(self._noted))
            for operation in self._noted.pop(market_id).summed_up():
                self._hand_on(market_id, operation)

    def _hand_on(self, market_id: str, operation: Operation) -> None:
        played = self._kalshi.get(market_id)
        if played is not None:
            played.take(operation)
            return
        polymarket_frames.apply(self._mirrors[market_id], operation)
        self._at_ms[market_id] = operation.at_ms
        for listener in self._listeners:
            listener(operation)


@dataclass(slots=True)
class _Noted:
    """What one market's operations come to."""

    last: Operation
    traded: Operation | None = None
    levels: dict[tuple[str, int], LevelChange] = field(default_factory=dict)

    def take(self, operation: Operation) -> None:
        self.last = operation
        if operation.trade is not None:
            self.traded = operation
        for change in operation.changes:
            self.levels[change.side, change.price_e4] = change

    def summed_up(self) -> Iterator[Operation]:
        """Yield the last trade, for which its own time counts, and then every level's last size."""
        if self.traded is not None:
            yield replace(self.traded, changes=())
        yield replace(self.last, changes=tuple(self.levels.values()), trade=None)


class _PlayedMarket:
    def __init__(self, market: KalshiMarket) -> None:
        self._book = _PlayedBook()
        self.market = copy(market)
        self.market.book = self._book
        for price_e4, size_e6 in market.book.bids():
            self._book.change(LevelChange("bid", price_e4, size_e6, size_e6))
        for price_e4, size_e6 in market.book.asks():
            self._book.change(LevelChange("ask", price_e4, size_e6, size_e6))

    def take(self, operation: Operation) -> None:
        for change in operation.changes:
            self._book.change(change)


class _PlayedBook(SimBook):
    """A book that is told what became of its levels."""

    def change(self, change: LevelChange) -> None:
        levels = self._levels(change.side)
        if change.size_after_e6:
            levels[change.price_e4] = change.size_after_e6
        else:
            levels.pop(change.price_e4, None)
