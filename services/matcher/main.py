"""Wires the matcher: mappings from disk, catalogs and published pairs from Redis, changes back to Redis."""

import asyncio
import sys
from uuid import uuid4

from services.matcher.core import Matcher
from services.matcher.mapping_files import Mappings, load
from services.matcher.service import MatcherService
from services.matcher.settings import Settings
from shared.contracts.streams import PAIRS
from shared.io.bus import Identity, Outbox, Profile, connect, load_latest
from shared.runtime.clock import SystemClock
from shared.runtime.redis_server import check_redis
from shared.runtime.run import run


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    """Run the matcher until ``stopping`` is set; refuses to start with mappings that have an error."""

    def read(previous: Mappings | None) -> Mappings:
        return load(settings.mappings_dir, previous=previous).switched_on(settings.series_on)

    mappings = read(None)
    await check_redis(settings.redis_url)
    redis = connect(settings.redis_url, Profile.READER)
    try:
        known, _ = await load_latest(redis, PAIRS)
    finally:
        await redis.aclose()
    outbox = Outbox(settings.redis_url, Identity("matcher", uuid4().hex))
    service = MatcherService(settings, Matcher(mappings, known), outbox, SystemClock(), read)
    await service.run(stopping)


def cli() -> None:
    """Run as a process and exit with its status."""
    sys.exit(run("matcher", Settings, main))
