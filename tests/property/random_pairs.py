"""Pairs as the evaluated file describes them, drawn at random with every awkward thing a venue can do to a book."""

from random import Random
from typing import Any

from shared.domain.numbers import price_text, size_e6, size_text

Json = dict[str, Any]

_STEPS = (("0.01", "0.01"), ("1", "0.01"), ("0.01", "1"), ("1", "1"), ("0.25", "0.1"), ("5", "1"), ("0.03", "0.02"))
_TICKS_E4 = (1, 10, 25, 50, 100)
_SHAPES = ((12, 2), (12, 20), (12, 40), (4, 40), (2, 400))
"""Levels of a side, and steps of the common grid that each holds: few enough to try every size."""


def random_pair(random: Random) -> Json:
    """Return one file: up to 12 levels a side, odd sizes, empty and crossed sides, every fee, minima and limits."""
    kalshi_step, polymarket_step = random.choice(_STEPS)
    grid_e6 = max(size_e6(step) for step in (kalshi_step, polymarket_step))
    middle_e4 = random.choice((random.randint(150, 9_850), random.randint(3_000, 7_000)))
    gap_e4 = random.choice((random.randint(-200, 400), random.randint(300, 900), random.randint(500, 2_500)))
    other_e4 = middle_e4 + gap_e4 * random.choice((-1, 1))
    is_fine = grid_e6 < 1_000_000
    inverted = random.random() < 0.5
    kalshi = _book(random, middle_e4, grid_e6)
    polymarket = _book(random, 10_000 - other_e4 if inverted else other_e4, grid_e6)
    return {
        "orientation": "inverted" if inverted else "same",
        "kalshi": {
            **kalshi,
            "fee": {
                "type": random.choice(
                    ("quadratic", "quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees")
                ),
                "multiplier": random.choice(("0", "0.5", "1", "1", "1", "1.25", "2")),
                "precision": random.choice(("0.0001", "0.0001", "0.01")),
            },
            "size_step": kalshi_step,
            "min_contracts": random.choice(("0.01", "0.01", "0.05", "1") if is_fine else ("0.01", "1", "3")),
        },
        "polymarket": {
            **polymarket,
            "fee": {
                "rate": random.choice(("0", "0.03", "0.04", "0.05", "0.05", "0.07", "0.072", "0.072", "0.25")),
                "exponent": random.choice(("1", "1", "1", "2")),
            },
            "size_step": polymarket_step,
            "min_contracts": random.choice(("0.01", "0.01", "0.2", "5") if is_fine else ("1", "5", "15")),
            "min_notional_dollars": random.choice(("0", "0", "0.1", "1") if is_fine else ("0", "1", "5")),
        },
        "limits": {
            "min_edge_dollars_per_contract": random.choice(("0", "0", "0", "0.001", "0.005", "0.0123", "0.03")),
            "max_capital_dollars": {"kalshi": _limit(random, grid_e6), "polymarket": _limit(random, grid_e6)},
        },
        "days_to_payout": random.choice((None, "0.5", "30")),
    }


def _book(random: Random, middle_e4: int, grid_e6: int) -> Json:
    tick_e4 = random.choice(_TICKS_E4)
    half_e4 = random.choice((-tick_e4, 0, tick_e4, 2 * tick_e4))
    return {
        "yes_bids": _side(random, middle_e4 - half_e4, -tick_e4, grid_e6),
        "yes_asks": _side(random, middle_e4 + half_e4, tick_e4, grid_e6),
    }


def _side(random: Random, from_e4: int, tick_e4: int, grid_e6: int) -> list[list[str]]:
    """Up to twelve levels away from a price, in any order, some sizes off the grid; many small or a few large ones."""
    levels = []
    most_levels, most_steps = random.choice(_SHAPES)
    price_e4 = from_e4 // abs(tick_e4) * abs(tick_e4)
    off_grid = random.choice((1, 1, random.choice((10_000, 1, 333_333))))
    for _ in range(random.choice((0, *[most_levels] * 4, *[random.randint(1, most_levels)] * 3))):
        if 0 < price_e4 < 10_000:
            size_e6 = random.randint(1, most_steps) * grid_e6
            if off_grid != 1:
                size_e6 = max(1, size_e6 - random.randint(0, grid_e6 // off_grid) * off_grid)
            levels.append([price_text(price_e4), size_text(size_e6)])
        price_e4 += tick_e4 * random.choice((1, 1, 1, 2, 3))
    random.shuffle(levels)
    return levels


def _limit(random: Random, grid_e6: int) -> str | None:
    """No limit, or one in the range of what a few levels cost."""
    if random.random() < 0.7:
        return None
    return size_text(random.randint(grid_e6, random.choice((30, 150)) * grid_e6))
