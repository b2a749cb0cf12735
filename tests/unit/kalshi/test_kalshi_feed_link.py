"""What a connection says of itself is true whatever happens beside it: late frames, hanging links, clocks."""

import asyncio

import pytest

from services.kalshi_feed.polled_books import PolledBooks
from services.kalshi_feed.trading import TradingState
from shared.domain.market import MarketId
from shared.testing.clock import FakeClock
from tests.unit.kalshi.frames import A, B, delta, encoded, snapshot, subscribed
from tests.unit.kalshi.test_kalshi_feed_parts import Noted, Script, live_books, market
from tests.unit.kalshi.test_kalshi_lifecycle import NOW_MS, closing_in
from tests.waiting import until


class Dying(Script):
    """A link that breaks after its frames."""

    async def receive(self) -> list[bytes]:
        if not self._frames:
            raise ConnectionResetError("gone")
        return await super().receive()


async def test_a_lost_link_is_withdrawn_before_anybody_takes_the_time_to_close_it() -> None:
    publisher = Noted()
    books = live_books(publisher, [])
    with pytest.raises(ConnectionError):
        await books.talk(Dying([subscribed(), snapshot(1, A), snapshot(2, B)]))  # type: ignore[arg-type]
    assert publisher.said[-1] == ("stale", (A, B))
    assert not books.is_connected


async def test_one_late_delta_is_no_lag_for_ever_while_other_frames_go_on() -> None:
    clock = FakeClock()
    books = live_books(Noted(), [], clock=clock)
    first_ms = clock.now_ms()
    link = Script([subscribed(), snapshot(1, A), delta(2, A, ts="1", ts_ms=first_ms)])
    talk = asyncio.create_task(books.talk(link))  # type: ignore[arg-type]
    await link.read.wait()
    await until(lambda: books.session.last_times is not None)
    await asyncio.sleep(0.15)  # the attendant looks ten times a second
    books.frames += 1
    books.session.receive(delta(3, A, ts="2", ts_ms=first_ms - 1_500), clock.now_ns())
    books.session.settle()
    await until(lambda: books.lag.lag_ms == 1_500)
    for _ in range(6):
        clock.advance(ms=700)
        books.frames += 1
        books.session.receive(encoded({"type": "market_lifecycle_v2", "sid": 9, "seq": 1, "msg": {}}), clock.now_ns())
        await asyncio.sleep(0.15)
    assert not talk.done(), "nothing has come late since"
    assert books.lag.lag_ms == 0
    talk.cancel()
    await asyncio.gather(talk, return_exceptions=True)


class SlowExchange:
    """Answers with both books, when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def get(self, _request: object, *, attempts: int) -> bytes:
        self.asked.set()
        await self.may_answer.wait()
        book = b'{"yes_dollars":[["0.40","1.00"]],"no_dollars":[]}'
        one = b'{"ticker":"%b","orderbook_fp":%b}'
        return b'{"orderbooks":[%b]}' % b",".join(one % (ticker.encode(), book) for ticker in (A, B))


async def test_a_polled_book_that_nobody_wants_any_more_when_it_comes_is_left() -> None:
    exchange, publisher = SlowExchange(), Noted()
    books = PolledBooks(
        exchange, publisher, FakeClock(), alert=lambda *_: None, epoch="e", poll_s=60  # type: ignore[arg-type]
    )  # fmt: skip
    books.want([A, B])
    reading = asyncio.create_task(books.run())
    await exchange.asked.wait()
    books.want([A])
    exchange.may_answer.set()
    await until(lambda: bool(publisher.said))
    reading.cancel()
    assert publisher.said == [("mark", (A,))]
    assert books.beat(quotes=0).state == "live"


def test_a_clock_that_was_wrong_for_a_moment_mutes_no_market_for_an_hour() -> None:
    hour_ms = 3_600_000
    state = TradingState()
    state.listed([market(A, close_time=closing_in(minutes=30))], read_ms=NOW_MS)
    assert state.due(NOW_MS + hour_ms) == [A], "our clock has jumped an hour ahead"
    state.due(NOW_MS + 1_000)
    assert state.listed([market(A, close_time=closing_in(minutes=30))], read_ms=NOW_MS + 60_000) == [A]
    assert state.due(NOW_MS + 31 * 60_000) == [MarketId(A)], "and it closes at its time"
