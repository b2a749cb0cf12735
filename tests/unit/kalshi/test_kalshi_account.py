"""With a key, requests are signed and paced by the account's own numbers; without them by the public limit."""

import asyncio
import random
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.kalshi_feed.account import AccountWatch, LimitsUnknown
from services.kalshi_feed.rest_client import RestClient, RestFailed
from services.kalshi_feed.skew import ClockSkew
from shared.io.http import HttpClient
from shared.runtime.clock import SystemClock
from shared.venues.kalshi.limits import AccountLimits, BucketLimit, EndpointCosts, RateLimits
from shared.venues.kalshi.rest import RestRequest
from tests.waiting import until

LIMITS = {
    "usage_tier": "basic",
    "read": {"refill_rate": 200, "bucket_capacity": 200},
    "write": {"refill_rate": 100, "bucket_capacity": 100},
    "grants": [],
}
COSTS = {
    "default_cost": 10,
    "endpoint_costs": [{"method": "GET", "path": "/trade-api/v2/portfolio/orders/:order_id", "cost": 2}],
}
SIGNATURE = {"KALSHI-ACCESS-SIGNATURE": "c2lnbmVk"}
STATUS = RestRequest(path="/exchange/status")


class Exchange:
    """Answers by path, and remembers which questions were signed."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {
            "account/limits": (200, LIMITS),
            "account/endpoint_costs": (200, COSTS),
            "exchange/status": (200, {"exchange_active": True, "trading_active": True}),
        }
        self.refuses_signatures = False
        self.asked: list[tuple[str, bool]] = []
        app = web.Application()
        app.router.add_get("/trade-api/v2/{what:.+}", self._answer)
        self.server = TestServer(app)

    async def _answer(self, request: web.Request) -> web.Response:
        what, signed = request.match_info["what"], "KALSHI-ACCESS-SIGNATURE" in request.headers
        self.asked.append((what, signed))
        if signed and self.refuses_signatures:
            error = {"code": "header_timestamp_expired", "message": "header timestamp expired"}
            return web.json_response({"error": error}, status=401)
        status, body = self.answers[what]
        return web.json_response(body, status=status)


class Scene:
    """A client and the watch that learns its limits, against one exchange."""

    def __init__(self, exchange: Exchange, public: HttpClient, signed: HttpClient) -> None:
        plenty = BucketLimit(1_000_000, 1_000_000)
        clock = SystemClock()
        self.exchange = exchange
        self.client = RestClient(
            public,
            clock,
            allowed=RateLimits(AccountLimits(read=plenty, write=plenty), EndpointCosts(), now_ns=0),
            jitter=random.Random(1),
            skew=ClockSkew(lambda _off_ms: None),
        )
        self.watch = AccountWatch(self.client, signed, clock, share_percent=45)


async def in_scene(exchange: Exchange, act: Any) -> None:
    async with exchange.server:
        url = str(exchange.server.make_url("/trade-api/v2"))
        async with HttpClient(url) as public, HttpClient(url, signer=lambda _method, _path: SIGNATURE) as signed:
            await act(Scene(exchange, public, signed))


async def test_the_accounts_buckets_are_learnt_and_used() -> None:
    async def act(scene: Scene) -> None:
        await scene.client.get(STATUS)
        allowed = await scene.watch.learn()
        await scene.client.get(STATUS)
        assert scene.client.is_signed
        assert scene.exchange.asked == [
            ("exchange/status", False),
            ("account/limits", True),
            ("account/endpoint_costs", True),
            ("exchange/status", True),
        ]
        assert allowed.cost("GET", "/portfolio/orders/abc") == 2
        now_ns = 10**18
        assert [allowed.wait_ns("GET", 45, now_ns) for _ in range(3)] == [0, 0, 500_000_000], "45 percent of 200"
        assert allowed.wait_ns("POST", 45, now_ns) == 0, "writes have a bucket of their own"
        assert allowed.wait_ns("POST", 45, now_ns, shard=2) == 0, "and each shard another"
        assert allowed.wait_ns("POST", 45, now_ns) == 1_000_000_000

    await in_scene(Exchange(), act)


@pytest.mark.parametrize(
    ("what", "answer", "says"),
    [
        ("account/limits", (503, {"msg": "later"}), "503"),
        ("account/limits", (200, {"read": {}}), "account/limits"),
        ("account/endpoint_costs", (200, []), "endpoint_costs"),
    ],
)
async def test_limits_that_cannot_be_had_leave_the_public_ones(what: str, answer: tuple[int, Any], says: str) -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(LimitsUnknown, match=says):
            await scene.watch.learn()
        assert not scene.client.is_signed

    exchange = Exchange()
    exchange.answers[what] = answer
    await in_scene(exchange, act)


async def test_a_signature_that_is_refused_says_why_and_requests_go_on_unsigned() -> None:
    async def act(scene: Scene) -> None:
        await scene.watch.learn()
        scene.exchange.refuses_signatures = True
        assert b"trading_active" in await scene.client.get(STATUS)
        assert not scene.client.is_signed
        assert scene.exchange.asked[-2:] == [("exchange/status", True), ("exchange/status", False)]
        with pytest.raises(LimitsUnknown, match=r"expired_timestamp.*clock"):
            await scene.watch.learn()

    await in_scene(Exchange(), act)


async def test_a_401_without_a_signature_is_no_reason_to_ask_again() -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(RestFailed, match="401"):
            await scene.client.get(STATUS)
        assert len(scene.exchange.asked) == 1

    exchange = Exchange()
    exchange.answers["exchange/status"] = (401, {})
    await in_scene(exchange, act)


async def test_the_watch_goes_on_when_the_exchange_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.kalshi_feed.account._RETRY_S", 0.0)

    async def act(scene: Scene) -> None:
        watching = asyncio.create_task(scene.watch.run())
        await until(lambda: len(scene.exchange.asked) >= 3)
        scene.exchange.answers["account/limits"] = (200, LIMITS)
        await until(lambda: scene.client.is_signed)
        watching.cancel()
        await asyncio.wait([watching])

    exchange = Exchange()
    exchange.answers["account/limits"] = (500, {})
    await in_scene(exchange, act)
