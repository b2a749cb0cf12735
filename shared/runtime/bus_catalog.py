"""A feed's catalog on the bus: taken over by a new process, and told again when a server came back empty."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from shared.contracts.catalog import CatalogMessage, MarketChanged, MarketClosed, MarketListed
from shared.contracts.streams import Stream
from shared.domain.market import Market, MarketId
from shared.io.bus import TRANSIENT, Outbox, Profile, connect
from shared.runtime.kept_state import KeptState, say_again_if_lost
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
    """Look, for ever, whether Redis has lost markets of ``known`` or holds any that are closed, and tell it again."""
    kept = KeptState(stream, known, lambda market: MarketListed(market=market), _closed)
    redis = connect(url, Profile.WRITER)
    try:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await say_again_if_lost(redis, outbox, (kept,))
            except TRANSIENT as error:
                log.warning("catalog.unseen", extra={"error": str(error)})
    finally:
        await redis.aclose()


def _closed(message: CatalogMessage) -> MarketClosed | None:
    """Return what ends a listed market; one that is closed is held for what it paid."""
    if isinstance(message, MarketClosed):
        return None
    return MarketClosed(venue=message.market.venue, market_id=message.market.market_id, reason="not listed any more")
