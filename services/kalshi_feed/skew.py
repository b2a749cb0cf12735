"""How far this machine's clock is from Kalshi's, told by the ``Date`` header of every answer.

Kalshi refuses signatures whose time is 10 to 30 seconds off (measured 2026-10), so an operator should hear of a clock
that drifts long before that: at two seconds.
"""

import logging
from collections.abc import Callable
from email.utils import parsedate_to_datetime

ALARM_MS = 2_000
_DATE_RESOLUTION_MS = 1_000

log = logging.getLogger(__name__)


class ClockSkew:
    """Measures the difference and calls ``alarm`` once when it is surely beyond the bound, again after it was good."""

    def __init__(self, alarm: Callable[[int], None]) -> None:
        self._alarm = alarm
        self._alarmed = False
        self.at_least_ms = 0
        """Exchange minus us, the part that is certain: negative when our clock is ahead; 0 within the measurement."""

    def saw(self, date_header: str | None, *, sent_ms: int, received_ms: int) -> None:
        """Note the header of an answer and our clock before and after; a header that is no date says nothing.

        The header has whole seconds, and the exchange wrote it somewhere between our two readings.
        """
        if date_header is None:
            return
        try:
            written_ms = int(parsedate_to_datetime(date_header).timestamp()) * 1000
        except (ValueError, TypeError, OverflowError):
            return
        least_ms, most_ms = written_ms - received_ms, written_ms + _DATE_RESOLUTION_MS - sent_ms
        self.at_least_ms = max(0, least_ms) or min(0, most_ms)
        self._judge()

    def saw_stream(self, delay_ms: int) -> None:
        """Note the least delay between the exchange's stamp on a delta and our clock when it came."""
        self.at_least_ms = -delay_ms if abs(delay_ms) > ALARM_MS else 0
        self._judge()

    def _judge(self) -> None:
        off = abs(self.at_least_ms) >= ALARM_MS
        if off and not self._alarmed:
            self._alarm(self.at_least_ms)
        self._alarmed = off


def skew_alarm(alert: Callable[[str, str, str], None], told_by: str) -> Callable[[int], None]:
    """Return what tells the operator that the clocks differ, by so many milliseconds, and who says so."""

    def alarm(off_ms: int) -> None:
        log.error("clock.skewed", extra={"off_ms": off_ms, "told_by": told_by})
        alert(
            "kalshi_feed.clock_skew",
            f"Our clock and Kalshi's are {abs(off_ms)} ms apart",
            f"told by {told_by}; ours is {'behind' if off_ms > 0 else 'ahead'}: synchronise this machine's clock (NTP)",
        )

    return alarm
