"""One live pair as the detector holds it: its two legs, its prices' terms and its two directions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from services.arb_detector.caseload import Tally
from services.arb_detector.config import EdgeLimits
from services.arb_detector.episodes import EpisodeRules, Watch
from services.arb_detector.opening_text import PairText
from services.arb_detector.sentinel import Apart
from services.arb_detector.terms import fees_or_worst_case, is_priceable, terms_of
from services.arb_detector.trust import LegState
from shared.domain.arbitrage import MarketTerms, PairPricing
from shared.domain.fees import FeeSchedule
from shared.domain.market import Market, MarketStatus, Venue
from shared.domain.pair import Direction, Pair
from shared.domain.returns import days_e2, paid_s


class Unusable(StrEnum):
    """Why a pair cannot be priced now, whatever its quotes say."""

    EXPIRED = "pair is past its last moment"
    MARKET_UNKNOWN = "market is not in the catalog"
    MARKET_NOT_OPEN = "market is not open"
    TERMS = "market's sizes cannot be priced"


class PairState:
    """One pair. ``opening`` and ``staying`` are None while the catalog lacks a market or its sizes are unusable."""

    __slots__ = (
        "_edges",
        "_not_after",
        "_paid_s",
        "_staying",
        "alert_only",
        "apart",
        "diverged",
        "is_held_back",
        "item",
        "kalshi",
        "key",
        "leg_states",
        "markets",
        "opening",
        "pair",
        "partition",
        "polymarket",
        "tally",
        "terms",
        "text",
        "unusable",
        "version",
        "watches",
    )

    def __init__(self, pair: Pair, kalshi: LegState, polymarket: LegState, rules: EpisodeRules) -> None:
        self.pair = self.item = pair
        self.key = pair.pair_id
        self.partition = pair.partition
        self.version = pair.version
        self.kalshi = kalshi
        self.polymarket = polymarket
        self.leg_states = (kalshi, polymarket)
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
        self.tally = Tally()
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

    def days_e2(self, now_ns: int) -> int | None:
        """Return the days until both venues have ordinarily paid, in hundredths; None when neither says when."""
        return days_e2(self._paid_s, now_ns // 1_000_000_000)

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
        return None if all(map(is_priceable, markets.values())) else Unusable.TERMS

    def _price(self, markets: Mapping[Venue, Market], most_dollars: Decimal | None) -> None:
        fees: dict[Venue, FeeSchedule] = {}
        for venue, market in markets.items():
            fees[venue], why_assumed = fees_or_worst_case(market)
            self.alert_only = self.alert_only or why_assumed
        terms = {
            venue: terms_of(market, fees[venue], max_capital_dollars=most_dollars) for venue, market in markets.items()
        }
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
            limits=edges.limits(is_open=is_open, has_void_risk=bool(self.pair.void_risk)),
        )


def _least(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return min((value for value in (one, other) if value is not None), default=None)
