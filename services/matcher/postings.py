"""The listings of one venue by their terms: which of them share the most telling terms with a listing of the other.

A term tells the more the fewer listings have it. Listings come in events whose members share most of their terms, so
events are found first: rare terms are followed to their events, frequent ones only looked up in those. Then the members
of the best events are ranked. The work for one listing hardly grows with the venue, and the listings of one event are
best ranked together, because what they share is then looked up once.
"""

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations, islice
from typing import NamedTuple, NewType

from rapidfuzz import fuzz

from services.matcher.terms import MOST_TERMS
from shared.domain.market import MarketId

_FOLLOWED = 60
"""Entries of the index that are followed to their events for one question, the rarest terms first."""
_PAIRED = 4
"""Of the terms that are too frequent for that, so many are crossed with each other."""
_LARGEST_CROSSED = 6_000
_MOST_PAIRS = 128
"""Kept crossings, of at most 6,000 events each: some ten megabytes at the very most."""
_SHARES = (0.8, 0.6, 0.4)
"""Of the best event's weight: events with less are left out as long as enough have more."""
_RARE = 12
"""A listing's own term counts for finding events when no more events have it."""
_FOLLOWED_OWN = 60
"""Entries that are followed straight to their listings, for the terms that are one listing's own."""
_MEMBERS = 48
"""Listings of the best events that are looked at, and ..."""
_MEMBERS_EACH = 3
"""... this many more for each listing asked about."""
_LEAST_COMMON = 2
"""Listings that have fewer known terms in common are ranked one by one."""
_KEPT = 24
_EVENT_MEMBERS = 128
"""A larger event is kept in parts, so that no listing pays for its size."""
_NEAR_SPELLING_PERCENT = 80
_NEAR_WEIGHT = 0.8
_LEAST_LETTERS = 5
_VOWELS = re.compile(r"(?<!^)[aeiouyhw]")
_DOUBLED = re.compile(r"(.)\1+")
_SAME_SOUND = str.maketrans({"z": "s", "c": "k", "q": "k", "v": "f", "j": "i"})

_PER_ROOT = [1 / math.sqrt(count) if count else 0.0 for count in range(MOST_TERMS + 1)]

EventKey = NewType("EventKey", str)
"""An event, or one part of a large one."""


Ranked = tuple[float, MarketId, float]
"""A listing that shares terms: minus its likeness, its id, the weight of what is shared; sorts the likest first.

The likeness is that weight over the root of the number of the listing's terms: it compares only within one ranking."""


class Ranking(NamedTuple):
    """The listings most like the one asked about."""

    weight: float
    """Of all terms of the listing asked about that some listing has."""
    best: list[Ranked]


_Known = tuple[int, str, float, set[MarketId]]
"""A term of a question that some listing has: how many have it, the term, its weight, who. Sorts the rarest first."""


_Frequent = tuple[int, str, float, set[EventKey]]
"""A term by its events: how many have it, the term, its weight, which. Sorts the rarest first."""


class Postings:
    """One venue's listings. Putting, removing and ranking one take well under two milliseconds."""

    def __init__(self) -> None:
        self._terms: dict[MarketId, tuple[str, ...]] = {}
        self._per_root: dict[MarketId, float] = {}
        """One over the root of the number of a listing's terms."""
        self._holders: dict[str, set[MarketId]] = {}
        self._event_of: dict[MarketId, EventKey] = {}
        self._members: dict[EventKey, set[MarketId]] = {}
        self._events: dict[str, set[EventKey]] = {}
        self._both: dict[tuple[str, str], set[EventKey]] = {}
        self._sounds: defaultdict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._terms)

    def __contains__(self, market_id: object) -> bool:
        return market_id in self._terms

    def terms(self, market_id: MarketId) -> tuple[str, ...]:
        """Return the terms of a listing that is there."""
        return self._terms[market_id]

    def put(self, market_id: MarketId, event_id: str, terms: Collection[str]) -> None:
        """Take in a listing, new or changed, with its different terms; without an event it is an event of its own."""
        assert len(terms) <= MOST_TERMS, f"{market_id} has {len(terms)} terms"
        self.remove(market_id)
        event = self._part(event_id or market_id)
        self._both.clear()
        self._terms[market_id] = tuple(terms)
        self._per_root[market_id] = _PER_ROOT[len(terms)]
        self._event_of[market_id] = event
        self._members.setdefault(event, set()).add(market_id)
        for term in terms:
            holders = self._holders.get(term)
            if holders is None:
                self._holders[term] = {market_id}
                self._events[term] = {event}
                if _has_sound(term):
                    self._sounds[_sound(term)].add(term)
            else:
                holders.add(market_id)
                self._events[term].add(event)

    def remove(self, market_id: MarketId) -> None:
        """Forget a listing; nothing happens when it is not listed."""
        terms = self._terms.pop(market_id, None)
        if terms is None:
            return
        self._both.clear()
        del self._per_root[market_id]
        event = self._event_of.pop(market_id)
        siblings = self._members[event]
        siblings.discard(market_id)
        if not siblings:
            del self._members[event]
        for term in terms:
            holders = self._holders[term]
            holders.discard(market_id)
            if siblings.isdisjoint(holders):
                self._events[term].discard(event)
            if not holders:
                del self._holders[term], self._events[term]
                if _has_sound(term):
                    self._unsound(term)

    def rank(self, asked: frozenset[str], most: int) -> Ranking:
        """Return up to ``most`` listings that share terms with one listing."""
        return self.rank_event([asked], most)[0]

    def rank_event(self, asked: Sequence[frozenset[str]], most: int) -> list[Ranking]:
        """Return a ranking for each of several listings, best of one event: they share most of their terms."""
        common = frozenset.intersection(*asked)
        shared = self._known(common)
        if len(asked) > 1 and len(shared) < _LEAST_COMMON:
            return [self.rank(terms, most) for terms in asked]
        owns = [self._known(terms - common) for terms in asked]
        rare = {term: weight for own in owns for _, term, weight, _ in own if len(self._events[term]) <= _RARE}
        found = self._find(shared, rare, _MEMBERS + _MEMBERS_EACH * len(asked))
        event = _Event(self._per_root, shared, found)
        return [event.rank(own, most) for own in owns]

    def _part(self, event_id: str) -> EventKey:
        key = EventKey(event_id)
        part = 1
        while len(self._members.get(key, ())) >= _EVENT_MEMBERS:
            part += 1
            key = EventKey(f"{event_id} {part}")
        return key

    def _known(self, terms: Iterable[str]) -> list[_Known]:
        """Return the terms that some listing has, or spells nearly so, rarest first."""
        count = len(self._terms)
        by_term = self._holders
        known = []
        for term in terms:
            holders = by_term.get(term)
            if holders is not None:
                known.append((len(holders), term, math.log(1 + count / len(holders)), holders))
            elif _has_sound(term):
                known += self._near(term, count)
        known.sort()
        return known

    def _near(self, asked: str, count: int) -> list[_Known]:
        """Return the terms that sound like one that nobody has and are spelled nearly so."""
        return [
            (len(holders), term, _NEAR_WEIGHT * math.log(1 + count / len(holders)), holders)
            for term in self._sounds.get(_sound(asked), ())
            if fuzz.ratio(term, asked) >= _NEAR_SPELLING_PERCENT
            for holders in (self._holders[term],)
        ]

    def _find(self, shared: list[_Known], rare: dict[str, float], most: int) -> list[MarketId]:
        """Return the members of the events that share the most weight.

        Events are found by the rarest terms, and by any two of the next, because a rare term may be rare for a reason
        that has nothing to do with the question: a city in the weather, a name in another league.
        """
        by_rarity = sorted(
            (len(events), term, weight, events) for _, term, weight, _ in shared for events in (self._events[term],)
        )
        found: defaultdict[EventKey, float] = defaultdict(float)
        left = _FOLLOWED
        followed = 0
        for count, _, weight, events in by_rarity:
            left -= count
            if left < 0:
                break
            followed += 1
            for event in events:
                found[event] += weight
        for term, weight in rare.items():
            for event in self._events[term]:
                found[event] += weight
        frequent = by_rarity[followed:]
        for event in self._crossed(frequent, enough=bool(found)):
            found[event] += 0.0
        for _, _, weight, events in frequent:
            for event in found.keys() & events:
                found[event] += weight
        members: list[MarketId] = []
        for event in _likest(found, most):
            if len(members) >= most:
                break
            members += self._members[event]
        return members

    def _crossed(self, frequent: list[_Frequent], *, enough: bool) -> set[EventKey]:
        """Return the events that have any two of the rarest of these terms; unless ``enough``, some in any case."""
        found: set[EventKey] = set()
        candidates = [item for item in frequent[:_PAIRED] if item[0] <= _LARGEST_CROSSED or not enough]
        for first, second in combinations(candidates, 2):
            both = self._with_both(first, second)
            for _, _, _, others in frequent:
                if len(both) <= _FOLLOWED:
                    break
                both = both & others or both
            found.update(islice(both, _FOLLOWED))
        if not found and not enough and frequent:
            return set(islice(frequent[0][3], _FOLLOWED))
        return found

    def _with_both(self, first: _Frequent, second: _Frequent) -> set[EventKey]:
        """Return the events that have both terms, kept while nothing changes: neighbouring events ask the same."""
        pair = first[1], second[1]
        both = self._both.get(pair)
        if both is None:
            both = first[3] & second[3]
            if first[0] <= _LARGEST_CROSSED:
                if len(self._both) >= _MOST_PAIRS:
                    self._both.clear()
                self._both[pair] = both
        return both

    def _unsound(self, term: str) -> None:
        sound = _sound(term)
        self._sounds[sound].discard(term)
        if not self._sounds[sound]:
            del self._sounds[sound]


class _Event:
    """What the listings asked about have in common, looked up once."""

    def __init__(self, per_root: dict[MarketId, float], known: list[_Known], found: list[MarketId]) -> None:
        self._per_root = per_root
        self._known = known
        self._weight = sum([weight for _, _, weight, _ in known])
        shared = self._shared = dict.fromkeys(found, 0.0)
        members = shared.keys()
        for _, _, weight, holders in known:
            for market_id in members & holders:
                shared[market_id] += weight
        self._ranked = self._rank(shared)
        self._ranked.sort()
        del self._ranked[_KEPT:]

    def rank(self, own: list[_Known], most: int) -> Ranking:
        """Return the listings that share the event's terms and those in ``own``, the likest first."""
        if not own:
            return Ranking(self._weight, self._ranked[:most])
        hits = self._hits(own)
        ranked = self._rank(hits)
        ranked += [item for item in self._ranked if item[1] not in hits]
        ranked.sort()
        return Ranking(self._weight + sum([weight for _, _, weight, _ in own]), ranked[:most])

    def _hits(self, own: list[_Known]) -> dict[MarketId, float]:
        """Return the weight of the listings that have any of ``own``, with what they share with the event."""
        shared = self._shared
        members = shared.keys()
        left = _FOLLOWED_OWN
        hits: dict[MarketId, float] = {}
        for count, _, weight, holders in own:
            left -= count
            for market_id in holders if left >= 0 else members & holders:
                if market_id in hits:
                    hits[market_id] += weight
                elif market_id in shared:
                    hits[market_id] = weight + shared[market_id]
                else:
                    hits[market_id] = weight + sum([item[2] for item in self._known if market_id in item[3]])
        return hits

    def _rank(self, weights: dict[MarketId, float]) -> list[Ranked]:
        per_root = self._per_root
        return [(-weight * per_root[key], key, weight) for key, weight in weights.items()]


def _likest(found: dict[EventKey, float], most: int) -> list[EventKey]:
    """Return the weightiest, best first; what has far less than the best is left out when there are many."""
    least = 0.0
    if len(found) > most:
        weights = sorted(found.values(), reverse=True)
        least = next((share * weights[0] for share in _SHARES if weights[most - 1] >= share * weights[0]), least)
    return [event for _, event in sorted([(-weight, event) for event, weight in found.items() if weight >= least])]


def _has_sound(term: str) -> bool:
    return len(term) >= _LEAST_LETTERS and term.isalpha()


def _sound(word: str) -> str:
    """Return what stays of a name however it is spelled: ``eizenkot`` and ``eisenkot`` are one."""
    plain = word.replace("ph", "f").replace("ck", "k").replace("x", "ks").translate(_SAME_SOUND)
    return _DOUBLED.sub(r"\1", _VOWELS.sub("", plain))
