"""The arbitrage detector, wired."""

import asyncio
import logging
import sys
from random import SystemRandom
from uuid import uuid4

from services.arb_detector.core import Detector
from services.arb_detector.service import DetectorService
from services.arb_detector.settings import Settings
from shared.io.bus import Identity, Outbox
from shared.runtime.clock import SystemClock
from shared.runtime.live_pairs import LivePairs
from shared.runtime.redis_server import check_redis
from shared.runtime.run import run
from shared.runtime.settings import read_intent_key

SERVICE = "arb_detector"
_FLUSH_S = 2.0

log = logging.getLogger(__name__)


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    """Wire the parts together and run them until ``stopping`` is set."""
    key = None if settings.intent_key_file is None else read_intent_key(settings.intent_key_file)
    if key is None:
        log.warning("detector.no_intents", extra={"variable": "DUTCHBOOK_INTENT_KEY_FILE"})
    await check_redis(settings.redis_url)
    clock = SystemClock()
    outbox = Outbox(settings.redis_url, Identity(SERVICE, uuid4().hex[:12]))
    detector = Detector(settings.config(), clock, random_bits=SystemRandom().getrandbits)
    service = DetectorService(settings.redis_url, detector, outbox, clock, key=key)
    pairs = LivePairs(settings.redis_url, on_change=service.pairs_changed)
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(outbox.run())
        following = tasks.create_task(pairs.run(stopping))
        await service.run(pairs, stopping)
        try:
            await asyncio.wait_for(outbox.flushed(), _FLUSH_S)
        except TimeoutError:
            log.warning("outbox.left", extra={"waited_s": _FLUSH_S})
        following.cancel()
        writing.cancel()


def cli() -> None:
    """Run the service with settings from the environment."""
    sys.exit(run(SERVICE, Settings, main))
