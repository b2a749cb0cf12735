"""Whole-league team tables: which team a venue's code or name means, exactly or not at all."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import msgspec

_SQUEEZED = re.compile(r"[^0-9a-zà-öø-ÿ']+")


class Team(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One team and what each venue calls it."""

    team: str
    """The table's own key."""
    city: str
    name: str
    kalshi_codes: tuple[str, ...]
    """As in event tickers, the usual one first."""
    polymarket_codes: tuple[str, ...]
    """As in event slugs."""
    kalshi_labels: tuple[str, ...] = ()
    """Labels beside the city, such as ``Los Angeles L``."""
    polymarket_names: tuple[str, ...] = ()
    """Outcome labels beside the name and "city name"."""


class TeamsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of ``mappings/aliases/``: one league, every team."""

    schema_version: Literal["1"]
    league: str
    source: str
    """Where the codes and names were read, and when."""
    teams: tuple[Team, ...]

    def __post_init__(self) -> None:
        if not self.source:
            raise ValueError("source is empty, write where the codes were read and when")
        _refuse_shared("kalshi code", ((code, team) for team in self.teams for code in team.kalshi_codes))
        _refuse_shared("polymarket code", ((code, team) for team in self.teams for code in team.polymarket_codes))
        _refuse_shared("team", ((team.team, team) for team in self.teams))
        _refuse_shared("full name", ((_squeezed(f"{team.city} {team.name}"), team) for team in self.teams))


class League:
    """Looks up one league's teams. Every lookup is exact, apart from case and punctuation in names."""

    def __init__(self, table: TeamsFile) -> None:
        self.code = table.league
        self.table = table
        self._kalshi = {code: team.team for team in table.teams for code in team.kalshi_codes}
        self._polymarket = {code: team.team for team in table.teams for code in team.polymarket_codes}
        self._labels: defaultdict[str, set[str]] = defaultdict(set)
        for team in table.teams:
            names = (team.city, team.name, f"{team.city} {team.name}", *team.kalshi_labels, *team.polymarket_names)
            for label in (*names, *team.kalshi_codes, *team.polymarket_codes):
                self._labels[_squeezed(label)].add(team.team)

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
        return frozenset(self._labels.get(_squeezed(label), ()))

    def split_kalshi_codes(self, joined: str) -> tuple[str, str] | None:
        """Return the two teams of codes written without a gap, such as ``HOUPOR``; None unless exactly one way fits."""
        found = {
            (first, second)
            for cut in range(1, len(joined))
            if (first := self._kalshi.get(joined[:cut])) and (second := self._kalshi.get(joined[cut:]))
        }
        return found.pop() if len(found) == 1 else None


def _squeezed(label: str) -> str:
    return _SQUEEZED.sub("", label.lower())


def _refuse_shared(what: str, named: Iterable[tuple[str, Team]]) -> None:
    seen: dict[str, Team] = {}
    for name, team in named:
        if not name or name in seen:
            other = f" of {seen[name].team} and {team.team}" if name else f" of {team.team} is empty"
            raise ValueError(f"{what} {name!r}{other}, give each team its own")
        seen[name] = team
