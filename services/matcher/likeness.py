"""How much of what two markets say is said by both: the weight of shared words and slots against what is left over."""

import re
from collections.abc import Iterator
from decimal import Decimal

from rapidfuzz import fuzz

from services.matcher.names import LEAST_LETTERS, LIKE_WORD, code_fits, spelled_out
from services.matcher.places import COUNTRY_CODES, EXACT_WORDS
from services.matcher.slots import Slots
from services.matcher.text import plain, stem, tokens
from services.matcher.vocabulary import BY_PRESIDENT, IMPLIED, NO_SURNAMES, PRESIDENTS
from services.matcher.wording import GENERIC_WEIGHT, NAME_WEIGHT, TEAM, WORD_WEIGHT

_SCORES = tuple(Decimal(thousandths).scaleb(-3) for thousandths in range(1001))
_SLOT_WEIGHT = 16
_INSTEAD = 2
_FULL_NAME_ALONE = 20
_CONTEXT_PART = 2
_LEAST_IN_SERIES = 3
_OPENS_ROLE = frozenset({"as", "for"})
_ABOUT_PERSONS = frozenset(map(stem, ("vote", "confirm")))
_TO_OFFICE = frozenset({"endorse", "nominate"})
_QUOTED = re.compile(r"\"([^\"]+)\"|(?<!\w)'([^']+)'(?!\w)")
_WILL = ("will",)
"""Opens titles that name what they ask about; ``Who will win`` and ``A vs B Winner`` leave it to the label."""
_PRESIDENT = stem("president")
_ONLY_PRESIDENTS = frozenset({"first_round", "runoff"})
"""Stages of a vote on one person: a country's election that has them is its presidential one."""


class Likeness:
    """The shared and the left over weight of two markets' words."""

    __slots__ = ("missing_kalshi", "missing_polymarket", "shared")

    def __init__(self, kalshi: Slots, polymarket: Slots) -> None:
        ours, theirs = kalshi.weights, polymarket.weights
        self.shared = sum(max(weight, theirs[word]) for word, weight in ours.items() if word in theirs)
        self.missing_kalshi = [word for word in ours if word not in theirs]
        self.missing_polymarket = [word for word in theirs if word not in ours]
        if self.missing_kalshi or self.missing_polymarket:
            self._pair_spellings(kalshi, polymarket)
            self._find_in_context(kalshi, polymarket)
            self._spell_acronyms(kalshi, polymarket)
            self._read_series(kalshi)
            self._leave_out_implied(kalshi, polymarket)
            if kalshi.asides or polymarket.asides:
                self._leave_out_asides(kalshi, polymarket)
                self._leave_out_spelled(kalshi, polymarket)

    def spell_code(self, kalshi: Slots, polymarket: Slots) -> bool:
        """Let Kalshi's ticker code stand for what only Polymarket names; False when it stands for none of it."""
        names = [word for word in polymarket.initials if stem(word) not in kalshi.weights]
        if not self.missing_polymarket or not code_fits(kalshi.code, names):
            return False
        letters = kalshi.code.lower()
        title = _quoted_title(kalshi.code, polymarket.market.title)
        explained = [
            word for word in self.missing_polymarket if word[0] in letters or word.startswith(TEAM) or word in title
        ]
        self.missing_polymarket = [word for word in self.missing_polymarket if word not in explained]
        self.shared += NAME_WEIGHT
        return True

    def is_all_said(self, kalshi: Slots, polymarket: Slots) -> bool:
        """Whether Kalshi's title names somebody and says every word of Polymarket's question, so names the same."""
        return kalshi.spoken[:1] == _WILL and all(
            polymarket.weights[word] <= GENERIC_WEIGHT for word in self.missing_polymarket
        )

    def left_over(self, kalshi: Slots, polymarket: Slots) -> int:
        """Return the weight of what only one side says.

        A first name beside a surname that both say weighs little; what each side says instead of the other weighs
        twice; a full name that only one side says tells questions apart by itself.
        """
        ours = _left_over(self.missing_kalshi, kalshi, polymarket)
        theirs = _left_over(self.missing_polymarket, polymarket, kalshi)
        alone = full_names(kalshi.runs, self.missing_kalshi) + full_names(polymarket.runs, self.missing_polymarket)
        return (
            ours + theirs + _INSTEAD * min(ours, theirs) * (min(ours, theirs) >= WORD_WEIGHT) + _FULL_NAME_ALONE * alone
        )

    def _read_series(self, kalshi: Slots) -> None:
        """Let a series ticker name the place that only Polymarket writes out: ``KXCANSEATS``, ``KXNYCMAYOR``."""
        for word in [word for word in self.missing_polymarket if len(word) >= _LEAST_IN_SERIES]:
            codes = (*filter(_is_long_code, COUNTRY_CODES.get(word, ())), word.upper()[:5])
            if kalshi.series.startswith(codes):
                self.missing_polymarket.remove(word)
                self.shared += NAME_WEIGHT // _CONTEXT_PART

    def _leave_out_implied(self, kalshi: Slots, polymarket: Slots) -> None:
        """Drop what only one side says and what goes without saying beside words that both say."""
        shared = None
        for missing, side in ((self.missing_kalshi, kalshi), (self.missing_polymarket, polymarket)):
            for word in [word for word in missing if word in IMPLIED]:
                shared = shared or kalshi.weights.keys() & polymarket.weights.keys()
                if not IMPLIED[word].isdisjoint(shared):
                    missing.remove(word)
            if BY_PRESIDENT & side.market_types:
                missing[:] = [word for word in missing if word not in PRESIDENTS]

    def _leave_out_asides(self, kalshi: Slots, polymarket: Slots) -> None:
        """Drop what one side adds in brackets to a name that both say, unless the other side adds something else."""
        ours = kalshi.asides.intersection(self.missing_kalshi)
        theirs = polymarket.asides.intersection(self.missing_polymarket)
        if bool(ours) == bool(theirs) or not _share_a_name(kalshi, polymarket):
            return
        self.missing_kalshi = [word for word in self.missing_kalshi if word not in ours]
        self.missing_polymarket = [word for word in self.missing_polymarket if word not in theirs]

    def _leave_out_spelled(self, kalshi: Slots, polymarket: Slots) -> None:
        """Drop what an acronym in brackets stands for when the other side says only the acronym."""
        for missing, side, other in (
            (self.missing_kalshi, kalshi, polymarket),
            (self.missing_polymarket, polymarket, kalshi),
        ):
            for acronym in side.asides & other.words:
                roots = set(map(stem, spelled_out(acronym, side.initials) or spelled_out(acronym, side.spoken)))
                missing[:] = [word for word in missing if word not in roots]

    def _pair_spellings(self, kalshi: Slots, polymarket: Slots) -> None:
        for word in [
            w for w in self.missing_kalshi if len(w) >= LEAST_LETTERS and w.isalpha() and w not in EXACT_WORDS
        ]:
            for other in self.missing_polymarket:
                close = len(other) >= LEAST_LETTERS and abs(len(other) - len(word)) <= 2
                if close and other.isalpha() and other not in EXACT_WORDS and fuzz.ratio(word, other) >= LIKE_WORD:
                    self.missing_kalshi.remove(word)
                    self.missing_polymarket.remove(other)
                    self.shared += max(kalshi.weights[word], polymarket.weights[other])
                    break

    def _find_in_context(self, kalshi: Slots, polymarket: Slots) -> None:
        for missing, ours, theirs in (
            (self.missing_kalshi, kalshi.weights, polymarket.context),
            (self.missing_polymarket, polymarket.weights, kalshi.context),
        ):
            found = [word for word in missing if word in theirs]
            self.shared += sum(ours[word] for word in found) // _CONTEXT_PART
            for word in found:
                missing.remove(word)

    def _spell_acronyms(self, kalshi: Slots, polymarket: Slots) -> None:
        for missing, spelled, side, other in (
            (self.missing_kalshi, self.missing_polymarket, kalshi, polymarket),
            (self.missing_polymarket, self.missing_kalshi, polymarket, kalshi),
        ):
            for word in [w for w in missing if 2 <= len(w) <= 5 and side.weights[w] >= NAME_WEIGHT]:
                meant = spelled_out(word, other.initials) or spelled_out(word, other.spoken)
                if meant:
                    missing.remove(word)
                    self.shared += NAME_WEIGHT
                    roots = set(map(stem, meant))
                    spelled[:] = [long for long in spelled if long not in roots]


def _share_a_name(kalshi: Slots, polymarket: Slots) -> bool:
    ours, theirs = kalshi.weights, polymarket.weights
    return any(min(weight, theirs.get(word, 0)) >= NAME_WEIGHT for word, weight in ours.items())


def _quoted_title(code: str, question: str) -> set[str]:
    """Return the words of the quoted title, stemmed, that a code abbreviates; none when it abbreviates none."""
    for in_double, in_single in _QUOTED.findall(plain(question)):
        words = [token.word for token in tokens(in_double or in_single)]
        if code_fits(code, words):
            return set(map(stem, words))
    return set()


def full_names(runs: tuple[tuple[str, ...], ...], missing: list[str]) -> int:
    """Return how many names of two words or more are missing as a whole."""
    if len(missing) < 2:
        return 0
    return sum(len(run) > 1 and all(word in missing for word in run) for run in runs)


def _left_over(missing: list[str], side: Slots, other: Slots) -> int:
    if not missing:
        return 0
    named = [run for run in side.runs if run[-1] not in NO_SURNAMES and other.weights.get(run[-1], 0) >= NAME_WEIGHT]
    little = {word for run in named for word in run[:-1]} | _role(side, other)
    if not _ONLY_PRESIDENTS.isdisjoint(side.stages & other.stages):
        little.add(_PRESIDENT)
    return sum(GENERIC_WEIGHT * 2 if word in little else side.weights[word] for word in missing)


def _role(side: Slots, other: Slots) -> set[str]:
    """Return the words of the office in ``endorse Ana Reyes for Mayor`` when only this side adds one."""
    if _ABOUT_PERSONS.isdisjoint(side.weights) and _TO_OFFICE.isdisjoint(side.market_types):
        return set()
    for person, role in _roles(side):
        shared = min(side.weights.get(person, 0), other.weights.get(person, 0))
        if shared >= NAME_WEIGHT and all(name != person for name, _ in _roles(other)):
            return set(map(stem, role))
    return set()


def _roles(side: Slots) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each word, stemmed, that ``as`` or ``for`` follows, with what comes after."""
    for at, word in enumerate(side.spoken[1:-1], start=1):
        if word in _OPENS_ROLE:
            yield stem(side.spoken[at - 1]), side.spoken[at + 1 :]


def _is_long_code(code: str) -> bool:
    return len(code) > 2


def score_of(shared: int, left_over: int) -> Decimal:
    """Return the share of what is said that both sides say, to a thousandth."""
    total = shared + left_over
    return _SCORES[shared * 1000 // total] if total else _SCORES[0]


def slot_weight(kalshi: Slots, polymarket: Slots) -> int:
    """Return the weight of the slots, apart from time, that both sides fill alike."""
    alike = sum(
        _SLOT_WEIGHT
        for ours, theirs in (
            (kalshi.stages, polymarket.stages),
            (kalshi.market_types, polymarket.market_types),
            (kalshi.districts, polymarket.districts),
            (kalshi.parts, polymarket.parts),
        )
        if ours and ours & theirs
    )
    return alike + WORD_WEIGHT * 2 * bool(kalshi.thresholds and polymarket.thresholds)
