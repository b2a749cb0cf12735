"""What markets paid: read from both venues' answers, and told for as long as a pair waits for it."""

import json
from collections import deque
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.contracts.catalog import MarketClosed
from shared.contracts.pairs import PairActivated, PairMessage, PairRetired, PairSuspended
from shared.contracts.streams import CATALOG
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Pair
from shared.runtime.live_pairs import LivePairs
from shared.runtime.results import ResultTeller, ResultUnknown
from shared.venues.kalshi.catalog import BodyRefused, yes_paid_dollars
from shared.venues.polymarket.rest import RestRefused, paid_dollars
from tests.pairs import made_up_pair

PAIR = made_up_pair("p", kalshi="K-1", polymarket="0x1")


def kalshi_body(**changes: Any) -> bytes:
    facts = {"ticker": "K-1", "event_ticker": "K", "status": "finalized", "result": "yes"} | changes
    return json.dumps({"market": facts}).encode()


@pytest.mark.parametrize(
    ("changes", "dollars"),
    [
        ({}, "1"),
        ({"result": "no"}, "0"),
        ({"result": "scalar", "settlement_value_dollars": "0.6200"}, "0.62"),
        ({"result": "no", "settlement_value_dollars": "0.0000"}, "0"),
        ({"status": "determined"}, None),
        ({"status": "disputed"}, None),
        ({"status": "active", "result": ""}, None),
        ({"result": ""}, None),
        ({"result": "scalar"}, None),
    ],
)
def test_kalshi_paid_what_the_finalized_market_says(changes: dict[str, Any], dollars: str | None) -> None:
    assert yes_paid_dollars(kalshi_body(**changes)) == (None if dollars is None else Decimal(dollars))


@pytest.mark.parametrize("body", [b"{}", b"<html>", kalshi_body(settlement_value_dollars="NaN")])
def test_a_kalshi_answer_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BodyRefused):
        yes_paid_dollars(body)


def polymarket_body(*winners: bool, closed: bool = True, half: bool = False) -> bytes:
    tokens = [{"token_id": str(number), "winner": wins} for number, wins in enumerate(winners, start=1)]
    return json.dumps({"closed": closed, "is_50_50_outcome": half, "tokens": tokens}).encode()


@pytest.mark.parametrize(
    ("body", "dollars"),
    [
        (polymarket_body(True, False), "1"),
        (polymarket_body(False, True), "0"),
        (polymarket_body(False, False, half=True), "0.5"),
        (polymarket_body(False, False), None),
        (polymarket_body(True, False, closed=False), None),
        (polymarket_body(True, True), None),
    ],
)
def test_polymarket_paid_what_the_winner_or_the_half_says(body: bytes, dollars: str | None) -> None:
    assert paid_dollars(body, "1") == (None if dollars is None else Decimal(dollars))


@pytest.mark.parametrize("body", [b"[]", b"\xff", polymarket_body()])
def test_a_polymarket_answer_that_cannot_be_read_or_is_about_another_market_is_refused(body: bytes) -> None:
    with pytest.raises(RestRefused):
        paid_dollars(body, "1")


class Written:
    """What a teller wrote: the message, and whether it stays in the hash."""

    def __init__(self) -> None:
        self.kept: dict[str, MarketClosed] = {}
        self.said: list[MarketClosed] = []

    def put(self, stream: Any, message: MarketClosed, *, key: str, drop_key: bool) -> None:
        assert stream is CATALOG[Venue.KALSHI]
        self.said.append(message)
        if drop_key:
            self.kept.pop(key, None)
        else:
            self.kept[key] = message


def told(pairs: LivePairs, *messages: PairMessage) -> None:
    for message in messages:
        pairs._apply(message)


async def test_a_result_is_asked_for_while_a_pair_waits_told_once_and_dropped_afterwards() -> None:
    answers: deque[Decimal | Exception | None] = deque([ResultUnknown("503"), None, Decimal(1)])
    asked: list[str] = []
    known: dict[MarketId, Any] = {PAIR.kalshi_ticker: object()}

    async def ask(pair: Pair) -> Decimal | None:
        asked.append(pair.pair_id)
        answer = answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    pairs, written = LivePairs("redis://unused", on_change=lambda: None), Written()
    teller = ResultTeller(Venue.KALSHI, pairs, written, ask, lambda: known)  # type: ignore[arg-type]
    told(pairs, PairActivated(pair=PAIR))
    await teller.look()
    told(pairs, PairSuspended(pair=PAIR, reason="closed", awaits="results"))
    await teller.look()
    assert asked == [], "it is live, or still listed"
    known.clear()
    for _ in range(5):
        await teller.look()
    assert asked == ["p"] * 3
    [message] = written.said
    assert (message.market_id, message.yes_paid_dollars) == (PAIR.kalshi_ticker, Decimal(1))
    assert list(written.kept) == [PAIR.kalshi_ticker]
    told(pairs, PairRetired(pair_id=PAIR.pair_id, reason="settled alike"))
    await teller.look()
    assert written.kept == {}


def test_a_pair_is_live_or_over_or_neither() -> None:
    pairs = LivePairs("redis://unused", on_change=lambda: None)
    for message, live, over in (
        (PairActivated(pair=PAIR), True, False),
        (PairSuspended(pair=PAIR, reason="rules", awaits="listing"), False, False),
        (PairSuspended(pair=PAIR, reason="closed", awaits="results"), False, True),
        (PairActivated(pair=PAIR), True, False),
        (PairSuspended(pair=PAIR, reason="closed", awaits="results"), False, True),
        (PairRetired(pair_id=PAIR.pair_id, reason="alike"), False, False),
    ):
        told(pairs, msgspec.convert(msgspec.to_builtins(message), type(message)))
        assert (PAIR.pair_id in pairs.pairs, PAIR.pair_id in pairs.over) == (live, over)
