"""The one way to the web from here: without cookies, proxies of the environment, or a pool that grows."""

import aiohttp
from aiohttp.abc import AbstractResolver


def plain_session(
    *, total_s: float, connections: int, auto_decompress: bool = True, resolver: AbstractResolver | None = None
) -> aiohttp.ClientSession:
    """Return a session whose requests take ``total_s`` at most; to be made inside the event loop, and closed."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=5.0),
        trust_env=False,
        auto_decompress=auto_decompress,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=connections, resolver=resolver),
        headers={"User-Agent": "dutchbook"},
    )
