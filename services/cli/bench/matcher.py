"""How fast both venues are matched: everything at once, candidates alone, and one new listing; beside other ways.

Listings are made up (``matcher_titles``), so recall here says only that nothing was skipped to be fast; recall and
precision on real listings are measured elsewhere. Times are given by the clock and in processor seconds of all
processes: on a busy machine only the second means anything. Memory is that of all processes together.
"""

import gc
import resource
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec

from services.cli.bench.figures import percentile_ms
from services.cli.bench.matcher_rivals import Asked, arb_tool_missing, run_arb_tool, run_rapidfuzz
from services.cli.bench.matcher_titles import Listings, make_listings
from services.cli.output import write_line
from services.matcher.bulk import candidates_of_venues, match_venues
from services.matcher.candidates import MOST_CANDIDATES, CandidateIndex
from services.matcher.copies import Memory
from services.matcher.mapping_files import Mappings
from shared.domain.market import MarketId

T = TypeVar("T")


class Sizes(NamedTuple):
    """How much is measured."""

    kalshi: int = 100_000
    polymarket: int = 200_000
    candidates_polymarket: int = 50_000
    """Of the listings against which candidates alone are looked for."""
    arrivals: int = 400
    """New listings of each venue."""
    questions: int = 20
    """Put to rapidfuzz; the rest is extrapolated."""
    arb_tool: int = 3_000
    """Listings of each venue for arb-tool."""


class Spent(NamedTuple):
    """What a piece of work took."""

    wall_s: float
    cpu_s: float


def measure(mappings: Mappings, sizes: Sizes, *, processes: int, seed: int) -> dict[str, Any]:
    """Return the figures of every contestant, and ratios."""
    listings = make_listings(kalshi=sizes.kalshi, polymarket=sizes.polymarket, seed=seed)
    few = _first(listings, sizes.candidates_polymarket)
    report: dict[str, Any] = {
        "kalshi": sizes.kalshi,
        "polymarket": sizes.polymarket,
        "partnered": len(listings.partner),
        "processes": processes,
        "candidates": _candidates(few, mappings, processes),  # the smaller first: copies of a grown process cost more
        "full_match": _full_match(listings, mappings, processes),
        "one_new_listing": _arrivals(listings, mappings, sizes.arrivals, seed),
        "rapidfuzz": _rapidfuzz(listings, few, sizes.questions),
        "arb_tool": _arb_tool(mappings, sizes.arb_tool, seed),
    }
    report["ratios"] = {
        "full_match_times_rapidfuzz": _ratio(
            report["rapidfuzz"]["full_match_cpu_s_extrapolated"], report["full_match"]["cpu_s"]
        ),
        "candidates_times_rapidfuzz": _ratio(
            report["rapidfuzz"]["candidates_cpu_s_extrapolated"], report["candidates"]["cpu_s"]
        ),
        "one_new_listing_times_rapidfuzz": _ratio(
            report["rapidfuzz"]["one_listing_cpu_ms"], report["one_new_listing"]["p50_cpu_ms"]
        ),
        "times_arb_tool": report["arb_tool"].get("times"),
    }
    return report


def print_report(report: dict[str, Any]) -> None:
    """Say it in words."""
    candidates, full, one = report["candidates"], report["full_match"], report["one_new_listing"]
    fuzz, rival, ratios = report["rapidfuzz"], report["arb_tool"], report["ratios"]
    write_line(
        f"candidates of {candidates['kalshi']:,} x {candidates['polymarket']:,}: {candidates['wall_s']} s by the "
        f"clock, {candidates['cpu_s']} s of processor, partner among {MOST_CANDIDATES} for {candidates['recall']:.2%}"
    )
    write_line(
        f"full match of {report['kalshi']:,} x {report['polymarket']:,}: {full['wall_s']} s by the clock, "
        f"{full['cpu_s']} s of processor, {full['peak_mb']:,} MB in all processes"
    )
    write_line(
        f"one new listing: {one['p50_ms']} ms ({one['p50_cpu_ms']} ms of processor), 99 % within {one['p99_ms']} ms"
    )
    write_line(
        f"rapidfuzz process.extract: {fuzz['one_listing_cpu_ms']:,} ms a listing, "
        f"{fuzz['full_match_cpu_s_extrapolated']:,} s for all: "
        f"{ratios['full_match_times_rapidfuzz']:,} times ours"
    )
    if ratios["times_arb_tool"] is None:
        write_line(f"arb-tool: {rival['status']}")
    else:
        write_line(
            f"arb-tool on {rival['listings']:,} x {rival['listings']:,}: {rival['cpu_s']} s, finds "
            f"{rival['found']:.0%}; ours {rival['ours_cpu_s']} s, finds {rival['ours_found']:.0%}"
        )


def _candidates(listings: Listings, mappings: Mappings, processes: int) -> dict[str, Any]:
    bulk, spent = _timed(
        lambda: candidates_of_venues(listings.kalshi, listings.polymarket, mappings, processes=processes)
    )
    found = sum(theirs in bulk.candidates[ours] for ours, theirs in listings.partner.items())
    return {
        "kalshi": len(listings.kalshi),
        "polymarket": len(listings.polymarket),
        "wall_s": round(spent.wall_s, 2),
        "cpu_s": round(spent.cpu_s, 2),
        **_megabytes(bulk.memory),
        "recall": _share(found, len(listings.partner)),
    }


def _full_match(listings: Listings, mappings: Mappings, processes: int) -> dict[str, Any]:
    bulk, spent = _timed(
        lambda: match_venues(listings.kalshi, listings.polymarket, mappings, most=1, processes=processes)
    )
    right = sum(listings.partner.get(match.ticker) == match.condition_id for match in bulk.matches)
    return {
        "wall_s": round(spent.wall_s, 2),
        "cpu_s": round(spent.cpu_s, 2),
        **_megabytes(bulk.memory),
        "matches": len(bulk.matches),
        "found": _share(right, len(listings.partner)),
    }


def _arrivals(listings: Listings, mappings: Mappings, count: int, seed: int) -> dict[str, Any]:
    """Time what a listing's arrival costs: it is taken in and its partners are looked for among all that are listed."""
    index = CandidateIndex(mappings)
    for market in (*listings.kalshi, *listings.polymarket):
        index.put(market)
    fresh = make_listings(kalshi=count, polymarket=count, seed=seed + 1)
    gc.collect()
    gc.freeze()
    took_ns: list[int] = []
    cpu_ns: list[int] = []
    for market in (*fresh.kalshi, *fresh.polymarket):
        arrived = msgspec.structs.replace(market, market_id=MarketId(f"new-{market.market_id}"))
        began_ns, began_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        index.put(arrived)
        index.best(arrived)
        cpu_ns.append(time.process_time_ns() - began_cpu_ns)
        took_ns.append(time.perf_counter_ns() - began_ns)
        index.remove(arrived.venue, arrived.market_id)
    gc.unfreeze()
    return {
        "listed": len(listings.kalshi) + len(listings.polymarket),
        "arrivals": len(took_ns),
        "p50_ms": _rounded(percentile_ms(took_ns, 50)),
        "p99_ms": _rounded(percentile_ms(took_ns, 99)),
        "p50_cpu_ms": _rounded(percentile_ms(cpu_ns, 50)),
        "p99_cpu_ms": _rounded(percentile_ms(cpu_ns, 99)),
    }


def _rapidfuzz(listings: Listings, few: Listings, questions: int) -> dict[str, Any]:
    step = max(1, len(listings.kalshi) // questions)
    asked = run_rapidfuzz(
        listings.kalshi[::step][:questions], listings.polymarket, listings.partner, limit=MOST_CANDIDATES
    )
    one_s = asked.seconds / asked.questions
    full_s = one_s * len(listings.kalshi)
    return {
        "call": f"process.extract(title, titles, limit={MOST_CANDIDATES}), default scorer",
        "questions": asked.questions,
        "one_listing_cpu_ms": round(one_s * 1_000, 1),
        "full_match_cpu_s_extrapolated": round(full_s),
        "candidates_cpu_s_extrapolated": round(full_s * len(few.polymarket) / len(listings.polymarket)),
        "partnered": asked.partnered,
        "found": asked.found,
    }


def _arb_tool(mappings: Mappings, size: int, seed: int) -> dict[str, Any]:
    missing = arb_tool_missing()
    if missing:
        return {"status": missing}
    listings = make_listings(kalshi=size, polymarket=size, seed=seed + 2)
    theirs = run_arb_tool(listings.kalshi, listings.polymarket, listings.partner)
    ours = _run_ours(listings, mappings)
    return {
        "status": "installed",
        "listings": size,
        "cpu_s": round(theirs.seconds, 2),
        "pairs": theirs.answers,
        "found": _share(theirs.found, theirs.partnered),
        "ours_cpu_s": round(ours.seconds, 2),
        "ours_pairs": ours.answers,
        "ours_found": _share(ours.found, ours.partnered),
        "times": _ratio(theirs.seconds, ours.seconds),
    }


def _run_ours(listings: Listings, mappings: Mappings) -> Asked:
    """Match in this process, one listing after the other, as arb-tool does."""
    began_s = time.process_time()
    index = CandidateIndex(mappings)
    for market in (*listings.polymarket, *listings.kalshi):
        index.put(market)
    pairs = {(market.market_id, other_id) for market in listings.kalshi for other_id, _ in index.best(market)}
    seconds = time.process_time() - began_s
    found = sum(pair in pairs for pair in listings.partner.items())
    return Asked(seconds, len(listings.kalshi), len(pairs), len(listings.partner), found)


def _first(listings: Listings, polymarket: int) -> Listings:
    kept = listings.polymarket[:polymarket]
    ids = {market.market_id for market in kept}
    return Listings(listings.kalshi, kept, {k: p for k, p in listings.partner.items() if p in ids})


def _timed(work: Callable[[], T]) -> tuple[T, Spent]:
    began_s, began_cpu_s = time.monotonic(), _cpu_s()
    result = work()
    return result, Spent(time.monotonic() - began_s, _cpu_s() - began_cpu_s)


def _cpu_s() -> float:
    """Return the processor time of this process and of those that it has started and seen end."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _megabytes(memory: Memory) -> dict[str, int]:
    """Return the memory of all processes: pages that several share counted once, and counted for each."""
    return {
        "peak_mb": round(memory.held_bytes / 1_000_000),
        "peak_mb_shared_counted_twice": round(memory.resident_bytes / 1_000_000),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _ratio(theirs: float, ours: float | None) -> float | None:
    return round(theirs / ours, 1) if ours else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
