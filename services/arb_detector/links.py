"""What the feeds' connections say of themselves: the last beat of each, and when it last brought a quote."""

from services.arb_detector.trust import Beat, LegState
from shared.contracts.health import FeedBeat
from shared.contracts.quotes import QuoteRaw
from shared.runtime.clock import Clock

_LINK_KEPT_S = 60.0
"""A connection that was not heard of for this long is over: each dial has a name of its own."""

_Link = tuple[str, str]


class Links:
    """All connections of all feeds, by venue and name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[_Link, tuple[FeedBeat, float]] = {}
        self._heard_s: dict[_Link, float] = {}

    def __len__(self) -> int:
        return len(self._beats.keys() | self._heard_s.keys())

    def take_beat(self, beat: FeedBeat) -> None:
        """Note that a connection is alive, or that its feed says it is not.

        A beat counts from when it was sent: one that lay on the stream, while this process stood still or because the
        stream is read from its beginning, says nothing about now.
        """
        link, now_s = (beat.venue.value, beat.connection), self._clock.monotonic_s()
        lay_s = max(0, self._clock.now_ns() - beat.sent_ts_ns) / 1_000_000_000
        if link not in self._beats:
            since_s = now_s - _LINK_KEPT_S
            self._beats = {old: heard for old, heard in self._beats.items() if heard[1] > since_s}
            self._heard_s = {old: heard_s for old, heard_s in self._heard_s.items() if heard_s > since_s}
        self._beats[link] = beat, now_s - lay_s

    def take_quote(self, quote: QuoteRaw, *, heard_s: float) -> None:
        """Note that a connection brought a quote, and when by our monotonic clock; an older one changes nothing."""
        link = (quote.venue, quote.connection)
        self._heard_s[link] = max(heard_s, self._heard_s.get(link, heard_s))

    def beat_of(self, leg: LegState) -> Beat | None:
        """Return the last beat of the connection that brought a leg's quote, None when there was none yet."""
        quote = leg.quote
        if quote is None:
            return None
        link = (quote.venue, quote.connection)
        found = self._beats.get(link)
        return None if found is None else Beat(*found, self._heard_s.get(link))
