"""Whether a leg's quote may be believed right now: the gate between books and money.

A leg counts only while its book is quoted, verified and uncrossed and the connection that carries it proves every
second that it is alive. Anything else is one named reason, and a reason closes whatever was open. Whether a quiet
book is still the venue's is the feeds' business: they ask REST, and withdraw what disagrees.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from shared.contracts.health import FeedBeat
from shared.contracts.quotes import QuoteRaw, QuotesStale, raw_checksum, raw_levels
from shared.domain.arbitrage import Ladders
from shared.domain.book import LevelE
from shared.domain.market import MarketId, Venue
from shared.domain.memo import Memo
from shared.domain.numbers import LEVEL_PRICE_E4, ONE_DOLLAR_E4, NumberFault, NumberRefused, size_e6

VERIFIED = frozenset({"sequence", "hash", "top", "rest"})
_CARRIES_BOOKS = frozenset({"live", "degraded"})
"""A degraded connection is up, and some of its books are not quoted; those are withdrawn one by one."""


class Distrust(StrEnum):
    """Why a leg, or the two together, must not be acted upon. The first that applies, in this order, is named."""

    NO_QUOTE = "no quote yet"
    STALE = "quote withdrawn by its feed"
    MALFORMED = "quote is malformed"
    UNVERIFIED = "book not verified"
    CROSSED = "book is crossed"
    CHECKSUM = "levels do not match their checksum"
    FROM_THE_FUTURE = "quote is from the future"
    NO_BEAT = "no beat of the connection yet"
    BEAT_OLD = "feed is silent"
    FEED_NOT_LIVE = "connection is not live"
    EPOCH = "quote is from before the feed's restart"
    LINK_QUIET = "connection is quiet"
    LAGGING = "connection lags behind the venue"
    SKEW = "legs were verified at different times"


WANTS_A_QUOTE = frozenset(
    {
        Distrust.NO_QUOTE,
        Distrust.STALE,
        Distrust.MALFORMED,
        Distrust.UNVERIFIED,
        Distrust.CROSSED,
        Distrust.CHECKSUM,
    }
)
"""Reasons that only another quote can lift."""
PASSES_BY_ITSELF = frozenset(Distrust) - WANTS_A_QUOTE
"""Reasons that a beat, or time alone, can lift: a quiet book would bring no quote to look again."""
NOT_HEARD_YET = frozenset({Distrust.NO_QUOTE, Distrust.NO_BEAT})
"""Reasons that say nothing of a venue, only that its feed has not spoken to this process yet."""


class TrustLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How old is too old. The defaults are the promises of the feeds: a beat each second, a ping each second."""

    beat_age_s: float = 2.5
    frame_age_ms: int = 2_500
    lag_ms: int = 1_000
    skew_s: float = 2.5
    future_ms: int = 1_000


class Beat(msgspec.Struct, frozen=True):
    """A feed's beat and when it reached us, by our monotonic clock."""

    message: FeedBeat
    read_s: float
    heard_s: float | None
    """When the connection brought the newest quote, by our monotonic clock: a frame that the beat may not know yet."""

    @property
    def verified_s(self) -> float:
        """When the connection last proved that it is alive, by our monotonic clock."""
        by_beat_s = self.read_s - max(0, self.message.frame_age_ms) / 1_000
        return by_beat_s if self.heard_s is None else max(by_beat_s, self.heard_s)

    def is_quiet(self, now_s: float, limits: TrustLimits) -> bool:
        """Return whether neither the beat nor a quote tells of a recent frame."""
        if 0 <= self.message.frame_age_ms <= limits.frame_age_ms:
            return False
        return self.heard_s is None or now_s - self.heard_s > limits.frame_age_ms / 1_000


class LegState:
    """The latest word about one market in one partition: a quote, or why there is none."""

    __slots__ = (
        "_fault",
        "_is_checked",
        "asks_json",
        "bids_json",
        "ladders",
        "market_id",
        "not_before_s",
        "quote",
        "top",
        "venue",
        "why_not",
        "word",
    )

    def __init__(self, venue: Venue, market_id: MarketId) -> None:
        self.venue = venue
        self.market_id = market_id
        self.quote: QuoteRaw | None = None
        self.bids_json = self.asks_json = b"[]"
        """The quote's sides as they came."""
        self.top: Ladders | None = None
        """The best level of each side as integers; None when ``why_not`` says why. Most quotes need no more."""
        self.ladders: Ladders | None = None
        """All levels; there once ``fault`` has looked at the quote and found nothing wrong."""
        self.why_not = Distrust.NO_QUOTE
        self.word: QuoteRaw | QuotesStale | None = None
        """The feed's last word about this market."""
        self.not_before_s = 0.0
        """When the quote's own stamp is reached, by our monotonic clock: worked out once, so that our wall clock may
        be set afterwards without another word about a quiet book."""
        self._fault: Distrust | None = None
        self._is_checked = False

    def take(self, quote: QuoteRaw, *, not_before_s: float = 0.0) -> None:
        """Hold a new quote; one whose numbers the gate refuses counts as malformed."""
        self.quote = self.word = quote
        self.not_before_s = not_before_s
        self._is_checked = False
        self.ladders = None
        self.bids_json, self.asks_json = bytes(quote.yes_bids), bytes(quote.yes_asks)
        try:
            self.top = Ladders(_best(self.bids_json), _best(self.asks_json))
        except ValueError:
            self.top, self.why_not = None, Distrust.MALFORMED

    def withdraw(self, message: QuotesStale) -> None:
        """Stop believing the last quote."""
        self.word = message
        self.top = self.ladders = None
        self.why_not = Distrust.STALE

    def is_news(self, message: QuoteRaw | QuotesStale) -> bool:
        """Return whether a message was written after the last word: by its number while the feed has not restarted
        since, for wall clocks are set, and else by its stamp."""
        word = self.word
        if word is None:
            return True
        if message.epoch == word.epoch:
            return message.pseq > word.pseq
        return message.published_ts_ns > word.published_ts_ns

    def fault(self) -> Distrust | None:
        """Return what is wrong with the quote itself, or None; worked out once per quote, when first asked."""
        if self.quote is None or self.top is None:
            return self.why_not
        if not self._is_checked:
            self._fault = self._look_at(self.quote)
            self._is_checked = True
        return self._fault

    def _look_at(self, quote: QuoteRaw) -> Distrust | None:
        try:
            ladders = Ladders(_levels(self.bids_json), _levels(self.asks_json))
        except ValueError:
            return Distrust.MALFORMED
        fault = self._fault_of(quote, ladders)
        if fault is None:
            self.ladders = ladders
        return fault

    def _fault_of(self, quote: QuoteRaw, ladders: Ladders) -> Distrust | None:
        if quote.verified not in VERIFIED:
            return Distrust.UNVERIFIED
        if _is_crossed(self.venue, ladders):
            return Distrust.CROSSED
        if not _is_ordered(ladders.yes_asks) or not _is_ordered(ladders.yes_bids[::-1]):
            return Distrust.MALFORMED
        if raw_checksum(self.bids_json, self.asks_json) != quote.checksum:
            return Distrust.CHECKSUM
        return None


def distrust(leg: LegState, beat: Beat | None, *, now_s: float, limits: TrustLimits) -> Distrust | None:
    """Return why one leg must not be acted upon, or None."""
    fault = leg.fault()
    if fault is not None or leg.quote is None:
        return fault
    if leg.not_before_s - now_s > limits.future_ms / 1_000:
        return Distrust.FROM_THE_FUTURE
    return _distrust_beat(leg.quote, beat, now_s, limits)


def skewed(one: Beat, other: Beat, limits: TrustLimits) -> bool:
    """Return whether the legs' connections last proved themselves too far apart in time."""
    return abs(one.verified_s - other.verified_s) > limits.skew_s


def _distrust_beat(quote: QuoteRaw, beat: Beat | None, now_s: float, limits: TrustLimits) -> Distrust | None:
    if beat is None:
        return Distrust.NO_BEAT
    message = beat.message
    if now_s - beat.read_s > limits.beat_age_s:
        return Distrust.BEAT_OLD
    if message.state not in _CARRIES_BOOKS:
        return Distrust.FEED_NOT_LIVE
    if message.epoch != quote.epoch:
        return Distrust.EPOCH
    if beat.is_quiet(now_s, limits):
        return Distrust.LINK_QUIET
    return Distrust.LAGGING if message.lag_ms > limits.lag_ms else None


def _is_crossed(venue: Venue, ladders: Ladders) -> bool:
    """Equal best prices are only locked on Kalshi, where both are bids; on Polymarket they would have traded."""
    bid_e4 = ladders.yes_bids[0][0] if ladders.yes_bids else 0
    ask_e4 = ladders.yes_asks[0][0] if ladders.yes_asks else ONE_DOLLAR_E4
    return bid_e4 > ask_e4 or (bid_e4 == ask_e4 and venue is Venue.POLYMARKET)


def _is_ordered(levels: Sequence[LevelE]) -> bool:
    """Return whether prices only rise."""
    return all(levels[at][0] < levels[at + 1][0] for at in range(len(levels) - 1))


def _levels(side: bytes) -> tuple[LevelE, ...]:
    return tuple([_LEVELS[level] for level in raw_levels(side)])


def _best(side: bytes) -> tuple[LevelE, ...]:
    """Return a side's first level alone. What stands behind it is looked at when the whole side is."""
    if side == b"[]":
        return ()
    return (_LEVELS[side[3 : side.index(b'"]')]],)


def _level(text: bytes) -> LevelE:
    """Return a level from its JSON, ``price","size``."""
    price, _, size = text.decode().partition('","')
    held_e6 = size_e6(size)
    if not held_e6:
        raise NumberRefused(NumberFault.OUT_OF_RANGE, size)
    return LEVEL_PRICE_E4[price], held_e6


_LEVELS: Memo[bytes, LevelE] = Memo(_level)
"""Most of a new quote's levels were in an older one."""
