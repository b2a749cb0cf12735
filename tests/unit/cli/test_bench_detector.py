"""The detector benchmark on a few books: everyone answers alike, and a wrong answer stops the report."""

from decimal import Decimal

import pytest

from services.cli.bench import detector
from services.cli.bench import detector_naive as naive
from services.cli.bench.detector_tape import LEVELS, deep_pairs, quiet_pairs


@pytest.fixture(autouse=True)
def short_stints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "STINT_S", 0)


def test_it_reports_every_contestant_and_says_who_is_missing() -> None:
    report = detector.measure(pairs=40, repetitions=1, seed=3)
    for work, least in (("edge_guard", {"ours", "naive"}), ("depth_walk", {"ours", "naive"})):
        assert least <= report[work]["pairs_per_s"].keys()
        assert all(rate > 0 for rate in report[work]["pairs_per_s"].values())
        assert report[work]["times"]["naive"] > 1
    measured = set(report["edge_guard"]["pairs_per_s"]) | set(report["missing"])
    assert measured == {"ours", "naive", "uselayer", "oracle3"}
    assert report["levels_walked_a_pair"] > 2


def test_the_books_are_the_same_for_the_same_seed_and_twenty_levels_deep() -> None:
    assert deep_pairs(20, 7) == deep_pairs(20, 7) != deep_pairs(20, 8)
    for pair in quiet_pairs(50, 1) + deep_pairs(50, 1):
        sides = (pair.kalshi_bids, pair.kalshi_asks, pair.polymarket_bids, pair.polymarket_asks)
        assert max(len(side) for side in sides) == LEVELS
        assert all(0 < price < 10_000 for side in sides for price, _ in side)
        assert pair.kalshi_bids[0][0] < pair.kalshi_asks[0][0]


def test_the_naive_walk_does_the_same_work() -> None:
    """Two levels at 0.41 and 0.42 against NO at 0.53 and 0.54: 150 contracts earn 3.3883, as worked by hand."""
    found = naive.walk(
        "yes_kalshi_no_polymarket",
        [(Decimal("0.41"), Decimal(100)), (Decimal("0.42"), Decimal(50))],
        [(Decimal("0.53"), Decimal(80)), (Decimal("0.54"), Decimal(200))],
        Decimal(1),
        Decimal("0.05"),
    )
    assert (found.contracts, found.edge) == (150, Decimal("3.3883"))


def test_a_contestant_that_answers_otherwise_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = naive.walk_both

    def careless(pair: naive.Pair) -> list[naive.Found]:
        return [found._replace(edge=found.edge + 1) for found in honest(pair)]

    monkeypatch.setattr(naive, "walk_both", careless)
    with pytest.raises(detector.Unequal, match="naive says"):
        detector.measure(pairs=20, repetitions=1, seed=3)
    monkeypatch.setattr(naive, "edges_at_top", lambda _pair: ["yes_kalshi_no_polymarket"])
    with pytest.raises(detector.Unequal, match="naive says"):
        detector.measure(pairs=20, repetitions=1, seed=3)
