"""Writing a ``Quote`` without building one: the same bytes as msgspec writes, from ladders of scaled integers.

A feed writes tens of thousands of quotes each second, and most of a new quote's levels were in an older one. So a
level's text is made once, a side is those texts joined, and the JSON of a side and the text under its checksum differ
only in what stands between.
"""

from collections.abc import Iterable
from zlib import crc32

from shared.contracts.json_text import json_text, json_texts
from shared.domain.book import LevelE
from shared.domain.memo import Memo
from shared.domain.numbers import ONE_DOLLAR_E4, price_text, size_text


class QuoteWriter:
    """Writes the quotes of one venue for one writing process."""

    def __init__(self, *, src: str, epoch: str, venue: str) -> None:
        self._head = f'{{"type":"quote","v":1,"src":{json_text(src)},"epoch":{json_text(epoch)},"pseq":'
        self._venue = f',"venue":{json_text(venue)},"market_id":'
        self._bids = _level_texts(mirrored=False)
        self._asks = _level_texts(mirrored=True)
        self._names = json_texts()

    def body(
        self,
        market_id: str,
        yes_bids: Iterable[LevelE],
        no_bids: Iterable[LevelE],
        *,
        venue_ts_ms: int,
        received_ts_ns: int,
        published_ts_ns: int,
        verified: str,
        connection: str,
        sequence: int,
    ) -> str:
        """Return everything of a quote but what its stream adds; both ladders best first, NO bids as NO prices."""
        bids = [self._bids[level] for level in yes_bids]
        asks = [self._asks[level] for level in no_bids]
        checksum = crc32(f"{','.join(bids)}|{','.join(asks)}".encode())
        names = self._names
        return (
            f'{self._venue}{names[market_id]},"yes_bids":{_side(bids)},"yes_asks":{_side(asks)}'
            f',"venue_ts_ms":{venue_ts_ms},"received_ts_ns":{received_ts_ns},"published_ts_ns":{published_ts_ns}'
            f',"verified":"{verified}","connection":{names[connection]},"sequence":{sequence},"checksum":{checksum}}}'
        )

    def message(self, pseq: int, body: str) -> bytes:
        """Return the whole message as it stands on one stream."""
        return f"{self._head}{pseq}{body}".encode()


def _level_texts(*, mirrored: bool) -> Memo[LevelE, str]:
    """Return a table of ``price:size`` by level; ``mirrored`` writes one dollar less the price."""
    heads: Memo[int, str] = Memo(lambda price_e4: f"{price_text(ONE_DOLLAR_E4 - price_e4 if mirrored else price_e4)}:")
    return Memo(lambda level: heads[level[0]] + size_text(level[1]))


def _side(levels: list[str]) -> str:
    """Return ``price:size`` texts, which hold nothing but digits and points, as a list of pairs of strings."""
    if not levels:
        return "[]"
    pairs = '"],["'.join(levels).replace(":", '","')
    return f'[["{pairs}"]]'
