"""What the matcher has said and not taken back, by pair and by market: only differences come out."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush

from services.matcher.mapping_rows import CuratedRow
from shared.contracts.pairs import (
    CandidateFound,
    CandidateReviewed,
    PairActivated,
    PairMessage,
    PairRetired,
    PairSuspended,
)
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Pair, PairId

Word = PairActivated | PairSuspended | CandidateFound

_Key = tuple[Venue, MarketId]


@dataclass(frozen=True, slots=True)
class Change:
    """A message to publish under the pair's key; ``retires`` empties the key instead of filling it."""

    pair_id: PairId
    message: PairMessage
    retires: bool
    was_live: bool
    """Whether the pair could be traded until now."""


class Published:
    """The pairs hash as it will be when everything that came out is written; ``known`` is what it holds at start."""

    def __init__(self, known: Mapping[str, PairMessage]) -> None:
        self.words: dict[PairId, Word] = {}
        self.candidate_count = 0
        self.awaiting_results: dict[PairId, PairSuspended] = {}
        """The pairs that are over and wait for what both venues paid."""
        self._with: defaultdict[_Key, set[PairId]] = defaultdict(set)
        self._ends: list[tuple[datetime, PairId]] = []
        """A heap of when pairs are past their ``not_after``; what was taken back or said anew stays in it."""
        for key, message in known.items():
            if isinstance(message, PairActivated | PairSuspended | CandidateFound):
                self._put(PairId(key), message)

    def with_market(self, venue: Venue, market_id: MarketId) -> list[PairId]:
        """Return the pairs and candidates that have this market, sorted."""
        return sorted(self._with.get((venue, market_id), ()))

    def pair(self, pair_id: PairId) -> Pair | None:
        """Return a pair as it was last told; None for a candidate or when nothing was."""
        message = self.words.get(pair_id)
        return message.pair if isinstance(message, PairActivated | PairSuspended) else None

    def pairs(self) -> list[tuple[PairId, Pair]]:
        """Return everything that is no candidate."""
        return [(pair_id, m.pair) for pair_id, m in self.words.items() if not isinstance(m, CandidateFound)]

    def candidates(self) -> list[tuple[PairId, CandidateFound]]:
        """Return what waits for a person."""
        return [(pair_id, m) for pair_id, m in self.words.items() if isinstance(m, CandidateFound)]

    def ended(self, now: datetime) -> list[Pair]:
        """Return the pairs that came past their ``not_after`` since the last call, each of them once."""
        found: dict[PairId, Pair] = {}
        while self._ends and self._ends[0][0] <= now:
            not_after, pair_id = heappop(self._ends)
            pair = self.pair(pair_id)
            if pair is not None and pair.not_after == not_after:  # else it was said anew with another end
                found[pair_id] = pair
        return list(found.values())

    def say(self, pair_id: PairId, message: Word) -> Iterator[Change]:
        """Replace what was said about a pair, unless it is the same."""
        before = self.words.get(pair_id)
        if before is not None and _says_the_same(before, message):
            return
        if before is not None:
            self._drop(pair_id)
        self._put(pair_id, message)
        yield Change(pair_id, message, retires=False, was_live=isinstance(before, PairActivated))

    def retire(self, pair_id: PairId, reason: str) -> Iterator[Change]:
        """Take back what was said about a pair, if anything was."""
        if pair_id in self.words:
            before = self._drop(pair_id)
            message = PairRetired(pair_id=pair_id, reason=reason)
            yield Change(pair_id, message, retires=True, was_live=isinstance(before, PairActivated))

    def reviewed(self, pair_id: PairId, row: CuratedRow) -> Iterator[Change]:
        """Take a candidate back because a row decides about it, and say who decided what."""
        self._drop(pair_id)
        message = CandidateReviewed(
            pair_id=pair_id,
            approved=row.status == "approved",
            reviewer=row.review.verified_by or "",
            note=row.review.note,
        )
        yield Change(pair_id, message, retires=True, was_live=False)

    def _put(self, pair_id: PairId, message: Word) -> None:
        for key in _keys(message):
            self._with[key].add(pair_id)
        self.words[pair_id] = message
        if isinstance(message, CandidateFound):
            self.candidate_count += 1
            return
        if message.pair.not_after is not None:
            heappush(self._ends, (message.pair.not_after, pair_id))
        if isinstance(message, PairSuspended) and message.awaits == "results":
            self.awaiting_results[pair_id] = message

    def _drop(self, pair_id: PairId) -> Word:
        before = self.words.pop(pair_id)
        self.awaiting_results.pop(pair_id, None)
        for key in _keys(before):
            self._with[key].discard(pair_id)
            if not self._with[key]:
                del self._with[key]
        self.candidate_count -= isinstance(before, CandidateFound)
        return before


def _says_the_same(before: Word, now: Word) -> bool:
    if isinstance(before, PairActivated) and isinstance(now, PairActivated):
        return before.pair == now.pair
    if isinstance(before, PairSuspended) and isinstance(now, PairSuspended):
        if before.awaits == now.awaits == "results":
            return True
        return (before.pair, before.reason, before.awaits) == (now.pair, now.reason, now.awaits)
    return False


def _keys(message: Word) -> tuple[_Key, _Key]:
    about = message if isinstance(message, CandidateFound) else message.pair
    return (Venue.KALSHI, about.kalshi_ticker), (Venue.POLYMARKET, about.polymarket_id)
