"""One beat a second per feed connection: what a reader needs to trust, or doubt, its quotes."""

from typing import Literal

from shared.contracts.envelope import Message
from shared.domain.market import Venue


class FeedBeat(Message, frozen=True, kw_only=True, tag="feed_beat"):
    """The state of one connection of a feed at one moment. Silence for 2.5 s means every leg of it is stale."""

    venue: Venue
    connection: str
    state: Literal["connecting", "live", "degraded", "down"]
    markets: int
    """Books that this connection carries."""
    books_live: int
    """Of those, books that may be quoted."""
    frame_age_ms: int
    """Since the last frame or pong of any kind, by our monotonic clock; -1 before the first."""
    data_age_ms: int
    """Since the last data frame; -1 before the first."""
    lag_ms: int = 0
    """How much later than usual frames arrive after the venue's own timestamp."""
    frames: int = 0
    """Frames received since the process started."""
    quotes: int = 0
    """Quotes published since the process started."""
    refused: int = 0
    """Frames or fields refused since the process started."""
    gaps: int = 0
    sent_ts_ns: int
    """Our clock."""
