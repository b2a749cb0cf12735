"""The SHA-1 fingerprint Polymarket gives each order book, recomputed from a book that changes level by level.

The venue hashes a compact JSON object of ten keys in a fixed order with ``hash`` empty, bids ascending, asks
descending and every string as sent (``generate_orderbook_summary_hash`` of py-clob-client 0.34.6 and
py-clob-client-v2 1.2.1, read 2026-11-21). The hash of a change covers the whole book after the operation, with the
message's timestamp and the market's newest trade price, padded to three decimals.

``HashedBook`` keeps one JSON fragment per level, so that a check costs one join and one SHA-1.
"""

from bisect import bisect_left
from collections.abc import Iterable
from hashlib import sha1
from typing import Protocol

import msgspec

from shared.domain.numbers import ONE_DOLLAR_E4


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
    opening = _opening(terms, timestamp, map(_fragment_of, bids), map(_fragment_of, asks))
    return sha1(b'%b%b"}' % (opening, last_trade_price.encode()), usedforsecurity=False).hexdigest()


def padded_price(price_e4: int) -> str:
    """Return a trade price as the hash writes it: at least three decimals, ``"0.430"``."""
    if not price_e4 % 10:
        return f"{price_e4 // ONE_DOLLAR_E4}.{price_e4 % ONE_DOLLAR_E4 // 10:03d}"
    return f"{price_e4 // ONE_DOLLAR_E4}.{price_e4 % ONE_DOLLAR_E4:04d}"


class SideFragments:
    """One side's levels as JSON fragments, by ascending key.

    Keys are the level's price for bids and one dollar minus it for asks, so that both sides come out worst first.
    """

    __slots__ = ("_fragments", "_keys")

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._fragments: list[str] = []

    def replace(self, levels: Iterable[tuple[int, str, str]]) -> None:
        """Hold exactly ``levels`` (key, price text, size text); of several with one key the last counts."""
        by_key = {key: _fragment(price, size) for key, price, size in levels}
        self._keys = sorted(by_key)
        self._fragments = [by_key[key] for key in self._keys]

    def set(self, key: int, price: str, size: str) -> None:
        """Put one level's new total in its place."""
        keys = self._keys
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            self._fragments[at] = _fragment(price, size)
        else:
            keys.insert(at, key)
            self._fragments.insert(at, _fragment(price, size))

    def remove(self, key: int) -> None:
        """Take one level out; nothing happens when it is not there."""
        keys = self._keys
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            del keys[at]
            del self._fragments[at]

    @property
    def fragments(self) -> list[str]:
        """The levels, worst first."""
        return self._fragments


class HashedBook:
    """A book's text, ready to be hashed at any moment for any candidate of the trade price."""

    __slots__ = ("_closing", "_head", "_terms", "asks", "bids")

    def __init__(self, terms: BookTerms) -> None:
        self.terms = terms
        self.bids = SideFragments()
        self.asks = SideFragments()

    @property
    def terms(self) -> BookTerms:
        """What the hash covers besides the levels."""
        return self._terms

    @terms.setter
    def terms(self, terms: BookTerms) -> None:
        self._terms = terms
        self._head, self._closing = _head(terms), _closing(terms)

    def matching_trade_price(self, sent_hash: str, timestamp: str, candidates: Iterable[str]) -> str | None:
        """Return the first of ``candidates`` with which the book hashes to ``sent_hash``, None when none does."""
        bids, asks = ",".join(self.bids.fragments), ",".join(self.asks.fragments)
        opening = f'{self._head}{timestamp}","hash":"","bids":[{bids}],"asks":[{asks}]{self._closing}'
        opened = sha1(opening.encode(), usedforsecurity=False)
        for last_trade_price in candidates:
            closed = opened.copy()
            closed.update(b'%b"}' % last_trade_price.encode())
            if closed.hexdigest() == sent_hash:
                return last_trade_price
        return None


def _opening(terms: BookTerms, timestamp: str, bids: Iterable[str], asks: Iterable[str]) -> bytes:
    sides = f'"hash":"","bids":[{",".join(bids)}],"asks":[{",".join(asks)}]'
    return f'{_head(terms)}{timestamp}",{sides}{_closing(terms)}'.encode()


def _head(terms: BookTerms) -> str:
    return f'{{"market":{_quoted(terms.market)},"asset_id":{_quoted(terms.asset_id)},"timestamp":"'


def _closing(terms: BookTerms) -> str:
    return (
        f',"min_order_size":"{terms.min_order_size}","tick_size":"{terms.tick_size}"'
        f',"neg_risk":{"true" if terms.neg_risk else "false"},"last_trade_price":"'
    )


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _fragment_of(level: TextLevel) -> str:
    return _fragment(level.price, level.size)


def _fragment(price: str, size: str) -> str:
    return f'{{"price":"{price}","size":"{size}"}}'
