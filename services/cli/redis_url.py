"""Where Redis is, for commands that look at a running system."""

import asyncio
import os

from shared.runtime.errors import SettingsRefused
from shared.runtime.redis_server import check_redis


def checked_redis_url() -> str:
    """Return ``DUTCHBOOK_REDIS_URL``. Raises StartRefused when it is missing or the server cannot be used."""
    url = os.environ.get("DUTCHBOOK_REDIS_URL", "")
    if not url:
        raise SettingsRefused("DUTCHBOOK_REDIS_URL is not set")
    asyncio.run(check_redis(url))
    return url
