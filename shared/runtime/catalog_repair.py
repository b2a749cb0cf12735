"""Tells a catalog again that Redis has lost: a server that came back empty knows no market, a feed only tells news."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from shared.contracts.catalog import CatalogMessage, MarketListed
from shared.contracts.streams import Stream
from shared.domain.market import Market, MarketId
from shared.io.bus import TRANSIENT, Outbox, Profile, connect

_LOOK_EVERY_S = 5.0

log = logging.getLogger(__name__)


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
