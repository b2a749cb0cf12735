"""Which pairs are live right now, kept up to date from the pairs stream."""

import asyncio
from collections.abc import Callable, Iterable

from shared.contracts.pairs import (
    CandidateFound,
    CandidateReviewed,
    PairActivated,
    PairMessage,
    PairRetired,
    PairSuspended,
)
from shared.contracts.streams import PAIRS
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Pair, PairId
from shared.runtime.latest import follow_latest

_PAUSE_PER_TELLING = 4
_LONGEST_PAUSE_S = 0.25


class LivePairs:
    """The activated pairs by id, and for each market the partitions where its quotes are wanted.

    ``on_change`` is called after each batch of changes, first when the present state is loaded. Where it takes long, as
    with thousands of pairs, the next batch is read a little later and is the larger for it.
    """

    def __init__(self, url: str, *, on_change: Callable[[], None]) -> None:
        self._url = url
        self._on_change = on_change
        self._wanted: dict[tuple[Venue, MarketId], list[int]] = {}
        """The partition of every live pair of a market."""
        self._parts: dict[tuple[Venue, MarketId], tuple[int, ...]] = {}
        self._moved: set[tuple[Venue, MarketId]] = set()
        self.pairs: dict[PairId, Pair] = {}
        self.over: dict[PairId, Pair] = {}
        """Pairs of which a market trades no more, and that wait for what both paid."""
        self.loaded = asyncio.Event()

    def partitions(self, venue: Venue, market_id: MarketId) -> tuple[int, ...]:
        """Return where a market's quotes go; empty when no live pair has it."""
        return self._parts.get((venue, market_id), ())

    def moved(self, venue: Venue) -> frozenset[MarketId]:
        """Return, during ``on_change``, the markets whose partitions are other ones than at its last call."""
        return frozenset(market_id for of, market_id in self._moved if of is venue)

    def markets(self, venue: Venue) -> frozenset[MarketId]:
        """Return the markets of ``venue`` that live pairs need."""
        return frozenset(pair.market_id(venue) for pair in self.pairs.values())

    async def run(self, stopping: asyncio.Event) -> None:
        """Load the present pairs and follow their changes until ``stopping`` is set."""
        async for told in follow_latest(self._url, PAIRS, stopping):
            if isinstance(told, dict):
                self._forget_all_but(told.values())
            for message in told.values() if isinstance(told, dict) else told:
                self._apply(message)
            took_s = self._tell()
            self.loaded.set()
            await asyncio.sleep(min(_LONGEST_PAUSE_S, _PAUSE_PER_TELLING * took_s))

    def _forget_all_but(self, latest: Iterable[PairMessage]) -> None:
        """Drop the pairs of which the whole state knows nothing."""
        told = {message.pair.pair_id for message in latest if isinstance(message, PairActivated | PairSuspended)}
        for pair_id in (self.pairs.keys() | self.over.keys()) - told:
            self._apply(PairRetired(pair_id=pair_id, reason="Redis knows no such pair"))

    def _apply(self, message: PairMessage) -> None:
        match message:
            case CandidateFound() | CandidateReviewed():
                return
            case PairRetired(pair_id=pair_id):
                pass
            case PairActivated(pair=pair) | PairSuspended(pair=pair):
                pair_id = pair.pair_id
        before = self.pairs.pop(pair_id, None)
        if before is not None:
            self._unwant(before)
        self.over.pop(pair_id, None)
        match message:
            case PairActivated(pair=pair):
                self.pairs[pair_id] = pair
                self._want(pair)
            case PairSuspended(pair=pair, awaits="results"):
                self.over[pair_id] = pair

    def _want(self, pair: Pair) -> None:
        part = pair.partition
        for venue in Venue:
            key = (venue, pair.market_id(venue))
            self._wanted.setdefault(key, []).append(part)
            self._place(key)

    def _unwant(self, pair: Pair) -> None:
        part = pair.partition
        for venue in Venue:
            key = (venue, pair.market_id(venue))
            self._wanted[key].remove(part)
            if not self._wanted[key]:
                del self._wanted[key]
            self._place(key)

    def _place(self, key: tuple[Venue, MarketId]) -> None:
        """Note where a market's quotes go now."""
        parts = tuple(sorted(set(self._wanted.get(key, ()))))
        if parts != self._parts.get(key, ()):
            self._moved.add(key)
        if parts:
            self._parts[key] = parts
        else:
            self._parts.pop(key, None)

    def _tell(self) -> float:
        """Tell of the changes and return how many seconds that took."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._on_change()
        self._moved.clear()
        return loop.time() - began_s
