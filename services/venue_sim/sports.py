"""League games in both venues' grammar: two Kalshi markets per game, one per team, and one Polymarket market whose
outcomes are the two teams, so that one of the two pairs is inverted.

Teams carry the code that both venues use in tickers and slugs; teams whose codes differ are left out. The texts are
our own.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from services.venue_sim.listing import DAY_MS, HOUR_MS, KalshiText, Lister, PolymarketText
from services.venue_sim.markets import KalshiEvent, KalshiMarket, KalshiSeries, PolymarketMarket, Proposition

_START_AFTER_MIDNIGHT_UTC = timedelta(days=1, minutes=30)
"""Games start at 00:30 UTC of the following day, which is still the game's date on the American east coast."""


@dataclass(frozen=True)
class Team:
    """A team: its code, the city Kalshi calls it by, and the name Polymarket calls it by."""

    code: str
    city: str
    name: str


@dataclass(frozen=True)
class League:
    """A league and how its games are listed and charged."""

    code: str
    sport: str
    series: KalshiSeries
    teams: tuple[Team, ...]


def _series(ticker: str, title: str, tag: str, multiplier: Fraction) -> KalshiSeries:
    return KalshiSeries(
        ticker=ticker,
        title=title,
        category="Sports",
        frequency="custom",
        tags=(tag,),
        source_name="the league's own box score",
        source_url="https://scores.example/",
        fee_type="quadratic_with_maker_fees",
        fee_multiplier=multiplier,
    )


NBA = League(
    "nba",
    "pro basketball",
    _series("KXNBAGAME", "Pro basketball game", "Basketball", Fraction(1)),
    (
        Team("HOU", "Houston", "Rockets"),
        Team("POR", "Portland", "Trail Blazers"),
        Team("BOS", "Boston", "Celtics"),
        Team("MIA", "Miami", "Heat"),
        Team("DEN", "Denver", "Nuggets"),
        Team("MEM", "Memphis", "Grizzlies"),
        Team("ATL", "Atlanta", "Hawks"),
        Team("ORL", "Orlando", "Magic"),
        Team("CHI", "Chicago", "Bulls"),
        Team("MIL", "Milwaukee", "Bucks"),
        Team("SAC", "Sacramento", "Kings"),
        Team("PHX", "Phoenix", "Suns"),
        Team("DAL", "Dallas", "Mavericks"),
        Team("MIN", "Minnesota", "Timberwolves"),
    ),
)
NFL = League(
    "nfl",
    "pro football",
    _series("KXNFLGAME", "Pro football game", "Football", Fraction(1)),
    (
        Team("DEN", "Denver", "Broncos"),
        Team("KC", "Kansas City", "Chiefs"),
        Team("GB", "Green Bay", "Packers"),
        Team("CHI", "Chicago", "Bears"),
        Team("BUF", "Buffalo", "Bills"),
        Team("MIA", "Miami", "Dolphins"),
        Team("PIT", "Pittsburgh", "Steelers"),
        Team("CLE", "Cleveland", "Browns"),
        Team("DET", "Detroit", "Lions"),
        Team("MIN", "Minnesota", "Vikings"),
        Team("DAL", "Dallas", "Cowboys"),
        Team("PHI", "Philadelphia", "Eagles"),
    ),
)
NHL = League(
    "nhl",
    "pro hockey",
    _series("KXNHLGAME", "Pro hockey game", "Hockey", Fraction(1, 2)),
    (
        Team("TOR", "Toronto", "Maple Leafs"),
        Team("FLA", "Florida", "Panthers"),
        Team("BOS", "Boston", "Bruins"),
        Team("BUF", "Buffalo", "Sabres"),
        Team("EDM", "Edmonton", "Oilers"),
        Team("VAN", "Vancouver", "Canucks"),
        Team("DAL", "Dallas", "Stars"),
        Team("COL", "Colorado", "Avalanche"),
        Team("DET", "Detroit", "Red Wings"),
        Team("CHI", "Chicago", "Blackhawks"),
        Team("PIT", "Pittsburgh", "Penguins"),
        Team("PHI", "Philadelphia", "Flyers"),
    ),
)
LEAGUES = (NBA, NFL, NHL)

SPORTS_FEE_RATE = Fraction(5, 100)


@dataclass(frozen=True)
class Game:
    """Two teams on a day, by American date."""

    league: League
    away: Team
    home: Team
    day: datetime

    @property
    def start_ms(self) -> int:
        """When it starts, Unix milliseconds."""
        return int((self.day + _START_AFTER_MIDNIGHT_UTC).timestamp()) * 1_000


class _Days:
    """Which teams of a league play on which days, and the first day on which two are free."""

    def __init__(self, first_day: datetime, team_count: int) -> None:
        self.first_open = first_day
        self._team_count = team_count
        self._teams: defaultdict[datetime, set[str]] = defaultdict(set)

    def teams_on(self, day: datetime) -> set[str]:
        """Return the codes of those who play."""
        return self._teams[day]

    def take(self, day: datetime, *teams: Team) -> None:
        """Have these teams play."""
        self._teams[day] |= {team.code for team in teams}
        while len(self._teams[self.first_open]) > self._team_count - 2:
            self.first_open += timedelta(days=1)


def add_games(lister: Lister, count: int) -> None:
    """List ``count`` games over the coming days, leagues in turn, every pairing of teams at most once a day."""
    first_day = game_day(lister.start_ms, 1)
    days = {league.code: _Days(first_day, len(league.teams)) for league in LEAGUES}
    for index in range(count):
        league = LEAGUES[index % len(LEAGUES)]
        busy = days[league.code]
        away, home = lister.random.sample(league.teams, 2)
        day = max(first_day + timedelta(days=lister.random.randrange(3)), busy.first_open)
        while {away.code, home.code} & busy.teams_on(day):
            away, home = lister.random.sample(league.teams, 2)
            day += timedelta(days=lister.random.randrange(2))
        busy.take(day, away, home)
        proposition = lister.proposition(lister.random.randint(2_200, 7_800))
        game = Game(league, away, home, day)
        polymarket = list_polymarket_game(lister, game, proposition)
        for team in (away, home):
            kalshi = list_kalshi_side(lister, game, team, proposition)
            lister.ask(kalshi, polymarket, "template", orientation="same" if team is away else "inverted")


def game_day(start_ms: int, days_ahead: int) -> datetime:
    """Return the American date of a game some days after the world's start."""
    start = datetime.fromtimestamp(start_ms // 1_000, UTC)
    return start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days_ahead)


def kalshi_date(day: datetime) -> str:
    """Return a date as Kalshi's tickers write it: ``26NOV22``."""
    return f"{day:%y%b%d}".upper()


def list_kalshi_side(lister: Lister, game: Game, team: Team, proposition: Proposition) -> KalshiMarket:
    """List one team's market of a game; the proposition is that the away team wins."""
    league, away, home, day = game.league, game.away, game.home, game.day
    event_ticker = f"{league.series.ticker}-{kalshi_date(day)}{away.code}{home.code}"
    start_ms = game.start_ms
    event = lister.kalshi_event(event_ticker) or KalshiEvent(
        event_ticker=event_ticker,
        series=league.series,
        title=f"{away.city} at {home.city}",
        sub_title=f"{away.code} at {home.code} ({day:%b} {day.day})",
        mutually_exclusive=True,
        strike_ts_ms=start_ms,
    )
    text = KalshiText(
        ticker=f"{event_ticker}-{team.code}",
        title=f"{away.city} at {home.city} Winner?",
        yes_sub_title=team.city,
        rules_primary=(
            f"Resolves to Yes when {team.city} is the winner of the {league.sport} game {away.city} at {home.city} "
            f"that was scheduled for {day:%b} {day.day}, {day.year}."
        ),
        rules_secondary="Extra time counts. A game that is moved by more than two weeks settles at a fair price.",
        strike_type="structured",
        custom_strike={f"{league.code}_team": team.code},
        expected_expiration_ts_ms=start_ms + 3 * HOUR_MS,
        close_ts_ms=start_ms + 14 * DAY_MS,
    )
    return lister.list_kalshi(event, text, proposition, grid="cent", inverted=team is home)


def list_polymarket_game(lister: Lister, game: Game, proposition: Proposition) -> PolymarketMarket:
    """List a game's moneyline; outcome 0 is the away team."""
    league, away, home, day = game.league, game.away, game.home, game.day
    slug = f"{league.code}-{away.code.lower()}-{home.code.lower()}-{day:%Y-%m-%d}"
    title = f"{away.name} vs. {home.name}"
    start_ms = game.start_ms
    description = (
        f"The {league.code.upper()} game {away.name} at {home.name}, planned for {day:%B} {day.day} ET.\n"
        f'The market resolves to "{away.name}" when the {away.name} win and to "{home.name}" when the {home.name} '
        "win, overtime included. A postponed game keeps the market open; a cancelled one without a make-up date "
        "resolves 50-50."
    )
    event = lister.polymarket_event(
        slug=slug,
        title=title,
        description=description,
        tags=("sports", league.code, "games"),
        end_ts_ms=start_ms,
        series_slug=f"{league.code}-{day.year}",
        game_id=lister.random.randrange(10_000_000, 90_000_000),
    )
    text = PolymarketText(
        slug=slug,
        question=title,
        description=description,
        outcomes=(away.name, home.name),
        sports_market_type="moneyline",
        game_start_ts_ms=start_ms,
        seconds_delay=3,
        end_ts_ms=start_ms,
    )
    return lister.list_polymarket(
        event, text, proposition, grid="cent", fee_type="sports_fees_v2", fee_rate=SPORTS_FEE_RATE
    )
