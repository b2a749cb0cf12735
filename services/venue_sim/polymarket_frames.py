"""What one engine operation looks like on Polymarket's market channel.

All messages of one operation share its timestamp, and every entry carries the hash and the best prices of the book as
it is after the whole operation. A taker's rest is shown before the levels it consumed, so the book built on the way
is crossed for a moment; after a trade the whole book follows, and some time later the trade itself (recorded
2026-09-17 and 2026-09-29). Keys are in the order of the recordings.
"""

from typing import NamedTuple

from services.venue_sim.book_hash import MirroredBook
from services.venue_sim.engine import LevelChange, Trade
from services.venue_sim.markets import Operation
from services.venue_sim.polymarket_text import DOLLAR_E4, last_price_text, price_text, size_text

TokenFrames = tuple[bytes, bytes]
"""One frame for each token: YES, then NO."""


class Burst(NamedTuple):
    """The frames of one operation, in the order they are sent."""

    changes: tuple[bytes, ...]
    """``price_change`` messages, each with the mirrored entries of both tokens."""
    books: TokenFrames | None = None
    """After a trade: the whole book of each token, without tick and last price."""
    trades: TokenFrames | None = None
    """After a trade: ``last_trade_price`` in each token's terms, which the venue sends some 90 ms later."""
    bests: TokenFrames | None = None
    """When the top moved: ``best_bid_ask``, for clients that asked for the custom features."""


def apply(book: MirroredBook, operation: Operation) -> bool:
    """Bring ``book`` to the state after ``operation``; say whether the top of the book moved."""
    before = book.bests_e4(0)
    for change in operation.changes:
        book.set_level(change.side, change.price_e4, change.size_after_e6)
    if operation.trade is not None:
        last_e4 = operation.trade.price_e4
        book.last_price_e4 = DOLLAR_E4 - last_e4 if order_token(last_e4, operation.at_ms) else last_e4
    return book.bests_e4(0) != before


def order_token(price_e4: int, at_ms: int) -> int:
    """Say in which token the order behind a level was placed: 0 for YES, 1 for NO.

    The engine knows YES only, while real orders rest in either token and the venue lists that token's entry first and
    takes the last trade price from it. The choice is arbitrary, the same for the same operation, and mostly YES.
    """
    return int((price_e4 // 10 + at_ms) % 4 == 0)


def burst(book: MirroredBook, operation: Operation, *, top_moved: bool) -> Burst:
    """Encode an operation that ``apply`` has brought into ``book``."""
    at_ms = operation.at_ms
    hashes = book.hashes(at_ms)
    tails = [_entry_tail(book, token, hashes[token]) for token in (0, 1)]
    changes = tuple(_price_change(book, change, tails, at_ms) for change in operation.changes)
    bests = (_best_bid_ask(book, 0, at_ms), _best_bid_ask(book, 1, at_ms)) if top_moved else None
    if operation.trade is None:
        return Burst(changes, bests=bests)
    books = (book_after_trade(book, 0, hashes[0], at_ms), book_after_trade(book, 1, hashes[1], at_ms))
    trades = (_last_trade(book, operation.trade, 0, at_ms), _last_trade(book, operation.trade, 1, at_ms))
    return Burst(changes, books, trades, bests)


def book_after_trade(book: MirroredBook, token: int, digest: str, at_ms: int) -> bytes:
    """Encode the ``book`` that follows a trade: neither tick size nor last price."""
    bids, asks = book.sides_json(token)
    return (
        f'{{"market":"{book.market}","asset_id":"{book.token_ids[token]}","bids":[{bids}],"asks":[{asks}]'
        f',"hash":"{digest}","timestamp":"{at_ms}","event_type":"book"}}'
    ).encode()


def snapshot(book: MirroredBook, token: int, at_ms: int) -> bytes:
    """Encode one element of the array that answers a subscription, as of the book's last change."""
    bids, asks = book.sides_json(token)
    return (
        f'{{"market":"{book.market}","asset_id":"{book.token_ids[token]}","timestamp":"{at_ms}"'
        f',"hash":"{book.hash(token, at_ms)}","bids":[{bids}],"asks":[{asks}]'
        f',"tick_size":"{price_text(book.tick_e4)}","event_type":"book"'
        f',"last_trade_price":"{last_price_text(book.last_price_e4)}"}}'
    ).encode()


def tick_size_change(book: MirroredBook, token: int, *, old_e4: int, at_ms: int) -> bytes:
    """Encode the message that a market's tick has become ``book.tick_e4``."""
    return (
        f'{{"market":"{book.market}","asset_id":"{book.token_ids[token]}","old_tick_size":"{price_text(old_e4)}"'
        f',"new_tick_size":"{price_text(book.tick_e4)}","timestamp":"{at_ms}","event_type":"tick_size_change"}}'
    ).encode()


def _price_change(book: MirroredBook, change: LevelChange, tails: list[str], at_ms: int) -> bytes:
    size = size_text(change.size_after_e6)
    yes_side, no_side = ("BUY", "SELL") if change.side == "bid" else ("SELL", "BUY")
    entries = [
        f'{{"asset_id":"{book.token_ids[0]}","price":"{price_text(change.price_e4)}","size":"{size}"'
        f',"side":"{yes_side}"{tails[0]}',
        f'{{"asset_id":"{book.token_ids[1]}","price":"{price_text(DOLLAR_E4 - change.price_e4)}","size":"{size}"'
        f',"side":"{no_side}"{tails[1]}',
    ]
    if order_token(change.price_e4, at_ms):
        entries.reverse()
    return (
        f'{{"market":"{book.market}","price_changes":[{",".join(entries)}]'
        f',"timestamp":"{at_ms}","event_type":"price_change"}}'
    ).encode()


def _entry_tail(book: MirroredBook, token: int, digest: str) -> str:
    bid, ask = book.best_texts(token)
    return f',"hash":"{digest}","best_bid":"{bid}","best_ask":"{ask}"}}'


def _best_bid_ask(book: MirroredBook, token: int, at_ms: int) -> bytes:
    bid_e4, ask_e4 = book.bests_e4(token)
    return (
        f'{{"market":"{book.market}","asset_id":"{book.token_ids[token]}","best_bid":"{price_text(bid_e4)}"'
        f',"best_ask":"{price_text(ask_e4)}","spread":"{price_text(ask_e4 - bid_e4)}","timestamp":"{at_ms}"'
        ',"event_type":"best_bid_ask"}'
    ).encode()


def _last_trade(book: MirroredBook, trade: Trade, token: int, at_ms: int) -> bytes:
    price_e4 = DOLLAR_E4 - trade.price_e4 if token else trade.price_e4
    side = "BUY" if (trade.taker_side == "bid") != bool(token) else "SELL"
    return (
        f'{{"market":"{book.market}","asset_id":"{book.token_ids[token]}","price":"{price_text(price_e4)}"'
        f',"size":"{size_text(trade.size_e6)}","fee_rate_bps":"0","side":"{side}","timestamp":"{at_ms}"'
        f',"event_type":"last_trade_price","transaction_hash":"0x{at_ms:064x}"}}'
    ).encode()
