"""Recorded frames of Polymarket's market channel: what a client of some tokens gets, and where the books end.

The recorder may have subscribed to more than our client does, and in several steps. Every client gets, of each
recording, what concerns its tokens, in recorded order; only a token's opening ``book`` is moved forward into the array
that answers the subscription, which changes nothing because nothing about its market came before it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from services.venue_sim.polymarket_text import DOLLAR_E4, last_price_text, price_e4
from services.venue_sim.recorded_files import messages_in

Json = dict[str, Any]

_HASHED = (
    *("market", "asset_id", "timestamp", "hash", "bids", "asks"),
    *("min_order_size", "tick_size", "neg_risk", "last_trade_price"),
)
"""The fields of a hashed book, in their order."""


class Event(NamedTuple):
    """One recorded object of the channel."""

    body: Json
    kind: str
    token_ids: tuple[str, ...]
    """The tokens it is about; both of a market for a ``price_change``."""

    @property
    def at_ms(self) -> int:
        """The venue's time in Unix milliseconds."""
        return int(self.body["timestamp"])

    @property
    def frame(self) -> bytes:
        """The event as a frame of its own."""
        return msgspec.json.encode(self.body)


@dataclass(frozen=True)
class Recording:
    """One connection's events in the order they came."""

    name: str
    events: tuple[Event, ...]
    asked_tokens: tuple[str, ...]
    """The tokens the recorder subscribed to, when the recording says so."""

    @classmethod
    def read(cls, path: Path) -> "Recording":
        """Read a frame file or a transcript."""
        events: list[Event] = []
        asked: list[str] = []
        for message in messages_in(path):
            if message.sent:
                asked += message.value.get("assets_ids", [])
            else:
                events += [_event(body) for body in _objects(message.value)]
        return cls(path.name, tuple(events), tuple(asked))

    def tokens_by_market(self) -> dict[str, list[str]]:
        """Return the tokens seen per condition id: those asked for first, then those with a book, then the rest."""
        seen: dict[str, list[str]] = {}
        for event in self.events:
            known = seen.setdefault(event.body["market"], [])
            known += [token for token in event.token_ids if token not in known]
        booked = [event.token_ids[0] for event in self.events if event.kind == "book"]
        order = {token: at for at, token in reversed(list(enumerate([*self.asked_tokens, *booked])))}
        return {market: sorted(tokens, key=lambda one: order.get(one, len(order))) for market, tokens in seen.items()}


class Replay(NamedTuple):
    """What one subscription is answered with."""

    opening: list[Event]
    """The books of the first array."""
    events: list[Event]
    """Everything that follows."""


def replay_for(recordings: Iterable[Recording], tokens: Sequence[str]) -> Replay:
    """Return what a client that has just subscribed to ``tokens`` is sent, recording after recording."""
    wanted = set(tokens)
    replay = Replay([], [])
    opened: set[str] = set()
    for recording in recordings:
        touched: set[str] = set()
        for event in recording.events:
            if wanted.isdisjoint(event.token_ids):
                continue
            token, market = event.token_ids[0], event.body["market"]
            if event.kind == "book" and token not in opened and market not in touched:
                opened.add(token)
                replay.opening.append(event)
                continue
            touched.add(market)
            replay.events.append(event)
        opened |= {token for event in recording.events for token in event.token_ids}
    return replay


def final_books(recordings: Iterable[Recording]) -> dict[str, Json]:
    """Return the book each token ends with, as ``GET /book`` would show it; only tokens that had a ``book``."""
    books: dict[str, Json] = {}
    prices: dict[str, list[str]] = {}
    for recording in recordings:
        for event in recording.events:
            prices.setdefault(event.body["market"], []).extend(_prices_in(event))
            if event.kind == "book":
                _replace(books, event.body)
            elif event.kind == "price_change":
                for entry in event.body["price_changes"]:
                    _change(books.get(entry["asset_id"]), entry, event.body["timestamp"])
    for book in books.values():
        _settle_last_price(book, prices[book["market"]])
    return books


def rest_hash(book: Json) -> str:
    """Return the hash of a ten-field book of texts."""
    text = msgspec.json.encode({key: "" if key == "hash" else book[key] for key in _HASHED})
    return sha1(text, usedforsecurity=False).hexdigest()


def _objects(value: Any) -> Iterator[Json]:
    for body in value if isinstance(value, list) else [value]:
        if isinstance(body, dict):  # text replies such as PONG belong to the recorder's own commands
            yield body


def _event(body: Json) -> Event:
    entries = body.get("price_changes")
    if entries is not None:
        return Event(body, body["event_type"], tuple(dict.fromkeys(entry["asset_id"] for entry in entries)))
    tokens = body.get("assets_ids") or [body["asset_id"]]
    return Event(body, body["event_type"], tuple(tokens))


def _replace(books: dict[str, Json], body: Json) -> None:
    held = books.get(body["asset_id"], {})
    books[body["asset_id"]] = {
        "market": body["market"],
        "asset_id": body["asset_id"],
        "timestamp": body["timestamp"],
        "hash": body["hash"],
        "bids": list(body["bids"]),
        "asks": list(body["asks"]),
        "min_order_size": "5",
        "tick_size": body.get("tick_size") or held.get("tick_size", "0.01"),
        "neg_risk": False,
        "last_trade_price": body.get("last_trade_price") or held.get("last_trade_price", ""),
    }


def _change(book: Json | None, entry: Json, timestamp: str) -> None:
    if book is None:
        return
    bids = entry["side"] == "BUY"
    levels = {level["price"]: level["size"] for level in book["bids" if bids else "asks"]}
    levels[entry["price"]] = entry["size"]
    kept = [{"price": price, "size": size} for price, size in levels.items() if Decimal(size)]
    book["bids" if bids else "asks"] = sorted(kept, key=lambda one: Decimal(one["price"]), reverse=not bids)
    book["timestamp"], book["hash"] = timestamp, entry["hash"]


def _prices_in(event: Event) -> list[str]:
    if event.kind == "last_trade_price":
        return [event.body["price"]]
    return [entry["price"] for entry in event.body.get("price_changes", ()) if not Decimal(entry["size"])]


def _settle_last_price(book: Json, candidates: list[str]) -> None:
    """Find the hidden parts of the final hash: neg-risk, and the last trade's price in its maker's token."""
    newest_first = list(dict.fromkeys(price_e4(text) for text in reversed(candidates)))
    texts = [last_price_text(price) for one in newest_first for price in (one, DOLLAR_E4 - one)]
    for last in (book["last_trade_price"], *texts):
        for neg_risk in (False, True):
            tried = {**book, "last_trade_price": last, "neg_risk": neg_risk}
            if rest_hash(tried) == book["hash"]:
                book.update(tried)
                return
