"""Whatever the venue, or a bad line, does to the messages: what the session says about a book is true.

A small venue of its own keeps the truth: operations with bursts, mirrored entries, tops and hashes, written with
``Decimal`` and ``json`` alone. Faults drop, repeat, delay and spoil its frames.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha1
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.market import MarketId
from shared.venues.polymarket.asset_book import AssetTerms
from shared.venues.polymarket.events import BookChanged
from shared.venues.polymarket.replay import replay
from shared.venues.polymarket.session import PolymarketSession

CONDITION = "0x" + "ab" * 32
YES, NO = "7" * 70, "8" * 70
MARKET = MarketId(CONDITION)
KNOWN = AssetTerms(market_id=MARKET, condition_id=CONDITION, min_order_size="5", tick_size="0.01", neg_risk=False)
Side = dict[Decimal, Decimal]


def plain(value: Decimal) -> str:
    return format(value.normalize(), "f")


@dataclass
class Venue:
    """YES bids and asks, and the frames that tell about them."""

    bids: Side = field(default_factory=lambda: {Decimal("0.40"): Decimal(50), Decimal("0.42"): Decimal(7)})
    asks: Side = field(default_factory=lambda: {Decimal("0.60"): Decimal(10), Decimal("0.44"): Decimal(20)})
    last_trade_price: str = "0.430"
    ts: int = 1_793_400_000_000
    history: dict[int, tuple[Side, Side]] = field(default_factory=dict)

    def book(self, **extra: Any) -> dict[str, Any]:
        self.history[self.ts] = (dict(self.bids), dict(self.asks))
        return {
            "market": CONDITION,
            "asset_id": YES,
            "timestamp": str(self.ts),
            "hash": self.hash(YES),
            **self.levels(YES),
            "event_type": "book",
            **extra,
        }

    def levels(self, token: str) -> dict[str, Any]:
        bids, asks = (self.bids, self.asks) if token == YES else (mirrored(self.asks), mirrored(self.bids))
        return {
            "bids": [{"price": plain(p), "size": plain(bids[p])} for p in sorted(bids)],
            "asks": [{"price": plain(p), "size": plain(asks[p])} for p in sorted(asks, reverse=True)],
        }

    def hash(self, token: str) -> str:
        body = {
            "market": CONDITION,
            "asset_id": token,
            "timestamp": str(self.ts),
            "hash": "",
            **self.levels(token),
            "min_order_size": "5",
            "tick_size": "0.01",
            "neg_risk": False,
            "last_trade_price": self.last_trade_price,
        }
        return sha1(json.dumps(body, separators=(",", ":")).encode()).hexdigest()

    def set(self, is_bid: bool, price: Decimal, size: Decimal) -> list[dict[str, Any]]:
        """A maker's order: one message; an order that would cross trades instead."""
        if is_bid and self.asks and price >= min(self.asks):
            return self.take(price, size)
        if not is_bid and self.bids and price <= max(self.bids):
            return []
        self.ts += 1
        put(self.bids if is_bid else self.asks, price, size)
        return [self.change(is_bid, price, size)]

    def take(self, limit: Decimal, size: Decimal) -> list[dict[str, Any]]:
        """A taker buys up to ``limit``: the rest rests first, then the consumed levels go, then a book comes."""
        self.ts += 1
        steps: list[tuple[bool, Decimal, Decimal]] = []
        for price in sorted(self.asks):
            if price > limit or not size:
                break
            taken = min(size, self.asks[price])
            size -= taken
            put(self.asks, price, self.asks[price] - taken)
            steps.append((False, price, self.asks.get(price, Decimal(0))))
            self.last_trade_price = f"{price:.3f}"
        if size:
            put(self.bids, limit, size)
            steps.insert(0, (True, limit, size))
        return [*(self.change(*step) for step in steps), self.book()]

    def change(self, is_bid: bool, price: Decimal, size: Decimal) -> dict[str, Any]:
        self.history[self.ts] = (dict(self.bids), dict(self.asks))
        bid = plain(max(self.bids)) if self.bids else "0"
        ask = plain(min(self.asks)) if self.asks else "1"
        sides = ("BUY", "SELL") if is_bid else ("SELL", "BUY")
        entries = [
            {"asset_id": YES, "price": plain(price), "side": sides[0], "best_bid": bid, "best_ask": ask},
            {"asset_id": NO, "price": plain(1 - price), "side": sides[1], "best_bid": "0", "best_ask": "1"},
        ]
        for entry in entries:
            entry |= {"size": plain(size), "hash": self.hash(entry["asset_id"])}
        return {
            "market": CONDITION,
            "price_changes": entries,
            "timestamp": str(self.ts),
            "event_type": "price_change",
        }


def mirrored(side: Side) -> Side:
    return {1 - price: size for price, size in side.items()}


def put(side: Side, price: Decimal, size: Decimal) -> None:
    if size:
        side[price] = size
    else:
        side.pop(price, None)


orders = st.tuples(
    st.booleans(),
    st.integers(35, 65).map(lambda cents: Decimal(cents) / 100),
    st.sampled_from([Decimal(0), Decimal(5), Decimal("12.5"), Decimal(40)]),
)
fates = st.sampled_from(["sent"] * 12 + ["dropped", "repeated", "late", "spoilt"])


def frames_of(venue: Venue, told: list[tuple[bool, Decimal, Decimal]]) -> Iterator[dict[str, Any]]:
    yield venue.book(tick_size="0.01", last_trade_price=venue.last_trade_price)
    for is_bid, price, size in told:
        yield from venue.set(is_bid, price, size)


def in_decimals(session: PolymarketSession) -> tuple[Side, Side] | None:
    state = session.book_state(MARKET)
    if state is None:
        return None
    return (
        {Decimal(p) / 10_000: Decimal(s) / 1_000_000 for p, s in state.book.bids()},
        {Decimal(p) / 10_000: Decimal(s) / 1_000_000 for p, s in state.book.asks()},
    )


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["the venue's text", "spaces"])
@given(told=st.lists(orders, max_size=40))
def test_without_faults_every_announced_top_is_true_every_book_is_proved_and_nothing_is_asked_again(
    separators: tuple[str, str], told: list[tuple[bool, Decimal, Decimal]]
) -> None:
    venue = Venue()
    session = PolymarketSession({YES: KNOWN})
    session.connected()
    for message in frames_of(venue, told):
        events = session.receive(json.dumps(message, separators=separators).encode(), 1)
        session.settle()
        book = in_decimals(session)
        if BookChanged(MARKET) in events:
            bids, asks = venue.history[int(message["timestamp"])]
            if book is None:  # inside a burst with the right top: the hash says that more is to come
                continue
            assert (max(book[0], default=None), min(book[1], default=None)) == (
                max(bids, default=None),
                min(asks, default=None),
            )
    assert in_decimals(session) == (venue.bids, venue.asks)
    state = session.book_state(MARKET)
    assert state is not None
    assert state.verified == "hash"
    assert (session.hash_mismatches, session.resyncs, session.refused.total()) == (0, 0, 0)


@settings(max_examples=200)
@given(st.lists(orders, max_size=40), st.data())
def test_under_faults_no_crossed_book_can_be_read_and_what_is_called_proved_is_the_truth(
    told: list[tuple[bool, Decimal, Decimal]], data: st.DataObject
) -> None:
    venue = Venue()
    session = PolymarketSession({YES: KNOWN})
    session.connected()
    late: list[bytes] = []
    now_s = 0.0
    separators = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    for message in frames_of(venue, told):
        frame = json.dumps(message, separators=separators).encode()
        fate = data.draw(fates)
        now_s += data.draw(st.sampled_from([0.0, 0.01, 0.3]))
        arriving = {
            "sent": [frame],
            "dropped": [],
            "repeated": [frame, frame],
            "late": [],
            "spoilt": [frame[: len(frame) // 2]],
        }[fate]
        for one in [*arriving, *late]:
            session.receive(one, 1)
            session.settle()
            session.due(now_s)
            assert_believable(session, venue)
        late = [frame] if fate == "late" else []


def assert_believable(session: PolymarketSession, venue: Venue) -> None:
    state, book = session.book_state(MARKET), in_decimals(session)
    if state is None or book is None:
        return
    assert not state.book.is_crossed
    assert not state.book.is_locked
    if state.verified == "hash":
        assert book == venue.history[state.venue_ts_ms]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from(["book", "price_change", "last_trade_price", "tick_size_change", "market_resolved", "x"])
keys = st.sampled_from(
    ["event_type", "market", "asset_id", "timestamp", "bids", "asks", "price_changes", "price", "size", "side"]
)
odd_entries = st.dictionaries(keys, st.one_of(junk, st.just(YES), st.just("0.5"), st.just("BUY")), max_size=8)
odd_events = st.builds(
    lambda name, fields, entries: {**fields, "event_type": name, "asset_id": YES, "price_changes": entries},
    names,
    st.dictionaries(keys, junk, max_size=6),
    st.lists(odd_entries, max_size=3),
)


@given(st.lists(st.one_of(st.binary(max_size=60), st.text(max_size=60), odd_events, st.lists(odd_events))))
def test_nothing_that_arrives_makes_the_session_raise(arriving: list[Any]) -> None:
    session = PolymarketSession({YES: KNOWN})
    session.connected()
    session.receive(json.dumps([Venue().book()]), 1)
    for one in arriving:
        session.receive(one if isinstance(one, bytes | str) else json.dumps(one), 2)
        session.settle()
        session.due(1.0)
        state = session.book_state(MARKET)
        assert state is None or not state.book.is_crossed


@given(st.lists(st.one_of(st.binary(max_size=60), odd_events.map(lambda event: json.dumps(event).encode()))))
def test_nothing_in_a_file_makes_the_replay_raise(lines: list[bytes]) -> None:
    result = replay([json.dumps(Venue().book()).encode(), *lines])
    assert YES in result.books
