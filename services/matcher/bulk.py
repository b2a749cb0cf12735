"""Matches whole venues at once, in several processes: every listing of Kalshi against every listing of Polymarket.

Polymarket's listings are read by all processes and indexed once; copies of the process that holds the index then answer
for events of Kalshi. What is found for a listing is what ``CandidateIndex.best`` finds; only the work is shared out.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

import msgspec

from services.matcher.candidates import LEAST_SCORE, MOST_CANDIDATES, MOST_PER_MARKET, CandidateIndex, Reading
from services.matcher.copies import Memory, memory, no_collector, share_out
from services.matcher.mapping_files import Mappings
from services.matcher.verdict import Verdict
from shared.domain.market import Market, MarketId

_SLOTS_EACH = 5_000
"""Parsed listings that a process keeps: events come in an order in which neighbours ask for the same ones."""
_SHARES_EACH = 16
"""Portions of work for each process, so that none waits long for the other."""


class Match(NamedTuple):
    """A pair that the slots do not refuse."""

    ticker: MarketId
    condition_id: MarketId
    verdict: Verdict


class Found(NamedTuple):
    """What one process found in one portion."""

    matches: list[Match]
    candidates: list[tuple[MarketId, list[MarketId]]]


class Bulk(NamedTuple):
    """What was found in all."""

    matches: list[Match]
    """By ticker, the best of a ticker first."""
    candidates: dict[MarketId, list[MarketId]]
    memory: Memory
    """The most that all processes together have held, this one included."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to find for each listing."""

    compare: bool
    """Whether candidates are compared; otherwise they are only named."""
    most: int
    least: Decimal = LEAST_SCORE


def match_venues(
    kalshi: Sequence[Market],
    polymarket: Sequence[Market],
    mappings: Mappings,
    *,
    most: int = MOST_PER_MARKET,
    least: Decimal = LEAST_SCORE,
    processes: int = 2,
) -> Bulk:
    """Return up to ``most`` partners without a veto for every Kalshi listing, scoring at least ``least``."""
    return _run(kalshi, polymarket, mappings, Wanted(compare=True, most=most, least=least), processes)


def candidates_of_venues(
    kalshi: Sequence[Market],
    polymarket: Sequence[Market],
    mappings: Mappings,
    *,
    limit: int = MOST_CANDIDATES,
    processes: int = 2,
) -> Bulk:
    """Return the ``limit`` first candidates for every Kalshi listing, likest first, without comparing them."""
    return _run(kalshi, polymarket, mappings, Wanted(compare=False, most=limit), processes)


@no_collector()
def _run(
    kalshi: Sequence[Market], polymarket: Sequence[Market], mappings: Mappings, wanted: Wanted, processes: int
) -> Bulk:
    """Index, find and put together, all without the cycle collector: nothing here is cyclic."""
    index = CandidateIndex(mappings, most_slots=_SLOTS_EACH)
    reading = _take_in(index, polymarket, processes)
    shares = list(_shares(_events(kalshi), processes * _SHARES_EACH))
    found = share_out(lambda number: _find(index, shares[number], wanted), len(shares), processes=processes)
    matches = sorted(chain.from_iterable(part.matches for part in found.results), key=lambda match: match.ticker)
    candidates = dict(chain.from_iterable(part.candidates for part in found.results))
    most = map(max, zip(reading, found.memory, memory(), strict=True))
    return Bulk(matches, candidates, Memory(*most))


def _take_in(index: CandidateIndex, markets: Sequence[Market], processes: int) -> Memory:
    """Index listings, which all processes read and this one puts in their places; return what that held."""
    size = -(-len(markets) // (processes * _SHARES_EACH)) or 1
    portions = [markets[first : first + size] for first in range(0, len(markets), size)]

    def read(number: int) -> list[Reading]:
        return [index.read(market) for market in portions[number]]

    done = share_out(read, len(portions), processes=processes)
    for portion, readings in zip(portions, done.results, strict=True):
        for market, reading in zip(portion, readings, strict=True):
            index.put(market, reading)
    return done.memory


def _events(markets: Iterable[Market]) -> list[list[Market]]:
    events: defaultdict[str, list[Market]] = defaultdict(list)
    for market in markets:
        events[market.event_id].append(market)
    return [events[event_id] for event_id in sorted(events)]


def _shares(events: list[list[Market]], count: int) -> Iterator[list[list[Market]]]:
    """Yield portions of about equal size. Events stay whole and neighbours together: they ask for the same listings."""
    total = sum(map(len, events))
    share: list[list[Market]] = []
    size = 0
    for event in events:
        share.append(event)
        size += len(event)
        if size * count >= total:
            yield share
            share, size = [], 0
    if share:
        yield share


def _find(index: CandidateIndex, share: list[list[Market]], wanted: Wanted) -> Found:
    """Answer for one portion of Kalshi's events."""
    found = Found([], [])
    for event in share:
        if not wanted.compare:
            found.candidates.extend(index.candidates_of_event(event, wanted.most))
            continue
        for market, best in zip(event, index.best_of_event(event, most=wanted.most, least=wanted.least), strict=True):
            found.matches.extend(Match(market.market_id, condition_id, verdict) for condition_id, verdict in best)
    return found
