"""Looking twice: a stream that stands still is compared with REST, and only what truly stood still is doubted."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from services.kalshi_feed import checks
from services.kalshi_feed.checks import ExchangeWatch, SilenceProbe
from services.kalshi_feed.rest_client import RestFailed
from tests.unit.kalshi.frames import A, B, delta, snapshot, subscribed
from tests.unit.kalshi.test_kalshi_feed_parts import Noted, Script, live_books
from tests.waiting import until


class Rest:
    """Answers every question with one body, after doing something."""

    def __init__(self, body: bytes, before: Callable[[], Any] = lambda: None) -> None:
        self.body = body
        self.before = before
        self.asked: list[str] = []

    async def get(self, request: Any, *, attempts: int = 1) -> bytes:
        self.asked.append(request.path)
        self.before()
        if not self.body:
            raise RestFailed("503", 503)
        return self.body


def rest_books(**bids: str) -> bytes:
    entries = ",".join(
        f'{{"ticker":"{ticker}","orderbook_fp":{{"yes_dollars":[["{price}","1.00"]],"no_dollars":[]}}}}'
        for ticker, price in bids.items()
    )
    return f'{{"orderbooks":[{entries}]}}'.encode()


async def probed(body: bytes, *, while_asked: list[bytes] | None = None) -> tuple[int, Noted]:
    """Two streamed books with a bid at 0.40 each, compared once."""
    publisher = Noted()
    books = live_books(publisher, [])
    link = Script([subscribed(), snapshot(1, A, yes=[("0.4000", "1.00")]), snapshot(2, B, yes=[("0.4000", "1.00")])])
    talk = asyncio.create_task(books.talk(link))  # type: ignore[arg-type]
    await link.read.wait()

    def meanwhile() -> None:
        for frame in while_asked or ():
            books.session.receive(frame, 1)
        books.session.settle()

    try:
        return await SilenceProbe(books, Rest(body, meanwhile), after_s=1).probe(), publisher  # type: ignore[arg-type]
    finally:
        talk.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talk


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_SETTLED_AFTER_S", 0.0)


async def test_silent_books_that_agree_are_left_alone() -> None:
    wrong, publisher = await probed(rest_books(**{A: "0.4000", B: "0.4000"}))
    assert wrong == 0
    assert "stale" not in [kind for kind, _ in publisher.said]


async def test_a_silent_book_that_differs_is_withdrawn_and_asked_for() -> None:
    wrong, publisher = await probed(rest_books(**{A: "0.4100", B: "0.4000"}))
    assert wrong == 1
    assert ("stale", (A,)) in publisher.said


async def test_a_book_that_moved_meanwhile_is_not_compared() -> None:
    wrong, publisher = await probed(
        rest_books(**{A: "0.4100", B: "0.4000"}), while_asked=[delta(3, A, price="0.4100", change="1.00")]
    )
    assert wrong == 0
    assert ("stale", (A,)) not in publisher.said


async def test_answers_to_our_own_questions_are_no_movement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_PROBE_STEP_S", 0.002)
    books = live_books(Noted(), [])
    link = Script([subscribed(), snapshot(1, A, yes=[("0.4000", "1.00")])])
    rest = Rest(rest_books(**{A: "0.4000"}))
    talk = asyncio.create_task(books.talk(link))  # type: ignore[arg-type]
    await link.read.wait()
    probing = asyncio.create_task(SilenceProbe(books, rest, after_s=0.01).run())  # type: ignore[arg-type]
    for seq in range(2, 1_000):
        books.frames += 1
        books.session.receive(snapshot(seq, A, yes=[("0.4000", "1.00")], command=9), 1)
        await asyncio.sleep(0.002)
        if rest.asked:
            break
    assert rest.asked, "an audit's snapshots arrive more often than a silence is looked into"
    for task in (probing, talk):
        task.cancel()
    await asyncio.gather(probing, talk, return_exceptions=True)


async def test_every_silent_book_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.rest, "ORDERBOOKS_PAGE", 1)
    books = live_books(Noted(), [])
    link = Script([subscribed(), snapshot(1, A, yes=[("0.4000", "1.00")]), snapshot(2, B, yes=[("0.4000", "1.00")])])
    talk = asyncio.create_task(books.talk(link))  # type: ignore[arg-type]
    await link.read.wait()
    probe = SilenceProbe(books, Rest(rest_books(**{B: "0.4100"})), after_s=1)  # type: ignore[arg-type]
    assert [await probe.probe(), await probe.probe()] == [0, 1]
    talk.cancel()
    await asyncio.gather(talk, return_exceptions=True)


async def test_a_status_that_cannot_be_had_changes_nothing() -> None:
    said: list[bool] = []
    rest = Rest(b'{"exchange_active":true,"trading_active":false}')
    watch = ExchangeWatch(rest, lambda status: said.append(status.trades), every_s=0)  # type: ignore[arg-type]
    watching = asyncio.create_task(watch.run())
    await until(lambda: bool(said))
    rest.body, before = b"", len(rest.asked)
    await until(lambda: len(rest.asked) >= before + 3)
    watching.cancel()
    assert set(said) == {False}
