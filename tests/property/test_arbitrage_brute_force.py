"""What ``evaluate`` answers against a search that tries every size: the same edge to the last digit, on random pairs.

``DUTCHBOOK_BRUTE_FORCE_PAIRS=10000 pytest tests/property/test_arbitrage_brute_force.py`` tries as many.
"""

import os
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest

from shared.domain.evaluation import evaluate_file
from tests.property import brute_force
from tests.property.brute_force import units
from tests.property.random_pairs import random_pair

PAIRS = int(os.environ.get("DUTCHBOOK_BRUTE_FORCE_PAIRS", "400"))
BATCHES = 4
KALSHI_UNIT, POLYMARKET_UNIT = 10**6, 10**5
"""What one level's fee rounds to, in 1e-10 dollars."""


def evaluated(file: dict[str, Any]) -> dict[str, dict[str, Any]]:
    report = msgspec.json.decode(msgspec.json.encode(evaluate_file(msgspec.json.encode(file))))
    found = {direction["direction"]: direction for direction in report["directions"]}
    earning = {name: Decimal(direction["edge_dollars"]) for name, direction in found.items()}
    best = max(earning, key=lambda name: earning[name])
    assert report["best"] == (best if earning[best] > 0 else None) or earning[best] == earning[report["best"]]
    return found


def as_text(value: int, digits: int) -> Decimal:
    return Decimal(value).scaleb(-digits)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_edge_is_the_greatest_that_any_size_gives_and_the_size_is_allowed(batch: int) -> None:
    earning = 0
    for seed in range(batch, PAIRS, BATCHES):
        file = random_pair(Random(seed))
        for name, found in evaluated(file).items():
            best = brute_force.best(file, name)
            size, edge = units(found["contracts"], 6), units(found["edge_dollars"], 10)
            earning += bool(size)
            if size:
                assert (edge, size in best.sizes) == (best.edge, True), (seed, name, size, best)
            else:
                allowance = rounding_allowance(file, name)
                assert (edge, best.edge <= allowance) == (0, True), (seed, name, best)
            check_amounts(file, name, found)
    assert earning > PAIRS // BATCHES // 4, "too few of the random pairs have an edge to say anything"


def rounding_allowance(file: dict[str, Any], name: str) -> int:
    """Return what rounding alone could earn: a contract that earns nothing by unrounded fees is never bought."""
    _, polymarket = brute_force.directions(file)[name]
    return len(polymarket.levels) * POLYMARKET_UNIT


def check_amounts(file: dict[str, Any], name: str, found: dict[str, Any]) -> None:
    """Every amount of a direction follows from its fills, and the fills are the cheapest levels."""
    size = units(found["contracts"], 6)
    total = 0
    for venue, leg in zip(("kalshi", "polymarket"), brute_force.directions(file)[name], strict=True):
        fills = [(units(p, 4), units(s, 6), units(f, 10)) for p, s, f in found["fills"][venue]]
        assert [(price, part) for price, part, _ in fills] == list(brute_force.taken(leg, size))
        assert [fee for *_, fee in fills] == [leg.fee(price, part) for price, part, _ in fills]
        assert units(found["fee_dollars"][venue], 10) == sum(fee for *_, fee in fills)
        capital = sum(price * part + fee for price, part, fee in fills)
        assert units(found["capital_dollars"][venue], 10) == capital
        assert found["limit_price_dollars"][venue] == (str(as_text(fills[-1][0], 4).normalize()) if fills else None)
        total += capital
    assert units(found["edge_dollars"], 10) == size * 10**4 - total
    assert found["payout_dollars"] == found["contracts"]
    assert units(found["cost_dollars"], 10) == total - sum(units(fee, 10) for fee in found["fee_dollars"].values())
