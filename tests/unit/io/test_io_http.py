"""The JSON client is bounded in time and size, and never led elsewhere."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shared.io import http
from shared.io.http import HttpClient, HttpUnavailable

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Venue:
    """A server on loopback under ``/trade-api/v2`` that remembers what it was asked."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return await self._handler(request)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.take)
        async with TestServer(app) as server:
            yield str(server.make_url("/trade-api/v2"))


def answering(body: bytes = b"{}", *, status: int = 200, headers: Mapping[str, str] | None = None) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return handler


def seen_by_signer(seen: list[tuple[str, str]]) -> http.Signer:
    def sign(method: str, path: str) -> dict[str, str]:
        seen.append((method, path))
        return {"KALSHI-ACCESS-SIGNATURE": f"for {method} {path}"}

    return sign


async def test_the_signer_gets_the_whole_path_without_the_query() -> None:
    seen: list[tuple[str, str]] = []
    venue = Venue(answering(b'{"ok":1}'))
    async with venue.open() as url, HttpClient(url + "/", signer=seen_by_signer(seen)) as client:
        answer = await client.get("/markets", [("status", "open"), ("cursor", "a=b&c"), ("status", "paused")])
    [request] = venue.requests
    assert (answer.status, answer.body) == (200, b'{"ok":1}')
    assert seen == [("GET", "/trade-api/v2/markets")]
    assert request.headers["KALSHI-ACCESS-SIGNATURE"] == "for GET /trade-api/v2/markets"
    assert list(request.query.items()) == [("status", "open"), ("cursor", "a=b&c"), ("status", "paused")]


async def test_a_post_is_json_and_is_signed_too() -> None:
    seen: list[tuple[str, str]] = []
    venue = Venue(answering())
    async with venue.open() as url, HttpClient(url, signer=seen_by_signer(seen)) as client:
        await client.post("/books", [{"token_id": "1"}])
    assert seen == [("POST", "/trade-api/v2/books")]
    assert venue.bodies == [b'[{"token_id":"1"}]']
    assert venue.requests[0].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    other = Venue(answering())
    async with other.open() as elsewhere:
        venue = Venue(answering(status=status, headers={"Location": elsewhere}))
        async with venue.open() as url, HttpClient(url, signer=seen_by_signer([])) as client:
            answer = await client.get("/markets")
    assert answer.status == status
    assert len(venue.requests) == 1
    assert other.requests == []


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_a_refusal_of_the_venue_is_an_answer_and_is_not_asked_again(status: int) -> None:
    venue = Venue(answering(b"no", status=status, headers={"Retry-After": "7"}))
    async with venue.open() as url, HttpClient(url) as client:
        answer = await client.get("/markets")
    assert (answer.status, answer.body, answer.headers["Retry-After"]) == (status, b"no", "7")
    assert len(venue.requests) == 1


@pytest.mark.parametrize(("size", "fits"), [(1_000, True), (1_001, False), (300_000, False)])
async def test_a_body_is_read_up_to_the_limit(size: int, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 1_000)
    async with Venue(answering(b"x" * size)).open() as url, HttpClient(url) as client:
        if fits:
            assert len((await client.get("/")).body) == size
        else:
            with pytest.raises(HttpUnavailable, match="larger than 1000 bytes"):
                await client.get("/")


async def test_a_small_compressed_body_that_unpacks_beyond_the_limit_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 100_000)
    bomb = gzip.compress(b"0" * 10_000_000)
    assert len(bomb) < 100_000
    venue = Venue(answering(bomb, headers={"Content-Encoding": "gzip"}))
    async with venue.open() as url, HttpClient(url) as client:
        with pytest.raises(HttpUnavailable, match=r"^GET /: "):
            await client.get("/")


async def test_a_body_that_ends_early_is_no_answer() -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async with Venue(half).open() as url, HttpClient(url) as client:
        with pytest.raises(HttpUnavailable, match="ClientPayloadError"):
            await client.get("/")


@pytest.mark.parametrize("speaks_first", [False, True])
async def test_an_answer_that_does_not_come_in_time_is_no_answer(speaks_first: bool) -> None:
    """The limit covers the whole answer: a venue that trickles does not keep us either."""
    over = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if speaks_first:
            await response.prepare(request)
            await response.write(b"{")
        await over.wait()
        return response

    async with Venue(slow).open() as url, HttpClient(url, total_s=0.05) as client:
        try:
            with pytest.raises(HttpUnavailable, match=r"^GET /slow: .*Timeout"):
                await client.get("/slow")
        finally:
            over.set()


async def test_nobody_there_is_no_answer() -> None:
    async with Venue(answering()).open() as url:
        pass
    async with HttpClient(url) as client:
        with pytest.raises(HttpUnavailable, match="GET /markets: ClientConnectorError"):
            await client.get("/markets")


async def test_an_address_that_is_none_is_no_answer() -> None:
    async with HttpClient("http://[broken") as client:
        with pytest.raises(HttpUnavailable, match="GET /: "):
            await client.get("/")


async def test_cookies_are_not_kept_and_proxies_of_the_environment_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    venue = Venue(answering(headers={"Set-Cookie": "tracked=1"}))
    async with venue.open() as url, HttpClient(url) as client:
        await client.get("/")
        await client.get("/")
    assert [request.headers.get("Cookie") for request in venue.requests] == [None, None]


async def test_a_client_outside_its_block_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError, match="context manager"):
        await HttpClient("http://127.0.0.1").get("/")
