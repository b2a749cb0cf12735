"""An independent, slow way to price a pair: every size on the grid, in fractions, by the venues' rules."""

from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

Levels = list[tuple[Fraction, Fraction]]
"""Price to pay and contracts, cheapest first."""


class ReferenceLeg(NamedTuple):
    """One leg with everything that limits it."""

    levels: Levels
    rate: Fraction
    precision: Fraction | None
    """The balance precision of a Kalshi account; None for Polymarket."""
    min_contracts: Fraction = Fraction(0)
    min_notional: Fraction = Fraction(0)
    max_capital: Fraction | None = None


def take(levels: Levels, size: Fraction) -> Levels:
    """Return what the cheapest ``size`` contracts consist of."""
    taken = []
    for price, held in levels:
        part = min(held, size)
        if part:
            taken.append((price, part))
        size -= part
    assert not size
    return taken


def fee(leg: ReferenceLeg, price: Fraction, size: Fraction) -> Fraction:
    """Return the fee of one level as its venue rounds it."""
    raw = leg.rate * size * price * (1 - price)
    if leg.precision is None:
        return Fraction(floor(raw * 100_000), 100_000)
    cost = price * size
    with_fee = cost + Fraction(ceil(raw * 10_000), 10_000)
    return ceil(with_fee / leg.precision) * leg.precision - cost


def outlay(leg: ReferenceLeg, size: Fraction) -> Fraction:
    """Return cost and fees of the cheapest ``size`` contracts."""
    return sum((price * part + fee(leg, price, part) for price, part in take(leg.levels, size)), Fraction(0))


def marginal_edge(first: ReferenceLeg, second: ReferenceLeg, size: Fraction) -> Fraction:
    """Return what the last bit of ``size`` earns by unrounded fees."""
    prices = [(take(leg.levels, size)[-1][0], leg.rate) for leg in (first, second)]
    return 1 - sum((price + rate * price * (1 - price) for price, rate in prices), Fraction(0))


def feasible_sizes(first: ReferenceLeg, second: ReferenceLeg, step: Fraction) -> Iterator[Fraction]:
    """Yield every size that minima, depth and capital allow."""
    depth = min(sum(size for _, size in leg.levels) for leg in (first, second))
    for steps in range(1, floor(depth / step) + 1):
        size = steps * step
        if all(_allows(leg, size) for leg in (first, second)):
            yield size


def edge(first: ReferenceLeg, second: ReferenceLeg, size: Fraction) -> Fraction:
    """Return payout less everything paid."""
    return size - outlay(first, size) - outlay(second, size)


def best_edge(first: ReferenceLeg, second: ReferenceLeg, step: Fraction) -> Fraction:
    """Return the greatest edge over all feasible sizes, 0 when none earns anything."""
    return max([Fraction(0), *(edge(first, second, size) for size in feasible_sizes(first, second, step))])


def _allows(leg: ReferenceLeg, size: Fraction) -> bool:
    cost = sum(price * part for price, part in take(leg.levels, size))
    within = leg.max_capital is None or outlay(leg, size) <= leg.max_capital
    return size >= leg.min_contracts and cost >= leg.min_notional and within
