"""One side of a book: from the venue's text to integers in one step, and as text again for the book's hash.

The venue writes ``[{"price":"0.42","size":"7"}, ...]`` without spaces. Nearly every level of a new book stood in the
last one too, so a level's own text, ``0.42","size":"7``, is looked up and not parsed; each distinct text passes the
number gate once. What is written in any other way is read field by field and put into this form first.
"""

import re

import msgspec

from shared.domain.book import LevelE
from shared.domain.memo import Memo
from shared.domain.numbers import LEVEL_PRICE_E4, ONE_DOLLAR_E4, SIZE_E6
from shared.venues.polymarket.schema import FrameRefused, Refusal, read_levels

_OPENING, _BETWEEN, _CLOSING = '[{"price":"', '"},{"price":"', '"}]'
_USUAL = re.compile(r'([0-9.]+)","size":"([0-9.]+)')


class Side(msgspec.Struct, frozen=True, gc=False):
    """One side's levels, worst first as sent."""

    sizes_e6: dict[int, int]
    """Sizes by key: the price of a bid, one dollar minus the price of an ask."""
    texts: list[str]
    """The same levels as text; of several with one key the last counts."""


class _UnusualText(Exception):
    """A level is not written as the venue does, or is empty: the side has to be read field by field."""


_LevelTable = Memo[str, LevelE]
"""Key and size by a level's text."""


def _level_of(text: str) -> LevelE:
    """Return price and size. Raises NumberRefused, and _UnusualText for what is not written as the venue does."""
    found = _USUAL.fullmatch(text)
    if found is None:
        raise _UnusualText
    level = (LEVEL_PRICE_E4[found[1]], SIZE_E6[found[2]])
    if not level[1]:
        raise _UnusualText
    return level


def _mirrored_level_of(text: str) -> LevelE:
    price_e4, held_e6 = _level_of(text)
    return ONE_DOLLAR_E4 - price_e4, held_e6


_BIDS: _LevelTable = Memo(_level_of)
_ASKS: _LevelTable = Memo(_mirrored_level_of)


def read_bids(raw: msgspec.Raw) -> Side:
    """Return the bids of a book by their price.

    Raises NumberRefused, and FrameRefused when the text is no list of levels.
    """
    return _read(raw, _BIDS)


def read_asks(raw: msgspec.Raw) -> Side:
    """Return the asks of a book, each as the bid for the other outcome that it is.

    Raises NumberRefused, and FrameRefused when the text is no list of levels.
    """
    return _read(raw, _ASKS)


def keyed_bids(side: Side) -> dict[int, str]:
    """Return the text of each bid by its key."""
    return {_BIDS[text][0]: text for text in side.texts}


def keyed_asks(side: Side) -> dict[int, str]:
    """Return the text of each ask by its key."""
    return {_ASKS[text][0]: text for text in side.texts}


def level_text(price: str, size: str) -> str:
    """Return a level's text from its price and size in the venue's own text."""
    return f'{price}","size":"{size}'


def side_json(texts: list[str]) -> str:
    """Return one side as the venue writes it."""
    return f"{_OPENING}{_BETWEEN.join(texts)}{_CLOSING}" if texts else "[]"


def _read(raw: msgspec.Raw, table: _LevelTable) -> Side:
    try:
        text = str(raw, "utf-8")
    except UnicodeError:
        raise FrameRefused(Refusal.NOT_JSON) from None
    if text.startswith(_OPENING) and text.endswith(_CLOSING):
        texts = text[len(_OPENING) : -len(_CLOSING)].split(_BETWEEN)
        try:
            return Side(dict(map(table.__getitem__, texts)), texts)
        except _UnusualText:
            pass  # read below, as if it had begun in another way
    return _read_field_by_field(raw, table)


def _read_field_by_field(raw: msgspec.Raw, table: _LevelTable) -> Side:
    levels = [level for level in read_levels(raw) if LEVEL_PRICE_E4[level.price] and SIZE_E6[level.size]]
    texts = [level_text(level.price, level.size) for level in levels]
    return Side(dict(map(table.__getitem__, texts)), texts)
