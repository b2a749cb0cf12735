"""A market's two mirrored books as Polymarket writes them, with the hash of each after every change.

The hash is the SHA-1 of the whole book as compact JSON with its own ``hash`` empty, keys in the order market,
asset_id, timestamp, hash, bids, asks, min_order_size, tick_size, neg_risk, last_trade_price, levels worst first
(``generate_orderbook_summary_hash`` in py-clob-client 0.34.6 and py-clob-client-v2 1.2.1, read 2026-11-21; confirmed
on recorded messages for both tokens). The NO book is the exact mirror of the YES book, so one ladder serves both
tokens: each level is kept as two ready fragments of text, and the joined text of a side is kept until that side
changes. Thousands of changes a second can so be hashed.
"""

from bisect import bisect_left
from collections.abc import Iterable
from hashlib import sha1

from services.venue_sim.engine import Side
from services.venue_sim.markets import PolymarketMarket
from services.venue_sim.polymarket_text import DOLLAR_E4, last_price_text, price_text, size_text


class MirroredBook:
    """Both tokens' books of one market; token index 0 is YES.

    ``last_price_e4`` is the newest trade's price in its maker's own token, or None before the first trade: it is one
    value per market and part of both hashes.
    """

    __slots__ = (
        "_asks",
        "_bids",
        "_heads",
        "last_price_e4",
        "market",
        "min_size_e6",
        "neg_risk",
        "tick_e4",
        "token_ids",
    )

    def __init__(
        self, market: str, token_ids: tuple[str, str], *, min_size_e6: int, tick_e4: int, neg_risk: bool
    ) -> None:
        self.market = market
        self.token_ids = token_ids
        self.min_size_e6 = min_size_e6
        self.neg_risk = neg_risk
        self.last_price_e4: int | None = None
        self.tick_e4 = tick_e4
        self._bids = _Side(sign=1)
        self._asks = _Side(sign=-1)
        self._heads = tuple(f'{{"market":"{market}","asset_id":"{token}","timestamp":"' for token in token_ids)

    def set_level(self, side: Side, price_e4: int, size_e6: int) -> None:
        """Make one level of the YES book hold ``size_e6``; zero removes it. The NO book follows."""
        (self._bids if side == "bid" else self._asks).set_level(price_e4, size_e6)

    def load(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> None:
        """Forget every level and hold these, given as (price_e4, size_e6) of the YES book in any order."""
        self._bids = _Side(sign=1)
        self._asks = _Side(sign=-1)
        for price_e4, size_e6 in bids:
            self._bids.set_level(price_e4, size_e6)
        for price_e4, size_e6 in asks:
            self._asks.set_level(price_e4, size_e6)

    def bests_e4(self, token: int) -> tuple[int, int]:
        """Return best bid and ask of one token's book; an empty side is 0 for a bid and one dollar for an ask.

        What the venue shows for an empty side is not known; these two are each other's mirror.
        """
        bid_e4, ask_e4 = self._bids.best_e4(0), self._asks.best_e4(DOLLAR_E4)
        return (DOLLAR_E4 - ask_e4, DOLLAR_E4 - bid_e4) if token else (bid_e4, ask_e4)

    def best_texts(self, token: int) -> tuple[str, str]:
        """Return ``bests_e4`` as the venue writes prices: ``0`` and ``1`` stand for empty sides."""
        bid_e4, ask_e4 = self.bests_e4(token)
        return price_text(bid_e4), price_text(ask_e4)

    def sides_json(self, token: int) -> tuple[str, str]:
        """Return bids and asks of one token as the insides of JSON arrays, worst level first."""
        if token:
            return self._asks.text(1), self._bids.text(1)
        return self._bids.text(0), self._asks.text(0)

    def levels_json(self, token: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """Return bids and asks of one token as lists of objects, worst level first."""
        own = self._objects("bid", token), self._objects("ask", token)
        return (own[1], own[0]) if token else own

    def _objects(self, side: Side, token: int) -> list[dict[str, str]]:
        levels = reversed(self.levels(side))
        priced = ((DOLLAR_E4 - price_e4 if token else price_e4, size_e6) for price_e4, size_e6 in levels)
        return [{"price": price_text(price_e4), "size": size_text(size_e6)} for price_e4, size_e6 in priced]

    def hash(self, token: int, at_ms: int) -> str:
        """Return the hash of one token's book as of ``at_ms`` (Unix milliseconds)."""
        bids, asks = self.sides_json(token)
        neg_risk = "true" if self.neg_risk else "false"
        text = (
            f'{self._heads[token]}{at_ms}","hash":"","bids":[{bids}],"asks":[{asks}]'
            f',"min_order_size":"{size_text(self.min_size_e6)}","tick_size":"{price_text(self.tick_e4)}"'
            f',"neg_risk":{neg_risk},"last_trade_price":"{last_price_text(self.last_price_e4)}"}}'
        )
        return sha1(text.encode(), usedforsecurity=False).hexdigest()

    def hashes(self, at_ms: int) -> tuple[str, str]:
        """Return the hashes of the YES and the NO book as of ``at_ms``."""
        return self.hash(0, at_ms), self.hash(1, at_ms)

    def levels(self, side: Side) -> list[tuple[int, int]]:
        """Return one side of the YES book as (price_e4, size_e6), best first."""
        return (self._bids if side == "bid" else self._asks).best_first()


def mirrored(market: PolymarketMarket) -> MirroredBook:
    """Return the venue's own view of a market's books as they are now."""
    book = MirroredBook(
        market.market_id,
        market.token_ids,
        min_size_e6=market.min_contracts_e6,
        tick_e4=market.tick_e4,
        neg_risk=market.event.neg_risk,
    )
    book.load(market.book.bids(), market.book.asks())
    book.last_price_e4 = market.last_price_e4 or None
    return book


class _Side:
    """One side of the YES book, worst level first, with the text of every level for both tokens.

    Worst first means bids ascending and asks descending, so asks are sorted by their negated price. The mirrored
    side runs the other way in price and therefore the same way here.
    """

    __slots__ = ("_fragments", "_joined", "_keys", "_sign", "_sizes_e6")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[int] = []
        self._sizes_e6: list[int] = []
        self._fragments: tuple[list[str], list[str]] = ([], [])
        self._joined: list[str | None] = ["", ""]

    def set_level(self, price_e4: int, size_e6: int) -> None:
        assert 0 < price_e4 < DOLLAR_E4, price_e4
        assert size_e6 >= 0, size_e6
        key = price_e4 * self._sign
        at = bisect_left(self._keys, key)
        held = at < len(self._keys) and self._keys[at] == key
        if not size_e6 and not held:
            return
        self._joined = [None, None]
        if not size_e6:
            for column in (self._keys, self._sizes_e6, *self._fragments):
                del column[at]
            return
        size = size_text(size_e6)
        texts = (_fragment(price_e4, size), _fragment(DOLLAR_E4 - price_e4, size))
        if held:
            self._sizes_e6[at] = size_e6
            self._fragments[0][at], self._fragments[1][at] = texts
            return
        self._keys.insert(at, key)
        self._sizes_e6.insert(at, size_e6)
        self._fragments[0].insert(at, texts[0])
        self._fragments[1].insert(at, texts[1])

    def best_e4(self, when_empty_e4: int) -> int:
        return self._keys[-1] * self._sign if self._keys else when_empty_e4

    def text(self, token: int) -> str:
        joined = self._joined[token]
        if joined is None:
            joined = self._joined[token] = ",".join(self._fragments[token])
        return joined

    def best_first(self) -> list[tuple[int, int]]:
        pairs = zip(reversed(self._keys), reversed(self._sizes_e6), strict=True)
        return [(key * self._sign, size_e6) for key, size_e6 in pairs]


def _fragment(price_e4: int, size: str) -> str:
    return f'{{"price":"{price_text(price_e4)}","size":"{size}"}}'
