"""Finds the few markets of the other venue that a market might be the same question as.

An inverted index blocks by rare words and by game; the slots veto; the score ranks. Nothing found here ever goes live:
it is put before a person.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256

from services.matcher.mapping_files import Mappings
from services.matcher.slots import Slots, parse_slots
from services.matcher.templates import GameKey
from services.matcher.verdict import Verdict, compare
from shared.contracts.pairs import CandidateFound
from shared.domain.market import Market, MarketId, Venue
from shared.domain.pair import PairId

LEAST_SCORE = Decimal("0.6")
"""Below this a pair is not worth a person's time."""
MOST_PER_MARKET = 3
_MOST_BLOCKED = 200
_COMMON_WORD = 400
_RAREST_WORDS = 6

_OTHER = {Venue.KALSHI: Venue.POLYMARKET, Venue.POLYMARKET: Venue.KALSHI}


class CandidateIndex:
    """The listings of both venues, parsed once, found by their words."""

    def __init__(self, mappings: Mappings) -> None:
        self._mappings = mappings
        self._slots: dict[Venue, dict[MarketId, Slots]] = {venue: {} for venue in Venue}
        self._by_word: Mapping[Venue, defaultdict[str, set[MarketId]]] = {venue: defaultdict(set) for venue in Venue}
        self._by_game: Mapping[Venue, defaultdict[GameKey, set[MarketId]]] = {
            venue: defaultdict(set) for venue in Venue
        }

    def put(self, market: Market) -> None:
        """Take in a listing, new or changed."""
        self.remove(market.venue, market.market_id)
        slots = parse_slots(market, self._mappings)
        self._slots[market.venue][market.market_id] = slots
        for word in slots.words:
            self._by_word[market.venue][word].add(market.market_id)
        if slots.game is not None:
            self._by_game[market.venue][slots.game.key].add(market.market_id)

    def remove(self, venue: Venue, market_id: MarketId) -> None:
        """Forget a listing."""
        slots = self._slots[venue].pop(market_id, None)
        if slots is None:
            return
        for word in slots.words:
            self._by_word[venue][word].discard(market_id)
            if not self._by_word[venue][word]:
                del self._by_word[venue][word]
        if slots.game is not None:
            self._by_game[venue][slots.game.key].discard(market_id)

    def best(
        self, market: Market, *, most: int = MOST_PER_MARKET, least: Decimal = LEAST_SCORE
    ) -> list[tuple[MarketId, Verdict]]:
        """Return up to ``most`` partners without a veto that score at least ``least``, best first."""
        ours = self._slots[market.venue].get(market.market_id)
        if ours is None or ours.placeholder or ours.contradiction:
            return []
        scored = ((other_id, self._compare(ours, other_id)) for other_id in self.blocked(ours))
        found = [(other_id, verdict) for other_id, verdict in scored if not verdict.vetoes and verdict.score >= least]
        return sorted(found, key=lambda item: (-item[1].score, item[0]))[:most]

    def slots(self, venue: Venue, market_id: MarketId) -> Slots | None:
        """Return a listing's slots; None when it is not listed."""
        return self._slots[venue].get(market_id)

    def blocked(self, ours: Slots) -> list[MarketId]:
        """Return the markets of the other venue that share a game or rare words, most shared weight first."""
        venue = _OTHER[ours.market.venue]
        if ours.game is not None:
            return sorted(self._by_game[venue].get(ours.game.key, ()))
        holders = [ids for word in ours.words if (ids := self._by_word[venue].get(word)) and len(ids) <= _COMMON_WORD]
        weight: Counter[MarketId] = Counter()
        for ids in sorted(holders, key=len)[:_RAREST_WORDS]:
            for market_id in ids:
                weight[market_id] += 1_000_000 // len(ids)
        ranked = sorted(weight.items(), key=lambda item: (-item[1], item[0]))
        return [market_id for market_id, _ in ranked[:_MOST_BLOCKED]]

    def _compare(self, ours: Slots, other_id: MarketId) -> Verdict:
        venue = ours.market.venue
        theirs = self._slots[_OTHER[venue]][other_id]
        return compare(ours, theirs) if venue is Venue.KALSHI else compare(theirs, ours)


def candidate_id(ticker: MarketId, condition_id: MarketId) -> PairId:
    """Return the stable id of a candidate pair."""
    return PairId(f"candidate-{sha256(f'{ticker}|{condition_id}'.encode()).hexdigest()[:16]}")


def candidate_message(kalshi: Market, polymarket: Market, verdict: Verdict) -> CandidateFound:
    """Return the message that puts a pair before a person."""
    return CandidateFound(
        pair_id=candidate_id(kalshi.market_id, polymarket.market_id),
        kalshi_ticker=kalshi.market_id,
        polymarket_id=polymarket.market_id,
        orientation=verdict.orientation,
        relation=verdict.relation,
        score=verdict.score,
        kalshi_title=kalshi.title,
        polymarket_title=polymarket.title,
        vetoes=verdict.vetoes,
        reasons=verdict.reasons,
    )
