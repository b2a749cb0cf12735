"""A JSON client for venues' public and signed reads: bounded in time and size, and never led elsewhere.

No redirects (a redirected order would be sent twice), no proxies from the environment, no cookies, bounded bodies.
"""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec

from shared.io.plain_session import plain_session

MAX_BODY_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 65_536

Query = Sequence[tuple[str, str]]
Signer = Callable[[str, str], Mapping[str, str]]
"""From method and path (without query) to the headers that sign this one request."""


class HttpUnavailable(Exception):
    """No usable answer came: no connection, no time left, too large a body. Trying again may help."""


class Answer(msgspec.Struct, frozen=True):
    """A venue's answer, whatever its status."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class HttpClient:
    """One venue's REST host. Use it as an async context manager."""

    def __init__(self, base_url: str, *, signer: Signer | None = None, total_s: float = 15.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._signer = signer
        self._total_s = total_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = plain_session(total_s=self._total_s, connections=8)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, query: Query = ()) -> Answer:
        """Return the answer to ``GET base_url + path``. Raises HttpUnavailable."""
        return await self._request("GET", path, query, None)

    async def post(self, path: str, body: object) -> Answer:
        """Return the answer to a JSON ``POST``. Raises HttpUnavailable. Never for orders."""
        return await self._request("POST", path, (), msgspec.json.encode(body))

    async def _request(self, method: str, path: str, query: Query, body: bytes | None) -> Answer:
        assert self._session is not None, "use the client as an async context manager"
        url = self._base_url + path
        headers = dict(self._signer(method, urlsplit(url).path)) if self._signer else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method, f"{url}?{urlencode(query)}" if query else url, headers=headers, data=body, allow_redirects=False
            ) as response:
                return Answer(response.status, await _read_up_to(response), dict(response.headers))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise HttpUnavailable(f"{method} {path}: {type(error).__name__}: {error}") from None


async def _read_up_to(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise aiohttp.ClientPayloadError(f"body is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)
