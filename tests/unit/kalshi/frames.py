"""Kalshi frames as text the way the exchange writes them, for the tests of this folder and its neighbours."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from shared.domain.market import MarketId
from shared.domain.numbers import price_text, size_text
from shared.venues.kalshi.events import Event
from shared.venues.kalshi.session import KalshiSession

A, B, C = MarketId("KXDEMO-A"), MarketId("KXDEMO-B"), MarketId("KXDEMO-C")
SECOND_NS = 1_000_000_000

Levels = Iterable[tuple[str, str]]


def encoded(frame: dict[str, Any]) -> bytes:
    return json.dumps(frame, separators=(",", ":")).encode()


def subscribed(sid: int = 1, *, command: int = 1, channel: str = "orderbook_delta") -> bytes:
    return encoded({"id": command, "type": "subscribed", "msg": {"channel": channel, "sid": sid}})


def snapshot(
    seq: int, ticker: str = A, *, yes: Levels = (), no: Levels = (), sid: int = 1, command: int | None = None
) -> bytes:
    """A snapshot; the key of an empty side is left out, as on the wire."""
    body: dict[str, Any] = {"market_ticker": ticker, "market_id": "11111111-2222-3333-4444-555555555555"}
    if yes := list(yes):
        body["yes_dollars_fp"] = yes
    if no := list(no):
        body["no_dollars_fp"] = no
    frame: dict[str, Any] = {"type": "orderbook_snapshot", "sid": sid, "seq": seq, "msg": body}
    return encoded(frame if command is None else {"id": command, **frame})


def delta(
    seq: int,
    ticker: str = A,
    *,
    price: str = "0.4700",
    change: str = "1.00",
    side: str = "yes",
    ts: str | None = "2026-11-21T18:00:00.5Z",
    ts_ms: int | None = 1_795_284_000_500,
    sid: int = 1,
) -> bytes:
    body: dict[str, Any] = {
        "market_ticker": ticker,
        "market_id": "11111111-2222-3333-4444-555555555555",
        "price_dollars": price,
        "delta_fp": change,
        "side": side,
    }
    if ts is not None:
        body["ts"] = ts
    if ts_ms is not None:
        body["ts_ms"] = ts_ms
    return encoded({"type": "orderbook_delta", "sid": sid, "seq": seq, "msg": body})


def ok(command: int, tickers: Sequence[str] | None, *, sid: int = 1, seq: int | None = None) -> bytes:
    frame: dict[str, Any] = {"id": command, "sid": sid, "type": "ok"}
    if seq is not None:
        frame["seq"] = seq
    if tickers is not None:
        frame["msg"] = {"market_tickers": list(tickers)}
    return encoded(frame)


def error(
    code: int,
    *,
    command: int | None = None,
    sid: int | None = None,
    seq: int | None = None,
    tickers: Sequence[str] | None = None,
) -> bytes:
    body: dict[str, Any] = {"code": code, "msg": "said the exchange"}
    if tickers is not None:
        body["market_tickers"] = list(tickers)
    frame: dict[str, Any] = {"type": "error", "msg": body}
    for key, value in (("id", command), ("sid", sid), ("seq", seq)):
        if value is not None:
            frame[key] = value
    return encoded(frame)


def commands(session: KalshiSession) -> list[dict[str, Any]]:
    """The commands the session wants to send, decoded."""
    return [json.loads(text) for text in session.data_to_send()]


def actions(session: KalshiSession) -> list[tuple[str, Any]]:
    """The same, short: what is done and to which tickers or sids."""
    found = []
    for command in commands(session):
        params = command["params"]
        found.append((params.get("action", command["cmd"]), params.get("market_tickers", params.get("sids"))))
    return found


def feed(session: KalshiSession, *frames: bytes, at_ns: int = 0) -> list[Event]:
    """Receive frames one after the other and return all events."""
    events: list[Event] = []
    for frame in frames:
        events.extend(session.receive(frame, at_ns))
    return events


def streaming(*tickers: MarketId, use_yes_price: bool = False, chunk: int = 100) -> KalshiSession:
    """A session whose first subscription, sid 1, is acknowledged; seq 1 comes next."""
    session = KalshiSession(tickers or (A,), use_yes_price=use_yes_price, chunk=chunk)
    session.connected(0)
    session.data_to_send()
    session.receive(subscribed(), 0)
    session.data_to_send()
    return session


def levels(session: KalshiSession, ticker: MarketId = A) -> tuple[list[tuple[str, str]], list[tuple[str, str]]] | None:
    """YES bids and YES asks as text, best first; None when the book may not be quoted now."""
    state = session.book_state(ticker)
    if state is None:
        return None
    return (
        [(price_text(price), size_text(size)) for price, size in state.book.bids()],
        [(price_text(price), size_text(size)) for price, size in state.book.asks()],
    )
