"""No more intents follow within a minute than a person allows; the episodes are told all the same."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.arb_detector.episodes import Step
from services.arb_detector.ration import Ration
from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import OpportunityOpened
from shared.domain.pair import PairId
from tests.unit.arb_detector.scene import Scene

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
