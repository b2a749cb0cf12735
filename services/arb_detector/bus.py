"""The detector's side of the bus: what it reads at the start, how stream entries become quotes and beats."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from services.arb_detector.legs import QuoteInPart
from shared.contracts.baskets import BasketOpened, BasketUpdated
from shared.contracts.catalog import MarketChanged, MarketListed
from shared.contracts.envelope import SequenceWatch
from shared.contracts.funnel import PairDiverged
from shared.contracts.health import FeedBeat
from shared.contracts.opportunities import OpportunityOpened, OpportunityUpdated
from shared.contracts.quotes import QuoteRawMessage
from shared.contracts.streams import (
    BASKET_OPPORTUNITIES,
    CATALOG,
    DIVERGENCES,
    FEED_HEALTH,
    OPPORTUNITIES,
    QUOTES,
    Stream,
    book_key,
)
from shared.domain.market import Market, MarketId, Venue
from shared.domain.pair import PairId, partition_of
from shared.io.bus import Client, Entry, load_latest

log = logging.getLogger(__name__)

_QUOTES: "msgspec.json.Decoder[QuoteRawMessage]" = msgspec.json.Decoder(QuoteRawMessage)
_PART_OF = {stream.name: part for streams in QUOTES.values() for part, stream in enumerate(streams)}
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)


class StreamReader:
    """Decodes entries of the quote streams and of the beats; what cannot be read is counted, never fatal."""

    def __init__(self) -> None:
        self._watch = SequenceWatch()
        self.unreadable: Counter[str] = Counter()
        """Entries by stream that could not be decoded."""

    @property
    def lost(self) -> int:
        """Messages that were written and never seen here."""
        return self._watch.lost

    def read(self, entries: Iterable[Entry]) -> tuple[list[QuoteInPart], list[FeedBeat]]:
        """Return the quotes with their partitions, and the beats, in stream order; repeats are left out."""
        quotes: list[QuoteInPart] = []
        beats: list[FeedBeat] = []
        for stream_name, _, payload in entries:
            part = _PART_OF.get(stream_name)
            try:
                if part is None:
                    beats.append(FEED_HEALTH.decoder.decode(payload))
                    continue
                message = _QUOTES.decode(payload)
            except _UNREADABLE as error:
                self._count_unreadable(stream_name, error)
                continue
            if not self._watch.is_repeat(stream_name, message):
                quotes.append((part, message))
        return quotes, beats

    def forget(self, stream_names: Iterable[str]) -> None:
        """These streams are not read for now; what comes meanwhile is not a loss."""
        for name in stream_names:
            self._watch.forget(name)

    def _count_unreadable(self, stream_name: str, error: Exception) -> None:
        self.unreadable[stream_name] += 1
        if self.unreadable[stream_name] == 1:
            log.error("message.unreadable", extra={"stream": stream_name, "error": str(error)})


def quote_streams(parts: Iterable[int]) -> list[str]:
    """Return the names of the quote streams of these partitions."""
    return [streams[part].name for part in parts for streams in QUOTES.values()]


async def quote_cursors(redis: Client, parts: Iterable[int]) -> dict[str, str]:
    """Return from where to tail these partitions' quotes; take it before loading what is already there."""
    names = quote_streams(parts)
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.xrevrange(name, count=1)
    newest = await pipeline.execute()
    return {name: items[0][0].decode() if items else "0-0" for name, items in zip(names, newest, strict=True)}


async def load_markets(redis: Client, wanted: Iterable[tuple[Venue, MarketId]]) -> list[Market]:
    """Return the markets of ``wanted`` that the catalog holds as listed."""
    markets = []
    by_venue: dict[Venue, list[MarketId]] = {}
    for venue, market_id in wanted:
        by_venue.setdefault(venue, []).append(market_id)
    for venue, market_ids in by_venue.items():
        stream = CATALOG[venue]
        for payload in await redis.hmget(stream.hash_name, market_ids):
            message = _decoded(stream.decoder, payload, stream.hash_name)
            if isinstance(message, MarketListed | MarketChanged):
                markets.append(message.market)
    return markets


async def load_books(redis: Client, legs: Sequence[tuple[int, Venue, MarketId]]) -> list[QuoteInPart]:
    """Return the latest word about each of these legs, as far as there is one."""
    if not legs:
        return []
    keys = [book_key(venue.value, market_id, part) for part, venue, market_id in legs]
    payloads = await redis.mget(keys)
    decoded = [_decoded(_QUOTES, payload, key) for payload, key in zip(payloads, keys, strict=True)]
    return [(part, message) for (part, _, _), message in zip(legs, decoded, strict=True) if message is not None]


async def load_open_episodes(
    redis: Client, parts: Collection[int]
) -> list[tuple[int, OpportunityOpened | OpportunityUpdated]]:
    """Return the open episodes of these partitions, whoever opened them, each with its partition."""
    latest, _ = await load_latest(redis, OPPORTUNITIES)
    found = [one for one in latest.values() if isinstance(one, OpportunityOpened | OpportunityUpdated)]
    return [(part, one) for one in found if (part := partition_of(one.pair_id)) in parts]


async def load_open_baskets(redis: Client, parts: Collection[int]) -> list[tuple[int, BasketOpened | BasketUpdated]]:
    """Return the open episodes of baskets of these partitions, each with its partition."""
    latest, _ = await load_latest(redis, BASKET_OPPORTUNITIES)
    found = [one for one in latest.values() if isinstance(one, BasketOpened | BasketUpdated)]
    return [(part, one) for one in found if (part := partition_of(one.basket_id)) in parts]


async def load_diverged(redis: Client, pair_ids: Sequence[PairId]) -> list[PairDiverged]:
    """Return which of these pairs a sentinel has found diverged, in the version that they had then."""
    if not pair_ids:
        return []
    held = await redis.hmget(DIVERGENCES.hash_name, pair_ids)
    decoded = (_decoded(DIVERGENCES.decoder, payload, DIVERGENCES.hash_name) for payload in held)
    return [message for message in decoded if message is not None]


async def drop_standings(redis: Client, stream: Stream[Any], parts: Collection[int], live: Collection[str]) -> None:
    """Forget where sets stood that ended while nobody had their partition."""
    names = [name.decode() for name in await redis.hkeys(stream.hash_name)]
    gone = [name for name in names if partition_of(name) in parts and name not in live]
    if gone:
        await redis.hdel(stream.hash_name, *gone)


def _decoded(decoder: "msgspec.json.Decoder[Any]", payload: bytes | None, where: str) -> Any:
    if payload is None:
        return None
    try:
        return decoder.decode(payload)
    except _UNREADABLE as error:
        log.error("state.unreadable", extra={"key": where, "error": str(error)})
        return None
