"""What buying YES on one venue and NO on the other really costs: the simulator's own arithmetic, in exact fractions.

It is written to be obviously right rather than fast and shares nothing with the detector it is used to judge.
Dollars are ``Fraction``s; prices are ten-thousandths and sizes millionths, as in the engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import ceil, floor

from services.venue_sim.engine import LevelE

KALSHI_TAKER_RATE = Fraction(7, 100)
POLYMARKET_MIN_MARKETABLE_DOLLARS = Fraction(1)
"""A buy that takes must be worth this much (Polymarket documentation on order minima, 2026-11-21)."""

_ONE_E4 = 10_000
_ONE_E6 = 1_000_000
_SIZE_STEP_E6 = 10_000
"""Both venues accept hundredths of a contract in an order."""


def kalshi_fee(*, multiplier: Fraction, price_e4: int, size_e6: int) -> Fraction:
    """Return Kalshi's taker fee for one level: M x 0.07 x C x P x (1 - P), rounded up to $0.0001.

    Kalshi fee schedule, edition effective 2026-07-07.
    """
    return Fraction(ceil(_parabola(multiplier * KALSHI_TAKER_RATE, price_e4, size_e6) * 10_000), 10_000)


def polymarket_fee(*, rate: Fraction, price_e4: int, size_e6: int) -> Fraction:
    """Return Polymarket's taker fee for one level: C x rate x P x (1 - P), rounded down to $0.00001.

    Polymarket documentation on fees, 2026-11-21, and the venue's settled trades.
    """
    return Fraction(floor(_parabola(rate, price_e4, size_e6) * 100_000), 100_000)


@dataclass(frozen=True, slots=True)
class Edge:
    """What is left of one dollar per contract after both purchases and both fees."""

    dollars: Fraction
    contracts_e6: int


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What decides the cost of one question besides the books."""

    kalshi_multiplier: Fraction
    polymarket_rate: Fraction
    min_contracts_e6: int
    """The greater of both venues' minima."""


def best_edge(kalshi: Sequence[LevelE], polymarket: Sequence[LevelE], terms: Terms) -> Edge | None:
    """Return the greatest net edge over every size both venues accept, None when there is no such size.

    ``kalshi`` and ``polymarket`` are the offers of the two complementary outcomes, cheapest first. Between two
    level ends the edge is a straight line but for the rounding of fees, so the sizes tried are the level ends (while
    the pair of prices is below one dollar) and the smallest allowed size; the result can be below the true maximum
    by less than $0.0002.
    """
    edges = [Edge(net_edge(kalshi, polymarket, size, terms), size) for size in _sizes(kalshi, polymarket, terms)]
    return max(edges, key=lambda edge: edge.dollars, default=None)


def net_edge(kalshi: Sequence[LevelE], polymarket: Sequence[LevelE], size_e6: int, terms: Terms) -> Fraction:
    """Return what ``size_e6`` contracts of both outcomes pay less their cost and both fees, in dollars."""
    kalshi_fills = _walk(kalshi, size_e6)
    polymarket_fills = _walk(polymarket, size_e6)
    fees = sum(
        (kalshi_fee(multiplier=terms.kalshi_multiplier, price_e4=p, size_e6=c) for p, c in kalshi_fills), Fraction()
    ) + sum(
        (polymarket_fee(rate=terms.polymarket_rate, price_e4=p, size_e6=c) for p, c in polymarket_fills), Fraction()
    )
    return Fraction(size_e6, _ONE_E6) - _cost(kalshi_fills) - _cost(polymarket_fills) - fees


def complement(levels: Sequence[LevelE]) -> list[LevelE]:
    """Return the same levels as offers of the other outcome: price p becomes 1 - p, the order stays."""
    return [(_ONE_E4 - price_e4, size_e6) for price_e4, size_e6 in levels]


def _sizes(kalshi: Sequence[LevelE], polymarket: Sequence[LevelE], terms: Terms) -> set[int]:
    if not kalshi or not polymarket:
        return set()
    most_e6 = min(sum(size for _, size in kalshi), sum(size for _, size in polymarket)) // _SIZE_STEP_E6 * _SIZE_STEP_E6
    least_e6 = max(terms.min_contracts_e6, _least_marketable_e6(polymarket))
    ends = {*accumulate(size for _, size in kalshi), *accumulate(size for _, size in polymarket)}
    rounded = {min(end // _SIZE_STEP_E6 * _SIZE_STEP_E6, most_e6) for end in ends} | {least_e6}
    return {size for size in rounded if least_e6 <= size <= most_e6}


def _least_marketable_e6(polymarket: Sequence[LevelE]) -> int:
    """Return the smallest size in hundredths whose cost reaches the venue's least; more than there is when none."""
    missing = POLYMARKET_MIN_MARKETABLE_DOLLARS
    size_e6 = 0
    for price_e4, held_e6 in polymarket:
        needed = ceil(Fraction(missing) * _ONE_E4 / price_e4 * _ONE_E6)
        if needed <= held_e6:
            return ceil(Fraction(size_e6 + needed, _SIZE_STEP_E6)) * _SIZE_STEP_E6
        size_e6 += held_e6
        missing -= Fraction(price_e4, _ONE_E4) * Fraction(held_e6, _ONE_E6)
    return size_e6 + _SIZE_STEP_E6


def _walk(levels: Sequence[LevelE], size_e6: int) -> list[LevelE]:
    fills: list[LevelE] = []
    for price_e4, held_e6 in levels:
        filled_e6 = min(held_e6, size_e6)
        if not filled_e6:
            break
        fills.append((price_e4, filled_e6))
        size_e6 -= filled_e6
    assert size_e6 == 0, size_e6
    return fills


def _cost(fills: Sequence[LevelE]) -> Fraction:
    return sum((Fraction(price_e4, _ONE_E4) * Fraction(size_e6, _ONE_E6) for price_e4, size_e6 in fills), Fraction())


def _parabola(rate: Fraction, price_e4: int, size_e6: int) -> Fraction:
    price = Fraction(price_e4, _ONE_E4)
    return rate * Fraction(size_e6, _ONE_E6) * price * (1 - price)
