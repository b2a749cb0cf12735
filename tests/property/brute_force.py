"""The best of a pair found by trying every size on the grid: slow, and sharing no code with the product.

It reads the same file that ``dutchbook evaluate`` reads and works in whole numbers of its own: sizes in millionths of a
contract, money in 1e-10 dollars, rates as fractions.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import lcm
from typing import Any, NamedTuple

Json = dict[str, Any]

KALSHI_TAKER_RATE = Fraction(7, 100)


class Side(NamedTuple):
    """One leg to buy."""

    levels: list[tuple[int, int]]
    """Price to pay in 1e-4 dollars and size in 1e-6 contracts, cheapest first."""
    rate: Fraction
    exponent: int
    precision: int | None
    """In 1e-10 dollars; None on Polymarket."""
    min_size: int
    min_cost: int
    max_capital: int | None

    def fee(self, price: int, size: int) -> int:
        """Return the fee of one level in 1e-10 dollars, as the venue rounds it."""
        spread = (price * (10_000 - price)) ** self.exponent
        top = self.rate.numerator * size * spread
        bottom = self.rate.denominator * 10**6 * 10 ** (8 * self.exponent)
        if self.precision is None:
            return top * 10**5 // bottom * 10**5
        trade_fee = -(-top * 10**4 // bottom) * 10**6
        charged = -(-(price * size + trade_fee) // self.precision) * self.precision
        return charged - price * size

    def unrounded(self, price: int) -> Fraction:
        """Return what one contract costs with its fee, in dollars."""
        at = Fraction(price, 10_000)
        return at + self.rate * (at * (1 - at)) ** self.exponent


class Best(NamedTuple):
    """The greatest edge of a direction, in 1e-10 dollars, 0 without one, and the sizes that reach it."""

    edge: int
    sizes: frozenset[int]
    sizes_tried: int


def directions(file: Json) -> dict[str, tuple[Side, Side]]:
    """Return both directions' legs, Kalshi first."""
    inverted = file["orientation"] == "inverted"
    return {
        "yes_kalshi_no_polymarket": (
            side(file, "kalshi", "yes"),
            side(file, "polymarket", "yes" if inverted else "no"),
        ),
        "no_kalshi_yes_polymarket": (side(file, "kalshi", "no"), side(file, "polymarket", "no" if inverted else "yes")),
    }


def side(file: Json, venue: str, outcome: str) -> Side:
    """Return one leg of the file."""
    market, fee = file[venue], file[venue]["fee"]
    if outcome == "yes":
        levels = [(units(price, 4), units(size, 6)) for price, size in market["yes_asks"]]
    else:
        levels = [(10_000 - units(price, 4), units(size, 6)) for price, size in market["yes_bids"]]
    limit = file["limits"]["max_capital_dollars"][venue]
    kalshi = venue == "kalshi"
    return Side(
        levels=sorted(level for level in levels if level[1]),
        rate=KALSHI_TAKER_RATE * Fraction(fee["multiplier"]) if kalshi else Fraction(fee["rate"]),
        exponent=1 if kalshi else int(fee["exponent"]),
        precision=units(fee["precision"], 10) if kalshi else None,
        min_size=units(market["min_contracts"], 6),
        min_cost=units(market.get("min_notional_dollars", "0"), 10),
        max_capital=None if limit is None else units(limit, 10),
    )


def units(text: str, digits: int) -> int:
    """Return decimal text in units of ten to the minus ``digits``."""
    value = Fraction(text) * 10**digits
    assert value.denominator == 1, text
    return value.numerator


def best(file: Json, direction: str) -> Best:
    """Try every size on the common grid.

    With a minimum edge, a size counts when its dearest contract earns that much by unrounded fees, and the whole must
    earn it per contract after rounding.
    """
    legs = directions(file)[direction]
    step = lcm(units(file["kalshi"]["size_step"], 6), units(file["polymarket"]["size_step"], 6))
    min_edge = Fraction(file["limits"]["min_edge_dollars_per_contract"])
    greatest, reached, tried = 0, set(), 0
    for size in feasible(legs, step):
        if min_edge and last_earns(legs, size) < min_edge:
            break
        tried += 1
        edge = size * 10**4 - sum(outlay(leg, size) for leg in legs)
        if edge > 0 and edge >= greatest and edge >= min_edge * size * 10**4:
            reached = {size} if edge > greatest else reached | {size}
            greatest = edge
    return Best(greatest, frozenset(reached), tried)


def feasible(legs: tuple[Side, Side], step: int) -> Iterator[int]:
    """Yield every size that minima, depth and capital allow, smallest first."""
    depth = min(sum(size for _, size in leg.levels) for leg in legs)
    for size in range(step, depth + 1, step):
        if all(allows(leg, size) for leg in legs):
            yield size


def allows(leg: Side, size: int) -> bool:
    """Return whether one leg's order of this size keeps its minima and its capital."""
    cost = sum(price * part for price, part in taken(leg, size))
    if size < leg.min_size or cost < leg.min_cost:
        return False
    return leg.max_capital is None or outlay(leg, size) <= leg.max_capital


def taken(leg: Side, size: int) -> Iterator[tuple[int, int]]:
    """Yield what the cheapest ``size`` consists of."""
    for price, held in leg.levels:
        if not size:
            return
        yield price, min(held, size)
        size -= min(held, size)


def outlay(leg: Side, size: int) -> int:
    """Return cost and fees of the cheapest ``size``."""
    return sum(price * part + leg.fee(price, part) for price, part in taken(leg, size))


def last_earns(legs: tuple[Side, Side], size: int) -> Fraction:
    """Return what the last bit of ``size`` earns by unrounded fees, in dollars per contract."""
    return 1 - sum((leg.unrounded([*taken(leg, size)][-1][0]) for leg in legs), Fraction(0))
