"""No more intents follow within a minute than a person allows; the episodes are told all the same."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.arb_detector.episodes import Step
from services.arb_detector.ration import Ration
from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import OpportunityOpened, OpportunityUpdated
from shared.contracts.quotes import QuoteText
from shared.domain.market import Venue
from shared.domain.pair import PairId
from tests.unit.arb_detector.scene import Scene, opened

asked = st.lists(st.tuples(st.integers(0, 20), st.sampled_from([PairId("a"), PairId("b"), PairId("c")])), max_size=60)


@given(asked=asked, per_minute=st.integers(0, 6), per_pair=st.integers(0, 3))
def test_no_minute_ever_has_more_than_allowed(asked: list[tuple[int, PairId]], per_minute: int, per_pair: int) -> None:
    ration, now_s, given_to = Ration(per_minute=per_minute, per_pair=per_pair), 0.0, list[tuple[float, PairId]]()
    for wait_s, pair_id in asked:
        now_s += wait_s
        lately = [one for at_s, one in given_to if now_s - at_s < 60]
        is_within = not per_minute or len(lately) < per_minute
        is_within_pair = not per_pair or Counter(lately)[pair_id] < per_pair
        assert ration.allows(pair_id, now_s) == (is_within and is_within_pair)
        if is_within and is_within_pair:
            ration.note(pair_id, now_s)
            given_to.append((now_s, pair_id))


def flicker(scene: Scene, times: int) -> None:
    """Let the edge come and go."""
    for _ in range(times):
        scene.beats()
        scene.offer()
        scene.clock.advance(ms=600)
        scene.beats()
        scene.take(scene.polymarket_without_edge())
        scene.clock.advance(ms=600)


@pytest.mark.parametrize("limit", ["max_intents_per_minute", "max_intents_per_pair"])
def test_what_opens_beyond_the_limit_is_told_without_an_intent_and_counted(limit: str) -> None:
    scene = Scene(debounce_ms=0, linger_ms=0, **{limit: 2})
    flicker(scene, 3)
    told = [message.alert_only for message in scene.said if isinstance(message, OpportunityOpened)]
    assert told == ["", "", "too many intents in the last minute"]
    assert len([message for message in scene.said if isinstance(message, HedgedIntent)]) == 2
    assert (scene.detector.funnel[Step.OPENED], scene.detector.funnel[Step.RATIONED]) == (2, 1)
    assert scene.funnel_is_balanced
    scene.clock.advance(ms=60_000)
    flicker(scene, 1)
    assert len([message for message in scene.said if isinstance(message, HedgedIntent)]) == 3


def test_an_update_says_why_no_intent_had_followed_also_after_a_takeover() -> None:
    scene = Scene(debounce_ms=0, linger_ms=0, max_intents_per_pair=1)
    flicker(scene, 1)
    scene.beats()
    opening = opened(scene.offer())
    scene.clock.advance(ms=200)
    [update] = [said for said in scene.take(shallower(scene)) if isinstance(said, OpportunityUpdated)]
    assert opening.alert_only == update.alert_only == "too many intents in the last minute"
    after = Scene(update_after_ms=0)
    after.detector.resume([opening])
    after.take(after.kalshi(), shallower(after))
    [update] = [said for said in after.said if isinstance(said, OpportunityUpdated)]
    assert update.alert_only == "too many intents in the last minute"


def shallower(scene: Scene) -> QuoteText:
    return scene.quote(Venue.POLYMARKET, [("0.47", "20")], [("0.49", "10")])
