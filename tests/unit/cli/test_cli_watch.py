"""What an onlooker is told of the feeds: how they are now, not how they were."""

from services.cli.watch import Seen
from shared.domain.market import Venue


def test_a_feed_is_as_well_as_its_best_connection_says() -> None:
    seen = Seen()
    seen.links = {
        (Venue.KALSHI, "kalshi-1-3"): ("down", 100.0),
        (Venue.KALSHI, "kalshi-2-1"): ("live", 99.0),
        (Venue.POLYMARKET, "polymarket-1-1"): ("down", 100.0),
    }
    assert seen.venue_state(Venue.KALSHI, 100.5) == "live"
    assert seen.venue_state(Venue.POLYMARKET, 100.5) == "down"


def test_what_a_connection_said_once_is_not_told_for_ever() -> None:
    seen = Seen()
    seen.links = {(Venue.KALSHI, "kalshi-1-1"): ("live", 100.0), (Venue.KALSHI, "kalshi-1-2"): ("down", 109.0)}
    assert seen.venue_state(Venue.KALSHI, 110.0) == "down"
    assert seen.venue_state(Venue.KALSHI, 120.0) == "SILENT"
    assert seen.venue_state(Venue.POLYMARKET, 110.0) == "SILENT"
