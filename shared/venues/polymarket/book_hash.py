"""The SHA-1 fingerprint Polymarket gives each order book, recomputed from a book that changes level by level.

The venue hashes a compact JSON object of ten keys in a fixed order with ``hash`` empty, bids ascending, asks
descending and every string as sent (``generate_orderbook_summary_hash`` of py-clob-client 0.34.6 and
py-clob-client-v2 1.2.1, read 2026-11-21). The hash of a change covers the whole book after the operation, with the
message's timestamp and the market's newest trade price, padded to three decimals.

``BookText`` keeps one text per level, so that a check costs one join, of the side that changed, and one SHA-1.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from hashlib import sha1
from typing import Protocol

import msgspec

from shared.domain.numbers import ONE_DOLLAR_E4
from shared.venues.polymarket.levels import level_text, side_json

_sha1 = partial(sha1, usedforsecurity=False)


class BookTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a book's hash covers besides its levels, as the venue writes it."""

    market: str
    asset_id: str
    min_order_size: str
    tick_size: str
    neg_risk: bool


class TextLevel(Protocol):
    """A level in the venue's own text."""

    @property
    def price(self) -> str:
        """Dollars."""

    @property
    def size(self) -> str:
        """Shares."""


def book_hash(
    terms: BookTerms,
    *,
    timestamp: str,
    bids: Iterable[TextLevel],
    asks: Iterable[TextLevel],
    last_trade_price: str,
) -> str:
    """Return the hash of a book as sent: levels worst first, every text untouched."""
    sides = [side_json([level_text(level.price, level.size) for level in side]) for side in (bids, asks)]
    opening = f'{_head(terms)}{timestamp}","hash":"","bids":{sides[0]},"asks":{sides[1]}{_closing(terms)}'
    return _sha1(f'{opening}{last_trade_price}"}}'.encode()).hexdigest()


def padded_price(price_e4: int) -> str:
    """Return a trade price as the hash writes it: at least three decimals, ``"0.430"``."""
    if not price_e4 % 10:
        return f"{price_e4 // ONE_DOLLAR_E4}.{price_e4 % ONE_DOLLAR_E4 // 10:03d}"
    return f"{price_e4 // ONE_DOLLAR_E4}.{price_e4 % ONE_DOLLAR_E4:04d}"


class SideTexts:
    """One side's levels as text, by ascending key.

    Keys are the level's price for bids and one dollar minus it for asks, so that both sides come out worst first.
    """

    __slots__ = ("_json", "_keys", "_texts")

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._texts: list[str] = []
        self._json = ""

    def replace(self, by_key: Mapping[int, str]) -> None:
        """Hold exactly these levels."""
        self._keys = sorted(by_key)
        self._texts = [by_key[key] for key in self._keys]
        self._json = ""

    def set(self, key: int, text: str) -> None:
        """Put one level's new total in its place."""
        keys = self._keys
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            self._texts[at] = text
        else:
            keys.insert(at, key)
            self._texts.insert(at, text)
        self._json = ""

    def remove(self, key: int) -> None:
        """Take one level out; nothing happens when it is not there."""
        keys = self._keys
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            del keys[at]
            del self._texts[at]
            self._json = ""

    def json(self) -> str:
        """Return the levels as the venue writes them, worst first; joined anew only after a change."""
        if not self._json:
            self._json = side_json(self._texts)
        return self._json

    def is_written(self, side: msgspec.Raw) -> bool:
        """Return whether the venue wrote exactly these levels."""
        return bytes(side) == self.json().encode()


class BookText:
    """A book as the venue writes it, ready to be hashed at any moment for any candidate of the trade price."""

    __slots__ = ("_closing", "_head", "asks", "bids", "is_hashable")

    def __init__(self) -> None:
        self.bids = SideTexts()
        self.asks = SideTexts()
        self.know(None)

    def know(self, terms: BookTerms | None) -> None:
        """Take over what the hash covers besides the levels; None: not known, and there is nothing to hash."""
        self.is_hashable = terms is not None
        self._head, self._closing = (_head(terms), _closing(terms)) if terms is not None else ("", "")

    def matching_trade_price(self, sent_hash: str, ts_ms: int, candidates: Iterator[str]) -> str | None:
        """Return the first of ``candidates`` with which the book hashes to ``sent_hash``, None when none does."""
        assert self.is_hashable
        bids, asks = self.bids.json(), self.asks.json()
        opening = f'{self._head}{ts_ms}","hash":"","bids":{bids},"asks":{asks}{self._closing}'
        likeliest = next(candidates, None)
        if likeliest is None or _sha1(f'{opening}{likeliest}"}}'.encode()).hexdigest() == sent_hash:
            return likeliest
        opened = _sha1(opening.encode())
        for last_trade_price in candidates:
            closed = opened.copy()
            closed.update(f'{last_trade_price}"}}'.encode())
            if closed.hexdigest() == sent_hash:
                return last_trade_price
        return None


def _head(terms: BookTerms) -> str:
    return f'{{"market":{_quoted(terms.market)},"asset_id":{_quoted(terms.asset_id)},"timestamp":"'


def _closing(terms: BookTerms) -> str:
    return (
        f',"min_order_size":"{terms.min_order_size}","tick_size":"{terms.tick_size}"'
        f',"neg_risk":{"true" if terms.neg_risk else "false"},"last_trade_price":"'
    )


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
