"""One live pair as the detector holds it: its two legs, its prices' terms and its two directions."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

import msgspec

from services.arb_detector.episodes import EpisodeRules, Watch
from services.arb_detector.opening_text import PairText
from services.arb_detector.sentinel import Apart
from services.arb_detector.trust import LegState
from shared.domain.arbitrage import Limits, MarketTerms, PairPricing
from shared.domain.fee_tables import taker_fees
from shared.domain.fees import (
    KALSHI_RATES,
    POLYMARKET_CONSERVATIVE_RATE,
    FeeSchedule,
    FeesRefused,
    KalshiFees,
    PolymarketFees,
)
from shared.domain.market import Market, MarketStatus, Venue
from shared.domain.pair import Direction, Pair
from shared.domain.returns import days_e2, paid_s


class Unusable(StrEnum):
    """Why a pair cannot be priced now, whatever its quotes say."""

    EXPIRED = "pair is past its last moment"
    MARKET_UNKNOWN = "market is not in the catalog"
    MARKET_NOT_OPEN = "market is not open"
    TERMS = "market's sizes cannot be priced"


class EdgeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asks of an edge, and the hysteresis below it."""

    min_edge_dollars_per_contract: Decimal
    min_edge_dollars: Decimal
    """For the whole opportunity."""
    max_capital_dollars: Decimal | None
    """Per venue and opportunity; None for no limit."""
    void_haircut_dollars_per_contract: Decimal = Decimal(0)
    """Taken off each contract's payout for pairs whose void rules are known to differ."""
    hurdle_rate: Decimal = Decimal(0)
    """What tied-up capital must earn in a year for money to follow; 0 asks for nothing."""
    keep_percent: int = 50
    """An open episode lives while this part of both minimum edges is left."""

    def least_dollars(self, *, is_open: bool) -> Decimal:
        """Return what the whole opportunity must earn to open, or to stay open."""
        return self.min_edge_dollars * self.keep_percent / 100 if is_open else self.min_edge_dollars

    def least_dollars_per_contract(self, *, is_open: bool) -> Decimal:
        """Return what the last contract must earn to open, or to stay open."""
        least_dollars = self.min_edge_dollars_per_contract
        return least_dollars * self.keep_percent / 100 if is_open else least_dollars


class PairState:
    """One pair. ``opening`` and ``staying`` are None while the catalog lacks a market or its sizes are unusable."""

    __slots__ = (
        "_edges",
        "_not_after",
        "_paid_s",
        "_staying",
        "alert_only",
        "apart",
        "counts",
        "diverged",
        "is_held_back",
        "kalshi",
        "markets",
        "opening",
        "outcome",
        "pair",
        "polymarket",
        "reason_since_ns",
        "terms",
        "text",
        "told_outcome",
        "unusable",
        "version",
        "watches",
    )

    def __init__(self, pair: Pair, kalshi: LegState, polymarket: LegState, rules: EpisodeRules) -> None:
        self.pair = pair
        self.version = pair.version
        self.kalshi = kalshi
        self.polymarket = polymarket
        self.watches = {direction: Watch(rules) for direction in Direction}
        self.markets: Mapping[Venue, Market] = {}
        self.opening: PairPricing | None = None
        self._staying: PairPricing | None = None
        self._edges: EdgeLimits | None = None
        self.alert_only = pair.alert_only
        self.unusable: Unusable | None = Unusable.MARKET_UNKNOWN
        self.is_held_back = False
        """Whether there is an edge, and only the trust in a connection is missing."""
        self.terms: Mapping[Venue, MarketTerms] = {}
        """How each leg is priced."""
        self.text: PairText | None = None
        """What every opening repeats; there when ``opening`` is."""
        self._paid_s: int | None = None
        self.counts: Counter[str] = Counter()
        """Evaluations by what they came to."""
        self.outcome = ""
        """What the last evaluation came to."""
        self.told_outcome = ""
        """What it had come to when the pair's standing was told last, and since when it had."""
        self.reason_since_ns = 0
        self.apart = Apart()
        self.diverged = ""
        """Why the sentinel takes the pair for a wrong match; empty when it does not."""
        self._not_after = pair.not_after

    @property
    def staying(self) -> PairPricing | None:
        """What an open episode must earn to stay open; few pairs ever have one, so it is made when it is asked for."""
        if self._staying is None and self.opening is not None:
            self._staying = self._pricing(is_open=True)
        return self._staying

    @property
    def why_alert_only(self) -> str:
        """Why money must not follow, whatever the edge; empty when it may."""
        return self.alert_only or self.diverged

    @property
    def is_idle(self) -> bool:
        """Whether neither direction is open or waiting."""
        one, other = self.watches.values()
        return one.is_idle and other.is_idle

    def due_s(self) -> float | None:
        """Return when either direction must be looked at again even if nothing happens; None when neither must."""
        times_s = [due_s for watch in self.watches.values() if (due_s := watch.due_s()) is not None]
        return min(times_s, default=None)

    def haircut_dollars(self, limits: EdgeLimits) -> Decimal:
        """Return what is taken off each contract's payout."""
        return limits.void_haircut_dollars_per_contract if self.pair.void_risk else Decimal(0)

    def days_e2(self, now_ns: int) -> int | None:
        """Return the days until both venues have ordinarily paid, in hundredths; None when neither says when."""
        return days_e2(self._paid_s, now_ns // 1_000_000_000)

    def count(self, outcome: str) -> None:
        """Note what an evaluation came to."""
        self.counts[outcome] += 1
        self.outcome = outcome

    def is_expired(self, now_ns: int) -> bool:
        """Return whether the mapping's last moment has passed."""
        if self._not_after is None:
            return False
        return datetime.fromtimestamp(now_ns // 1_000_000_000, UTC) >= self._not_after

    def set_markets(self, markets: Mapping[Venue, Market | None], limits: EdgeLimits) -> None:
        """Take over what the catalog says about both markets and price anew."""
        known = {venue: market for venue, market in markets.items() if market is not None}
        if known == self.markets and self.opening is not None:
            return
        self.markets, self.opening, self._staying, self._edges = known, None, None, limits
        self.alert_only = self.pair.alert_only
        self.unusable = self._unusable(known)
        if self.unusable is None:
            self._price(known, _least(limits.max_capital_dollars, self.pair.max_notional_dollars))

    def _unusable(self, markets: Mapping[Venue, Market]) -> Unusable | None:
        if len(markets) < len(Venue):
            return Unusable.MARKET_UNKNOWN
        if any(market.status is not MarketStatus.OPEN for market in markets.values()):
            return Unusable.MARKET_NOT_OPEN
        steps = (market.size_step_contracts for market in markets.values())
        return None if all(step > 0 and step == round(step, 6) for step in steps) else Unusable.TERMS

    def _price(self, markets: Mapping[Venue, Market], most_dollars: Decimal | None) -> None:
        fees: dict[Venue, FeeSchedule] = {}
        for venue, market in markets.items():
            fees[venue], why_assumed = fees_or_worst_case(market)
            self.alert_only = self.alert_only or why_assumed
        terms = {venue: _terms(market, fees[venue], most_dollars) for venue, market in markets.items()}
        self.terms = terms
        self._paid_s = paid_s(markets[Venue.KALSHI], markets[Venue.POLYMARKET])
        self.opening = self._pricing(is_open=False)
        self.text = PairText(self.pair, terms, self.opening.limits)

    def _pricing(self, *, is_open: bool) -> PairPricing:
        edges = self._edges
        assert edges is not None
        return PairPricing(
            self.pair.orientation,
            kalshi=self.terms[Venue.KALSHI],
            polymarket=self.terms[Venue.POLYMARKET],
            limits=Limits(
                min_edge_dollars_per_contract=edges.least_dollars_per_contract(is_open=is_open),
                void_haircut_dollars_per_contract=self.haircut_dollars(edges),
            ),
        )


def fees_or_worst_case(market: Market) -> tuple[FeeSchedule, str]:
    """Return the market's fees, or the venue's highest ordinary rate and why it had to be assumed.

    Whoever reads an alert then sees an edge that is not too good; money does not follow an assumption.
    """
    try:
        if market.fees is None:
            raise FeesRefused("the venue did not say")
        taker_fees(market.fees)
    except FeesRefused as refusal:
        return _worst_case(market.venue), f"fees on {market.venue} are assumed: {refusal}"
    return market.fees, ""


def _worst_case(venue: Venue) -> FeeSchedule:
    source = "assumed: the highest ordinary rate"
    if venue is Venue.KALSHI:
        return KalshiFees(
            fee_type="quadratic",
            multiplier=Decimal(1),
            effective_from=KALSHI_RATES.effective_from,
            source=source,
        )
    return PolymarketFees(rate=POLYMARKET_CONSERVATIVE_RATE, effective_from=KALSHI_RATES.effective_from, source=source)


def _terms(market: Market, fees: FeeSchedule, most_dollars: Decimal | None) -> MarketTerms:
    return MarketTerms(
        fees=fees,
        size_step_contracts=market.size_step_contracts,
        min_contracts=market.min_contracts.quantize(Decimal("0.000001"), rounding=ROUND_CEILING),
        min_notional_dollars=market.min_notional_dollars.quantize(Decimal("0.0001"), rounding=ROUND_CEILING),
        max_capital_dollars=most_dollars,
    )


def _least(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return min((value for value in (one, other) if value is not None), default=None)
