"""The feed's sign of life, once a second and for each connection."""

from typing import Literal

from services.polymarket_feed.live_books import LiveBooks
from shared.contracts.health import FeedBeat
from shared.domain.market import Venue
from shared.runtime.clock import Clock
from shared.runtime.feed_life import age_ms
from shared.venues.polymarket.asset_book import Phase


def beat(books: LiveBooks, clock: Clock, *, quotes: int) -> FeedBeat:
    """Return what can be said about one connection now."""
    session = books.session
    now_s = clock.monotonic_s()
    live = len(session.market_ids(Phase.LIVE, Phase.HELD))
    return FeedBeat(
        venue=Venue.POLYMARKET,
        connection=books.connection,
        state=_state(books, live),
        markets=len(session.market_ids()),
        books_live=live,
        frame_age_ms=age_ms(now_s, books.heard_s),
        data_age_ms=age_ms(now_s, books.data_s),
        lag_ms=books.lag_ms,
        frames=books.frames,
        quotes=quotes,
        refused=session.refused.total(),
        gaps=session.resyncs,
        sent_ts_ns=clock.now_ns(),
    )


def _state(books: LiveBooks, live: int) -> Literal["connecting", "live", "degraded", "down"]:
    if not books.is_connected:
        return "connecting" if books.is_first_dial else "down"
    return "live" if live == len(books.session.market_ids()) else "degraded"
