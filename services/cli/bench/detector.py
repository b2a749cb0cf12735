"""How many pairs of books are priced in a second: ours, the naive way, and published packages where installed.

Two kinds of work on the same books. Edge guard: does either direction of a pair pay at the best prices, fees included?
Depth walk: how much of either direction is worth buying through twenty levels a side, and what does it earn?
Repetitions are interleaved, so that a busy machine is busy for all contestants, and the least processor time of each
counts. Afterwards their answers have to agree, but for how each rounds a fee, or nothing is reported.
"""

import gc
import time
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from services.cli.bench import detector_naive as naive
from services.cli.bench import detector_rivals as rivals
from services.cli.bench.detector_tape import LEVELS, BookPair, deep_pairs, quiet_pairs
from services.cli.output import write_line
from shared.domain.arbitrage import Ladders, Limits, MarketTerms, PairPricing, Walk
from shared.domain.book import LevelE
from shared.domain.fees import KalshiFees, PolymarketFees
from shared.domain.numbers import money_dollars, price_dollars, size_contracts
from shared.domain.pair import Direction, Orientation

TOP_ROUNDING_DOLLARS = Decimal("0.00012")
"""One contract's fees, rounded up to a hundredth of a cent at Kalshi and to five decimals at Polymarket."""
CENT_ROUNDING_DOLLARS = Decimal("0.01002")
"""One level's fees where Kalshi's is rounded up to the cent, as uselayer does."""

STINT_S = 0.02

Job = Callable[[], Sequence[Any]]


class Unequal(Exception):
    """Two contestants answer differently: their times must not be compared."""


class Ours(NamedTuple):
    """One pair as the detector holds it."""

    pricing: PairPricing
    kalshi: Ladders
    polymarket: Ladders


def measure(*, pairs: int, repetitions: int, seed: int) -> dict[str, Any]:
    """Return evaluations per second of every contestant and kind of work, and the ratios to ours. Raises Unequal."""
    quiet, deep = quiet_pairs(pairs, seed), deep_pairs(pairs, seed + 1)
    missing = rivals.missing()
    guards, walks = _guards(quiet, missing), _walks(deep, missing)
    guard_s, guard_answers = _least_seconds(guards, repetitions)
    walk_s, walk_answers = _least_seconds(walks, repetitions)
    _require_equal_tops(quiet, guard_answers)
    _require_equal_walks(walk_answers)
    taken = [walk for found in walk_answers["ours"] for _, walk in found]
    return {
        "pairs": pairs,
        "levels_a_side": LEVELS,
        "levels_walked_a_pair": round(sum(len(fills) for walk in taken for fills in walk.fills) / pairs, 1),
        "repetitions": repetitions,
        "measure": "both directions of a pair; least processor time over interleaved repetitions",
        "edge_guard": _figures(guard_s, pairs),
        "depth_walk": _figures(walk_s, pairs),
        "answers": "agree on every pair but for how each rounds a fee",
        "missing": missing,
    }


def print_report(report: dict[str, Any]) -> None:
    """Say it in words."""
    for work in ("edge_guard", "depth_walk"):
        figures = report[work]
        write_line(work.replace("_", " "))
        for name, rate in figures["pairs_per_s"].items():
            times = "" if name == "ours" else f"   ours is {figures['times'][name]} times as fast"
            write_line(f"{name:>10}  {rate:>12,} pairs per second{times}")


def _figures(least_s: dict[str, float], pairs: int) -> dict[str, Any]:
    return {
        "pairs_per_s": {name: round(pairs / seconds) for name, seconds in least_s.items()},
        "microseconds_per_pair": {name: round(seconds / pairs * 1e6, 3) for name, seconds in least_s.items()},
        "times": {name: round(seconds / least_s["ours"], 2) for name, seconds in least_s.items() if name != "ours"},
    }


def _least_seconds(jobs: dict[str, Job], repetitions: int) -> tuple[dict[str, float], dict[str, Sequence[Any]]]:
    """Run every job in turn, as often as asked, without the garbage collector in between.

    A repetition goes through the books as often as fills ``STINT_S``: a shorter one would time cold caches and the
    clock itself.
    """
    answers = {name: job() for name, job in jobs.items()}
    gc.collect()
    gc.disable()
    try:
        rounds = {name: max(1, int(STINT_S / max(_seconds(job, 1), 1e-6))) for name, job in jobs.items()}
        least_s: dict[str, float] = {}
        for _ in range(repetitions):
            for name, job in jobs.items():
                seconds = _seconds(job, rounds[name])
                least_s[name] = min(seconds, least_s.get(name, seconds))
    finally:
        gc.enable()
    return least_s, answers


def _seconds(job: Job, rounds: int) -> float:
    began_s = time.process_time()
    for _ in range(rounds):
        job()
    return (time.process_time() - began_s) / rounds


def _guards(tape: list[BookPair], missing: dict[str, str]) -> dict[str, Job]:
    ours, theirs = [_ours(pair) for pair in tape], [_naive(pair) for pair in tape]
    jobs: dict[str, Job] = {
        "ours": lambda: [pricing.promising(kalshi, polymarket) for pricing, kalshi, polymarket in ours],
        "naive": lambda: [naive.edges_at_top(pair) for pair in theirs],
    }
    if "uselayer" not in missing:
        books = rivals.uselayer_books(theirs)
        jobs["uselayer"] = lambda: rivals.uselayer_tops(books)
    if "oracle3" not in missing:
        quotes = rivals.oracle3_quotes(theirs)
        jobs["oracle3"] = lambda: rivals.oracle3_tops(quotes)
    return jobs


def _walks(tape: list[BookPair], missing: dict[str, str]) -> dict[str, Job]:
    ours, theirs = [_ours(pair) for pair in tape], [_naive(pair) for pair in tape]
    jobs: dict[str, Job] = {
        "ours": lambda: [_walk(*pair) for pair in ours],
        "naive": lambda: [naive.walk_both(pair) for pair in theirs],
    }
    if "uselayer" not in missing:
        books = rivals.uselayer_books(theirs)
        jobs["uselayer"] = lambda: rivals.uselayer_walks(books)
    return jobs


def _walk(pricing: PairPricing, kalshi: Ladders, polymarket: Ladders) -> list[tuple[Direction, Walk]]:
    """Do what the detector does at a quote: guard first, then walk what is promising."""
    found = []
    for direction in pricing.promising(kalshi, polymarket):
        walk = pricing.walk(direction, kalshi, polymarket)
        if walk is not None:
            found.append((direction, walk))
    return found


def _ours(pair: BookPair) -> Ours:
    source = "the benchmark"
    kalshi = KalshiFees(fee_type="quadratic", multiplier=pair.multiplier, effective_from=date.min, source=source)
    polymarket = PolymarketFees(rate=pair.rate, effective_from=date.min, source=source)
    step = Decimal("0.01")
    return Ours(
        PairPricing(
            Orientation.SAME,
            kalshi=MarketTerms(fees=kalshi, size_step_contracts=step, min_contracts=step),
            polymarket=MarketTerms(fees=polymarket, size_step_contracts=step, min_contracts=step),
            limits=Limits(),
        ),
        Ladders(pair.kalshi_bids, pair.kalshi_asks),
        Ladders(pair.polymarket_bids, pair.polymarket_asks),
    )


def _naive(pair: BookPair) -> naive.Pair:
    return naive.Pair(
        naive.Book(_decimals(pair.kalshi_bids), _decimals(pair.kalshi_asks)),
        naive.Book(_decimals(pair.polymarket_bids), _decimals(pair.polymarket_asks)),
        pair.multiplier,
        pair.rate,
    )


def _decimals(levels: Sequence[LevelE]) -> list[naive.Level]:
    return [(price_dollars(price_e4), size_contracts(size_e6)) for price_e4, size_e6 in levels]


def _require_equal_tops(tape: list[BookPair], answers: dict[str, Sequence[Any]]) -> None:
    """Every contestant finds the directions that pay, but for those within the rounding of one contract's fees."""
    for at, pair in enumerate(tape):
        truth = _unrounded(_naive(pair))
        claims = {name: answers[name][at] for name in ("ours", "naive")}
        for name in answers.keys() - claims.keys():
            edges = zip(rivals.DIRECTIONS, answers[name][at], strict=True)
            claims[name] = [direction for direction, edge in edges if edge > 0]
        for name, claimed in claims.items():
            for direction, edge in truth.items():
                if (direction in claimed) != (edge > 0) and abs(edge) > TOP_ROUNDING_DOLLARS:
                    raise Unequal(f"{name} says {list(claimed)} of pair {at}, where {direction} earns {edge}")


def _unrounded(pair: naive.Pair) -> dict[str, Decimal]:
    prices = (
        (pair.kalshi.asks[0][0], 1 - pair.polymarket.bids[0][0]),
        (1 - pair.kalshi.bids[0][0], pair.polymarket.asks[0][0]),
    )
    edges = (1 - p - q - pair.multiplier * naive.KALSHI_RATE * p * (1 - p) - pair.rate * q * (1 - q) for p, q in prices)
    return dict(zip(rivals.DIRECTIONS, edges, strict=True))


def _require_equal_walks(answers: dict[str, Sequence[Any]]) -> None:
    """The naive walk gives the same sizes and edges; uselayer the same sizes, and edges but for fees in whole cents."""
    for at, found in enumerate(answers["ours"]):
        ours = {d.value: (size_contracts(w.size_e6), money_dollars(w.edge_e10)) for d, w in found}
        theirs = {one.direction: (one.contracts, one.edge) for one in answers["naive"][at]}
        if ours != theirs:
            raise Unequal(f"naive says {theirs} of pair {at}, ours {ours}")
        levels = {d.value: sum(len(fills) for fills in w.fills) for d, w in found}
        for direction, size in zip(rivals.DIRECTIONS, answers.get("uselayer", {at: ()})[at], strict=False):
            contracts, edge = ours.get(direction, (Decimal(0), Decimal(0)))
            allowed = CENT_ROUNDING_DOLLARS * max(levels.get(direction, 0), 1)
            near = abs(Decimal(str(size["net_profit"])) - edge) <= allowed
            if not near or (contracts and size["contracts"] != contracts):
                raise Unequal(f"uselayer says {size} of pair {at}, ours {ours}")
