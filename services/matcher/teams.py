"""Whole-league team tables: which team a venue's code or name means, exactly or not at all."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import msgspec

from services.matcher.places import COUNTRY_NAMES
from services.matcher.text import plain, tokens

_SQUEEZED = re.compile(r"[^0-9a-z']+")
_LEAST_NAME = 3
"""Letters of a name that is looked for inside a text; shorter ones are words of their own."""
_LEAST_OWN_WORD = 5
"""Letters of a word by which alone a club is known when no whole name fits."""
_SHORT = {"utd": "united", "st": "saint", "intl": "international"}
_CLUB = """
ac aa aas acf af afc ag aj as asd bc bk bsc bv ca calcio cd ce cf cfr club cp cr cs csd de do del du e ec ef el fa
fbc fc fcv fk fotball fotboll football foot futebol futbol fsv gd gnk hnk hsc if ifk ik jk kaa kf krc ks kv kvc la
le les los mfk nk ofi ogc osc ou rc rcd rks rsc sad sbv sc scr sco sd se sg sk sm spvgg ss ssc ssd sv tc the tsg tsv
ud ue us usl vfb vfl y saudi
"""
_CLUB_WORDS = frozenset(_CLUB.split())
"""What clubs of many countries put beside their name; it tells no two of them apart."""


class Team(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One team and what each venue calls it."""

    team: str
    """The table's own key."""
    city: str = ""
    name: str
    country: str = ""
    """Tells clubs of one name apart: Everton of England and of Chile."""
    names: tuple[str, ...] = ()
    """Whatever else either venue calls the team, in full."""
    kalshi_codes: tuple[str, ...] = ()
    """As in event tickers, the usual one first."""
    polymarket_codes: tuple[str, ...] = ()
    """As in event slugs."""
    kalshi_labels: tuple[str, ...] = ()
    """Labels beside the city, such as ``Los Angeles L``."""
    polymarket_names: tuple[str, ...] = ()
    """Outcome labels beside the name and "city name"."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that may mean this team."""
        full = f"{self.city} {self.name}" if self.city else self.name
        named = (self.name, full, *self.names, *self.kalshi_labels, *self.polymarket_names)
        return (self.city, *named) if self.city else named


class TeamsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of ``mappings/aliases/``: one league, every team."""

    schema_version: Literal["1"]
    league: str
    source: str
    """Where the codes and names were read, and when."""
    club_words: bool = False
    """Whether FC, SV and the like, and years of foundation, do not count in names."""
    by_surname: bool = False
    """Whether there is no table: a contest of persons, each known by the last word of the name."""
    by_name: bool = False
    """Whether there is no table: a contest of teams, each known by its full name."""
    by_country: bool = False
    """Whether the teams are nations, known by the table of countries."""
    teams: tuple[Team, ...]

    def __post_init__(self) -> None:
        if not self.source:
            raise ValueError("source is empty, write where the codes were read and when")
        _refuse_shared("kalshi code", ((code, team) for team in self.teams for code in team.kalshi_codes))
        _refuse_shared("polymarket code", ((code, team) for team in self.teams for code in team.polymarket_codes))
        _refuse_shared("team", ((team.team, team) for team in self.teams))
        _refuse_shared(
            "full name", ((_squeezed(f"{team.country} {team.city} {team.name}"), team) for team in self.teams)
        )


class League:
    """Looks up one league's teams. Every lookup is exact, apart from case and punctuation in names."""

    def __init__(self, table: TeamsFile) -> None:
        self.code = table.league
        self.is_open = table.by_surname or table.by_name
        """Whether any name is a team, since no table can be whole."""
        self._table = table
        self._kalshi = {code: team.team for team in table.teams for code in team.kalshi_codes}
        self.teams = table.teams
        self._polymarket = {code: team.team for team in table.teams for code in team.polymarket_codes}
        self._labels_of = {team.team: team.labels for team in table.teams}
        self._country = {team.team: team.country for team in table.teams}
        self._labels: defaultdict[str, set[str]] = defaultdict(set)
        for team in table.teams:
            for label in (*team.labels, *team.kalshi_codes, *team.polymarket_codes):
                self._labels[_squeezed(label)].add(team.team)
            if table.club_words:
                for label in (*team.labels, *filter(None, map(_initial_form, team.labels))):
                    self._labels[_club_key(label)].add(team.team)
        self._by_word = _by_one_word(table.teams) if table.club_words else {}

    def by_kalshi_code(self, code: str) -> str | None:
        """Return the team of a code in a Kalshi ticker."""
        return self._kalshi.get(code)

    def kalshi_codes(self) -> tuple[str, ...]:
        """Return every code that Kalshi uses in this league."""
        return tuple(self._kalshi)

    def by_polymarket_code(self, code: str) -> str | None:
        """Return the team of a code in a Polymarket slug."""
        return self._polymarket.get(code)

    def by_label(self, label: str) -> frozenset[str]:
        """Return the teams that a label may mean: several for a shared city, none for an unknown label."""
        if self._table.by_surname:
            words = [token.word for token in tokens(plain(label))]
            return frozenset(words[-1:])
        if self._table.by_name:
            return frozenset(filter(None, (_squeezed(label),)))
        if self._table.by_country:
            country = COUNTRY_NAMES.get(" ".join(token.word for token in tokens(plain(label))))
            return frozenset((country,)) if country else frozenset()
        found = self._labels.get(_squeezed(label))
        if not found and self._table.club_words:
            key = _club_key(label)
            found = self._labels.get(key) or self._by_word.get(key)
        return frozenset(found or ())

    def labels_of(self, team: str) -> tuple[str, ...]:
        """Return every label of a team of the table."""
        return self._labels_of.get(team, ())

    def by_labels(self, first: str, second: str) -> tuple[str, str] | None:
        """Return the teams of a contest by their labels; None unless exactly one pair fits.

        Clubs of one name in several countries are told apart by the opponent's country.
        """
        ours, theirs = self.by_label(first), self.by_label(second)
        pairs = [(a, b) for a in ours for b in theirs if a != b]
        if len(pairs) > 1:
            pairs = [(a, b) for a, b in pairs if self._country.get(a) and self._country[a] == self._country[b]]
        return pairs[0] if len(pairs) == 1 else None

    def phrases(self) -> dict[tuple[str, ...], str]:
        """Return the one team by each label's words, of labels that mean only one team."""
        by_words: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for team in self._table.teams:
            for label in team.labels:
                words = tuple(token.word for token in tokens(plain(label)))
                if len("".join(words)) >= _LEAST_NAME:
                    by_words[words].add(team.team)
        return {words: next(iter(teams)) for words, teams in by_words.items() if len(teams) == 1}

    def split_kalshi_codes(self, joined: str) -> tuple[str, str] | None:
        """Return the two teams of codes written without a gap, such as ``HOUPOR``; None unless exactly one way fits."""
        found = {
            (first, second)
            for cut in range(1, len(joined))
            if (first := self._kalshi.get(joined[:cut])) and (second := self._kalshi.get(joined[cut:]))
        }
        return found.pop() if len(found) == 1 else None


def _by_one_word(teams: Iterable[Team]) -> dict[str, set[str]]:
    """Return clubs by a word that only one club of its country has in any of its names, as in ``Vallecano``."""
    bearers: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for team in teams:
        for word in {word for label in team.labels for word in _club_key(label).split()}:
            if len(word) >= _LEAST_OWN_WORD:
                bearers[team.country, word].add(team.team)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for (_, word), those in bearers.items():
        if len(those) == 1:
            found[word] |= those
    return dict(found)


def _squeezed(label: str) -> str:
    return _SQUEEZED.sub("", plain(label).lower())


def _club_key(label: str) -> str:
    """Return a club's name without club words and years, each word apart, so that no two run together."""
    words = [token.word for token in tokens(plain(label))]
    kept = [_SHORT.get(word, word) for word in words if word not in _CLUB_WORDS and not word.isdigit()]
    return " ".join(kept or words)


def _initial_form(label: str) -> str:
    """Return a name with its last word cut to its initial, as Kalshi cuts it: ``Machida Z``."""
    *first, last = label.split()
    return " ".join((*first, last[0])) if first else ""


def _refuse_shared(what: str, named: Iterable[tuple[str, Team]]) -> None:
    seen: dict[str, Team] = {}
    for name, team in named:
        if not name or name in seen:
            other = f" of {seen[name].team} and {team.team}" if name else f" of {team.team} is empty"
            raise ValueError(f"{what} {name!r}{other}, give each team its own")
        seen[name] = team
