"""A memo makes a value once per key, keeps no refusal, and does not grow without bound."""

import pytest

from shared.domain import memo
from shared.domain.memo import Memo
from shared.domain.numbers import NumberRefused, size_e6


def test_a_memo_asks_the_gate_once_per_text_and_never_keeps_a_refusal() -> None:
    asked: list[str] = []

    def gate(text: str) -> int:
        asked.append(text)
        return size_e6(text)

    sizes_e6 = Memo(gate)
    assert [sizes_e6["1.5"], sizes_e6["1.5"]] == [1_500_000, 1_500_000]
    for _ in range(2):
        with pytest.raises(NumberRefused):
            sizes_e6["NaN"]
    assert asked == ["1.5", "NaN", "NaN"]
    assert list(sizes_e6) == ["1.5"]


def test_a_memo_empties_itself_instead_of_growing_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "_LIMIT", 3)
    sizes_e6 = Memo(size_e6)
    for text in ("1", "2", "3", "4"):
        assert sizes_e6[text] == int(text) * 1_000_000
    assert list(sizes_e6) == ["4"]
