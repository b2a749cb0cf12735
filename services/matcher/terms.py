"""The terms by which a listing is found: word forms, numbers, days and the teams that its names may mean.

Both venues' texts are brought to the same few forms here, cheaply, for every listing of both venues; what the words
mean is decided later, by the slots, for the few listings that share rare terms. A form may be crude as long as it is
the same on both sides.
"""

import re
import unicodedata
from collections import defaultdict

from services.matcher.mapping_files import Mappings
from services.matcher.phrases import ONE_WORD
from services.matcher.text import without_marks
from services.matcher.vocabulary import BANKS, LEAGUES
from shared.domain.market import Market, Venue

LONGEST_FIELD = 400
"""Characters of one text that are read. The longest real title has about 250; a pathological one costs no more."""
MOST_WORDS = 96
MOST_TERMS = 200
_LONGEST_WORD = 32
_MOST_FORMS = 400_000
"""Word forms kept at hand; past that they are forgotten and made again."""

_MOST_SERIES = 20_000

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+(?:[.,][0-9]+)*")
_INITIAL = re.compile(r"\b([a-z])\.(?=[a-z]\b)")
_TICKER_DAY = re.compile(r"-[0-9]{2}(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)([0-9]{2})")
_SLUG_DAY = re.compile(r"20[0-9]{2}-([01][0-9])-([0-3][0-9])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = """january february march april may june july august september october november december
jan feb mar apr jun jul aug sep sept oct nov dec"""
_MONTH_OF = {name: name[:3] for name in _MONTH_NAMES.split()}
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBERS = {word: str(number) for number, word in enumerate(_NUMBER_WORDS.split())}
_SAME = {
    "bitcoin": "btc", "ethereum": "eth", "solana": "sol", "ripple": "xrp", "dogecoin": "doge", "fomc": "fed",
    "democrat": "democratic", "dem": "democratic", "gop": "republican", "increase": "hike", "raise": "hike",
    "decrease": "cut", "lower": "cut", "reduce": "cut", "presidency": "president", "presidential": "president",
    "gubernatorial": "governor", "governorship": "governor", "senatorial": "senate", "senator": "senate",
    "mayoral": "mayor", "canadian": "canada", "american": "us", "usa": "us",
}  # fmt: skip
"""Frequent words of which the venues use different ones."""
_ONE_WORD = {phrase[0]: word for phrase, word in ONE_WORD.items() if len(phrase) == 1}
"""Short forms, demonyms and other names of one word."""
_PHRASES = {
    **{" ".join(phrase): word for phrase, word in ONE_WORD.items() if len(phrase) > 1 and word in BANKS | LEAGUES},
    "reserve bank of india": "rbi", "bank of korea": "bok",
    "prime minister": "pm", "united states": "us", "united kingdom": "uk", "european union": "eu",
    "academy award": "oscar", "academy awards": "oscar",
    "pro football": "nfl", "super bowl": "nfl", "pro basketball": "nba", "pro baseball": "mlb", "world series": "mlb",
    "pro hockey": "nhl", "stanley cup": "nhl", "college basketball": "ncaa", "march madness": "ncaa",
}  # fmt: skip
"""What one venue spells out and the other abbreviates; Kalshi's titles write around the leagues' names."""
_SAY_NOTHING = """
a an and any at be been being by can could do does did for from get gets go has have how if in into is it its of on or
out than that the their then there this to was were what when which who whom whose why will with would yes no not vs v
per before after until during over under above below between more less most least end start first next new day date
market winner win wins won et est edt am pm
"""
_FILLERS = frozenset(_SAY_NOTHING.split())
_YES_NO = ("Yes", "No")
_WILL_NO = ["will", "no"]


class TermReader:
    """Reads the terms of listings. It remembers word forms, so one is kept for all listings."""

    def __init__(self, mappings: Mappings) -> None:
        self._forms = _Forms()
        self._leagues = sorted((league.code for league in mappings.leagues.values()), key=len, reverse=True)
        self._codes = frozenset(self._leagues)
        self._league_of_series: dict[str, str] = {}
        self._names = _names(mappings)
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for name in self._names:
            lengths[name[0]].add(len(name))
        self._lengths = dict(lengths)

    def terms(self, market: Market) -> frozenset[str]:
        """Return the terms of a listing; of very long texts only the beginning counts."""
        fields = [market.title, market.outcome_label, market.event_title or market.event_slug.replace("-", " ")]
        if market.outcomes != _YES_NO:
            fields += market.outcomes
        words = self._words(" ; ".join([field[:LONGEST_FIELD] for field in fields]))
        found = set(map(self._forms.__getitem__, words))
        if words[:2] == _WILL_NO:
            found.add("0")
        self._add_days(market, words, found)
        if not self._lengths.keys().isdisjoint(words):
            self._add_names(words, self._league(market), found)
        found.discard("")
        if len(found) > MOST_TERMS:
            found = set(sorted(found)[:MOST_TERMS])
        if len(self._forms) > _MOST_FORMS:
            self._forms.clear()
        return frozenset(found)

    def label_terms(self, market: Market) -> frozenset[str]:
        """Return the terms of the outcome's own name or amount; none when the label is a date or says nothing."""
        words = self._words(market.outcome_label[:LONGEST_FIELD])
        found = set(map(self._forms.__getitem__, words))
        if not found.isdisjoint(_MONTHS):
            return frozenset()
        if not self._lengths.keys().isdisjoint(words):
            self._add_names(words, self._league(market), found)
        found.discard("")
        return frozenset(found)

    @staticmethod
    def _words(text: str) -> list[str]:
        if not text.isascii():
            text = without_marks(unicodedata.normalize("NFKD", text)).replace("’", "'")
        text = text.lower()
        if "." in text:
            text = _INITIAL.sub(r"\1", text)
        return _WORD.findall(text)[:MOST_WORDS]

    @staticmethod
    def _add_days(market: Market, words: list[str], found: set[str]) -> None:
        """Add stated days, and the day of play that ticker or slug carries; the year is left to the slots."""
        for at in [at for at, word in enumerate(words[:-1], start=1) if word in _MONTH_OF]:
            after = words[at]
            if after.isdigit() and len(after) <= 2:
                found.add(f"{_MONTH_OF[words[at - 1]]}{int(after)}")
        if market.venue is Venue.KALSHI:
            if day := _TICKER_DAY.search(market.event_id):
                found.add(f"{day[1].lower()}{int(day[2])}")
        elif (day := _SLUG_DAY.search(market.slug)) and 1 <= int(day[1]) <= len(_MONTHS):
            found.add(f"{_MONTHS[int(day[1]) - 1]}{int(day[2])}")

    def _league(self, market: Market) -> str:
        """Return the league whose code is part of a Kalshi series (not NBA in WNBA) or begins a slug, or nothing."""
        if market.venue is Venue.KALSHI:
            league = self._league_of_series.get(market.series_id)
            return self._opening(market.series_id) if league is None else league
        code = market.slug.partition("-")[0]
        return code if code in self._codes else ""

    def _opening(self, series_id: str) -> str:
        """Return the league of a Kalshi series, which is kept: thousands of listings share a series."""
        if len(self._league_of_series) >= _MOST_SERIES:
            self._league_of_series.clear()
        series = series_id.lower()
        league = next((code for code in self._leagues if code in series), "")
        self._league_of_series[series_id] = league
        return league

    def _add_names(self, words: list[str], league: str, found: set[str]) -> None:
        """Add what phrases stand for: a city stands for its teams, of the league when that is known."""
        ours = f"{league}:"
        lengths = self._lengths
        for start in [start for start, word in enumerate(words) if word in lengths]:
            for length in lengths[words[start]]:
                terms = self._names.get(tuple(words[start : start + length]))
                if terms is None:
                    continue
                if league:
                    found.update(term for term in terms if term.startswith(ours) or ":" not in term)
                else:
                    found |= terms


class _Forms(dict[str, str]):
    """The form of every word seen; empty for a word that says nothing."""

    def __missing__(self, word: str) -> str:
        form = self[word] = _form(word)
        return form


def _form(word: str) -> str:
    if word[0].isdigit():
        return _number_form(word[:_LONGEST_WORD])
    word = word.removesuffix("'s").replace("'", "")[:_LONGEST_WORD]
    if word in _FILLERS:
        return ""
    known = _MONTH_OF.get(word) or _NUMBERS.get(word) or _SAME.get(word)
    if known is not None:
        return known
    stem = _stem(_ONE_WORD.get(word, word))
    return _SAME.get(stem, stem)


def _number_form(text: str) -> str:
    """Return a number without grouping and without zeros at the end: ``3,500.00`` is 3500; ``99,999.99`` is 100000."""
    whole, _, fraction = text.replace(",", "").partition(".")
    fraction = fraction.split(".")[0].rstrip("0")
    if len(fraction) > 1 and set(fraction) == {"9"}:
        return str(int(whole) + 1)
    return f"{whole}.{fraction}" if fraction else whole


def _stem(word: str) -> str:
    """Return the word without the commonest endings; three letters stay."""
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if len(word) > 5 and word.endswith("ed") and not word.endswith("eed"):
        word = word[:-2]
    return word


def _names(mappings: Mappings) -> dict[tuple[str, ...], frozenset[str]]:
    """Return phrases with what they stand for, and the leagues' names with the teams they may mean."""
    terms: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for phrase, term in _PHRASES.items():
        terms[tuple(phrase.split())].add(term)
    for league in mappings.leagues.values():
        for team in league.teams:
            for label in team.labels:
                terms[tuple(_WORD.findall(label.lower()))].add(f"{league.code}:{team.team}")
    return {words: frozenset(found) for words, found in terms.items() if words}
