"""What a feed that is well says: a beat, and a quote."""

from collections.abc import Sequence
from typing import Any

import msgspec

from shared.contracts.health import FeedBeat
from shared.contracts.quotes import QuoteText, levels_checksum
from shared.domain.market import MarketId, Venue

FEED_EPOCH = "feed-1"

Levels = Sequence[tuple[str, str]]


def beat_of(venue: Venue, now_ns: int, /, **changes: Any) -> FeedBeat:
    """Return a beat of a live connection, with fields changed."""
    base = FeedBeat(
        src=f"{venue}_feed",
        epoch=FEED_EPOCH,
        venue=venue,
        connection=f"{venue}-1",
        state="live",
        markets=1,
        books_live=1,
        frame_age_ms=5,
        data_age_ms=5,
        sent_ts_ns=now_ns,
    )
    return msgspec.structs.replace(base, **changes)


def quote_of(
    venue: Venue, market_id: MarketId, now_ns: int, bids: Levels = (), asks: Levels = (), /, **changes: Any
) -> QuoteText:
    """Return a quote as a feed would write it now, with fields changed."""
    base = QuoteText(
        src=f"{venue}_feed",
        epoch=FEED_EPOCH,
        venue=venue.value,
        market_id=market_id,
        yes_bids=tuple(bids),
        yes_asks=tuple(asks),
        venue_ts_ms=now_ns // 1_000_000,
        received_ts_ns=now_ns - 300_000,
        published_ts_ns=now_ns,
        verified="sequence",
        connection=f"{venue}-1",
        sequence=7,
        checksum=levels_checksum(bids, asks),
    )
    return msgspec.structs.replace(base, **changes)
