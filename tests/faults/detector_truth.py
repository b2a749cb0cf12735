"""What is true of a pair, worked out from what the test itself did and without any code of the detector.

Prices by the exhaustive reference in fractions; trust by the rules as the documents state them.
"""

from fractions import Fraction
from functools import cache
from typing import Any

import msgspec

from shared.domain.market import Venue
from shared.domain.pair import Direction, Orientation
from tests.faults import pair_reference as reference
from tests.faults.pair_reference import ReferenceLeg

K, P = Venue.KALSHI, Venue.POLYMARKET

Side = tuple[tuple[str, str], ...]


class Book(msgspec.Struct, frozen=True):
    """Decimal texts, best first."""

    yes_bids: Side = ()
    yes_asks: Side = ()


class Terms(msgspec.Struct, frozen=True):
    """What decides how a pair is priced, besides its books."""

    step: Fraction
    kalshi_min: Fraction
    polymarket_min: Fraction
    polymarket_notional: Fraction
    kalshi_rate: Fraction = Fraction("0.07")
    polymarket_rate: Fraction = Fraction("0.05")
    max_capital: Fraction | None = Fraction(250)


class Asked(msgspec.Struct, frozen=True):
    """What an edge must earn: by the last contract, and in all."""

    per_contract: Fraction
    whole: Fraction


def mirrored(book: Book) -> Book:
    """Return the same book in the terms of the other outcome."""
    return Book(yes_bids=_complement(book.yes_asks), yes_asks=_complement(book.yes_bids))


def _complement(side: Side) -> Side:
    return tuple((f"{float(1 - Fraction(price)):.4f}", size) for price, size in side)


def legs_of(
    kalshi: Book, polymarket: Book, orientation: Orientation, direction: Direction, terms: Terms
) -> tuple[ReferenceLeg, ReferenceLeg]:
    """Return what a direction buys, with everything that limits it."""
    buys_yes = direction is Direction.YES_KALSHI_NO_POLYMARKET
    polymarket_yes = buys_yes if orientation is Orientation.INVERTED else not buys_yes
    return (
        ReferenceLeg(
            _buying(kalshi, is_yes=buys_yes),
            terms.kalshi_rate,
            Fraction("0.0001"),
            min_contracts=terms.kalshi_min,
            max_capital=terms.max_capital,
        ),
        ReferenceLeg(
            _buying(polymarket, is_yes=polymarket_yes),
            terms.polymarket_rate,
            None,
            min_contracts=terms.polymarket_min,
            min_notional=terms.polymarket_notional,
            max_capital=terms.max_capital,
        ),
    )


def _buying(book: Book, *, is_yes: bool) -> reference.Levels:
    side = book.yes_asks if is_yes else mirrored(book).yes_asks
    return [(Fraction(price), Fraction(size)) for price, size in side]


@cache
def best_edge(
    kalshi: Book, polymarket: Book, orientation: Orientation, direction: Direction, *, terms: Terms, asked: Fraction
) -> Fraction:
    """Return the greatest edge of all sizes whose last contract, and average, earn enough; 0 when there is none."""
    first, second = legs_of(kalshi, polymarket, orientation, direction, terms)
    best = Fraction(0)
    for size in reference.feasible_sizes(first, second, terms.step):
        if reference.marginal_edge(first, second, size) >= asked:
            found = reference.edge(first, second, size)
            if found >= asked * size:
                best = max(best, found)
    return best


@cache
def edge_at(
    kalshi: Book, polymarket: Book, orientation: Orientation, direction: Direction, *, terms: Terms, size: Fraction
) -> Fraction:
    """Return what one size earns."""
    return reference.edge(*legs_of(kalshi, polymarket, orientation, direction, terms), size)


class LinkTruth:
    """One connection of a feed, as far as anybody on the bus can know."""

    def __init__(self) -> None:
        self.epoch = "feed-1"
        self.beat_s: float | None = None
        self.beat_epoch = ""
        self.is_up = True
        self.lag_ms = 0
        self.frame_age_ms = 5
        self.heard_s: float | None = None

    def forget(self) -> None:
        """A new detector has not heard of it."""
        self.beat_s = self.heard_s = None

    def verified_s(self) -> float:
        """When it last proved that it is alive."""
        assert self.beat_s is not None
        by_beat_s = self.beat_s - max(0, self.frame_age_ms) / 1_000
        return by_beat_s if self.heard_s is None else max(by_beat_s, self.heard_s)

    def is_trusted(self, epoch: str, now_s: float) -> bool:
        """Whether quotes of that epoch count: beat, state, restart, frames and lag."""
        if self.beat_s is None or now_s - self.beat_s > 2.5 or not self.is_up or self.lag_ms > 1_000:
            return False
        is_quiet = not 0 <= self.frame_age_ms <= 2_500 and (self.heard_s is None or now_s - self.heard_s > 2.5)
        return self.beat_epoch == epoch and not is_quiet


class LegTruth:
    """One leg: the last word about it, and whether that word is sound."""

    def __init__(self, link: LinkTruth) -> None:
        self.link = link
        self.book: Book | None = None
        self.is_sound = False
        self.epoch = ""
        self.not_before_s = 0.0
        self.is_open = True
        self.has_fees = True
        self.word: Any = None
        self.quiet_until_s = 0.0
        """Until then its feed has nothing more to say about it."""

    def counts(self, now_s: float) -> bool:
        """Whether the leg may be acted upon."""
        return (
            self.is_sound
            and self.is_open
            and now_s >= self.not_before_s - 1.0
            and self.link.is_trusted(self.epoch, now_s)
        )
