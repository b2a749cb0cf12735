"""The ladder against a plain dictionary, under any sequence of operations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared.domain.book import BelowZero, Ladder, mirrored

prices_e4 = st.sampled_from([1, 2, 4_100, 4_200, 4_300, 9_998, 9_999])
sizes_e6 = st.integers(0, 5)


class LadderAgainstDictionary(RuleBasedStateMachine):
    """Every operation is done twice; the answers must agree after each."""

    def __init__(self) -> None:
        super().__init__()
        self.ladder = Ladder()
        self.model: dict[int, int] = {}

    @rule(price_e4=prices_e4, size_e6=sizes_e6)
    def set(self, price_e4: int, size_e6: int) -> None:
        self.ladder.set(price_e4, size_e6)
        self.model[price_e4] = size_e6

    @rule(price_e4=prices_e4, change_e6=st.integers(-5, 5))
    def add(self, price_e4: int, change_e6: int) -> None:
        held_e6 = self.model.get(price_e4, 0) + change_e6
        if held_e6 < 0:
            with pytest.raises(BelowZero):
                self.ladder.add(price_e4, change_e6)
        else:
            self.ladder.add(price_e4, change_e6)
            self.model[price_e4] = held_e6

    @rule(levels=st.dictionaries(prices_e4, sizes_e6))
    def replace(self, levels: dict[int, int]) -> None:
        self.ladder.replace(levels.items())
        self.model = dict(levels)

    @invariant()
    def agrees(self) -> None:
        expected = sorted(((price, size) for price, size in self.model.items() if size), reverse=True)
        assert self.ladder.best_first() == expected
        assert self.ladder.best_e4 == (expected[0][0] if expected else 0)
        for count in (0, 1, 3):
            assert self.ladder.best_first(count) == expected[:count]


TestLadder = LadderAgainstDictionary.TestCase


@given(st.lists(st.tuples(st.integers(1, 9_999), st.integers(1, 10**9))))
def test_mirroring_twice_gives_the_same_levels(levels: list[tuple[int, int]]) -> None:
    assert mirrored(mirrored(levels)) == tuple(levels)
