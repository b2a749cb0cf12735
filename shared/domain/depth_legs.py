"""What a depth walk buys: legs with their terms, offers to take, and what taking them comes to.

Every leg of a set is bought in the same size. Everything here is whole numbers; see ``numbers`` for the units.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.domain.book import LevelE
from shared.domain.fee_tables import TakerFees
from shared.domain.numbers import ONE_DOLLAR_E4

UNLIMITED_E10 = 10**30
E24_PER_E10 = 10**14
CONTRACTS_TO_MONEY = 10**4
"""One millionth of a contract pays this many ten-billionths of a dollar."""

ASKED_E4 = list(range(ONE_DOLLAR_E4 + 1))
"""What is paid when an ask is taken, by its price."""
AGAINST_BID_E4 = ASKED_E4[::-1]
"""What is paid for the other outcome when a bid is taken, by its price."""

Offer = tuple[Sequence[LevelE], Sequence[int]]
"""Levels as the book holds them, best first, and what is paid by the price that stands there."""


class Fill(NamedTuple):
    """What one level gives: price to pay, contracts, fee."""

    price_e4: int
    size_e6: int
    fee_e10: int


class Leg(NamedTuple):
    """The terms of one outcome to buy."""

    fees: TakerFees
    min_size_e6: int = 0
    min_cost_e10: int = 0
    """The least price times size the venue accepts as an order."""
    max_capital_e10: int = UNLIMITED_E10
    """The most that cost and fee together may take from the account."""


class Terms(NamedTuple):
    """A set of legs that together pay at least ``payout_dollars`` per contract, and what is asked of buying it."""

    legs: tuple[Leg, ...]
    step_e6: int
    """Sizes are multiples of this."""
    payout_dollars: int = 1
    haircut_e18: int = 0
    """What is taken off each contract's payout for a risk that the legs share."""
    min_edge_e18: int = 0
    """The least that every contract must earn."""
    max_size_e6: int | None = None
    max_capital_e10: int = UNLIMITED_E10
    """The most that all legs together may take."""

    @property
    def worth_e18(self) -> int:
        """What a contract of the set counts for."""
        return self.payout_dollars * 10**18 - self.haircut_e18

    @property
    def budget_e18(self) -> int:
        """The most that a contract may cost with unrounded fees: one that earns nothing is not bought."""
        return self.worth_e18 - max(self.min_edge_e18, 1)

    @property
    def is_capped(self) -> bool:
        """Whether anything limits the size from above besides the books."""
        limits_e10 = (self.max_capital_e10, *(leg.max_capital_e10 for leg in self.legs))
        return self.max_size_e6 is not None or min(limits_e10) < UNLIMITED_E10

    def allows(self, size_e6: int, outlays_e10: Sequence[int]) -> bool:
        """Return whether a size and what it takes from each leg's account keep every upper limit."""
        if self.max_size_e6 is not None and size_e6 > self.max_size_e6:
            return False
        limits_e10 = zip(outlays_e10, self.legs, strict=True)
        return sum(outlays_e10) <= self.max_capital_e10 and all(o <= leg.max_capital_e10 for o, leg in limits_e10)


class Walk(NamedTuple):
    """The best size and what it costs on each leg."""

    size_e6: int
    outlays_e10: tuple[int, ...]
    worth_e10: int
    """The payout less the haircut."""
    terms: Terms
    offers: tuple[Offer, ...]

    @property
    def fills(self) -> tuple[tuple[Fill, ...], ...]:
        """What each level of each leg gives, cheapest first."""
        return tuple(
            tuple(_fills(leg, offer, self.size_e6)) for leg, offer in zip(self.terms.legs, self.offers, strict=True)
        )

    @property
    def haircut_e10(self) -> int:
        """What was taken off the payout."""
        return self.terms.payout_dollars * self.size_e6 * CONTRACTS_TO_MONEY - self.worth_e10

    @property
    def edge_e10(self) -> int:
        """What is left of the payout after every leg's cost and fees and the haircut."""
        return self.worth_e10 - sum(self.outlays_e10)


def worth_e10(terms: Terms, size_e6: int) -> int:
    """Return what ``size_e6`` contracts of the set count for, a haircut rounded up."""
    return terms.worth_e18 * size_e6 // E24_PER_E10


def _fills(leg: Leg, offer: Offer, size_e6: int) -> Iterator[Fill]:
    levels, paid_e4 = offer
    for price_e4, held_e6 in levels:
        if not size_e6:
            return
        take_e6 = min(held_e6, size_e6)
        size_e6 -= take_e6
        yield Fill(paid_e4[price_e4], take_e6, leg.fees.fee_e10(paid_e4[price_e4], take_e6))
