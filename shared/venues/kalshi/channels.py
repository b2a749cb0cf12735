"""What Kalshi's other channels say, typed: tickers, trades, and the account's own fills, orders and positions.

Books have ``session``, markets' lives ``lifecycle``. Only the fields we need; deprecated ones (``taker_side``,
``is_yes``, ``purchased_side``) are not read. Requests for quotes and index values have no reader: their frames are
counted by type.
Kalshi AsyncAPI, read 2026-11-21, and frames recorded 2026-09-17.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import msgspec

from shared.domain.market import MarketId
from shared.domain.numbers import NumberRefused, decimal_from_text
from shared.venues.kalshi.schema import UNREADABLE

MARKET_CHANNELS = frozenset({"ticker", "trade"})
"""Public, by ticker; without tickers they carry the whole exchange."""
ACCOUNT_CHANNELS = frozenset({"fill", "user_orders", "market_positions", "order_group_updates"})
"""The account's own; the first three have no numbers and no replay, so REST has to be read after every dial."""

Side = Literal["yes", "no"]
BookSide = Literal["bid", "ask"]


class Ticker(msgspec.Struct, frozen=True, kw_only=True):
    """The top of a book now and then; it has no number and proves no freshness. None where there is no quote."""

    market_id: MarketId
    yes_bid_dollars: Decimal | None
    yes_ask_dollars: Decimal | None
    yes_bid_contracts: Decimal
    yes_ask_contracts: Decimal
    last_price_dollars: Decimal
    volume_contracts: Decimal
    venue_ts_ms: int


class TradePrint(msgspec.Struct, frozen=True, kw_only=True):
    """A trade; a block trade was negotiated outside the book."""

    trade_id: str
    market_id: MarketId
    yes_price_dollars: Decimal
    count_contracts: Decimal
    taker_outcome_side: Side
    taker_book_side: BookSide
    is_block_trade: bool
    venue_ts_ms: int


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """A trade of the account's own; here, and not in REST, it names the client's order id."""

    trade_id: str
    order_id: str
    client_order_id: str
    market_id: MarketId
    outcome_side: Side
    book_side: BookSide
    yes_price_dollars: Decimal
    count_contracts: Decimal
    fee_dollars: Decimal
    position_after_contracts: Decimal
    """Above 0 YES, below 0 NO."""
    is_taker: bool
    exchange_index: int
    subaccount: int
    venue_ts_ms: int


class OwnOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an order of the account's own."""

    order_id: str
    client_order_id: str
    market_id: MarketId
    status: Literal["resting", "canceled", "executed", "unknown"]
    outcome_side: Side
    book_side: BookSide
    yes_price_dollars: Decimal
    initial_contracts: Decimal
    filled_contracts: Decimal
    remaining_contracts: Decimal
    fees_dollars: Decimal
    """As taker and as maker."""
    reason: str
    """Why it changed, as in ``ExpiryCancel``; empty when it is not said."""
    exchange_index: int
    updated_ts_ms: int


class OwnPosition(msgspec.Struct, frozen=True, kw_only=True):
    """What the account holds of a market: above 0 YES, below 0 NO."""

    market_id: MarketId
    position_contracts: Decimal
    cost_dollars: Decimal
    realised_dollars: Decimal
    fees_dollars: Decimal
    subaccount: int


class OrderGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a group of orders with a common limit."""

    order_group_id: str
    happening: str
    """``created``, ``triggered``, ``reset``, ``deleted`` or ``limit_updated``."""
    limit_contracts: Decimal | None
    venue_ts_ms: int


ChannelMessage = Ticker | TradePrint | Fill | OwnOrder | OwnPosition | OrderGroup


def read_channel(frame: bytes) -> ChannelMessage:
    """Return what a frame of one of the ``CHANNEL_TYPES`` says. Raises ValueError when it lacks what its type needs."""
    try:
        message = _FRAME.decode(frame)
        return _READERS[type(message)](message.msg)
    except (*UNREADABLE, NumberRefused) as error:
        raise ValueError(str(error)) from None


class _TickerBody(msgspec.Struct):
    market_ticker: str
    price_dollars: str
    yes_bid_dollars: str
    yes_ask_dollars: str
    yes_bid_size_fp: str
    yes_ask_size_fp: str
    volume_fp: str
    ts_ms: int = 0


class _TradeBody(msgspec.Struct):
    trade_id: str
    market_ticker: str
    yes_price_dollars: str
    count_fp: str
    taker_outcome_side: Side
    taker_book_side: BookSide
    is_block_trade: bool = False
    ts_ms: int = 0


class _FillBody(msgspec.Struct):
    trade_id: str
    order_id: str
    market_ticker: str
    outcome_side: Side
    book_side: BookSide
    yes_price_dollars: str
    count_fp: str
    fee_cost: str
    post_position_fp: str
    is_taker: bool
    client_order_id: str = ""
    exchange_index: int = 0
    subaccount: int = 0
    ts_ms: int = 0


class _OrderBody(msgspec.Struct):
    order_id: str
    ticker: str
    status: Literal["resting", "canceled", "executed", "unknown"]
    outcome_side: Side
    book_side: BookSide
    yes_price_dollars: str
    initial_count_fp: str
    fill_count_fp: str
    remaining_count_fp: str
    taker_fees_dollars: str = "0"
    maker_fees_dollars: str = "0"
    client_order_id: str = ""
    last_update_reason: str | None = None
    exchange_index: int = 0
    created_ts_ms: int = 0
    last_updated_ts_ms: int | None = None


class _PositionBody(msgspec.Struct):
    market_ticker: str
    position_fp: str
    position_cost_dollars: str
    realized_pnl_dollars: str
    fees_paid_dollars: str
    subaccount: int = 0


class _GroupBody(msgspec.Struct):
    event_type: str
    order_group_id: str
    contracts_limit_fp: str | None = None
    ts_ms: int = 0


class _Ticker(msgspec.Struct, tag="ticker"):
    msg: _TickerBody


class _Trade(msgspec.Struct, tag="trade"):
    msg: _TradeBody


class _Fill(msgspec.Struct, tag="fill"):
    msg: _FillBody


class _Order(msgspec.Struct, tag="user_order"):
    msg: _OrderBody


class _Position(msgspec.Struct, tag="market_position"):
    msg: _PositionBody


class _Group(msgspec.Struct, tag="order_group_updates"):
    msg: _GroupBody


_Frame = _Ticker | _Trade | _Fill | _Order | _Position | _Group
_FRAME: msgspec.json.Decoder[_Frame] = msgspec.json.Decoder(_Frame)


def _signed(text: str) -> Decimal:
    return decimal_from_text(text, signed=True)


def _ticker(body: _TickerBody) -> Ticker:
    bid_contracts, ask_contracts = decimal_from_text(body.yes_bid_size_fp), decimal_from_text(body.yes_ask_size_fp)
    bid_dollars, ask_dollars = decimal_from_text(body.yes_bid_dollars), decimal_from_text(body.yes_ask_dollars)
    return Ticker(
        market_id=MarketId(body.market_ticker),
        yes_bid_dollars=bid_dollars if bid_contracts else None,  # an empty side reads 0 or 1 dollar with size 0
        yes_ask_dollars=ask_dollars if ask_contracts else None,
        yes_bid_contracts=bid_contracts,
        yes_ask_contracts=ask_contracts,
        last_price_dollars=decimal_from_text(body.price_dollars),
        volume_contracts=decimal_from_text(body.volume_fp),
        venue_ts_ms=body.ts_ms,
    )


def _trade(body: _TradeBody) -> TradePrint:
    return TradePrint(
        trade_id=body.trade_id,
        market_id=MarketId(body.market_ticker),
        yes_price_dollars=decimal_from_text(body.yes_price_dollars),
        count_contracts=decimal_from_text(body.count_fp),
        taker_outcome_side=body.taker_outcome_side,
        taker_book_side=body.taker_book_side,
        is_block_trade=body.is_block_trade,
        venue_ts_ms=body.ts_ms,
    )


def _fill(body: _FillBody) -> Fill:
    return Fill(
        trade_id=body.trade_id,
        order_id=body.order_id,
        client_order_id=body.client_order_id,
        market_id=MarketId(body.market_ticker),
        outcome_side=body.outcome_side,
        book_side=body.book_side,
        yes_price_dollars=decimal_from_text(body.yes_price_dollars),
        count_contracts=decimal_from_text(body.count_fp),
        fee_dollars=decimal_from_text(body.fee_cost),
        position_after_contracts=_signed(body.post_position_fp),
        is_taker=body.is_taker,
        exchange_index=body.exchange_index,
        subaccount=body.subaccount,
        venue_ts_ms=body.ts_ms,
    )


def _order(body: _OrderBody) -> OwnOrder:
    return OwnOrder(
        order_id=body.order_id,
        client_order_id=body.client_order_id,
        market_id=MarketId(body.ticker),
        status=body.status,
        outcome_side=body.outcome_side,
        book_side=body.book_side,
        yes_price_dollars=decimal_from_text(body.yes_price_dollars),
        initial_contracts=decimal_from_text(body.initial_count_fp),
        filled_contracts=decimal_from_text(body.fill_count_fp),
        remaining_contracts=decimal_from_text(body.remaining_count_fp),
        fees_dollars=decimal_from_text(body.taker_fees_dollars) + decimal_from_text(body.maker_fees_dollars),
        reason=body.last_update_reason or "",
        exchange_index=body.exchange_index,
        updated_ts_ms=body.created_ts_ms if body.last_updated_ts_ms is None else body.last_updated_ts_ms,
    )


def _position(body: _PositionBody) -> OwnPosition:
    return OwnPosition(
        market_id=MarketId(body.market_ticker),
        position_contracts=_signed(body.position_fp),
        cost_dollars=_signed(body.position_cost_dollars),
        realised_dollars=_signed(body.realized_pnl_dollars),
        fees_dollars=decimal_from_text(body.fees_paid_dollars),
        subaccount=body.subaccount,
    )


def _group(body: _GroupBody) -> OrderGroup:
    limit = body.contracts_limit_fp
    return OrderGroup(
        order_group_id=body.order_group_id,
        happening=body.event_type,
        limit_contracts=None if limit is None else decimal_from_text(limit),
        venue_ts_ms=body.ts_ms,
    )


_READERS: dict[type[_Frame], Callable[[Any], ChannelMessage]] = {
    _Ticker: _ticker,
    _Trade: _trade,
    _Fill: _fill,
    _Order: _order,
    _Position: _position,
    _Group: _group,
}
CHANNEL_TYPES = frozenset({"ticker", "trade", "fill", "user_order", "market_position", "order_group_updates"})
"""The types of message that ``read_channel`` reads; two channels have another name than their messages."""
