"""What a Polymarket connection says of itself is true: nothing of an older link counts, nothing is late for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.polymarket_feed.live_books import LiveBooks
from shared.testing.clock import FakeClock
from tests.unit.polymarket.test_feed_audit import Catalog, Publisher, until
from tests.unit.polymarket.wire import MARKET, T0, UNKNOWN, YES, book_event, change, entry, frame


class Link:
    """A link that brings what the test gives it, and breaks when it is given nothing."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self) -> list[bytes]:
        got = await self.frames.get()
        if not got:
            raise ConnectionResetError("gone")
        return [got]

    async def send(self, text: str) -> None: ...


class Rig:
    """One connection's books on a clock of our own."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.clock.advance(ms=T0 - self.clock.now_ms())
        self.publisher = Publisher()
        self.books = LiveBooks(
            self.publisher, Catalog(), self.clock, name="test", pong_s=600, unverified_s=600, resync=lambda: None
        )
        self.books.want({YES: UNKNOWN})

    @asynccontextmanager
    async def talking(self, ends_with: str = "gone") -> AsyncIterator[Link]:
        link = Link()
        talk = asyncio.create_task(self.books.talk(link))  # type: ignore[arg-type]
        try:
            yield link
        finally:
            link.frames.put_nowait(b"")
            [end] = await asyncio.gather(talk, return_exceptions=True)
        assert isinstance(end, ConnectionError)
        assert ends_with in str(end)

    async def attended(self) -> None:
        """The attendant looks twenty times a second."""
        await asyncio.sleep(0.12)


async def test_a_new_link_that_has_brought_nothing_claims_no_data_of_the_last_one() -> None:
    rig = Rig()
    async with rig.talking() as link:
        link.frames.put_nowait(frame([book_event()]))
        await until(lambda: rig.books.data_s is not None)
    async with rig.talking():
        await rig.attended()
        assert rig.books.data_s is None


async def test_a_lost_link_is_withdrawn_before_anybody_takes_the_time_to_close_it() -> None:
    rig = Rig()
    async with rig.talking() as link:
        link.frames.put_nowait(frame([book_event()]))
        await until(lambda: rig.publisher.marked == [MARKET])
    assert len(rig.publisher.reasons) == 1
    assert not rig.books.is_connected


async def test_one_late_change_is_no_lag_for_ever_on_a_link_that_only_pongs() -> None:
    rig = Rig()
    async with rig.talking() as link:
        link.frames.put_nowait(frame([book_event()]))
        link.frames.put_nowait(frame(change(entry("BUY", "0.41", "1", bid="0.42", ask="0.44"), ts=T0)))
        await rig.attended()
        rig.clock.advance(ms=1_600)
        link.frames.put_nowait(frame(change(entry("BUY", "0.41", "2", bid="0.42", ask="0.44"), ts=T0 + 100)))
        await until(lambda: rig.books.lag_ms == 1_500)
        for _ in range(4):
            rig.clock.advance(ms=1_000)
            link.frames.put_nowait(b"PONG")
            await rig.attended()
        assert rig.books.lag_ms == 0
        assert not rig.books.is_given_up


async def test_changes_that_come_late_for_two_seconds_cost_the_link() -> None:
    rig = Rig()
    async with rig.talking(ends_with="ms behind the venue") as link:
        link.frames.put_nowait(frame([book_event()]))
        link.frames.put_nowait(frame(change(entry("BUY", "0.41", "1", bid="0.42", ask="0.44"), ts=T0)))
        await rig.attended()
        rig.clock.advance(ms=1_600)
        for number in range(5):
            if rig.books.is_given_up:
                break
            late = change(entry("BUY", "0.41", str(number), bid="0.42", ask="0.44"), ts=T0 + 1 + number)
            link.frames.put_nowait(frame(late))
            await rig.attended()
            rig.clock.advance(ms=700)
        assert rig.books.is_given_up
