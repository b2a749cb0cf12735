"""Writing a ``Quote`` without building one: the same bytes as msgspec writes, from ladders of scaled integers.

A feed writes tens of thousands of quotes each second, and most of a new quote's levels were in an older one. So a
level's text is made once, a side is those texts joined, and the JSON of a side and the text under its checksum differ
only in what stands between.
"""

from collections.abc import Iterable
from zlib import crc32

import msgspec

from shared.domain.book import LevelE
from shared.domain.numbers import ONE_DOLLAR_E4, price_text, size_text

_LEVELS_KEPT = 65_536
_NAMES_KEPT = 65_536


class QuoteWriter:
    """Writes the quotes of one venue for one writing process."""

    def __init__(self, *, src: str, epoch: str, venue: str) -> None:
        self._head = f'{{"type":"quote","v":1,"src":{_json(src)},"epoch":{_json(epoch)},"pseq":'
        self._venue = f',"venue":{_json(venue)},"market_id":'
        self._bids = _LevelTexts(mirrored=False)
        self._asks = _LevelTexts(mirrored=True)
        self._names = _Names()

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


class _LevelTexts(dict[LevelE, str]):
    """``price:size`` of a level, made when it is first asked for; ``mirrored`` writes one dollar less the price."""

    def __init__(self, *, mirrored: bool) -> None:
        super().__init__()
        self._heads = _PriceHeads(mirrored=mirrored)

    def __missing__(self, level: LevelE) -> str:
        if len(self) >= _LEVELS_KEPT:
            self.clear()
        price_e4, size_e6 = level
        text = self[level] = self._heads[price_e4] + size_text(size_e6)
        return text


class _PriceHeads(dict[int, str]):
    """``price:`` of a level, for the ten thousand prices there are."""

    def __init__(self, *, mirrored: bool) -> None:
        super().__init__()
        self._mirrored = mirrored

    def __missing__(self, price_e4: int) -> str:
        shown_e4 = ONE_DOLLAR_E4 - price_e4 if self._mirrored else price_e4
        text = self[price_e4] = f"{price_text(shown_e4)}:"
        return text


class _Names(dict[str, str]):
    """JSON strings of market ids and connections, made when first asked for."""

    def __missing__(self, name: str) -> str:
        if len(self) >= _NAMES_KEPT:
            self.clear()
        text = self[name] = _json(name)
        return text


def _side(levels: list[str]) -> str:
    """Return ``price:size`` texts, which hold nothing but digits and points, as a list of pairs of strings."""
    if not levels:
        return "[]"
    pairs = '"],["'.join(levels).replace(":", '","')
    return f'[["{pairs}"]]'


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
