"""A feed's catalog on the bus: taken over by a new process, and told again when a server came back empty."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from shared.contracts.catalog import CatalogMessage, MarketChanged, MarketListed
from shared.contracts.streams import Stream
from shared.domain.market import Market, MarketId
from shared.io.bus import TRANSIENT, Outbox, Profile, connect
from shared.runtime.latest import load_patiently

_LOOK_EVERY_S = 5.0

log = logging.getLogger(__name__)


async def listed_markets(url: str, stream: Stream[CatalogMessage]) -> dict[MarketId, Market]:
    """Return the markets that the process before this one left listed; wait for Redis as long as it takes."""
    latest, _ = await load_patiently(url, stream)
    listed = (message.market for message in latest.values() if isinstance(message, MarketListed | MarketChanged))
    return {market.market_id: market for market in listed}


async def repair_catalog(
    url: str, stream: Stream[CatalogMessage], outbox: Outbox, known: Callable[[], Mapping[MarketId, Market]]
) -> None:
    """Compare, for ever, how many markets Redis holds with ``known``, and list all of them again when some are gone."""
    redis = connect(url, Profile.WRITER)
    try:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await outbox.flushed()
                wanted = len(known())
                held = await redis.hlen(stream.hash_name)
            except TRANSIENT as error:
                log.warning("catalog.unseen", extra={"error": str(error)})
                continue
            if held < wanted == len(known()):  # the catalog did not change while Redis was asked
                log.error("catalog.lost", extra={"held": held, "wanted": wanted})
                for market_id, market in known().items():
                    outbox.put(stream, MarketListed(market=market), key=market_id)
    finally:
        await redis.aclose()
