"""Random quoting: everybody quotes around a common opinion that wanders, so that venues normally do not cross.

No quote is ever placed where it would give something away against the other venue's book before fees; stale quotes
left behind by a moving opinion are cancelled first. So the only edges in this world are the planted ones.
"""

from random import Random

from services.venue_sim.engine import Effect, Side, opposite
from services.venue_sim.markets import TRADABLE, Quoted, SimMarket

_ONE_CONTRACT_E6 = 1_000_000
_HUNDREDTH_E6 = 10_000
_MIN_LEVELS = 4
_MAX_LEVELS = 12
_OPENING_LEVELS = 8
_OPINION_REACH_E4 = 600
"""How far an opinion strays from where it started."""

Act = tuple[SimMarket, Effect]


class Quoter:
    """Chooses a market and does one thing to its book."""

    def __init__(self, random: Random, quoted: tuple[Quoted, ...]) -> None:
        self._random = random
        self._quoted = quoted
        self._propositions = tuple({id(q.proposition): q.proposition for q in quoted}.values())

    def open_books(self) -> None:
        """Fill every book with a few levels around its opinion."""
        for quoted in self._quoted:
            for side in quoted.sides:
                for _ in range(_OPENING_LEVELS):
                    self._place(quoted, side)

    def change_an_opinion(self) -> None:
        """Move what everybody thinks of one proposition a little, unless somebody holds it still."""
        proposition = self._random.choice(self._propositions)
        step_e4 = self._random.randint(-80, 80)
        if proposition.held:
            return
        reach_e4 = min(_OPINION_REACH_E4, proposition.home_e4 // 2, (10_000 - proposition.home_e4) // 2)
        lowest, highest = proposition.home_e4 - reach_e4, proposition.home_e4 + reach_e4
        step_e4 = step_e4 if reach_e4 == _OPINION_REACH_E4 else step_e4 * reach_e4 // _OPINION_REACH_E4
        proposition.fair_e4 = min(max(proposition.fair_e4 + step_e4, lowest), highest)

    def act(self) -> Act | None:
        """Do one random thing to one random book; None when it came to nothing."""
        quoted = self._random.choice(self._quoted)
        side = self._random.choice(quoted.sides)
        chance = self._random.randrange(100)
        if quoted.market.status != TRADABLE:
            return None
        if quoted.proposition.held:
            effect = self._stir_depth(quoted, side, chance)
        else:
            effect = self._cancel_stale(quoted) or self._quote(quoted, side, chance)
        return None if effect is None else (quoted.market, effect)

    def size_e6(self, quoted: Quoted) -> int:
        """Return a random level size: mostly whole contracts, now and then hundredths."""
        size = self._random.randint(max(1, quoted.size_scale // 5), quoted.size_scale * 2) * _ONE_CONTRACT_E6
        if self._random.randrange(100) < 35:
            size += self._random.randint(1, 99) * _HUNDREDTH_E6
        return size

    def _quote(self, quoted: Quoted, side: Side, chance: int) -> Effect | None:
        depth = quoted.market.book.depth(side)
        if depth < _MIN_LEVELS or (chance < 45 and depth < _MAX_LEVELS):
            return self._place(quoted, side)
        if chance < 75:
            return self._cancel(quoted, side)
        if chance < 88:
            return self._move_best(quoted, side)
        return self._trade(quoted, side)

    def _stir_depth(self, quoted: Quoted, side: Side, chance: int) -> Effect | None:
        """Touch only what lies behind the best level."""
        levels = quoted.market.book.side(side)
        if len(levels) < 2:
            return None
        price_e4, size_e6 = levels[self._random.randrange(1, len(levels))]
        if chance < 60:
            return quoted.market.book.place(side, price_e4, self.size_e6(quoted))
        keep_e6 = size_e6 // 2 // _HUNDREDTH_E6 * _HUNDREDTH_E6
        return quoted.market.book.cancel(side, price_e4, size_e6 - keep_e6)

    def _cancel_stale(self, quoted: Quoted) -> Effect | None:
        for side in quoted.sides:
            best_e4 = quoted.market.book.best_e4(side)
            if best_e4 is None:
                continue
            behind_e4 = quoted.fair_e4 - best_e4 if side == "bid" else best_e4 - quoted.fair_e4
            if behind_e4 < quoted.half_spread_e4 // 2:
                return quoted.market.book.cancel(side, best_e4)
        return None

    def _place(self, quoted: Quoted, side: Side) -> Effect | None:
        sign = -1 if side == "bid" else 1
        away_e4 = quoted.half_spread_e4
        while self._random.randrange(4):
            away_e4 += quoted.half_spread_e4
        price_e4 = self._snap(quoted.market, side, quoted.fair_e4 + sign * away_e4)
        size_e6 = self.size_e6(quoted)
        if price_e4 is None or self._gives_away(quoted, side, price_e4):
            return None
        return quoted.market.book.place(side, price_e4, size_e6)

    def _move_best(self, quoted: Quoted, side: Side) -> Effect | None:
        best_e4 = quoted.market.book.best_e4(side)
        if best_e4 is None:
            return None
        to_e4 = quoted.market.grid.steps_from(best_e4, self._random.choice((-1, 1)))
        if to_e4 is None or self._gives_away(quoted, side, to_e4):
            return None
        return quoted.market.book.move(side, best_e4, to_e4)

    def _cancel(self, quoted: Quoted, side: Side) -> Effect | None:
        levels = quoted.market.book.side(side)
        if len(levels) < 2:
            return None
        price_e4, size_e6 = self._random.choice(levels)
        if self._random.randrange(100) < 50:
            return quoted.market.book.cancel(side, price_e4)
        half_e6 = max(_HUNDREDTH_E6, size_e6 // 2 // _HUNDREDTH_E6 * _HUNDREDTH_E6)
        return quoted.market.book.cancel(side, price_e4, half_e6)

    def _trade(self, quoted: Quoted, side: Side) -> Effect | None:
        """A taker on ``side``: mostly a bit of the best level, sometimes a sweep that leaves a rest."""
        book = quoted.market.book
        makers = book.side(opposite(side))
        if not makers:
            return None
        if self._random.randrange(100) < 70 or len(makers) < 3:
            limit_e4, held_e6 = makers[0]
            hundredths = max(1, held_e6 * self._random.randint(5, 100) // 100 // _HUNDREDTH_E6)
            return book.take(side, limit_e4, hundredths * _HUNDREDTH_E6)
        limit_e4 = makers[1][0]
        swept_e6 = makers[0][1] + makers[1][1]
        if self._gives_away(quoted, side, limit_e4):
            return book.take(side, limit_e4, swept_e6)
        return book.place(side, limit_e4, swept_e6 + self.size_e6(quoted))

    @staticmethod
    def _snap(market: SimMarket, side: Side, price_e4: int) -> int | None:
        return market.grid.down(price_e4) if side == "bid" else market.grid.up(price_e4)

    @staticmethod
    def _gives_away(quoted: Quoted, side: Side, price_e4: int) -> bool:
        """Tell whether a quote would be crossed by a book of the other venue on the same proposition."""
        for other in quoted.proposition.quoted:
            if other.market.venue == quoted.market.venue:
                continue
            mirrored = other.inverted != quoted.inverted
            theirs = side if mirrored else opposite(side)
            best_e4 = other.market.book.best_e4(theirs)
            if best_e4 is None:
                continue
            best_e4 = 10_000 - best_e4 if mirrored else best_e4
            if price_e4 > best_e4 if side == "bid" else price_e4 < best_e4:
                return True
        return False
