"""What a market states in numbers: days, deadlines, years, amounts, places, numbered parts, districts.

They are read before the words and refuse most candidates, for a third of what the words cost.
"""

import re
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

import msgspec

from services.matcher.amounts import Interval, stated_amounts
from services.matcher.dates import Moment, stated_dates
from services.matcher.places import STATE_CODES
from services.matcher.text import plain
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
NOTHING = Interval(Decimal(0), True, Decimal(0), True)
"""A cut or hike by 0 is no change."""
_CODE_OF_STATE = {name: code for code, name in STATE_CODES.items()}
_DIGIT = re.compile(r"[0-9]")
_YEARS = range(2000, 2200)

Day = tuple[int | None, int, int]
"""Year when it is stated, month, day."""


class Figures(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one market states in numbers."""

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
        return NOTHING in self.thresholds and "bps" in self.said.lower()


def read_figures(market: Market) -> Figures:
    """Return what one market states in numbers, and its text without them."""
    label = plain(market.outcome_label)
    title = plain(market.title)
    told = market.venue is Venue.POLYMARKET or label.lower() in title.lower() or names_party(title, label)
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


def names_party(title: str, label: str) -> bool:
    """Whether the title asks about a party, so that a candidate in the label only illustrates it."""
    return bool(label) and _PARTY.search(title) is not None and _PARTY.search(label) is None


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


def _context_years(market: Market) -> frozenset[int]:
    text = f"{market.event_title} {market.slug} {market.event_slug}"
    years = set(map(int, _YEAR.findall(text)))
    if not years and market.venue is Venue.KALSHI:
        years = {2000 + int(a or b) for a, b in _TICKER_YEAR.findall(market.market_id)}
    return frozenset(years)


def _plausible_end(ends: datetime | None) -> datetime | None:
    """Return an expected end, None for a filler such as 0001-01-01T00:00:00Z, near which days cannot be counted."""
    return ends if ends is not None and ends.year in _YEARS else None


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
