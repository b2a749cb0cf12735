"""The account's own rate limits: asked for with the key, used as soon as they are known.

Until then, and whenever the exchange refuses the signature, requests go unsigned inside the public limit.
"""

import asyncio
import logging

from services.kalshi_feed.rest_client import RestClient
from shared.io.http import Answer, HttpClient, HttpUnavailable
from shared.runtime.clock import Clock
from shared.venues.kalshi import limits, rest
from shared.venues.kalshi.auth import auth_failure
from shared.venues.kalshi.catalog import BodyRefused
from shared.venues.kalshi.limits import EndpointCosts, RateLimits

_AGAIN_S = 3_600.0
"""A tier changes by volume once a month or by hand."""
_RETRY_S = 60.0

log = logging.getLogger(__name__)


class LimitsUnknown(Exception):
    """The exchange did not say what the account may do."""


class AccountWatch:
    """Reads what the account may do and has the client use it. ``signed`` is a client that signs every request."""

    def __init__(self, client: RestClient, signed: HttpClient, clock: Clock, *, share_percent: int) -> None:
        self._client = client
        self._signed = signed
        self._clock = clock
        self._share_percent = share_percent

    async def run(self) -> None:
        """Learn the limits, and learn them anew now and then, for ever."""
        while True:
            try:
                await self.learn()
                known = True
            except LimitsUnknown as error:
                known = False
                log.warning("limits.unknown", extra={"error": str(error), "wait_s": _RETRY_S})
            await asyncio.sleep(_AGAIN_S if known and self._client.is_signed else _RETRY_S)

    async def learn(self) -> RateLimits:
        """Read the account's buckets and the price list, and use them. Raises LimitsUnknown."""
        try:
            account = limits.read_account_limits(await self._body(limits.account_limits_request()))
            costs = await self._costs()
        except (HttpUnavailable, BodyRefused) as error:
            raise LimitsUnknown(str(error)) from None
        now_ns = int(self._clock.monotonic_s() * 1_000_000_000)
        allowed = RateLimits(account, costs, now_ns=now_ns, share_percent=self._share_percent)
        self._client.sign_with(self._signed, allowed)
        log.info(
            "limits.known",
            extra={
                "tier": account.usage_tier[:40],
                "read_tokens_per_s": account.read.refill_rate,
                "write_tokens_per_s": account.write.refill_rate,
                "priced_endpoints": len(costs.endpoint_costs),
            },
        )
        return allowed

    async def _costs(self) -> EndpointCosts:
        return limits.read_endpoint_costs(await self._body(limits.endpoint_costs_request()))

    async def _body(self, request: rest.RestRequest) -> bytes:
        answer: Answer = await self._signed.get(request.path, request.query)
        if answer.status == 200:
            return answer.body
        error = rest.api_error(answer.status, answer.body)
        if answer.status == 401:
            failure = auth_failure(error)
            raise LimitsUnknown(f"GET {request.path}: 401, {failure}: {failure.remedy}")
        raise LimitsUnknown(f"GET {request.path}: {answer.status} {error.code} {error.message}".rstrip())
