"""The best prices of live pairs, as the feeds last published them, and what the detector's sentinel says of them."""

import logging
from collections.abc import Sequence
from types import TracebackType

import msgspec

from services.matcher.price_sanity import Tops
from shared.contracts.funnel import PairDiverged
from shared.contracts.quotes import QuotesStale, QuoteTextMessage
from shared.contracts.streams import DIVERGENCES, book_key
from shared.domain.market import Venue
from shared.domain.numbers import NumberRefused, decimal_from_text
from shared.domain.pair import Pair, PairId
from shared.io.bus import Profile, connect

_QUOTES: "msgspec.json.Decoder[QuoteTextMessage]" = msgspec.json.Decoder(QuoteTextMessage)
_AT_ONCE = 500

log = logging.getLogger(__name__)

Legs = tuple[Tops | None, Tops | None]
"""Kalshi's and Polymarket's best prices; None for a book that is withdrawn, unreadable or was never told."""


class PriceReader:
    """Asks the keys of the latest books."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url, Profile.WRITER)
        self._known: dict[str, tuple[bytes | None, Tops | None]] = {}
        """What was read last and its prices: most of thousands of books are quiet between two looks."""

    async def __aenter__(self) -> "PriceReader":
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._redis.aclose()

    async def tops(self, pairs: Sequence[Pair]) -> list[Legs]:
        """Return the best prices of every pair, in the order given. Raises what ``TRANSIENT`` names."""
        keys = [book_key(venue.value, pair.market_id(venue), pair.partition) for pair in pairs for venue in Venue]
        payloads: list[bytes | None] = []
        for start in range(0, len(keys), _AT_ONCE):
            payloads += await self._redis.mget(keys[start : start + _AT_ONCE])
        before, self._known = self._known, {}
        for key, payload in zip(keys, payloads, strict=True):
            known = before.get(key)
            self._known[key] = known if known is not None and known[0] == payload else (payload, tops_of(payload))
        found = [self._known[key][1] for key in keys]
        return list(zip(found[::2], found[1::2], strict=True))

    async def diverged(self) -> dict[PairId, PairDiverged]:
        """Return the pairs that paid far too much for far too long. Raises what ``TRANSIENT`` names."""
        found = {}
        for name, payload in (await self._redis.hgetall(DIVERGENCES.hash_name)).items():
            try:
                found[PairId(name.decode())] = DIVERGENCES.decoder.decode(payload)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                log.error("state.unreadable", extra={"hash": DIVERGENCES.hash_name, "error": str(error)})
        return found


def tops_of(payload: bytes | None) -> Tops | None:
    """Return the best prices that a book's key holds; None when there is nothing to believe."""
    if payload is None:
        return None
    try:
        message = _QUOTES.decode(payload)
        if isinstance(message, QuotesStale):
            return None
        bid, ask = (
            decimal_from_text(levels[0][0]) if levels else None for levels in (message.yes_bids, message.yes_asks)
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, NumberRefused):
        return None
    return Tops(bid, ask)
