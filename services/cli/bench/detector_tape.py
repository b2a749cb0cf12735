"""Pairs of books for the detector benchmark: the same books for every contestant, drawn from a seed."""

from collections.abc import Sequence
from decimal import Decimal
from random import Random

import msgspec

from shared.domain.book import LevelE

LEVELS = 20
"""On each side of each book."""
TICK_E4 = 100
_MULTIPLIERS = (Decimal(1), Decimal(1), Decimal(1), Decimal("0.5"))
_RATES = (Decimal("0.05"), Decimal("0.04"), Decimal("0.07"), Decimal(0))


class BookPair(msgspec.Struct, frozen=True, kw_only=True):
    """Two books on the same question and what their venues charge; the pair is not inverted."""

    kalshi_bids: Sequence[LevelE]
    kalshi_asks: Sequence[LevelE]
    polymarket_bids: Sequence[LevelE]
    polymarket_asks: Sequence[LevelE]
    multiplier: Decimal
    rate: Decimal


def quiet_pairs(count: int, seed: int) -> list[BookPair]:
    """Return pairs as most quotes find them: both venues agree within a few cents, and hardly one has an edge."""
    random = Random(seed)
    return [_pair(random, gap_ticks=random.choice((-5, -2, -1, -1, 0, 0, 0, 1, 1, 2, 3, 6))) for _ in range(count)]


def deep_pairs(count: int, seed: int) -> list[BookPair]:
    """Return pairs with an edge in one direction that reaches from one level to all twenty of both ladders."""
    random = Random(seed)
    return [_pair(random, gap_ticks=random.choice((-1, 1)) * random.randint(6, 44)) for _ in range(count)]


def _pair(random: Random, *, gap_ticks: int) -> BookPair:
    """The middles of the two books lie ``gap_ticks`` apart, around half a dollar."""
    middle_e4 = 5_000 - gap_ticks * TICK_E4 // 2 // TICK_E4 * TICK_E4 + random.randint(-4, 4) * TICK_E4
    kalshi_bids, kalshi_asks = _book(random, middle_e4)
    polymarket_bids, polymarket_asks = _book(random, middle_e4 + gap_ticks * TICK_E4)
    return BookPair(
        kalshi_bids=kalshi_bids,
        kalshi_asks=kalshi_asks,
        polymarket_bids=polymarket_bids,
        polymarket_asks=polymarket_asks,
        multiplier=random.choice(_MULTIPLIERS),
        rate=random.choice(_RATES),
    )


def _book(random: Random, middle_e4: int) -> tuple[list[LevelE], list[LevelE]]:
    """Whole contracts at every cent, so that contestants that know no others give the same sizes."""
    bids = [(middle_e4 - (at + 1) * TICK_E4, random.randint(1, 500) * 1_000_000) for at in range(LEVELS)]
    asks = [(middle_e4 + at * TICK_E4, random.randint(1, 500) * 1_000_000) for at in range(LEVELS)]
    return _within(bids), _within(asks)


def _within(levels: list[LevelE]) -> list[LevelE]:
    return [level for level in levels if 0 < level[0] < 10_000]
