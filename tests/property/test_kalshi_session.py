"""Laws of the Kalshi session: nothing escapes from any bytes, and no book is quoted that the exchange did not have."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.domain.market import MarketId
from shared.domain.numbers import ONE_DOLLAR_E4, price_text, size_text
from shared.venues.kalshi.events import BookChanged, Event, LinkUnusable
from shared.venues.kalshi.replay import replay
from shared.venues.kalshi.session import KalshiSession
from tests.unit.kalshi.frames import SECOND_NS, A, B, C, delta, snapshot, streaming, subscribed

TICKERS = (A, B, C)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([A, "0.4700", "1.00", "yes"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KINDS = ("orderbook_delta", "orderbook_snapshot", "subscribed", "ok", "unsubscribed", "error", "ticker", "kind")
odd_frames = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        "id": json_values,
        "sid": st.integers(0, 3) | json_values,
        "seq": st.integers(-1, 6) | json_values,
        "msg": json_values
        | st.fixed_dictionaries(
            {"market_ticker": st.sampled_from(TICKERS)},
            optional={
                "price_dollars": st.sampled_from(["0.4700", "0.5300", "1.0000", "NaN"]) | json_values,
                "delta_fp": st.sampled_from(["1.00", "-1.00", "1e9"]) | json_values,
                "side": st.sampled_from(["yes", "no"]) | json_values,
                "yes_dollars_fp": json_values,
                "code": st.integers(1, 28),
                "sid": st.integers(0, 3),
                "channel": st.sampled_from(["orderbook_delta", "trade"]),
                "market_tickers": st.lists(st.sampled_from(TICKERS)),
            },
        ),
    },
).map(lambda frame: json.dumps(frame).encode())


@given(st.lists(odd_frames | st.binary(max_size=40), max_size=30), st.booleans())
def test_no_bytes_make_the_session_raise(frames: Sequence[bytes], adopt: bool) -> None:
    session = KalshiSession(TICKERS, adopt=adopt)
    session.connected()
    for number, frame in enumerate([subscribed(), snapshot(1), *frames]):
        session.receive(frame, number)
        session.settle()
        session.tick(number * SECOND_NS)
        session.data_to_send()
        for ticker in TICKERS:
            state = session.book_state(ticker)
            assert state is None or not state.book.is_crossed


@given(st.lists(odd_frames | st.binary(max_size=40), max_size=30))
def test_no_recording_makes_the_replay_raise(lines: Sequence[bytes]) -> None:
    result = replay(lines)
    assert sum(result.frames.values()) <= len(lines)


sizes = st.integers(1, 500)


@given(
    st.lists(
        st.tuples(st.sampled_from(["yes", "no"]), st.integers(1, 49), sizes, st.booleans()), min_size=1, max_size=60
    )
)
def test_a_streamed_book_is_the_sum_of_its_changes(changes: Sequence[tuple[str, int, int, bool]]) -> None:
    """Bids below 50 cents on both sides never cross, so every operation is announced."""
    session = streaming()
    session.receive(snapshot(1), 0)
    held: dict[str, dict[int, int]] = {"yes": {}, "no": {}}
    for number, (side, cents, hundredths, removes) in enumerate(changes):
        before = held[side].get(cents, 0)
        change = -min(before, hundredths) if removes else hundredths
        held[side][cents] = before + change
        text = f"{'-' if change < 0 else ''}{abs(change) // 100}.{abs(change) % 100:02d}"
        session.receive(
            delta(number + 2, price=f"0.{cents:02d}00", change=text, side=side, ts=f"t{number // 3}"), number
        )
    session.settle()
    state = session.book_state(A)
    assert state is not None
    wanted = {
        side: {cents * 100: size * 10_000 for cents, size in levels.items() if size} for side, levels in held.items()
    }
    assert dict(state.book.bids()) == wanted["yes"]
    assert {ONE_DOLLAR_E4 - price: size for price, size in state.book.asks()} == wanted["no"]


class Exchange:
    """A tiny Kalshi: books, one counter, and answers to the commands the session sends."""

    def __init__(self) -> None:
        self.seq = 0
        self.sid = 0
        self.clock = 0
        self.books: dict[MarketId, dict[str, dict[int, int]]] = {ticker: {"yes": {}, "no": {}} for ticker in TICKERS}
        self.history: dict[tuple[int, int, MarketId], dict[str, dict[int, int]]] = {}
        """The book after each frame, by sid, number and market."""

    def numbered(self, ticker: MarketId) -> int:
        self.seq += 1
        self.history[self.sid, self.seq, ticker] = {side: dict(levels) for side, levels in self.books[ticker].items()}
        return self.seq

    def operation(self, ticker: MarketId, changes: Sequence[tuple[str, int, int]]) -> list[bytes]:
        self.clock += 1
        frames = []
        for side, cents, contracts in changes:
            levels = self.books[ticker][side]
            change = contracts if contracts + levels.get(cents, 0) >= 0 else -levels.get(cents, 0)
            levels[cents] = levels.get(cents, 0) + change
            if not levels[cents]:
                del levels[cents]
            frames.append(
                delta(
                    self.numbered(ticker),
                    ticker,
                    price=f"0.{cents:02d}00",
                    change=f"{change}.00",
                    side=side,
                    ts=f"t{self.clock}",
                    ts_ms=self.clock,
                    sid=self.sid,
                )
            )
        return frames

    def image(self, ticker: MarketId, *, command: int | None = None) -> bytes:
        seq = self.numbered(ticker)
        sides = {
            side: [(f"0.{cents:02d}00", f"{size}.00") for cents, size in levels.items()]
            for side, levels in self.books[ticker].items()
        }
        return snapshot(seq, ticker, yes=sides["yes"], no=sides["no"], sid=self.sid, command=command)

    def answer(self, text: str) -> list[bytes]:
        command: dict[str, Any] = json.loads(text)
        params = command["params"]
        action = params.get("action", command["cmd"])
        if action == "subscribe":
            self.sid, self.seq = self.sid + 1, 0
            return [subscribed(self.sid, command=command["id"]), *map(self.image, params["market_tickers"])]
        if action == "get_snapshot" and params["sids"] == [self.sid]:
            return [self.image(ticker, command=command["id"]) for ticker in params["market_tickers"]]
        return []


class UnreliableStream(RuleBasedStateMachine):
    """Frames are lost, repeated and swapped; what the session is willing to quote is always true."""

    @initialize()
    def connect(self) -> None:
        self.exchange = Exchange()
        self.session = KalshiSession(TICKERS)
        self.way: list[bytes] = []
        self.now_ns = 0
        self.broken = False
        self._connect()

    def _connect(self) -> None:
        self.exchange.sid = self.exchange.seq = 0
        self.exchange.history.clear()
        self.way.clear()
        self.session.connected(self.now_ns)
        self.broken = False

    @rule(
        ticker=st.sampled_from(TICKERS),
        changes=st.lists(
            st.tuples(st.sampled_from(["yes", "no"]), st.integers(1, 49), st.integers(-5, 5).filter(bool)),
            min_size=1,
            max_size=4,
        ),
    )
    def trade(self, ticker: MarketId, changes: list[tuple[str, int, int]]) -> None:
        if self.exchange.sid:
            self.way += self.exchange.operation(ticker, changes)

    @rule(place=st.integers(0, 20))
    def lose(self, place: int) -> None:
        if self.way and b"subscribed" not in self.way[place % len(self.way)]:
            del self.way[place % len(self.way)]

    @rule(place=st.integers(0, 20))
    def repeat(self, place: int) -> None:
        if self.way:
            place %= len(self.way)
            self.way.insert(place, self.way[place])

    @rule(place=st.integers(0, 20))
    def swap(self, place: int) -> None:
        if len(self.way) > 1 and not any(b"subscribed" in frame for frame in self.way):
            place %= len(self.way) - 1
            self.way[place : place + 2] = self.way[place + 1], self.way[place]

    @rule(count=st.integers(1, 10))
    def deliver(self, count: int) -> None:
        for _ in range(min(count, len(self.way))):
            self._act(self.session.receive(self.way.pop(0), self.now_ns))

    @rule()
    def settle(self) -> None:
        self._act(self.session.settle())

    @rule()
    def send(self) -> None:
        for text in self.session.data_to_send():
            self.way += self.exchange.answer(text)

    @rule(milliseconds=st.sampled_from([100, 1_000, 6_000]))
    def wait(self, milliseconds: int) -> None:
        self.now_ns += milliseconds * 1_000_000
        self._act(self.session.tick(self.now_ns))

    def _act(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, BookChanged):
                assert self.session.book_state(event.market_id) is not None or len(events) > 1
            if isinstance(event, LinkUnusable):
                self.broken = True

    @rule()
    def dial_again_when_told(self) -> None:
        if self.broken:
            self.session.disconnected("told so")
            self._connect()

    @invariant()
    def quotable_books_are_the_exchanges(self) -> None:
        if not hasattr(self, "session"):
            return
        for ticker in TICKERS:
            state = self.session.book_state(ticker)
            if state is None:
                continue
            true = self.exchange.history[self.exchange.sid, state.sequence, ticker]
            assert {price_text(price): size_text(size) for price, size in state.book.bids()} == {
                price_text(cents * 100): str(size) for cents, size in true["yes"].items()
            }
            assert {price_text(price): size_text(size) for price, size in state.book.asks()} == {
                price_text(ONE_DOLLAR_E4 - cents * 100): str(size) for cents, size in true["no"].items()
            }

    def teardown(self) -> None:
        """Once nothing is lost any more, every book comes back and equals the exchange's."""
        if not hasattr(self, "session"):
            return
        for attempt in range(60):
            if attempt % 5 == 0:  # a loss that no later frame follows cannot be noticed
                self.trade(A, [("yes", 2, 1)])
            self.dial_again_when_told()
            self.send()
            self.deliver(100)
            self.settle()
            self.wait(1_000)
            if not self.way and all(self.session.book_state(ticker) is not None for ticker in TICKERS):
                break
        self.quotable_books_are_the_exchanges()
        assert [ticker for ticker in TICKERS if self.session.book_state(ticker) is None] == []
        for ticker in TICKERS:
            state = self.session.book_state(ticker)
            assert state is not None
            assert len(state.book.bids()) == len(self.exchange.books[ticker]["yes"])


UnreliableStream.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestUnreliableStream = UnreliableStream.TestCase
