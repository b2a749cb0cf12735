"""The REST audit: what it believes, what it mends, and what it does when REST gives no answer."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.polymarket_feed.audit import Auditor
from services.polymarket_feed.live_books import LiveBooks
from shared.domain.market import MarketId
from shared.io.http import Answer, HttpUnavailable
from shared.runtime.clock import SystemClock
from shared.venues.polymarket.asset_book import AssetTerms
from shared.venues.polymarket.rest import read_books
from tests.unit.polymarket.wire import (
    CONDITION,
    KNOWN,
    MARKET,
    S0_ASKS,
    S0_BIDS,
    T0,
    UNKNOWN,
    YES,
    as_objects,
    book_event,
    change,
    entry,
    frame,
    levels,
    s_hash,
)
from tests.waiting import until


class Clob:
    """A ``/books`` that answers from a table, or not at all."""

    def __init__(self) -> None:
        self.books: list[dict[str, Any]] = [rest_book()]
        self.trouble: Callable[[], Answer] | None = None
        self.asked: list[list[str]] = []

    async def post(self, path: str, body: Any) -> Answer:
        assert path == "/books"
        self.asked.append([one["token_id"] for one in body])
        if self.trouble is not None:
            return self.trouble()
        return Answer(200, json.dumps(self.books).encode(), {})


class Publisher:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.marked: list[MarketId] = []
        self.reasons: list[str] = []

    def mark(self, source: object, market_id: MarketId) -> None:
        self.marked.append(market_id)

    def stale(self, market_ids: Iterable[MarketId], reason: str) -> None:
        self.reasons.append(reason)


class Catalog:
    """Is told nothing here."""

    def ended(self, market_id: MarketId) -> None: ...

    def tick_changed(self, market_id: MarketId, tick_size: str) -> None: ...


class Rig:
    """One connection's books, its auditor and a REST service."""

    def __init__(self, terms: AssetTerms = UNKNOWN) -> None:
        self.clob = Clob()
        self.publisher = Publisher()
        clock = SystemClock()
        self.books = LiveBooks(
            self.publisher,
            Catalog(),
            clock,
            name="test",
            pong_s=30,
            unverified_s=60,
            resync=self._resync,
        )
        self.auditor = Auditor(self.clob, clock, lambda: [self.books], audit_s=0.02, grace_s=0.02)  # type: ignore[arg-type]
        self.books.want({YES: terms})
        self.books.session.connected()
        self.books.is_connected = True

    def _resync(self) -> None:
        self.auditor.resync()

    def receive(self, message: object) -> None:
        self.books.session.receive(frame(message), 1)

    @property
    def verified(self) -> str | None:
        state = self.books.quote_state(MARKET)
        return None if state is None else state.verified


def rest_book(bids: str = "", *, ts: int = T0) -> dict[str, Any]:
    return {
        "market": CONDITION,
        "asset_id": YES,
        "timestamp": str(ts),
        "hash": "",
        "bids": as_objects(levels(bids) if bids else S0_BIDS),
        "asks": as_objects(S0_ASKS),
        "min_order_size": "5",
        "tick_size": "0.01",
        "neg_risk": False,
    }


@asynccontextmanager
async def running() -> AsyncIterator[Rig]:
    it = Rig()
    task = asyncio.create_task(it.auditor.run())
    yield it
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_agreeing_books_are_verified_and_left_alone() -> None:
    async with running() as it:
        it.receive([book_event()])
        before_s = it.books.verified_s
        await until(lambda: it.auditor.audits > 3)
        assert it.books.verified_s > before_s
        assert it.auditor.disagreed == 0
        assert it.publisher.reasons == []


async def test_a_book_that_differs_at_the_same_timestamp_is_replaced() -> None:
    async with running() as it:
        it.receive([book_event(levels("0.42 8"))])
        await until(lambda: it.verified == "rest")
        assert it.publisher.marked == [MARKET]


async def test_a_stream_that_catches_up_in_time_is_not_suspected() -> None:
    async with running() as it:
        it.receive([book_event()])
        it.clob.books = [rest_book("0.42 8", ts=T0 + 1)]
        number = 0

        def keeps_up() -> bool:
            nonlocal number
            number += 1
            it.receive(change(entry("BUY", "0.41", str(number), bid="0.42", ask="0.44"), ts=T0 + number))
            return it.auditor.audits > 5

        await until(keeps_up)
        assert it.auditor.frozen == 0
        assert not it.books.is_given_up


async def test_a_connection_that_stays_behind_and_silent_is_given_up() -> None:
    async with running() as it:
        it.receive([book_event()])
        it.clob.books = [rest_book("0.42 8", ts=T0 + 1)]
        await until(lambda: it.books.is_given_up)
        assert it.auditor.frozen == 1


def unavailable() -> Answer:
    raise HttpUnavailable("POST /books: TimeoutError")


@pytest.mark.parametrize(
    "trouble", [unavailable, lambda: Answer(429, b"<html>slow down</html>", {}), lambda: Answer(200, b"<html>", {})]
)
async def test_no_answer_is_no_agreement_and_a_book_in_doubt_is_asked_for_again(trouble: Callable[[], Answer]) -> None:
    async with running() as it:
        it.receive([book_event()])
        it.clob.trouble = trouble
        before_s = it.books.verified_s
        it.books.give_up([MARKET], "a test says so")
        await until(lambda: len(it.clob.asked) >= 2)
        assert it.books.verified_s == before_s
        assert it.verified is None
        it.clob.trouble = None
        await until(lambda: it.verified == "rest")


async def test_books_that_live_on_rest_alone_are_fetched_for_a_connection_that_brings_nothing() -> None:
    async with running() as it:
        it.books.session.due(0.0)
        for event in it.books.session.due(10.0):
            it.books._act([event])
        await until(lambda: it.verified == "rest")
        assert it.books.session.rest_only_tokens() == [YES]
        it.receive(change(entry("BUY", "0.42", "9", bid="0.42", ask="0.44"), ts=T0 + 1))
        assert it.books.session.rest_only_tokens() == []


async def test_a_lost_book_is_asked_for_until_rest_is_no_longer_behind() -> None:
    async with running() as it:
        it.receive([book_event(ts=T0 + 5)])
        it.books.give_up([MARKET], "a test says so")
        await until(lambda: len(it.clob.asked) >= 2)
        assert it.verified is None
        it.clob.books = [rest_book(ts=T0 + 5)]
        await until(lambda: it.verified == "rest")


async def test_new_books_are_audited_soon_and_their_hidden_terms_learnt() -> None:
    it = Rig()
    it.auditor._audit_s = 3_600.0
    task = asyncio.create_task(it.auditor.run())
    it.receive([book_event()])
    await until(lambda: it.auditor.audits == 1)
    asset = it.books.session.asset_book(YES)
    assert asset is not None
    assert (asset.terms.min_order_size, asset.terms.neg_risk) == ("5", False)
    it.books.want({YES: UNKNOWN})
    await until(lambda: it.auditor.audits == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_flood_of_doubts_does_not_become_a_flood_of_requests() -> None:
    async with running() as it:
        it.receive([book_event()])
        it.auditor._audit_s = 3_600.0
        await until(lambda: it.auditor.audits > 0)
        before, started_s = len(it.clob.asked), asyncio.get_running_loop().time()

        def doubts() -> bool:
            it.books._act(it.books.session.receive(b"{", 1))
            return len(it.clob.asked) >= before + 3

        await until(doubts)
        assert asyncio.get_running_loop().time() - started_s >= 0.4


def test_a_book_in_doubt_is_not_quoted_even_when_the_publisher_asks_before_hashes_are_looked_at() -> None:
    it = Rig(KNOWN)
    first_hash = s_hash(S0_BIDS, S0_ASKS, ts=T0)
    it.receive([book_event(hash=first_hash, tick_size="0.01", last_trade_price="0.430")])
    assert it.verified == "hash"
    below_the_top = entry("SELL", "0.46", "20", bid="0.42", ask="0.44", sent_hash="0" * 40)
    it.receive(change(below_the_top, ts=T0 + 1))
    assert it.verified is None


async def test_a_connection_that_another_took_over_from_has_nothing_to_quote_and_nothing_to_say() -> None:
    it = Rig()
    it.receive([book_event()])
    assert it.verified == "top"
    it.books.retire()
    assert it.verified is None
    it.receive([book_event(ts=T0 + 1)])
    [rest], _ = read_books(json.dumps([rest_book(ts=T0 + 2)]).encode())
    it.books.take_rest_book(rest, 3)
    assert it.verified is None
    assert (it.publisher.marked, it.publisher.reasons) == ([], [])


async def test_a_lost_book_does_not_wait_for_the_grace_of_an_audit() -> None:
    it = Rig()
    it.auditor = Auditor(it.clob, SystemClock(), lambda: [it.books], audit_s=60, grace_s=60)  # type: ignore[arg-type]
    it.receive([book_event()])
    it.clob.books = [rest_book("0.42 8", ts=T0 + 1)]
    task = asyncio.create_task(it.auditor.run())
    await until(lambda: it.auditor.audits > 0)
    it.books.give_up([MARKET], "a test says so")
    await until(lambda: it.verified == "rest")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
