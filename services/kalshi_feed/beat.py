"""The feed's sign of life, once a second."""

from services.kalshi_feed.live_books import LiveBooks
from shared.contracts.health import FeedBeat
from shared.domain.market import Venue
from shared.runtime.clock import Clock
from shared.runtime.feed_life import age_ms


def beat(books: LiveBooks, clock: Clock, *, quotes: int) -> FeedBeat:
    """Return what can be said about the connection now."""
    session = books.session
    now_s = clock.monotonic_s()
    return FeedBeat(
        venue=Venue.KALSHI,
        connection=books.connection,
        state=books.state,
        markets=session.wanted_markets,
        books_live=session.live_markets,
        frame_age_ms=age_ms(now_s, books.heard_s),
        data_age_ms=age_ms(now_s, books.data_s),
        lag_ms=books.lag.lag_ms,
        frames=books.frames,
        quotes=quotes,
        refused=session.counts.refused.total(),
        gaps=session.counts.gaps,
        sent_ts_ns=clock.now_ns(),
    )
