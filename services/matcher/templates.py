"""Series templates: the ticker grammar of one venue against the slug and title grammar of the other, exact or nothing.

A contest is keyed by what is asked, the date and the two teams. The date is the one in Kalshi's event ticker, which is
US Eastern, and the one in Polymarket's slug or event. Where Polymarket lists one market whose outcomes are the teams,
one of Kalshi's two pairs is inverted; where it lists a Yes/No market per result, each pairs with its own. Grammar as
read from both venues' listings of November 2025 to August 2026.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from services.matcher.limits import notional_limit_dollars
from services.matcher.teams import League
from shared.domain.market import Market
from shared.domain.pair import Orientation

EASTERN = ZoneInfo("America/New_York")
_MONTHS = {
    name: number
    for number, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), start=1)  # noqa: SIM905
}
_TICKER_DATE = re.compile(r"([0-9]{2})([A-Z]{3})([0-9]{2})")
_GAME = re.compile(r"([0-9]{2}[A-Z]{3}[0-9]{2})(?:[0-9]{4})?([A-Z]{4,8})")
_SLUG_GAME = re.compile(r"([a-z0-9]{2,5})-([a-z0-9]{2,5})-([0-9]{4}-[0-9]{2}-[0-9]{2})")
_MONEYLINE = frozenset({"", "moneyline"})

Asks = Literal[
    "winner", "result", "half_result", "total", "spread", "first_inning", "both_score", "series", "rate_decision",
    "inflation", "house_race",
]  # fmt: skip
"""``winner``: which of two; ``result``: a team or a draw; ``half_result``: the same at half time; ``total``: over a
number of goals or points; ``spread``: by more than so many; ``first_inning``: a run in it; ``both_score``; ``series``:
who wins a playoff series. The last three are public questions."""


class SeriesTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``mappings/templates/*.yaml``."""

    template_id: str
    enabled: bool
    """Whether an operator has switched this series on; otherwise its pairs are only candidates."""
    kind: Literal["league_game", "contest", "public"]
    """``league_game`` reads team codes in ticker and slug, ``contest`` team names in the event's title, ``public`` Fed
    decisions, inflation figures and House races."""
    league: str = ""
    """Names the team table in ``mappings/aliases/``; empty for a ``public`` question."""
    contest: str = ""
    """What tells two competitions of one table apart (men's and women's); the league when empty."""
    asks: Asks = "winner"
    kalshi_series: str
    polymarket_prefix: str = ""
    """The first word of the event slug of a ``league_game``."""
    polymarket_prefixes: tuple[str, ...] = ()
    """First words of the event slugs of a ``contest``; none when teams and date are enough."""
    void_risk: str = ""
    max_notional_usd: str | None = None
    source: str

    def __post_init__(self) -> None:
        _ = self.max_notional_dollars
        if bool(self.league) == (self.kind == "public"):
            raise ValueError("league names a table of aliases/ unless kind is public, give it or leave it out")
        if self.kind == "league_game" and not self.polymarket_prefix:
            raise ValueError("polymarket_prefix is empty, write the first word of the event slugs")

    @property
    def max_notional_dollars(self) -> Decimal | None:
        """The most that may be at risk in one pair of this series; None when it sets no limit."""
        return notional_limit_dollars(self.max_notional_usd)

    @property
    def family(self) -> str:
        """What both venues' sides of one contest have in common: ``nba-winner``, ``soccer-total``."""
        return f"{self.contest or self.league or self.kind}-{self.asks}"


class TemplateDefaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every entry of a file says that does not say otherwise; whether it is switched on each must say itself."""

    kind: str | None = None
    league: str | None = None
    contest: str | None = None
    void_risk: str | None = None
    max_notional_usd: str | None = None
    source: str | None = None


class TemplatesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of ``mappings/templates/``, read after ``filled_in``."""

    schema_version: Literal["1"]
    defaults: TemplateDefaults | None = None
    templates: tuple[SeriesTemplate, ...] | None = None


def filled_in(written: Any) -> Any:
    """Return a templates file as it was parsed, each entry with the file's ``defaults`` for what it leaves out.

    What has another shape is left as it is: the types refuse it, on its own line.
    """
    match written:
        case {"defaults": dict(said), "templates": list(entries)}:
            defaults = {name: said[name] for name in TemplateDefaults.__struct_fields__ if said.get(name) is not None}
            return {**written, "templates": [defaults | e if isinstance(e, dict) else e for e in entries]}
    return written


class GameKey(NamedTuple):
    """One question about one contest, the same from both sides."""

    family: str
    day: date
    """US Eastern; January 1 of its year for a playoff series."""
    teams: frozenset[str]
    answer: str = ""
    """What a Yes/No market asks of it: a team, ``draw``, ``over 2.5``; empty when the outcomes are the teams."""


class KalshiGame(NamedTuple):
    """One side of a Kalshi game: the team that YES pays on."""

    key: GameKey
    event_ticker: str
    yes_team: str
    """``yes`` when the key has an answer."""
    template_id: str


class PolymarketGame(NamedTuple):
    """A Polymarket moneyline: its teams in the order of the outcomes; ``yes`` and ``no`` when the key has an answer."""

    key: GameKey
    teams: tuple[str, str]


class NotInTemplate(Exception):
    """A market has the shape of the template but contradicts it; the message says how. It must not be paired."""


def ticker_day(text: str) -> date | None:
    """Return the date of a ticker's ``26NOV22``; None when it is none."""
    found = _TICKER_DATE.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    try:
        return date(2000 + int(found[1]), _MONTHS[found[2]], int(found[3]))
    except ValueError:
        return None


def slug_day(text: str) -> date | None:
    """Return the date of a slug's ``2026-11-22``; None when it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def eastern_day(moment: datetime) -> date:
    """Return the US Eastern date of a moment; its own date at the ends of the calendar, as in 0001-01-01T00:00:00Z."""
    try:
        return moment.astimezone(EASTERN).date()
    except OverflowError:
        return moment.date()


def kalshi_game(template: SeriesTemplate, league: League, market: Market) -> KalshiGame | None:
    """Return the game side that a Kalshi market is; None when it is of another series or shape.

    Raises NotInTemplate when the parts of the listing contradict each other.
    """
    prefix = f"{template.kalshi_series}-"
    if not market.event_id.startswith(prefix) or not market.market_id.startswith(f"{market.event_id}-"):
        return None
    found = _GAME.fullmatch(market.event_id.removeprefix(prefix))
    day = ticker_day(found[1]) if found else None
    teams = league.split_kalshi_codes(found[2]) if found else None
    if day is None or teams is None:
        return None
    code = market.market_id.removeprefix(f"{market.event_id}-")
    yes_team = league.by_kalshi_code(code)
    if yes_team not in teams:
        raise NotInTemplate(f"{market.market_id}: {code} is none of the two teams")
    if market.outcome_label and yes_team not in league.by_label(market.outcome_label):
        raise NotInTemplate(f"{market.market_id}: YES is labelled {market.outcome_label!r}, which does not name {code}")
    key = GameKey(template.family, day, frozenset(teams))
    return KalshiGame(key, market.event_id, yes_team, template.template_id)


def polymarket_game(template: SeriesTemplate, league: League, market: Market) -> PolymarketGame | None:
    """Return the game that a Polymarket market is the moneyline of; None for any other market.

    Raises NotInTemplate when slug, outcomes and start of play contradict each other.
    """
    prefix = f"{template.polymarket_prefix}-"
    if not market.slug.startswith(prefix) or market.event_slug not in ("", market.slug):
        return None
    found = _SLUG_GAME.fullmatch(market.slug.removeprefix(prefix))
    if found is None or market.market_type not in _MONEYLINE:
        return None
    in_slug = [league.by_polymarket_code(found[1]), league.by_polymarket_code(found[2])]
    if len(market.outcomes) != 2 or None in in_slug or in_slug[0] == in_slug[1]:
        return None
    first, second = (league.by_label(outcome) for outcome in market.outcomes)
    if len(first) != 1 or len(second) != 1 or first | second != set(in_slug):
        raise NotInTemplate(f"{market.slug}: outcomes {', '.join(market.outcomes)} are not the two teams of the slug")
    day = slug_day(found[3])
    if day is None:
        return None
    start = market.game_start_time
    if start is not None and eastern_day(start) != day:
        raise NotInTemplate(f"{market.slug}: play starts on {eastern_day(start)} US Eastern, the slug says {day}")
    (team_0,), (team_1,) = first, second
    return PolymarketGame(GameKey(template.family, day, first | second), (team_0, team_1))


def orientation_of(kalshi: KalshiGame, polymarket: PolymarketGame) -> Orientation:
    """Return the orientation of two sides of one game: same when YES pays on the team of outcome 0."""
    assert kalshi.key == polymarket.key, (kalshi, polymarket)
    return Orientation.SAME if kalshi.yes_team == polymarket.teams[0] else Orientation.INVERTED
