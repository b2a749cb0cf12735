"""Both books of a question in the terms of Kalshi's question, and what each direction would have to buy."""

from dataclasses import dataclass
from typing import Literal

from services.venue_sim.engine import LevelE, SimBook
from services.venue_sim.markets import Orientation, SimQuestion
from services.venue_sim.pricing import Terms, complement

Direction = Literal["yes_kalshi_no_polymarket", "no_kalshi_yes_polymarket"]


@dataclass(frozen=True, slots=True)
class BookView:
    """Bids and asks of one outcome, best first."""

    bids: list[LevelE]
    asks: list[LevelE]

    @classmethod
    def of(cls, book: SimBook) -> "BookView":
        """Return the book in its own terms."""
        return cls(book.bids(), book.asks())

    def mirrored(self) -> "BookView":
        """Return the same book in the terms of the other outcome."""
        return BookView(complement(self.asks), complement(self.bids))


def offers(
    kalshi: BookView, polymarket: BookView, orientation: Orientation
) -> dict[Direction, tuple[list[LevelE], list[LevelE]]]:
    """Return what each direction buys on Kalshi and on Polymarket, cheapest first.

    ``polymarket`` is in the terms of its outcome 0.
    """
    theirs = polymarket.mirrored() if orientation == "inverted" else polymarket
    return {
        "yes_kalshi_no_polymarket": (kalshi.asks, complement(theirs.bids)),
        "no_kalshi_yes_polymarket": (complement(kalshi.bids), theirs.asks),
    }


def terms_of(question: SimQuestion) -> Terms:
    """Return the fees and minima that apply to a question."""
    return Terms(
        kalshi_multiplier=question.kalshi.fee_multiplier,
        polymarket_rate=question.polymarket.fee_rate,
        min_contracts_e6=max(question.kalshi.min_contracts_e6, question.polymarket.min_contracts_e6),
    )
