"""What the bus says about a market right now: its latest book and its catalog entry.

Asked anew for every intent, over a connection whose slow answer counts as no answer.
"""

import logging
from typing import Any

import msgspec

from shared.contracts.catalog import MarketClosed
from shared.contracts.quotes import QuotesStale, QuoteTextMessage
from shared.contracts.streams import CATALOG, book_key
from shared.domain.market import Market, MarketId, Venue
from shared.domain.numbers import LEVEL_PRICE_E4, SIZE_E6, NumberRefused, price_dollars, size_contracts
from shared.domain.orders import Depth, LevelD
from shared.domain.pair import Pair
from shared.domain.risk_terms import BookSeen, LegSeen
from shared.io.bus import TRANSIENT, Client

log = logging.getLogger(__name__)

_BOOKS: msgspec.json.Decoder[QuoteTextMessage] = msgspec.json.Decoder(QuoteTextMessage)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, NumberRefused)
_NOTHING = LegSeen(market=None, book=None)


class MarketView:
    """Reads books and catalog entries; what cannot be had or read is None."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    async def legs(self, pair: Pair | None) -> tuple[LegSeen, LegSeen]:
        """Return what is known of both of a pair's markets, Kalshi's first."""
        if pair is None:
            return _NOTHING, _NOTHING
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for venue in (Venue.KALSHI, Venue.POLYMARKET):
                    market_id = pair.market_id(venue)
                    pipe.get(book_key(venue.value, market_id, pair.partition))
                    pipe.hget(CATALOG[venue].hash_name, market_id)
                kalshi_book, kalshi_market, poly_book, poly_market = await pipe.execute()
        except TRANSIENT as error:
            log.warning("view.unreachable", extra={"error": str(error), "pair": pair.pair_id})
            return _NOTHING, _NOTHING
        return (
            LegSeen(market=_market(Venue.KALSHI, kalshi_market), book=_book(kalshi_book)),
            LegSeen(market=_market(Venue.POLYMARKET, poly_market), book=_book(poly_book)),
        )

    async def market(self, venue: Venue, market_id: MarketId, part: int) -> LegSeen:
        """Return what is known of one market."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.get(book_key(venue.value, market_id, part))
                pipe.hget(CATALOG[venue].hash_name, market_id)
                book, market = await pipe.execute()
        except TRANSIENT as error:
            log.warning("view.unreachable", extra={"error": str(error), "market": market_id})
            return _NOTHING
        return LegSeen(market=_market(venue, market), book=_book(book))


def _book(payload: bytes | None) -> BookSeen | None:
    if payload is None:
        return None
    try:
        message = _BOOKS.decode(payload)
        if isinstance(message, QuotesStale):
            return BookSeen(stale=message.reason or "stale")
        depth = Depth(_levels(message.yes_bids), _levels(message.yes_asks))
    except _UNREADABLE as error:
        log.error("book.unreadable", extra={"error": str(error)})
        return None
    return BookSeen(received_ts_ns=message.received_ts_ns, depth=depth)


def _market(venue: Venue, payload: Any) -> Market | None:
    if payload is None:
        return None
    try:
        message = CATALOG[venue].decoder.decode(payload)
    except _UNREADABLE as error:
        log.error("market.unreadable", extra={"error": str(error), "venue": venue})
        return None
    return None if isinstance(message, MarketClosed) else message.market


def _levels(texts: tuple[tuple[str, str], ...]) -> tuple[LevelD, ...]:
    return tuple((price_dollars(LEVEL_PRICE_E4[price]), size_contracts(SIZE_E6[size])) for price, size in texts)
