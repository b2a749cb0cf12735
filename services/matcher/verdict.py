"""``match``: are two markets the same question? Named vetoes first, then a score for the review queue.

Text likeness never decides: the closest texts are the traps. A veto names the slot that differs, so that a refusal can
be read and tested. What a slot leaves unsaid lowers the score and is listed among the reasons.
"""

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

import msgspec

from services.matcher.amounts import Interval, Overlap, compare_amounts
from services.matcher.figures import Figures
from services.matcher.likeness import Likeness, full_names, score_of, slot_weight
from services.matcher.mapping_files import Mappings
from services.matcher.mapping_rows import Relation
from services.matcher.names import is_among, spelled_out
from services.matcher.slots import Slots, parse_slots
from services.matcher.templates import GameKey, KalshiGame, PolymarketGame, orientation_of
from services.matcher.text import stem
from services.matcher.timing import compare_times
from services.matcher.vocabulary import RATE_MOVES
from services.matcher.wording import NAME_WEIGHT
from shared.domain.market import Market, Venue
from shared.domain.pair import Orientation

HIGH_BAND = Decimal("0.9")
"""The figures of docs/mapping-guide.md are claimed for candidates that score at least this."""
_NEAR_CAP = Decimal("0.8")
_DOUBT_CAP = Decimal("0.88")
"""Keeps a pair out of the high band when the wordings may mean different things, as by a day and on that day."""
_ORDERED = frozenset({"threshold", "direction", "deadline"})
"""Vetoes of things that have an order, so that one question may contain the other."""
_SAME_SUBJECT = Decimal("0.8")
_OF_OVERLAP: dict[Overlap, Relation] = {
    "same": "equivalent", "subset": "subset", "superset": "superset", "overlap": "overlap",
    "complement": "complement", "disjoint": "different",
}  # fmt: skip
_PARTS_OF_A_MATCH = ("map", "game", "set", "period", "inning")
_STATE_OFFICES = frozenset(map(stem, ("senate", "house", "governor")))
_YES_NO = ("yes", "no")
_FIRST = "place1"
_SUPERLATIVES = frozenset(("top", "best", "most", "first", "largest", "biggest", "leading", "number"))
_USUAL = frozenset({"regular_season"})
"""What is meant when no stage is stated."""


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
    """Compare two markets; ``mappings`` has the team tables. Pure.

    When only numbers or deadlines differ, the relation says how: subset, superset, overlap or complement.
    """
    known = mappings or Mappings()
    ours, theirs = parse_slots(kalshi, known), parse_slots(polymarket, known)
    verdict = compare(ours, theirs)
    if not verdict.vetoes or not _ORDERED.issuperset(verdict.vetoes):
        return verdict
    return msgspec.structs.replace(verdict, relation=_relation(ours, theirs))


def compare(kalshi: Slots, polymarket: Slots, *, every_veto: bool = True) -> Verdict:
    """Compare two parsed markets, Kalshi's first; without ``every_veto`` a refusal names only the first one found."""
    assert kalshi.market.venue is Venue.KALSHI, kalshi.market
    assert polymarket.market.venue is Venue.POLYMARKET, polymarket.market
    if isinstance(kalshi.game, KalshiGame) and isinstance(polymarket.game, PolymarketGame):
        return _compare_games(kalshi.game, polymarket.game)
    if not every_veto and (first := next(_slot_vetoes(kalshi, polymarket), None)) is not None:
        return _refused(first)
    vetoes = list(_slot_vetoes(kalshi, polymarket)) if every_veto else []
    timing = compare_times(kalshi, polymarket)
    vetoes += timing.vetoes
    if vetoes:
        return _refused(*vetoes)
    if not every_veto and not _entities_meet(kalshi, polymarket):
        return _refused("entity")  # before the words are compared, which costs more
    orientation = _orientation(kalshi, polymarket)
    likeness = Likeness(kalshi, polymarket)
    vetoes += _name_vetoes(kalshi, polymarket, likeness)
    if orientation is None:
        vetoes.append("orientation")
    if vetoes or orientation is None:
        return _refused(*vetoes)
    unsaid = [*timing.unsaid, *_unsaid_slots(kalshi, polymarket)]
    left_over = likeness.left_over(kalshi, polymarket) + sum(cost for _, cost in unsaid)
    score = score_of(likeness.shared + timing.agreed + slot_weight(kalshi, polymarket), left_over)
    near = kalshi.settlement or polymarket.settlement
    if near:
        score = min(score, _NEAR_CAP)
    elif timing.is_doubtful:
        score = min(score, _DOUBT_CAP)
    return Verdict(
        relation="near" if near else "equivalent",
        orientation=orientation,
        score=score,
        reasons=tuple(_reasons(kalshi, polymarket, likeness, unsaid, near)),
    )


def figures_refuse(kalshi: Figures, polymarket: Figures) -> bool:
    """Whether what two markets state in numbers is enough for a veto, whatever their words say; not for two games."""
    if kalshi.districts != polymarket.districts or _parts_differ(kalshi, polymarket):
        return True
    if not (kalshi.may_be_hold or polymarket.may_be_hold) and any(
        _threshold_vetoes(kalshi.thresholds, polymarket.thresholds)
    ):
        return True
    return bool(compare_times(kalshi, polymarket).vetoes)


def is_contest(key: GameKey) -> bool:
    """Whether a template reads a game; a public question may also be asked in other words."""
    return not key.family.startswith("public-")


def _relation(kalshi: Slots, polymarket: Slots) -> Relation:
    """Return how two questions lie to each other that differ at most in one number and one deadline."""
    likeness = Likeness(kalshi, polymarket)
    if any(_name_vetoes(kalshi, polymarket, likeness)):
        return "different"
    if score_of(likeness.shared, likeness.left_over(kalshi, polymarket)) < _SAME_SUBJECT:
        return "different"
    found = {_OF_OVERLAP[overlap] for overlap in (_of_amounts(kalshi, polymarket), _of_deadlines(kalshi, polymarket))}
    found.discard("equivalent")
    return found.pop() if len(found) == 1 else "different"


def _of_amounts(kalshi: Slots, polymarket: Slots) -> Overlap:
    if len(kalshi.thresholds) != 1 or len(polymarket.thresholds) != 1:
        return "same" if kalshi.thresholds == polymarket.thresholds else "disjoint"
    (ours,), (theirs,) = kalshi.thresholds, polymarket.thresholds
    return compare_amounts(ours, theirs)


def _of_deadlines(kalshi: Slots, polymarket: Slots) -> Overlap:
    if len(kalshi.deadlines) != 1 or len(polymarket.deadlines) != 1:
        return "same" if kalshi.deadlines == polymarket.deadlines else "disjoint"
    (ours,), (theirs,) = kalshi.deadlines, polymarket.deadlines
    if ours[1:] == theirs[1:] and ours[0] == theirs[0]:
        return "same"
    if ours[0] is None or theirs[0] is None:
        return "disjoint"
    return "subset" if (ours[0], *ours[1:]) < (theirs[0], *theirs[1:]) else "superset"


@lru_cache(maxsize=4_096)
def _refused(*vetoes: str) -> Verdict:
    return Verdict(
        relation="different", orientation=Orientation.SAME, score=Decimal(0), vetoes=tuple(dict.fromkeys(vetoes))
    )


def _compare_games(kalshi: KalshiGame, polymarket: PolymarketGame) -> Verdict:
    ours, theirs = kalshi.key, polymarket.key
    vetoes = []
    if ours.family != theirs.family:
        vetoes.append("market_type")
    elif ours.teams != theirs.teams:
        vetoes.append("entity")
    elif ours.answer != theirs.answer:
        vetoes.append("threshold" if ours.answer.startswith("over ") else "entity")
    if ours.day != theirs.day:
        vetoes.append("date")
    if vetoes:
        return _refused(*vetoes)
    asked = f", {ours.answer}" if ours.answer else ""
    return Verdict(
        relation="equivalent",
        orientation=orientation_of(kalshi, polymarket),
        score=Decimal(1),
        reasons=(f"template {kalshi.template_id}: teams {'-'.join(sorted(ours.teams))}, {ours.day}{asked}",),
    )


def _slot_vetoes(kalshi: Slots, polymarket: Slots) -> Iterator[str]:
    if kalshi.placeholder or polymarket.placeholder or kalshi.market.never_match or polymarket.market.never_match:
        yield "placeholder"
    if kalshi.contradiction or polymarket.contradiction or _plays(kalshi) != _plays(polymarket):
        yield "market_type"
    differing = (kalshi.market_types - polymarket.market_types - polymarket.context_classes) | (
        polymarket.market_types - kalshi.market_types - kalshi.context_classes
    )
    if differing:
        yield "direction" if RATE_MOVES & differing else "market_type"
    if kalshi.stages != polymarket.stages and (_other_stages(kalshi, polymarket) or _other_stages(polymarket, kalshi)):
        yield "stage"
    if kalshi.offices and polymarket.offices and not kalshi.offices & polymarket.offices:
        yield "stage"
    if kalshi.teams and polymarket.teams and not kalshi.teams & polymarket.teams:
        yield "entity"
    if kalshi.leagues and polymarket.leagues and not kalshi.leagues & polymarket.leagues:
        yield "entity"
    if kalshi.parties and polymarket.parties and kalshi.parties != polymarket.parties:
        yield "entity"
    if kalshi.offices & polymarket.offices & _STATE_OFFICES and (
        kalshi.states - polymarket.states - polymarket.context or polymarket.states - kalshi.states - kalshi.context
    ):
        yield "district"
    if _parts_differ(kalshi, polymarket):
        yield "market_type"
    if kalshi.districts != polymarket.districts:
        yield "district"
    if _settles_elsewhere(kalshi, polymarket):
        yield "settlement"
    yield from _threshold_vetoes(kalshi.thresholds, polymarket.thresholds)


def _other_stages(one: Slots, other: Slots) -> bool:
    """Whether one side states a stage that the other does not say; whoever is top or most is first."""
    alone = one.stages - other.stages - other.context_classes
    if _FIRST in alone and not _SUPERLATIVES.isdisjoint(other.spoken):
        alone -= {_FIRST}
    return bool(alone - _USUAL if not other.stages else alone)


def _plays(slots: Slots) -> bool:
    return slots.game is not None and is_contest(slots.game.key)


def _parts_differ(kalshi: Figures, polymarket: Figures) -> bool:
    """Whether they ask about other parts of a contest; a part of a match is never the whole of it."""
    ours, theirs = kalshi.parts, polymarket.parts
    return ours != theirs and (
        bool(ours and theirs) or any(part.startswith(_PARTS_OF_A_MATCH) for part in ours | theirs)
    )


def _settles_elsewhere(kalshi: Slots, polymarket: Slots) -> bool:
    """Whether the venues read different weather stations or reports: no such pair settles alike."""
    return kalshi.settlement == polymarket.settlement == "weather"


def _threshold_vetoes(ours: frozenset[Interval], theirs: frozenset[Interval]) -> Iterator[str]:
    if not ours and not theirs:
        return
    relations = {(a, b): compare_amounts(a, b) for a in ours for b in theirs}
    met = {side for pair, relation in relations.items() if relation == "same" for side in pair}
    if ours <= met and theirs <= met:
        return
    opposite = any(_opposite(a, b) for a, b in relations)
    yield "direction" if opposite else "threshold"


def _opposite(ours: Interval, theirs: Interval) -> bool:
    """Whether one counts what lies above a number and the other what lies below it."""
    ends = {(ours.low, theirs.high), (ours.high, theirs.low)}
    rays = None in (ours.low, ours.high) and None in (theirs.low, theirs.high)
    return rays and any(a is not None and a == b for a, b in ends)


def _name_vetoes(kalshi: Slots, polymarket: Slots, likeness: Likeness) -> Iterator[str]:
    if kalshi.code and not likeness.spell_code(kalshi, polymarket) and not likeness.is_all_said(kalshi, polymarket):
        yield "entity"
    if not _entities_meet(kalshi, polymarket):
        yield "entity"
    if _other_bearer(kalshi, polymarket, likeness):
        yield "entity"


def _entities_meet(kalshi: Slots, polymarket: Slots) -> bool:
    return _names(kalshi.entity, polymarket) and _names(polymarket.entity, kalshi)


def _names(entity: tuple[str, ...], other: Slots) -> bool:
    """Whether the other text names this outcome: its longest word and at least half of all its words."""
    if other.words.issuperset(entity):
        return True
    words = other.words | other.context
    found = {word for word in entity if is_among(word, words)}
    if not found and ("".join(word[0] for word in entity) in words or spelled_out(entity[0], other.spoken)):
        return True
    longest = max(entity, key=len)
    return longest in found and 2 * len(found) >= len(entity)


def _other_bearer(kalshi: Slots, polymarket: Slots, likeness: Likeness) -> bool:
    """Whether each side names somebody else: wholly, or beside a shared word, as Eric and Donald Trump."""
    ours, theirs = set(likeness.missing_kalshi), set(likeness.missing_polymarket)
    if not ours or not theirs:
        return False
    if full_names(kalshi.runs, likeness.missing_kalshi) and full_names(polymarket.runs, likeness.missing_polymarket):
        return True
    for run in kalshi.runs:
        mine = set(run)
        if not mine & ours or mine <= ours:
            continue
        for other in polymarket.runs:
            yours = set(other)
            if mine & yours and yours & theirs and _long(mine & ours) and _long(yours & theirs):
                return True
    return False


def _long(words: set[str]) -> bool:
    return any(len(word) > 1 for word in words)


def _orientation(kalshi: Slots, polymarket: Slots) -> Orientation | None:
    """Return which outcome Kalshi's YES pays on; None when that cannot be told."""
    outcomes = tuple(outcome.lower() for outcome in polymarket.market.outcomes)
    if outcomes == _YES_NO:
        return Orientation.SAME
    if len(outcomes) != 2 or not kalshi.entity:
        return None
    first, second = (sum(is_among(word, kalshi.entity) for word in words) for words in polymarket.outcome_words)
    if first == second:
        return None
    return Orientation.SAME if first > second else Orientation.INVERTED


def _unsaid_slots(kalshi: Slots, polymarket: Slots) -> Iterator[tuple[str, int]]:
    if kalshi.parts != polymarket.parts:
        yield "a numbered part stated on one side only", NAME_WEIGHT
    for one, other in ((kalshi, polymarket), (polymarket, kalshi)):
        if one.after_election and not other.after_election and "after_election" not in other.context_classes:
            yield f"only {one.market.venue.value} says after the election", NAME_WEIGHT


def _reasons(
    kalshi: Slots, polymarket: Slots, likeness: Likeness, unsaid: list[tuple[str, int]], near: str
) -> Iterator[str]:
    yield f"words {', '.join(sorted(kalshi.words & polymarket.words)[:8]) or 'none shared'}"
    if near:
        yield f"settlement: the venues settle {near} questions by different sources or clauses"
    for name, words in (("kalshi", likeness.missing_kalshi), ("polymarket", likeness.missing_polymarket)):
        if words:
            yield f"only {name} says {', '.join(words[:6])}"
    for reason, _ in unsaid:
        yield reason
