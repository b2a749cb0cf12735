"""One live basket as the detector holds it: its legs, what the venue states about the event, and its price.

Which legs are bought is decided anew with every price: ``every_no`` leaves out what costs more than it adds, and what
may not be acted upon; ``every_yes`` buys all or nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from services.arb_detector.caseload import Tally
from services.arb_detector.config import EdgeLimits
from services.arb_detector.episodes import EpisodeRules, Watch
from services.arb_detector.evidence import e6, e10
from services.arb_detector.terms import fees_or_worst_case, is_priceable, terms_of
from services.arb_detector.trust import LegState
from shared.domain.arbitrage import Limits
from shared.domain.basket_pricing import BasketMarket, BasketResult, best_every_no, evaluate_basket
from shared.domain.baskets import BasketKind, EventTerms, NotGuaranteed, every_yes
from shared.domain.fee_tables import ONE_DOLLAR_E18, TakerFees, taker_fees
from shared.domain.legs import MarketTerms, scaled
from shared.domain.live_basket import BasketMember, LiveBasket, stated_terms
from shared.domain.market import Market, MarketId, MarketStatus
from shared.domain.numbers import ONE_DOLLAR_E4
from shared.domain.returns import days_e2, in_days, paid_s

ALERT_ONLY = "a basket is alert-only: nothing here orders more than two legs"


class BasketUnusable(StrEnum):
    """Why a basket cannot be priced now, whatever its quotes say."""

    EXPIRED = "basket is past its last moment"
    NOT_LISTED = "a market of the basket is not in the catalog"
    NOT_BORNE = "the venue's listing does not bear the basket"
    NOT_OPEN = "too few markets of the basket are open"


class BasketLeg(NamedTuple):
    """One market of a basket: who it is, its quotes, and once it is listed and open how it is bought."""

    member: BasketMember
    state: LegState
    terms: MarketTerms | None = None
    """None while the market is not open, or its sizes are unusable."""
    fees: TakerFees | None = None


class Found(NamedTuple):
    """A price that earns what is asked."""

    result: BasketResult
    edge_e10: int
    size_e6: int
    days_to_payout: Decimal | None

    @property
    def market_ids(self) -> frozenset[MarketId]:
        """The markets that are bought from."""
        return frozenset(claim.market_id for claim, _ in self.result.legs)


class BasketState:
    """One basket."""

    __slots__ = (
        "_asked",
        "_haircut_e18",
        "_least_e18",
        "_markets",
        "alert_only",
        "basket",
        "detail",
        "event",
        "found",
        "is_held_back",
        "item",
        "key",
        "leg_states",
        "legs",
        "partition",
        "tally",
        "thin_until_s",
        "told_legs",
        "unusable",
        "watch",
    )

    def __init__(self, basket: LiveBasket, legs: Sequence[LegState], rules: EpisodeRules, asked: EdgeLimits) -> None:
        self.basket = self.item = basket
        self.key = basket.basket_id
        self.partition = basket.partition
        self.leg_states = tuple(legs)
        self.legs = tuple(BasketLeg(member, leg) for member, leg in zip(basket.members, legs, strict=True))
        self.watch = Watch(rules)
        self.event: EventTerms | None = None
        self.unusable: BasketUnusable | None = BasketUnusable.NOT_LISTED
        self.detail = ""
        """What exactly the listing does not say."""
        self.alert_only = ALERT_ONLY
        self.tally = Tally()
        self.is_held_back = False
        """Whether there is an edge at the best prices, and only time or a beat is missing."""
        self.found: Found | None = None
        """What the wait for the debounce began with."""
        self.thin_until_s = 0.0
        """Until when a price that was found too thin is not worked out again."""
        self.told_legs: frozenset[MarketId] = frozenset()
        """What the open episode was told to consist of: one of them lost is the episode lost."""
        self._markets: Mapping[MarketId, Market] = {}
        self._asked = asked
        self._haircut_e18 = scaled(self.limits(is_open=False).void_haircut_dollars_per_contract, 18)
        self._least_e18 = {
            is_open: max(1, scaled(asked.least_dollars_per_contract(is_open=is_open), 18)) for is_open in (False, True)
        }

    @property
    def is_idle(self) -> bool:
        """Whether it is neither open nor waiting."""
        return self.watch.is_idle

    def due_s(self) -> float | None:
        """Return when it must be looked at again even if nothing happens; None when it need not be."""
        return self.watch.due_s()

    def in_full(self, reason: str) -> str:
        """Return a reason against this basket with what exactly is wrong."""
        return f"{reason}: {self.detail}" if reason == BasketUnusable.NOT_BORNE else reason

    def is_expired(self, now_ns: int) -> bool:
        """Return whether the row's last moment has passed."""
        not_after = self.basket.not_after
        return not_after is not None and datetime.fromtimestamp(now_ns // 1_000_000_000, UTC) >= not_after

    def set_markets(self, markets: Mapping[MarketId, Market]) -> None:
        """Take over what the catalog says about the members and hold it against what the basket needs."""
        if markets == self._markets:
            return
        self._markets = markets
        self.event, self.detail, self.alert_only, self.found = None, "", ALERT_ONLY, None
        self.legs = tuple(self._priced(leg) for leg in self.legs)
        self.unusable = self._why_unusable()

    def limits(self, *, is_open: bool) -> Limits:
        """Return what a price is held against."""
        return self._asked.limits(is_open=is_open, has_void_risk=bool(self.basket.void_risk))

    @property
    def max_capital_dollars(self) -> Decimal | None:
        """The most that all legs together may take."""
        return self._asked.max_capital_dollars

    def quoted(self) -> list[BasketLeg]:
        """Return the legs that are open and have a quote that can be read, trusted or not."""
        return [leg for leg in self.legs if leg.terms is not None and leg.state.top is not None]

    def adds(self, leg: BasketLeg) -> int:
        """Return what a NO of this leg adds to the payout less what it costs at the top, in 1e-18 dollars."""
        top, fees = leg.state.top, leg.fees
        if top is None or fees is None or top.no_e4 >= ONE_DOLLAR_E4:
            return 0
        return max(0, ONE_DOLLAR_E18 - fees.all_in_e18[top.no_e4])

    def useful(self, legs: Sequence[BasketLeg]) -> list[BasketLeg]:
        """Return the legs that a basket of these can be made of: ``every_yes`` takes all of them."""
        return [leg for leg in legs if self.basket.kind is BasketKind.EVERY_YES or self.adds(leg)]

    def first_contract_e18(self, legs: Sequence[BasketLeg]) -> int | None:
        """Return what the first contract of the best set of these legs earns by unrounded fees; None without a set."""
        if self.basket.kind is BasketKind.EVERY_NO:
            adding = [added for leg in legs if (added := self.adds(leg))]
            return sum(adding) - ONE_DOLLAR_E18 - self._haircut_e18 if len(adding) > 1 else None
        if len(legs) != len(self.legs):
            return None
        earns_e18 = ONE_DOLLAR_E18 - self._haircut_e18
        for leg in legs:
            if leg.state.top is None or leg.fees is None or leg.state.top.yes_e4 >= ONE_DOLLAR_E4:
                return None
            earns_e18 -= leg.fees.all_in_e18[leg.state.top.yes_e4]
        return earns_e18

    def is_promising(self, legs: Sequence[BasketLeg], *, is_open: bool) -> bool:
        """Return whether the best prices alone leave enough; a price finds nothing where they do not."""
        earns_e18 = self.first_contract_e18(legs)
        return earns_e18 is not None and earns_e18 >= self._least_e18[is_open]

    def price(self, legs: Sequence[BasketLeg], *, is_open: bool, now_ns: int) -> Found | None:
        """Return the best that these trusted legs offer, None when that is less than what is asked."""
        event = self.event
        assert event is not None
        useful = self.useful(legs)
        markets = [_market(leg) for leg in useful]
        paid_at_s = paid_s(*(self._markets[leg.member.market_id] for leg in useful))
        days = in_days(days_e2(paid_at_s, now_ns // 1_000_000_000))
        asked = self.limits(is_open=is_open)
        try:
            if self.basket.kind is BasketKind.EVERY_NO:
                found = best_every_no(
                    event, markets, asked, max_capital_dollars=self.max_capital_dollars, days_to_payout=days
                )
            else:
                basket = every_yes(event, [market.market_id for market in markets])
                found = evaluate_basket(
                    basket, markets, asked, max_capital_dollars=self.max_capital_dollars, days_to_payout=days
                )
        except NotGuaranteed:
            return None
        if not found.contracts or found.edge_dollars < self._asked.least_dollars(is_open=is_open):
            return None
        return Found(found, e10(found.edge_dollars), e6(found.contracts), days)

    def _priced(self, leg: BasketLeg) -> BasketLeg:
        market = self._markets.get(leg.member.market_id)
        if market is None or market.status is not MarketStatus.OPEN or not is_priceable(market):
            return leg._replace(terms=None, fees=None)
        fees, why_assumed = fees_or_worst_case(market)
        if why_assumed and why_assumed not in self.alert_only:
            self.alert_only = f"{self.alert_only}; {why_assumed}"
        return leg._replace(terms=terms_of(market, fees), fees=taker_fees(fees))

    def _why_unusable(self) -> BasketUnusable | None:
        known = [self._markets[market_id] for market_id in self.basket.market_ids if market_id in self._markets]
        if len(known) < len(self.legs):
            return BasketUnusable.NOT_LISTED
        if any(market.event_id != self.basket.event_id for market in known):
            self.detail = "a market is listed under another event now"
            return BasketUnusable.NOT_BORNE
        try:
            self.event = stated_terms(self.basket.kind, known)
        except NotGuaranteed as missing:
            self.detail = str(missing)
            return BasketUnusable.NOT_BORNE
        is_open = [leg.terms is not None for leg in self.legs]
        needed = len(is_open) if self.basket.kind is BasketKind.EVERY_YES else 2
        return None if sum(is_open) >= needed else BasketUnusable.NOT_OPEN


def _market(leg: BasketLeg) -> BasketMarket:
    assert leg.terms is not None
    assert leg.state.ladders is not None
    return BasketMarket(market_id=leg.member.market_id, terms=leg.terms, ladders=leg.state.ladders)
