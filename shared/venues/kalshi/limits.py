"""Kalshi's rate limits: what a request costs, and when it may go.

The exchange counts tokens, not requests, in one bucket for reads and one for writes, and each shard above 0 has its
own bucket for writes. It tells the numbers itself (``/account/limits``, ``/account/endpoint_costs``) and answers too
much with 429, without ``Retry-After``. Kalshi API reference (rate limits), read 2026-11-21.
"""

import re
from collections.abc import Mapping

import msgspec

from shared.venues.kalshi.catalog import BodyRefused
from shared.venues.kalshi.rest import RestRequest
from shared.venues.kalshi.schema import UNREADABLE
from shared.venues.kalshi.urls import REST_PREFIX

DEFAULT_COST = 10
SHARE_PERCENT = 90
"""How much of the allowance is used: other programs of the same account draw on it too."""
PUBLIC_TOKENS_PER_S = 100
"""Without a key: half of the smallest account's allowance, because the public limit is not published."""
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 5.0


class BucketLimit(msgspec.Struct, frozen=True):
    """Tokens that come back in a second, and how many there can be at once."""

    refill_rate: int
    bucket_capacity: int


class AccountLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``GET /account/limits``."""

    usage_tier: str = ""
    read: BucketLimit
    write: BucketLimit


PUBLIC_LIMITS = AccountLimits(
    usage_tier="public",
    read=BucketLimit(PUBLIC_TOKENS_PER_S, PUBLIC_TOKENS_PER_S),
    write=BucketLimit(0, 0),
)


class EndpointCost(msgspec.Struct, frozen=True):
    """What one endpoint costs; the path may hold ``:name`` for one part and ``*name`` for the rest."""

    method: str
    path: str
    cost: int


class EndpointCosts(msgspec.Struct, frozen=True, kw_only=True):
    """``GET /account/endpoint_costs``."""

    default_cost: int = DEFAULT_COST
    endpoint_costs: list[EndpointCost] = msgspec.field(default_factory=list)


class TokenBucket:
    """One bucket by a monotonic clock. Tokens are counted in millionths, so that refilling is exact in nanoseconds."""

    def __init__(self, limit: BucketLimit, *, now_ns: int, share_percent: int = SHARE_PERCENT) -> None:
        self._rate = limit.refill_rate * share_percent // 100
        self._capacity_e9 = max(limit.bucket_capacity * share_percent // 100, 1) * 1_000_000_000
        self._tokens_e9 = self._capacity_e9
        self._at_ns = now_ns

    def wait_ns(self, cost: int, now_ns: int) -> int:
        """Return how long until ``cost`` tokens are there; 0 when they may be taken now.

        Raises ValueError when the bucket can never hold that many: the request has to be made smaller.
        """
        cost_e9 = cost * 1_000_000_000
        if cost_e9 > self._capacity_e9 or (not self._rate and cost_e9 > self._tokens_e9):
            raise ValueError(f"{cost} tokens at once, but the bucket holds {self._capacity_e9 // 1_000_000_000}")
        self._refill(now_ns)
        missing_e9 = cost_e9 - self._tokens_e9
        return 0 if missing_e9 <= 0 else -(-missing_e9 // self._rate)

    def take(self, cost: int, now_ns: int) -> None:
        """Take tokens that ``wait_ns`` has said are there."""
        self._refill(now_ns)
        self._tokens_e9 -= cost * 1_000_000_000
        assert self._tokens_e9 >= 0, "taken without asking"

    def empty(self, now_ns: int) -> None:
        """The exchange said 429: whatever we thought was there is not."""
        self._refill(now_ns)
        self._tokens_e9 = 0

    def _refill(self, now_ns: int) -> None:
        self._tokens_e9 = min(self._capacity_e9, self._tokens_e9 + max(0, now_ns - self._at_ns) * self._rate)
        self._at_ns = max(self._at_ns, now_ns)


class RateLimits:
    """Every bucket of one account, and the price list."""

    def __init__(
        self, limits: AccountLimits, costs: EndpointCosts, *, now_ns: int, share_percent: int = SHARE_PERCENT
    ) -> None:
        self._limits = limits
        self._share_percent = share_percent
        self._default_cost = costs.default_cost
        self._patterns = [(cost.method.upper(), _pattern(cost.path), cost.cost) for cost in costs.endpoint_costs]
        self._read = TokenBucket(limits.read, now_ns=now_ns, share_percent=share_percent)
        self._write = TokenBucket(limits.write, now_ns=now_ns, share_percent=share_percent)
        self._shards: dict[int, TokenBucket] = {}

    def cost(self, method: str, path: str, *, items: int = 1) -> int:
        """Return the tokens of a request; ``path`` as in ``RestRequest``, a batch pays for each of its items."""
        whole = path if path.startswith(REST_PREFIX) else REST_PREFIX + path
        for known, pattern, cost in self._patterns:
            if known == method.upper() and pattern.fullmatch(whole):
                return cost * items
        return self._default_cost * items

    def wait_ns(self, method: str, cost: int, now_ns: int, *, shard: int = 0) -> int:
        """Return how long a request has to wait; 0 after taking its tokens, and then it must be sent.

        ``shard`` above 0 is a write that names its shard and pays there instead.
        """
        bucket = self._bucket(method, shard, now_ns)
        wait_ns = bucket.wait_ns(cost, now_ns)
        if not wait_ns:
            bucket.take(cost, now_ns)
        return wait_ns

    def refused(self, method: str, now_ns: int, *, shard: int = 0) -> None:
        """Note a 429."""
        self._bucket(method, shard, now_ns).empty(now_ns)

    def _bucket(self, method: str, shard: int, now_ns: int) -> TokenBucket:
        if method.upper() == "GET":
            return self._read
        if not shard:
            return self._write
        if shard not in self._shards:
            self._shards[shard] = TokenBucket(self._limits.write, now_ns=now_ns, share_percent=self._share_percent)
        return self._shards[shard]


def longest_pause_s(refusals: int) -> float:
    """Return the upper end of the jittered pause after so many 429 in a row: 0.25 s, doubling, at most 5 s."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(refusals - 1, 10))


def account_limits_request() -> RestRequest:
    """Ask for this account's buckets; it has to be signed."""
    return RestRequest(path="/account/limits")


def endpoint_costs_request() -> RestRequest:
    """Ask what every endpoint costs; public."""
    return RestRequest(path="/account/endpoint_costs")


def read_account_limits(body: bytes) -> AccountLimits:
    """Read ``GET /account/limits``. Raises BodyRefused."""
    try:
        return _LIMITS.decode(body)
    except UNREADABLE as error:
        raise BodyRefused(f"GET /account/limits: {error}") from None


def read_endpoint_costs(body: bytes) -> EndpointCosts:
    """Read ``GET /account/endpoint_costs``. Raises BodyRefused."""
    try:
        return _COSTS.decode(body)
    except UNREADABLE as error:
        raise BodyRefused(f"GET /account/endpoint_costs: {error}") from None


def _pattern(path: str) -> re.Pattern[str]:
    kinds: Mapping[str, str] = {":": "[^/]+", "*": ".+"}
    return re.compile("/".join(kinds.get(part[:1], re.escape(part)) for part in path.split("/")))


_LIMITS: msgspec.json.Decoder[AccountLimits] = msgspec.json.Decoder(AccountLimits)
_COSTS: msgspec.json.Decoder[EndpointCosts] = msgspec.json.Decoder(EndpointCosts)
