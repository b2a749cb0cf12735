"""Leases are renewed several times a second: where nothing was lost, thousands of pairs are not gone through."""

import pytest

from services.arb_detector.legs import Legs
from tests.unit.arb_detector.scene import Scene


def test_only_a_partition_that_is_really_left_has_the_pairs_indexed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    detector = scene.detector
    [state] = detector.pairs.values()
    indexed: list[int] = []
    index = Legs.index
    monkeypatch.setattr(Legs, "index", lambda legs, states: (indexed.append(1), index(legs, states)))
    detector.leave(())
    detector.leave([(state.pair.partition + 1) % 16])
    assert (list(detector.pairs.values()), indexed) == ([state], [])
    detector.leave([state.pair.partition])
    assert (detector.pairs, detector.legs(), indexed) == ({}, [], [1])


def test_what_was_heard_in_a_partition_before_it_was_left_counts_for_nothing_when_it_comes_back() -> None:
    """Quotes may come before their pair; those of a partition that somebody else had meanwhile are old."""
    scene = Scene()
    scene.detector.set_pairs({})
    scene.offer()
    scene.detector.leave([scene.pair.partition])
    scene.detector.set_pairs({scene.pair.pair_id: scene.pair})
    assert len(scene.detector.legs(unheard_only=True)) == 2
    scene.tick(after_ms=60)
    assert scene.said == []
