"""What the risk checks look at: the intent, the moment, the limits, and the names of their refusals."""

from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import msgspec

from shared.domain.market import Market, MarketId, Venue
from shared.domain.orders import Depth, Outcome
from shared.domain.pair import Direction, Pair, PairId


class RefusalReason(StrEnum):
    """Why an intent is not acted upon; an earlier member wins over a later one."""

    NOT_AUTHENTIC = "not_authentic"
    WRONG_ACCOUNT = "wrong_account"
    UNKNOWN_VERSION = "unknown_version"
    NUMBER_REFUSED = "number_refused"
    EXPIRED = "expired"
    FROM_THE_FUTURE = "from_the_future"
    LIVES_TOO_LONG = "lives_too_long"
    PAIR_NOT_LIVE = "pair_not_live"
    PAIR_CHANGED = "pair_changed"
    PAIR_ALERT_ONLY = "pair_alert_only"
    KILLED = "killed"
    WRONG_LEGS = "wrong_legs"
    UNEQUAL_LEGS = "unequal_legs"
    BOOK_MISSING = "book_missing"
    BOOK_STALE = "book_stale"
    BOOK_OLDER = "book_older"
    MARKET_UNKNOWN = "market_unknown"
    MARKET_NOT_OPEN = "market_not_open"
    FEES_UNKNOWN = "fees_unknown"
    PRICE_OFF_GRID = "price_off_grid"
    SIZE_OFF_STEP = "size_off_step"
    SIZE_TOO_SMALL = "size_too_small"
    NO_EDGE = "no_edge"
    LIQUIDITY_GONE = "liquidity_gone"
    LIMIT_FAR_FROM_BOOK = "limit_far_from_book"
    COST_ABOVE_INTENT = "cost_above_intent"
    TOO_MANY_CONTRACTS = "too_many_contracts"
    ORDER_LIMIT = "order_limit"
    PAIR_LIMIT = "pair_limit"
    MARKET_LIMIT = "market_limit"
    DAY_LIMIT = "day_limit"
    OPPORTUNITY_REPEATED = "opportunity_repeated"
    PAIR_TOO_SOON = "pair_too_soon"
    MARKET_BUSY = "market_busy"
    TOO_MANY_ORDERS = "too_many_orders"


class Leg(Protocol):
    """What the checks read of one leg of an intent."""

    @property
    def venue(self) -> Venue: ...
    @property
    def market_id(self) -> MarketId: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def token_id(self) -> str: ...
    @property
    def contracts(self) -> Decimal: ...
    @property
    def limit_price_dollars(self) -> Decimal: ...
    @property
    def max_fee_dollars(self) -> Decimal: ...
    @property
    def quote_received_ts_ns(self) -> int: ...


class Intent(Protocol):
    """What the checks read of an intent."""

    @property
    def v(self) -> int: ...
    @property
    def intent_id(self) -> str: ...
    @property
    def opportunity_id(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def pair_id(self) -> PairId: ...
    @property
    def pair_version(self) -> str: ...
    @property
    def direction(self) -> Direction: ...
    @property
    def legs(self) -> "tuple[Leg, Leg]": ...
    @property
    def max_cost_dollars(self) -> Decimal: ...
    @property
    def created_ts_ns(self) -> int: ...
    @property
    def expires_ts_ns(self) -> int: ...


class BookSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A market's latest book as the bus holds it."""

    stale: str = ""
    """Why it must not be believed; empty when it may."""
    received_ts_ns: int = 0
    depth: Depth = Depth((), ())


class LegSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one leg's market right now; None where nothing is."""

    market: Market | None
    book: BookSeen | None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says was done before. Dollars are at the limit with fees while an order is open."""

    market_dollars: Decimal = Decimal(0)
    """In this market on this UTC day."""
    day_dollars: Decimal = Decimal(0)
    """In all markets on this UTC day."""
    opportunity_seen: bool = False
    """Whether an earlier intent of the same episode was approved."""
    pair_rested_ms: int | None = None
    """Since the pair's last order; None when it never had one."""
    market_busy: bool = False
    """Whether an order for the same outcome of the market is not done."""
    orders_last_minute: int = 0


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be risked. An order at a limit passes, one above it does not."""

    max_contracts: Decimal = Decimal(1_000)
    max_order_dollars: Decimal = Decimal(500)
    max_market_dollars: Decimal = Decimal(1_000)
    max_day_dollars: Decimal = Decimal(5_000)
    max_ticks_from_book: int = 10
    """How much worse than the price at which the present book would fill the order its limit may be."""
    max_ttl_ms: int = 10_000
    rearm_ms: int = 30_000
    max_orders_per_minute: int = 30


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known at the moment of the decision."""

    authentic: bool
    account: str
    now_ns: int
    waited_ms: int
    """Since the intent was read, by a clock that never runs backwards."""
    killed: bool
    pair: Pair | None
    """The live pair of that id."""
    legs: tuple[LegSeen, LegSeen]
    usage: Usage
    limits: RiskLimits
