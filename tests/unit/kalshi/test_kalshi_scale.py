"""Prices of side ``no`` on the wrong scale are found by what they make of a book, or by asking REST."""

import asyncio
from collections.abc import Sequence

import pytest

from services.kalshi_feed.checks import ScaleProbe
from shared.domain.book import Book
from shared.venues.kalshi.events import BookChanged, BooksLost, Event, LinkUnusable, ScaleContradicted, ScaleProven
from shared.venues.kalshi.scale import ScaleWatch, agreement
from shared.venues.kalshi.session import KalshiSession
from tests.unit.kalshi.frames import A, B, delta, feed, levels, snapshot, subscribed
from tests.unit.kalshi.test_kalshi_feed_checks import Rest
from tests.unit.kalshi.test_kalshi_feed_parts import Noted, Script, live_books
from tests.waiting import until

DEEP = {"yes": [("0.6000", "5.00"), ("0.2000", "9.00")], "no": [("0.3800", "5.00"), ("0.0100", "9.00")]}
"""Read as asked for a whole book; on the other scale it would be crossed."""
TURNED = {"yes": [("0.6000", "5.00"), ("0.2000", "9.00")], "no": [("0.6200", "5.00"), ("0.9900", "9.00")]}
"""The same book with prices of ``no`` on the YES scale."""
SHALLOW = {"yes": [("0.0200", "5.00")], "no": [("0.9000", "5.00")]}
"""Asks at 0.10; turned round they would be at 0.90, which is a book as well."""


def proving(*, use_yes_price: bool = False) -> KalshiSession:
    session = KalshiSession((A, B), use_yes_price=use_yes_price, prove_scale=True)
    session.connected(0)
    feed(session, subscribed())
    return session


def kinds(events: Sequence[Event]) -> list[type]:
    return [type(event) for event in events]


def book_of(yes: Sequence[tuple[int, int]], no: Sequence[tuple[int, int]]) -> Book:
    book = Book()
    book.yes_bids.replace(yes)
    book.no_bids.replace(no)
    return book


def test_a_deep_book_proves_the_scale_and_releases_the_others() -> None:
    session = proving()
    feed(session, snapshot(1, A, **SHALLOW))
    assert levels(session, A) is None, "it would look as good on the other scale"
    assert session.live_markets == 0
    assert session.wants_scale_compared
    events = feed(session, snapshot(2, B, **DEEP))
    assert kinds(events) == [BookChanged, ScaleProven, BookChanged, BookChanged]
    assert levels(session, A) == ([("0.02", "5")], [("0.1", "5")])
    assert session.live_markets == 2
    assert not session.wants_scale_compared


@pytest.mark.parametrize("use_yes_price", [False, True])
def test_a_book_that_only_the_other_scale_makes_whole_ends_the_connection(use_yes_price: bool) -> None:
    session = proving(use_yes_price=use_yes_price)
    events = feed(session, snapshot(1, A, **(DEEP if use_yes_price else TURNED)))
    assert ScaleContradicted in kinds(events)
    assert LinkUnusable in kinds(events)
    assert BookChanged not in kinds(events)
    assert levels(session, A) is None
    assert session.counts.refused["scale"] == 1


def test_a_book_without_bids_for_no_needs_no_proof() -> None:
    session = proving()
    feed(session, snapshot(1, A, yes=[("0.4000", "1.00")]))
    assert levels(session, A) == ([("0.4", "1")], [])
    feed(session, delta(2, A, side="no", price="0.5000"))
    session.settle()
    assert levels(session, A) is None


def test_one_crossed_snapshot_outweighs_no_proof_and_three_in_a_row_do() -> None:
    session = proving()
    feed(session, snapshot(1, A, **DEEP))
    for number in (2, 3):
        assert ScaleContradicted not in kinds(feed(session, snapshot(number, B, **TURNED)))
        assert levels(session, A) is not None
    events = feed(session, snapshot(4, B, **TURNED))
    assert ScaleContradicted in kinds(events)
    assert levels(session, A) is None


def test_a_new_connection_has_to_prove_itself_again() -> None:
    session = proving()
    feed(session, snapshot(1, A, **DEEP))
    session.disconnected("reset")
    session.connected(0)
    feed(session, subscribed(), snapshot(1, A, **SHALLOW))
    assert levels(session, A) is None


def test_a_comparison_with_rest_proves_or_contradicts_or_says_nothing() -> None:
    session = proving()
    feed(session, snapshot(1, A, **SHALLOW))
    assert kinds(session.scale_compared(0, 0)) == []
    assert levels(session, A) is None
    assert kinds(session.scale_compared(1, 0)) == [ScaleProven, BookChanged]
    assert levels(session, A) is not None
    assert kinds(session.scale_compared(1, 2)) == [BooksLost, ScaleContradicted, LinkUnusable]
    assert levels(session, A) is None


def test_one_price_that_looks_turned_round_may_be_a_book_that_moved() -> None:
    watch = ScaleWatch(use_yes_price=False, is_proven=False)
    assert [watch.compared(0, 1), watch.compared(0, 1), watch.compared(0, 1)] == [False, False, True]
    assert not watch.is_proven
    watch = ScaleWatch(use_yes_price=False, is_proven=False)
    assert [watch.compared(0, 1), watch.compared(2, 1), watch.compared(0, 1)] == [False, False, False]
    assert watch.is_proven


def test_prices_are_compared_as_they_are_and_turned_round() -> None:
    streamed = book_of([(200, 1)], [(9_000, 1), (8_500, 1), (5_000, 1)])
    assert agreement(streamed, book_of([], [(9_000, 7), (5_000, 7)])) == (2, 1)
    assert agreement(streamed, book_of([], [(1_000, 7), (1_500, 7)])) == (0, 2)
    assert agreement(streamed, book_of([(9_000, 1)], [])) == (0, 0)


def test_a_whole_book_on_both_scales_is_no_evidence() -> None:
    watch = ScaleWatch(use_yes_price=False, is_proven=False)
    assert not watch.snapshot(book_of([(200, 1)], [(9_000, 1)]))
    assert not watch.is_proven


@pytest.mark.parametrize(("no_price", "quoted"), [("0.9000", True), ("0.1000", False)])
async def test_the_probe_asks_rest_where_the_stream_proves_nothing(
    no_price: str, quoted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kalshi_feed.checks._SCALE_PAUSE_S", 0.0)
    monkeypatch.setattr("services.kalshi_feed.checks._SCALE_STEP_S", 0.0)
    publisher, alerts = Noted(), list[str]()
    books = live_books(publisher, alerts, session=KalshiSession([A], prove_scale=True))
    rest = Rest(
        f'{{"orderbooks":[{{"ticker":"{A}","orderbook_fp":'
        f'{{"yes_dollars":[["0.0200","5.00"]],"no_dollars":[["{no_price}","5.00"]]}}}}]}}'.encode()
    )
    probing = asyncio.create_task(ScaleProbe(books, rest).run())  # type: ignore[arg-type]
    talk = asyncio.create_task(books.talk(Script([subscribed(), snapshot(1, A, **SHALLOW)])))  # type: ignore[arg-type]
    await until(lambda: talk.done() or books.quote_state(A) is not None)
    assert (books.quote_state(A) is not None) is quoted
    assert [alert.partition(":")[0] for alert in alerts] == ([] if quoted else ["kalshi_feed.price_scale"])
    for task in (probing, talk):
        task.cancel()
        await asyncio.wait([task])
