"""Markets stay on their connection, new ones fill the gaps, and one connection's loss is its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypothesis import given
from hypothesis import strategies as st

from services.kalshi_feed.fleet import Fleet, assigned
from services.kalshi_feed.live_books import LiveBooks
from services.kalshi_feed.trading import TradingState
from shared.domain.market import MarketId
from shared.venues.kalshi.lifecycle import MarketNews
from shared.venues.kalshi.session import KalshiSession
from tests.unit.kalshi.test_kalshi_feed_parts import FakeClock, Noted

tickers = st.lists(st.sampled_from([MarketId(f"KX-{number}") for number in range(12)]), unique=True)


def ids(*names: str) -> list[MarketId]:
    return [MarketId(name) for name in names]


def test_markets_fill_one_connection_after_the_other() -> None:
    assert assigned(ids("A", "B", "C"), {}, per_connection=2) == {"A": 0, "B": 0, "C": 1}


def test_a_market_that_goes_leaves_room_and_moves_nobody() -> None:
    before = assigned(ids("A", "B", "C", "D", "E"), {}, per_connection=2)
    assert assigned(ids("B", "C", "D", "E", "F"), before, per_connection=2) == {
        "B": 0,
        "C": 1,
        "D": 1,
        "E": 2,
        "F": 0,
    }


@given(st.lists(tickers, min_size=1, max_size=6), st.integers(1, 5))
def test_however_the_wishes_change_nobody_moves_and_no_connection_is_overfull(
    wishes: list[list[MarketId]], per_connection: int
) -> None:
    carried: dict[MarketId, int] = {}
    for wanted in wishes:
        after = assigned(wanted, carried, per_connection=per_connection)
        assert set(after) == set(wanted)
        assert all(after[market_id] == carried[market_id] for market_id in carried.keys() & after.keys())
        assert all(list(after.values()).count(number) <= per_connection for number in after.values())
        carried = after


class Scene:
    """A fleet whose connections do nothing but stand."""

    def __init__(self) -> None:
        self.publisher = Noted()
        self.clock = FakeClock()
        self.trading = TradingState()
        self.served: list[str] = []
        self.fleet = Fleet(self.new_books, self.serve, self.trading, self.clock, per_connection=2)

    def new_books(self, number: int) -> LiveBooks:
        return LiveBooks(
            KalshiSession(),
            self.publisher,
            self.clock,
            alert=lambda *_: None,
            name=str(number),
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
