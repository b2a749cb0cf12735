"""Whatever the exchange answers to which command, late, wrongly or never: the conversation goes on and stays honest."""

import json
import random
from typing import Any

import pytest

from shared.domain.market import MarketId
from shared.venues.kalshi.session import KalshiSession
from tests.unit.kalshi.frames import SECOND_NS, delta, encoded, error, ok, snapshot, subscribed

TICKERS = [MarketId(f"KX-{number}") for number in range(6)]
STEPS = 3_000
BIDS = [("0.4000", "5.00"), ("0.3900", "2.00")]


class Moody:
    """An exchange that answers some commands, in any order, and loses numbers now and then."""

    def __init__(self, seed: int) -> None:
        self.moods = random.Random(seed)
        self.now_ns = 0
        self.dial()

    def dial(self) -> None:
        self.seq, self.sid, self.commands = 0, 1, list[dict[str, Any]]()

    def number(self) -> int:
        self.seq += 1 if self.moods.random() > 0.02 else self.moods.choice([0, 2, 5])
        return self.seq

    def says(self) -> bytes | None:
        moods, ticker = self.moods, self.moods.choice(TICKERS)
        match moods.random():
            case luck if luck < 0.25 and self.commands:
                return self.answer(self.commands.pop(moods.randrange(len(self.commands))), ticker)
            case luck if luck < 0.4:
                return snapshot(self.number(), ticker, yes=BIDS, no=BIDS, sid=self.sid)
            case luck if luck < 0.9:
                price, side = moods.choice(["0.4000", "0.4100", "0.5900"]), moods.choice(["yes", "no"])
                change, ts = moods.choice(["1.00", "-1.00", "2.00"]), moods.choice(["1", "2", "3"])
                return delta(self.number(), ticker, price=price, change=change, side=side, ts=ts, sid=self.sid)
            case luck if luck < 0.93:
                return error(moods.choice([10, 25, 27]), sid=moods.choice([self.sid, None]))
        return None

    def answer(self, command: dict[str, Any], ticker: MarketId) -> bytes:
        params = command.get("params", {})
        if self.moods.random() < 0.15:
            code = self.moods.choice([7, 8, 11, 18, 26, 27])
            return error(code, command=command["id"], tickers=self.moods.choice([None, [ticker]]))
        if command["cmd"] == "subscribe":
            self.seq = 0
            self.sid += self.moods.random() < 0.2
            return subscribed(self.sid, command=command["id"])
        if command["cmd"] == "list_subscriptions":
            listed = [{"channel": "orderbook_delta", "sid": self.sid}]
            return encoded({"id": command["id"], "type": "ok", "msg": listed})
        if params.get("action") == "get_snapshot":
            asked = self.moods.choice(params["market_tickers"])
            return snapshot(self.number(), asked, yes=BIDS, no=BIDS, sid=self.sid, command=command["id"])
        return ok(command["id"], params.get("market_tickers"), sid=self.sid, seq=self.number())

    def use(self, session: KalshiSession) -> None:
        """Let one thing happen that the feed does or that time does."""
        match self.moods.random():
            case luck if luck < 0.3:
                session.settle()
            case luck if luck < 0.35:
                session.audit(3)
            case luck if luck < 0.37:
                session.check()
            case luck if luck < 0.4:
                session.want(self.moods.sample(TICKERS, self.moods.randrange(len(TICKERS) + 1)))
            case luck if luck < 0.41:
                session.lose(TICKERS[:2], "a test says so")
            case luck if luck < 0.413:
                session.disconnected("a test says so")
                session.connected(self.now_ns)
                self.dial()
        self.now_ns += self.moods.choice([0, SECOND_NS // 100, SECOND_NS // 10, SECOND_NS * 3])
        session.tick(self.now_ns)
        self.commands += [json.loads(text) for text in session.data_to_send()]


@pytest.mark.parametrize("chunk", [1, 2, 100])
@pytest.mark.parametrize("seed", range(3))
def test_no_answer_and_no_silence_ends_the_conversation_or_makes_a_crossed_quote(seed: int, chunk: int) -> None:
    exchange = Moody(seed)
    session = KalshiSession(TICKERS, chunk=chunk)
    session.connected(0)
    quoted = 0
    for _ in range(STEPS):
        frame = exchange.says()
        if frame is not None:
            session.receive(frame, exchange.now_ns)
        exchange.use(session)
        states = [state for ticker in TICKERS if (state := session.book_state(ticker)) is not None]
        assert not any(state.book.is_crossed or state.book.is_locked for state in states)
        quoted += len(states)
    assert quoted, "some books were quoted on the way"
