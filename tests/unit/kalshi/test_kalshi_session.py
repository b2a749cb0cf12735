"""The session builds books, announces them only when an operation has ended, and loses them when it must."""

import pytest

from shared.venues.kalshi.events import BookChanged, BookEnded, BooksLost, LinkUnusable
from shared.venues.kalshi.session import KalshiSession
from tests.unit.kalshi.frames import (
    SECOND_NS,
    A,
    B,
    C,
    actions,
    commands,
    delta,
    error,
    feed,
    levels,
    ok,
    snapshot,
    streaming,
    subscribed,
)

TWO_SIDED = {"yes": [("0.4500", "5.00"), ("0.4700", "3.00")], "no": [("0.5000", "8.00")]}


def test_it_subscribes_with_the_price_scale_said() -> None:
    session = KalshiSession([A, B])
    session.connected()
    assert commands(session) == [
        {
            "id": 1,
            "cmd": "subscribe",
            "params": {"channels": ["orderbook_delta"], "market_tickers": [A, B], "use_yes_price": False},
        }
    ]
    assert session.data_to_send() == []


def test_a_snapshot_becomes_yes_bids_and_yes_asks() -> None:
    session = streaming()
    assert feed(session, snapshot(1, **TWO_SIDED)) == [BookChanged(A)]
    assert levels(session) == ([("0.47", "3"), ("0.45", "5")], [("0.5", "8")])


def test_a_missing_side_is_an_empty_side() -> None:
    session = streaming()
    assert feed(session, snapshot(1, no=[("0.9000", "1.50")])) == [BookChanged(A)]
    assert levels(session) == ([], [("0.1", "1.5")])


def test_prices_on_the_yes_scale_give_the_same_book() -> None:
    """Recorded 2026-06-11: one NO bid at 0.48 came as 0.4800 without the flag and as 0.5200 with it."""
    plain, flagged = streaming(), streaming(use_yes_price=True)
    feed(plain, snapshot(1, no=[("0.4800", "2.00")]), delta(2, price="0.4800", change="-1.00", side="no"))
    feed(flagged, snapshot(1, no=[("0.5200", "2.00")]), delta(2, price="0.5200", change="-1.00", side="no"))
    plain.settle()
    flagged.settle()
    assert levels(plain) == levels(flagged) == ([], [("0.52", "1")])


def test_an_operation_is_announced_when_the_next_one_begins_and_reads_as_it_ended() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED))
    assert feed(session, delta(2, change="2.00", ts="t1"), delta(3, price="0.4800", ts="t1")) == []
    assert levels(session) is None  # inside the operation
    assert feed(session, delta(4, price="0.4900", ts="t2")) == [BookChanged(A)]
    assert levels(session) == ([("0.48", "1"), ("0.47", "5"), ("0.45", "5")], [("0.5", "8")])
    assert session.settle() == (BookChanged(A),)
    state = session.book_state(A)
    assert state is not None
    assert (state.book.best_bid_e4, state.sequence) == (4900, 4)


def test_silence_on_the_socket_ends_the_operation() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED), delta(2, change="2.00"), at_ns=77)
    assert session.settle() == (BookChanged(A),)
    state = session.book_state(A)
    assert state is not None
    assert (state.venue_ts_ms, state.received_ts_ns, state.sequence) == (1_795_284_000_500, 77, 2)
    assert session.settle() == ()


def test_a_reader_that_is_behind_ends_only_the_older_operations() -> None:
    session = streaming(A, B)
    feed(session, snapshot(1, A), snapshot(2, B))
    feed(session, delta(3, A), at_ns=10)
    feed(session, delta(4, B), at_ns=20)
    assert session.settle(heard_before_ns=15) == (BookChanged(A),)
    assert session.settle() == (BookChanged(B),)


def test_operations_of_two_markets_do_not_end_each_other() -> None:
    session = streaming(A, B)
    feed(session, snapshot(1, A, **TWO_SIDED), snapshot(2, B, **TWO_SIDED))
    crossing = delta(3, A, price="0.5200", ts="t1")
    other = delta(4, B, ts="t2")
    uncrossing = delta(5, A, price="0.5000", change="-8.00", side="no", ts="t1")
    assert feed(session, crossing, other, uncrossing) == []
    assert set(session.settle()) == {BookChanged(A), BookChanged(B)}


def test_a_book_crossed_inside_an_operation_is_never_announced() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED), delta(2, price="0.5200", ts="t1"))
    assert session.settle() == ()  # perhaps the socket cut the operation in two
    assert levels(session) is None
    feed(session, delta(3, price="0.5000", change="-8.00", side="no", ts="t1"))
    assert session.settle() == (BookChanged(A),)


def test_an_operation_that_ends_crossed_loses_the_book_and_asks_for_it() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED), delta(2, price="0.5200", ts="t1"))
    [lost] = feed(session, delta(3, ts="t2"))
    assert isinstance(lost, BooksLost)
    assert lost.market_ids == (A,)
    assert actions(session) == [("get_snapshot", [A])]
    assert session.counts.refused["crossed"] == 1


@pytest.mark.parametrize("price", ["0.5200", "0.5000"], ids=["crossed", "locked"])
def test_a_book_that_stays_crossed_is_lost_within_half_a_second(price: str) -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED), delta(2, price=price))
    session.settle()
    assert session.tick(1 * SECOND_NS) == ()
    [lost] = session.tick(3 * SECOND_NS // 2)
    assert isinstance(lost, BooksLost)
    assert actions(session) == [("get_snapshot", [A])]


def test_a_gap_loses_every_book_of_the_sid_at_once_and_asks_for_all() -> None:
    session = streaming(A, B, C)
    feed(session, snapshot(1, A), snapshot(2, B), snapshot(3, C))
    events = feed(session, delta(5, A))
    assert events == [BooksLost((A, B, C), "sid 1 went from seq 3 to 5")]
    assert session.counts.gaps == 1
    assert actions(session) == [("get_snapshot", [A, B, C])]


def test_after_a_gap_deltas_wait_for_the_snapshot_and_numbers_go_on() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED))
    feed(session, delta(3))
    assert levels(session) is None
    assert feed(session, delta(4)) == []
    assert session.counts.refused["no snapshot yet"] == 2
    assert feed(session, snapshot(5, yes=[("0.3000", "1.00")], command=2)) == [BookChanged(A)]
    feed(session, delta(6, price="0.3000", change="1.50"))
    session.settle()
    assert levels(session) == ([("0.3", "2.5")], [])
    assert session.counts.gaps == 1


def test_a_second_gap_during_recovery_asks_again() -> None:
    session = streaming(A, B)
    feed(session, snapshot(1, A), snapshot(2, B), delta(4, A))
    assert actions(session) == [("get_snapshot", [A, B])]
    feed(session, snapshot(5, A, command=2))
    [lost] = feed(session, delta(7, A))
    assert lost == BooksLost((A,), "sid 1 went from seq 5 to 7")
    assert actions(session) == [("get_snapshot", [A, B])]
    feed(session, snapshot(8, A, command=3), snapshot(9, B, command=3))
    assert session.live_markets == 2


def test_two_swapped_deltas_are_a_gap_and_nothing_worse() -> None:
    session = streaming()
    feed(session, snapshot(1))
    [lost] = feed(session, delta(3), delta(2))
    assert isinstance(lost, BooksLost)
    assert session.counts.refused["late"] == 1
    assert feed(session, snapshot(4, command=2)) == [BookChanged(A)]


def test_the_very_same_frame_twice_is_applied_once() -> None:
    session = streaming()
    feed(session, snapshot(1), delta(2, change="2.00"), delta(2, change="2.00"))
    session.settle()
    assert levels(session) == ([("0.47", "2")], [])
    assert session.counts.refused == {"duplicate": 1}


def test_a_repeated_number_with_other_content_is_a_gap() -> None:
    session = streaming()
    feed(session, snapshot(1), delta(2, change="2.00"))
    [lost] = feed(session, delta(2, change="3.00"))
    assert isinstance(lost, BooksLost)


def test_a_number_from_the_past_makes_the_link_unusable() -> None:
    session = streaming()
    feed(session, snapshot(1), delta(2), delta(3), delta(4))
    events = feed(session, delta(1))
    assert [type(event) for event in events] == [BooksLost, LinkUnusable]
    assert levels(session) is None


@pytest.mark.parametrize(
    ("control", "next_seq"),
    [
        (ok(9, [A], seq=2), 3),
        (ok(9, [A], seq=1), 2),
        (ok(9, [A], seq=2), 2),
        (error(11, sid=1, seq=2), 3),
        (ok(9, [A]), 2),
    ],
    ids=["ok consumes", "ok repeats", "ok prints without consuming", "error consumes", "ok without number"],
)
def test_control_frames_may_or_may_not_take_a_number(control: bytes, next_seq: int) -> None:
    session = streaming()
    feed(session, snapshot(1), control, delta(next_seq, change="2.00"), delta(next_seq + 1, change="3.00", ts="t2"))
    session.settle()
    assert levels(session) == ([("0.47", "5")], [])
    assert session.counts.gaps == 0


def test_the_number_of_a_control_frame_is_repeated_once_at_most() -> None:
    session = streaming()
    feed(session, snapshot(1), ok(9, [A], seq=2), delta(2, change="2.00"))
    [lost] = feed(session, delta(2, change="3.00"))
    assert isinstance(lost, BooksLost)


def test_a_control_frame_from_the_future_is_a_gap() -> None:
    session = streaming()
    feed(session, snapshot(1))
    assert feed(session, ok(9, [A], seq=4)) == [BooksLost((A,), "sid 1 went from seq 1 to 4")]


def test_a_level_below_zero_loses_that_book_alone() -> None:
    session = streaming(A, B)
    feed(session, snapshot(1, A, **TWO_SIDED), snapshot(2, B, **TWO_SIDED))
    [lost] = feed(session, delta(3, A, change="-100.00"))
    assert isinstance(lost, BooksLost)
    assert lost.market_ids == (A,)
    assert session.counts.refused["below zero"] == 1
    assert levels(session, B) is not None
    assert actions(session) == [("get_snapshot", [A])]


def test_a_level_below_zero_is_found_in_a_delta_that_was_kept_back() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED), delta(2, ts="t1"))
    assert feed(session, delta(3, change="-100.00", ts="t2")) == [BookChanged(A)]
    [lost] = session.settle()
    assert isinstance(lost, BooksLost)


@pytest.mark.parametrize("price", ["NaN", "1.0000", "0.0000", "0.47001", " 0.47", "-0.4", "1e-1", "٠.٤٧"])
def test_a_price_that_is_no_price_loses_the_book(price: str) -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED))
    [lost] = feed(session, delta(2, price=price))
    assert isinstance(lost, BooksLost)
    assert session.counts.refused["number"] == 1


def test_a_snapshot_with_a_bad_number_is_not_asked_for_in_a_storm() -> None:
    session = streaming()
    bad = [("0.4700", "1e9")]
    asked = 0
    for seq in range(1, 101):
        feed(session, snapshot(seq, yes=bad))
        asked += len(actions(session))
    assert 0 < asked <= 5
    assert levels(session) is None


def test_data_before_the_acknowledgement_is_kept_and_applied() -> None:
    session = KalshiSession([A])
    session.connected()
    assert feed(session, snapshot(1, **TWO_SIDED), delta(2, change="2.00")) == []
    assert feed(session, subscribed()) == [BookChanged(A)]
    session.settle()
    assert levels(session) == ([("0.47", "5"), ("0.45", "5")], [("0.5", "8")])
    assert session.counts.frames == {"orderbook_delta": 1, "orderbook_snapshot": 1, "subscribed": 1}


def test_too_much_data_before_the_acknowledgement_is_let_go_and_asked_for() -> None:
    session = KalshiSession([A])
    session.connected()
    session.data_to_send()
    feed(session, snapshot(1), *(delta(seq) for seq in range(2, 4_100)))
    assert session.counts.refused["too much before the acknowledgement"] == 4_097
    feed(session, subscribed())
    assert actions(session) == [("get_snapshot", [A])]
    assert session.counts.gaps == 1


def test_data_of_an_unknown_sid_or_ticker_is_counted_and_harmless() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED), delta(1, sid=7), delta(2, "KXOTHER"))
    assert session.counts.refused == {"unknown sid": 1, "unknown ticker": 1}
    assert levels(session) is not None


def test_an_unasked_empty_snapshot_ends_the_book() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED))
    assert feed(session, snapshot(2)) == [BookEnded(A)]
    assert levels(session) is None
    assert feed(session, snapshot(3)) == []  # the second one says nothing new
    assert session.counts.refused == {}


def test_an_empty_first_or_requested_snapshot_is_an_empty_book() -> None:
    session = streaming()
    assert feed(session, snapshot(1)) == [BookChanged(A)]
    assert levels(session) == ([], [])
    assert feed(session, snapshot(2, command=8)) == [BookChanged(A)]


def test_a_book_that_was_cleared_comes_back_with_its_next_level() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED), snapshot(2), delta(3))
    assert session.settle() == (BookChanged(A),)
    assert levels(session) == ([("0.47", "1")], [])


def test_deltas_without_any_time_are_announced_when_the_socket_is_silent() -> None:
    session = streaming()
    feed(session, snapshot(1), delta(2, ts=None, ts_ms=None), delta(3, ts=None, ts_ms=None))
    assert session.settle() == (BookChanged(A),)
    state = session.book_state(A)
    assert state is not None
    assert state.venue_ts_ms == 0


def test_a_new_connection_starts_over_with_sids_and_numbers() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED), delta(2))
    assert session.disconnected("connection reset") == (BooksLost((A,), "connection reset"),)
    assert levels(session) is None
    session.connected()
    assert actions(session) == [("subscribe", [A])]
    feed(session, subscribed(), snapshot(1, **TWO_SIDED), delta(2))
    session.settle()
    assert levels(session) is not None
    assert session.counts.gaps == 0


def test_other_channels_are_counted_and_their_numbers_are_their_own() -> None:
    session = streaming()
    trade = b'{"type":"trade","sid":2,"seq":%d,"msg":{"trade_id":"x"}}'
    feed(session, trade % 1, snapshot(1), trade % 2)
    assert session.counts.frames["trade"] == 2
    assert session.counts.gaps == 0
    feed(session, trade % 4)
    assert session.counts.gaps == 1
    assert levels(session) is not None


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"PONG",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type":' + b"[" * 100_000,
        b"null",
        b"{}",
        b'{"type":7}',
        b'{"type":"orderbook_delta"}',
        b'{"type":"orderbook_delta","sid":1,"seq":"2","msg":{}}',
    ],
)
def test_a_frame_nobody_can_read_costs_the_books_and_not_the_process(frame: bytes) -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED))
    [lost] = feed(session, frame)
    assert isinstance(lost, BooksLost)
    assert session.counts.refused.total() == 1
    assert actions(session) == [("get_snapshot", [A])]


def test_a_malformed_delta_keeps_its_number() -> None:
    session = streaming()
    feed(session, snapshot(1, **TWO_SIDED))
    feed(session, b'{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"KXDEMO-A","side":"maybe"}}')
    assert feed(session, snapshot(3, command=2)) == [BookChanged(A)]
    assert session.counts.gaps == 0
    assert session.counts.refused == {"malformed orderbook_delta": 1}


def test_endless_new_frame_types_do_not_fill_the_memory() -> None:
    session = streaming()
    for number in range(1_000):
        feed(session, b'{"type":"kind%d"}' % number)
    assert len(session.counts.frames) <= 52
    assert session.counts.frames_total == 1_001
