"""The divergence sentinel: two markets that settle on the same question do not stay far apart for long.

When they do, far beyond fees and on books that may be believed, the pair is more likely a wrong match than a gift.
"""

from decimal import Decimal

import msgspec

from shared.contracts.funnel import PairDiverged
from shared.domain.pair import Direction


class SentinelRules(msgspec.Struct, frozen=True, kw_only=True):
    """How far apart, and for how long."""

    edge_dollars_per_contract: Decimal = Decimal("0.05")
    after_s: int = 600


_LONGEST_GAP_S = 300.0
"""Between two looks that count as one stretch: thousands of pairs are looked at in turn, and feeds have bad minutes."""


class Apart:
    """Since when the looks at one pair have all found its prices far apart, in one direction."""

    __slots__ = ("_last_s", "direction", "least_e18", "since_s")

    def __init__(self) -> None:
        self.direction: Direction | None = None
        self.since_s = self._last_s = 0.0
        self.least_e18 = 0

    def note(self, direction: Direction, edge_e18: int, now_s: float) -> None:
        """Note a look that found the prices far apart. After a long time without a look it begins anew."""
        if direction is not self.direction or now_s - self._last_s > _LONGEST_GAP_S:
            self.direction, self.since_s, self.least_e18 = direction, now_s, edge_e18
        self._last_s = now_s
        self.least_e18 = min(self.least_e18, edge_e18)

    def end(self) -> None:
        """Note a look that found the prices together."""
        self.direction = None


def why_diverged(found: PairDiverged) -> str:
    """Return the reason for which no intent follows from such a pair."""
    minutes = (found.diverged_ts_ns - found.since_ts_ns) // 60_000_000_000
    return f"prices stayed at least {found.least_dollars_per_contract} apart after fees for {minutes} minutes: review"
