"""Bodies of Polymarket's public REST calls that serve the books: what is asked and what comes back.

Field sets as of polymarket-client 0.14.0 and recorded answers of March to September 2026. A batch answer is not in
the order of the request, and unknown tokens are simply missing from it.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from shared.venues.polymarket.urls import BOOKS_PER_CALL


class RestRefused(ValueError):
    """A body was not what this call answers with; the message says what came."""


class RestBook(msgspec.Struct, frozen=True, gc=False):
    """One answer of ``/book`` or one element of ``/books``: full depth, everything text.

    Its sides stay as sent until they are needed: ``levels`` reads them.
    """

    asset_id: str
    timestamp: str
    bids: msgspec.Raw
    asks: msgspec.Raw
    min_order_size: str
    tick_size: str
    neg_risk: bool
    market: str = ""
    hash: str | None = None
    last_trade_price: str | None = None


class ClobFee(msgspec.Struct, frozen=True):
    """The fee part of ``/clob-markets``: rate and exponent of a taker's fee."""

    rate: Decimal = msgspec.field(name="r")
    exponent: Decimal = msgspec.field(name="e", default=Decimal(1))


class ClobMarket(msgspec.Struct, frozen=True):
    """The part of ``/clob-markets/{condition}`` that serves as fallback; no ``fd`` means no fee is named."""

    fee: ClobFee | None = msgspec.field(name="fd", default=None)


class SettledToken(msgspec.Struct, frozen=True):
    """One outcome of ``GET /markets/{condition}``."""

    token_id: str
    winner: bool = False


class SettledMarket(msgspec.Struct, frozen=True):
    """The part of ``GET /markets/{condition}`` that says what a market paid."""

    closed: bool
    tokens: tuple[SettledToken, ...]
    is_50_50_outcome: bool = False


_SETTLED_MARKET: msgspec.json.Decoder[SettledMarket] = msgspec.json.Decoder(SettledMarket)
_BOOKS: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_BOOK: msgspec.json.Decoder[RestBook] = msgspec.json.Decoder(RestBook)
_CLOB_MARKET: msgspec.json.Decoder[ClobMarket] = msgspec.json.Decoder(ClobMarket)
_SHOWN_BYTES = 120


def books_request(token_ids: Sequence[str]) -> list[dict[str, str]]:
    """Return the JSON body of ``POST /books`` for up to 500 tokens."""
    assert len(token_ids) <= BOOKS_PER_CALL, len(token_ids)
    return [{"token_id": token_id} for token_id in token_ids]


def read_books(body: bytes) -> tuple[list[RestBook], int]:
    """Return the readable books of a ``/books`` answer and how many elements were not.

    Raises RestRefused when the body is no JSON array, as with a proxy's HTML page.
    """
    try:
        parts = _BOOKS.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RestRefused(f"POST /books answered {_shown(body)}: {error}") from None
    books = []
    for part in parts:
        try:
            book = _BOOK.decode(part)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        if all(bytes(side).startswith(b"[") for side in (book.bids, book.asks)):
            books.append(book)
    return books, len(parts) - len(books)


def read_clob_market(body: bytes) -> ClobMarket:
    """Return the trading terms of one market.

    Raises RestRefused.
    """
    try:
        return _CLOB_MARKET.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RestRefused(f"GET /clob-markets answered {_shown(body)}: {error}") from None


def paid_dollars(body: bytes, token_id: str) -> Decimal | None:
    """Return what one contract of a token paid, None before the market has its result.

    A token pays one, nothing, or a half each when the market resolves 50-50; then no token is marked as the winner
    (polymarket-client 0.14.0, read 2026-11-21). Raises RestRefused.
    """
    try:
        market = _SETTLED_MARKET.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RestRefused(f"GET /markets/… answered {_shown(body)}: {error}") from None
    if token_id not in [token.token_id for token in market.tokens]:
        raise RestRefused(f"GET /markets/… answered {_shown(body)}: token {token_id} is not in it")
    winners = [token.token_id for token in market.tokens if token.winner]
    if not market.closed or len(winners) > 1:
        return None
    if winners:
        return Decimal(winners[0] == token_id)
    return Decimal("0.5") if market.is_50_50_outcome else None


def _shown(body: bytes) -> str:
    return repr(body[:_SHOWN_BYTES])
