"""The divergence sentinel: far apart for long is flagged once, alert-only from then on, until the pair is reviewed."""

from decimal import Decimal

from shared.contracts.funnel import PairDiverged
from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import OpportunityOpened
from shared.domain.market import Venue
from shared.domain.pair import Direction
from tests.unit.arb_detector.scene import Levels, Scene, opened, pair

K, P = Venue.KALSHI, Venue.POLYMARKET
FAR: tuple[Levels, Levels] = ([("0.52", "80")], [("0.55", "10")])
"""0.41 + 0.48 leaves 0.11, less 0.07 x 0.41 x 0.59 and 0.05 x 0.48 x 0.52: 0.080587, below what is refused at once."""


def wait(scene: Scene, seconds: int) -> list[PairDiverged]:
    """Let time pass with both feeds alive and a sweep each second."""
    found = []
    for _ in range(seconds):
        scene.clock.advance(ms=1_000)
        scene.beats()
        said = scene.detector.sweep()
        scene.said += said
        found += [message for message in said if isinstance(message, PairDiverged)]
    return found


def far_apart(**settings: object) -> Scene:
    scene = Scene(**settings)
    scene.take(scene.kalshi(), scene.quote(P, *FAR))
    return scene


def test_a_pair_that_stays_far_apart_is_told_once_with_what_was_seen() -> None:
    scene = far_apart()
    assert wait(scene, 600) == []
    [found] = wait(scene, 300)
    assert (found.pair_id, found.pair_version) == (scene.pair.pair_id, scene.pair.version)
    assert found.direction is Direction.YES_KALSHI_NO_POLYMARKET
    assert found.least_dollars_per_contract == found.edge_dollars_per_contract == Decimal("0.080587")
    assert found.diverged_ts_ns - found.since_ts_ns == 600_000_000_000
    assert [leg.reason for leg in found.legs] == ["", ""]


def test_what_follows_from_a_diverged_pair_is_alert_only() -> None:
    scene = far_apart()
    wait(scene, 601)
    scene.take(scene.stale(K))
    before = len(scene.said)
    scene.take(scene.kalshi())
    found = opened(scene.tick(after_ms=600) + scene.tick(after_ms=60))
    assert found.alert_only == "prices stayed at least 0.080587 apart after fees for 10 minutes: review"
    assert not [message for message in scene.said[before:] if isinstance(message, HedgedIntent)]


def test_a_moment_together_begins_anew() -> None:
    scene = far_apart()
    wait(scene, 590)
    scene.take(scene.polymarket_without_edge())
    wait(scene, 1)
    scene.take(scene.quote(P, *FAR))
    assert wait(scene, 600) == []
    assert len(wait(scene, 1)) == 1


def test_books_that_may_not_be_believed_are_no_witnesses() -> None:
    scene = far_apart()
    wait(scene, 10)
    scene.take(scene.stale(K))
    assert wait(scene, 700) == []
    scene.take(scene.kalshi())
    assert wait(scene, 600) == []
    assert len(wait(scene, 1)) == 1


def test_a_good_edge_that_lasts_is_no_divergence() -> None:
    scene = Scene()
    scene.offer()
    assert wait(scene, 1_300) == []
    assert [message for message in scene.said if isinstance(message, OpportunityOpened)]


def test_a_restart_remembers_and_a_review_forgives() -> None:
    scene = far_apart()
    [found] = wait(scene, 601)
    after = Scene()
    after.detector.set_diverged([found])
    assert after.open().alert_only
    reviewed = Scene(the_pair=pair(source="pairs/nba.yaml:3 (somebody, 2026-11-23)"))
    reviewed.detector.set_diverged([found])
    assert reviewed.open().alert_only == ""
    late = Scene(the_pair=pair(source="pairs/nba.yaml:3 (somebody, 2026-11-23)"))
    assert late.detector.unfamiliar({scene.pair.pair_id: scene.pair}) == [scene.pair.pair_id]
    late.detector.set_pairs({scene.pair.pair_id: scene.pair})
    late.detector.set_diverged([found])
    assert late.detector.unfamiliar({scene.pair.pair_id: scene.pair}) == []
    late.pair = scene.pair
    assert late.open().alert_only
