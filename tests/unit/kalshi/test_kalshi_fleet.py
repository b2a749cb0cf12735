"""A fleet of connections: one connection's loss is its own, and only the first hears of markets' lives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.kalshi_feed.fleet import Fleet
from services.kalshi_feed.live_books import LiveBooks
from services.kalshi_feed.trading import TradingState
from shared.domain.market import MarketId
from shared.venues.kalshi.lifecycle import MarketNews
from shared.venues.kalshi.session import KalshiSession
from tests.unit.kalshi.test_kalshi_feed_parts import FakeClock, Noted


def ids(*names: str) -> list[MarketId]:
    return [MarketId(name) for name in names]


class Scene:
    """A fleet whose connections do nothing but stand."""

    def __init__(self) -> None:
        self.publisher = Noted()
        self.clock = FakeClock()
        self.trading = TradingState()
        self.served: list[str] = []
        self.fleet = Fleet(self.new_books, self.serve, self.trading, self.clock, per_connection=2)

    def new_books(self, name: str, number: int) -> LiveBooks:
        return LiveBooks(
            KalshiSession(),
            self.publisher,
            self.clock,
            alert=lambda *_: None,
            name=name,
            silent_s=25,
            trading=self.trading,
        )

    async def serve(self, books: LiveBooks) -> None:
        self.served.append(books.connection)
        try:
            await asyncio.Event().wait()
        finally:
            self.served.remove(books.connection)

    def carried(self) -> list[list[str]]:
        return [sorted(books.wanted) for books in self.fleet.connections]


@asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[None]:
    task = asyncio.create_task(scene.fleet.run())
    await asyncio.sleep(0)
    yield
    task.cancel()
    await asyncio.wait([task])


async def test_connections_open_as_they_are_needed_and_close_when_they_carry_nothing() -> None:
    scene = Scene()
    seen = []
    async with running(scene):
        for wanted in (ids("A"), ids("A", "B", "C", "D", "E"), ids("E"), ids()):
            scene.fleet.want(wanted)
            seen.append(scene.carried())
        for _ in range(3):
            await asyncio.sleep(0)
        assert scene.served == ["0-0"], "the first one stays: it hears of markets' lives"
    assert seen == [[["A"]], [["A", "B"], ["C", "D"], ["E"]], [[], ["E"]], [[]]]
    assert scene.served == []
    scene.fleet.want(ids("LATE"))
    assert scene.carried() == [[]], "after the end nothing is opened"


async def test_news_on_the_first_connection_withdraws_a_market_of_another() -> None:
    scene = Scene()
    async with running(scene):
        scene.fleet.want(ids("A", "B", "C"))
        scene.fleet.heard(MarketNews(market_id=MarketId("C"), happening="deactivated"))
        assert scene.publisher.said == [("stale", ("C",))]


async def test_what_was_wanted_before_the_start_is_streamed_from_the_start() -> None:
    scene = Scene()
    scene.fleet.want(ids("A", "B", "C"))
    assert scene.carried() == []
    async with running(scene):
        assert scene.carried() == [["A", "B"], ["C"]]


async def test_a_connection_that_is_opened_anew_has_a_name_of_its_own() -> None:
    scene = Scene()
    async with running(scene):
        scene.fleet.want(ids("A", "B", "C"))
        before = scene.fleet.connections[1].connection
        scene.fleet.want(ids("A", "B"))
        scene.fleet.want(ids("A", "B", "D"))
        assert scene.fleet.connections[1].connection != before
