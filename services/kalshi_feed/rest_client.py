"""One door to Kalshi's REST: paced by tokens, tried again where that may help, and watching the clock."""

import asyncio
import logging
import random

from services.kalshi_feed.skew import ClockSkew
from shared.io.http import Answer, HttpClient, HttpUnavailable
from shared.runtime.clock import Clock
from shared.venues.kalshi import limits, rest
from shared.venues.kalshi.limits import RateLimits

_ATTEMPTS = 6
_UNAUTHORISED = 401

log = logging.getLogger(__name__)


class RestFailed(Exception):
    """No usable answer came, however often it was asked for; ``status`` is the last one, 0 when there was none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class RestClient:
    """Sends requests inside the limits: unsigned by the public ones, signed by the account's once they are known."""

    def __init__(
        self, http: HttpClient, clock: Clock, *, allowed: RateLimits, jitter: random.Random, skew: ClockSkew
    ) -> None:
        self._http = self._public = http
        self._clock = clock
        self._allowed = self._public_limits = allowed
        self._jitter = jitter
        self._skew = skew
        self._turn = asyncio.Lock()
        self.refused = 0
        """Answers 429 since the start."""

    @property
    def is_signed(self) -> bool:
        """Whether requests carry the account's signature, and so draw on its buckets."""
        return self._http is not self._public

    def sign_with(self, signed: HttpClient, allowed: RateLimits) -> None:
        """Send signed requests from now on, inside these limits."""
        self._http, self._allowed = signed, allowed

    async def get(self, request: rest.RestRequest, *, attempts: int = _ATTEMPTS) -> bytes:
        """Return the body of a 200.

        Tries again after 429 (which comes without ``Retry-After``), 5xx and lost connections. Raises RestFailed.
        """
        failures = 0
        while True:
            answer, problem = await self._once(request)
            if answer is not None and answer.status == 200:
                return answer.body
            failures += 1
            status = 0 if answer is None else answer.status
            if status == _UNAUTHORISED and self.is_signed:
                log.warning("rest.unsigned", extra={"reason": problem})
                self._http, self._allowed = self._public, self._public_limits
                continue
            if failures >= attempts or (answer is not None and status != 429 and status < 500):
                raise RestFailed(problem, status)
            longest_s = limits.longest_pause_s(failures)
            await asyncio.sleep(self._jitter.uniform(longest_s / 2, longest_s))

    async def _once(self, request: rest.RestRequest) -> tuple[Answer | None, str]:
        await self._wait_turn(request.path)
        sent_ms = self._clock.now_ms()
        try:
            answer = await self._http.get(request.path, request.query)
        except HttpUnavailable as error:
            return None, str(error)
        self._skew.saw(answer.headers.get("Date"), sent_ms=sent_ms, received_ms=self._clock.now_ms())
        if answer.status == 429:
            self.refused += 1
            self._allowed.refused("GET", self._now_ns())
        said = rest.api_error(answer.status, answer.body) if answer.status != 200 else None
        words = "" if said is None else f" {said.code} {said.message}".rstrip()
        return answer, f"GET {request.path}: {answer.status}{words}"

    async def _wait_turn(self, path: str) -> None:
        cost = self._allowed.cost("GET", path)
        async with self._turn:  # first come, first served
            wait_ns = self._allowed.wait_ns("GET", cost, self._now_ns())
            while wait_ns:
                await asyncio.sleep(wait_ns / 1_000_000_000)
                wait_ns = self._allowed.wait_ns("GET", cost, self._now_ns())

    def _now_ns(self) -> int:
        return int(self._clock.monotonic_s() * 1_000_000_000)
