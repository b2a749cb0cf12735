"""What happened in a conversation with Polymarket, in the past tense: what the session tells its shell."""

from collections.abc import Callable
from typing import NamedTuple

from shared.domain.market import MarketId


class BookChanged(NamedTuple):
    """A market's book is whole again and may be quoted."""

    market_id: MarketId


class BooksLost(NamedTuple):
    """What was said about these books before must not be used any more."""

    market_ids: tuple[MarketId, ...]
    reason: str


class BookEnded(NamedTuple):
    """The market has its result; there will be no more books."""

    market_id: MarketId


class ResyncWanted(NamedTuple):
    """These books should be compared with, or fetched from, ``POST /books``."""

    market_ids: tuple[MarketId, ...]
    reason: str


class TickSizeChanged(NamedTuple):
    """The market's price grid has a new step, in the venue's text (dollars)."""

    market_id: MarketId
    tick_size: str


SessionEvent = BookChanged | BooksLost | BookEnded | ResyncWanted | TickSizeChanged
Emit = Callable[[SessionEvent], None]
