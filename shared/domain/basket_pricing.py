"""The price of a basket: what ``arbitrage`` does for a pair, for any number of legs on one venue."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import lcm

import msgspec

from shared.domain.arbitrage import Limits
from shared.domain.baskets import Basket, Claim, EventTerms, every_no
from shared.domain.depth_legs import CONTRACTS_TO_MONEY, Terms, Walk
from shared.domain.depth_purse import Purse
from shared.domain.depth_search import search
from shared.domain.fee_tables import ONE_DOLLAR_E18
from shared.domain.legs import Ladders, LegResult, MarketTerms, capital_e10, leg_of, leg_result, scaled, size_e6
from shared.domain.market import MarketId
from shared.domain.numbers import money_dollars, size_contracts
from shared.domain.returns import annualised, clears_hurdle


class BasketMarket(msgspec.Struct, frozen=True, kw_only=True):
    """One market of a basket: how it trades and what is quoted."""

    market_id: MarketId
    terms: MarketTerms
    """Its capital limit is that of this leg alone."""
    ladders: Ladders


class BasketResult(msgspec.Struct, frozen=True, kw_only=True):
    """The best that a basket offers; zero contracts when it offers nothing."""

    basket: Basket
    contracts: Decimal
    legs: tuple[tuple[Claim, LegResult], ...]
    edge_dollars: Decimal
    """Payout less cost, fees and haircut."""
    haircut_dollars: Decimal = Decimal(0)
    annualised_return: Decimal | None = None
    hurdle_rate: Decimal | None = None

    @property
    def cost_dollars(self) -> Decimal:
        """All legs without fees."""
        return sum((leg.cost_dollars for _, leg in self.legs), Decimal(0))

    @property
    def fee_dollars(self) -> Decimal:
        """All legs' fees."""
        return sum((leg.fee_dollars for _, leg in self.legs), Decimal(0))

    @property
    def capital_dollars(self) -> Decimal:
        """What leaves the venue's account."""
        return self.cost_dollars + self.fee_dollars

    @property
    def clears_hurdle(self) -> bool:
        """Whether the capital earns at least the hurdle rate; true when either side of the question is unknown."""
        return clears_hurdle(self.annualised_return, self.hurdle_rate)

    @property
    def payout_dollars(self) -> Decimal:
        """The least that comes back."""
        return self.contracts * self.basket.payout_dollars


def evaluate_basket(
    basket: Basket,
    markets: Sequence[BasketMarket],
    limits: Limits,
    *,
    max_capital_dollars: Decimal | None = None,
    days_to_payout: Decimal | None = None,
) -> BasketResult:
    """Return the best size of one basket, all its claims in the same size.

    ``markets`` holds at least the claims' markets; ``max_capital_dollars`` is the most that all legs together may take.
    Raises FeesRefused.
    """
    by_id = {market.market_id: market for market in markets}
    return _result(basket, _walk(basket, by_id, limits, max_capital_dollars), limits, days_to_payout)


def best_every_no(
    event: EventTerms,
    markets: Sequence[BasketMarket],
    limits: Limits,
    *,
    max_capital_dollars: Decimal | None = None,
    days_to_payout: Decimal | None = None,
) -> BasketResult:
    """Return the best NO basket over any of ``markets``: a thin or dear one is left out when more is earned without.

    At a given size a NO belongs to the basket exactly when that much of it costs less than the dollar each it adds to
    the payout. So a market belongs from its minimum up to one size, and between two such sizes the choice is fixed; a
    capital limit is then kept, but does not change the choice. Raises FeesRefused and NotGuaranteed.
    """
    reaches = {market.market_id: _reach_e6(market) for market in markets}
    bounds_e6 = {bound for reach in reaches.values() for bound in reach}
    by_id = {market.market_id: market for market in markets}
    best = _result(every_no(event, tuple(by_id)), None, limits, days_to_payout)
    tried: set[tuple[MarketId, ...]] = set()
    for size in sorted(bounds_e6 | {bound + 1 for bound in bounds_e6}):
        members = tuple(market_id for market_id, (least, most) in reaches.items() if least <= size <= most)
        if len(members) < 2 or members in tried:
            continue
        tried.add(members)
        basket = every_no(event, members)
        found = _result(basket, _walk(basket, by_id, limits, max_capital_dollars), limits, days_to_payout)
        best = max(best, found, key=lambda result: result.edge_dollars)
    return best


def _reach_e6(market: BasketMarket) -> tuple[int, int]:
    """Return the sizes, from and to, at which the NO of a market costs less than a dollar each.

    Levels below a dollar come first, so once a size costs more than it adds every larger one does.
    """
    leg, step_e6 = leg_of(market.terms), size_e6(market.terms.size_step_contracts)
    offer = market.ladders.offer("no")
    levels, paid_e4 = offer
    purse = Purse(leg, offer)
    cheap_e6 = sum(size for price, size in levels if leg.fees.all_in_e18[paid_e4[price]] < ONE_DOLLAR_E18)
    sizes = range(cheap_e6 - cheap_e6 % step_e6, purse.depth_e6 + 1, step_e6)
    worthwhile = bisect_left(sizes, True, key=lambda size: purse.outlay_e10(size) > size * CONTRACTS_TO_MONEY)
    return purse.least_e6(step_e6), sizes[max(worthwhile - 1, 0)]


def _walk(
    basket: Basket, by_id: Mapping[MarketId, BasketMarket], limits: Limits, max_capital_dollars: Decimal | None
) -> Walk | None:
    members = [by_id[claim.market_id] for claim in basket.claims]
    most = limits.max_contracts
    terms = Terms(
        legs=tuple(leg_of(market.terms) for market in members),
        step_e6=lcm(*(size_e6(market.terms.size_step_contracts) for market in members)),
        payout_dollars=basket.payout_dollars,
        haircut_e18=scaled(limits.void_haircut_dollars_per_contract, 18),
        min_edge_e18=scaled(limits.min_edge_dollars_per_contract, 18),
        max_size_e6=None if most is None else size_e6(most),
        max_capital_e10=capital_e10(max_capital_dollars),
    )
    offers = (market.ladders.offer(claim.side) for market, claim in zip(members, basket.claims, strict=True))
    return search(terms, tuple(offers))


def _result(basket: Basket, walk: Walk | None, limits: Limits, days_to_payout: Decimal | None) -> BasketResult:
    fills = walk.fills if walk else ((),) * len(basket.claims)
    legs = tuple((claim, leg_result(claim.side, taken)) for claim, taken in zip(basket.claims, fills, strict=True))
    edge_dollars = money_dollars(walk.edge_e10) if walk else Decimal(0)
    capital_dollars = sum((leg.capital_dollars for _, leg in legs), Decimal(0))
    return BasketResult(
        basket=basket,
        contracts=size_contracts(walk.size_e6) if walk else Decimal(0),
        legs=legs,
        edge_dollars=edge_dollars,
        haircut_dollars=money_dollars(walk.haircut_e10) if walk else Decimal(0),
        annualised_return=annualised(edge_dollars, capital_dollars, days_to_payout),
        hurdle_rate=limits.hurdle_rate,
    )
