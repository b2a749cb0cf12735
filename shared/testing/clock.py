"""A clock that moves only when a test says so."""


class FakeClock:
    """Stands in for ``SystemClock``; both of its clocks move together unless the wall clock is set apart."""

    def __init__(self, *, now_ms: int = 1_795_284_000_000) -> None:
        self._now_ns = now_ms * 1_000_000
        self._monotonic_ns = 0

    def now_ns(self) -> int:
        """Return Unix nanoseconds."""
        return self._now_ns

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        return self._now_ns // 1_000_000

    def monotonic_s(self) -> float:
        """Return seconds since the clock was made."""
        return self._monotonic_ns / 1_000_000_000

    def advance(self, *, ms: int) -> None:
        """Let ``ms`` milliseconds pass on both clocks."""
        self._now_ns += ms * 1_000_000
        self._monotonic_ns += ms * 1_000_000

    def set_wall(self, *, now_ms: int) -> None:
        """Step the wall clock, as an operator or NTP would, without any time passing."""
        self._now_ns = now_ms * 1_000_000
