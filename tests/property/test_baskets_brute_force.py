"""Baskets against every size of every choice of markets, on random events; fees from ``brute_force``, not the product.

``DUTCHBOOK_BRUTE_FORCE_BASKETS=2000 pytest tests/property/test_baskets_brute_force.py`` tries as many.
"""

import os
from itertools import combinations
from random import Random
from typing import Any

import msgspec
import pytest

from shared.domain.evaluation import BasketReport, evaluate_file
from shared.domain.numbers import price_text
from tests.property.brute_force import Side, outlay, side, units

EVENTS = int(os.environ.get("DUTCHBOOK_BRUTE_FORCE_BASKETS", "120"))
POLYMARKET_UNIT = 10**5


def random_event(random: Random, kind: str) -> dict[str, Any]:
    """Return a file of three or four markets whose best prices sum to around what the basket pays."""
    venue = "polymarket" if kind == "every_yes" else random.choice(("kalshi", "polymarket"))
    count = 1 if kind == "yes_and_no" else random.choice((3, 4))
    step = random.choice(("1", "0.5"))
    middle_e4 = 5_000 if kind == "yes_and_no" else 10_000 // count
    return {
        "basket": kind,
        "venue": venue,
        "event": {"mutually_exclusive": True} if venue == "kalshi" else {"neg_risk": True},
        "markets": [random_market(random, f"M{at}", venue, middle_e4, step) for at in range(count)],
        "limits": {"max_capital_dollars": None},
    }


def random_market(random: Random, name: str, venue: str, middle_e4: int, step: str) -> dict[str, Any]:
    tick_e4 = random.choice((10, 50, 100))
    half_e4 = random.randint(-5, 4) * tick_e4
    depth = random.choice((1, 2, 4))

    def levels(from_e4: int, tick_e4: int) -> list[list[str]]:
        prices = (from_e4 + at * tick_e4 for at in range(depth))
        return [[price_text(price), str(random.randint(1, 12))] for price in prices if 0 < price < 10_000]

    fee = {"rate": random.choice(("0", "0.04", "0.07")), "exponent": "1"}
    if venue == "kalshi":
        fee = {"type": "quadratic", "multiplier": random.choice(("0", "1")), "precision": "0.0001"}
    return {
        "market": name,
        "yes_bids": levels(middle_e4 - half_e4, -tick_e4),
        "yes_asks": levels(middle_e4 + half_e4, tick_e4),
        "fee": fee,
        "size_step": step,
        "min_contracts": random.choice(("1", "1", "3")),
        "min_notional_dollars": random.choice(("0", "1")),
    }


def leg(market: dict[str, Any], venue: str, outcome: str) -> Side:
    as_pair = {venue: market, "limits": {"max_capital_dollars": {venue: None}}}
    return side(as_pair, venue, outcome)


def greatest_edge(legs: list[Side], payout: int, step: int) -> int:
    """Return the best of every size, in 1e-10 dollars."""
    best = 0
    for size in range(step, min(sum(held for _, held in one.levels) for one in legs) + 1, step):
        if all(allowed(one, size) for one in legs):
            best = max(best, payout * size * 10**4 - sum(outlay(one, size) for one in legs))
    return best


def allowed(one: Side, size: int) -> bool:
    taken, left = 0, size
    for price, held in one.levels:
        taken += price * min(held, left)
        left -= min(held, left)
    return size >= one.min_size and taken >= one.min_cost


def brute_force(file: dict[str, Any]) -> int:
    kind, venue, markets = file["basket"], file["venue"], file["markets"]
    step = units(markets[0]["size_step"], 6)
    if kind == "yes_and_no":
        return greatest_edge([leg(markets[0], venue, outcome) for outcome in ("yes", "no")], 1, step)
    if kind == "every_yes":
        return greatest_edge([leg(market, venue, "yes") for market in markets], 1, step)
    noes = [leg(market, venue, "no") for market in markets]
    choices = (list(choice) for count in range(2, len(noes) + 1) for choice in combinations(noes, count))
    return max(greatest_edge(choice, len(choice) - 1, step) for choice in choices)


@pytest.mark.parametrize("kind", ["every_no", "every_yes", "yes_and_no"])
def test_a_basket_earns_what_the_best_size_of_the_best_choice_of_markets_earns(kind: str) -> None:
    earning = 0
    for seed in range(EVENTS):
        file = random_event(Random(seed), kind)
        report = evaluate_file(msgspec.json.encode(file))
        assert isinstance(report, BasketReport)
        edge, best = units(report.edge_dollars, 10), brute_force(file)
        allowance = POLYMARKET_UNIT * sum(len(market["yes_bids"]) for market in file["markets"])
        assert edge == best or (edge == 0 and best <= allowance), (seed, report, best)
        earning += edge > 0
        capital = units(report.cost_dollars, 10) + units(report.fee_dollars, 10)
        assert edge == units(report.payout_dollars, 10) - capital
    assert earning > EVENTS // 10, "too few of the random events have an edge to say anything"
