"""The others in the Kalshi benchmark: what most programs do, and pykalshi 2.0.0 where somebody has installed it."""

import json
import time
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from services.cli.bench.kalshi_tape import Best, Tape


def run_naive(tape: Tape) -> tuple[float, dict[str, Best]]:
    """Do what most programs do: json, a dictionary of decimals per side, max at each read, no check of anything."""
    books: dict[str, dict[str, dict[Decimal, Decimal]]] = {}
    for text in tape.snapshots:
        message = json.loads(text)["msg"]
        books[message["market_ticker"]] = {
            side: {Decimal(p): Decimal(s) for p, s in message.get(f"{side}_dollars_fp", [])} for side in ("yes", "no")
        }
    began_s = time.process_time()
    for text in tape.deltas:
        message = json.loads(text)["msg"]
        book = books[message["market_ticker"]]
        levels = book[message["side"]]
        price = Decimal(message["price_dollars"])
        size = levels.get(price, Decimal(0)) + Decimal(message["delta_fp"])
        if size <= 0:
            levels.pop(price, None)
        else:
            levels[price] = size
        _best(book)
    return time.process_time() - began_s, {ticker: _best(book) for ticker, book in books.items()}


def run_pykalshi(tape: Tape) -> tuple[float, dict[str, Best]]:
    """Use pykalshi's own models and book manager, as its feed does for every message."""
    feed, manager = import_module("pykalshi.feed"), import_module("pykalshi").OrderbookManager
    books: dict[str, Any] = {}
    for text in tape.snapshots:
        message = feed.OrderbookSnapshotMessage.model_validate(json.loads(text)["msg"])
        book = books[message.market_ticker] = manager(message.market_ticker)
        book.apply_snapshot(message.yes_dollars_fp or [], message.no_dollars_fp or [])
    began_s = time.process_time()
    for text in tape.deltas:
        message = feed.OrderbookDeltaMessage.model_validate(json.loads(text)["msg"])
        book = books[message.market_ticker]
        book.apply_delta(message.side, message.price_dollars, message.delta_fp)
        _ = book.best_bid, book.best_ask
    seconds = time.process_time() - began_s
    return seconds, {
        ticker: (Decimal(str(book.best_bid or 0)), Decimal(str(1 if book.best_ask is None else book.best_ask)))
        for ticker, book in books.items()
    }


def pykalshi_missing() -> str:
    """Return why pykalshi is not compared; empty when it is installed."""
    return "" if find_spec("pykalshi") else "not installed here, so not measured"


def _best(book: dict[str, dict[Decimal, Decimal]]) -> Best:
    return max(book["yes"], default=Decimal(0)), 1 - max(book["no"], default=Decimal(0))
