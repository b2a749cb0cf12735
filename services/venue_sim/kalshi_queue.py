"""Where an account's resting orders stand in their levels: price-time priority against an anonymous book.

A level of the book is one number; an order knows how much of it stands before it. Trades take from the front,
anonymous cancellations from the back, so an order moves forward only when somebody trades or nothing is left behind.
"""

from collections.abc import Iterator

from services.venue_sim.engine import Side, SimBook, opposite
from services.venue_sim.kalshi_order import Order

Share = tuple[Order, int]
"""An order and how much of it was taken."""


class Queue:
    """The resting orders of one account in one market, oldest first."""

    def __init__(self, book: SimBook) -> None:
        self._book = book
        self._orders: list[Order] = []

    def orders(self) -> list[Order]:
        """Return every resting order, oldest first."""
        return list(self._orders)

    def join(self, order: Order, *, ahead_e6: int) -> None:
        """Put an order that has just been placed at the end of its level."""
        order.ahead_e6 = ahead_e6
        self._orders.append(order)
        self._book.own(order.side, order.price_e4, order.remaining_e6)

    def leave(self, order: Order) -> None:
        """Take an order out; what it had on the book is gone already."""
        self._orders.remove(order)

    def at(self, side: Side, price_e4: int) -> list[Order]:
        """Return the orders of one level, oldest first."""
        return [order for order in self._orders if (order.side, order.price_e4) == (side, price_e4)]

    def consume(self, side: Side, price_e4: int, size_e6: int) -> list[Share]:
        """Share what a taker took off a level between those who stood there, front first; return the orders' part."""
        shares: list[Share] = []
        passed_e6 = 0
        left_e6 = size_e6
        for order in self.at(side, price_e4):
            before_e6 = min(left_e6, order.ahead_e6 - passed_e6)
            passed_e6 += before_e6
            left_e6 -= before_e6
            taken_e6 = min(left_e6, order.remaining_e6)
            if taken_e6:
                shares.append((order, taken_e6))
                self._book.own(side, price_e4, -taken_e6)
                left_e6 -= taken_e6
        anonymous_e6 = size_e6 - sum(taken for _, taken in shares)
        for order in self.at(side, price_e4):
            order.ahead_e6 = max(0, order.ahead_e6 - anonymous_e6)
        return shares

    def settle(self, side: Side, price_e4: int) -> None:
        """Let orders move forward when less is left at their level than stood before them."""
        free_e6 = self._book.free_e6(side, price_e4)
        for order in self.at(side, price_e4):
            order.ahead_e6 = min(order.ahead_e6, free_e6)

    def met_by(self, side: Side, limit_e4: int) -> Iterator[tuple[int, Order | None]]:
        """Yield what a taker meets: an anonymous size with None, or an own order and its size, front first."""
        maker_side = opposite(side)
        for price_e4, held_e6 in self._book.side(maker_side):
            if price_e4 > limit_e4 if side == "bid" else price_e4 < limit_e4:
                return
            passed_e6 = 0
            own_e6 = 0
            for order in self.at(maker_side, price_e4):
                yield order.ahead_e6 - passed_e6, None
                passed_e6 = order.ahead_e6
                yield order.remaining_e6, order
                own_e6 += order.remaining_e6
            yield held_e6 - own_e6 - passed_e6, None
