"""One dial goes to the address it was given, with the headers it was given, and nowhere else."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.http11 import Request, Response

from shared.io.websocket import TryLater, Unauthorised, dial

SIGNED = {"KALSHI-ACCESS-SIGNATURE": "c2lnbmVk"}
Answer = Callable[[ServerConnection, Request], Response | None]


class Venue:
    """A server on loopback that remembers who knocked."""

    def __init__(self, answer: Answer | None = None) -> None:
        self._answer = answer
        self.requests: list[Request] = []
        self.url = ""

    def take(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        return self._answer(connection, request) if self._answer else None

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Venue"]:
        async def hold(connection: ServerConnection) -> None:
            await connection.send("hello")
            await connection.wait_closed()

        async with serve(hold, "127.0.0.1", 0, process_request=self.take, compression=None) as server:
            host, port = next(iter(server.sockets)).getsockname()
            self.url = f"ws://{host}:{port}/ws"
            yield self


def refused(status: HTTPStatus, body: str = "", **headers: str) -> Answer:
    def answer(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(status, body)
        for name, value in headers.items():
            response.headers[name] = value
        return response

    return answer


async def test_a_link_opens_with_the_headers_and_without_compression() -> None:
    async with Venue().open() as venue:
        link = await dial(venue.url, SIGNED)
        try:
            assert await link.receive() == [b"hello"]
        finally:
            await link.close()
        [request] = venue.requests
    assert request.headers["KALSHI-ACCESS-SIGNATURE"] == "c2lnbmVk"
    assert "Sec-WebSocket-Extensions" not in request.headers


async def test_401_is_a_refusal_of_the_key_with_what_the_venue_said() -> None:
    async with Venue(refused(HTTPStatus.UNAUTHORIZED, '{"code":"header_timestamp_expired"}')).open() as venue:
        with pytest.raises(Unauthorised, match="header_timestamp_expired") as told:
            await dial(venue.url, SIGNED)
    assert told.value.body == '{"code":"header_timestamp_expired"}'


async def test_what_a_hostile_401_says_is_cut_short() -> None:
    async with Venue(refused(HTTPStatus.UNAUTHORIZED, "x" * 5_000)).open() as venue:
        with pytest.raises(Unauthorised) as told:
            await dial(venue.url)
    assert len(str(told.value)) < 400


async def test_another_status_is_an_error_of_the_link() -> None:
    async with Venue(refused(HTTPStatus.SERVICE_UNAVAILABLE)).open() as venue:
        with pytest.raises(InvalidStatus, match="503"):
            await dial(venue.url)


@pytest.mark.parametrize("status", [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE])
async def test_a_refusal_that_says_when_to_come_back_is_told_apart(status: HTTPStatus) -> None:
    async with Venue(refused(status, **{"Retry-After": "7"})).open() as venue:
        with pytest.raises(TryLater, match=f"{status.value}: try again in 7 s") as told:
            await dial(venue.url)
    assert told.value.wait_s == 7


@pytest.mark.parametrize("status", [HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.TEMPORARY_REDIRECT])
async def test_a_redirect_is_not_followed_and_the_signature_goes_nowhere(status: HTTPStatus) -> None:
    async with Venue().open() as other:
        async with Venue(refused(status, Location=other.url)).open() as venue:
            with pytest.raises(InvalidStatus, match=str(status.value)):
                await dial(venue.url, SIGNED)
        assert len(venue.requests) == 1
        assert other.requests == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with Venue().open() as venue:
        link = await dial(venue.url)
        await link.close()
    assert len(venue.requests) == 1


async def test_nobody_there_is_an_error_of_the_link() -> None:
    async with Venue().open() as venue:
        url = venue.url
    with pytest.raises(OSError, match="onnect"):
        await dial(url)


async def test_an_answer_that_is_no_http_is_an_error_of_the_link() -> None:
    def upgrade_wrongly(connection: ServerConnection, request: Request) -> Response:
        return Response(101, "Switching Protocols", Headers([("Upgrade", "h2c"), ("Connection", "Upgrade")]))

    async with Venue(upgrade_wrongly).open() as venue:
        with pytest.raises(WebSocketException):
            await dial(venue.url)
