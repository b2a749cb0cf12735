"""Finding venue objects in recorded bodies, however a recorder wrapped them.

Recordings come as whole bodies, as loose objects, as maps by ticker or inside a recorder's own record. An object is
known by its keys, so one walk over any JSON value finds them all. Of several recordings of one object the fullest is
kept, of equals the first.
"""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Harvest:
    """Every object found so far, by its venue's identifier."""

    kalshi_markets: dict[str, Json] = field(default_factory=dict)
    kalshi_events: dict[str, Json] = field(default_factory=dict)
    """By event ticker, without markets."""
    kalshi_series: dict[str, Json] = field(default_factory=dict)
    kalshi_orderbooks: dict[str, Json] = field(default_factory=dict)
    """``orderbook_fp`` by market ticker."""
    gamma_markets: dict[str, Json] = field(default_factory=dict)
    """By Gamma id, without events."""
    gamma_events: dict[str, Json] = field(default_factory=dict)
    """By event id, without markets."""
    event_of_gamma_market: dict[str, str] = field(default_factory=dict)
    clob_books: dict[str, Json] = field(default_factory=dict)
    """By token id; the newest of several."""
    kalshi_rows: list[Json] = field(default_factory=list)
    """Rows of a matching catalog, which are no venue objects."""
    polymarket_rows: list[Json] = field(default_factory=list)

    def take(self, value: Any) -> None:
        """Add what one recorded value holds."""
        if isinstance(value, dict) and "kalshi_id" in value and "title" in value:
            self.kalshi_rows.append(value)
        elif isinstance(value, dict) and "poly_id" in value and "question" in value:
            self.polymarket_rows.append(value)
        else:
            self._walk(value, ticker="", event_id="")

    def _walk(self, value: Any, *, ticker: str, event_id: str) -> None:
        if isinstance(value, list):
            for item in value:
                self._walk(item, ticker=ticker, event_id=event_id)
            return
        if not isinstance(value, dict):
            return
        ticker = _ticker_of(value) or ticker
        event_id = self._recognise(value, ticker=ticker, event_id=event_id)
        for inner in value.values():
            if isinstance(inner, dict | list):
                self._walk(inner, ticker=ticker, event_id=event_id)

    def _recognise(self, value: Json, *, ticker: str, event_id: str) -> str:
        """Keep ``value`` if it is a venue object; return the Gamma event that objects inside it belong to."""
        keys = value.keys()
        if {"ticker", "event_ticker", "rules_primary"} <= keys:
            _keep(self.kalshi_markets, value["ticker"], value)
        elif {"event_ticker", "series_ticker", "mutually_exclusive"} <= keys:
            _keep(self.kalshi_events, value["event_ticker"], _without(value, "markets"))
        elif {"ticker", "fee_type", "fee_multiplier"} <= keys:
            _keep(self.kalshi_series, value["ticker"], value)
        elif "orderbook_fp" in keys and ticker:
            self.kalshi_orderbooks.setdefault(ticker, value["orderbook_fp"])
        elif {"conditionId", "question", "outcomes"} <= keys:
            gamma_id = str(value["id"])
            _keep(self.gamma_markets, gamma_id, _without(value, "events"))
            heads = value.get("events") or []
            owner = str(heads[0]["id"]) if heads else event_id
            if owner:
                self.event_of_gamma_market[gamma_id] = owner
        elif {"id", "slug", "title", "enableOrderBook"} <= keys:
            event_id = str(value["id"])
            _keep(self.gamma_events, event_id, _without(value, "markets"))
        elif {"asset_id", "bids", "asks", "hash", "min_order_size"} <= keys:
            self._take_book(value)
        return event_id

    def _take_book(self, book: Json) -> None:
        held = self.clob_books.get(book["asset_id"])
        if held is None or int(book["timestamp"]) > int(held["timestamp"]):
            self.clob_books[book["asset_id"]] = book


def _ticker_of(value: Json) -> str:
    """The Kalshi market a recorder's own record is about: by its fields, or by the path of the recorded call."""
    for key in ("kalshi_ticker", "ticker"):
        if isinstance(value.get(key), str):
            return str(value[key])
    path = value.get("path")
    if isinstance(path, str) and path.endswith("/orderbook"):
        return path.split("/")[-2]
    return ""


def _keep(held: dict[str, Json], key: str, value: Json) -> None:
    if key not in held or len(value) > len(held[key]):
        held[key] = value


def _without(value: Json, key: str) -> Json:
    return {name: inner for name, inner in value.items() if name != key}
