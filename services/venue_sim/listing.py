"""Bringing simulated markets into being: identifiers in the venues' grammar, times, grids, quoting habits."""

from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from uuid import UUID

from services.venue_sim.markets import (
    DECI_CENT,
    LINEAR_CENT,
    TAPERED_DECI_CENT,
    KalshiEvent,
    KalshiMarket,
    MappingKind,
    Orientation,
    PolymarketEvent,
    PolymarketMarket,
    PriceGrid,
    Proposition,
    Quoted,
    SimQuestion,
)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

_LOWEST_TOKEN = 10**75
_ONE_CONTRACT_E6 = 1_000_000
_POLYMARKET_MIN_SHARES = 5
_SMALLEST_KALSHI_E6 = 10_000
_KALSHI_GRIDS = {"cent": LINEAR_CENT, "tapered": TAPERED_DECI_CENT, "fine": DECI_CENT}
_POLYMARKET_TICKS_E4 = {"cent": 100, "tapered": 10, "fine": 10}


@dataclass(frozen=True, kw_only=True)
class KalshiText:
    """What a Kalshi market says."""

    ticker: str
    title: str
    yes_sub_title: str
    rules_primary: str
    rules_secondary: str
    strike_type: str
    floor_strike: Fraction | None = None
    custom_strike: dict[str, str] = field(default_factory=dict)
    expected_expiration_ts_ms: int
    close_ts_ms: int


@dataclass(frozen=True, kw_only=True)
class PolymarketText:
    """What a Polymarket market says."""

    slug: str
    question: str
    description: str
    outcomes: tuple[str, str] = ("Yes", "No")
    group_item_title: str = ""
    sports_market_type: str = ""
    game_start_ts_ms: int | None = None
    seconds_delay: int = 0
    end_ts_ms: int


class Lister:
    """Makes markets and remembers them; every identifier comes from the seed."""

    def __init__(self, random: Random, *, start_ms: int) -> None:
        self.random = random
        self.start_ms = start_ms
        self.kalshi: list[KalshiMarket] = []
        self.polymarket: list[PolymarketMarket] = []
        self.questions: list[SimQuestion] = []
        self.quoted: list[Quoted] = []
        self._kalshi_events: dict[str, KalshiEvent] = {}
        self._event_ids: set[str] = set()
        self._gamma_ids: set[str] = set()

    def proposition(self, fair_e4: int) -> Proposition:
        """Return something new to have an opinion on."""
        return Proposition(fair_e4=fair_e4, home_e4=fair_e4)

    def kalshi_event(self, event_ticker: str) -> KalshiEvent | None:
        """Return an event of which a market is listed."""
        return self._kalshi_events.get(event_ticker)

    def list_kalshi(
        self, event: KalshiEvent, text: KalshiText, proposition: Proposition, *, grid: str, inverted: bool = False
    ) -> KalshiMarket:
        """List a market on Kalshi and have it quoted."""
        market = KalshiMarket(
            market_id=text.ticker,
            grid=_KALSHI_GRIDS[grid],
            min_contracts_e6=_SMALLEST_KALSHI_E6,
            event=event,
            uuid=str(UUID(int=self.random.getrandbits(128), version=4)),
            title=text.title,
            yes_sub_title=text.yes_sub_title,
            rules_primary=text.rules_primary,
            rules_secondary=text.rules_secondary,
            strike_type=text.strike_type,
            floor_strike=text.floor_strike,
            custom_strike=text.custom_strike,
            created_ts_ms=self.start_ms - 30 * DAY_MS,
            open_ts_ms=self.start_ms - 29 * DAY_MS,
            expected_expiration_ts_ms=text.expected_expiration_ts_ms,
            close_ts_ms=text.close_ts_ms,
        )
        self.kalshi.append(market)
        self._kalshi_events.setdefault(event.event_ticker, event)
        self._quote(
            Quoted(
                market=market,
                proposition=proposition,
                inverted=inverted,
                half_spread_e4=self._half_spread_e4(grid, proposition),
                size_scale=self.random.choice((40, 120, 400)),
            )
        )
        return market

    def polymarket_event(
        self,
        *,
        slug: str,
        title: str,
        description: str,
        tags: tuple[str, ...],
        end_ts_ms: int,
        neg_risk: bool = False,
        series_slug: str = "",
        game_id: int | None = None,
    ) -> PolymarketEvent:
        """Open an event on Polymarket."""
        return PolymarketEvent(
            event_id=self._unused(self._event_ids, 20_000, 900_000),
            slug=slug,
            title=title,
            description=description,
            series_slug=series_slug,
            tags=tags,
            neg_risk=neg_risk,
            neg_risk_id=self._hex64() if neg_risk else "",
            end_ts_ms=end_ts_ms,
            game_id=game_id,
        )

    def list_polymarket(
        self,
        event: PolymarketEvent,
        text: PolymarketText,
        proposition: Proposition,
        *,
        grid: str,
        fee_type: str,
        fee_rate: Fraction,
    ) -> PolymarketMarket:
        """List a market on Polymarket and have it quoted; its outcome 0 pays when the proposition is true."""
        tick_e4 = _POLYMARKET_TICKS_E4[grid]
        market = PolymarketMarket(
            market_id=self._hex64(),
            grid=PriceGrid("tick", (0, 10_000, tick_e4)),
            min_contracts_e6=_POLYMARKET_MIN_SHARES * _ONE_CONTRACT_E6,
            event=event,
            gamma_id=self._unused(self._gamma_ids, 500_000, 3_000_000),
            question_id=self._hex64(),
            slug=text.slug,
            question=text.question,
            description=text.description,
            outcomes=text.outcomes,
            token_ids=(self._token_id(), self._token_id()),
            group_item_title=text.group_item_title,
            tick_e4=tick_e4,
            fee_rate=fee_rate,
            fee_type=fee_type,
            sports_market_type=text.sports_market_type,
            game_start_ts_ms=text.game_start_ts_ms,
            seconds_delay=text.seconds_delay,
            created_ts_ms=self.start_ms - 28 * DAY_MS,
            start_ts_ms=self.start_ms - 28 * DAY_MS + HOUR_MS,
            end_ts_ms=text.end_ts_ms,
        )
        self.polymarket.append(market)
        self._quote(
            Quoted(
                market=market,
                proposition=proposition,
                inverted=False,
                half_spread_e4=self._half_spread_e4(grid, proposition),
                size_scale=self.random.choice((60, 200, 600)),
            )
        )
        return market

    def ask(
        self,
        kalshi: KalshiMarket,
        polymarket: PolymarketMarket,
        kind: MappingKind,
        *,
        orientation: Orientation = "same",
        why_different: str = "",
    ) -> None:
        """Put two markets side by side as a question."""
        self.questions.append(
            SimQuestion(
                kalshi=kalshi, polymarket=polymarket, orientation=orientation, kind=kind, why_different=why_different
            )
        )

    def _quote(self, quoted: Quoted) -> None:
        if quoted.fair_e4 < quoted.market.grid.prices_e4[0] + quoted.half_spread_e4:
            quoted.sides = ("ask",)
        elif quoted.fair_e4 > quoted.market.grid.prices_e4[-1] - quoted.half_spread_e4:
            quoted.sides = ("bid",)
        quoted.proposition.quoted.append(quoted)
        self.quoted.append(quoted)

    def _half_spread_e4(self, grid: str, proposition: Proposition) -> int:
        """Return a market's habit: wide on a coarse grid, narrow where the price itself is tiny."""
        room_e4 = min(proposition.fair_e4, 10_000 - proposition.fair_e4)
        if grid == "cent":
            return self.random.randint(60, 140)
        return max(8, min(self.random.randint(30, 110), room_e4 // 5))

    def _unused(self, taken: set[str], lowest: int, end: int) -> str:
        """Draw a number that nothing has yet: among thousands of markets two draws are the same now and then."""
        while (drawn := str(self.random.randrange(lowest, end))) in taken:
            pass
        taken.add(drawn)
        return drawn

    def _hex64(self) -> str:
        return f"0x{self.random.getrandbits(256):064x}"

    def _token_id(self) -> str:
        return str(self.random.randrange(_LOWEST_TOKEN, 2**256))
