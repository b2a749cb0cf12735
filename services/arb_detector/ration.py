"""How many intents may follow within a minute: a detector that has gone wrong must not order without end."""

from collections import Counter, deque

from shared.domain.pair import PairId

_MINUTE_S = 60.0


class Ration:
    """Counts the intents of the last minute, of each pair and of all together; a limit of 0 is none."""

    def __init__(self, *, per_minute: int, per_pair: int) -> None:
        self._per_minute = per_minute
        self._per_pair = per_pair
        self._given: deque[tuple[float, PairId]] = deque()
        self._of_pair: Counter[PairId] = Counter()

    def allows(self, pair_id: PairId, now_s: float) -> bool:
        """Return whether a pair may have one more intent now."""
        while self._given and now_s - self._given[0][0] >= _MINUTE_S:
            _, old = self._given.popleft()
            self._of_pair[old] -= 1
            if not self._of_pair[old]:
                del self._of_pair[old]
        if self._per_minute and len(self._given) >= self._per_minute:
            return False
        return not self._per_pair or self._of_pair[pair_id] < self._per_pair

    def note(self, pair_id: PairId, now_s: float) -> None:
        """Note that a pair has one now."""
        self._given.append((now_s, pair_id))
        self._of_pair[pair_id] += 1
