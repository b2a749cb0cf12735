"""The matching engine of one simulated market: one book in the terms of YES, operation by operation.

Prices are ten-thousandths of a dollar, sizes millionths of a contract. A NO bid at q is a YES ask at 1 - q on both
venues, so one book per market serves both. Between two operations the book is never crossed or locked; inside one
(a taker whose rest is shown before the levels it consumed) it may be, as recorded on both venues.
"""

from dataclasses import dataclass
from typing import Literal

Side = Literal["bid", "ask"]
"""A side of the book in the terms of YES."""

LevelE = tuple[int, int]
"""Price in ten-thousandths of a dollar, size in millionths of a contract."""


@dataclass(frozen=True, slots=True)
class LevelChange:
    """What one operation did to one level. A level occurs at most once in an operation."""

    side: Side
    price_e4: int
    delta_e6: int
    size_after_e6: int


@dataclass(frozen=True, slots=True)
class Trade:
    """What a taker took in one operation."""

    taker_side: Side
    """``bid``: the taker bought YES."""
    fills: tuple[LevelE, ...]
    """Maker levels consumed, best first: price and size."""
    rest_e6: int
    """What was left and now rests on the taker's own side; 0 when nothing does."""

    @property
    def price_e4(self) -> int:
        """The price of the last maker order consumed."""
        return self.fills[-1][0]

    @property
    def size_e6(self) -> int:
        """Contracts traded."""
        return sum(size_e6 for _, size_e6 in self.fills)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a book did: its level changes in the order a venue shows them, and the trade if there was one."""

    changes: tuple[LevelChange, ...]
    trade: Trade | None = None


def opposite(side: Side) -> Side:
    """Return the other side."""
    return "ask" if side == "bid" else "bid"


class SimBook:
    """Sizes by price on both sides; every act returns its effect, an empty one when nothing changed."""

    __slots__ = ("_asks_e6", "_bids_e6")

    def __init__(self) -> None:
        self._bids_e6: dict[int, int] = {}
        self._asks_e6: dict[int, int] = {}

    def bids(self) -> list[LevelE]:
        """Return the YES bids, greatest price first."""
        return sorted(self._bids_e6.items(), reverse=True)

    def asks(self) -> list[LevelE]:
        """Return the YES asks, smallest price first."""
        return sorted(self._asks_e6.items())

    def side(self, side: Side) -> list[LevelE]:
        """Return one side, best first."""
        return self.bids() if side == "bid" else self.asks()

    def depth(self, side: Side) -> int:
        """Return how many levels a side has."""
        return len(self._levels(side))

    def size_e6(self, side: Side, price_e4: int) -> int:
        """Return what a level holds, 0 when there is none."""
        return self._levels(side).get(price_e4, 0)

    def best_bid_e4(self) -> int | None:
        """Return the best YES bid, None when there is none."""
        return max(self._bids_e6, default=None)

    def best_ask_e4(self) -> int | None:
        """Return the best YES ask, None when there is none."""
        return min(self._asks_e6, default=None)

    def best_e4(self, side: Side) -> int | None:
        """Return a side's best price, None when it is empty."""
        return self.best_bid_e4() if side == "bid" else self.best_ask_e4()

    def place(self, side: Side, price_e4: int, size_e6: int) -> Effect:
        """Place a limit order: what crosses trades at the makers' prices, the rest joins its level.

        The rest is shown first and then the consumed levels, best first, as both venues do.
        """
        assert 0 < price_e4 < 10_000, price_e4
        assert size_e6 > 0, size_e6
        fills, consumed = self._consume(opposite(side), price_e4, size_e6)
        rest_e6 = size_e6 - sum(filled_e6 for _, filled_e6 in fills)
        shown = (self._add(side, price_e4, rest_e6), *consumed) if rest_e6 else consumed
        return Effect(shown, Trade(side, fills, rest_e6) if fills else None)

    def take(self, side: Side, limit_e4: int, size_e6: int) -> Effect:
        """Trade up to ``size_e6`` against the other side at ``limit_e4`` or better; nothing rests."""
        assert size_e6 > 0, size_e6
        fills, consumed = self._consume(opposite(side), limit_e4, size_e6)
        return Effect(consumed, Trade(side, fills, 0) if fills else None)

    def cancel(self, side: Side, price_e4: int, size_e6: int | None = None) -> Effect:
        """Take up to ``size_e6`` (everything when None) off a level."""
        held_e6 = self.size_e6(side, price_e4)
        gone_e6 = held_e6 if size_e6 is None else min(held_e6, size_e6)
        return Effect((self._add(side, price_e4, -gone_e6),) if gone_e6 else ())

    def move(self, side: Side, from_e4: int, to_e4: int) -> Effect:
        """Move a whole level to another price of the same side in one operation, without trading.

        A move that would cross the other side changes nothing.
        """
        size_e6 = self.size_e6(side, from_e4)
        if not size_e6 or from_e4 == to_e4 or self.would_cross(side, to_e4):
            return Effect(())
        return Effect((self._add(side, from_e4, -size_e6), self._add(side, to_e4, size_e6)))

    def clear(self) -> None:
        """Remove every level."""
        self._bids_e6.clear()
        self._asks_e6.clear()

    def would_cross(self, side: Side, price_e4: int) -> bool:
        """Tell whether an order at ``price_e4`` would trade at once."""
        other_e4 = self.best_e4(opposite(side))
        if other_e4 is None:
            return False
        return price_e4 >= other_e4 if side == "bid" else price_e4 <= other_e4

    def _levels(self, side: Side) -> dict[int, int]:
        return self._bids_e6 if side == "bid" else self._asks_e6

    def _add(self, side: Side, price_e4: int, delta_e6: int) -> LevelChange:
        levels = self._levels(side)
        after_e6 = levels.get(price_e4, 0) + delta_e6
        assert after_e6 >= 0, (side, price_e4, delta_e6)
        if after_e6:
            levels[price_e4] = after_e6
        else:
            del levels[price_e4]
        return LevelChange(side, price_e4, delta_e6, after_e6)

    def _consume(
        self, maker_side: Side, limit_e4: int, size_e6: int
    ) -> tuple[tuple[LevelE, ...], tuple[LevelChange, ...]]:
        fills: list[LevelE] = []
        changes: list[LevelChange] = []
        left_e6 = size_e6
        for price_e4, held_e6 in self.side(maker_side):
            beyond = price_e4 > limit_e4 if maker_side == "ask" else price_e4 < limit_e4
            if beyond or not left_e6:
                break
            filled_e6 = min(held_e6, left_e6)
            left_e6 -= filled_e6
            fills.append((price_e4, filled_e6))
            changes.append(self._add(maker_side, price_e4, -filled_e6))
        return tuple(fills), tuple(changes)
