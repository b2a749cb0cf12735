"""Contests read from titles: who plays whom, what is asked of it, and which side a market stands for.

For leagues whose tickers hold no codes that a table could know whole. Names are looked up exactly in the league's
table; what is not in it is no contest of a template.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from services.matcher.names import code_fits
from services.matcher.teams import League
from services.matcher.templates import (
    GameKey,
    KalshiGame,
    NotInTemplate,
    PolymarketGame,
    SeriesTemplate,
    eastern_day,
    slug_day,
    ticker_day,
)
from services.matcher.text import plain, tokens
from shared.domain.market import Market

_VERSUS = re.compile(
    r"^(?:[^:]+: )?(?P<a>[^:]+?) (?:vs\.?|at|@|v\.?) (?P<b>[^:]+?)"
    r"(?: - .*|: .*| \(.*| winner\??| match\??| first inning run\??)?$",
    re.IGNORECASE,
)
_TICKER = re.compile(r"([0-9]{2}[A-Z]{3}[0-9]{2})(?:[0-9]{4})?(?P<codes>[A-Z0-9-]{2,})")
_LEAST_CODE = 2
_SERIES_TICKER = re.compile(r"([0-9]{2})[A-Z0-9]+")
_SLUG_DAY = re.compile(r"-(20[0-9]{2}-[01][0-9]-[0-3][0-9])(?:-|$)")
_ASKED_DAY = re.compile(r"(20[0-9]{2}-[0-9]{2}-[0-9]{2})")
_DRAW = frozenset({"tie", "draw"})
_YES_NO = ("yes", "no")
_TWO_SIDED = frozenset({"winner", "series"})
_COUNTS_GOALS = frozenset({"soccer", "nations"})
"""Tables of a sport whose totals are told by the bare number that ends a ticker."""
_BY = " by over "
_ANSWERS = {"both_score": "both", "first_inning": "run"}
"""What is asked of the whole contest, and how its YES is called in a key."""
_OVER = re.compile(r"over ([0-9]+\.5)", re.IGNORECASE)

_WINS = re.compile(r"^Will (?P<team>.+?) win on 20[0-9]{2}-[0-9]{2}-[0-9]{2}\?$", re.IGNORECASE)
_ENDS_IN_DRAW = re.compile(r"^Will (?P<teams>.+ vs\.? .+) end in a draw\?$", re.IGNORECASE)
_SPREAD = re.compile(r"^Spread: (?P<team>.+) \(-(?P<line>[0-9]+\.5)\)$", re.IGNORECASE)
_WINS_BY = re.compile(r"^(?P<team>.+?) wins? by (?:over|more than) (?P<line>[0-9]+\.5)(?: [a-z]+)?\??$", re.IGNORECASE)
_FIRST_INNING = re.compile(
    r"^Will there be a run scored in the (?:first|1st) inning\?: (?P<teams>.+ vs\.? .+)$", re.IGNORECASE
)
_LEADS = re.compile(r"^(?P<team>.+) leading at halftime\?$", re.IGNORECASE)
_HALF_DRAW = re.compile(r"^(?P<teams>.+ vs\.? .+): Draw at halftime\?$", re.IGNORECASE)
_TOTAL = re.compile(r"^(?P<teams>.+ vs\.? .+): O/U (?P<line>[0-9]+\.5)$", re.IGNORECASE)
_BOTH = re.compile(r"^(?P<teams>.+ vs\.? .+): Both Teams to Score\??$", re.IGNORECASE)
_SERIES = re.compile(r"^.*Who Will Win Series\? - (?P<teams>.+ vs\.? .+)$", re.IGNORECASE)
_WINNER = re.compile(
    r"^(?:(?P<head>[^:?]+): )?(?P<teams>[^:]+ vs\.? [^:]+?)(?: \((?:BO[0-9]|[^)]*(?:Card|Prelims|weight)[^)]*)\).*)?$",
    re.IGNORECASE,
)
_PART = re.compile(
    r"\b(?:half|set|map|game|rounds?|spread|totals?|handicap|score|inning|quarter|period|corners?|first|exact|odd|even)\b",
    re.IGNORECASE,
)
_QUESTIONS = (
    ("result", _WINS), ("result", _ENDS_IN_DRAW), ("half_result", _LEADS), ("half_result", _HALF_DRAW),
    ("total", _TOTAL), ("spread", _SPREAD), ("first_inning", _FIRST_INNING), ("both_score", _BOTH), ("series", _SERIES),
    ("winner", _WINNER),
)  # fmt: skip
_TYPES = {
    "winner": frozenset({"", "moneyline"}), "series": frozenset({"", "moneyline"}),
    "result": frozenset({"", "moneyline"}), "half_result": frozenset({"", "soccer_halftime_result"}),
    "total": frozenset({"", "totals"}), "both_score": frozenset({"", "both_teams_to_score"}),
    "spread": frozenset({"", "spreads"}), "first_inning": frozenset({"", "nrfi"}),
}  # fmt: skip


class Contest(NamedTuple):
    """What a Polymarket market asks about which contest, before any league is known."""

    asks: str
    first: str
    second: str
    subject: str
    """The team, ``draw``, ``over 2.5`` or by how much a team wins; empty when the outcomes are the two sides."""
    day: date


def kalshi_contest(template: SeriesTemplate, league: League, market: Market) -> KalshiGame | None:
    """Return the side of a contest that a Kalshi market is; None when it cannot be told exactly.

    Raises NotInTemplate when its label names neither side.
    """
    rest = market.event_id.removeprefix(f"{template.kalshi_series}-")
    code = market.market_id.removeprefix(market.event_id).removeprefix("-")
    if not market.market_id.startswith(market.event_id):
        return None
    day = _kalshi_day(template, rest)
    sides = _sides(market.event_title) or _sides(market.title)
    if day is None or sides is None:
        return None
    teams = league.by_labels(*sides)
    if teams is None:
        return None
    answer = _kalshi_answer(template, league, market, code, list(zip(sides, teams, strict=True)))
    if answer is None:
        return None
    two_sided = template.asks in _TWO_SIDED
    if two_sided and answer == "draw":
        return None
    key = GameKey(template.family, day, frozenset(teams), "" if two_sided else answer)
    return KalshiGame(key, market.event_id, answer if two_sided else "yes", template.template_id)


def polymarket_contest(market: Market) -> Contest | None:
    """Return what a Polymarket market asks about a contest; None when it is about none, or its day is not known."""
    question = plain(market.title)
    for asks, pattern in _QUESTIONS:
        found = pattern.match(question)
        if found is None:
            continue
        if market.market_type not in _TYPES[asks] or _asks_about_a_part(found, market):
            return None
        sides = _named_outcomes(market) if asks in _TWO_SIDED else None
        sides = sides or _sides(market.event_title if "team" in found.groupdict() else found["teams"])
        day = _polymarket_day(asks, market, question)
        if sides is None or day is None:
            return None
        return Contest(asks, *sides, _subject(found, asks, question), day)
    return None


def polymarket_side(contest: Contest, family: str, league: League, market: Market) -> PolymarketGame | None:
    """Return the game that a contest is in one league; None when the league does not know both sides."""
    teams = league.by_labels(contest.first, contest.second)
    if teams is None:
        return None
    if not contest.subject:
        return _two_sided(contest, family, league, market, teams)
    answer = contest.subject
    if answer.startswith("team "):
        label, by, line = answer.removeprefix("team ").partition(_BY)
        named = league.by_label(label) & set(teams)
        if len(named) != 1:
            return None
        (team,) = named
        answer = f"{team}{by}{line}"
        if by:
            return _spread(GameKey(family, contest.day, frozenset(teams), answer), team, league, market)
    outcomes = tuple(outcome.lower() for outcome in market.outcomes)
    if outcomes not in (_YES_NO, ("over", "under")):
        return None
    return PolymarketGame(GameKey(family, contest.day, frozenset(teams), answer), ("yes", "no"))


def _spread(key: GameKey, team: str, league: League, market: Market) -> PolymarketGame | None:
    """Return a spread, whose outcomes are the two teams: ``yes`` is the one that the question names."""
    if len(market.outcomes) != 2:
        return None
    if tuple(outcome.lower() for outcome in market.outcomes) == _YES_NO:
        return PolymarketGame(key, ("yes", "no"))
    first, second = (league.by_label(outcome) & key.teams for outcome in market.outcomes)
    if len(first) != 1 or len(second) != 1 or first == second:
        return None
    return PolymarketGame(key, ("yes", "no") if team in first else ("no", "yes"))


def _named_outcomes(market: Market) -> tuple[str, str] | None:
    if len(market.outcomes) != 2 or tuple(outcome.lower() for outcome in market.outcomes) == _YES_NO:
        return None
    return market.outcomes[0], market.outcomes[1]


def _two_sided(
    contest: Contest, family: str, league: League, market: Market, teams: tuple[str, str]
) -> PolymarketGame | None:
    if len(market.outcomes) != 2 or tuple(o.lower() for o in market.outcomes) == _YES_NO:
        return None
    first, second = (league.by_label(outcome) & set(teams) for outcome in market.outcomes)
    if len(first) != 1 or len(second) != 1 or first == second:
        return None
    (team_0,), (team_1,) = first, second
    return PolymarketGame(GameKey(family, contest.day, frozenset(teams)), (team_0, team_1))


def _asks_about_a_part(found: "re.Match[str]", market: Market) -> bool:
    """Whether what stands before ``A vs. B`` is no name of a competition: ``Spread: ``, ``Set 1 Winner: ``."""
    head = found.groupdict().get("head")
    if not head or plain(market.event_title).startswith(f"{head}: "):
        return False
    return bool(market.event_title) or _PART.search(head) is not None


def _subject(found: "re.Match[str]", asks: str, question: str) -> str:
    groups = found.groupdict()
    if asks == "spread":
        return f"team {groups['team']}{_BY}{groups['line']}"
    if "team" in groups:
        return f"team {groups['team']}"
    if "line" in groups:
        return f"over {groups['line']}"
    if asks in _ANSWERS:
        return _ANSWERS[asks]
    return "draw" if "draw" in question.lower() else ""


def _kalshi_day(template: SeriesTemplate, rest: str) -> date | None:
    if template.asks == "series":
        found = _SERIES_TICKER.fullmatch(rest)
        return date(2000 + int(found[1]), 1, 1) if found else None
    found = _TICKER.fullmatch(rest)
    return ticker_day(found[1]) if found else None


def _polymarket_day(asks: str, market: Market, question: str) -> date | None:
    """Return the day of the slug, else of the question, else of the start of play."""
    if asks == "series":
        ends = market.close_time
        return date(ends.year, 1, 1) if ends else None
    slugs = (_SLUG_DAY.search(market.event_slug), _SLUG_DAY.search(market.slug))
    if asks == "winner" and slugs[1] is not None and slugs[1].end() != len(market.slug):
        return None
    stated = {slug_day(found[1]) for found in (*slugs, _ASKED_DAY.search(question)) if found}
    if len(stated) > 1:
        return None
    if stated:
        return stated.pop()
    return eastern_day(market.game_start_time) if market.game_start_time else None


def _sides(title: str) -> tuple[str, str] | None:
    """Return the two sides of ``A vs. B`` or ``A at B``, without what stands before and behind."""
    found = _VERSUS.match(plain(title))
    return (found["a"].strip(), found["b"].strip()) if found else None


def _kalshi_answer(
    template: SeriesTemplate, league: League, market: Market, code: str, sides: list[tuple[str, str]]
) -> str | None:
    if template.asks in _ANSWERS:
        return _ANSWERS[template.asks] if code in ("", "BTTS", "YES") else None
    if template.asks == "total":
        return _total(market, code, by_suffix=template.league in _COUNTS_GOALS)
    if template.asks == "spread":
        return _wins_by(league, market, {team for _, team in sides})
    label = market.outcome_label
    if label.lower() in _DRAW or code in ("TIE", "DRAW"):
        return "draw" if code in ("TIE", "DRAW") and label.lower() in _DRAW | {""} else None
    if label:
        named = league.by_label(label) & {team for _, team in sides}
        if len(named) != 1:
            raise NotInTemplate(f"{market.market_id}: YES is labelled {label!r}, which names neither side")
        return next(iter(named))
    return _by_code(league, market, code, sides)


def _by_code(league: League, market: Market, code: str, sides: list[tuple[str, str]]) -> str | None:
    """Return the side that a ticker's ending means, by the title or by the one name that it abbreviates."""
    titled = [
        team for label, team in sides if re.match(rf"Will (?:\w+ )?{re.escape(label)} win\b", plain(market.title))
    ]
    if len(titled) == 1:
        return titled[0]
    if (known := league.by_kalshi_code(code)) in {team for _, team in sides}:
        return known
    fitting = {team for label, team in sides if any(code_fits(code, words) for words in _names_of(league, label, team))}
    placed = _by_place(market, code, sides)
    if len(fitting) != 1:
        return placed
    return fitting.pop() if placed is None or placed in fitting else None


def _by_place(market: Market, code: str, sides: list[tuple[str, str]]) -> str | None:
    """Return the side by where its code stands in the event's ticker, which has both codes in the title's order."""
    found = _TICKER.fullmatch(market.event_id.partition("-")[2])
    if not code or found is None:
        return None
    codes = found["codes"]
    opens, ends = codes.startswith(code), codes.endswith(code)
    if opens == ends or len(code) > len(codes) - _LEAST_CODE:
        return None
    return sides[0 if opens else 1][1]


def _names_of(league: League, label: str, team: str) -> Iterator[Iterable[str]]:
    for name in (label, *league.labels_of(team)):
        yield [token.word for token in tokens(plain(name))]


def _total(market: Market, code: str, *, by_suffix: bool) -> str | None:
    """Return ``over 2.5``; in soccer a bare number N that ends a total's ticker means more than N and a half."""
    stated = _OVER.search(market.outcome_label) or _OVER.search(market.title)
    if stated:
        return f"over {stated[1]}"
    return f"over {code}.5" if by_suffix and code.isdigit() and not market.outcome_label else None


def _wins_by(league: League, market: Market, teams: set[str]) -> str | None:
    """Return the side and by how much it has to win; None when label and title do not agree on it."""
    said = {
        (team, found["line"])
        for text in filter(None, (market.outcome_label, market.title))
        if (found := _WINS_BY.match(plain(text)))
        for team in league.by_label(found["team"]) & teams
    }
    if len(said) != 1:
        return None
    ((team, line),) = said
    return f"{team}{_BY}{line}"
