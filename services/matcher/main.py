"""Wires the matcher: mappings from disk, catalogs and published pairs from Redis, changes back to Redis."""

import asyncio
import sys
from uuid import uuid4

from services.matcher.baskets import BasketMatcher
from services.matcher.core import Matcher
from services.matcher.mapping_files import Mappings, fingerprint, load
from services.matcher.service import MatcherService
from services.matcher.settings import Settings
from shared.contracts.streams import BASKETS, PAIRS
from shared.io.bus import Identity, Outbox
from shared.runtime.clock import SystemClock
from shared.runtime.latest import load_patiently
from shared.runtime.redis_server import check_redis
from shared.runtime.run import run


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    """Run the matcher until ``stopping`` is set; refuses to start with mappings that have an error."""

    def read(previous: Mappings | None) -> Mappings:
        return load(settings.mappings_dir, previous=previous).switched_on(settings.series_on)

    seen = fingerprint(settings.mappings_dir)
    mappings = read(None)
    await check_redis(settings.redis_url)
    known, _ = await load_patiently(settings.redis_url, PAIRS)
    known_baskets, _ = await load_patiently(settings.redis_url, BASKETS)
    matcher = Matcher(
        mappings, known, most_candidates=settings.most_candidates, results_within_days=settings.results_within_days
    )
    outbox = Outbox(settings.redis_url, Identity("matcher", uuid4().hex))
    baskets = BasketMatcher(mappings.baskets, known_baskets)
    await MatcherService(settings, matcher, outbox, SystemClock(), read, seen=seen, baskets=baskets).run(stopping)


def cli() -> None:
    """Run as a process and exit with its status."""
    sys.exit(run("matcher", Settings, main))
