"""Every template in one place: which contest, if any, a listing is a side of.

Built once for the mappings in force; a listing is looked up by its series or slug, not tried against every template.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from services.matcher.contests import Contest, kalshi_contest, polymarket_contest, polymarket_side
from services.matcher.public_questions import kalshi_public, polymarket_public
from services.matcher.teams import League
from services.matcher.templates import (
    KalshiGame,
    NotInTemplate,
    PolymarketGame,
    SeriesTemplate,
    kalshi_game,
    polymarket_game,
)
from services.matcher.text import plain, tokens
from services.matcher.vocabulary import LEAGUE_WORDS
from services.matcher.wording import Names
from shared.domain.market import Market, Venue

_ESPORT = re.compile(
    r"(?:LoL|League of Legends|Counter-Strike|CS2|Dota ?2|Valorant|Mobile Legends|Overwatch|Rainbow Six|Rocket League|"
    r"StarCraft|Call of Duty|Honor of Kings)\b"
)
"""How Polymarket opens the titles of esports events."""
_BESIDE_GAMES = frozenset({"series", "total", "spread", "first_inning"})
"""What is asked beside the winner of a ``league_game``."""
_BESIDE_CUES = ("Series", ": O/U", "Spread: ", "inning?: ")
"""One of these is in every title that asks so."""


class Grammar:
    """The templates of a folder of mappings, by series and by slug."""

    def __init__(self, templates: Iterable[SeriesTemplate], leagues: Mapping[str, League]) -> None:
        self._leagues = leagues
        self._names = {code: Names(teams) for code, league in leagues.items() if (teams := league.phrases())}
        self._names_by_opening = [(code.upper(), names) for code, names in self._names.items()]
        self._by_full_name: defaultdict[str, dict[tuple[str, ...], Names]] = defaultdict(dict)
        """First word -> the full names, city and all, that open with it, of leagues whose teams have cities."""
        for code, league in leagues.items():
            for team in league.teams:
                if team.city and (words := tuple(token.word for token in tokens(plain(f"{team.city} {team.name}")))):
                    self._by_full_name[words[0]][words] = self._names[code]
        self._openings = tuple(code for code, _ in self._names_by_opening)
        self.templates = {template.template_id: template for template in templates}
        self._by_series = {template.kalshi_series: template for template in self.templates.values()}
        self._by_slug: dict[str, SeriesTemplate] = {}
        self._families: defaultdict[str, dict[str, str]] = defaultdict(dict)
        """What is asked -> family -> league."""
        self._prefixed: dict[str, set[str]] = defaultdict(set)
        """First word of a slug -> the contests that it may be."""
        self._has_public = any(template.kind == "public" for template in self.templates.values())
        for template in self.templates.values():
            if template.kind == "league_game":
                self._by_slug[template.polymarket_prefix] = template
            self._families[template.asks][template.family] = template.league
            for prefix in (template.polymarket_prefix, *template.polymarket_prefixes):
                if prefix:
                    self._prefixed[prefix].add(template.family)

    def side(self, market: Market) -> KalshiGame | PolymarketGame | None:
        """Return the side of a contest that a listing is; None when it is none that can be told exactly.

        Raises NotInTemplate when the listing contradicts the template whose shape it has.
        """
        return self._kalshi(market) if market.venue is Venue.KALSHI else self._polymarket(market)

    def names_by_code(self, market: Market) -> Names | None:
        """Return the teams of the league that opens a market's series or slug; None when none does."""
        opening = market.series_id.removeprefix("KX") if market.venue is Venue.KALSHI else market.event_slug.upper()
        if not opening.startswith(self._openings):
            return None
        return next(names for code, names in self._names_by_opening if opening.startswith(code))

    def names_by_words(self, words: Iterable[str]) -> Names | None:
        """Return the teams of the league that a text's words are about; None when they are about none."""
        code = next((LEAGUE_WORDS[word] for word in words if word in LEAGUE_WORDS), None)
        return self._names.get(code) if code else None

    def names_by_team(self, spoken: tuple[str, ...]) -> Names | None:
        """Return the teams of the league of the first team that a text names in full, as in ``New York Yankees``."""
        for at, word in enumerate(spoken):
            for full_name, names in self._by_full_name.get(word, {}).items():
                if spoken[at : at + len(full_name)] == full_name:
                    return names
        return None

    def _kalshi(self, market: Market) -> KalshiGame | None:
        template = self._by_series.get(market.event_id.partition("-")[0])
        if template is not None and template.kind == "public":
            return kalshi_public(template, market)
        league = self._leagues.get(template.league) if template else None
        if template is None or league is None:
            return None
        read = kalshi_game if template.kind == "league_game" else kalshi_contest
        return read(template, league, market)

    def _polymarket(self, market: Market) -> PolymarketGame | None:
        prefix = (market.slug or market.event_slug).partition("-")[0]
        template = self._by_slug.get(prefix)
        if template is not None and template.league in self._leagues:
            game = polymarket_game(template, self._leagues[template.league], market)
            if game is not None or not any(map(market.title.__contains__, _BESIDE_CUES)):
                return game
        if " vs" not in market.title and " vs" not in market.event_title:
            return self._public(market)
        contest = polymarket_contest(market)
        if contest is None or (template is not None and contest.asks not in _BESIDE_GAMES):
            return None
        return self._of_one_league(contest, market, prefix)

    def _public(self, market: Market) -> PolymarketGame | None:
        found = polymarket_public(market) if self._has_public else None
        if found is None:
            return None
        asks, game = found
        family = next(iter(self._families[asks]), None) if asks in self._families else None
        return game._replace(key=game.key._replace(family=family)) if family else None

    def _of_one_league(self, contest: Contest, market: Market, prefix: str) -> PolymarketGame | None:
        """Return the game in the only family that knows both sides; open tables are asked last."""
        families = self._families.get(contest.asks, {})
        if (known := self._prefixed.get(prefix)) and contest.asks != "series":
            families = {family: league for family, league in families.items() if family in known}
        else:
            is_esport = _ESPORT.match(market.event_title or market.title) is not None
            families = {family: code for family, code in families.items() if (code == "esports") is is_esport}
        for is_open in (False, True):
            found = [
                side
                for family, code in families.items()
                if (league := self._leagues.get(code)) is not None and league.is_open is is_open
                if (side := polymarket_side(contest, family, league, market)) is not None
            ]
            if found:
                return found[0] if len(found) == 1 else None
        return None


__all__ = ["Grammar", "NotInTemplate"]
