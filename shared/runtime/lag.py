"""How late a connection's frames come, whatever the difference of the clocks."""

_WINDOW_S = 60.0
_QUIET_S = 1.0
BEHIND_MS = 1_000
"""More than this is late (a book a second old is no book)."""


class LagGauge:
    """How much later than usual frames arrive after the venue's own timestamp.

    "Usual" is the least difference of the last one to two minutes, so that a slow drift of the clocks is not lag.
    """

    def __init__(self) -> None:
        self._least_ms: int | None = None
        self._least_before_ms: int | None = None
        self._window_s = 0.0
        self._sampled_s = 0.0
        self._behind_since_s: float | None = None
        self._seen: tuple[int, int] | None = None
        self.lag_ms = 0

    @property
    def least_ms(self) -> int:
        """The least difference between our clock at arrival and the venue's stamp; 0 before the first frame."""
        known = [least for least in (self._least_ms, self._least_before_ms) if least is not None]
        return min(known, default=0)

    def look(self, newest: tuple[int, int] | None, now_s: float) -> bool:
        """Take the newest frame that carried a time: the venue's milliseconds, our nanoseconds; return if it is new.

        The same frame again says nothing, whatever other frames come beside it. ``now_s`` is monotonic.
        """
        if newest is None or newest == self._seen:
            self.quiet(now_s)
            return False
        self._seen = newest
        venue_ts_ms, received_ts_ns = newest
        self.saw(received_ts_ns // 1_000_000 - venue_ts_ms, now_s)
        return True

    def saw(self, delay_ms: int, now_s: float = 0.0) -> None:
        """Note one difference between our clock at arrival and the venue's timestamp; ``now_s`` is monotonic."""
        self._sampled_s = now_s
        if self._least_ms is None or now_s - self._window_s >= _WINDOW_S:
            self._least_before_ms, self._least_ms, self._window_s = self._least_ms, delay_ms, now_s
        self._least_ms = min(self._least_ms, delay_ms)
        self.lag_ms = delay_ms - self.least_ms
        if self.lag_ms <= BEHIND_MS:
            self._behind_since_s = None
        elif self._behind_since_s is None:
            self._behind_since_s = now_s

    def quiet(self, now_s: float) -> None:
        """Note that nothing new has come: after a second of that, whatever came late has come."""
        if now_s - self._sampled_s > _QUIET_S:
            self._behind_since_s = None
            self.lag_ms = 0

    def behind_for_s(self, now_s: float) -> float:
        """Return for how long frames have come more than a second late."""
        return 0.0 if self._behind_since_s is None else now_s - self._behind_since_s
