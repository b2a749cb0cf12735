"""What is on the bus about a pair's two books, or one market's, in the YES terms of Kalshi's question."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from shared.contracts.health import FeedBeat
from shared.contracts.pairs import CandidateFound, PairActivated, PairMessage, PairSuspended
from shared.contracts.quotes import QuotesStale, QuoteText, QuoteTextMessage, levels_checksum
from shared.contracts.streams import book_key
from shared.domain.market import MarketId, Venue
from shared.domain.numbers import LEVEL_PRICE_E4, SIZE_E6, NumberRefused, price_dollars, size_contracts
from shared.domain.pair import PARTITIONS, Orientation, partition_of

Level = tuple[Decimal, Decimal]
"""Price in dollars, size in contracts."""

_NS_PER_MS = 1_000_000
_QUOTES: "msgspec.json.Decoder[QuoteTextMessage]" = msgspec.json.Decoder(QuoteTextMessage)


class LegKey(NamedTuple):
    """Where a leg's latest word is kept, and whether its book is to be mirrored."""

    venue: Venue
    market_id: MarketId
    part: int
    mirrored: bool = False

    @property
    def name(self) -> str:
        """The key."""
        return book_key(self.venue.value, self.market_id, self.part)


class BeatSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The newest beat of the connection that a quote came by."""

    state: str
    age_ms: int
    frame_age_ms: int
    """Since the last frame of any kind, when the beat was sent; -1 before the first."""
    lag_ms: int
    same_process: bool
    """False when the feed has restarted since the quote."""


class LegBook(msgspec.Struct, frozen=True, kw_only=True):
    """One leg's latest word: a book, its withdrawal, or nothing."""

    venue: Venue
    market_id: MarketId
    state: Literal["quoted", "withdrawn", "missing", "unreadable"]
    reason: str = ""
    """Why there is no book."""
    mirrored: bool = False
    """Whether prices are a dollar less those that the venue gives its outcome 0."""
    yes_asks: tuple[Level, ...] = ()
    """Cheapest first."""
    yes_bids: tuple[Level, ...] = ()
    """Highest first."""
    verified: str = ""
    connection: str = ""
    sequence: int = 0
    checksum: int = 0
    checksum_holds: bool = True
    venue_ts_ms: int = 0
    received_age_ms: int | None = None
    """Since the frame behind the quote was read."""
    published_age_ms: int | None = None
    """Since the feed wrote its word."""
    beat: BeatSeen | None = None
    """None when nothing is quoted, or no beat of the connection was found."""


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of ``dutchbook book``."""

    name: str
    title: str
    """The venue's own words: hostile until shown as text."""
    state: str
    """``live``, ``suspended``, ``candidate``, or ``market`` when a market was asked for."""
    reason: str = ""
    """Why it is suspended."""
    orientation: str = ""
    """``same`` or ``inverted``; empty for a market."""
    legs: tuple[LegBook, ...]


class Asked(NamedTuple):
    """What a name stands for."""

    title: str
    state: str
    reason: str
    orientation: str
    legs: tuple[LegKey, ...]


def asked_of(message: PairMessage) -> Asked | None:
    """Return the legs of a pair or candidate; None for what is neither."""
    match message:
        case PairActivated(pair=pair) | PairSuspended(pair=pair):
            state, reason = ("suspended", message.reason) if isinstance(message, PairSuspended) else ("live", "")
            ids = (pair.kalshi_ticker, pair.polymarket_id)
            title, orientation, part = pair.title, pair.orientation, pair.partition
        case CandidateFound():
            state, reason = "candidate", "nobody has approved this candidate, so its books are not streamed"
            ids = (message.kalshi_ticker, message.polymarket_id)
            title = f"{message.kalshi_title} ~ {message.polymarket_title}"
            orientation, part = message.orientation, partition_of(message.pair_id)
        case _:
            return None
    legs = (
        LegKey(Venue.KALSHI, ids[0], part),
        LegKey(Venue.POLYMARKET, ids[1], part, mirrored=orientation is Orientation.INVERTED),
    )
    return Asked(title, state, reason, orientation.value, legs)


def keys_of_market(market_id: MarketId) -> list[LegKey]:
    """Return every place where a market's book may be: a venue writes the same into each partition that wants it."""
    return [LegKey(venue, market_id, part) for venue in Venue for part in range(PARTITIONS)]


def newest(keys: Sequence[LegKey], payloads: Sequence[bytes | None]) -> tuple[LegKey, bytes] | None:
    """Return the newest word among these, None when there is none; one that cannot be read counts as the oldest."""
    found = [(key, payload) for key, payload in zip(keys, payloads, strict=True) if payload is not None]
    return max(found, key=lambda one: _published_ts_ns(one[1]), default=None)


def leg_of(
    key: LegKey, payload: bytes | None, beats: Iterable[FeedBeat], *, now_ns: int, most_levels: int | None
) -> LegBook:
    """Return what ``payload`` says of a leg; ``beats`` are newest first. At most ``most_levels`` of each side."""
    empty = LegBook(venue=key.venue, market_id=key.market_id, state="missing", reason="no quote yet")
    if payload is None:
        return empty
    try:
        message = _QUOTES.decode(payload)
        if isinstance(message, QuotesStale):
            return msgspec.structs.replace(
                empty,
                state="withdrawn",
                reason=message.reason,
                published_age_ms=_age_ms(message.published_ts_ns, now_ns),
            )
        bids, asks = _levels(message.yes_bids), _levels(message.yes_asks)
    except (msgspec.MsgspecError, UnicodeDecodeError, NumberRefused) as error:
        return msgspec.structs.replace(empty, state="unreadable", reason=str(error))
    if key.mirrored:
        bids, asks = _mirror(asks), _mirror(bids)
    return LegBook(
        venue=key.venue,
        market_id=key.market_id,
        state="quoted",
        mirrored=key.mirrored,
        yes_asks=asks[:most_levels],
        yes_bids=bids[:most_levels],
        verified=message.verified,
        connection=message.connection,
        sequence=message.sequence,
        checksum=message.checksum,
        checksum_holds=levels_checksum(message.yes_bids, message.yes_asks) == message.checksum,
        venue_ts_ms=message.venue_ts_ms,
        received_age_ms=_age_ms(message.received_ts_ns, now_ns),
        published_age_ms=_age_ms(message.published_ts_ns, now_ns),
        beat=_beat_of(message, key.venue, beats, now_ns),
    )


def _beat_of(quote: QuoteText, venue: Venue, beats: Iterable[FeedBeat], now_ns: int) -> BeatSeen | None:
    beat = next((one for one in beats if one.venue is venue and one.connection == quote.connection), None)
    if beat is None:
        return None
    return BeatSeen(
        state=beat.state,
        age_ms=_age_ms(beat.sent_ts_ns, now_ns),
        frame_age_ms=beat.frame_age_ms,
        lag_ms=beat.lag_ms,
        same_process=beat.epoch == quote.epoch,
    )


def _levels(texts: Sequence[tuple[str, str]]) -> tuple[Level, ...]:
    return tuple((price_dollars(LEVEL_PRICE_E4[price]), size_contracts(SIZE_E6[size])) for price, size in texts)


def _mirror(levels: Sequence[Level]) -> tuple[Level, ...]:
    """Return the other outcome's side: who asks 0.47 for one outcome bids 0.53 for the other."""
    return tuple((1 - price, size) for price, size in levels)


def _published_ts_ns(payload: bytes) -> int:
    try:
        return _QUOTES.decode(payload).published_ts_ns
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0


def _age_ms(ts_ns: int, now_ns: int) -> int:
    return max(0, now_ns - ts_ns) // _NS_PER_MS
