"""What the matcher has said is found again by its end and by what it waits for, whatever was said in between."""

from datetime import datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from services.matcher.published import Published, Word
from shared.contracts.pairs import PairActivated, PairSuspended
from shared.domain.pair import Pair, PairId
from tests.pairs import made_up_pair
from tests.unit.matcher.listings import NOW


def pair(number: int, not_after: datetime | None) -> Pair:
    return made_up_pair(f"p{number}", kalshi=f"K{number}", polymarket=f"0x{number}", not_after=not_after)


moments = st.none() | st.integers(0, 9).map(lambda hours: NOW + timedelta(hours=hours))
pairs = st.builds(pair, st.integers(0, 4), moments)
words = st.one_of(
    st.builds(lambda of: PairActivated(pair=of), pairs),
    st.builds(lambda of: PairSuspended(pair=of, reason="over", awaits="results"), pairs),
    st.builds(lambda of: PairSuspended(pair=of, reason="look at it", awaits="review"), pairs),
)
acts = st.lists(st.one_of(words, st.integers(0, 4), st.integers(0, 9).map(lambda h: NOW + timedelta(hours=h))))


@given(acts)
@example(
    [
        PairActivated(pair=pair(4, NOW + timedelta(hours=1))),
        PairActivated(pair=pair(4, NOW)),
        NOW,
        NOW + timedelta(hours=1),
    ]
)
def test_each_pair_past_its_end_is_told_once_and_again_only_when_it_was_said_anew(
    acts: list[Word | int | datetime],
) -> None:
    said = Published({})
    told: set[PairId] = set()
    latest = NOW - timedelta(days=1)
    for act in acts:
        if isinstance(act, datetime):
            latest = max(latest, act)
            over = {of.pair_id for of in said.ended(latest)}
            past = {id_ for id_, of in said.pairs() if of.not_after is not None and of.not_after <= latest}
            assert over == past - told
            told |= over
        elif isinstance(act, int):
            list(said.retire(PairId(f"p{act}"), "gone"))
            told.discard(PairId(f"p{act}"))
        elif list(said.say(act.pair.pair_id, act)):
            told.discard(act.pair.pair_id)
        waiting = {i for i, m in said.words.items() if isinstance(m, PairSuspended) and m.awaits == "results"}
        assert said.awaiting_results.keys() == waiting
