"""Where Redis is, for commands that look at a running system."""

import asyncio
import os

from shared.runtime.redis_address import redis_url_in
from shared.runtime.redis_server import check_redis


def checked_redis_url() -> str:
    """Return the address of Redis. Raises StartRefused when it is missing or the server cannot be used."""
    url = redis_url_in(os.environ)
    asyncio.run(check_redis(url))
    return url
