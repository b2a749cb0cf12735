"""The frames of Kalshi's WebSocket, encoded: bodies once for all clients, numbers for each.

Shapes: Kalshi's AsyncAPI of autumn 2026 and recorded frames (Kalshi API reference, 2026-11-21). A body is the JSON of
``msg``; ``sequenced`` puts type, sid and seq around it. With the YES scale, prices of side ``no`` are YES prices.
"""

from typing import Any

import msgspec

from services.venue_sim.engine import LevelChange, Trade
from services.venue_sim.kalshi_objects import count_text, levels_json, price_text, time_text
from services.venue_sim.markets import KalshiMarket, Operation

Json = dict[str, Any]

_ONE_E4 = 10_000


def sequenced(kind: str, sid: int, seq: int, body: bytes, *, command_id: int | None = None) -> bytes:
    """Return a data frame that takes a number of its subscription."""
    echo = b"" if command_id is None else b'"id":%d,' % command_id
    return b'{%b"type":"%b","sid":%d,"seq":%d,"msg":%b}' % (echo, kind.encode(), sid, seq, body)


def unsequenced(kind: str, sid: int, body: bytes) -> bytes:
    """Return a data frame of a channel without numbers."""
    return b'{"type":"%b","sid":%d,"msg":%b}' % (kind.encode(), sid, body)


def control(fields: Json) -> bytes:
    """Return an answer to a command; fields that are None are left out."""
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not None})


def snapshot_body(market: KalshiMarket, *, yes_scale: bool, both_sides: bool = False) -> bytes:
    """Return a whole book. A side without levels has no key at all, unless ``both_sides`` are asked for."""
    body: Json = {"market_ticker": market.market_id, "market_id": market.uuid}
    bids, asks = market.book.bids(), market.book.asks()
    if bids or both_sides:
        body["yes_dollars_fp"] = levels_json(bids)
    if asks or both_sides:
        shown = asks if yes_scale else [(_ONE_E4 - price, size) for price, size in asks]
        body["no_dollars_fp"] = levels_json(shown)
    return msgspec.json.encode(body)


def delta_bodies(operation: Operation, *, yes_scale: bool) -> list[bytes]:
    """Return one body per changed level, all with the operation's time."""
    market = operation.market
    assert isinstance(market, KalshiMarket), market
    head = f'{{"market_ticker":"{market.market_id}","market_id":"{market.uuid}","price_dollars":"'
    tail = f'","ts":"{time_text(operation.at_us)}","ts_ms":{operation.at_ms}}}'
    return [f"{head}{_change_text(change, yes_scale=yes_scale)}{tail}".encode() for change in operation.changes]


def idle_delta_bodies(operation: Operation, count: int) -> list[bytes]:
    """Return deltas that come to nothing: a contract added and taken away, each a microsecond after the other."""
    market = operation.market
    assert isinstance(market, KalshiMarket), market
    head = f'{{"market_ticker":"{market.market_id}","market_id":"{market.uuid}","price_dollars":"0.0100"'
    return [
        f'{head},"delta_fp":"{change}","side":"yes","ts":"{time_text(operation.at_us + 2 * pair + place)}",'
        f'"ts_ms":{operation.at_ms}}}'.encode()
        for pair in range(1, count // 2 + 1)
        for place, change in enumerate(("1.00", "-1.00"))
    ]


def trade_bodies(operation: Operation) -> list[bytes]:
    """Return one body per maker level consumed."""
    trade, market = operation.trade, operation.market
    if trade is None:
        return []
    return [
        msgspec.json.encode(
            {
                "trade_id": f"{operation.at_us:x}-{number}",
                "market_ticker": market.market_id,
                **_trade_terms(trade, price_e4, size_e6),
                "ts": operation.at_ms // 1_000,
                "ts_ms": operation.at_ms,
            }
        )
        for number, (price_e4, size_e6) in enumerate(trade.fills)
    ]


def trade_json(operation: Operation) -> list[Json]:
    """Return the same trades as REST lists them."""
    trade = operation.trade
    if trade is None:
        return []
    return [
        {
            "trade_id": f"{operation.at_us:x}-{number}",
            "ticker": operation.market.market_id,
            **_trade_terms(trade, price_e4, size_e6),
            "created_time": time_text(operation.at_us),
        }
        for number, (price_e4, size_e6) in enumerate(trade.fills)
    ]


def _trade_terms(trade: Trade, price_e4: int, size_e6: int) -> Json:
    outcome = "yes" if trade.taker_side == "bid" else "no"
    return {
        "yes_price_dollars": price_text(price_e4),
        "no_price_dollars": price_text(_ONE_E4 - price_e4),
        "count_fp": count_text(size_e6),
        "taker_side": outcome,
        "taker_outcome_side": outcome,
        "taker_book_side": trade.taker_side,
        "is_block_trade": False,
    }


def ticker_body(market: KalshiMarket, at_us: int) -> bytes:
    """Return the top of the book and the totals; an empty side reads 0 or 1 dollar with size 0."""
    book = market.book
    bid_e4, ask_e4 = book.best_bid_e4() or 0, book.best_ask_e4() or _ONE_E4
    return msgspec.json.encode(
        {
            "market_ticker": market.market_id,
            "market_id": market.uuid,
            "price_dollars": price_text(market.last_price_e4),
            "yes_bid_dollars": price_text(bid_e4),
            "yes_ask_dollars": price_text(ask_e4),
            "yes_bid_size_fp": count_text(book.size_e6("bid", bid_e4)),
            "yes_ask_size_fp": count_text(book.size_e6("ask", ask_e4)),
            "volume_fp": count_text(market.volume_e6),
            "open_interest_fp": count_text(market.volume_e6),
            "last_trade_size_fp": count_text(market.last_size_e6),
            "dollar_volume": market.volume_e6 // 1_000_000,
            "dollar_open_interest": market.volume_e6 // 1_000_000,
            "ts": at_us // 1_000_000,
            "ts_ms": at_us // 1_000,
            "time": time_text(at_us),
        }
    )


def _change_text(change: LevelChange, *, yes_scale: bool) -> str:
    side = "yes" if change.side == "bid" else "no"
    price_e4 = change.price_e4 if yes_scale or change.side == "bid" else _ONE_E4 - change.price_e4
    return f'{price_text(price_e4)}","delta_fp":"{count_text(change.delta_e6)}","side":"{side}'
