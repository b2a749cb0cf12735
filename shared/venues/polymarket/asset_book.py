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

from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Literal

import msgspec

from shared.domain.book import Book
from shared.domain.market import MarketId
from shared.domain.memo import Memo
from shared.domain.numbers import LEVEL_PRICE_E4, ONE_DOLLAR_E4, SIZE_E6, price_e4
from shared.venues.polymarket.book_hash import BookTerms, BookText, padded_price
from shared.venues.polymarket.events import BookChanged
from shared.venues.polymarket.levels import Side, keyed_asks, keyed_bids, read_asks, read_bids

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


def _best_bid_e4(text: str) -> int:
    return price_e4(text) if text else 0


def _best_no_bid_e4(text: str) -> int:
    """Return what a best ask is as the bid for the other outcome; nothing, 0 and 1 dollar all mean no ask."""
    return (ONE_DOLLAR_E4 - (_best_bid_e4(text) or ONE_DOLLAR_E4)) if text else 0


_BEST_BID_E4 = Memo(_best_bid_e4)
_BEST_NO_BID_E4 = Memo(_best_no_bid_e4)


class AssetBook:
    """The state of one token's book, in that token's own terms; its asks are kept as bids of the other outcome."""

    __slots__ = (
        "_bids",
        "_consumed_e4",
        "_is_contradicted",
        "_last_trade_price",
        "_newest_trade_e4",
        "_no_bids",
        "_text",
        "_told_ask",
        "_told_bid",
        "_told_bid_e4",
        "_told_hash",
        "_told_no_bid_e4",
        "book",
        "changed",
        "has_book",
        "is_doubted",
        "is_excused",
        "is_proving",
        "is_queued",
        "is_said_missing",
        "is_streamed",
        "misses",
        "misses_allowed",
        "needs_rest",
        "phase",
        "received_ts_ns",
        "terms",
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
        self._bids = self.book.yes_bids
        self._no_bids = self.book.no_bids
        self.has_book = False
        """Whether changes can be applied: a whole book came since."""
        self.ts_ms = 0
        self.received_ts_ns = 0
        self.verified: Verified = "top"
        self.is_doubted = False
        """Whether the newest hash did not match after hashes that did: a message is on its way, or was missed."""
        self.needs_rest = False
        """Whether the doubt is about a whole book, which may be the other token's: time alone does not end it."""
        self.is_excused = False
        """Whether REST had the same book since the last hash that matched: right books have wrong hashes."""
        self.is_proving = False
        """Whether the last hash that could be decided matched."""
        self.is_queued = False
        self.is_said_missing = False
        self.is_streamed = False
        self.misses = 0
        self.undecided_ts_ms = 0
        self._told_hash: str | None = None
        self._told_bid: str | None = None
        self._told_bid_e4 = 0
        self._told_ask: str | None = None
        self._told_no_bid_e4 = 0
        self._is_contradicted = False
        self._text = BookText()
        self._text.know(self._book_terms())
        self._last_trade_price: str | None = None
        self._newest_trade_e4: int | None = None
        self._consumed_e4: deque[int] = deque(maxlen=_CONSUMED_KEPT)

    @property
    def is_checkable(self) -> bool:
        """Whether the newest message carried a hash and everything it covers is known."""
        return self._told_hash is not None and self._text.is_hashable

    def is_proved_by(self, sent_hash: str | None, ts_ms: int) -> bool:
        """Whether the book already has this hash at this time, so that the same book sent whole says nothing new."""
        return (
            self.verified == "hash" and ts_ms == self.ts_ms and sent_hash is not None and sent_hash == self._told_hash
        )

    @property
    def is_crossed_or_locked(self) -> bool:
        """Whether the best bid reaches the best ask, which no operation of the venue leaves behind."""
        return self._bids.best_e4 + self._no_bids.best_e4 >= ONE_DOLLAR_E4

    def learn(self, terms: AssetTerms, *, last_trade_price: str | None = None) -> None:
        """Take over better knowledge of the market, from which on hashes can be checked."""
        self.terms = terms
        self._text.know(self._book_terms())
        if last_trade_price is not None:
            self._last_trade_price = last_trade_price

    def learn_tick_size(self, tick_size: str) -> None:
        """Take over a new price step, which every hash from now on covers."""
        self.learn(msgspec.structs.replace(self.terms, tick_size=tick_size))

    def learn_trade(self, price: str) -> None:
        """Remember the newest trade's price: a candidate for the one inside the hash.

        Raises NumberRefused.
        """
        self._newest_trade_e4 = LEVEL_PRICE_E4[price]

    def replace(self, bids: msgspec.Raw, asks: msgspec.Raw, *, ts_ms: int, sent_hash: str | None) -> None:
        """Hold exactly these levels; the phase is the caller's business.

        Raises NumberRefused, or FrameRefused when the sides are no lists of levels; then nothing has changed.
        """
        text = self._text
        new_bids = None if text.bids.is_written(bids) else read_bids(bids)
        new_asks = None if text.asks.is_written(asks) else read_asks(asks)
        if new_bids is not None:
            self._bids.hold(new_bids.sizes_e6)
            text.bids.replace(keyed_bids(new_bids))
        if new_asks is not None:
            self._no_bids.hold(new_asks.sizes_e6)
            text.asks.replace(keyed_asks(new_asks))
        self._told_hash = sent_hash
        self._is_contradicted = False
        self.has_book = True
        self.ts_ms = ts_ms

    def change(self, price: str, size: str, side: str) -> None:
        """Make one level hold ``size`` shares in all.

        Raises NumberRefused or SideRefused, and then nothing has changed.
        """
        price_e4 = key = LEVEL_PRICE_E4[price]
        size_e6 = SIZE_E6[size]
        if side == "BUY":
            ladder, texts = self._bids, self._text.bids
        elif side == "SELL":
            ladder, texts = self._no_bids, self._text.asks
            key = ONE_DOLLAR_E4 - price_e4
        else:
            return self._change_on_odd_side(price, size, side)
        if size_e6 < ladder.sizes_e6.get(key, 0):
            self._consumed_e4.append(price_e4)
        if size_e6:
            texts.set(key, f'{price}","size":"{size}')
        else:
            texts.remove(key)
        return ladder.set(key, size_e6)

    def told(self, best_bid: str | None, best_ask: str | None, sent_hash: str | None) -> bool:
        """Take over what a change says about the book after its operation; nothing told means an empty side.

        Return whether the own top is the told one and not crossed: whether the operation is complete.
        Raises NumberRefused.
        """
        if best_bid != self._told_bid:
            self._told_bid_e4 = _BEST_BID_E4[best_bid or ""]
            self._told_bid = best_bid
        if best_ask != self._told_ask:
            self._told_no_bid_e4 = _BEST_NO_BID_E4[best_ask or ""]
            self._told_ask = best_ask
        self._told_hash = sent_hash
        bid_e4 = self._bids.best_e4
        no_bid_e4 = self._no_bids.best_e4
        if bid_e4 == self._told_bid_e4 and no_bid_e4 == self._told_no_bid_e4 and bid_e4 + no_bid_e4 < ONE_DOLLAR_E4:
            self._is_contradicted = False
            return True
        self._is_contradicted = bool(best_bid and best_ask)
        return False

    def prove(self) -> bool:
        """Return whether the newest hash is the book's, trying every trade price the venue may have meant.

        False decides nothing yet: the hash may belong to the end of a burst that is not complete. A book that has
        another top than the one told with the hash cannot be the hashed one, so that is not computed.
        """
        assert self._told_hash is not None
        if self._is_contradicted:
            return False
        found = self._text.matching_trade_price(self._told_hash, self.ts_ms, self._trade_prices())
        if found is None:
            return False
        self._last_trade_price = found
        self._newest_trade_e4 = None
        self._consumed_e4.clear()
        self.is_excused = False
        self.misses_allowed = MISSES_BEFORE_RESYNC
        return True

    def holds(self, bids: Side, asks: Side) -> bool:
        """Return whether the book has exactly these levels."""
        return bids.sizes_e6 == self._bids.sizes_e6 and asks.sizes_e6 == self._no_bids.sizes_e6

    def forgive_misses(self) -> None:
        """The book was right although its hashes were not: ask half as often from now on, until one matches."""
        if self.misses >= self.misses_allowed:
            self.misses_allowed = min(2 * self.misses_allowed, _MOST_MISSES)
        self.is_excused = self.is_excused or self.is_doubted or self.misses > 0
        self.misses = 0
        self.undecided_ts_ms = 0

    def _change_on_odd_side(self, price: str, size: str, side: str) -> None:
        usual = side.upper()
        if usual == side or usual not in ("BUY", "SELL"):
            raise SideRefused(side)
        self.change(price, size, usual)

    def _book_terms(self) -> BookTerms | None:
        terms = self.terms
        if terms.min_order_size is None or terms.tick_size is None or terms.neg_risk is None or not terms.condition_id:
            return None
        return BookTerms(
            market=terms.condition_id,
            asset_id=self.token_id,
            min_order_size=terms.min_order_size,
            tick_size=terms.tick_size,
            neg_risk=terms.neg_risk,
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
