"""The arbitrage detector, wired."""

import asyncio
import logging
import sys
from collections.abc import Iterable
from random import SystemRandom
from uuid import uuid4

from services.arb_detector.basket_core import BasketDetector
from services.arb_detector.basket_desk import BasketDesk
from services.arb_detector.core import Detector
from services.arb_detector.publisher import Publisher
from services.arb_detector.service import DetectorService
from services.arb_detector.settings import Settings
from shared.contracts.streams import DETECTOR_LEASES
from shared.domain.pair import PARTITIONS
from shared.io.bus import TRANSIENT, Identity, Leases, Outbox
from shared.runtime.alarm import Alarm
from shared.runtime.clock import SystemClock
from shared.runtime.crash import Crashes
from shared.runtime.live_baskets import LiveBaskets
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
    replica = uuid4().hex[:12]
    # Readers count each writer's messages by its epoch, so no two outboxes may share one.
    outbox, aside = (Outbox(settings.redis_url, Identity(SERVICE, epoch)) for epoch in (replica, f"{replica}-aside"))
    for one in (outbox, aside):
        Alarm(one, clock)  # tells what the outbox has to set aside
    leases = Leases(settings.redis_url, DETECTOR_LEASES, replica, partitions=PARTITIONS)
    publisher = Publisher(outbox, aside, leases, Crashes(settings.crash_at), account=settings.account, key=key)
    detector = Detector(settings.config(), clock, random_bits=SystemRandom().getrandbits, say=publisher.publish)
    watched = BasketDetector(settings.config(), clock, random_bits=SystemRandom().getrandbits)
    desk = BasketDesk(watched, aside, leases, clock)
    service = DetectorService(settings.redis_url, detector, publisher, leases, clock, baskets=desk)
    pairs = LivePairs(settings.redis_url, on_change=service.pairs_changed)
    baskets = LiveBaskets(settings.redis_url, on_change=service.pairs_changed)
    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(work) for work in (outbox.run(), aside.run(), publisher.rehearse_crash())]
        background += [tasks.create_task(pairs.run(stopping)), tasks.create_task(baskets.run(stopping))]
        await service.run(pairs, baskets, stopping)
        await _leave((outbox, aside), leases)
        for task in background:
            task.cancel()


async def _leave(outboxes: Iterable[Outbox], leases: Leases) -> None:
    """Write what is queued and give the partitions back, as far as Redis answers in time."""
    try:
        async with asyncio.timeout(_FLUSH_S):
            for outbox in outboxes:
                await outbox.flushed()
            await leases.leave()
    except (TimeoutError, *TRANSIENT) as error:
        log.warning("detector.left_late", extra={"waited_s": _FLUSH_S, "error": str(error)})
    finally:
        leases.close()


def cli() -> None:
    """Run the service with settings from the environment."""
    sys.exit(run(SERVICE, Settings, main))
