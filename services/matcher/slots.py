"""What a market asks, in typed slots: entity, dates, deadline, thresholds, market type, stage, district, placeholder.

Each market is parsed once. A slot holds what the text states and nothing that is guessed; what is not stated is empty.
What only the event's title or slug says is context: it may cover a word of the other side, it never demands one.
"""

import re
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from services.matcher.amounts import Interval, stated_amounts
from services.matcher.dates import MONTHS, Dates, stated_dates
from services.matcher.figures import NOTHING, Figures, names_party, read_figures
from services.matcher.mapping_files import Mappings
from services.matcher.names import code_fits
from services.matcher.placeholders import asks_about_placeholder, is_placeholder
from services.matcher.places import COUNTRY_CODES, STATE_WORDS, STATES
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

_BRACKETS = re.compile(r"\(([^()]*)\)")
_PLAIN_LABELS = frozenset({"", "yes", "no"})
_YES_NO = ("Yes", "No")
_AFTER_ELECTION = "after_election"
_LEAST_CODE = 2
_GOVERNMENT = stem("government")
_IN_GOVERNMENT = re.compile(
    r"\b(?:part of|join|joins|in|into|enter|enters) (?:\w+ ){0,3}government(?! (?:shutdown|spending))"
)
_BANKS = frozenset(map(stem, BANKS))
_OTHER_RATES = frozenset(map(stem, ("unemployment", "cpi", "inflation", "mortgage", "tax", "taxes", "tariff", "gdp")))
"""Beside one of these a rate is no bank's, unless a bank is named."""
_SERIES_WORDS = {"CPI": ("mom",), "CPICORE": ("mom",), "CPIYOY": ("yoy",), "CPICOREYOY": ("yoy",)}
"""Kalshi's inflation series: monthly unless the series says year over year (series list, 2025 to 2026)."""


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
        types, thresholds = types - RATE_MOVES | {"hold"}, thresholds - {NOTHING}
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
        entity=() if names_party(title, label) else _entity(label, names),
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


def _asides(text: str) -> frozenset[str]:
    return frozenset(word for aside in _BRACKETS.findall(text) for word in worded(aside).weights)


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
