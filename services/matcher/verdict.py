"""``match``: are two markets the same question? Named vetoes first, then a score for the review queue.

Text likeness never decides: the closest texts are the traps. A veto names the slot that differs, so that a refusal can
be read and tested. What a slot leaves unsaid lowers the score and is listed among the reasons.
"""

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
from rapidfuzz import fuzz

from services.matcher.mapping_files import Mappings
from services.matcher.mapping_rows import Relation
from services.matcher.slots import Slots, Threshold, content_words, parse_slots
from services.matcher.templates import KalshiGame, PolymarketGame, orientation_of
from shared.domain.market import Market, Venue
from shared.domain.pair import Orientation

_SCORE_STEP = Decimal("0.001")
_LIKE_WORD = 85
_LEAST_LETTERS = 5
_YES_NO = ("yes", "no")
_UNSAID_COST = Decimal("0.05")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the slots say about two markets."""

    relation: Relation
    """``equivalent`` when nothing speaks against it; a person still has to read both rule texts."""
    orientation: Orientation
    score: Decimal
    """From 0 to 1; 0 when there is a veto."""
    vetoes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


def match(kalshi: Market, polymarket: Market, mappings: Mappings | None = None) -> Verdict:
    """Compare two markets; ``mappings`` has the team tables. Pure."""
    known = mappings or Mappings()
    return compare(parse_slots(kalshi, known), parse_slots(polymarket, known))


def compare(kalshi: Slots, polymarket: Slots) -> Verdict:
    """Compare two parsed markets, Kalshi's first."""
    assert kalshi.market.venue is Venue.KALSHI, kalshi.market
    assert polymarket.market.venue is Venue.POLYMARKET, polymarket.market
    if isinstance(kalshi.game, KalshiGame) and isinstance(polymarket.game, PolymarketGame):
        return _compare_games(kalshi.game, polymarket.game)
    orientation = _orientation(kalshi, polymarket)
    vetoes = tuple(dict.fromkeys(_vetoes(kalshi, polymarket)))
    if orientation is None:
        vetoes = (*vetoes, "orientation")
    if vetoes:
        return Verdict(
            relation="different", orientation=orientation or Orientation.SAME, score=Decimal(0), vetoes=vetoes
        )
    assert orientation is not None
    unsaid = tuple(_unsaid(kalshi, polymarket))
    score = _likeness(kalshi, polymarket) - _UNSAID_COST * len(unsaid)
    return Verdict(
        relation="equivalent",
        orientation=orientation,
        score=max(Decimal(0), score).quantize(_SCORE_STEP, ROUND_HALF_EVEN),
        reasons=(f"words {_shared(kalshi, polymarket)}", *unsaid),
    )


def _compare_games(kalshi: KalshiGame, polymarket: PolymarketGame) -> Verdict:
    vetoes = []
    if kalshi.key.template_id != polymarket.key.template_id:
        vetoes.append("market_type")
    elif kalshi.key.teams != polymarket.key.teams:
        vetoes.append("entity")
    if kalshi.key.day != polymarket.key.day:
        vetoes.append("date")
    if vetoes:
        return Verdict(relation="different", orientation=Orientation.SAME, score=Decimal(0), vetoes=tuple(vetoes))
    return Verdict(
        relation="equivalent",
        orientation=orientation_of(kalshi, polymarket),
        score=Decimal(1),
        reasons=(f"template {kalshi.key.template_id}: teams {'-'.join(sorted(kalshi.key.teams))}, {kalshi.key.day}",),
    )


def _vetoes(kalshi: Slots, polymarket: Slots) -> Iterator[str]:
    both = (kalshi, polymarket)
    if any(side.placeholder or side.market.never_match for side in both):
        yield "placeholder"
    if any(side.contradiction for side in both) or (kalshi.game is None) != (polymarket.game is None):
        yield "market_type"
    if _differ(kalshi.years, polymarket.years) or _far_apart(kalshi, polymarket):
        yield "year"
    if _differ(kalshi.days, polymarket.days) or _differ(kalshi.months, polymarket.months):
        yield "date"
    if _differ(kalshi.deadlines, polymarket.deadlines):
        yield "deadline"
    if kalshi.market_types != polymarket.market_types:
        yield (
            "direction" if {"cut", "hike", "hold"} & (kalshi.market_types ^ polymarket.market_types) else "market_type"
        )
    if kalshi.stages != polymarket.stages or kalshi.places != polymarket.places:
        yield "stage"
    if kalshi.districts != polymarket.districts:
        yield "district"
    yield from _threshold_vetoes(kalshi.thresholds, polymarket.thresholds)
    if not (_names(kalshi.entity, polymarket) and _names(polymarket.entity, kalshi)):
        yield "entity"


def _threshold_vetoes(ours: frozenset[Threshold], theirs: frozenset[Threshold]) -> Iterator[str]:
    unmatched = [t for t in ours if not any(_same_threshold(t, other) for other in theirs)]
    unmatched += [t for t in theirs if not any(_same_threshold(t, other) for other in ours)]
    if not unmatched:
        return
    opposite = any(
        a.value == b.value and {a.comparator, b.comparator} == {"above", "below"} for a in ours for b in theirs
    )
    yield "direction" if opposite else "threshold"


def _same_threshold(ours: Threshold, theirs: Threshold) -> bool:
    """Whether two thresholds cut at the same place: over 210 is 211 or more, above 99,999.99 is 100,000 or more."""
    if ours.comparator != theirs.comparator:
        return False
    if ours.inclusive == theirs.inclusive:
        return ours.value == theirs.value
    strict, loose = (ours.value, theirs.value) if theirs.inclusive else (theirs.value, ours.value)
    gap = loose - strict if ours.comparator == "above" else strict - loose
    whole = strict == strict.to_integral_value() and loose == loose.to_integral_value()
    return gap == Decimal("0.01") or (whole and gap == 1 and strict > 1)


def _differ(ours: frozenset[object], theirs: frozenset[object]) -> bool:
    return bool(ours) and bool(theirs) and not ours & theirs


def _far_apart(kalshi: Slots, polymarket: Slots) -> bool:
    """Whether one side states a year and the other ends more than a year away from it."""
    for stated, other in ((kalshi, polymarket), (polymarket, kalshi)):
        ends = other.market.expected_expiration_time or other.market.close_time
        if stated.years and not other.years and ends is not None:
            return min(abs(year - ends.year) for year in stated.years) > 1
    return False


def _names(entity: frozenset[str], other: Slots) -> bool:
    """Whether the other text names this outcome: its longest word and at least half of all its words."""
    if not entity:
        return True
    words = other.words | content_words(" ".join(other.market.outcomes).lower())
    found = {word for word in entity if _is_among(word, words)}
    longest = max(entity, key=lambda word: (len(word), word))
    return longest in found and 2 * len(found) >= len(entity)


def _is_among(word: str, words: frozenset[str]) -> bool:
    if word in words:
        return True
    return len(word) >= _LEAST_LETTERS and any(
        len(other) >= _LEAST_LETTERS and fuzz.ratio(word, other) >= _LIKE_WORD for other in words
    )


def _orientation(kalshi: Slots, polymarket: Slots) -> Orientation | None:
    """Return which outcome Kalshi's YES pays on; None when that cannot be told."""
    outcomes = tuple(outcome.lower() for outcome in polymarket.market.outcomes)
    if outcomes == _YES_NO:
        return Orientation.SAME
    if len(outcomes) != 2 or not kalshi.entity:
        return None
    first, second = (_covered(content_words(outcome), kalshi.entity) for outcome in outcomes)
    if first == second:
        return None
    return Orientation.SAME if first > second else Orientation.INVERTED


def _covered(name: frozenset[str], entity: frozenset[str]) -> int:
    return sum(_is_among(word, entity) for word in name)


def _likeness(kalshi: Slots, polymarket: Slots) -> Decimal:
    """Return how alike the texts read, from 0 to 1: cover of words both ways, and rapidfuzz on the sorted words."""
    ours, theirs = kalshi.words, polymarket.words
    if not ours or not theirs:
        return Decimal(0)
    found = sum(_is_among(word, theirs) for word in ours)
    back = sum(_is_among(word, ours) for word in theirs)
    cover = Decimal(found + back) / (len(ours) + len(theirs))
    text = Decimal(round(fuzz.token_sort_ratio(" ".join(sorted(ours)), " ".join(sorted(theirs))))) / 100
    return (cover * 2 + text) / 3


def _shared(kalshi: Slots, polymarket: Slots) -> str:
    return ", ".join(sorted(kalshi.words & polymarket.words)[:8]) or "none shared"


def _unsaid(kalshi: Slots, polymarket: Slots) -> Iterator[str]:
    for name in ("years", "days", "deadlines"):
        ours, theirs = getattr(kalshi, name), getattr(polymarket, name)
        if bool(ours) != bool(theirs):
            yield f"{name} stated on {'kalshi' if ours else 'polymarket'} only"
