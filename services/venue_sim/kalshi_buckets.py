"""Kalshi's rate limits: two token buckets for one account, and what a request costs.

Tiers, capacities and costs: changelog of September 2026 and recorded answers (Kalshi API reference, 2026-11-21, §7).
A batch pays for all its items at once. Tokens are thousandths, so that refilling by the millisecond is exact.
"""

import re
from collections.abc import Callable
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["read", "write"]

TIERS = {
    "basic": (200, 100),
    "advanced": (300, 300),
    "expert": (600, 600),
    "premier": (1_200, 1_200),
    "paragon": (2_400, 2_400),
    "prime": (4_800, 4_800),
    "prestige": (12_000, 9_600),
}
"""Read and write tokens per second."""

DEFAULT_COST = 10
_COSTS = (
    ("DELETE", "/trade-api/v2/portfolio/events/orders/:order_id", 2),
    ("DELETE", "/trade-api/v2/portfolio/events/orders", 2),
    ("GET", "/trade-api/v2/portfolio/orders/:order_id", 2),
    ("DELETE", "/trade-api/v2/portfolio/events/orders/batched", 2),
)
"""What does not cost the default; the last one is for each item."""
_PATTERNS = [(method, re.compile(re.sub(r":\w+", "[^/]+", path)), cost) for method, path, cost in reversed(_COSTS)]


class Bucket:
    """Tokens of one kind; full at the start."""

    def __init__(self, refill_rate: int, capacity: int, now_ms: Callable[[], int]) -> None:
        self.refill_rate = refill_rate
        self.capacity = capacity
        self._now_ms = now_ms
        self._thousandths = capacity * 1_000
        self._at_ms = now_ms()

    def take(self, tokens: int) -> bool:
        """Use up tokens; False, and nothing used, when there are not enough."""
        now_ms = self._now_ms()
        gained = max(0, now_ms - self._at_ms) * self.refill_rate
        self._thousandths = min(self.capacity * 1_000, self._thousandths + gained)
        self._at_ms = now_ms
        if tokens * 1_000 > self._thousandths:
            return False
        self._thousandths -= tokens * 1_000
        return True

    def as_json(self) -> Json:
        """Return the bucket as ``/account/limits`` has it."""
        return {"refill_rate": self.refill_rate, "bucket_capacity": self.capacity}


class Limits:
    """The buckets of one account."""

    def __init__(self, tier: str, now_ms: Callable[[], int]) -> None:
        read, write = TIERS[tier]
        self._tier = tier
        self._buckets: dict[Kind, Bucket] = {
            "read": Bucket(read, read, now_ms),
            "write": Bucket(write, write if tier == "basic" else 3 * write, now_ms),
        }

    def admits(self, method: str, path: str, *, items: int = 1) -> bool:
        """Pay for a request; False when it is one too many."""
        return self._buckets["read" if method == "GET" else "write"].take(cost_of(method, path) * items)

    def as_json(self) -> Json:
        """Return the body of ``GET /account/limits``."""
        return {
            "usage_tier": self._tier,
            "read": self._buckets["read"].as_json(),
            "write": self._buckets["write"].as_json(),
            "grants": [],
        }


def cost_of(method: str, path: str) -> int:
    """Return the tokens of one request (of one item of a batch)."""
    for known, pattern, cost in _PATTERNS:
        if known == method and pattern.fullmatch(path):
            return cost
    return DEFAULT_COST


def costs_json() -> Json:
    """Return the body of ``GET /account/endpoint_costs``."""
    costs = [{"method": method, "path": path, "cost": cost} for method, path, cost in _COSTS]
    return {"default_cost": DEFAULT_COST, "endpoint_costs": costs}
