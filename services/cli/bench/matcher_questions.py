"""The made-up questions of the matcher's benchmark: a dozen kinds, each with both venues' grammar for it.

Names are built from syllables and drawn unevenly, so that some words are everywhere and most are rare, as in real
listings. Kinds are drawn in about the proportions of both venues' listings of August 2026: most are games and ladders.
"""

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

_FIRST_DAY = date(2026, 11, 22)
_LEAGUES = {
    "nba": "ATL Atlanta Hawks|BOS Boston Celtics|BKN Brooklyn Nets|CHA Charlotte Hornets|CHI Chicago Bulls|"
    "CLE Cleveland Cavaliers|DAL Dallas Mavericks|DEN Denver Nuggets|DET Detroit Pistons|HOU Houston Rockets|"
    "IND Indiana Pacers|MEM Memphis Grizzlies|MIA Miami Heat|MIL Milwaukee Bucks|MIN Minnesota Timberwolves|"
    "ORL Orlando Magic|PHI Philadelphia 76ers|PHX Phoenix Suns|SAC Sacramento Kings|TOR Toronto Raptors|"
    "UTA Utah Jazz|WAS Washington Wizards",
    "nhl": "ANA Anaheim Ducks|BOS Boston Bruins|BUF Buffalo Sabres|CGY Calgary Flames|CAR Carolina Hurricanes|"
    "CHI Chicago Blackhawks|COL Colorado Avalanche|DAL Dallas Stars|EDM Edmonton Oilers|FLA Florida Panthers|"
    "MIN Minnesota Wild|MTL Montreal Canadiens|NSH Nashville Predators|OTT Ottawa Senators|"
    "PHI Philadelphia Flyers|PIT Pittsburgh Penguins|SEA Seattle Kraken|VAN Vancouver Canucks|"
    "WSH Washington Capitals|WPG Winnipeg Jets",
    "nfl": "ARI Arizona Cardinals|ATL Atlanta Falcons|BAL Baltimore Ravens|BUF Buffalo Bills|CAR Carolina Panthers|"
    "CHI Chicago Bears|CIN Cincinnati Bengals|CLE Cleveland Browns|DAL Dallas Cowboys|DEN Denver Broncos|"
    "DET Detroit Lions|HOU Houston Texans|IND Indianapolis Colts|JAX Jacksonville Jaguars|MIA Miami Dolphins|"
    "MIN Minnesota Vikings|PHI Philadelphia Eagles|PIT Pittsburgh Steelers|SEA Seattle Seahawks|"
    "TEN Tennessee Titans",
}  # fmt: skip
"""Some teams of three leagues: code, city, name."""
_TEAMS = {league: [tuple(team.split()) for team in teams.split("|")] for league, teams in _LEAGUES.items()}
_CITIES = sorted({city for teams in _TEAMS.values() for _, city, _ in teams})
_COINS = (("BTC", "Bitcoin", 90_000), ("ETH", "Ethereum", 3_100), ("SOL", "Solana", 140), ("XRP", "Ripple", 2))
_PLACE_NAMES = """Ohio Texas Georgia Arizona Michigan Nevada Wisconsin Iowa Maine Kansas Virginia Oregon Florida Alaska
Montana Colorado Brazil France Germany Poland Norway Chile Peru Kenya Japan Canada Spain Italy Mexico Hungary Romania"""
_PLACES = _PLACE_NAMES.split()
_OFFICES = (("GOV", "Governor"), ("SEN", "Senate"), ("PRES", "Presidential"), ("MAYOR", "Mayor"))
_PRIZES = (
    "Best Picture",
    "Best Director",
    "Best Actor",
    "Best Actress",
    "Album of the Year",
    "Song of the Year",
    "Best Drama",
)
_TOPIC_WORDS = """tariff inflation border ceasefire budget nuclear bitcoin election weather record space chips union
energy vaccine"""
_TOPICS = _TOPIC_WORDS.split()
_ONSET_LETTERS = "b br c ch d dr f g gr h j k kl l m n p pr r s sh st t tr v w z"
_ONSETS = _ONSET_LETTERS.split()
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ou"]
_CODAS = ["", "", "n", "r", "l", "s", "m", "ck", "nd", "rt", "x"]


class Line(NamedTuple):
    """One outcome of a question, as each venue says it."""

    suffix: str
    kalshi_title: str
    kalshi_label: str
    polymarket_title: str
    polymarket_label: str = ""


class Question(NamedTuple):
    """What makes an event on either venue. With ``sides``, Polymarket lists one market whose outcomes they are."""

    event_ticker: str
    slug: str
    ends: date
    lines: tuple[Line, ...]
    kalshi_event: str = ""
    polymarket_event: str = ""
    sides: tuple[str, str] | None = None
    market_type: str = ""


class Draw:
    """Draws questions; the randomness comes in."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._first_names = [self._word(2) for _ in range(400)]
        self._surnames = [self._word(3) for _ in range(12_000)]
        self._clubs = [self._word(2) for _ in range(700)]
        self._things = [self._word(2) for _ in range(5_000)]
        kinds: tuple[tuple[int, Callable[[], Question]], ...] = (
            (8, self._moneyline),
            (9, self._spread),
            (14, self._soccer),
            (14, self._player_points),
            (14, self._coin_ladder),
            (9, self._weather),
            (10, self._election),
            (7, self._prize),
            (4, self._central_bank),
            (8, self._mentions),
            (6, self._leaves),
            (6, self._review_score),
            (5, self._streams),
        )
        self._kinds = [kind for _, kind in kinds]
        self._weights = [weight for weight, _ in kinds]

    def question(self) -> Question:
        """Return the next question; it may be one that was drawn before."""
        return self.rng.choices(self._kinds, self._weights)[0]()

    def _moneyline(self) -> Question:
        league, (a, city_a, name_a), (b, city_b, name_b) = self._game()
        day = self._day(90)
        return Question(
            event_ticker=f"KX{league.upper()}GAME-{_ticker_day(day)}{a}{b}",
            slug=f"{league}-{a.lower()}-{b.lower()}-{day.isoformat()}",
            ends=day,
            lines=tuple(
                Line(code, f"{city_a} at {city_b} Winner?", city, f"{name_a} vs. {name_b}")
                for code, city in ((a, city_a), (b, city_b))
            ),
            kalshi_event=f"{city_a} at {city_b}",
            polymarket_event=f"{name_a} vs. {name_b}",
            sides=(name_a, name_b),
            market_type="moneyline",
        )

    def _spread(self) -> Question:
        league, (a, city_a, name_a), (b, city_b, name_b) = self._game()
        day = self._day(90)
        return Question(
            event_ticker=f"KX{league.upper()}SPREAD-{_ticker_day(day)}{a}{b}",
            slug=f"{league}-{a.lower()}-{b.lower()}-{day.isoformat()}-spreads",
            ends=day,
            lines=tuple(
                Line(f"{a}{n}", f"{city_a} wins by over {n}.5 points?", f"{city_a} wins by over {n}.5 points",
                     f"Spread: {name_a} (-{n}.5)", f"Spread -{n}.5")
                for n in sorted(self.rng.sample(range(1, 20), 5))
            ),
            kalshi_event=f"{city_a} at {city_b}: Spread",
            polymarket_event=f"{name_a} vs. {name_b}",
            market_type="spreads",
        )  # fmt: skip

    def _soccer(self) -> Question:
        home, away = self.rng.sample(self._clubs, 2)
        day = self._day(120)
        titles = {home: f"Will {home} FC win on {day}?", away: f"Will {away} FC win on {day}?"}
        draw = f"Will {home} FC vs. {away} FC end in a draw?"
        return Question(
            event_ticker=f"KXSOCCERGAME-{_ticker_day(day)}{home[:3].upper()}{away[:3].upper()}",
            slug=f"soc-{home[:3].lower()}-{away[:3].lower()}-{day.isoformat()}",
            ends=day,
            lines=tuple(
                Line(label[:3].upper(), f"{home} vs {away} Winner?", label, titles.get(label, draw), label)
                for label in (home, away, "Tie")
            ),
            kalshi_event=f"{home} vs {away}",
            polymarket_event=f"{home} FC vs. {away} FC",
        )

    def _player_points(self) -> Question:
        league, (a, city_a, name_a), (b, city_b, name_b) = self._game()
        day, player = self._day(60), self._person()
        what = self.rng.choice(("points", "rebounds", "assists"))
        return Question(
            event_ticker=f"KX{league.upper()}{what[:3].upper()}-{_ticker_day(day)}{a}{b}{_code(player)}",
            slug=f"{league}-{a.lower()}-{b.lower()}-{day.isoformat()}-{what}-{_slug(player)}",
            ends=day,
            lines=tuple(
                Line(str(n), f"{player}: {n}+ {what}", f"{n}+", f"{player}: {what.title()} O/U {n - 1}.5", player)
                for n in sorted(self.rng.sample(range(5, 45), 4))
            ),
            kalshi_event=f"{city_a} at {city_b}: {what.title()}",
            polymarket_event=f"{name_a} vs. {name_b}",
            market_type=what,
        )

    def _coin_ladder(self) -> Question:
        code, name, about = self.rng.choice(_COINS)
        day, hour = self._day(60), self.rng.randrange(1, 12)
        step = max(1, about // 100)
        lowest = about - step * self.rng.randrange(2, 12)
        return Question(
            event_ticker=f"KX{code}D-{_ticker_day(day)}{hour:02d}",
            slug=f"{name.lower()}-above-on-{_slug_day(day)}-{hour}pm",
            ends=day,
            lines=tuple(
                Line(f"T{value}", f"{name} price on {_us_day(day)}, 2026 at {hour}pm EST?", f"${value:,} or above",
                     f"Will the price of {name} be above ${value:,} on {_us_day(day)}, {hour}PM ET?", f"{value:,}")
                for value in range(lowest, lowest + 12 * step, step)
            ),
        )  # fmt: skip

    def _weather(self) -> Question:
        city, day = self.rng.choice(_CITIES), self._day(45)
        high, low = self.rng.choice((("high", "highest"), ("low", "lowest")))
        first, when = self.rng.randrange(20, 70), _us_day(day)
        return Question(
            event_ticker=f"KX{high.upper()}{_code(city)}-{_ticker_day(day)}",
            slug=f"{low}-temperature-in-{_slug(city)}-on-{_slug_day(day)}",
            ends=day,
            lines=tuple(
                Line(f"B{t}", f"Will the {high} temp in {city} be {t}-{t + 1}° on {when}?", f"{t}° to {t + 1}°",
                     f"Will the {low} temperature in {city} be between {t}-{t + 1}°F on {when}?", f"{t}-{t + 1}°F")
                for t in range(first, first + 12, 2)
            ),
        )  # fmt: skip

    def _election(self) -> Question:
        place, (code, office) = self.rng.choice(_PLACES), self.rng.choice(_OFFICES)
        town = self.rng.choice(self._clubs) if code == "MAYOR" else place
        year = self.rng.choice((2026, 2027, 2028))
        people = [self._person() for _ in range(self.rng.randrange(2, 9))]
        return Question(
            event_ticker=f"KX{code}{_code(town)}-{year - 2000}",
            slug=f"{_slug(town)}-{office.lower()}-election-winner-{year}",
            ends=date(year, 11, 3),
            lines=tuple(
                Line(_code(person), f"Will {person} win the {office} race in {town}?", person,
                     f"Will {person} win the {year} {town} {office} Election?", person)
                for person in people
            ),
            kalshi_event=f"{town} {office} winner? ({year})",
            polymarket_event=f"{town} {office} Election Winner",
        )  # fmt: skip

    def _prize(self) -> Question:
        prize, year = self.rng.choice(_PRIZES), self.rng.choice((2026, 2027, 2028))
        whose = self.rng.choice(self._things)
        films = [self._title() for _ in range(self.rng.randrange(4, 10))]
        return Question(
            event_ticker=f"KX{_code(whose)}{_code(prize)}-{year - 2000}",
            slug=f"{_slug(whose)}-awards-{year}-{_slug(prize)}-winner",
            ends=date(year, 3, 14),
            lines=tuple(
                Line(_code(film), f"{whose} Awards: {prize} winner in {year}?", film,
                     f"Will {film} win {prize} at the {year} {whose} Awards?", film)
                for film in films
            ),
            polymarket_event=f"{whose} Awards {year}: {prize} Winner",
        )  # fmt: skip

    def _central_bank(self) -> Question:
        bank = self.rng.choice(
            ("Fed", "ECB", "Bank of Canada", "Bank of Japan", "Bank of England", "Riksbank", "Norges Bank")
        )
        day = self._day(700)
        month = day.strftime("%B %Y")
        moves = (
            ("C25", "Cut 25bps", f"Will the {bank} decrease interest rates by 25 bps after the {month} meeting?"),
            ("C26", "Cut >25bps", f"Will the {bank} decrease interest rates by 50+ bps after the {month} meeting?"),
            ("H0", "Maintain rate", f"Will there be no change in {bank} rates after the {month} meeting?"),
            ("H25", "Hike 25bps", f"Will the {bank} increase interest rates by 25 bps after the {month} meeting?"),
        )
        return Question(
            event_ticker=f"KX{_code(bank)}DECISION-{_ticker_day(day)[:5]}",
            slug=f"{_slug(bank)}-decision-in-{_slug(month)}",
            ends=day,
            lines=tuple(Line(code, f"{bank} decision in {day:%b %Y}?", label, title) for code, label, title in moves),
            polymarket_event=f"{bank} decision in {month}?",
        )

    def _mentions(self) -> Question:
        who, day = self._person(), self._day(60)
        words = self.rng.sample(_TOPICS, 6) + self.rng.sample(self._things, 4)
        return Question(
            event_ticker=f"KXMENTION{_code(who)}-{_ticker_day(day)}",
            slug=f"what-will-{_slug(who)}-say-on-{_slug_day(day)}",
            ends=day,
            lines=tuple(
                Line(_code(word), f"What will {who} say during the next speech?", word.title(),
                     f'Will {who} say "{word.title()}" on {_us_day(day)}?', word.title())
                for word in words
            ),
        )  # fmt: skip

    def _leaves(self) -> Question:
        who, company, day = self._person(), self.rng.choice(self._things), self._day(400)
        last = day.replace(day=1)
        by = last - timedelta(days=1)
        return Question(
            event_ticker=f"KXCEOOUT{_code(company)}{_code(who)}-{_ticker_day(last)}",
            slug=f"{_slug(who)}-out-as-ceo-of-{_slug(company)}-by-{_slug_day(by)}",
            ends=by,
            lines=(
                Line(_ticker_day(last), f"Will {who} leave as CEO of {company}?",
                     f"Before {last:%b} {last.day}, {last.year}",
                     f"{who} out as CEO of {company} by {_us_day(by)}, {by.year}?"),
            ),
        )  # fmt: skip

    def _review_score(self) -> Question:
        film, day = self._title(), self._day(200)
        return Question(
            event_ticker=f"KXRT{_code(film)}-{_ticker_day(day)}",
            slug=f"{_slug(film)}-rotten-tomatoes-score",
            ends=day,
            lines=tuple(
                Line(str(score), f"{film} Rotten Tomatoes score?", f"Above {score}",
                     f'Will "{film}" have a Rotten Tomatoes score of {score + 1} or higher?', f"{score + 1}+")
                for score in range(45, 95, 7)
            ),
            polymarket_event=f"{film} Rotten Tomatoes score?",
        )  # fmt: skip

    def _streams(self) -> Question:
        artist, day = self._person(), self._day(300)
        month = day.strftime("%B %Y")
        songs = [self._title() for _ in range(6)]
        return Question(
            event_ticker=f"KXTOPSONG{_code(artist)}-{_ticker_day(day)[:5]}",
            slug=f"top-{_slug(artist)}-song-{_slug(month)}",
            ends=day,
            lines=tuple(
                Line(_code(song), f"{artist}: most streamed song in {day:%b %Y}?", song,
                     f"Will {song} be the top {artist} song on Spotify in {month}?", song)
                for song in songs
            ),
        )  # fmt: skip

    def _game(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        league = self.rng.choice(tuple(_TEAMS))
        home, away = self.rng.sample(_TEAMS[league], 2)
        return league, home, away

    def _day(self, within: int) -> date:
        return _FIRST_DAY + timedelta(days=self.rng.randrange(within))

    def _person(self) -> str:
        return f"{self._uneven(self._first_names)} {self._uneven(self._surnames)}"

    def _title(self) -> str:
        return " ".join(self._uneven(self._things) for _ in range(self.rng.randrange(1, 4)))

    def _uneven(self, words: list[str]) -> str:
        """Draw a word, the first ones far more often than the last."""
        return words[int(len(words) * self.rng.random() ** 2)]

    def _word(self, syllables: int) -> str:
        parts = (self.rng.choice(_ONSETS) + self.rng.choice(_VOWELS) for _ in range(syllables))
        return ("".join(parts) + self.rng.choice(_CODAS)).title()


def _ticker_day(day: date) -> str:
    return f"{day:%y%b%d}".upper()


def _us_day(day: date) -> str:
    return f"{day:%B} {day.day}"


def _slug_day(day: date) -> str:
    return f"{day:%B}-{day.day}-{day.year}".lower()


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")


def _code(name: str) -> str:
    return name.replace(" ", "").upper()[:10]
