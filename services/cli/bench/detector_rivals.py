"""The published packages in the detector benchmark, where somebody has installed them: uselayer and oracle3.

uselayer prices the top and walks ladders in ``float``, with whole contracts and Kalshi's fee rounded up to the cent.
oracle3 prices the top of a pair for one size. Both get their own kinds of books, built before anything is timed.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from services.cli.bench.detector_naive import KALSHI_RATE, Level, Pair

Answer = dict[str, tuple[Any, Any]]
"""By direction with an edge: contracts and edge in dollars, as the contestant counts them."""

DIRECTIONS = ("yes_kalshi_no_polymarket", "no_kalshi_yes_polymarket")


def missing() -> dict[str, str]:
    """Return the packages that are not compared, and why."""
    return {name: "not installed here, so not measured" for name in ("uselayer", "oracle3") if find_spec(name) is None}


def uselayer_books(pairs: list[Pair]) -> list[tuple[tuple[Any, Any], ...]]:
    """Return two legs per direction and pair, as ``uselayer.calc.size`` makes them of a request."""
    calc, fees = import_module("uselayer.calc"), import_module("uselayer.fees")

    def leg(venue: str, levels: list[Level], rate: Any, multiplier: Any) -> Any:
        per_contract, coefficient = float(multiplier * rate), float(rate)
        fee: Callable[[float, float], int]
        if venue == "kalshi":
            times = float(multiplier)

            def fee(contracts: float, price: float) -> int:
                charged: int = fees.kalshi_fee(contracts=contracts, price=price, rate=coefficient, multiplier=times)
                return charged

        else:

            def fee(contracts: float, price: float) -> int:
                charged: int = fees.polymarket_fee(
                    contracts=contracts, price=price, rate=coefficient, exponent=1, role="taker"
                )
                return charged

        asks = [{"price": float(price), "size": float(size)} for price, size in levels]
        return calc.LegBook(venue, asks, lambda price: per_contract * price * (1 - price), fee, {})

    return [
        (
            (
                leg("kalshi", pair.kalshi.asks, KALSHI_RATE, pair.multiplier),
                leg("polymarket", [(1 - price, size) for price, size in pair.polymarket.bids], pair.rate, 1),
            ),
            (
                leg("kalshi", [(1 - price, size) for price, size in pair.kalshi.bids], KALSHI_RATE, pair.multiplier),
                leg("polymarket", pair.polymarket.asks, pair.rate, 1),
            ),
        )
        for pair in pairs
    ]


def uselayer_tops(books: list[tuple[tuple[Any, Any], ...]]) -> list[list[float]]:
    """Return the edge of one contract at the best prices, fees unrounded, in both directions of every pair."""
    edge_at = import_module("uselayer.calc").edge_at
    return [
        [edge_at(first, second, first.levels[0]["price"], second.levels[0]["price"]) for first, second in directions]
        for directions in books
    ]


def uselayer_walks(books: list[tuple[tuple[Any, Any], ...]]) -> list[list[dict[str, Any]]]:
    """Return its answer for both directions of every pair."""
    pair_size = import_module("uselayer.calc").pair_size
    return [[pair_size(first, second) for first, second in directions] for directions in books]


def oracle3_quotes(pairs: list[Pair]) -> list[list[Any]]:
    """Return two quotes per pair."""
    arbitrage, fees = import_module("oracle3.arbitrage"), import_module("oracle3.fees")
    return [
        [
            arbitrage.Quote(
                venue,
                venue,
                yes_bid=float(book.bids[0][0]),
                yes_ask=float(book.asks[0][0]),
                schedule=schedule,
            )
            for venue, book, schedule in (
                ("kalshi", pair.kalshi, fees.KalshiSchedule(multiplier=pair.multiplier)),
                ("polymarket", pair.polymarket, fees.PolymarketSchedule(rate=pair.rate)),
            )
        ]
        for pair in pairs
    ]


def oracle3_tops(quotes: list[list[Any]]) -> list[list[float]]:
    """Return the edge of one contract at the best prices in both directions of every pair."""
    check = import_module("oracle3.arbitrage").check_constraint
    return [[basket.net_edge for basket in check("same_event", pair).baskets] for pair in quotes]
