"""Where pairs stand: every evaluation is counted under one reason, and the present one is told with its figures."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.arb_detector.core import Detector
from services.arb_detector.evaluator import Emission
from services.arb_detector.trust import Distrust
from services.cli.why import lines_of
from services.cli.why_answers import answer_of
from shared.contracts.funnel import PairStanding
from shared.contracts.pairs import CandidateFound, PairActivated, PairSuspended
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Direction, Orientation, PairId
from shared.runtime.errors import StartRefused
from tests.unit.arb_detector.scene import Scene, pair

K, P = Venue.KALSHI, Venue.POLYMARKET


def told(said: list[Emission]) -> PairStanding:
    [standing] = [message for message in said if isinstance(message, PairStanding)]
    return standing


def is_balanced(detector: Detector) -> bool:
    """Whether each evaluation is under one reason, for all pairs together and in what each pair tells of itself."""
    standings = [message for message in detector.sweep() if isinstance(message, PairStanding)]
    sums = all(sum(count for _, count in one.reasons) == one.evaluations for one in standings)
    return sums and detector.funnel.total() == detector.evaluations


ACTS = {
    "offer": lambda scene: scene.offer(),
    "no edge": lambda scene: scene.take(scene.polymarket_without_edge()),
    "gap": lambda scene: scene.take(scene.stale(K)),
    "crossed": lambda scene: scene.take(scene.quote(K, [("0.42", "9")], [("0.41", "9")])),
    "unverified": lambda scene: scene.take(scene.kalshi(verified="hope")),
    "lag": lambda scene: scene.beat(P, lag_ms=5_000),
    "beats": lambda scene: scene.beats(),
    "wait": lambda scene: scene.silent_tick(after_ms=60),
    "long wait": lambda scene: scene.silent_tick(after_ms=3_000),
    "sweep": lambda scene: scene.detector.sweep(),
    "pair gone": lambda scene: scene.detector.set_pairs({}),
    "pair back": lambda scene: scene.detector.set_pairs({scene.pair.pair_id: scene.pair}),
    "pair changed": lambda scene: scene.detector.set_pairs({scene.pair.pair_id: pair(title="Other")}),
    "partition lost": lambda scene: scene.detector.leave({scene.pair.partition}),
}


@given(acts=st.lists(st.sampled_from(sorted(ACTS)), max_size=60))
def test_evaluations_are_the_sum_of_their_reasons_whatever_happens(acts: list[str]) -> None:
    scene = Scene()
    for act in acts:
        ACTS[act](scene)
    assert is_balanced(scene.detector)


def test_a_waiting_pair_is_told_with_both_legs_and_the_edge_at_the_top() -> None:
    """0.41 + 0.53 is 0.94 for a dollar; fees are 0.07 x 0.41 x 0.59 and 0.05 x 0.53 x 0.47."""
    scene = Scene()
    scene.offer()
    standing = told(scene.detector.sweep())
    assert (standing.reason, standing.alert_only) == ("edge is younger than the debounce", "")
    assert (standing.asked_dollars_per_contract, standing.asked_dollars) == (Decimal("0.001"), Decimal("0.01"))
    kalshi, polymarket = standing.legs
    assert (kalshi.yes_bid, kalshi.yes_ask) == ((Decimal("0.38"), Decimal(100)), (Decimal("0.41"), Decimal(100)))
    assert (polymarket.verified, polymarket.connection, polymarket.reason) == ("hash", "polymarket-1", "")
    assert (kalshi.beat_age_ms, kalshi.frame_age_ms) == (0, 0)
    yes_no, no_yes = standing.directions
    assert yes_no.direction is Direction.YES_KALSHI_NO_POLYMARKET
    assert yes_no.edge_dollars_per_contract == Decimal("0.030612")
    assert no_yes.edge_dollars_per_contract is not None
    assert no_yes.edge_dollars_per_contract < 0


def test_an_open_episode_is_named() -> None:
    scene = Scene()
    opening = scene.open()
    standing = told(scene.detector.sweep())
    assert standing.reason == "open and unchanged"
    assert [one.opportunity_id for one in standing.directions] == [opening.opportunity_id, ""]


def test_a_quiet_pair_says_which_leg_does_not_count() -> None:
    scene = Scene()
    scene.take(scene.kalshi())
    standing = told(scene.detector.sweep())
    assert standing.reason == Distrust.NO_QUOTE
    assert [leg.reason for leg in standing.legs] == ["", "no quote yet"]
    assert [one.edge_dollars_per_contract for one in standing.directions] == [None, None]


def test_since_tells_when_the_reason_began() -> None:
    scene = Scene()
    scene.offer()
    scene.clock.advance(ms=60)
    first = told(scene.detector.sweep())
    scene.clock.advance(ms=1_000)
    scene.beats()
    scene.detector.sweep()
    scene.clock.advance(ms=1_000)
    scene.beats()
    later = told(scene.detector.sweep())
    assert first.reason == "opened"
    assert (later.reason, later.as_of_ts_ns - later.since_ts_ns) == ("open and unchanged", 1_000_000_000)


def test_pairs_whose_reason_changed_come_first_and_all_have_their_turn() -> None:
    scene = Scene()
    pairs = [pair(pair_id=PairId(f"p{at}"), kalshi_ticker=MarketId(f"K{at}")) for at in range(450)]
    scene.detector.set_pairs({one.pair_id: one for one in pairs})
    rounds = [
        {message.pair_id for message in scene.detector.sweep() if isinstance(message, PairStanding)} for _ in "123456"
    ]
    assert all(100 <= len(found) <= 200 for found in rounds)
    assert set[PairId]().union(*rounds) == {one.pair_id for one in pairs}


def test_a_pair_that_is_gone_is_told_once_more() -> None:
    scene = Scene()
    assert told(scene.detector.set_pairs({})).reason == "pair is no longer live"


def test_why_answers_from_what_the_detector_told() -> None:
    scene = Scene()
    scene.offer()
    scene.beat(P, lag_ms=1_500)
    scene.silent_tick(after_ms=60)
    standing = told(scene.detector.sweep())
    now_ns = standing.as_of_ts_ns + 2_500_000_000
    answer = answer_of("hou-por", PairActivated(pair=scene.pair), standing, now_ns=now_ns)
    assert (answer.state, answer.reason) == ("live", "connection lags behind the venue")
    assert (answer.for_ms, answer.age_ms) == (2_500, 2_500)
    lines = lines_of(answer)
    assert lines[:2] == [
        "hou-por  Houston at Portland",
        "  connection lags behind the venue (for 2.5 s, as of 2.5 s ago)",
    ]
    assert lines[3].endswith("lag 1500 ms: connection lags behind the venue")
    assert "bid 0.47 x 80" in lines[3]
    assert lines[4].startswith(
        "  yes_kalshi_no_polymarket: the first contract earns $0.030612 after fees ($0.001 asked"
    )


@pytest.mark.parametrize("age_s", [149, 151])
def test_why_says_when_no_detector_has_looked_for_long(age_s: int) -> None:
    scene = Scene()
    standing = told(scene.detector.sweep())
    now_ns = standing.as_of_ts_ns + age_s * 1_000_000_000
    reason = answer_of("hou-por", PairActivated(pair=scene.pair), standing, now_ns=now_ns).reason
    assert reason.startswith("no detector has looked at it for 151 s") == (age_s > 150)


def test_why_knows_pairs_that_the_detector_does_not() -> None:
    one = pair()
    suspended = answer_of("hou-por", PairSuspended(pair=one, reason="rules changed"), None, now_ns=0)
    assert lines_of(suspended) == ["hou-por", "  the pair is suspended: rules changed"]
    found = CandidateFound(
        pair_id=one.pair_id,
        kalshi_ticker=one.kalshi_ticker,
        polymarket_id=one.polymarket_id,
        orientation=Orientation.SAME,
        relation="equal",
        score=Decimal("0.9"),
        kalshi_title="",
        polymarket_title="",
    )
    assert answer_of("hou-por", found, None, now_ns=0).reason == "nobody has approved this candidate"
    assert "does one run?" in answer_of("hou-por", PairActivated(pair=one), None, now_ns=0).reason
    with pytest.raises(StartRefused, match="there is no pair or basket 'nobody' on the bus"):
        answer_of("nobody", None, None, now_ns=0)
