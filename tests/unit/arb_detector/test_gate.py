"""The gate: one reason each, nothing emitted, and whatever was open is closed with that reason."""

from collections.abc import Callable

import msgspec
import pytest

from services.arb_detector.pair_state import Unusable
from services.arb_detector.trust import Distrust
from shared.contracts.catalog import MarketChanged, MarketClosed, MarketListed
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened
from shared.contracts.quotes import levels_checksum
from shared.domain.market import MarketId, MarketStatus, Venue
from shared.domain.pair import PairId
from tests.unit.arb_detector.scene import LONG_AGO, Scene, closed, market, opened, pair

K, P = Venue.KALSHI, Venue.POLYMARKET

FAULTS: dict[str, tuple[Callable[[Scene], object], str]] = {
    "withdrawn by the feed": (lambda s: s.take(s.stale(K)), Distrust.STALE),
    "other leg withdrawn": (lambda s: s.take(s.stale(P)), Distrust.STALE),
    "a size that is no number": (
        lambda s: s.take(s.quote(K, [("0.38", "NaN")], [("0.41", "100")])),
        Distrust.MALFORMED,
    ),
    "a price off the grid": (lambda s: s.take(s.quote(K, [], [("0.41001", "9")])), Distrust.MALFORMED),
    "a level of nothing": (lambda s: s.take(s.quote(K, [], [("0.41", "0")])), Distrust.MALFORMED),
    "levels out of order": (
        lambda s: s.take(s.quote(P, [("0.46", "80"), ("0.47", "200")], [("0.49", "10")])),
        Distrust.MALFORMED,
    ),
    "verified by nobody": (lambda s: s.take(s.kalshi(verified="hope")), Distrust.UNVERIFIED),
    "Kalshi crossed": (lambda s: s.take(s.quote(K, [("0.42", "9")], [("0.41", "9")])), Distrust.CROSSED),
    "Polymarket locked": (lambda s: s.take(s.quote(P, [("0.47", "9")], [("0.47", "9")])), Distrust.CROSSED),
    "levels changed on the way": (lambda s: s.take(s.kalshi(checksum=1)), Distrust.CHECKSUM),
    "received in the future": (
        lambda s: s.take(s.kalshi(received_ts_ns=s.clock.now_ns() + 1_100_000_000)),
        Distrust.FROM_THE_FUTURE,
    ),
    "a connection that never beat": (lambda s: s.take(s.kalshi(connection="kalshi-2")), Distrust.NO_BEAT),
    "feed down": (lambda s: s.beat(K, state="down"), Distrust.FEED_NOT_LIVE),
    "feed dialling": (lambda s: s.beat(P, state="connecting"), Distrust.FEED_NOT_LIVE),
    "feed restarted": (lambda s: s.beat(K, epoch="feed-2"), Distrust.EPOCH),
    "lagging": (lambda s: s.beat(K, lag_ms=1_001), Distrust.LAGGING),
    "market paused": (
        lambda s: s.said.extend(s.detector.set_market(market(K, status=MarketStatus.PAUSED))),
        Unusable.MARKET_NOT_OPEN,
    ),
    "market closed": (
        lambda s: s.said.extend(s.detector.close_market(P, s.pair.polymarket_id)),
        Unusable.MARKET_NOT_OPEN,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_before_the_debounce_ends_prevents_the_opening(name: str) -> None:
    fault, reason = FAULTS[name]
    scene = Scene()
    scene.offer()
    fault(scene)
    scene.silent_tick(after_ms=100)
    assert not [message for message in scene.said if isinstance(message, OpportunityOpened)]
    assert scene.detector.funnel[reason]
    assert scene.funnel_is_balanced


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_closes_an_open_episode_at_once_with_its_reason(name: str) -> None:
    fault, reason = FAULTS[name]
    scene = Scene()
    opening = scene.open()
    fault(scene)
    scene.silent_tick()
    [closing] = [message for message in scene.said if isinstance(message, OpportunityClosed)]
    assert (closing.reason, closing.opportunity_id) == (reason, opening.opportunity_id)
    assert scene.outcome in (reason, "no edge")


def test_a_silent_feed_closes_after_two_and_a_half_seconds() -> None:
    scene = Scene()
    scene.open()
    assert scene.silent_tick(after_ms=2_500) == []
    assert closed(scene.silent_tick(after_ms=1)).reason == Distrust.BEAT_OLD


def test_a_beat_that_lay_on_the_stream_counts_from_when_it_was_sent() -> None:
    scene = Scene()
    scene.clock.advance(ms=4_000)
    for venue in (K, P):
        scene.beat(venue, sent_ts_ns=scene.clock.now_ns() - 3_000_000_000)
    scene.offer()
    scene.silent_tick(after_ms=100)
    assert scene.outcome == Distrust.BEAT_OLD
    assert not [message for message in scene.said if isinstance(message, OpportunityOpened)]


def test_a_feed_whose_clock_is_ahead_is_not_younger_for_it() -> None:
    scene = Scene()
    for venue in (K, P):
        scene.beat(venue, sent_ts_ns=scene.clock.now_ns() + 900_000_000)
    scene.open()
    assert scene.silent_tick(after_ms=2_500) == []
    assert closed(scene.silent_tick(after_ms=1)).reason == Distrust.BEAT_OLD


def test_legs_verified_at_different_times_do_not_count_together() -> None:
    """Both beats are fresh enough by themselves, but what they vouch for lies 2.6 s apart."""
    scene = Scene()
    scene.open()
    assert scene.tick(after_ms=3_000) == []
    scene.beat(K, frame_age_ms=2_400)
    scene.clock.advance(ms=300)
    scene.beat(P, frame_age_ms=0)
    assert closed(scene.silent_tick()).reason == Distrust.SKEW


def test_a_degraded_connection_still_vouches_for_the_books_it_quotes() -> None:
    scene = Scene()
    scene.offer()
    scene.clock.advance(ms=60)
    scene.beat(K, state="degraded")
    assert scene.detector.tick()


def test_an_edge_in_quiet_books_opens_when_the_feed_is_trusted_again() -> None:
    scene = Scene()
    scene.beat(K, lag_ms=2_000)
    scene.offer()
    assert scene.outcome == Distrust.LAGGING
    assert scene.tick(after_ms=250) == []
    assert scene.tick(after_ms=60)


def test_a_leg_that_was_never_quoted_is_named() -> None:
    scene = Scene()
    scene.take(scene.kalshi())
    assert scene.outcome == Distrust.NO_QUOTE


def test_an_expired_pair_is_not_priced() -> None:
    scene = Scene(the_pair=pair(not_after=LONG_AGO))
    scene.offer()
    assert scene.outcome == Unusable.EXPIRED
    assert scene.said == []


def test_a_market_with_an_impossible_size_step_is_named_not_priced() -> None:
    scene = Scene()
    scene.detector.set_market(market(K, size_step_contracts=0))
    scene.offer()
    assert scene.outcome == Unusable.TERMS


def test_kalshi_may_be_locked() -> None:
    scene = Scene()
    scene.take(scene.quote(K, [("0.41", "9")], [("0.41", "100")]), scene.polymarket())
    assert scene.tick(after_ms=60)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_stepped_wall_clock_neither_opens_nor_closes_nor_mutes(hours: int) -> None:
    """Ages run on the monotonic clock, and a stamp is held against the wall clock once, when the quote comes."""
    scene = Scene()
    scene.open()
    scene.clock.set_wall(now_ms=scene.clock.now_ms() + hours * 3_600_000)
    assert scene.silent_tick() == []
    assert scene.tick(after_ms=5_000) == []
    scene.take(scene.polymarket_without_edge())
    assert closed(scene.tick(after_ms=250)).reason == "edge is gone"
    scene.clock.advance(ms=600)
    scene.offer()
    assert opened(scene.tick(after_ms=60))


def test_a_stamp_ahead_of_our_clock_counts_when_its_time_comes() -> None:
    scene = Scene()
    scene.take(scene.kalshi(received_ts_ns=scene.clock.now_ns() + 1_500_000_000), scene.polymarket())
    assert scene.outcome == Distrust.FROM_THE_FUTURE
    assert scene.tick(after_ms=499) == []
    assert scene.outcome == Distrust.FROM_THE_FUTURE
    assert opened(scene.tick(after_ms=1) + scene.tick(after_ms=60))


def test_the_checksum_tells_sides_prices_sizes_and_order_apart() -> None:
    one = levels_checksum([("0.41", "10")], [("0.43", "7")])
    others = [
        levels_checksum([("0.43", "7")], [("0.41", "10")]),
        levels_checksum([("0.41", "11")], [("0.43", "7")]),
        levels_checksum([("0.41", "10"), ("0.43", "7")], []),
        levels_checksum([], [("0.41", "10"), ("0.43", "7")]),
    ]
    assert len({one, *others}) == 5


def test_a_pair_whose_market_is_not_listed_yet_waits_for_the_catalog() -> None:
    scene = Scene()
    other = pair(pair_id=PairId("another"), kalshi_ticker=MarketId("KXOTHER"))
    scene.detector.set_pairs({other.pair_id: other})
    scene.pair = other
    scene.offer()
    assert scene.outcome == Unusable.MARKET_UNKNOWN
    assert scene.detector.wanted_markets() == {(K, MarketId("KXOTHER"))}
    scene.detector.set_market(market(K, market_id=MarketId("KXOTHER")))
    assert scene.tick(after_ms=60)


def test_what_the_catalog_told_since_is_newer_than_what_it_held_when_it_was_asked() -> None:
    """At a start thousands of markets are read at once and taken one by one, while their streams go on."""
    scene = Scene(the_pair=pair(pair_id=PairId("another"), kalshi_ticker=MarketId("KXOTHER")))
    held = market(K, market_id=MarketId("KXOTHER"))
    changed = msgspec.structs.replace(held, title="Reworded", status=MarketStatus.CLOSED)
    scene.detector.take_catalog(K, MarketChanged(market=changed, changed=("title", "status")))
    scene.detector.list_market(held)
    scene.offer()
    assert scene.outcome == Unusable.MARKET_NOT_OPEN


def test_a_market_that_closes_before_it_was_listed_here_is_never_open() -> None:
    scene = Scene(the_pair=pair(pair_id=PairId("another"), kalshi_ticker=MarketId("KXOTHER")))
    held = market(K, market_id=MarketId("KXOTHER"))
    scene.detector.take_catalog(K, MarketClosed(venue=K, market_id=held.market_id, reason="settled"))
    scene.detector.list_market(held)
    scene.offer()
    assert scene.outcome == Unusable.MARKET_NOT_OPEN
    scene.detector.take_catalog(K, MarketListed(market=held))
    scene.offer()
    assert scene.tick(after_ms=60)


@pytest.mark.parametrize("frame_age_ms", [2_501, -1])
def test_a_connection_without_frames_is_quiet_until_a_quote_comes_from_it(frame_age_ms: int) -> None:
    scene = Scene()
    scene.open()
    scene.clock.advance(ms=2_600)
    scene.beat(K)
    scene.beat(P, frame_age_ms=frame_age_ms)
    assert closed(scene.silent_tick()).reason == Distrust.LINK_QUIET
    scene.offer()
    assert opened(scene.silent_tick(after_ms=600))


def test_an_older_quote_of_a_connection_does_not_make_it_quiet_again() -> None:
    """A book that was asked for after a loss says nothing about when its connection was heard last."""
    scene = Scene()
    scene.beat(P, frame_age_ms=2_501)
    scene.offer()
    before = scene.clock.now_ns() - 600_000_000_000
    old = scene.quote(P, received_ts_ns=before)
    scene.take(msgspec.structs.replace(old, market_id=MarketId("0xanother")))
    assert opened(scene.silent_tick(after_ms=60))


def test_a_connection_that_is_over_is_forgotten_for_every_dial_has_a_name_of_its_own() -> None:
    scene = Scene()
    for dial in range(2, 50):
        scene.clock.advance(ms=31_000)
        scene.beat(Venue.KALSHI, connection=f"kalshi-{dial}")
        scene.take(scene.quote(Venue.KALSHI, connection=f"kalshi-{dial}"))
    assert scene.detector.links <= 4
