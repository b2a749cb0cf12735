"""The market WebSocket conversation, driven with frames alone."""

import json
from typing import Any

import pytest

from shared.domain.market import MarketId
from shared.venues.polymarket.asset_book import AssetTerms, Phase
from shared.venues.polymarket.events import BookChanged, BookEnded, BooksLost, ResyncWanted, TickSizeChanged
from shared.venues.polymarket.session import PolymarketSession
from tests.unit.polymarket.wire import (
    CONDITION,
    KNOWN,
    MARKET,
    NO,
    S0_ASKS,
    S0_BIDS,
    T0,
    UNKNOWN,
    YES,
    book_event,
    change,
    connected,
    entry,
    frame,
    levels,
    s_hash,
    started,
)

CHANGED = BookChanged(MARKET)


def top(session: PolymarketSession) -> tuple[int, int] | None:
    state = session.book_state(MARKET)
    return None if state is None else (state.book.best_bid_e4, state.book.best_ask_e4)


def verified(session: PolymarketSession) -> str | None:
    state = session.book_state(MARKET)
    return None if state is None else state.verified


# Subscribing


def test_the_first_message_subscribes_with_the_doubly_plural_field() -> None:
    session = PolymarketSession({YES: UNKNOWN})
    assert session.data_to_send() == []
    session.connected()
    [text] = session.data_to_send()
    assert json.loads(text) == {"type": "market", "assets_ids": [YES], "custom_feature_enabled": True}
    assert session.data_to_send() == []


def test_later_wishes_are_operations_and_only_for_what_differs() -> None:
    session = connected()
    other = AssetTerms(market_id=MarketId("other"))
    assert session.want({YES: UNKNOWN, "555": other}) == []
    [text] = session.data_to_send()
    assert json.loads(text) == {"operation": "subscribe", "assets_ids": ["555"], "custom_feature_enabled": True}
    assert session.want({"555": other}) == [BooksLost((MARKET,), "no longer wanted")]
    [text] = session.data_to_send()
    assert json.loads(text) == {"operation": "unsubscribe", "assets_ids": [YES]}


def test_a_session_that_starts_empty_subscribes_properly_when_it_first_wants_something() -> None:
    session = PolymarketSession({})
    session.connected()
    assert session.data_to_send() == []
    session.want({YES: UNKNOWN})
    [text] = session.data_to_send()
    assert json.loads(text)["type"] == "market"


def test_a_missing_first_book_is_lost_and_asked_for_after_ten_seconds() -> None:
    session = connected()
    assert session.due(100.0) == []
    assert session.due(109.9) == []
    reason = "no book within 10 s"
    assert session.due(110.0) == [BooksLost((MARKET,), reason), ResyncWanted((MARKET,), reason)]
    session.due(111.0)
    assert session.due(121.0) == [ResyncWanted((MARKET,), reason)]  # said once, asked again and again
    session.receive(frame([book_event()]), 1)
    assert session.due(200.0) == []


def test_an_empty_array_is_no_book_and_has_rest_asked_at_once() -> None:
    session = connected()
    assert session.receive(b"[]", 1) == [ResyncWanted((MARKET,), "the venue answered without books")]
    assert session.receive(b"[]", 2) == []
    assert session.frames == {"[]": 2}
    assert session.book_state(MARKET) is None
    session.receive(frame([book_event()]), 3)
    session.connected()
    session.receive(frame([book_event()]), 4)
    assert session.receive(b"[]", 5) == []  # nothing is awaited


# Books and changes


def test_the_best_price_is_found_by_value_wherever_it_stands() -> None:
    session = connected()
    shuffled = book_event(levels("0.42 7, 0.4 50, 0.41 1"), levels("0.44 10, 0.6 10, 0.46 3"))
    assert session.receive(frame([shuffled]), 7) == [CHANGED]
    assert top(session) == (4200, 4400)
    state = session.book_state(MARKET)
    assert state is not None
    assert (state.venue_ts_ms, state.received_ts_ns) == (T0, 7)


def test_sizes_are_absolute_and_zero_removes_a_level() -> None:
    session = started()
    session.receive(frame(change(entry("BUY", "0.41", "3", bid="0.42", ask="0.44"), ts=T0 + 1)), 2)
    events = session.receive(frame(change(entry("BUY", "0.42", "0", bid="0.41", ask="0.44"), ts=T0 + 2)), 3)
    assert events == [CHANGED]
    state = session.book_state(MARKET)
    assert state is not None
    assert state.book.bids() == ((4100, 3_000_000), (4000, 50_000_000))


def test_entries_of_the_sibling_token_are_left_out() -> None:
    session = started()
    both = change(
        entry("SELL", "0.57", "12", bid="0.56", ask="0.57", asset_id=NO),
        entry("BUY", "0.43", "12", bid="0.43", ask="0.44"),
        ts=T0 + 1,
    )
    assert session.receive(frame(both), 2) == [CHANGED]
    assert top(session) == (4300, 4400)


@pytest.mark.parametrize("nothing", [None, "", "0"])
@pytest.mark.parametrize("no_ask", [None, "", "0", "1"])
def test_an_empty_side_may_be_told_in_many_ways(nothing: str | None, no_ask: str | None) -> None:
    session = connected()
    session.receive(frame([book_event(levels("0.4 5"), levels("0.6 5"))]), 1)
    session.receive(frame(change(entry("BUY", "0.4", "0", bid=nothing, ask="0.6"), ts=T0 + 1)), 2)
    assert top(session) == (0, 6000)
    events = session.receive(frame(change(entry("SELL", "0.6", "0", bid=nothing, ask=no_ask), ts=T0 + 2)), 3)
    assert events == [CHANGED]
    assert top(session) == (0, 10_000)


def test_a_change_before_the_first_book_is_counted_and_left_out() -> None:
    session = connected()
    assert session.receive(frame(change(entry("BUY", "0.42", "7", bid="0.42", ask=None), ts=T0)), 1) == []
    assert session.refused == {"change before the first book": 1}


def test_older_changes_and_older_books_are_dropped_and_equal_timestamps_are_not() -> None:
    session = started()
    session.receive(frame(change(entry("BUY", "0.43", "1", bid="0.43", ask="0.44"), ts=T0 + 5)), 2)
    session.receive(frame(change(entry("BUY", "0.43", "9", bid="0.43", ask="0.44"), ts=T0 + 4)), 3)
    session.receive(frame(book_event(ts=T0 + 4)), 3)
    assert session.refused == {"older than what is already applied": 2}
    assert session.receive(frame(change(entry("BUY", "0.43", "2", bid="0.43", ask="0.44"), ts=T0 + 5)), 4) == [CHANGED]
    state = session.book_state(MARKET)
    assert state is not None
    assert state.book.bids(1) == ((4300, 2_000_000),)


def test_a_book_in_mid_stream_replaces_everything() -> None:
    session = started()
    assert session.receive(frame(book_event(levels("0.1 1"), [], ts=T0 + 1)), 2) == [CHANGED]
    assert top(session) == (1000, 10_000)


# Bursts


def burst(step: int) -> dict[str, Any]:
    """A taker buys 40 at 0.45: 10 at 0.44 and 20 at 0.45 are consumed, 10 rest at 0.45."""
    side, price, size = [("BUY", "0.45", "10"), ("SELL", "0.44", "0"), ("SELL", "0.45", "0")][step]
    return change(entry(side, price, size, bid="0.45", ask="0.46"), ts=T0 + 1)


def test_nothing_is_announced_inside_a_burst_and_the_book_cannot_be_read() -> None:
    session = started()
    assert session.receive(frame(burst(0)), 2) == []
    assert session.book_state(MARKET) is None  # crossed: 0.45 / 0.44
    assert session.receive(frame(burst(1)), 3) == []
    assert session.book_state(MARKET) is None  # locked: 0.45 / 0.45
    assert session.receive(frame(burst(2)), 4) == [CHANGED]
    assert top(session) == (4500, 4600)
    assert session.resyncs == 0


def test_a_burst_that_never_ends_is_lost_after_a_quarter_of_a_second() -> None:
    session = started()
    session.receive(frame(burst(0)), 2)
    assert session.due(50.0) == []
    assert session.due(50.2) == []
    lost = [BooksLost((MARKET,), "burst did not end"), ResyncWanted((MARKET,), "burst did not end")]
    assert session.due(50.25) == lost
    assert session.due(51.0) == []
    assert session.receive(frame(burst(1)), 3) == []
    assert session.receive(frame(burst(2)), 3) == []  # the top fits again, but a message may be missing below it
    assert session.book_state(MARKET) is None


def test_a_dropped_change_is_noticed_when_the_next_operation_begins() -> None:
    session = started()
    # dropped: BUY 0.43 -> 12
    session.receive(frame(change(entry("BUY", "0.41", "1", bid="0.43", ask="0.44"), ts=T0 + 2)), 2)
    events = session.receive(frame(change(entry("BUY", "0.41", "2", bid="0.43", ask="0.44"), ts=T0 + 3)), 3)
    assert events == [BooksLost((MARKET,), "burst did not end"), ResyncWanted((MARKET,), "burst did not end")]


def test_a_crossed_first_book_is_never_announced() -> None:
    session = connected()
    assert session.receive(frame([book_event(levels("0.5 1"), levels("0.4 1"))]), 1) == []
    assert session.receive(frame(change(entry("BUY", "0.1", "1", bid="0.5", ask="0.4"), ts=T0 + 1)), 1)[0] == BooksLost(
        (MARKET,), "burst did not end"
    )


# Hashes


def test_a_matching_hash_proves_the_book_and_says_so() -> None:
    session = started(KNOWN)
    assert verified(session) == "hash"
    sent = s_hash(
        levels("0.4 50, 0.41 120.5, 0.42 7, 0.43 12"), levels("0.6 10, 0.46 33.33, 0.45 20, 0.44 10"), ts=T0 + 1
    )
    session.receive(frame(change(entry("BUY", "0.43", "12", bid="0.43", ask="0.44", sent_hash=sent), ts=T0 + 1)), 2)
    assert verified(session) == "top"
    assert session.settle() == []
    assert verified(session) == "hash"
    assert (session.hash_matches, session.hash_mismatches) == (2, 0)


def test_without_the_hidden_terms_the_top_is_all_that_is_verified() -> None:
    session = started(UNKNOWN)
    session.settle()
    assert verified(session) == "top"
    assert (session.hash_matches, session.hash_mismatches) == (0, 0)


def test_the_worked_sequence_with_a_burst_and_a_tick_change_proves_every_step() -> None:
    """Hashes and tops of S1 to S5 as two official clients compute them."""
    session = started(KNOWN)
    steps = [
        (1793400001123, "BUY", "0.43", "12", "0.43", "0.44", "cdfa9f3a48054d7155b3c8f3dc72a06b58dec3c8"),
        (1793400002123, "SELL", "0.46", "20.5", "0.43", "0.44", "6673d7c9b3c485ffcd566dd4b0ac61231ac701aa"),
        (1793400003123, "BUY", "0.41", "0", "0.43", "0.44", "3b24db0980163e35e71e54face7f573f3323d862"),
        (1793400004123, "BUY", "0.45", "10", "0.45", "0.46", "88cb0f7cdea5fbfc4edc68769eb93d6c769604f1"),
        (1793400004123, "SELL", "0.44", "0", "0.45", "0.46", "88cb0f7cdea5fbfc4edc68769eb93d6c769604f1"),
        (1793400004123, "SELL", "0.45", "0", "0.45", "0.46", "88cb0f7cdea5fbfc4edc68769eb93d6c769604f1"),
    ]
    for ts, side, price, size, bid, ask, sent in steps:
        session.receive(frame(change(entry(side, price, size, bid=bid, ask=ask, sent_hash=sent), ts=ts)), 2)
        session.settle()
    assert verified(session) == "hash"  # the trade price, 0.450, was found among the consumed levels
    tick = {"event_type": "tick_size_change", "asset_id": YES, "old_tick_size": "0.01", "new_tick_size": "0.001"}
    assert session.receive(frame(tick), 3) == [
        TickSizeChanged(MARKET, "0.001"),
        ResyncWanted((MARKET,), "tick size changed"),
    ]
    last = entry("BUY", "0.451", "5", bid="0.451", ask="0.46", sent_hash="dc8bd6fbffe6a41c4497692fdc5d9e1522639fea")
    session.receive(frame(change(last, ts=1793400005123)), 4)
    session.settle()
    assert verified(session) == "hash"
    assert (session.hash_matches, session.hash_early, session.hash_mismatches) == (6, 1, 0)


def wrong_hash(number: int) -> bytes:
    e = entry("BUY", "0.41", str(100 + number), bid="0.42", ask="0.44", sent_hash="f" * 40)
    return frame(change(e, ts=T0 + number))


def test_hashes_that_stop_matching_ask_for_the_rest_book_and_hold_the_quote_back_for_a_second() -> None:
    session = started(KNOWN)
    seen = []
    for number in range(1, 5):
        session.receive(wrong_hash(number), 2)
        seen += session.settle()
    assert seen == [
        ResyncWanted((MARKET,), "a hash did not match"),
        ResyncWanted((MARKET,), "3 hashes in a row did not match"),
    ]
    assert session.hash_mismatches == 3  # the fourth may still turn out to be early
    assert session.book_state(MARKET) is None
    assert session.due(10.0) == []
    assert session.due(11.0)[0] == CHANGED
    assert verified(session) == "top"


def test_a_quiet_book_counts_its_miss_by_time() -> None:
    session = started(KNOWN)
    session.receive(wrong_hash(1), 2)
    session.settle()
    session.due(10.0)
    session.due(10.25)
    assert session.hash_mismatches == 1


def test_a_matching_hash_heals_a_lost_book() -> None:
    session = started(KNOWN)
    session.give_up([MARKET], "a test says so")
    assert session.book_state(MARKET) is None
    sent = s_hash(levels("0.4 50, 0.41 120.5, 0.42 8"), levels("0.6 10, 0.46 33.33, 0.45 20, 0.44 10"), ts=T0 + 1)
    session.receive(frame(change(entry("BUY", "0.42", "8", bid="0.42", ask="0.44", sent_hash=sent), ts=T0 + 1)), 2)
    assert session.settle() == [CHANGED]
    assert verified(session) == "hash"


def test_the_price_of_a_later_trade_explains_a_hash_that_did_not_match_yet() -> None:
    session = started(KNOWN)
    sent = s_hash(
        levels("0.4 50, 0.41 120.5, 0.42 9"),
        levels("0.6 10, 0.46 33.33, 0.45 20, 0.44 10"),
        ts=T0 + 1,
        last_trade_price="0.391",
    )
    session.receive(frame(change(entry("BUY", "0.42", "9", bid="0.42", ask="0.44", sent_hash=sent), ts=T0 + 1)), 2)
    session.settle()
    assert session.book_state(MARKET) is None
    trade = {"event_type": "last_trade_price", "asset_id": NO, "market": CONDITION, "price": "0.609", "size": "1"}
    session.receive(frame(trade), 3)
    assert session.settle() == [CHANGED]
    assert verified(session) == "hash"


def test_an_interim_book_with_the_right_top_is_not_quoted() -> None:
    session = started(KNOWN)
    sent = s_hash(levels("0.4 50, 0.41 100, 0.42 5"), S0_ASKS, ts=T0 + 1)
    first = entry("BUY", "0.42", "5", bid="0.42", ask="0.44", sent_hash=sent)
    session.receive(frame(change(first, ts=T0 + 1)), 2)
    session.settle()
    assert session.book_state(MARKET) is None
    second = entry("BUY", "0.41", "100", bid="0.42", ask="0.44", sent_hash=sent)
    session.receive(frame(change(second, ts=T0 + 1)), 2)
    assert CHANGED in session.settle()
    assert verified(session) == "hash"


def test_an_interim_book_right_behind_the_first_is_not_quoted_either() -> None:
    session = connected(KNOWN)
    first = book_event(hash=s_hash(S0_BIDS, S0_ASKS, ts=T0), tick_size="0.01", last_trade_price="0.430")
    sent = s_hash(levels("0.4 50, 0.41 100, 0.42 5"), S0_ASKS, ts=T0 + 1)
    session.receive(frame([first]), 1)
    interim = entry("BUY", "0.42", "5", bid="0.42", ask="0.44", sent_hash=sent)
    session.receive(frame(change(interim, ts=T0 + 1)), 1)
    session.settle()
    assert session.book_state(MARKET) is None


def test_the_first_book_of_a_connection_without_its_hash_is_not_quoted_before_rest_is_asked() -> None:
    session = connected(KNOWN)
    swapped = book_event(hash=s_hash(S0_ASKS, S0_BIDS, ts=T0), tick_size="0.01", last_trade_price="0.430")
    asked = ResyncWanted((MARKET,), "the first book does not have its hash")
    assert session.receive(frame([swapped]), 1) == [asked]
    assert session.book_state(MARKET) is None


def swapped_book(ts: int) -> bytes:
    """A book of the other token under this one's id, and with the other one's hash."""
    other = s_hash(levels("0.1 5"), levels("0.2 5"), ts=ts)
    return frame([book_event(S0_BIDS, levels("0.5 3"), ts=ts, hash=other, last_trade_price="0.430")])


def test_a_second_whole_book_without_its_hash_is_no_better_than_the_first() -> None:
    session = connected(KNOWN)
    session.receive(swapped_book(T0), 1)
    session.receive(swapped_book(T0 + 1), 2)
    session.settle()
    assert session.book_state(MARKET) is None


def test_a_whole_book_without_its_hash_is_not_quoted_after_hashes_that_did_not_match_either() -> None:
    session = started(KNOWN)
    for number in (1, 2):
        session.receive(wrong_hash(number), 2)
        session.settle()
    session.receive(swapped_book(T0 + 3), 3)
    session.settle()
    assert session.book_state(MARKET) is None


def test_time_alone_makes_no_whole_book_true_and_rest_is_asked_each_second() -> None:
    session = connected(KNOWN)
    session.receive(swapped_book(T0), 1)
    asked = ResyncWanted((MARKET,), "a whole book does not have its hash")
    assert asked not in session.due(10.0)
    for now_s in (11.0, 12.1, 13.2):
        assert asked in session.due(now_s)
        session.due(now_s + 0.05)
        assert session.book_state(MARKET) is None


def test_a_whole_book_that_has_its_hash_is_quoted_once_nothing_more_waits() -> None:
    session = started(KNOWN)
    book = book_event(S0_BIDS, levels("0.5 3"), ts=T0 + 1, hash=s_hash(S0_BIDS, levels("0.5 3"), ts=T0 + 1))
    assert session.receive(frame([book]), 2) == []
    assert session.settle() == [CHANGED]
    assert verified(session) == "hash"


# Losing and ending


def test_a_lost_connection_loses_every_book_and_a_new_one_starts_afresh() -> None:
    session = started()
    assert session.disconnected("gone") == [BooksLost((MARKET,), "gone")]
    assert session.disconnected("gone") == []
    session.connected()
    assert len(session.data_to_send()) == 1
    older = book_event(ts=T0 - 1000)
    assert session.receive(frame([older]), 9) == [CHANGED]


def test_a_resolved_market_ends_and_is_not_subscribed_again() -> None:
    session = started()
    resolved = {
        "event_type": "market_resolved",
        "id": 900001,
        "market": CONDITION,
        "assets_ids": [YES, NO],
        "winning_asset_id": YES,
    }
    assert session.receive(frame(resolved), 2) == [BookEnded(MARKET)]
    assert session.receive(frame(book_event(ts=T0 + 9)), 3) == []
    session.connected()
    assert session.data_to_send() == []
    assert session.market_ids(Phase.ENDED) == [MARKET]


def test_a_token_that_turns_up_in_another_market_is_not_quoted() -> None:
    session = connected()
    events = session.receive(frame([book_event(market="0x" + "cd" * 32)]), 1)
    assert events[0] == BooksLost((MARKET,), "token belongs to another market")
    assert session.book_state(MARKET) is None


# What the venue should not send


@pytest.mark.parametrize("size", ["", "NaN", "-1", "1e5", "١", "0x1", "1,000", "1.0000001"])
def test_a_size_that_the_gate_refuses_loses_the_book(size: str) -> None:
    session = started()
    events = session.receive(frame(change(entry("BUY", "0.42", size, bid="0.42", ask="0.44"), ts=T0 + 1)), 2)
    reason = "number refused"
    assert events == [BooksLost((MARKET,), reason), ResyncWanted((MARKET,), reason)]
    assert session.refused == {reason: 1}


def test_a_refused_number_of_the_sibling_harms_nobody() -> None:
    session = started()
    mixed = change(
        entry("SELL", "0.57", "", bid="", ask="", asset_id=NO),
        entry("BUY", "0.42", "8", bid="0.42", ask="0.44"),
        ts=T0 + 1,
    )
    assert session.receive(frame(mixed), 2) == [CHANGED]


def test_an_entry_with_a_missing_field_loses_its_own_book_only() -> None:
    session = started()
    broken = entry("BUY", "0.42", "8", bid="0.42", ask="0.44")
    del broken["size"]
    assert session.receive(frame(change(broken, ts=T0 + 1)), 2)[0] == BooksLost((MARKET,), "number refused")


def test_numbers_where_text_belongs_and_lower_case_sides_are_read_exactly() -> None:
    session = started()
    odd = change(
        {**entry("buy", "", "", bid=None, ask=None), "price": 0.43, "size": 12, "best_bid": 0.43, "best_ask": 0.44},
        ts=T0 + 1,
    )
    odd["timestamp"] = T0 + 1
    assert session.receive(frame(odd), 2) == [CHANGED]
    assert top(session) == (4300, 4400)


def test_an_unknown_side_loses_the_book() -> None:
    session = started()
    odd = change(entry("HOLD", "0.42", "8", bid="0.42", ask="0.44"), ts=T0 + 1)
    assert session.receive(frame(odd), 2)[0] == BooksLost((MARKET,), "side is neither BUY nor SELL")


@pytest.mark.parametrize("timestamp", ["", "yesterday", "-1", "12345678901234567890", str(T0 * 1000), None])
def test_a_timestamp_that_is_none_loses_the_book(timestamp: str | None) -> None:
    session = started()
    odd = {**change(entry("BUY", "0.42", "8", bid="0.42", ask="0.44"), ts=0), "timestamp": timestamp}
    assert session.receive(frame(odd), 2)[0] == BooksLost((MARKET,), "timestamp refused")


def test_unknown_kinds_of_events_are_counted_and_harmless_even_inside_an_array() -> None:
    session = started()
    known = change(entry("BUY", "0.42", "8", bid="0.42", ask="0.44"), ts=T0 + 1)
    assert session.receive(frame([{"event_type": "comet"}, known]), 2) == [CHANGED]
    assert session.refused == {"unknown event type": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"7",
        b'"text"',
        b"[1]",
        b"[" * 5000,
        '{"a":"\ud800"}',
        b"<html>",
    ],
)
def test_an_unreadable_frame_has_every_book_compared_and_loses_none(data: bytes | str) -> None:
    session = started()
    events = session.receive(data, 2)
    assert [type(event) for event in events] == [ResyncWanted]
    assert session.refused.total() == 1
    assert session.book_state(MARKET) is not None


@pytest.mark.parametrize("pong", ["PONG", b"PONG"])
def test_a_pong_is_counted_and_never_parsed(pong: bytes | str) -> None:
    session = connected()
    assert session.receive(pong, 1) == []
    assert session.frames == {"PONG": 1}


@pytest.mark.parametrize(("price", "bid"), [("0.44", "0.44"), ("0.45", "0.45")])
def test_a_top_that_is_crossed_or_locked_is_not_quoted_even_when_the_venue_tells_it_so(price: str, bid: str) -> None:
    session = started()
    assert session.receive(frame(change(entry("BUY", price, "1", bid=bid, ask="0.44"), ts=T0 + 1)), 2) == []
    assert session.book_state(MARKET) is None


def test_a_tokens_book_can_be_asked_for_by_its_market() -> None:
    session = started()
    assert session.token_of(MARKET) == YES
    assert session.token_of(MarketId("other")) is None
    assert session.market_ids() == session.market_ids(Phase.LIVE) == [MARKET]
    assert session.book_state(MarketId("other")) is None
    assert session.newest_times is None
    session.receive(frame(change(entry("BUY", "0.41", "1", bid="0.42", ask="0.44"), ts=T0 + 1)), 77)
    assert session.newest_times == (T0 + 1, 77)


def test_a_hash_that_waits_for_a_book_that_nobody_wants_any_more_says_nothing() -> None:
    session = started(KNOWN)
    session.give_up([MARKET], "a test says so")
    sent_hash = s_hash(levels("0.4 50, 0.41 120.5, 0.42 8"), S0_ASKS, ts=T0 + 1)
    told = entry("BUY", "0.42", "8", bid="0.42", ask="0.44", sent_hash=sent_hash)
    session.receive(frame(change(told, ts=T0 + 1)), 2)
    session.want({})
    assert list(session.settle()) == []
