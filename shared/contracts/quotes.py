"""Books on the bus: the best levels of a market's YES bids and asks, and the loss of trust in them.

``Quote`` is the contract: ``Decimal`` dollars and contracts, written as decimal strings. ``QuoteText`` is the very
same message with the strings left as they are, for whoever goes between text and scaled integers by table and would
spend most of its time in ``Decimal`` otherwise. ``QuoteRaw`` leaves each side as the bytes it came as: the detector
looks at two levels of most quotes, and writes sides on as they are when it has found something.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Generic, Literal, TypeVar
from zlib import crc32

import msgspec

from shared.contracts.envelope import Message
from shared.domain.market import MarketId, Venue

Verified = Literal["sequence", "hash", "top", "rest"]
"""How the book was last checked against the venue: unbroken sequence numbers, the venue's hash of the whole book,
the venue's own best prices, or a REST copy."""

OfVenue = TypeVar("OfVenue")
Side = TypeVar("Side")
OfVerified = TypeVar("OfVerified")


class _QuoteOf(Message, Generic[OfVenue, Side, OfVerified], frozen=True, kw_only=True):
    """The fields of every form of a quote; the forms differ in how far their text has been read."""

    venue: OfVenue
    market_id: MarketId
    yes_bids: Side
    """Price in dollars and size in contracts, highest price first."""
    yes_asks: Side
    """Lowest price first."""
    venue_ts_ms: int
    """The venue's clock; 0 when the venue gave none."""
    received_ts_ns: int
    """Our clock when the last frame of the operation was read from the socket."""
    published_ts_ns: int
    """Our clock when the quote was written."""
    verified: OfVerified
    connection: str
    sequence: int = 0
    """Kalshi: the sid's ``seq``. Polymarket: a count of applied changes on this connection."""
    checksum: int
    """CRC-32 of the levels as written, see ``levels_checksum``."""


class Quote(_QuoteOf[Venue, tuple[tuple[Decimal, Decimal], ...], Verified], frozen=True, kw_only=True, tag="quote"):
    """The top of one book after a complete operation of the venue; never from inside one, never crossed."""


class QuoteText(_QuoteOf[str, tuple[tuple[str, str], ...], str], frozen=True, kw_only=True, tag="quote", gc=False):
    """A ``Quote`` whose levels are still decimal strings; the bytes on the stream are the same."""


class QuoteRaw(_QuoteOf[str, msgspec.Raw, str], frozen=True, kw_only=True, tag="quote", gc=False):
    """A ``Quote`` whose sides are still JSON, without spaces as every writer here writes them: ``[["0.41","100"]]``."""


class QuotesStale(Message, frozen=True, kw_only=True, tag="quotes_stale"):
    """What was said about these markets before must not be believed until a new quote comes."""

    venue: Venue
    market_ids: tuple[MarketId, ...]
    reason: str
    published_ts_ns: int


QuoteMessage = Quote | QuotesStale
QuoteTextMessage = QuoteText | QuotesStale
QuoteRawMessage = QuoteRaw | QuotesStale


def levels_checksum(yes_bids: Iterable[tuple[str, str]], yes_asks: Iterable[tuple[str, str]]) -> int:
    """Return the CRC-32 of ``price:size`` texts, levels joined by commas and sides by a bar, bids first."""
    return crc32(f"{','.join(map(':'.join, yes_bids))}|{','.join(map(':'.join, yes_asks))}".encode())


def raw_checksum(yes_bids: bytes, yes_asks: bytes) -> int:
    """Return the ``levels_checksum`` of two sides that are still JSON; their levels differ in the separators only."""
    return crc32(_under_checksum(yes_bids) + b"|" + _under_checksum(yes_asks))


def raw_levels(side: bytes) -> list[bytes]:
    """Return each level of a side that is still JSON, as ``price","size``; what is not one is left in a level's text.

    Raises ValueError when it is no list of pairs of strings.
    """
    if side == b"[]":
        return []
    if side[:3] != b'[["' or side[-3:] != b'"]]':
        raise ValueError(f"not a side of a book: {side[:40]!r}")
    return side[3:-3].split(_BETWEEN_LEVELS)


_BETWEEN_LEVELS = b'"],["'


def _under_checksum(side: bytes) -> bytes:
    return side[3:-3].replace(_BETWEEN_LEVELS, b",").replace(b'","', b":")
