"""Posts JSON to one incoming webhook: never led elsewhere, never read without bound, its address never shown.

An incoming webhook's URL is its password, so no error or log line here carries it. The slack-sdk webhook client is not
used: it reads whole bodies, follows redirects and proxies of the environment, and what remains of it is one POST.
"""

import ipaddress
import socket
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from shared.io.plain_session import plain_session

SLACK_HOST = "hooks.slack.com"
_LOCAL_HOST = "127.0.0.1"
_BODY_BYTES = 4_096
_LONGEST_WAIT_S = 3_600
_TOO_MANY_REQUESTS = 429
_REQUEST_TIMEOUT = 408
_OK = range(200, 300)
_SERVER_FAULTS = range(500, 600)


class UrlRefused(ValueError):
    """This is no address that alerts may go to; the message does not repeat it."""


class WebhookBusy(Exception):
    """The other side asks for a pause of ``wait_s`` seconds."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"asked to wait {wait_s} s")
        self.wait_s = wait_s


class WebhookUnavailable(Exception):
    """No answer, or a fault over there; the message may or may not have arrived. Trying again may help."""


class WebhookRefused(Exception):
    """The message or the webhook itself is not wanted; the same post will never succeed."""


def check_webhook_url(url: str, *, allow_local_sink: bool) -> None:
    """Raise UrlRefused unless ``url`` is ``https://hooks.slack.com/...``, or loopback where that is allowed."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UrlRefused("it is no URL") from None
    if any(character.isspace() or not character.isprintable() for character in url):
        raise UrlRefused("it contains blanks or control characters")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("it carries a user name or password")
    if parts.scheme == "https" and host == SLACK_HOST and port in {None, 443}:
        return
    if parts.scheme == "http" and host == _LOCAL_HOST and allow_local_sink:
        return
    raise UrlRefused(f"expected https://{SLACK_HOST}/..., or http://{_LOCAL_HOST} where a local sink is allowed")


class Webhook:
    """One incoming webhook. Use it as an async context manager; ``url`` has passed ``check_webhook_url``."""

    def __init__(self, url: str, *, total_s: float = 10.0) -> None:
        self._url = url
        self._is_local = urlsplit(url).hostname == _LOCAL_HOST
        self._total_s = total_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        resolver = None if self._is_local else _PublicAddresses()
        self._session = plain_session(total_s=self._total_s, connections=1, auto_decompress=False, resolver=resolver)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, body: object) -> None:
        """Deliver one JSON message. Raises WebhookBusy, WebhookUnavailable or WebhookRefused."""
        assert self._session is not None, "use the webhook as an async context manager"
        try:
            async with self._session.post(
                self._url,
                data=msgspec.json.encode(body),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                said = await response.content.read(_BODY_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise WebhookUnavailable(type(error).__name__) from None
        if response.status in _OK:
            return
        if response.status == _TOO_MANY_REQUESTS:
            raise WebhookBusy(_wait_s(response.headers.get("Retry-After", "")))
        answer = f"{response.status} {said[:100].decode(errors='replace')!r}"
        if response.status == _REQUEST_TIMEOUT or response.status in _SERVER_FAULTS:
            raise WebhookUnavailable(answer)
        raise WebhookRefused(answer)


class _PublicAddresses(AbstractResolver):
    """Resolves names as the system does and refuses every address that is not a public one."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        if not all(ipaddress.ip_address(result["host"].partition("%")[0]).is_global for result in found):
            raise OSError("the name leads to an address that is not public")
        return found

    async def close(self) -> None:
        await self._system.close()


def _wait_s(retry_after: str) -> int:
    """Return how long to wait: whole seconds as the header says, at least one, at most an hour."""
    plain = retry_after.isascii() and retry_after.isdigit()
    return max(1, min(_LONGEST_WAIT_S, int(retry_after[:9]))) if plain else 1
