"""What one leg of a set is bought on and what buying it comes to, in dollars and contracts."""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import msgspec

from shared.domain.book import LevelE
from shared.domain.depth_legs import AGAINST_BID_E4, ASKED_E4, UNLIMITED_E10, Fill, Leg, Offer
from shared.domain.fee_tables import taker_fees
from shared.domain.fees import FeeSchedule
from shared.domain.numbers import ONE_DOLLAR_E4, money_dollars, price_dollars, size_contracts

Side = Literal["yes", "no"]


class Ladders:
    """One market's levels, best first, in its own terms. Sizes are above zero.

    ``yes_e4`` and ``no_e4`` are what one contract of either outcome costs at the top, a dollar when nobody offers.
    """

    __slots__ = ("no_e4", "yes_asks", "yes_bids", "yes_e4")

    def __init__(self, yes_bids: Sequence[LevelE] = (), yes_asks: Sequence[LevelE] = ()) -> None:
        self.yes_bids = yes_bids
        self.yes_asks = yes_asks
        self.yes_e4 = yes_asks[0][0] if yes_asks else ONE_DOLLAR_E4
        self.no_e4 = ONE_DOLLAR_E4 - yes_bids[0][0] if yes_bids else ONE_DOLLAR_E4

    def offer(self, side: Side) -> Offer:
        """Return what buying ``side`` takes: asks for YES, YES bids for NO, which a NO contract pays the rest of."""
        return (self.yes_asks, ASKED_E4) if side == "yes" else (self.yes_bids, AGAINST_BID_E4)


class MarketTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What decides how a leg on one market is bought."""

    fees: FeeSchedule
    size_step_contracts: Decimal
    min_contracts: Decimal
    min_notional_dollars: Decimal = Decimal(0)
    """The least price times size of an order; 0 where the venue asks for nothing."""
    max_capital_dollars: Decimal | None = None
    """The most that cost and fees may take from this venue's account; None for no limit."""


class LevelFill(msgspec.Struct, frozen=True, array_like=True):
    """What one level gives; the price is of the contract bought, so a NO at a YES bid of 0.41 costs 0.59."""

    price_dollars: Decimal
    size_contracts: Decimal
    fee_dollars: Decimal


class LegResult(msgspec.Struct, frozen=True, kw_only=True):
    """One leg as bought."""

    side: Side
    """The outcome bought, in the venue's own terms."""
    fills: tuple[LevelFill, ...] = ()
    cost_dollars: Decimal = Decimal(0)
    fee_dollars: Decimal = Decimal(0)
    limit_price_dollars: Decimal | None = None
    """The worst price among the fills; None when nothing is bought."""

    @property
    def capital_dollars(self) -> Decimal:
        """What leaves this venue's account."""
        return self.cost_dollars + self.fee_dollars


@lru_cache(maxsize=4_096)
def leg_of(terms: MarketTerms) -> Leg:
    """Return a leg's terms in integers; the markets of a series share them. Raises FeesRefused."""
    return Leg(
        fees=taker_fees(terms.fees),
        min_size_e6=size_e6(terms.min_contracts),
        min_cost_e10=scaled(terms.min_notional_dollars, 10),
        max_capital_e10=capital_e10(terms.max_capital_dollars),
    )


def leg_result(side: Side, fills: Sequence[Fill]) -> LegResult:
    """Put one leg's fills into dollars and contracts."""
    return LegResult(
        side=side,
        fills=tuple(
            LevelFill(price_dollars(fill.price_e4), size_contracts(fill.size_e6), money_dollars(fill.fee_e10))
            for fill in fills
        ),
        cost_dollars=money_dollars(sum(fill.price_e4 * fill.size_e6 for fill in fills)),
        fee_dollars=money_dollars(sum(fill.fee_e10 for fill in fills)),
        limit_price_dollars=price_dollars(fills[-1].price_e4) if fills else None,
    )


def capital_e10(dollars: Decimal | None) -> int:
    """Return a limit on capital in ten-billionths of a dollar, rounded down; None is no limit."""
    return UNLIMITED_E10 if dollars is None else int(dollars.scaleb(10))


def size_e6(contracts: Decimal) -> int:
    """Return contracts in millionths; they must be whole."""
    return scaled(contracts, 6)


def scaled(value: Decimal, digits: int) -> int:
    """Return ``value`` in units of ten to the minus ``digits``; it must be a whole number of them."""
    moved = value.scaleb(digits)
    assert moved == moved.to_integral_value(), value
    return int(moved)
