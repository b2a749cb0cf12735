"""Prices as a witness: two markets that ask the same cannot stand far apart for long.

If the two YES prices add up to about a dollar while they are far apart, the pair is probably the wrong way round; if
they are just far apart, it is probably no pair. Both are suspicions for a person, and neither proves anything: that is
why the pair is suspended and not corrected.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from shared.contracts.funnel import PairDiverged
from shared.domain.pair import Orientation, Pair, PairId


class PriceLimits(msgspec.Struct, frozen=True, kw_only=True):
    """From where on prices speak against a pair. The defaults are judgement, not measurement."""

    far_apart_dollars: Decimal = Decimal("0.15")
    near_one_dollars: Decimal = Decimal("0.05")
    """How close to a dollar the two prices add up when the pair is the wrong way round."""
    wrong_match_s: int = 60
    """How long prices must be far apart."""
    inverted_s: int = 10
    """How long prices must look inverted."""
    widest_spread_dollars: Decimal = Decimal("0.20")
    """The middle of a wider book says nothing."""


class Tops(NamedTuple):
    """The best prices of a book, in the market's own terms of YES; None for an empty side."""

    bid_dollars: Decimal | None
    ask_dollars: Decimal | None


class PriceWatch:
    """Remembers since when each pair's prices have looked wrong."""

    def __init__(self, limits: PriceLimits) -> None:
        self._limits = limits
        self._since_s: dict[tuple[PairId, str], float] = {}

    def look(self, pair: Pair, kalshi: Tops | None, polymarket: Tops | None, now_s: float) -> str:
        """Return what speaks against a pair by now, empty when nothing does.

        ``None`` is a book that cannot be believed now; a doubt then starts over.
        """
        here, there = self._middle(kalshi), self._middle(polymarket)
        if here is None or there is None:
            self._forget(pair.pair_id)
            return ""
        if pair.orientation is Orientation.INVERTED:
            there = 1 - there
        apart = abs(here - there) > self._limits.far_apart_dollars
        inverted = apart and abs(here + there - 1) <= self._limits.near_one_dollars
        stands = f"YES stands at {here:.3f} on kalshi and at {there:.3f} on polymarket"
        if self._lasts(pair.pair_id, "inverted", inverted, self._limits.inverted_s, now_s):
            return f"prices say that the pair is inverted: {stands}, which adds up to a dollar; read both rules again"
        if self._lasts(pair.pair_id, "apart", apart, self._limits.wrong_match_s, now_s):
            return f"prices say that this is no pair: {stands}; read both rules again"
        return ""

    def keep_only(self, pair_ids: Iterable[PairId]) -> None:
        """Forget the pairs that are no longer live."""
        live = frozenset(pair_ids)
        self._since_s = {key: since_s for key, since_s in self._since_s.items() if key[0] in live}

    def _middle(self, tops: Tops | None) -> Decimal | None:
        if tops is None or tops.bid_dollars is None or tops.ask_dollars is None:
            return None
        if tops.ask_dollars - tops.bid_dollars > self._limits.widest_spread_dollars:
            return None
        return (tops.bid_dollars + tops.ask_dollars) / 2

    def _lasts(self, pair_id: PairId, doubt: str, holds: bool, long_enough_s: int, now_s: float) -> bool:
        if not holds:
            self._since_s.pop((pair_id, doubt), None)
            return False
        return now_s - self._since_s.setdefault((pair_id, doubt), now_s) >= long_enough_s

    def _forget(self, pair_id: PairId) -> None:
        for doubt in ("inverted", "apart"):
            self._since_s.pop((pair_id, doubt), None)


def speaks_against(pair: Pair, found: PairDiverged | None) -> str:
    """Return what the detector's sentinel says against a pair in this very version, empty when it says nothing."""
    if found is None or found.pair_version != pair.version:
        return ""
    edge_dollars = found.least_dollars_per_contract
    return f"it would have paid {edge_dollars} per contract after fees all the time; read both rules again"
