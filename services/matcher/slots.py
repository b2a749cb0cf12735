"""What a market asks, in typed slots: entity, dates, deadline, thresholds, market type, stage, district, placeholder.

Each market is parsed once. A slot holds what the text states and nothing that is guessed; what is not stated is empty.
What only the event's title or slug says is context: it may cover a word of the other side, it never demands one.
"""

import re
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import msgspec

from services.matcher.amounts import Interval, stated_amounts
from services.matcher.dates import MONTHS, Dates, Moment, stated_dates
from services.matcher.mapping_files import Mappings
from services.matcher.names import code_fits
from services.matcher.placeholders import asks_about_placeholder, is_placeholder
from services.matcher.places import COUNTRY_CODES, STATE_CODES, STATE_WORDS, STATES
from services.matcher.templates import KalshiGame, NotInTemplate, PolymarketGame
from services.matcher.text import plain, stem
from services.matcher.vocabulary import (
    BANKS,
    CRYPTO,
    INDICES,
    LEAGUE_WORDS,
    OFFICES,
    PARTIES,
    RATE_MOVES,
    RATE_WORDS,
    VENUE_TYPES,
    WEATHER,
)
from services.matcher.wording import GENERIC_WEIGHT, PHRASE_WEIGHT, TEAM, WORD_WEIGHT, Names, Wording, worded
from shared.domain.market import Market, Venue

_DISTRICT = re.compile(r"\b([A-Z]{2})-([0-9]{1,2}|AL)\b")
_STATE_DISTRICT = re.compile(
    r"\b([A-Z][a-z]+(?: [A-Z][a-z]+)?)(?:'s)? ([0-9]{1,2})(?:st|nd|rd|th)(?: Congressional)? District"
)
_ORDINAL = re.compile(
    r"(?:\b([2-9])(?:nd|rd|th)|#([1-9][0-9]?))\b"
    r"(?! (?:district|amendment|congress|annual|circuit|round|half|quarter|period|inning|set|term))",
    re.IGNORECASE,
)
_ANY_ORDINAL = re.compile(r"\b[0-9]+(?:st|nd|rd|th)\b", re.IGNORECASE)
_TOP = re.compile(r"\btop[ -]([0-9]+)\b", re.IGNORECASE)
_ROUND_OF = re.compile(r"\b(?:round of|last|sweet|elite) ([0-9]{1,2})\b", re.IGNORECASE)
_ROUND_CUES = ("round of", "last ", "sweet ", "elite ")
_ROUNDS = {"4": "semifinal", "8": "quarterfinal"}
_PART = re.compile(
    r"\b(map|game|set|period|inning|race|week|round|season|episode|day) ([0-9]{1,3}|one|two|three|four|five)\b"
    r"|\b(group|pool) ([a-l])\b(?!')",
    re.IGNORECASE,
)
_MAY_BE_ORDINAL = re.compile(r"[0-9#](?:(?<=#)|[nNrRtT][dDhH])")
_PART_CUES = ("map", "game", "set", "period", "inning", "race", "week", "round", "season", "episode", "day", "group",
              "pool")  # fmt: skip
_NONE = re.compile(r"^(Will) no (?=[a-zA-Z]+ (?:[a-z]+ )?(?:cuts?|hikes?|seats?|wins?|times?)\b)")
_ROUND = re.compile(r"\b([1-4])(?:st|nd|rd|th)(?= (?:round|half|quarter|period|inning|set)\b)", re.IGNORECASE)
_ORDINAL_WORDS = {"1": "first", "2": "second", "3": "third", "4": "fourth"}
_SUPER_BOWL = re.compile(r"(?<=Super Bowl )([LXVI]+)\b")
_ROMAN = {"L": 50, "X": 10, "V": 5, "I": 1}
_NUMBER_WORDS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5"}
_YEAR = re.compile(r"20(?<![0-9]..)[0-9]{2}(?![0-9])")
"""Begins with what is searched for, so that the search skips to it."""
_TICKER_YEAR = re.compile(r"-(?:20)?([23][0-9])(?![0-9])|-[A-Z]{3}([23][0-9])$")
_PARTY = re.compile(r"\b(?:Democratic|Republican) [Pp]arty\b")
_BRACKETS = re.compile(r"\(([^()]*)\)")
_PLAIN_LABELS = frozenset({"", "yes", "no"})
_NOTHING = Interval(Decimal(0), True, Decimal(0), True)
"""A cut or hike by 0 is no change."""
_YES_NO = ("Yes", "No")
_AFTER_ELECTION = "after_election"
_CODE_OF_STATE = {name: code for code, name in STATE_CODES.items()}
_DIGIT = re.compile(r"[0-9]")
_LEAST_CODE = 2
_YEARS = range(2000, 2200)
_GOVERNMENT = stem("government")
_IN_GOVERNMENT = re.compile(
    r"\b(?:part of|join|joins|in|into|enter|enters) (?:\w+ ){0,3}government(?! (?:shutdown|spending))"
)
_BANKS = frozenset(map(stem, BANKS))
_OTHER_RATES = frozenset(map(stem, ("unemployment", "cpi", "inflation", "mortgage", "tax", "taxes", "tariff", "gdp")))
"""Beside one of these a rate is no bank's, unless a bank is named."""
_SERIES_WORDS = {"CPI": ("mom",), "CPICORE": ("mom",), "CPIYOY": ("yoy",), "CPICOREYOY": ("yoy",)}
"""Kalshi's inflation series: monthly unless the series says year over year (series list, 2025 to 2026)."""

Day = tuple[int | None, int, int]
"""Year when it is stated, month, day."""


class Figures(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one market states in numbers. They refuse most candidates, and cost a third of what the words cost."""

    market: Market
    label: str
    title: str
    said: str
    """The title, with the label when the title does not tell it."""
    rest: str
    """What was said, without the figures."""
    years: frozenset[int]
    context_years: frozenset[int]
    days: frozenset[Day]
    """Stated days that are no deadline."""
    months: frozenset[Day]
    """Last days of stated months and quarters."""
    periods: frozenset[Day]
    """Last days of stated years."""
    deadlines: frozenset[Day]
    """The last days that count: "before April 1" is March 31."""
    ends: datetime | None
    """When the venue expects the end; only a hint."""
    is_after: bool
    """Whether something has to be after a day that is stated."""
    thresholds: frozenset[Interval]
    places: frozenset[str]
    """Final places by number, which are stages."""
    parts: frozenset[str]
    """Numbered parts of a contest: map 2, week 7."""
    districts: frozenset[str]

    @property
    def may_be_hold(self) -> bool:
        """Whether the words may yet say that a threshold of nothing is none: a move of 0 bps."""
        return _NOTHING in self.thresholds and "bps" in self.said.lower()


class Slots(Figures, frozen=True, kw_only=True, gc=False):
    """One market's question in parts. Texts are lower case and without diacritics."""

    text: str
    words: frozenset[str]
    """Words that carry meaning, for blocking and cover."""
    weights: dict[str, int]
    """How much each word says."""
    context: frozenset[str]
    """Words that only the event's title, slug or label says."""
    entity: tuple[str, ...]
    """Words of the outcome's own name in order, empty when the label names nobody."""
    asides: frozenset[str]
    """Words in brackets: most often another name of what stands before them."""
    runs: tuple[tuple[str, ...], ...]
    """Names as written, each a run of words."""
    initials: tuple[str, ...]
    spoken: tuple[str, ...]
    series: str
    """Kalshi's series ticker, which often abbreviates a country."""
    code: str
    """Kalshi's ticker ending when nothing but it tells whom the market is about."""
    outcome_words: tuple[frozenset[str], ...]
    game: KalshiGame | PolymarketGame | None
    contradiction: str
    """How the listing contradicts a template's shape; such a market is never paired."""
    market_types: frozenset[str]
    stages: frozenset[str]
    teams: frozenset[str]
    """Teams of a league's table that the text names."""
    leagues: frozenset[str]
    parties: frozenset[str]
    states: frozenset[str]
    """States of the United States, each by its last word."""
    after_election: bool
    """Whether only who holds an office after an election counts."""
    offices: frozenset[str]
    context_classes: frozenset[str]
    """Market types, stages and offices that only the context names."""
    settlement: str
    """``crypto``, ``weather`` or ``index``: different sources; ``leave``: one venue has a clause for death."""
    placeholder: bool


class _Context(NamedTuple):
    """What only the event's title, the label and the slugs say."""

    weights: dict[str, int]
    initials: list[str]
    classes: set[str]


def read_figures(market: Market) -> Figures:
    """Return what one market states in numbers, and its text without them."""
    label = plain(market.outcome_label)
    title = plain(market.title)
    told = market.venue is Venue.POLYMARKET or label.lower() in title.lower() or _names_party(title, label)
    said = title if told else f"{title} {label}"
    districts, undistricted = _districts(_SUPER_BOWL.sub(_super_bowl_year, said) if "Super Bowl" in said else said)
    dates = stated_dates(undistricted)
    places, parts, rest = _numbered(dates.rest)
    thresholds, rest = stated_amounts(_NONE.sub(r"\1 0 ", rest) if rest.startswith("Will no ") else rest)
    if _DIGIT.search(rest):
        rest = _ANY_ORDINAL.sub(" ", _ROUND.sub(lambda found: _ORDINAL_WORDS[found[1]], rest))
    days, months, periods, deadlines = _by_kind(dates.moments)
    return Figures(
        market=market,
        label=label,
        title=title,
        said=said,
        rest=rest,
        years=dates.years,
        context_years=_context_years(market),
        days=days,
        months=months,
        periods=periods,
        deadlines=deadlines,
        ends=_plausible_end(market.expected_expiration_time or market.close_time),
        is_after=any(moment.kind == "after" for moment in dates.moments),
        thresholds=thresholds,
        places=places,
        parts=parts,
        districts=districts,
    )


def parse_slots(market: Market, mappings: Mappings, figures: Figures | None = None) -> Slots:
    """Return the slots of one market; ``mappings`` has the team tables and templates.

    ``figures`` are the market's own where they have been read already.
    """
    figures = figures or read_figures(market)
    label, title, said, rest, thresholds = figures.label, figures.title, figures.said, figures.rest, figures.thresholds
    names = mappings.grammar.names_by_code(market)
    wording, context = worded(rest, names), _context(market, label, names)
    if names is None and (
        names := mappings.grammar.names_by_words(chain(wording.weights, context.weights))
        or mappings.grammar.names_by_team(wording.spoken)
    ):
        wording, context = worded(rest, names), _context(market, label, names)
    types = _types(market, wording)
    if figures.is_after:
        types |= {"after"}
    _told_by_series(market, wording)
    if RATE_MOVES & types and figures.may_be_hold:
        types, thresholds = types - RATE_MOVES | {"hold"}, thresholds - {_NOTHING}
    game, contradiction = game_of(market, mappings)
    words = wording.weights.keys()
    return Slots(
        market=market,
        label=label,
        title=title,
        said=said,
        rest=rest,
        text=said.lower(),
        words=frozenset(words),
        weights=wording.weights,
        context=frozenset((*context.weights, *map(stem, context.initials))),
        entity=() if _names_party(title, label) else _entity(label, names),
        asides=_asides(rest) if "(" in rest else frozenset(),
        runs=tuple(wording.runs),
        initials=tuple(wording.initials),
        spoken=wording.spoken,
        series=market.event_id.partition("-")[0].removeprefix("KX") if market.venue is Venue.KALSHI else "",
        code=_code(market, label, wording),
        outcome_words=_outcome_words(market, names),
        game=game,
        contradiction=contradiction,
        years=figures.years,
        context_years=figures.context_years,
        days=figures.days,
        months=figures.months,
        periods=figures.periods,
        deadlines=figures.deadlines,
        ends=figures.ends,
        is_after=figures.is_after,
        thresholds=thresholds,
        market_types=types,
        stages=_stages(wording) | figures.places,
        after_election=_AFTER_ELECTION in wording.stages,
        teams=frozenset(word for word in words if word.startswith(TEAM)) if names else frozenset(),
        leagues=frozenset(map(LEAGUE_WORDS.__getitem__, LEAGUE_WORDS.keys() & words)),
        parties=PARTIES.intersection(words),
        states=STATES.intersection(words),
        offices=OFFICES.intersection(words),
        context_classes=frozenset(context.classes) | OFFICES.intersection(context.weights),
        places=figures.places,
        parts=figures.parts,
        districts=figures.districts,
        settlement=_settlement(wording, types, thresholds),
        placeholder=any(map(is_placeholder, (market.outcome_label, *market.outcomes)))
        or asks_about_placeholder(market.title),
    )


def _names_party(title: str, label: str) -> bool:
    """Whether the title asks about a party, so that a candidate in the label only illustrates it."""
    return bool(label) and _PARTY.search(title) is not None and _PARTY.search(label) is None


def _asides(text: str) -> frozenset[str]:
    return frozenset(word for aside in _BRACKETS.findall(text) for word in worded(aside).weights)


def _districts(text: str) -> tuple[frozenset[str], str]:
    """Return the congressional districts of a text, and the text without their numbers."""
    numbered = _DISTRICT.findall(text) if "-" in text else ()
    found = {f"{state}-{0 if seat == 'AL' else int(seat)}" for state, seat in numbered if state in STATE_CODES}
    if not found and "District" in text:
        found = {
            f"{_CODE_OF_STATE[state.lower()]}-{int(seat)}"
            for state, seat in _STATE_DISTRICT.findall(text)
            if state.lower() in _CODE_OF_STATE
        }
    return (frozenset(found), _DISTRICT.sub(" ", _STATE_DISTRICT.sub(" ", text))) if found else (frozenset(), text)


def _super_bowl_year(found: "re.Match[str]") -> str:
    """Return the year in which a Super Bowl is played: LX in 2026."""
    values = [_ROMAN[letter] for letter in found[1]]
    number = sum(-v if v < max(values[at:]) else v for at, v in enumerate(values))
    return str(1966 + number)


def _numbered(text: str) -> tuple[frozenset[str], frozenset[str], str]:
    """Return places (2nd, top 10), numbered parts (map 2) and the text without them."""
    lower = text.lower()
    places: set[str] = set()
    if "top" in lower:
        places |= {f"top{n}" for n in _TOP.findall(text)}
        text = _TOP.sub(" ", text)
    if any(map(lower.__contains__, _ROUND_CUES)):
        places |= {_ROUNDS.get(size, f"round{size}") for size in _ROUND_OF.findall(text)}
        text = _ROUND_OF.sub(" ", text)
    if _MAY_BE_ORDINAL.search(text):
        places |= {f"place{a or b}" for a, b in _ORDINAL.findall(text)}
    text = _ORDINAL.sub(" ", text) if places else text
    if not any(map(lower.__contains__, _PART_CUES)):
        return frozenset(places), frozenset(), text
    parts = {
        f"{(what or group).lower()}{_NUMBER_WORDS.get(number.lower(), number) or letter.lower()}"
        for what, number, group, letter in _PART.findall(text)
    }
    return frozenset(places), frozenset(parts), _PART.sub(" ", text) if parts else text


def _context(market: Market, label: str, names: Names | None) -> _Context:
    outcomes = "" if market.outcomes == _YES_NO else " . ".join(map(plain, market.outcomes))
    own = worded(f"{label} . {outcomes} . {market.slug.replace('-', ' ')}", names)
    event = _event_wording(market.event_title, market.event_slug, names)
    return _Context(
        weights={**event.weights, **own.weights},
        initials=event.initials + own.initials,
        classes=event.types | event.stages | own.types | own.stages,
    )


@lru_cache(maxsize=5_000)
def _event_wording(title: str, slug: str, names: Names | None) -> Wording:
    """Return the wording that the markets of one event share."""
    return worded(f"{plain(title)} . {slug.replace('-', ' ')}", names)


def _context_years(market: Market) -> frozenset[int]:
    text = f"{market.event_title} {market.slug} {market.event_slug}"
    years = set(map(int, _YEAR.findall(text)))
    if not years and market.venue is Venue.KALSHI:
        years = {2000 + int(a or b) for a, b in _TICKER_YEAR.findall(market.market_id)}
    return frozenset(years)


def _plausible_end(ends: datetime | None) -> datetime | None:
    """Return an expected end, None for a filler such as 0001-01-01T00:00:00Z, near which days cannot be counted."""
    return ends if ends is not None and ends.year in _YEARS else None


def _stages(wording: Wording) -> frozenset[str]:
    """Return the stages; to qualify for the play-offs is to be in them."""
    stages = frozenset(wording.stages) - {_AFTER_ELECTION}
    return stages - {"advance"} if "playoffs" in stages else stages


def _types(market: Market, wording: Wording) -> frozenset[str]:
    """Return the market types; a bank announces its decisions, and one without a name on Kalshi is the Fed."""
    types = frozenset(wording.types) | VENUE_TYPES.get(market.market_type, frozenset())
    if _GOVERNMENT in wording.weights and _IN_GOVERNMENT.search(" ".join(wording.spoken)):
        types |= {"coalition"}
        for word in (_GOVERNMENT, "part"):
            wording.weights.pop(word, None)
    if not RATE_MOVES & types:
        return types
    types -= {"announce"}
    words = wording.weights.keys()
    named = not _BANKS.isdisjoint(words)
    if RATE_WORDS.isdisjoint(words) or not (named or _OTHER_RATES.isdisjoint(words)):
        return types - RATE_MOVES | ({"falls"} if "cut" in types else frozenset())
    if market.venue is Venue.KALSHI and not named:
        wording.weights["fed"] = PHRASE_WEIGHT
    return types


def _told_by_series(market: Market, wording: Wording) -> None:
    """Add the words that a Kalshi series says and its titles leave out."""
    for word in _SERIES_WORDS.get(market.series_id.removeprefix("KX"), ()):
        wording.weights.setdefault(word, WORD_WEIGHT)


@lru_cache(maxsize=5_000)
def _by_kind(moments: tuple[Moment, ...]) -> tuple[frozenset[Day], frozenset[Day], frozenset[Day], frozenset[Day]]:
    """Return the stated days, months, years and deadlines; kept, because the listings of a ladder state the same."""
    found: defaultdict[str, set[Day]] = defaultdict(set)
    for moment in moments:
        kind = moment.whole if moment.kind == "in" else moment.kind
        found[kind].add((moment.year, moment.month, moment.day))
    return (
        frozenset(found["on"] | found["after"]),
        frozenset(found["month"] | found["quarter"]),
        frozenset(found["year"]),
        frozenset(found["by"]),
    )


def _outcome_words(market: Market, names: Names | None) -> tuple[frozenset[str], ...]:
    """Return the words of each outcome; nothing for Yes and No."""
    if market.outcomes == _YES_NO:
        return ()
    return tuple(_words_of(outcome, names) for outcome in market.outcomes)


@lru_cache(maxsize=10_000)
def _words_of(outcome: str, names: Names | None) -> frozenset[str]:
    return frozenset(worded(plain(outcome), names).weights)


@lru_cache(maxsize=10_000)
def _entity(label: str, names: Names | None) -> tuple[str, ...]:
    if label.lower() in _PLAIN_LABELS:
        return ()
    dates: Dates = stated_dates(label)
    amounts, rest = stated_amounts(dates.rest)
    if dates.moments or amounts:
        return ()
    wording = worded(rest, names)
    if RATE_MOVES & wording.types:
        return ()
    heavy = tuple(word for word, weight in wording.weights.items() if weight > GENERIC_WEIGHT)
    return heavy or tuple(wording.weights)


def _code(market: Market, label: str, wording: Wording) -> str:
    """Return what ends a ticker when there is no label and the title does not spell it out."""
    if market.venue is not Venue.KALSHI or label:
        return ""
    code = "".join(char for char in market.market_id.removeprefix(market.event_id) if char.isalpha())
    if any(word.startswith(TEAM) for word in wording.weights):
        return ""
    if len(code) < _LEAST_CODE or code.lower() in MONTHS or _is_spelled_out(code, wording):
        return ""
    return code


def _is_spelled_out(code: str, wording: Wording) -> bool:
    if code_fits(code, wording.initials):
        return True
    state = STATE_WORDS.get(code)
    if state is not None and set(map(stem, wording.initials)) >= set(state):
        return True
    return any(code in COUNTRY_CODES.get(word, ()) for word in wording.weights)


def _settlement(wording: Wording, types: frozenset[str], thresholds: frozenset[Interval]) -> str:
    words = wording.weights.keys()
    if "leave" in types:
        return "leave"
    if WEATHER & words:
        return "weather"
    if CRYPTO & words and any(interval.is_price for interval in thresholds):
        return "crypto"
    return "index" if INDICES & words and thresholds else ""


def game_of(market: Market, mappings: Mappings) -> tuple[KalshiGame | PolymarketGame | None, str]:
    """Return the side of a contest that a template reads a listing as, or how the listing contradicts its template."""
    try:
        return mappings.grammar.side(market), ""
    except NotInTemplate as contradiction:
        return None, str(contradiction)
