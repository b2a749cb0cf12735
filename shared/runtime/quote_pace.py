"""How many quotes a feed writes each second, so that a flood is met by newer states and not by longer queues. Pure.

What a quote costs is spent mostly behind the feed: by Redis and by every detector that reads it. Reading a frame is far
cheaper. So a feed that is flooded goes on reading all of it and writes at an even pace; a book that changes more
often than that goes out in its newest state.
"""

QUOTES_PER_S = 10_000
"""What a feed writes each second at most, unless it is told otherwise."""
_BURST_S = 0.05
"""What may go out at once after a pause, in seconds of the pace."""


class QuotePace:
    """Lets ``quotes_per_s`` out, and at most a twentieth of that at once after a pause; the caller has the clock."""

    def __init__(self, quotes_per_s: int) -> None:
        assert quotes_per_s > 0, quotes_per_s
        self._per_s = quotes_per_s
        self._most = max(1.0, quotes_per_s * _BURST_S)
        self._left = self._most
        self._at_s: float | None = None

    def room(self, now_s: float) -> int:
        """Return how many quotes may be written now; ``now_s`` is any monotonic clock's."""
        if self._at_s is not None:
            self._left = min(self._most, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return int(self._left)

    def spend(self) -> None:
        """Note that one quote goes out; ask for ``room`` first."""
        self._left -= 1
