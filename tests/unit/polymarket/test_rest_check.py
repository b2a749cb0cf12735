"""REST books: replacing, confirming and doubting what the connection said."""

import json
from typing import Any

import pytest

from shared.venues.polymarket.events import BookChanged, BooksLost, ResyncWanted
from shared.venues.polymarket.rest import RestBook, RestRefused, books_request, read_books, read_clob_market
from shared.venues.polymarket.rest_check import RestVerdict
from shared.venues.polymarket.session import PolymarketSession
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
    connected,
    entry,
    frame,
    levels,
    s_hash,
    started,
)


def rest_book(bids: Any = S0_BIDS, asks: Any = S0_ASKS, *, ts: int = T0, **extra: Any) -> RestBook:
    body = {
        "market": CONDITION,
        "asset_id": YES,
        "timestamp": str(ts),
        "hash": s_hash(bids, asks, ts=ts),
        "bids": as_objects(bids),
        "asks": as_objects(asks),
        "min_order_size": "5",
        "tick_size": "0.01",
        "neg_risk": False,
        "last_trade_price": "0.430",
        **extra,
    }
    books, unreadable = read_books(json.dumps([body]).encode())
    assert unreadable == 0
    return books[0]


def verified(session: PolymarketSession) -> str | None:
    state = session.book_state(MARKET)
    return None if state is None else state.verified


def test_a_rest_book_stands_in_for_a_first_book_that_never_came() -> None:
    session = connected(UNKNOWN)
    assert session.apply_rest_book(rest_book(), 5) == (RestVerdict.REPLACED, [BookChanged(MARKET)])
    assert verified(session) == "rest"


def test_a_rest_book_brings_the_terms_that_the_hash_covers() -> None:
    session = connected(UNKNOWN)
    session.apply_rest_book(rest_book(), 5)
    sent = s_hash(levels("0.4 50, 0.41 120.5, 0.42 8"), S0_ASKS, ts=T0 + 1)
    session.receive(frame(change(entry("BUY", "0.42", "8", bid="0.42", ask="0.44", sent_hash=sent), ts=T0 + 1)), 6)
    session.settle()
    assert verified(session) == "hash"


def test_a_stream_that_begins_on_a_rest_book_counts_only_when_the_hash_proves_that_nothing_came_between() -> None:
    session = connected(UNKNOWN)
    session.apply_rest_book(rest_book(), 5)
    events = session.receive(frame(change(entry("BUY", "0.42", "8", bid="0.42", ask="0.44"), ts=T0 + 1)), 6)
    reason = "the stream began on a REST book"
    assert events == [BooksLost((MARKET,), reason), ResyncWanted((MARKET,), reason)]
    assert session.book_state(MARKET) is None
    newer = rest_book(levels("0.42 8"), ts=T0 + 2)
    assert session.apply_rest_book(newer, 7) == (RestVerdict.REPLACED, [BookChanged(MARKET)])
    session.receive(frame(change(entry("BUY", "0.42", "9", bid="0.42", ask="0.44"), ts=T0 + 3)), 8)
    assert verified(session) == "top"


def test_a_lost_book_is_whole_again_by_a_rest_book_that_is_not_older() -> None:
    session = started(KNOWN)
    session.give_up([MARKET], "a test says so")
    assert session.apply_rest_book(rest_book(ts=T0 - 1), 5) == (RestVerdict.OLDER, [])
    assert session.book_state(MARKET) is None
    assert session.apply_rest_book(rest_book(), 5) == (RestVerdict.AGREES, [BookChanged(MARKET)])
    assert verified(session) == "rest"


def test_changes_that_the_rest_book_already_has_are_dropped_when_they_arrive_late() -> None:
    session = started(KNOWN)
    session.give_up([MARKET], "a test says so")
    session.apply_rest_book(rest_book(levels("0.42 1"), levels("0.44 1"), ts=T0 + 10), 5)
    assert session.receive(frame(change(entry("BUY", "0.42", "9", bid="0.42", ask="0.44"), ts=T0 + 9)), 6) == []
    state = session.book_state(MARKET)
    assert state is not None
    assert state.book.bids() == ((4200, 1_000_000),)


def test_a_ghost_book_is_no_answer() -> None:
    session = connected(UNKNOWN)
    ghost = rest_book(levels("0.01 100"), levels("0.99 100"))
    assert session.apply_rest_book(ghost, 5) == (RestVerdict.UNKNOWN, [])
    assert started().audit_rest_book(ghost) is RestVerdict.UNKNOWN


@pytest.mark.parametrize("bids", ["0.44 1", "0.5 1"])
def test_a_crossed_or_locked_rest_book_is_no_answer(bids: str) -> None:
    session = connected(UNKNOWN)
    assert session.apply_rest_book(rest_book(levels(bids)), 5) == (RestVerdict.UNKNOWN, [])


def test_a_rest_book_of_another_market_is_refused() -> None:
    session = connected(UNKNOWN)
    verdict, _ = session.apply_rest_book(rest_book(market="0x" + "cd" * 32), 5)
    assert verdict is RestVerdict.UNKNOWN
    assert session.refused == {"token belongs to another market": 1}


def test_a_refused_number_in_a_rest_book_changes_nothing() -> None:
    session = started()
    assert session.apply_rest_book(rest_book(levels("0.42 NaN"), ts=T0 + 1), 5) == (RestVerdict.UNKNOWN, [])
    assert session.book_state(MARKET) is not None


def test_the_audit_tells_agreement_difference_and_which_is_ahead() -> None:
    session = started(UNKNOWN)
    other = levels("0.42 8")
    assert session.audit_rest_book(rest_book()) is RestVerdict.AGREES
    assert session.audit_rest_book(rest_book(ts=T0 + 60_000)) is RestVerdict.AGREES
    assert session.audit_rest_book(rest_book(other)) is RestVerdict.DIFFERS
    assert session.audit_rest_book(rest_book(other, ts=T0 + 1)) is RestVerdict.NEWER
    assert session.audit_rest_book(rest_book(other, ts=T0 - 1)) is RestVerdict.OLDER


def test_a_book_proved_by_hash_is_not_replaced_by_another_view_of_the_same_millisecond() -> None:
    session = started(KNOWN)
    assert session.audit_rest_book(rest_book(levels("0.42 8"))) is RestVerdict.OLDER
    assert session.apply_rest_book(rest_book(levels("0.42 8")), 5) == (RestVerdict.OLDER, [])


def test_wrong_hashes_on_a_right_book_are_asked_about_ever_more_rarely() -> None:
    session = started(KNOWN)
    asked = []
    for number in range(1, 12):
        e = entry("BUY", "0.42", "7", bid="0.42", ask="0.44", sent_hash="f" * 40)
        session.receive(frame(change(e, ts=T0 + number)), 2)
        if session.settle():
            first = not asked
            asked.append(number)
            released = [BookChanged(MARKET)] if first else []
            assert session.apply_rest_book(rest_book(ts=T0 + number), 5) == (RestVerdict.AGREES, released)
            assert session.book_state(MARKET) is not None
    assert asked == [2, 5, 11]


def test_unreadable_elements_cost_no_others() -> None:
    good = {"asset_id": "1", "timestamp": "1", "bids": [], "asks": [], "min_order_size": "5", "tick_size": "0.01"}
    body = json.dumps([{**good, "neg_risk": False}, {**good, "neg_risk": False, "bids": None}, 7]).encode()
    books, unreadable = read_books(body)
    assert ([book.asset_id for book in books], unreadable) == (["1"], 2)


@pytest.mark.parametrize("body", [b"<html>429</html>", b"{}", b"", b"\xff"])
def test_a_page_that_is_no_answer_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(RestRefused, match="POST /books answered"):
        read_books(body)
    with pytest.raises(RestRefused, match="GET /clob-markets answered"):
        read_clob_market(body + b"]")


def test_the_request_names_tokens_as_objects() -> None:
    assert books_request(["1", "2"]) == [{"token_id": "1"}, {"token_id": "2"}]


def test_whole_books_are_quoted_without_their_hashes_once_rest_had_the_same_book() -> None:
    session = connected(KNOWN)
    session.receive(frame([book_event(hash="f" * 40, last_trade_price="0.430")]), 1)
    assert verified(session) is None
    assert session.apply_rest_book(rest_book(), 2)[0] is RestVerdict.AGREES
    session.receive(frame([book_event(S0_BIDS, levels("0.5 3"), ts=T0 + 1, hash="f" * 40)]), 3)
    session.settle()
    assert verified(session) == "top"


def test_a_rest_book_in_place_of_a_wrong_one_excuses_no_later_hash() -> None:
    session = connected(KNOWN)
    session.receive(frame([book_event(S0_BIDS, levels("0.5 3"), hash="f" * 40, last_trade_price="0.430")]), 1)
    assert session.apply_rest_book(rest_book(), 2)[0] is RestVerdict.REPLACED
    assert verified(session) == "rest"
    session.receive(frame([book_event(S0_BIDS, levels("0.5 3"), ts=T0 + 1, hash="f" * 40)]), 3)
    session.settle()
    assert verified(session) is None


def test_a_wide_book_that_rest_has_too_is_quoted_without_its_hash() -> None:
    bids, asks = levels("0.001 5, 0.002 7"), levels("0.98 4, 0.95 20")
    session = connected(KNOWN)
    session.receive(frame([book_event(bids, asks, hash="f" * 40, last_trade_price="0.430")]), 1)
    assert session.apply_rest_book(rest_book(bids, levels("0.99 1"), ts=T0 + 1), 2)[0] is RestVerdict.UNKNOWN
    assert verified(session) is None
    assert session.apply_rest_book(rest_book(bids, asks, ts=T0 + 1), 3)[0] is RestVerdict.AGREES
    assert verified(session) == "top"
