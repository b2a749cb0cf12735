"""The simulated listings: what each venue's market says about itself, and its book.

Times are Unix milliseconds. Rates and multipliers are ``Fraction``s, so that fees computed from them are exact.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal

from services.venue_sim.engine import Effect, LevelChange, SimBook, Trade

TRADABLE = "active"
"""The one status in which a simulated market takes orders."""

Orientation = Literal["same", "inverted"]
MappingKind = Literal["template", "curated", "review", "look_alike"]
"""``template``: a league-game rule knows the pair. ``curated``: a mapping row knows it. ``review``: a true pair that
nobody has mapped. ``look_alike``: two different questions that read alike and must not be paired."""


class PriceGrid:
    """The prices a market allows: stretches of ``(start, end, step)`` in ten-thousandths of a dollar."""

    def __init__(self, label: str, *stretches: tuple[int, int, int]) -> None:
        self.label = label
        self.stretches = stretches
        allowed = {price for start, end, step in stretches for price in range(start, end + 1, step)}
        self.prices_e4: Sequence[int] = sorted(allowed - {0, 10_000})

    def down(self, price_e4: int) -> int | None:
        """Return the greatest allowed price at or below, None when there is none."""
        at = bisect_right(self.prices_e4, price_e4)
        return self.prices_e4[at - 1] if at else None

    def up(self, price_e4: int) -> int | None:
        """Return the smallest allowed price at or above, None when there is none."""
        at = bisect_left(self.prices_e4, price_e4)
        return self.prices_e4[at] if at < len(self.prices_e4) else None

    def steps_from(self, price_e4: int, steps: int) -> int | None:
        """Return the allowed price ``steps`` places above (below when negative), None beyond the grid's ends."""
        at = bisect_left(self.prices_e4, price_e4) + steps
        return self.prices_e4[at] if 0 <= at < len(self.prices_e4) else None


LINEAR_CENT = PriceGrid("linear_cent", (0, 10_000, 100))
DECI_CENT = PriceGrid("deci_cent", (0, 10_000, 10))
TAPERED_DECI_CENT = PriceGrid("tapered_deci_cent", (0, 1_000, 10), (1_000, 9_000, 100), (9_000, 10_000, 10))


@dataclass(kw_only=True, eq=False)
class SimMarket:
    """What both venues' markets have in common. ``market_id`` is the Kalshi ticker or the condition id."""

    market_id: str
    grid: PriceGrid
    min_contracts_e6: int
    book: SimBook = field(default_factory=SimBook)
    status: str = TRADABLE
    last_price_e4: int = 0
    """The last traded YES price, 0 before the first trade."""
    volume_e6: int = 0
    last_size_e6: int = 0
    """The size of the last trade."""
    last_at_us: int = 0
    """When the last operation touched the book."""
    operations: int = 0

    venue = ""

    def count(self, operation: "Operation") -> None:
        """Take note of an operation on this market."""
        self.last_at_us = operation.at_us
        self.operations += 1
        if operation.trade is not None:
            self.last_price_e4 = operation.trade.price_e4
            self.last_size_e6 = operation.trade.size_e6
            self.volume_e6 += operation.trade.size_e6


@dataclass(frozen=True, kw_only=True)
class KalshiSeries:
    """A Kalshi series and its fee terms."""

    ticker: str
    title: str
    category: str
    frequency: str
    tags: tuple[str, ...]
    source_name: str
    source_url: str
    fee_type: str = "quadratic"
    fee_multiplier: Fraction = Fraction(1)


@dataclass(frozen=True, kw_only=True)
class KalshiEvent:
    """A Kalshi event: one or more markets under one title."""

    event_ticker: str
    series: KalshiSeries
    title: str
    sub_title: str
    mutually_exclusive: bool
    strike_ts_ms: int
    """When the thing happens."""


@dataclass(kw_only=True, eq=False)
class KalshiMarket(SimMarket):
    """A Kalshi listing."""

    event: KalshiEvent
    uuid: str
    title: str
    yes_sub_title: str
    rules_primary: str
    rules_secondary: str
    strike_type: str
    floor_strike: Fraction | None = None
    custom_strike: dict[str, str] = field(default_factory=dict)
    created_ts_ms: int
    open_ts_ms: int
    expected_expiration_ts_ms: int
    close_ts_ms: int
    exchange_index: int = 0
    result: str = ""
    """``yes`` or ``no`` once it is settled."""
    settled_ms: int = 0

    venue = "kalshi"

    @property
    def fee_multiplier(self) -> Fraction:
        """What multiplies the published taker rate."""
        return self.event.series.fee_multiplier


@dataclass(frozen=True, kw_only=True)
class PolymarketEvent:
    """A Polymarket event: one or more markets under one title."""

    event_id: str
    slug: str
    title: str
    description: str
    series_slug: str
    tags: tuple[str, ...]
    neg_risk: bool
    neg_risk_id: str
    """The group's id, empty when the event is not neg-risk."""
    neg_risk_augmented: bool = False
    """Whether markets of a neg-risk event may still be named."""
    end_ts_ms: int
    game_id: int | None = None


@dataclass(kw_only=True, eq=False)
class PolymarketMarket(SimMarket):
    """A Polymarket listing; its book is the one of outcome 0."""

    event: PolymarketEvent
    gamma_id: str
    question_id: str
    slug: str
    question: str
    description: str
    outcomes: tuple[str, str]
    token_ids: tuple[str, str]
    group_item_title: str
    resolution_source: str = ""
    tick_e4: int
    fee_rate: Fraction
    """0 when the venue charges nothing on this market."""
    fee_type: str
    sports_market_type: str = ""
    line: Fraction | None = None
    game_start_ts_ms: int | None = None
    seconds_delay: int = 0
    created_ts_ms: int
    start_ts_ms: int
    end_ts_ms: int
    winner: int | None = None
    """The outcome that pays, None before the market is resolved."""
    version: str = "v1"
    """The protocol's generation: listings leave ``v2`` out unless they are asked for it."""

    venue = "polymarket"


@dataclass(frozen=True, slots=True)
class Operation:
    """One act of one market's engine: one group of equal ``ts`` on Kalshi, one burst on Polymarket."""

    market: SimMarket
    at_us: int
    """Unix microseconds, strictly rising through the whole world unless it is crowded; on one market no two share a
    millisecond."""
    changes: tuple[LevelChange, ...]
    trade: Trade | None

    @property
    def at_ms(self) -> int:
        """Unix milliseconds."""
        return self.at_us // 1_000

    @classmethod
    def of(cls, market: SimMarket, at_us: int, effect: Effect) -> "Operation":
        """Return the operation that had ``effect``."""
        return cls(market, at_us, effect.changes, effect.trade)


@dataclass(kw_only=True, eq=False)
class Proposition:
    """Something that will be true or false, and what everybody thinks of it; several markets may ask about it."""

    fair_e4: int
    """The common opinion of its probability, in ten-thousandths."""
    home_e4: int
    """Where the opinion started; it wanders around this."""
    held: int = 0
    """How many plants are running on it; while there is one, nobody else touches the best levels."""
    quoted: list["Quoted"] = field(default_factory=list)


@dataclass(kw_only=True, eq=False)
class Quoted:
    """How a market is quoted: by which proposition, which way round, how wide and how deep."""

    market: SimMarket
    proposition: Proposition
    inverted: bool
    """True when the market's YES pays when the proposition is false."""
    half_spread_e4: int
    size_scale: int
    """The typical size of a level in contracts."""
    sides: tuple[Literal["bid", "ask"], ...] = ("bid", "ask")
    """The sides that anybody quotes; one-sided markets have one."""

    @property
    def fair_e4(self) -> int:
        """The common opinion of this market's YES."""
        return 10_000 - self.proposition.fair_e4 if self.inverted else self.proposition.fair_e4


@dataclass(frozen=True, kw_only=True, eq=False)
class SimQuestion:
    """A Kalshi market and a Polymarket market side by side: a true pair, or a look-alike that is none."""

    kalshi: KalshiMarket
    polymarket: PolymarketMarket
    orientation: Orientation
    """``same``: Kalshi's YES pays when Polymarket's outcome 0 does. For a look-alike: what a careless reader says."""
    kind: MappingKind
    why_different: str = ""
    """For a look-alike: what sets the two apart."""

    @property
    def is_pair(self) -> bool:
        """Whether both settle on the same question."""
        return self.kind != "look_alike"

    @cached_property
    def label(self) -> str:
        """A short name for logs and truth."""
        return f"{self.kalshi.market_id}~{self.polymarket.slug}"
