"""What a market asks, in typed slots: entity, dates, deadline, thresholds, market type, stage, district, placeholder.

Each market is parsed once. A slot holds what the text states and nothing that is guessed; what is not stated is empty.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from services.matcher.mapping_files import Mappings
from services.matcher.placeholders import asks_about_placeholder, is_placeholder
from services.matcher.templates import KalshiGame, NotInTemplate, PolymarketGame, kalshi_game, polymarket_game
from services.matcher.vocabulary import DISTRICT, FILLERS, MARKET_TYPES, MONTHS, PHRASES, STAGES, VENUE_TYPES
from shared.domain.market import Market, Venue

Comparator = Literal["above", "below", "exactly"]

_MONTH_NAMES = "|".join(sorted(MONTHS, key=len, reverse=True))
_ISO_DAY = re.compile(r"\b(20[0-9]{2})-([01][0-9])-([0-3][0-9])(?:t[0-9:.]+z)?\b")
_DAY = re.compile(rf"\b({_MONTH_NAMES})\.? ([0-3]?[0-9])(?:st|nd|rd|th)?\b(?!,?[0-9.]*%)(?:,? (20[0-9]{{2}}))?")
_MONTH = re.compile(rf"\b({_MONTH_NAMES})\b")
_YEAR = re.compile(r"(?<![0-9.,$-])(20[0-9]{2})(?:[-/](?:20)?([0-9]{2}))?(?![0-9.,%]*[0-9%])")
_DEADLINE_WORD = re.compile(r"\b(before|by|until|through|prior to)(?: the)?(?: (?:end|start) of)?$")
_NUMBER = re.compile(
    r"(?P<before>above|over|more than|greater than|at least|exceeds?|reach(?:es)?|hits?|below|under|less than|"
    r"fewer than|at most|dips? to|>=|>|≥|<=|<|≤)?\s*(?:\((?:low|high)\)\s*)?(?P<sign>-)?\$?"
    r"(?P<value>[0-9][0-9,]*(?:\.[0-9]+)?)\s?(?P<unit>%|bps|k|m|b|t|thousand|million|billion|trillion)?(?P<plus>\+)?"
    r"(?:\s*(?P<after>or (?:more|higher|above|greater|less|fewer|lower|below)))?(?!\w)"
)
_ORDINAL = re.compile(r"\b([0-9]+)(?:st|nd|rd|th)\b")
_TOP = re.compile(r"\btop[ -]([0-9]+)\b")
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_SCALE = {"k": 3, "thousand": 3, "m": 6, "million": 6, "b": 9, "billion": 9, "t": 12, "trillion": 12}
_ABOVE = ("above", "over", "more", "greater", "at least", "exceed", "reach", "hit", ">", "≥", "or more", "or higher")
_PLAIN_LABELS = frozenset({"", "yes", "no"})


class Threshold(NamedTuple):
    """A number that decides: ``above 25 %`` keeps 25, and whether 25 itself counts."""

    comparator: Comparator
    value: Decimal
    inclusive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """One market's question in parts. Texts are lower case and without diacritics."""

    market: Market
    text: str
    words: frozenset[str]
    """Words that carry meaning, for blocking and cover."""
    entity: frozenset[str]
    """Words of the outcome's own name, empty when the label names nobody."""
    game: KalshiGame | PolymarketGame | None
    contradiction: str
    """How the listing contradicts a template's shape; such a market is never paired."""
    years: frozenset[int]
    days: frozenset[tuple[int, int]]
    """Stated days that are no deadline, as month and day."""
    months: frozenset[int]
    deadlines: frozenset[tuple[int, int]]
    """The last days that count, as month and day: "before April 1" is March 31."""
    thresholds: frozenset[Threshold]
    market_types: frozenset[str]
    stages: frozenset[str]
    places: frozenset[str]
    districts: frozenset[str]
    placeholder: bool


def parse_slots(market: Market, mappings: Mappings) -> Slots:
    """Return the slots of one market; ``mappings`` has the team tables and templates."""
    label = market.outcome_label
    said = market.title if _normal(label) in _normal(market.title) else f"{market.title} {label}"
    text = _replace_phrases(_normal(said))
    slug_text = _normal(f"{market.event_title} {market.slug} {market.event_slug}".replace("-", " "))
    rest, days, deadlines, years = _take_dates(text)
    districts = frozenset(f"{found[0]}-{int(found[1])}" for found in DISTRICT.findall(said.upper()))
    game, contradiction = _game(market, mappings)
    places = frozenset(f"top{n}" for n in _TOP.findall(rest)) | frozenset(f"place{n}" for n in _ORDINAL.findall(rest))
    numberless = _ORDINAL.sub(" ", _TOP.sub(" ", DISTRICT.sub(" ", rest.upper()).lower()))
    return Slots(
        market=market,
        text=text,
        words=content_words(text),
        entity=_entity(label),
        game=game,
        contradiction=contradiction,
        years=years or frozenset(int(found[0]) for found in _YEAR.findall(slug_text)),
        days=days,
        months=frozenset(MONTHS[name] for name in _MONTH.findall(rest)) | frozenset(month for month, _ in days),
        deadlines=deadlines,
        thresholds=_thresholds(numberless),
        market_types=_classes(MARKET_TYPES, rest) | VENUE_TYPES.get(market.market_type, frozenset()),
        stages=_classes(STAGES, rest),
        places=places,
        districts=districts,
        placeholder=any(map(is_placeholder, (label, *market.outcomes))) or asks_about_placeholder(market.title),
    )


def content_words(text: str) -> frozenset[str]:
    """Return the words of a normalised text that say something."""
    return frozenset(word.removesuffix("'s") for word in _WORD.findall(text)) - FILLERS


def _normal(text: str) -> str:
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return " ".join(plain.lower().replace("’", "'").replace("–", "-").split())


def _replace_phrases(text: str) -> str:
    for phrase, word in PHRASES:
        text = phrase.sub(word, text)
    return text


def _entity(label: str) -> frozenset[str]:
    normal = _normal(label)
    if normal in _PLAIN_LABELS or any(char.isdigit() for char in normal):
        return frozenset()
    same_words = _replace_phrases(normal)
    if any(MARKET_TYPES[kind].search(same_words) for kind in ("cut", "hike", "hold")):
        return frozenset()
    return content_words(same_words) - MONTHS.keys()


def _take_dates(
    text: str,
) -> tuple[str, frozenset[tuple[int, int]], frozenset[tuple[int, int]], frozenset[int]]:
    """Return the text without its full dates and years, the days, the deadlines and the years it states."""
    days: set[tuple[int, int]] = set()
    deadlines: set[tuple[int, int]] = set()
    years: set[int] = set()

    def take(found: "re.Match[str]", year: str | None, month: int, day: int) -> str:
        stated = _real_day(int(year) if year else 2024, month, day)
        if stated is None:
            return found[0]
        deadline = _DEADLINE_WORD.search(found.string[: found.start()].rstrip())
        if deadline is not None and deadline[1] in ("before", "prior to"):
            stated -= timedelta(days=1)
        (days if deadline is None else deadlines).add((stated.month, stated.day))
        if year:
            years.add(stated.year)
        return " "

    text = _ISO_DAY.sub(lambda m: take(m, m[1], int(m[2]), int(m[3])), text)
    text = _DAY.sub(lambda m: take(m, m[3], MONTHS[m[1]], int(m[2])), text)

    def take_year(found: "re.Match[str]") -> str:
        deadline = _DEADLINE_WORD.search(found.string[: found.start()].rstrip())
        if deadline is None:
            years.add(int(found[1]))
            if found[2]:
                years.add(2000 + int(found[2]))
        else:
            deadlines.add((12, 31))
            years.add(int(found[1]) - ("before" in deadline[0] or "start" in deadline[0]))
        return " "

    return _YEAR.sub(take_year, text), frozenset(days), frozenset(deadlines), frozenset(years)


def _real_day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _thresholds(text: str) -> frozenset[Threshold]:
    return frozenset(map(_threshold, _NUMBER.finditer(text)))


def _threshold(match: "re.Match[str]") -> Threshold:
    value = Decimal(match["value"].replace(",", "")).scaleb(_SCALE.get(match["unit"] or "", 0))
    value = -value if match["sign"] and match["before"] else value
    before, after = match["before"] or "", match["after"] or ""
    said = after or before
    if match["plus"]:
        return Threshold("above", value, True)
    if not said:
        return Threshold("exactly", value, True)
    strict = said in ("above", "over", "more than", "greater than", "exceed", "exceeds", ">") or said in (
        "below", "under", "less than", "fewer than", "<",
    )  # fmt: skip
    return Threshold("above" if said.startswith(_ABOVE) else "below", value, not strict)


def _classes(patterns: "dict[str, re.Pattern[str]]", text: str) -> frozenset[str]:
    return frozenset(name for name, pattern in patterns.items() if pattern.search(text))


def _game(market: Market, mappings: Mappings) -> tuple[KalshiGame | PolymarketGame | None, str]:
    for template in mappings.templates:
        parse = kalshi_game if market.venue is Venue.KALSHI else polymarket_game
        try:
            found = parse(template, mappings.leagues[template.league], market)
        except NotInTemplate as contradiction:
            return None, str(contradiction)
        if found is not None:
            return found, ""
    return None, ""
