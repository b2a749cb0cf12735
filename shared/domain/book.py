"""One market's order book in scaled integers, seen as YES bids and YES asks.

Both sides are kept as bids, because a YES ask at p is a NO bid at 1 - p of the same size on both venues: one
kind of ladder, whose best level is always the greatest price, serves both. Whether the book may be believed is
the session's knowledge, not the book's.
"""

from collections.abc import Iterable
from heapq import nlargest

from shared.domain.numbers import ONE_DOLLAR_E4, price_text, size_text

LevelE = tuple[int, int]
"""One level: price in ten-thousandths of a dollar, size in millionths of a contract."""


_SORTED_WHOLE = 12
"""Up to this many times the wanted levels, sorting all of them is quicker than picking the best."""


class BelowZero(ValueError):
    """A change would leave less than nothing on a level: a message was missed, the book is wrong."""

    def __init__(self, price_e4: int, held_e6: int, change_e6: int) -> None:
        super().__init__(f"level {price_text(price_e4)} holds {size_text(held_e6)}, change {size_text(change_e6)}")


class Ladder:
    """The bids for one outcome: sizes by price, with the best price kept at hand.

    ``best_e4`` is 0 while the ladder is empty; prices are from 1 to 9999.
    """

    __slots__ = ("best_e4", "sizes_e6")

    def __init__(self) -> None:
        self.sizes_e6: dict[int, int] = {}
        self.best_e4 = 0

    def set(self, price_e4: int, size_e6: int) -> None:
        """Make one level hold ``size_e6``; zero removes it."""
        if size_e6:
            self.sizes_e6[price_e4] = size_e6
            if price_e4 > self.best_e4:
                self.best_e4 = price_e4
        elif self.sizes_e6.pop(price_e4, None) is not None and price_e4 == self.best_e4:
            self.best_e4 = max(self.sizes_e6, default=0)

    def add(self, price_e4: int, change_e6: int) -> None:
        """Add a change, which may be negative, to one level.

        Raises BelowZero when the level would hold less than nothing; the ladder is then unchanged.
        """
        sizes_e6 = self.sizes_e6
        size_e6 = sizes_e6.get(price_e4, 0) + change_e6
        if size_e6 > 0:
            sizes_e6[price_e4] = size_e6
            if price_e4 > self.best_e4:
                self.best_e4 = price_e4
        elif size_e6 == 0:
            if sizes_e6.pop(price_e4, None) is not None and price_e4 == self.best_e4:
                self.best_e4 = max(sizes_e6, default=0)
        else:
            raise BelowZero(price_e4, sizes_e6.get(price_e4, 0), change_e6)

    def replace(self, levels: Iterable[LevelE]) -> None:
        """Forget everything and hold ``levels``, in any order; sizes of zero are left out."""
        self.hold({price_e4: size_e6 for price_e4, size_e6 in levels if size_e6})

    def hold(self, sizes_e6: dict[int, int]) -> None:
        """Forget everything and keep these sizes by price, none of them zero; the dictionary is the ladder's now."""
        self.sizes_e6 = sizes_e6
        self.best_e4 = max(sizes_e6, default=0)

    def best_first(self, count: int | None = None) -> list[LevelE]:
        """Return up to ``count`` levels (all when None), best price first."""
        if count is None or len(self.sizes_e6) <= _SORTED_WHOLE * count:
            return sorted(self.sizes_e6.items(), reverse=True)[:count]
        return nlargest(count, self.sizes_e6.items())


class Book:
    """Both sides of one market.

    ``yes_bids`` holds bids for YES by YES price, ``no_bids`` bids for NO by NO price; a YES ask at p is the NO bid
    at 1 - p.
    """

    __slots__ = ("no_bids", "yes_bids")

    def __init__(self) -> None:
        self.yes_bids = Ladder()
        self.no_bids = Ladder()

    @property
    def best_bid_e4(self) -> int:
        """The best YES bid, 0 when there is none."""
        return self.yes_bids.best_e4

    @property
    def best_ask_e4(self) -> int:
        """The best YES ask, 10000 (one dollar) when there is none."""
        return ONE_DOLLAR_E4 - self.no_bids.best_e4

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is above the best ask."""
        return self.yes_bids.best_e4 + self.no_bids.best_e4 > ONE_DOLLAR_E4

    @property
    def is_locked(self) -> bool:
        """Whether the best bid equals the best ask."""
        return self.yes_bids.best_e4 + self.no_bids.best_e4 == ONE_DOLLAR_E4

    @property
    def is_empty(self) -> bool:
        """Whether neither side has a level."""
        return not self.yes_bids.best_e4 and not self.no_bids.best_e4

    def bids(self, count: int | None = None) -> tuple[LevelE, ...]:
        """Return the YES bids, highest first."""
        return tuple(self.yes_bids.best_first(count))

    def asks(self, count: int | None = None) -> tuple[LevelE, ...]:
        """Return the YES asks, lowest first."""
        return tuple((ONE_DOLLAR_E4 - price_e4, size) for price_e4, size in self.no_bids.best_first(count))


def mirrored(levels: Iterable[LevelE]) -> tuple[LevelE, ...]:
    """Return the same levels on the other outcome's scale: price p becomes 1 - p, the order stays."""
    return tuple((ONE_DOLLAR_E4 - price_e4, size_e6) for price_e4, size_e6 in levels)
