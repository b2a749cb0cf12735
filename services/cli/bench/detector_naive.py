"""The baseline of the detector benchmark: a pair priced in ``Decimal``, as most programs do it.

Books are lists of prices and sizes in ``Decimal``, best first; fees are two functions that round as the venues do. It
stops walking where the next contract would lose by unrounded fees and rounds the fee of every level. Nothing in it is
slowed down on purpose, and nothing is read from text.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

Level = tuple[Decimal, Decimal]
ONE = Decimal(1)
KALSHI_RATE = Decimal("0.07")
CENTICENT = Decimal("0.0001")
FIVE_DECIMALS = Decimal("0.00001")


class Book(NamedTuple):
    """One market."""

    bids: list[Level]
    asks: list[Level]


class Pair(NamedTuple):
    """Two books and what their venues charge."""

    kalshi: Book
    polymarket: Book
    multiplier: Decimal
    rate: Decimal


class Found(NamedTuple):
    """One direction with an edge."""

    direction: str
    contracts: Decimal
    edge: Decimal
    kalshi_fills: list[Level]
    polymarket_fills: list[Level]


def kalshi_fee(price: Decimal, contracts: Decimal, multiplier: Decimal) -> Decimal:
    """Up to a hundredth of a cent."""
    return (multiplier * KALSHI_RATE * contracts * price * (1 - price)).quantize(CENTICENT, ROUND_CEILING)


def polymarket_fee(price: Decimal, contracts: Decimal, rate: Decimal) -> Decimal:
    """Down to five decimals."""
    return (rate * contracts * price * (1 - price)).quantize(FIVE_DECIMALS, ROUND_FLOOR)


def edges_at_top(pair: Pair) -> list[str]:
    """Return the directions in which one contract at the best prices earns something."""
    kalshi, polymarket = pair.kalshi, pair.polymarket
    found = []
    for direction, price, other_price in (
        ("yes_kalshi_no_polymarket", kalshi.asks[0][0], 1 - polymarket.bids[0][0]),
        ("no_kalshi_yes_polymarket", 1 - kalshi.bids[0][0], polymarket.asks[0][0]),
    ):
        fees = kalshi_fee(price, ONE, pair.multiplier) + polymarket_fee(other_price, ONE, pair.rate)
        if price + other_price + fees < 1:
            found.append(direction)
    return found


def walk_both(pair: Pair) -> list[Found]:
    """Return what each direction offers through both ladders."""
    kalshi, polymarket = pair.kalshi, pair.polymarket
    found = [
        walk("yes_kalshi_no_polymarket", kalshi.asks, no_asks(polymarket), pair.multiplier, pair.rate),
        walk("no_kalshi_yes_polymarket", no_asks(kalshi), polymarket.asks, pair.multiplier, pair.rate),
    ]
    return [direction for direction in found if direction.contracts and direction.edge > 0]


def no_asks(book: Book) -> list[Level]:
    """Return the other outcome's asks."""
    return [(1 - price, size) for price, size in book.bids]


def walk(
    direction: str, kalshi_asks: list[Level], polymarket_asks: list[Level], multiplier: Decimal, rate: Decimal
) -> Found:
    """Buy the same size on both ladders while the next contract still earns something."""
    kalshi_fills: list[Level] = []
    polymarket_fills: list[Level] = []
    contracts = taken = other_taken = Decimal(0)
    at = other_at = 0
    while at < len(kalshi_asks) and other_at < len(polymarket_asks):
        price, size = kalshi_asks[at]
        other_price, other_size = polymarket_asks[other_at]
        fees = multiplier * KALSHI_RATE * price * (1 - price) + rate * other_price * (1 - other_price)
        if price + other_price + fees >= 1:
            break
        take = min(size - taken, other_size - other_taken)
        contracts += take
        taken += take
        other_taken += take
        if taken == size:
            kalshi_fills.append((price, size))
            at += 1
            taken = Decimal(0)
        if other_taken == other_size:
            polymarket_fills.append((other_price, other_size))
            other_at += 1
            other_taken = Decimal(0)
    if taken:
        kalshi_fills.append((kalshi_asks[at][0], taken))
    if other_taken:
        polymarket_fills.append((polymarket_asks[other_at][0], other_taken))
    edge = contracts
    for price, size in kalshi_fills:
        edge -= price * size + kalshi_fee(price, size, multiplier)
    for price, size in polymarket_fills:
        edge -= price * size + polymarket_fee(price, size, rate)
    return Found(direction, contracts, edge, kalshi_fills, polymarket_fills)
