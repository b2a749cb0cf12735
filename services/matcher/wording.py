"""Words of a text after its dates and numbers are taken out: what they weigh, and which classes they open.

One pass over the tokens: the longest phrase of the vocabulary that fits is replaced by its word or class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.matcher.phrases import PHRASES
from services.matcher.text import Token, stem, tokens
from services.matcher.vocabulary import FILLERS, GENERIC


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """A league's teams, each by the words of each of its names. Equal to itself alone, so that it can key a cache."""

    teams: Mapping[tuple[str, ...], str]


TEAM = "team:"
"""Opens the word that stands for a team of a table; such a word is exact, no spelling is near it."""
_LONGEST_NAME = 5
NAME_WEIGHT, PHRASE_WEIGHT, NUMBER_WEIGHT, WORD_WEIGHT, GENERIC_WEIGHT = 20, 16, 16, 8, 1


def _longer_phrases() -> dict[tuple[str, str], list[tuple[tuple[str, ...], tuple[str, ...]]]]:
    """Return what may follow the first two words of a phrase, the longest first, with what it means."""
    table: dict[tuple[str, str], list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for phrase in sorted(PHRASES, key=len, reverse=True):
        if len(phrase) > 1:
            table.setdefault((phrase[0], phrase[1]), []).append((phrase[2:], PHRASES[phrase]))
    return table


_CONNECTORS = frozenset(
    ("of", "the", "and", "de", "del", "da", "di", "du", "la", "le", "von", "van", "der", "bin", "for", "in", "s")
)
"""Fillers that may stand inside a name, as in ``Party of Freedom``; any other ends it."""
_GENERIC_ROOTS = frozenset(map(stem, GENERIC))
_LONGER = _longer_phrases()
_SINGLE = {phrase[0]: meant for phrase, meant in PHRASES.items() if len(phrase) == 1}
_OPENINGS = frozenset(phrase[0] for phrase in PHRASES)


@dataclass(slots=True)
class Wording:
    """The content of one text."""

    weights: dict[str, int] = field(default_factory=dict)
    """Each content word, stemmed, in the order of the text, with how much it says."""
    types: set[str] = field(default_factory=set)
    stages: set[str] = field(default_factory=set)
    runs: list[tuple[str, ...]] = field(default_factory=list)
    """Neighbouring capitalised words, each run one name."""
    initials: list[str] = field(default_factory=list)
    """Every word but the fillers as written."""
    spoken: tuple[str, ...] = ()
    """Every word in order."""


def worded(text: str, names: Names | None = None) -> Wording:
    """Return the wording of a plain text without dates and numbers; ``names`` are the teams of its league."""
    return wording_of(tokens(text), {} if names is None else names.teams)


def wording_of(words: Sequence[Token], teams: Mapping[tuple[str, ...], str]) -> Wording:
    """Return the wording of tokens in order; ``teams`` as in ``Names``."""
    run: list[str] = []
    lower = [token.word for token in words]
    found = Wording(spoken=tuple(lower))
    at = 0
    while at < len(words):
        word, is_name, is_short_form = words[at]
        if teams and (taken := _name(teams, lower, at)):
            length, team = taken
            _close(found, run)
            found.weights[f"{TEAM}{team}"] = NAME_WEIGHT
            found.initials += lower[at : at + length]
            at += length
            continue
        if word in _OPENINGS:
            length, meant = _phrase(lower, at)
            if length:
                _take_phrase(found, meant, run, is_name)
                found.initials += lower[at : at + length]
                at += length
                continue
        at += 1
        if word in FILLERS:
            if run and word not in _CONNECTORS:
                _close(found, run)
            continue
        found.initials.append(word)
        root = stem(word)
        if root in _GENERIC_ROOTS or (len(word) == 1 and not word.isdigit()):
            found.weights.setdefault(root, GENERIC_WEIGHT)
            continue
        if is_name:
            if is_short_form:
                _close(found, run)
                found.runs.append((root,))
            else:
                run.append(root)
        else:
            _close(found, run)
        weight = NAME_WEIGHT if is_name else NUMBER_WEIGHT if word.isdigit() else WORD_WEIGHT
        found.weights[root] = max(found.weights.get(root, 0), weight)
    _close(found, run)
    return found


def _name(teams: Mapping[tuple[str, ...], str], words: list[str], at: int) -> tuple[int, str] | None:
    """Return how many words from ``at`` on are a team's name, the longest such name, and the team."""
    for length in range(min(_LONGEST_NAME, len(words) - at), 0, -1):
        if (team := teams.get(tuple(words[at : at + length]))) is not None:
            return length, team
    return None


def _phrase(words: list[str], at: int) -> tuple[int, tuple[str, ...]]:
    """Return how many words from ``at`` on are a phrase, the longest that fits, and what it means."""
    word = words[at]
    if at + 1 < len(words):
        for rest, meant in _LONGER.get((word, words[at + 1]), ()):
            if tuple(words[at + 2 : at + 2 + len(rest)]) == rest:
                return 2 + len(rest), meant
    meant = _SINGLE.get(word, ())
    return (1, meant) if meant else (0, ())


def _take_phrase(found: Wording, meant: tuple[str, ...], run: list[str], is_name: bool) -> None:
    _close(found, run)
    for word in meant:
        if word[0] == "@":
            found.types.add(word[1:])
        elif word[0] == "#":
            found.stages.add(word[1:])
        elif stem(word) in _GENERIC_ROOTS:
            found.weights.setdefault(stem(word), GENERIC_WEIGHT)
        elif word not in FILLERS:
            found.weights[stem(word)] = PHRASE_WEIGHT if is_name else WORD_WEIGHT


def _close(found: Wording, run: list[str]) -> None:
    if run:
        found.runs.append(tuple(run))
        run.clear()
