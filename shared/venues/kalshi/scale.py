"""Whether the prices of side ``no`` come on the scale that was asked for.

``use_yes_price`` is about to change its default and later to go away (Kalshi changelog, read 2026-11-21), so the
exchange may one day not do what a subscription says. A book that is read on the wrong scale looks like a book, with
asks that nobody made. Two things tell: a snapshot that is crossed as asked for and would be whole on the other scale,
and a comparison with REST, where prices of ``no`` are always on their own scale.
"""

from shared.domain.book import Book
from shared.domain.numbers import ONE_DOLLAR_E4

_CROSSED_IN_A_ROW = 3
"""So many snapshots in a row that only the other scale makes whole outweigh a scale that was proven before."""
_UNLIKE_IN_A_ROW = 3
"""One shared price may be a book that moved meanwhile; two at once, or one so many times in a row, are not."""


class ScaleWatch:
    """The evidence of one connection."""

    __slots__ = ("_against", "_unlike", "asked", "is_proven")

    def __init__(self, *, use_yes_price: bool, is_proven: bool) -> None:
        self.asked = "YES" if use_yes_price else "NO"
        """The scale that the subscription asked for."""
        self.is_proven = is_proven
        """Whether something has shown that the scale is the one asked for, or nobody wants to know."""
        self._against = 0
        self._unlike = 0

    def snapshot(self, book: Book) -> bool:
        """Weigh a fresh snapshot; return whether the exchange uses the other scale.

        Side ``no`` on the other scale turns best into worst: its least price is what its best would be.
        """
        yes, no = book.yes_bids, book.no_bids
        if not yes.best_e4 or not no.best_e4:
            return False
        whole = yes.best_e4 + no.best_e4 < ONE_DOLLAR_E4
        whole_on_the_other = yes.best_e4 < min(no.sizes_e6)
        if whole and not whole_on_the_other:
            self.is_proven = True
            self._against = 0
        elif whole_on_the_other and not whole:
            self._against += 1
            return not self.is_proven or self._against >= _CROSSED_IN_A_ROW
        return False

    def compared(self, as_asked: int, on_the_other: int) -> bool:
        """Weigh how many NO prices REST has too, read as asked for and turned round; return as ``snapshot`` does."""
        if on_the_other > as_asked:
            self._unlike += 1
            return on_the_other > 1 or self._unlike >= _UNLIKE_IN_A_ROW
        if as_asked:
            self._unlike = 0
            self.is_proven = True
        return False

    def allows(self, book: Book) -> bool:
        """Whether a book may be quoted: the scale is proven, or nothing of it depends on the scale."""
        return self.is_proven or not book.no_bids.best_e4

    @property
    def contradiction(self) -> str:
        """What to say when the exchange uses the other scale."""
        other = "YES" if self.asked == "NO" else "NO"
        return f"prices of side no come on the {other} scale, but the {self.asked} scale was asked for"


def agreement(streamed: Book, by_rest: Book) -> tuple[int, int]:
    """Return how many NO prices of a streamed book REST has too: as they are, and on the other scale."""
    theirs = by_rest.no_bids.sizes_e6.keys()
    ours = streamed.no_bids.sizes_e6.keys()
    return len(ours & theirs), len({ONE_DOLLAR_E4 - price_e4 for price_e4 in ours} & theirs)
