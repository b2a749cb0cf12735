"""Channels beside the books: each message is read exactly or refused alone, and what is missing is told."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from shared.venues.kalshi.channels import (
    CHANNEL_TYPES,
    ChannelMessage,
    Fill,
    OrderGroup,
    OwnOrder,
    OwnPosition,
    Ticker,
    TradePrint,
    read_channel,
)
from shared.venues.kalshi.events import ChannelMissed, ChannelSaid, LifecycleMissed, LinkUnusable
from shared.venues.kalshi.session import KalshiSession
from tests.shared_folder import shared_folder
from tests.unit.kalshi.frames import SECOND_NS, A, B, commands, encoded, error, feed, snapshot, streaming, subscribed


def recorded() -> Iterator[dict[str, Any]]:
    path = shared_folder("captures/kalshi/ws_demo_transcript_all_channels_20260917.jsonl")
    for line in path.read_text().splitlines():
        message = json.loads(line)
        if message["dir"] == "in" and message["msg"]["type"] in CHANNEL_TYPES:
            yield message["msg"]


def test_every_recorded_message_of_every_channel_is_read() -> None:
    said = [read_channel(encoded(frame)) for frame in recorded()]
    kinds = {kind: sum(isinstance(one, kind) for one in said) for kind in ChannelMessage.__args__}  # type: ignore[attr-defined]
    assert kinds == {Ticker: 14, TradePrint: 1, Fill: 1, OwnOrder: 3, OwnPosition: 1, OrderGroup: 4}


def test_the_recorded_fill_is_read_to_the_cent() -> None:
    [fill] = [one for one in map(read_channel, map(encoded, recorded())) if isinstance(one, Fill)]
    assert (fill.count_contracts, fill.yes_price_dollars, fill.fee_dollars) == (1, Decimal("0.98"), Decimal("0.0014"))
    assert (fill.outcome_side, fill.book_side, fill.is_taker) == ("yes", "bid", True)
    assert fill.position_after_contracts == 1
    assert fill.client_order_id == "00000000-0000-4000-8000-000000000007"
    [position] = [one for one in map(read_channel, map(encoded, recorded())) if isinstance(one, OwnPosition)]
    assert (position.cost_dollars, position.realised_dollars) == (Decimal("0.98"), Decimal("-0.0014"))


TICKER = {
    "market_ticker": A,
    "price_dollars": "0.0000",
    "yes_bid_dollars": "0.0100",
    "yes_ask_dollars": "1.0000",
    "yes_bid_size_fp": "460.00",
    "yes_ask_size_fp": "0.00",
    "volume_fp": "0.00",
    "ts_ms": 1_789_659_324_323,
}


def ticker(**fields: Any) -> bytes:
    return encoded({"type": "ticker", "sid": 2, "msg": {**TICKER, **fields}})


def trade(seq: int, **fields: Any) -> bytes:
    body = {
        "trade_id": "t",
        "market_ticker": A,
        "yes_price_dollars": "0.9800",
        "count_fp": "1.00",
        "taker_outcome_side": "yes",
        "taker_book_side": "bid",
    }
    return encoded({"type": "trade", "sid": 2, "seq": seq, "msg": {**body, **fields}})


def test_an_empty_side_has_no_price() -> None:
    read = read_channel(ticker())
    assert isinstance(read, Ticker)
    assert (read.yes_bid_dollars, read.yes_ask_dollars) == (Decimal("0.01"), None)


@pytest.mark.parametrize(
    "frame",
    [
        ticker(yes_bid_dollars="1e3"),
        ticker(yes_bid_dollars=0.01),
        ticker(volume_fp=None),
        trade(1, taker_outcome_side="maybe"),
        trade(1, count_fp="-1.00"),
        encoded({"type": "fill", "sid": 4, "msg": {}}),
        encoded({"type": "ticker"}),
        encoded({"type": "rfq_created", "msg": {}}),
        b"{",
    ],
)
def test_a_message_without_what_its_type_needs_is_refused(frame: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_channel(frame)


def with_channels(*channels: str) -> KalshiSession:
    session = KalshiSession((A, B), channels=channels)
    session.connected(0)
    return session


def test_public_channels_are_asked_for_by_ticker_and_the_accounts_own_for_everything() -> None:
    said = commands(with_channels("trade", "fill"))
    assert [command["params"] for command in said[1:]] == [
        {"channels": ["trade"], "market_tickers": [A, B]},
        {"channels": ["fill"]},
    ]


def test_messages_are_handed_on_in_order_and_a_bad_one_costs_no_book() -> None:
    session = with_channels("trade")
    feed(session, subscribed(), snapshot(1, A, yes=[("0.4000", "1.00")]), subscribed(2, command=2, channel="trade"))
    events = feed(session, trade(1), trade(2, count_fp="many"), trade(3))
    assert [type(event) for event in events] == [ChannelSaid, ChannelSaid]
    assert session.counts.refused == {"malformed trade": 1}
    assert session.book(A) is not None


def test_a_hole_in_a_channels_numbers_is_told_and_costs_no_book() -> None:
    session = with_channels("trade")
    feed(session, subscribed(), snapshot(1, A), subscribed(2, command=2, channel="trade"), trade(1))
    missed, said = feed(session, trade(3))
    assert missed == ChannelMissed("trade", "sid 2 went from seq 1 to 3")
    assert isinstance(said, ChannelSaid)
    assert session.book(A) is not None


def test_a_channel_that_ends_is_opened_again_and_one_that_is_refused_is_told() -> None:
    session = with_channels("trade")
    feed(session, subscribed(), subscribed(2, command=2, channel="trade"))
    session.data_to_send()
    [missed] = feed(session, error(10, sid=2))
    assert missed == ChannelMissed("trade", "error 10: said the exchange")
    [again] = commands(session)
    assert again["params"]["channels"] == ["trade"]
    [refused] = feed(session, error(8, command=again["id"]))
    assert isinstance(refused, ChannelMissed)


def test_without_asking_for_channels_their_messages_are_only_counted() -> None:
    session = streaming(A)
    assert feed(session, ticker()) == []
    assert session.counts.frames["ticker"] == 1


def test_news_that_a_lost_link_may_have_cost_are_told_when_the_channel_is_open_again() -> None:
    session = KalshiSession((A,), lifecycle=True)
    opened = (subscribed(), subscribed(2, command=2, channel="market_lifecycle_v2"))
    session.connected(0)
    assert feed(session, *opened) == []
    session.disconnected("reset")
    session.connected(0)
    assert feed(session, *opened) == [LifecycleMissed("reset")]


def listed(session: KalshiSession, *sids: int) -> list[Any]:
    [command] = commands(session)
    assert (command["cmd"], "params" in command) == ("list_subscriptions", False)
    found = [{"channel": "orderbook_delta", "sid": sid} for sid in sids]
    return feed(session, encoded({"id": command["id"], "type": "ok", "msg": found}))


def test_a_subscription_that_the_exchange_does_not_list_is_the_end_of_the_link() -> None:
    session = streaming(A)
    session.check()
    assert listed(session, 1) == []
    session.check()
    assert listed(session, 7) == [LinkUnusable("the exchange does not list our subscription 1")]


def test_a_list_that_nobody_can_read_costs_nothing() -> None:
    session = streaming(A)
    session.check()
    [command] = commands(session)
    assert feed(session, encoded({"id": command["id"], "type": "ok", "msg": [{"id": 1}]})) == []
    assert session.counts.refused == {"unreadable list of subscriptions": 1}


def test_a_list_that_never_comes_is_the_end_of_the_link_too() -> None:
    session = streaming(A)
    session.check()
    session.check()
    assert len(commands(session)) == 1, "asked once until it is answered"
    [unusable] = session.tick(11 * SECOND_NS)
    assert isinstance(unusable, LinkUnusable)
