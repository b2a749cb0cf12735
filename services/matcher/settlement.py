"""The back-check: once both venues have settled, did the two markets of a pair pay as one question would?"""

from decimal import Decimal
from typing import NamedTuple

from shared.domain.market import MarketId, Venue
from shared.domain.pair import Orientation, Pair


class Paid(NamedTuple):
    """What one contract of each side paid: Kalshi's YES, and Polymarket's outcome 0."""

    kalshi_yes_dollars: Decimal
    polymarket_outcome_0_dollars: Decimal

    def agree(self, orientation: Orientation) -> bool:
        """Return whether YES here and the outcome that stands for it there paid the same.

        A fair price against a half, or a half against a winner, is a disagreement too: it costs the same money.
        """
        there = self.polymarket_outcome_0_dollars
        return self.kalshi_yes_dollars == (there if orientation is Orientation.SAME else 1 - there)


class Results:
    """What markets paid, as far as the venues have said."""

    def __init__(self) -> None:
        self._paid_dollars: dict[tuple[Venue, MarketId], Decimal] = {}

    def put(self, venue: Venue, market_id: MarketId, yes_paid_dollars: Decimal) -> None:
        """Take note of a result; a corrected one replaces the first."""
        self._paid_dollars[venue, market_id] = yes_paid_dollars.normalize()

    def of(self, pair: Pair) -> Paid | None:
        """Return what both sides paid; None while one of them is open."""
        kalshi = self._paid_dollars.get((Venue.KALSHI, pair.kalshi_ticker))
        polymarket = self._paid_dollars.get((Venue.POLYMARKET, pair.polymarket_id))
        return None if kalshi is None or polymarket is None else Paid(kalshi, polymarket)

    def forget(self, venue: Venue, market_id: MarketId) -> None:
        """Drop a result: the market is listed again, or no pair needs it."""
        self._paid_dollars.pop((venue, market_id), None)
