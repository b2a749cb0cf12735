"""One token's order book together with the reasons to believe it.

The book takes absolute sizes and is complete after every operation of the venue, not after every message: one
trade comes as several changes with one timestamp, between which the book is crossed. Each change names the top of
the book after its operation and the hash of the whole book (recorded messages of May to September 2026), so:

- ``LIVE``: the own top equals the told one and nothing is crossed; this may be quoted;
- ``HELD``: inside such a burst, or a message was missed; soon one or the other;
- ``LOST``: a message was missed; only a whole book or a matching hash heals it;
- ``AWAITING``: no book yet on this connection; ``ENDED``: the market has its result.

Hash checks are advice: they prove a book, and several misses in a row ask for a look at REST.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Literal

import msgspec

from shared.domain.book import Book, Ladder
from shared.domain.market import MarketId
from shared.domain.numbers import (
    LEVEL_PRICE_E4,
    ONE_DOLLAR_E4,
    SIZE_E6,
    NumberMemo,
    price_e4,
    price_text,
    size_text,
)
from shared.venues.polymarket.book_hash import BookTerms, HashedBook, TextLevel, padded_price
from shared.venues.polymarket.events import BookChanged

Verified = Literal["hash", "top", "rest"]

MISSES_BEFORE_RESYNC = 3
_MOST_MISSES = 4096
_CONSUMED_KEPT = 8


class Phase(Enum):
    """How far one book may be believed."""

    AWAITING = "awaiting"
    LIVE = "live"
    HELD = "held"
    LOST = "lost"
    ENDED = "ended"


class Proof(Enum):
    """What a hash check said."""

    MATCHED = "matched"
    UNDECIDED = "undecided"
    """No match yet: the hash may belong to the end of a burst that is not complete."""


class AssetTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalog knows about one token. None: not known, hashes cannot be checked until REST says it."""

    market_id: MarketId
    condition_id: str = ""
    """The market the venue must name beside this token; empty: not checked."""
    min_order_size: str | None = None
    tick_size: str | None = None
    neg_risk: bool | None = None


class SideRefused(ValueError):
    """A change was for neither side of the book."""


def _top_e4(text: str) -> int:
    return price_e4(text) if text else 0


_TOP_E4 = NumberMemo(_top_e4)


def _texts(ladder: Ladder, price_of: Callable[[int], int]) -> list[tuple[int, str, str]]:
    """Return a ladder's levels as the venue writes them, without trailing zeros."""
    return [(key, price_text(price_of(key)), size_text(size_e6)) for key, size_e6 in ladder.sizes_e6.items()]


class AssetBook:
    """The state of one token's book, in that token's own terms; its asks are kept as bids of the other outcome."""

    __slots__ = (
        "_consumed_e4",
        "_hashed",
        "_last_trade_price",
        "_newest_trade_e4",
        "_told_hash",
        "book",
        "changed",
        "is_doubted",
        "is_proving",
        "is_queued",
        "is_said_missing",
        "is_streamed",
        "misses",
        "misses_allowed",
        "phase",
        "received_ts_ns",
        "terms",
        "timestamp",
        "token_id",
        "ts_ms",
        "undecided_ts_ms",
        "updates",
        "verified",
    )

    def __init__(self, token_id: str, terms: AssetTerms) -> None:
        self.token_id = token_id
        self.terms = terms
        self.changed = BookChanged(terms.market_id)
        self.updates = 0
        self.misses_allowed = MISSES_BEFORE_RESYNC
        self.forget(Phase.AWAITING)

    def forget(self, phase: Phase) -> None:
        """Drop everything said on the connection so far."""
        self.phase = phase
        self.book = Book()
        self.ts_ms = 0
        self.timestamp = ""
        self.received_ts_ns = 0
        self.verified: Verified = "top"
        self.is_doubted = False
        """Whether the newest hash did not match after hashes that did: a message is on its way, or was missed."""
        self.is_proving = False
        """Whether the last hash that could be decided matched."""
        self.is_queued = False
        self.is_said_missing = False
        self.is_streamed = False
        self.misses = 0
        self.undecided_ts_ms = 0
        self._told_hash: str | None = None
        self._hashed: HashedBook | None = None
        self._last_trade_price: str | None = None
        self._newest_trade_e4: int | None = None
        self._consumed_e4: list[int] = []

    @property
    def is_checkable(self) -> bool:
        """Whether the newest message carried a hash and everything it covers is known."""
        return self._hashed is not None and self._told_hash is not None

    def is_proved_by(self, sent_hash: str | None, ts_ms: int) -> bool:
        """Whether the book already has this hash at this time, so that the same book sent whole says nothing new."""
        return (
            self.verified == "hash" and ts_ms == self.ts_ms and sent_hash is not None and sent_hash == self._told_hash
        )

    @property
    def is_crossed_or_locked(self) -> bool:
        """Whether the best bid reaches the best ask, which no operation of the venue leaves behind."""
        return self.book.yes_bids.best_e4 + self.book.no_bids.best_e4 >= ONE_DOLLAR_E4

    def learn(self, terms: AssetTerms, *, last_trade_price: str | None = None) -> None:
        """Take over better knowledge of the market, from which on hashes can be checked."""
        self.terms = terms
        if last_trade_price is not None:
            self._last_trade_price = last_trade_price
        if self._hashed is None and self.phase is Phase.LIVE:
            self._hashed = self._new_hashed_book()
            if self._hashed is not None:
                self._hashed.bids.replace(_texts(self.book.yes_bids, lambda key: key))
                self._hashed.asks.replace(_texts(self.book.no_bids, lambda key: ONE_DOLLAR_E4 - key))

    def learn_tick_size(self, tick_size: str) -> None:
        """Take over a new price step, which every hash from now on covers."""
        self.terms = msgspec.structs.replace(self.terms, tick_size=tick_size)
        if self._hashed is not None:
            self._hashed.terms = msgspec.structs.replace(self._hashed.terms, tick_size=tick_size)

    def learn_trade(self, price: str) -> None:
        """Remember the newest trade's price: a candidate for the one inside the hash.

        Raises NumberRefused.
        """
        self._newest_trade_e4 = LEVEL_PRICE_E4[price]

    def replace(
        self,
        bids: Iterable[TextLevel],
        asks: Iterable[TextLevel],
        *,
        timestamp: str,
        ts_ms: int,
        sent_hash: str | None,
    ) -> None:
        """Hold exactly these levels, in any order; the phase is the caller's business.

        Raises NumberRefused, and then nothing has changed.
        """
        bid_levels = [(LEVEL_PRICE_E4[level.price], SIZE_E6[level.size], level) for level in bids]
        ask_levels = [(ONE_DOLLAR_E4 - LEVEL_PRICE_E4[level.price], SIZE_E6[level.size], level) for level in asks]
        self.book.yes_bids.replace((key, size_e6) for key, size_e6, _ in bid_levels)
        self.book.no_bids.replace((key, size_e6) for key, size_e6, _ in ask_levels)
        self._hashed = hashed = self._new_hashed_book()
        if hashed is not None:
            hashed.bids.replace((key, level.price, level.size) for key, size_e6, level in bid_levels if size_e6)
            hashed.asks.replace((key, level.price, level.size) for key, size_e6, level in ask_levels if size_e6)
        self._told_hash = sent_hash
        self.timestamp = timestamp
        self.ts_ms = ts_ms

    def change(self, price: str, size: str, side: str) -> None:
        """Make one level hold ``size`` shares in all.

        Raises NumberRefused or SideRefused, and then nothing has changed.
        """
        key = LEVEL_PRICE_E4[price]
        size_e6 = SIZE_E6[size]
        hashed = self._hashed
        if side == "BUY":
            ladder = self.book.yes_bids
        elif side == "SELL":
            ladder = self.book.no_bids
            key = ONE_DOLLAR_E4 - key
        else:
            return self._change_on_odd_side(price, size, side)
        if hashed is None:
            return ladder.set(key, size_e6)
        if size_e6 < ladder.sizes_e6.get(key, 0):
            self._note_consumed(price)
        ladder.set(key, size_e6)
        fragments = hashed.bids if side == "BUY" else hashed.asks
        if size_e6:
            return fragments.set(key, price, size)
        return fragments.remove(key)

    def told(self, best_bid: str | None, best_ask: str | None, sent_hash: str | None, timestamp: str) -> bool:
        """Take over what a change says about the book after its operation; nothing told means an empty side.

        Return whether the own top is the told one and not crossed: whether the operation is complete.
        Raises NumberRefused.
        """
        told_bid_e4 = _TOP_E4[best_bid or ""]
        told_ask_e4 = _TOP_E4[best_ask or ""] or ONE_DOLLAR_E4
        self._told_hash = sent_hash
        self.timestamp = timestamp
        book = self.book
        bid_e4 = book.yes_bids.best_e4
        ask_e4 = ONE_DOLLAR_E4 - book.no_bids.best_e4
        return bid_e4 == told_bid_e4 and ask_e4 == told_ask_e4 and bid_e4 < ask_e4

    def prove(self) -> Proof:
        """Compare the newest hash with the book, trying every trade price the venue may have meant."""
        assert self._hashed is not None
        assert self._told_hash is not None
        found = self._hashed.matching_trade_price(self._told_hash, self.timestamp, self._trade_prices())
        if found is None:
            return Proof.UNDECIDED
        self._last_trade_price = found
        self._newest_trade_e4 = None
        self._consumed_e4.clear()
        self.misses_allowed = MISSES_BEFORE_RESYNC
        return Proof.MATCHED

    def holds(self, bids: Iterable[TextLevel], asks: Iterable[TextLevel]) -> bool:
        """Return whether the book has exactly these levels.

        Raises NumberRefused.
        """
        bids_e = {LEVEL_PRICE_E4[level.price]: SIZE_E6[level.size] for level in bids}
        asks_e = {ONE_DOLLAR_E4 - LEVEL_PRICE_E4[level.price]: SIZE_E6[level.size] for level in asks}
        return bids_e == self.book.yes_bids.sizes_e6 and asks_e == self.book.no_bids.sizes_e6

    def forgive_misses(self) -> None:
        """The book was right although its hashes were not: ask half as often from now on, until one matches."""
        if self.misses >= self.misses_allowed:
            self.misses_allowed = min(2 * self.misses_allowed, _MOST_MISSES)
        self.misses = 0
        self.undecided_ts_ms = 0

    def _change_on_odd_side(self, price: str, size: str, side: str) -> None:
        usual = side.upper()
        if usual == side or usual not in ("BUY", "SELL"):
            raise SideRefused(side)
        self.change(price, size, usual)

    def _note_consumed(self, price: str) -> None:
        self._consumed_e4.append(LEVEL_PRICE_E4[price])
        if len(self._consumed_e4) > _CONSUMED_KEPT:
            del self._consumed_e4[0]

    def _new_hashed_book(self) -> HashedBook | None:
        terms = self.terms
        if terms.min_order_size is None or terms.tick_size is None or terms.neg_risk is None or not terms.condition_id:
            return None
        return HashedBook(
            BookTerms(
                market=terms.condition_id,
                asset_id=self.token_id,
                min_order_size=terms.min_order_size,
                tick_size=terms.tick_size,
                neg_risk=terms.neg_risk,
            )
        )

    def _trade_prices(self) -> Iterator[str]:
        """Yield what the hash's trade price may be: as before, the newest trade's, a consumed order's.

        It is the price of the last maker order consumed, on that maker's own token, hence the complements.
        """
        if self._last_trade_price is not None:
            yield self._last_trade_price
        newest = [] if self._newest_trade_e4 is None else [self._newest_trade_e4]
        for traded_e4 in dict.fromkeys([*newest, *reversed(self._consumed_e4)]):
            yield padded_price(traded_e4)
            yield padded_price(ONE_DOLLAR_E4 - traded_e4)
