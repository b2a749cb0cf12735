"""Crossings on purpose: now and then one venue's quotes move so far that buying both sides pays, and move back.

Three kinds are planted. An ``edge`` pays after both fees at a size both venues accept. A ``decoy`` crosses before
fees and pays nothing after them. A ``crumb`` pays, but only for less than Polymarket's smallest order. While a plant
stands, nobody touches the best levels of its proposition, so it ends only when its time is over: half the time its
maker cancels it, half the time somebody takes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Literal

from services.venue_sim.engine import Effect, LevelE, Side, opposite
from services.venue_sim.markets import TRADABLE, Quoted, SimMarket, SimQuestion
from services.venue_sim.pricing import best_edge, kalshi_fee, polymarket_fee
from services.venue_sim.questions import Listing
from services.venue_sim.quoting import Act, Quoter
from services.venue_sim.views import BookView, offers, terms_of

PlantKind = Literal["edge", "decoy", "crumb"]

_SHORTEST_US = 1_500_000
_LONGEST_US = 6_000_000
_TRIES = 60
_ONE_CONTRACT_E6 = 1_000_000
_CLEARLY_POSITIVE_DOLLARS = Fraction(5, 100)
_CLEARLY_POSITIVE_PER_CONTRACT = Fraction(5, 1_000)
_CLEARLY_NOTHING_DOLLARS = Fraction(-2, 1_000)
_LEAST_DEPTH_E6 = 20 * _ONE_CONTRACT_E6
_NEVER_US = 2**63


@dataclass(frozen=True, slots=True)
class Plant:
    """A quote that stands where it should not."""

    quoted: Quoted
    side: Side
    """Where it rests: an ``ask`` is too cheap, a ``bid`` too dear."""
    price_e4: int
    kind: PlantKind
    ends_us: int
    taken: bool
    """Whether somebody takes it in the end; else its maker cancels it."""


class Planter:
    """Plants and removes crossings; ``mean_interval_ms`` 0 plants none."""

    def __init__(self, random: Random, quoter: Quoter, listing: Listing, mean_interval_ms: int) -> None:
        self._random = random
        self._quoter = quoter
        self._questions = tuple(q for q in listing.questions if q.kind in ("template", "curated"))
        self._quoted_by_id = {quoted.market.market_id: quoted for quoted in listing.quoted}
        self._questions_by_market: dict[str, list[SimQuestion]] = {}
        for question in filter(lambda q: q.is_pair, listing.questions):
            for market in (question.kalshi, question.polymarket):
                self._questions_by_market.setdefault(market.market_id, []).append(question)
        self._mean_interval_us = mean_interval_ms * 1_000
        self._standing: list[Plant] = []
        self._next_us = _NEVER_US

    @property
    def due_us(self) -> int:
        """When something is to be done next."""
        return min(self._next_us, min((plant.ends_us for plant in self._standing), default=_NEVER_US))

    def start(self, now_us: int) -> None:
        """Begin planting."""
        if self._mean_interval_us and self._questions:
            self._next_us = now_us + self._interval_us()

    def act(self, now_us: int) -> Act | None:
        """Do what is due: end a plant or start one."""
        for plant in self._standing:
            if plant.ends_us <= now_us:
                self._standing.remove(plant)
                return self._end(plant)
        self._next_us = now_us + self._interval_us()
        return self._begin(now_us)

    def _interval_us(self) -> int:
        return self._random.randrange(self._mean_interval_us // 2, self._mean_interval_us * 3 // 2)

    def _end(self, plant: Plant) -> Act:
        plant.quoted.proposition.held -= 1
        book = plant.quoted.market.book
        size_e6 = book.size_e6(plant.side, plant.price_e4)
        if plant.taken and size_e6:
            return plant.quoted.market, book.take(opposite(plant.side), plant.price_e4, size_e6)
        return plant.quoted.market, book.cancel(plant.side, plant.price_e4)

    def _begin(self, now_us: int) -> Act | None:
        percent = self._random.randrange(100)
        kind: PlantKind = "edge" if percent < 70 else "decoy" if percent < 90 else "crumb"
        for _ in range(_TRIES):
            found = self._candidate(kind)
            if found is None:
                continue
            quoted, side, price_e4, rest_e6 = found
            ends_us = now_us + self._random.randrange(_SHORTEST_US, _LONGEST_US)
            self._standing.append(Plant(quoted, side, price_e4, kind, ends_us, self._random.randrange(2) == 0))
            quoted.proposition.held += 1
            return quoted.market, self.plant(quoted, side, price_e4, rest_e6)
        return None

    @staticmethod
    def plant(quoted: Quoted, side: Side, price_e4: int, rest_e6: int) -> Effect:
        """Place an order that takes everything in its way and leaves ``rest_e6``."""
        book = quoted.market.book
        in_the_way = sum(size for price, size in book.side(opposite(side)) if _reaches(side, price_e4, price))
        return book.place(side, price_e4, in_the_way + rest_e6)

    def _candidate(self, kind: PlantKind) -> tuple[Quoted, Side, int, int] | None:
        question = self._random.choice(self._questions)
        mover: SimMarket = self._random.choice((question.kalshi, question.polymarket))
        quoted = self._quoted_by_id[mover.market_id]
        side: Side = self._random.choice(("bid", "ask"))
        target_e4 = {"edge": self._random.randint(90, 320), "decoy": 0, "crumb": self._random.randint(60, 120)}[kind]
        size = self._random.randint(1, 2) if kind == "crumb" else self._random.randint(25, 300)
        if quoted.proposition.held or mover.status != TRADABLE:
            return None
        price_e4 = self._price(question, mover, side, kind, target_e4)
        if price_e4 is None:
            return None
        rest_e6 = size * _ONE_CONTRACT_E6
        if not self._is_clear(question, mover, side, price_e4, rest_e6, wanted=kind == "edge"):
            return None
        return quoted, side, price_e4, rest_e6

    def _price(
        self, question: SimQuestion, mover: SimMarket, side: Side, kind: PlantKind, target_e4: int
    ) -> int | None:
        """Return the first price beyond the other venue's best that leaves ``target_e4`` (a decoy: any) after fees."""
        other = question.polymarket if mover is question.kalshi else question.kalshi
        view = BookView.of(other.book)
        view = view.mirrored() if question.orientation == "inverted" else view
        best = (view.bids if side == "ask" else view.asks)[:1]
        if not best or best[0][1] < _LEAST_DEPTH_E6:
            return None
        other_e4 = best[0][0]
        for price_e4 in _beyond(mover, side, other_e4):
            gross_e4 = abs(other_e4 - price_e4)
            left_e4 = gross_e4 - self._fees_e4(question, mover, price_e4, other_e4)
            if kind == "decoy":
                return price_e4 if left_e4 < -20 else None
            if left_e4 >= target_e4:
                return price_e4
        return None

    @staticmethod
    def _fees_e4(question: SimQuestion, mover: SimMarket, price_e4: int, other_e4: int) -> Fraction:
        """Return both fees per contract, in ten-thousandths of a dollar."""
        kalshi_e4, polymarket_e4 = (price_e4, other_e4) if mover is question.kalshi else (other_e4, price_e4)
        hundred_e6 = 100 * _ONE_CONTRACT_E6
        fees = kalshi_fee(multiplier=question.kalshi.fee_multiplier, price_e4=kalshi_e4, size_e6=hundred_e6)
        fees += polymarket_fee(rate=question.polymarket.fee_rate, price_e4=polymarket_e4, size_e6=hundred_e6)
        return fees * 100

    def _is_clear(
        self, planted: SimQuestion, mover: SimMarket, side: Side, price_e4: int, rest_e6: int, *, wanted: bool
    ) -> bool:
        """Tell whether the plant has the wanted effect and no question that it touches becomes a close call."""
        after = _after(mover, side, price_e4, rest_e6)
        for question in self._questions_by_market[mover.market_id]:
            kalshi = after if mover is question.kalshi else BookView.of(question.kalshi.book)
            polymarket = after if mover is question.polymarket else BookView.of(question.polymarket.book)
            pays = False
            for kalshi_offers, polymarket_offers in offers(kalshi, polymarket, question.orientation).values():
                edge = best_edge(kalshi_offers, polymarket_offers, terms_of(question))
                if edge is None or edge.dollars <= _CLEARLY_NOTHING_DOLLARS:
                    continue
                per_contract = edge.dollars * _ONE_CONTRACT_E6 / edge.contracts_e6
                if edge.dollars < _CLEARLY_POSITIVE_DOLLARS or per_contract < _CLEARLY_POSITIVE_PER_CONTRACT:
                    return False
                pays = True
            if pays != wanted and question is planted:
                return False
            if pays and not wanted:
                return False
        return True


def _beyond(mover: SimMarket, side: Side, other_e4: int) -> Iterator[int]:
    """Yield the mover's prices past the other venue's best, nearest first."""
    grid = mover.grid
    price_e4 = grid.down(other_e4 - 1) if side == "ask" else grid.up(other_e4 + 1)
    while price_e4 is not None:
        yield price_e4
        price_e4 = grid.steps_from(price_e4, -1 if side == "ask" else 1)


def _reaches(side: Side, limit_e4: int, price_e4: int) -> bool:
    return price_e4 >= limit_e4 if side == "ask" else price_e4 <= limit_e4


def _after(market: SimMarket, side: Side, price_e4: int, rest_e6: int) -> BookView:
    """Return the market's book as the plant would leave it."""
    view = BookView.of(market.book)
    planted: LevelE = (price_e4, rest_e6)
    if side == "ask":
        return BookView([b for b in view.bids if b[0] < price_e4], sorted([planted, *view.asks]))
    return BookView(sorted([planted, *view.bids], reverse=True), [a for a in view.asks if a[0] > price_e4])
