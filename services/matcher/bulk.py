"""Matches whole venues at once, in several processes: every listing of Kalshi against every listing of Polymarket.

Each process indexes all of Polymarket and answers for events of Kalshi as they are handed out. What it finds for a
listing is what ``CandidateIndex.best`` finds; only the work is shared out.
"""

import gc
import multiprocessing
import os
import resource
import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import ClassVar, NamedTuple

import msgspec

from services.matcher.candidates import LEAST_SCORE, MOST_CANDIDATES, MOST_PER_MARKET, CandidateIndex
from services.matcher.mapping_files import Mappings
from services.matcher.verdict import Verdict
from shared.domain.market import Market, MarketId

_PLACE = "L"
_WRITTEN_AT_ONCE = 5_000
_LENGTH_BYTES = 8
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
    candidates: list[tuple[MarketId, bytes]]
    """By ticker the places of the listings in Polymarket's order, which are smaller to hand over than ids."""
    process: int
    peak_bytes: int
    """The most memory that the process has held."""


class Bulk(NamedTuple):
    """What was found in all."""

    matches: list[Match]
    """By ticker, the best of a ticker first."""
    candidates: dict[MarketId, list[MarketId]]
    peak_bytes: int
    """The most memory that the processes have held, added up; this one's own is not in it."""


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


def _run(
    kalshi: Sequence[Market], polymarket: Sequence[Market], mappings: Mappings, wanted: Wanted, processes: int
) -> Bulk:
    with NamedTemporaryFile(prefix="dutchbook-listings-") as file:
        for first in range(0, len(polymarket), _WRITTEN_AT_ONCE):
            written = msgspec.msgpack.encode(polymarket[first : first + _WRITTEN_AT_ONCE])
            file.write(len(written).to_bytes(_LENGTH_BYTES) + written)
        file.flush()
        with ProcessPoolExecutor(
            max_workers=processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_open,
            initargs=(file.name, mappings, wanted),
        ) as pool:
            futures: list[Future[Found]] = [
                pool.submit(_find, msgspec.msgpack.encode(share))
                for share in _shares(_events(kalshi), processes * _SHARES_EACH)
            ]
            found = [future.result() for future in futures]
    peaks: dict[int, int] = {}
    for part in found:
        peaks[part.process] = max(part.peak_bytes, peaks.get(part.process, 0))
    ids = [market.market_id for market in polymarket]
    candidates = {
        ticker: [ids[place] for place in array(_PLACE, places)] for part in found for ticker, places in part.candidates
    }
    matches = sorted((match for part in found for match in part.matches), key=lambda match: match.ticker)
    return Bulk(matches, candidates, sum(peaks.values()))


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


class _Worker:
    """What a process keeps between portions."""

    index: ClassVar[CandidateIndex]
    place: ClassVar[dict[MarketId, int]]
    wanted: ClassVar[Wanted]


_EVENTS = msgspec.msgpack.Decoder(list[list[Market]])


def _open(listings: str, mappings: Mappings, wanted: Wanted) -> None:
    """Index Polymarket's listings in a new process. Nothing here is cyclic, and the process ends soon: no collector."""
    gc.disable()
    _Worker.index = CandidateIndex(mappings, most_slots=_SLOTS_EACH)
    _Worker.place = {}
    _Worker.wanted = wanted
    for market in _read(Path(listings)):
        _Worker.place[market.market_id] = len(_Worker.place)
        _Worker.index.put(market)


def _read(listings: Path) -> Iterator[Market]:
    """Yield what was written, a part at a time, so that it is never held twice."""
    decoder = msgspec.msgpack.Decoder(list[Market])
    with listings.open("rb") as file:
        while length := file.read(_LENGTH_BYTES):
            yield from decoder.decode(file.read(int.from_bytes(length)))


def _find(share: bytes) -> Found:
    """Answer for one portion of Kalshi's events."""
    index, place, wanted = _Worker.index, _Worker.place, _Worker.wanted
    matches: list[Match] = []
    candidates: list[tuple[MarketId, bytes]] = []
    for event in _EVENTS.decode(share):
        if not wanted.compare:
            for ticker, ids in index.candidates_of_event(event, wanted.most):
                candidates.append((ticker, array(_PLACE, map(place.__getitem__, ids)).tobytes()))
            continue
        for market, found in zip(event, index.best_of_event(event, most=wanted.most, least=wanted.least), strict=True):
            matches.extend(Match(market.market_id, condition_id, verdict) for condition_id, verdict in found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Found(matches, candidates, os.getpid(), peak if sys.platform == "darwin" else peak * 1024)
