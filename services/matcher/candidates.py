"""Finds the few markets of the other venue that a market might be the same question as.

Shared rare terms find them (``terms``, ``postings``), or the game that a template reads; the slots veto and the score
ranks. Nothing found here ever goes live by itself: it is put before a person. Slots are parsed only for listings that
share enough terms, because that costs ten times more than everything else.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple

import msgspec

from services.matcher.ambiguity import lowered, question
from services.matcher.figures import Figures, read_figures
from services.matcher.mapping_files import Mappings
from services.matcher.postings import Postings
from services.matcher.shortlist import shortlist
from services.matcher.slots import Slots, game_of, parse_slots
from services.matcher.templates import GameKey
from services.matcher.terms import LONGEST_FIELD, TermReader
from services.matcher.verdict import Verdict, compare, figures_refuse, is_contest
from shared.contracts.pairs import CandidateFound
from shared.domain.market import Market, MarketId, Venue
from shared.domain.pair import PairId

LEAST_SCORE = Decimal("0.6")
"""Below this a pair is not worth a person's time."""
MOST_PER_MARKET = 3
MOST_CANDIDATES = 20
_COMPARED = 10
"""Of the candidates: the partner is hardly ever further down."""
MOST_SLOTS = 60_000
"""Parsed listings kept at hand per venue, about 6 kB each."""

_OTHER = {Venue.KALSHI: Venue.POLYMARKET, Venue.POLYMARKET: Venue.KALSHI}


class Reading(NamedTuple):
    """What of a listing is looked for."""

    terms: tuple[str, ...]
    """Each once."""
    game: GameKey | None


class CandidateIndex:
    """The listings of both venues, found by their terms. Taking in, forgetting and asking cost about a millisecond."""

    def __init__(self, mappings: Mappings, *, most_slots: int = MOST_SLOTS) -> None:
        self._mappings = mappings
        self._most_slots = most_slots
        self._reader = TermReader(mappings)
        self._markets: dict[Venue, dict[MarketId, Market]] = {venue: {} for venue in Venue}
        self._postings = {venue: Postings() for venue in Venue}
        self._read: dict[Venue, dict[MarketId, Figures]] = {venue: {} for venue in Venue}
        """What has been read of listings: their figures, or all."""
        self._by_game: Mapping[Venue, defaultdict[GameKey, set[MarketId]]] = {
            venue: defaultdict(set) for venue in Venue
        }
        self._game_of: dict[Venue, dict[MarketId, GameKey]] = {venue: {} for venue in Venue}

    def read(self, market: Market) -> Reading:
        """Return what of a listing is looked for; that takes most of the time of taking it in."""
        return Reading(tuple(self._reader.terms(market)), self._game_key(market))

    def put(self, market: Market, reading: Reading | None = None) -> None:
        """Take in a listing, new or changed; ``reading`` is its own where it has been read already."""
        venue, market_id = market.venue, market.market_id
        terms, key = reading or self.read(market)
        self.remove(venue, market_id)
        self._markets[venue][market_id] = market
        self._postings[venue].put(market_id, market.event_id, terms)
        if key is not None:
            self._game_of[venue][market_id] = key
            self._by_game[venue][key].add(market_id)

    def remove(self, venue: Venue, market_id: MarketId) -> None:
        """Forget a listing; nothing happens when it is not listed."""
        if self._markets[venue].pop(market_id, None) is None:
            return
        self._postings[venue].remove(market_id)
        self._read[venue].pop(market_id, None)
        key = self._game_of[venue].pop(market_id, None)
        if key is not None:
            self._by_game[venue][key].discard(market_id)
            if not self._by_game[venue][key]:
                del self._by_game[venue][key]

    def candidates(self, market: Market, limit: int = MOST_CANDIDATES) -> list[MarketId]:
        """Return up to ``limit`` markets of the other venue that ``market`` may be the same question as, likest first.

        The market itself need not be in the index.
        """
        ranking = self._postings[_OTHER[market.venue]].rank(self._reader.terms(market), limit)
        return [market_id for _, market_id, _ in ranking.best]

    def candidates_of_event(
        self, markets: Sequence[Market], limit: int = MOST_CANDIDATES
    ) -> Iterator[tuple[MarketId, list[MarketId]]]:
        """Yield each market of one event with what ``candidates`` returns for it, several times cheaper."""
        asked = [self._reader.terms(market) for market in markets]
        rankings = self._postings[_OTHER[markets[0].venue]].rank_event(asked, limit)
        for market, ranking in zip(markets, rankings, strict=True):
            yield market.market_id, [market_id for _, market_id, _ in ranking.best]

    def best(
        self, market: Market, *, most: int = MOST_PER_MARKET, least: Decimal = LEAST_SCORE
    ) -> list[tuple[MarketId, Verdict]]:
        """Return up to ``most`` partners without a veto that score at least ``least``, best first.

        None are returned for a market that is not in the index. What the index holds of it counts.
        """
        if market.market_id not in self._markets[market.venue]:
            return []
        [found] = self.best_of_event([market], most=most, least=least)
        return found

    def best_of_event(
        self, markets: Sequence[Market], *, most: int = MOST_PER_MARKET, least: Decimal = LEAST_SCORE
    ) -> Iterator[list[tuple[MarketId, Verdict]]]:
        """Yield for each of several markets of one venue, best of one event, what ``best`` returns.

        Ranking an event at once is several times cheaper. The markets need not be in the index.
        """
        venue = markets[0].venue
        held = [self._markets[venue].get(market.market_id, market) for market in markets]
        asked = [self._reader.terms(market) for market in held]
        others = self._postings[_OTHER[venue]]
        rankings = others.rank_event(asked, _COMPARED)
        for market, terms, ranking in zip(held, asked, rankings, strict=True):
            likely = shortlist(ranking, terms, self._reader.label_terms(market), others.terms)
            yield self._judge(market, likely, most, least)

    def slots(self, venue: Venue, market_id: MarketId) -> Slots | None:
        """Return a listing's slots; None when it is not listed."""
        market = self._markets[venue].get(market_id)
        return None if market is None else self._parsed(market)

    def blocked(self, ours: Slots) -> list[MarketId]:
        """Return the markets of the other venue to compare with: those of the same game, or else the candidates."""
        return self._same_game(ours.market) or self.candidates(ours.market)

    def _same_game(self, market: Market) -> list[MarketId]:
        """Return every market of the other venue that a template reads as the same game."""
        return self._of_game(market.venue, self._key(market))

    def _of_game(self, venue: Venue, key: GameKey | None) -> list[MarketId]:
        return sorted(self._by_game[_OTHER[venue]].get(key, ())) if key is not None else []

    def _key(self, market: Market) -> GameKey | None:
        listed = self._is_listed(market)
        return self._game_of[market.venue].get(market.market_id) if listed else self._game_key(market)

    def _game_key(self, market: Market) -> GameKey | None:
        game, _ = game_of(_capped(market), self._mappings)
        return None if game is None else game.key

    def _judge(
        self, market: Market, likely: list[MarketId], most: int, least: Decimal
    ) -> list[tuple[MarketId, Verdict]]:
        key = self._key(market)
        figures = self._figures(market)
        others = self._of_game(market.venue, key) or [
            other_id for other_id in likely if not self._is_refused(figures, key, other_id)
        ]
        if not others:
            return []
        ours = self._parsed(market, figures)
        if ours.placeholder or ours.contradiction:
            return []
        scored = ((other_id, self._compare(ours, other_id)) for other_id in others)
        fitting = lowered([item for item in scored if not item[1].vetoes], self._question(market.venue))
        found = [(other_id, verdict) for other_id, verdict in fitting if verdict.score >= least]
        return sorted(found, key=lambda item: (-item[1].score, item[0]))[:most]

    def _question(self, venue: Venue) -> Callable[[MarketId], str]:
        """Return how to look up the question of a listing of the other venue."""
        listed = self._markets[_OTHER[venue]]
        return lambda market_id: question(listed[market_id])

    def _is_refused(self, ours: Figures, key: GameKey | None, other_id: MarketId) -> bool:
        """Whether a listing of the other venue is refused before its words are read: most are."""
        venue = _OTHER[ours.market.venue]
        other_key = self._game_of[venue].get(other_id)
        if key is not None and other_key is not None:
            return True  # they differ: what has the same key was found by it
        if (key is not None and is_contest(key)) or (other_key is not None and is_contest(other_key)):
            return True
        theirs = self._figures(self._markets[venue][other_id])
        return figures_refuse(theirs, ours) if venue is Venue.KALSHI else figures_refuse(ours, theirs)

    def _compare(self, ours: Slots, other_id: MarketId) -> Verdict:
        venue = ours.market.venue
        theirs = self._parsed(self._markets[_OTHER[venue]][other_id])
        both = (ours, theirs) if venue is Venue.KALSHI else (theirs, ours)
        return compare(*both, every_veto=False)

    def _figures(self, market: Market) -> Figures:
        """Return what a market states in numbers; what was read of a listing is kept as long as there is room."""
        kept = self._read[market.venue]
        figures = kept.get(market.market_id) if self._is_listed(market) else None
        if figures is None:
            figures = read_figures(_capped(market))
            self._keep(market, figures)
        return figures

    def _parsed(self, market: Market, figures: Figures | None = None) -> Slots:
        """Return a market's slots; those of listings are parsed once and kept as long as there is room."""
        slots = figures or self._figures(market)
        if not isinstance(slots, Slots):
            slots = parse_slots(slots.market, self._mappings, slots)
            self._keep(market, slots)
        return slots

    def _keep(self, market: Market, read: Figures) -> None:
        kept = self._read[market.venue]
        if not self._is_listed(market):
            return
        if market.market_id not in kept and len(kept) >= self._most_slots:
            del kept[next(iter(kept))]
        kept[market.market_id] = read

    def _is_listed(self, market: Market) -> bool:
        return market.market_id in self._markets[market.venue]


def _capped(market: Market) -> Market:
    """Return a market whose texts are no longer than is read: what a venue writes must not cost more than its worth."""
    texts = (market.title, market.outcome_label, market.event_title, market.slug, market.event_slug, *market.outcomes)
    if max(map(len, texts)) <= LONGEST_FIELD:
        return market
    return msgspec.structs.replace(
        market,
        title=market.title[:LONGEST_FIELD],
        outcome_label=market.outcome_label[:LONGEST_FIELD],
        event_title=market.event_title[:LONGEST_FIELD],
        slug=market.slug[:LONGEST_FIELD],
        event_slug=market.event_slug[:LONGEST_FIELD],
        outcomes=tuple(outcome[:LONGEST_FIELD] for outcome in market.outcomes),
    )


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
