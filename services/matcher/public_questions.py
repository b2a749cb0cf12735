"""Fed decisions, inflation figures and House races: the ticker of one venue against the wording of the other, exactly.

Each question has one key on both venues: what is asked, the month or year, the place, the answer. Wordings as read from
both venues' listings of March to August 2026; any other wording is none of these questions.
"""

import re
from datetime import date
from decimal import Decimal

from services.matcher.amounts import Interval, compare_amounts, stated_amounts
from services.matcher.dates import MONTHS, stated_dates
from services.matcher.places import COUNTRY_NAMES
from services.matcher.templates import GameKey, KalshiGame, NotInTemplate, PolymarketGame, SeriesTemplate
from services.matcher.text import plain, tokens
from shared.domain.market import Market

_MONTH_TICKER = re.compile(r"([0-9]{2})([A-Z]{3})")
_RATE_CODE = re.compile(r"([CH])([0-9]+)")
_RATE_LABEL = re.compile(
    r"(?P<move>cut|hike) (?P<more>>)?(?P<size>[0-9]+) ?bps|(?P<hold>fed maintains rate)", re.IGNORECASE
)
_RATE_QUESTION = re.compile(
    r"(?:Will the )?Fed (?P<move>decrease|increase)s? interest rates by (?P<size>[0-9]+)(?P<more>\+)? bps "
    r"after (?:the )?(?P<month>[A-Z][a-z]+) (?P<year>20[0-9]{2}) meeting\?"
)
_RATE_HOLD = re.compile(
    r"(?:Will there be n|N)o change in (?:the )?Fed(?:'s)? interest rates after (?:the )?"
    r"(?P<month>[A-Z][a-z]+) (?P<year>20[0-9]{2}) meeting\?"
)
_CPI_CODE = re.compile(r"T(-?[0-9]+\.[0-9])")
_CPI_QUESTION = re.compile(
    r"Will annual inflation be (?P<rate>-?[0-9]+\.[0-9])% or (?:more|higher) "
    r"in (?P<month>[A-Z][a-z]+)(?: (?P<year>20[0-9]{2}))?\?"
)
_TENTH = Decimal("0.1")
_HOUSE_EVENT = re.compile(r"(?P<state>[A-Z]{2})(?P<seat>[0-9]{1,2}|AL)-(?P<year>[0-9]{2})")
_HOUSE_QUESTION = re.compile(
    r"Will the (?P<party>Democratic|Republican) Party win the (?P<state>[A-Z]{2})-(?P<seat>[0-9]{1,2}|AL) House seat\?"
)
_DISTRICT = re.compile(r"\b(?P<state>[A-Z]{2})-(?P<seat>[0-9]{1,2}|AL)\b")
_PARTIES = {"D": "democratic", "R": "republican"}
_PARTY_WORDS = {
    "democratic": frozenset({"democratic", "democrat", "democrats"}),
    "republican": frozenset({"republican", "republicans", "gop"}),
}
_OTHER_RACE = frozenset({"primary", "nominee", "nomination", "special", "margin", "runoff", "senate", "governor"})
_INFLATION = frozenset({"inflation", "cpi"})
_OTHER_INFLATION = frozenset({"core", "monthly", "mom", "gas", "food", "shelter", "pce", "ppi"})
"""Other figures than the annual change of the whole consumer price index."""
_US = frozenset({"unitedstates"})
_SUBJECTS = ("Fed", "inflation", "House")
"""Every question read here says one of these, which is seen at once."""
_YES_NO = ("Yes", "No")
_SMALLEST_MOVE = 25
"""Basis points. Kalshi's next code, 26, stands for any larger move."""


def kalshi_public(template: SeriesTemplate, market: Market) -> KalshiGame | None:
    """Return the answer that a Kalshi market of a public series is; None when its ticker has another shape.

    Raises NotInTemplate when its label contradicts its ticker.
    """
    event = market.event_id.removeprefix(f"{template.kalshi_series}-")
    code = market.market_id.removeprefix(market.event_id).removeprefix("-")
    read = {"rate_decision": _rate_answer, "inflation": _inflation_answer, "house_race": _house_answer}[template.asks]
    found = read(event, code, market)
    if found is None:
        return None
    day, place, answer = found
    key = GameKey(template.family, day, frozenset((place,)), answer)
    return KalshiGame(key, market.event_id, "yes", template.template_id)


def polymarket_public(market: Market) -> tuple[str, PolymarketGame] | None:
    """Return what a Polymarket market asks, of ``SeriesTemplate.asks``, and its answer; None for any other wording."""
    if market.outcomes != _YES_NO and tuple(outcome.lower() for outcome in market.outcomes) != ("yes", "no"):
        return None
    question = plain(market.title)
    if not any(map(question.__contains__, _SUBJECTS)):
        return None
    for asks, read in (("rate_decision", _rate_asked), ("inflation", _inflation_asked), ("house_race", _house_asked)):
        found = read(question, market)
        if found is not None:
            day, place, answer = found
            return asks, PolymarketGame(GameKey("", day, frozenset((place,)), answer), ("yes", "no"))
    return None


_Answer = tuple[date, str, str]
"""The month or year, the place and the answer."""


def _rate_answer(event: str, code: str, market: Market) -> _Answer | None:
    day, found = _ticker_month(event), _RATE_CODE.fullmatch(code)
    if day is None or found is None:
        return None
    answer = _rate(found[1] == "C", int(found[2]), more=int(found[2]) % _SMALLEST_MOVE == 1)
    said = _RATE_LABEL.fullmatch(market.outcome_label)
    if said is None and market.outcome_label:
        return None
    if (said is not None and answer != _said_rate(said)) or _other_month(_said_by(market), day):
        raise NotInTemplate(f"{market.market_id}: YES is labelled {market.outcome_label!r}, which is not {answer}")
    return day, "us", answer


def _said_rate(said: "re.Match[str]") -> str:
    if said["hold"]:
        return "hold"
    size = int(said["size"]) + bool(said["more"])
    return _rate(said["move"].lower() == "cut", size, more=bool(said["more"]))


def _rate(is_cut: bool, size: int, *, more: bool) -> str:
    if size == 0:
        return "hold"
    return f"{'cut' if is_cut else 'hike'} {'over ' if more else ''}{size - more}"


def _rate_asked(question: str, _: Market) -> _Answer | None:
    if held := _RATE_HOLD.fullmatch(question):
        day = _stated_month(held["month"], held["year"])
        return (day, "us", "hold") if day else None
    found = _RATE_QUESTION.fullmatch(question)
    day = _stated_month(found["month"], found["year"]) if found else None
    if found is None or day is None:
        return None
    answer = f"{'cut' if found['move'] == 'decrease' else 'hike'} {found['size']}{' or more' if found['more'] else ''}"
    return day, "us", answer


def _inflation_answer(event: str, code: str, market: Market) -> _Answer | None:
    """The texts have to state the ticker's month and amount; a code alone is not believed."""
    day, found = _ticker_month(event), _CPI_CODE.fullmatch(code)
    if day is None or found is None:
        return None
    said = _said_by(market)
    dates = stated_dates(said)
    amounts, rest = stated_amounts(dates.rest)
    spoken = [token.word for token in tokens(rest)]
    words = set(spoken)
    if not any(moment.whole == "month" for moment in dates.moments) or not amounts or words.isdisjoint(_INFLATION):
        return None
    other_words = words & _OTHER_INFLATION or {COUNTRY_NAMES[word] for word in words & COUNTRY_NAMES.keys()} - _US
    other_words |= {"monthly"} if "month over month" in " ".join(spoken) else set()
    above = Interval(Decimal(found[1]), False, None, False)
    if other_words or _other_month(said, day) or any(compare_amounts(above, amount) != "same" for amount in amounts):
        raise NotInTemplate(f"{market.market_id}: {said!r} is not annual inflation above {found[1]}% in {day:%B %Y}")
    return day, "us", f"at least {Decimal(found[1]) + _TENTH}"


def _inflation_asked(question: str, market: Market) -> _Answer | None:
    """The year is the one stated, else that of the release: the figure of December comes in January."""
    found = _CPI_QUESTION.fullmatch(question)
    if found is None or (not found["year"] and market.close_time is None):
        return None
    month = MONTHS.get(found["month"].lower(), 0)
    released = market.close_time.year - (month == 12) if market.close_time else 0
    day = _stated_month(found["month"], found["year"] or str(released))
    return (day, "us", f"at least {Decimal(found['rate'])}") if day else None


def _house_answer(event: str, code: str, market: Market) -> _Answer | None:
    """The texts have to state the ticker's district and party, and nothing else of either; a code is not believed."""
    found = _HOUSE_EVENT.fullmatch(event)
    if found is None or code not in _PARTIES:
        return None
    said = _said_by(market)
    words = {token.word for token in tokens(said)}
    districts = {_district(place) for place in _DISTRICT.finditer(said)}
    parties = {party for party, names in _PARTY_WORDS.items() if not words.isdisjoint(names)}
    if not districts or not parties:
        return None
    year, party = 2000 + int(found["year"]), _PARTIES[code]
    named = plain(market.outcome_label).lower()
    is_other = districts != {_district(found)} or parties != {party} or not words.isdisjoint(_OTHER_RACE)
    is_person = named not in ("", "yes") and not any(name in named.split() for name in _PARTY_WORDS[party])
    if is_other or is_person or not stated_dates(said).years <= {year}:
        raise NotInTemplate(f"{market.market_id}: {said!r} is not the {party} party in {_district(found)} in {year}")
    return date(year, 1, 1), _district(found), party


def _other_month(text: str, day: date) -> bool:
    """Whether a text states another month than the ticker's; months without a year are this year's."""
    months = [moment for moment in stated_dates(text).moments if moment.whole == "month"]
    return any(moment.month != day.month or moment.year not in (None, day.year) for moment in months)


def _said_by(market: Market) -> str:
    return plain(f"{market.title} . {market.outcome_label} . {market.event_title}")


def _house_asked(question: str, market: Market) -> _Answer | None:
    found = _HOUSE_QUESTION.fullmatch(question)
    if found is None or market.close_time is None:
        return None
    return date(market.close_time.year, 1, 1), _district(found), found["party"].lower()


def _district(found: "re.Match[str]") -> str:
    return f"{found['state']}-{0 if found['seat'] == 'AL' else int(found['seat'])}"


def _ticker_month(text: str) -> date | None:
    found = _MONTH_TICKER.fullmatch(text)
    month = MONTHS.get(found[2].lower()) if found else None
    return date(2000 + int(found[1]), month, 1) if found and month else None


def _stated_month(month: str, year: str) -> date | None:
    number = MONTHS.get(month.lower())
    return date(int(year), number, 1) if number else None
