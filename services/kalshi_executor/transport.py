"""The last door before a venue. In dry-run there is no door: fills are worked out from the book that is there.

A transport is asked once per order and never again, whatever it says. One that talks to a venue has to tell apart
what never left, what the venue refused, and what may have arrived; the simulated one knows only the first two ends.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from services.kalshi_executor.view import MarketView
from shared.domain.fee_math import kalshi_fee_dollars
from shared.domain.fees import KalshiFees
from shared.domain.market import MarketId, Venue
from shared.domain.orders import Fill, Order, takeable


class Accepted(msgspec.Struct, frozen=True):
    """The order traded as far as ``fills`` go; the rest is cancelled."""

    fills: tuple[Fill, ...]


class NotSent(msgspec.Struct, frozen=True):
    """The order provably did not leave."""

    reason: str


SendOutcome = Accepted | NotSent


class OrderTransport(Protocol):
    """Brings one immediate-or-cancel order to where it trades."""

    async def send(self, order: Order) -> SendOutcome:
        """Return what became of the order."""
        ...


class SimulatedFills:
    """Fills an order against the market's current book at its limit or better; whatever is left is cancelled."""

    def __init__(self, view: MarketView, *, partitions_of: Callable[[MarketId], tuple[int, ...]]) -> None:
        self._view = view
        self._partitions_of = partitions_of

    async def send(self, order: Order) -> SendOutcome:
        """Return the fills that the book would give now, each with Kalshi's taker fee."""
        parts = self._partitions_of(order.market_id)
        if not parts:
            return NotSent("no live pair has the market any more")
        seen = await self._view.market(Venue.KALSHI, order.market_id, parts[0])
        if seen.book is None or seen.book.stale:
            return NotSent(f"no book to fill against: {seen.book.stale if seen.book else 'missing'}")
        if seen.market is None or not isinstance(seen.market.fees, KalshiFees):
            return NotSent("the market's fee terms are gone")
        taken = takeable(
            seen.book.depth.asks(order.outcome),
            contracts=order.contracts,
            limit_price_dollars=order.limit_price_dollars,
        )
        fees = seen.market.fees
        return Accepted(
            tuple(
                Fill(
                    trade_id=f"{order.client_order_id}-{index}",
                    price_dollars=price,
                    contracts=size,
                    fee_dollars=kalshi_fee_dollars(fees, price_dollars=price, size_contracts=size),
                )
                for index, (price, size) in enumerate(taken, start=1)
            )
        )
