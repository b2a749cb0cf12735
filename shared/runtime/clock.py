"""Time comes in through here: wall clocks for stamps, a monotonic clock for ages."""

import time
from typing import Protocol


class Clock(Protocol):
    """Our clock."""

    def now_ns(self) -> int:
        """Return Unix nanoseconds, for stamps only."""
        ...

    def now_ms(self) -> int:
        """Return Unix milliseconds, for stamps only."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never run backwards, for ages and waits."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Return Unix nanoseconds."""
        return time.time_ns()

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return the monotonic clock's seconds."""
        return time.monotonic()
