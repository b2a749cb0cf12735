"""Which pairs are live right now, kept up to date from the pairs stream."""

import asyncio
from collections.abc import Callable

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
from shared.io.bus import TRANSIENT, Profile, StreamTail, connect, load_latest, waits_s


class LivePairs:
    """The activated pairs by id, and for each market the partitions where its quotes are wanted.

    ``on_change`` is called after each batch of changes, first when the present state is loaded.
    """

    def __init__(self, url: str, *, on_change: Callable[[], None]) -> None:
        self._url = url
        self._on_change = on_change
        self._parts: dict[tuple[Venue, MarketId], tuple[int, ...]] = {}
        self.pairs: dict[PairId, Pair] = {}
        self.over: dict[PairId, Pair] = {}
        """Pairs of which a market trades no more, and that wait for what both paid."""
        self.loaded = asyncio.Event()

    def partitions(self, venue: Venue, market_id: MarketId) -> tuple[int, ...]:
        """Return where a market's quotes go; empty when no live pair has it."""
        return self._parts.get((venue, market_id), ())

    def markets(self, venue: Venue) -> frozenset[MarketId]:
        """Return the markets of ``venue`` that live pairs need."""
        return frozenset(pair.market_id(venue) for pair in self.pairs.values())

    async def run(self, stopping: asyncio.Event) -> None:
        """Load the present pairs and follow their changes until ``stopping`` is set."""
        cursor = await self._load()
        tail = StreamTail(self._url, PAIRS, cursor)
        async for messages in tail.batches(stopping):
            if messages:
                for message in messages:
                    self._apply(message)
                self._changed()

    async def _load(self) -> str:
        async for _ in waits_s():
            redis = connect(self._url, Profile.WRITER)
            try:
                latest, cursor = await load_latest(redis, PAIRS)
            except TRANSIENT:
                continue
            finally:
                await redis.aclose()
            for message in latest.values():
                self._apply(message)
            self._changed()
            self.loaded.set()
            return cursor
        raise AssertionError("waits_s never ends")

    def _apply(self, message: PairMessage) -> None:
        match message:
            case CandidateFound() | CandidateReviewed():
                return
            case PairRetired(pair_id=pair_id):
                pass
            case PairActivated(pair=pair) | PairSuspended(pair=pair):
                pair_id = pair.pair_id
        self.pairs.pop(pair_id, None)
        self.over.pop(pair_id, None)
        match message:
            case PairActivated(pair=pair):
                self.pairs[pair_id] = pair
            case PairSuspended(pair=pair, awaits="results"):
                self.over[pair_id] = pair

    def _changed(self) -> None:
        parts: dict[tuple[Venue, MarketId], set[int]] = {}
        for pair in self.pairs.values():
            for venue in Venue:
                parts.setdefault((venue, pair.market_id(venue)), set()).add(pair.partition)
        self._parts = {key: tuple(sorted(found)) for key, found in parts.items()}
        self._on_change()
