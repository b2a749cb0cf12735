"""Dates that a text states, as written: nothing is guessed, a missing year stays missing.

``before April 1`` and ``by March 31`` end on the same last day that counts, so deadlines are kept as that day.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal, NamedTuple

Kind = Literal["on", "in", "by", "after"]

MONTHS = {
    name[:length]: number
    for number, name in enumerate(
        ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
         "december"), start=1,
    )
    for length in {3, 4, len(name)}
    if length in (3, len(name)) or name == "september"
}  # fmt: skip
"""Month by its name or usual short form, in lower case."""

_NAMES = "|".join(sorted(MONTHS, key=len, reverse=True))
_YEAR = r"20[0-9]{2}"
_DATE = re.compile(
    rf"(?<![0-9.,$/-])(?:(?P<iso>(?P<iy>{_YEAR})-(?P<im>[01][0-9])-(?P<id>[0-3][0-9]))(?:T[0-9:.]+Z?)?"
    rf"|(?P<sy>{_YEAR})[-/](?P<sz>(?:20)?[0-9]{{2}})(?![0-9.,-]*[0-9%])"
    rf"|(?P<dd>[0-3]?[0-9])(?:st|nd|rd|th)? (?P<dm>{_NAMES})\b,?(?: (?P<dy>{_YEAR}))?"
    rf"|\bq(?P<q>[1-4])\b(?:,? (?P<qy>{_YEAR}))?"
    rf"|(?P<y>{_YEAR})(?![0-9.,]*[0-9%]|-?[a-z]))"
    rf"|\b(?P<m>{_NAMES})\b(?:\.? (?P<d>[0-3]?[0-9])(?:st|nd|rd|th)?(?![0-9.]*[0-9%]))?(?:,? (?:of )?(?P<my>{_YEAR}))?",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"[0-9JFMASONDQjfmasondq]"
    r"(?:(?<=[0-9])(?<![0-9.,$/-].)"
    r"|(?<!\w.)(?=[aA][nNrRyY]|[eE][bBpPcC]|[pP][rR]|[uU][nNlLgG]|[cC][tT]|[oO][vV]|[1-4]))"
)
"""One letter or digit where a date may begin. It costs a tenth of trying all forms at every letter."""
_BEFORE = re.compile(
    r"\b(before|by|until|through|prior to|no later than|after|since)(?: the)?(?: (end|start|close) of)?(?: the)? ?$",
    re.IGNORECASE,
)
_LONGEST_BEFORE = len("no later than the start of the ")
_AFTER = ("after", "since")
_AT_END = re.compile(r"\bend of(?: the)? ?$", re.IGNORECASE)
_MONTH_OPENERS = re.compile(
    r"\b(?:in|by|before|of|for|since|until|during|this|next|through|end|after|early|late|mid|from|and|to|-) ?$",
    re.IGNORECASE,
)
_LEAP_YEAR = 2024
"""Stands in for a year that is not stated, so that February 29 is a day."""
_LAST_OF_QUARTER = {1: (3, 31), 2: (6, 30), 3: (9, 30), 4: (12, 31)}


class Moment(NamedTuple):
    """One stated date. ``by``: the last day that counts; ``on``: a day; ``in``: the last day of a month or year;
    ``after``: a day before the first that counts."""

    kind: Kind
    year: int | None
    month: int
    day: int
    whole: Literal["day", "month", "quarter", "year"]


class Dates(NamedTuple):
    """What a text states about time."""

    moments: tuple[Moment, ...]
    years: frozenset[int]
    """Every year stated, of days and deadlines too; a season such as 2025-26 states both."""
    rest: str
    """The text without its dates."""


def stated_dates(text: str) -> Dates:
    """Return the dates of a plain text and what is left of it."""
    moments: list[Moment] = []
    years: set[int] = set()
    rest: list[str] = []
    has_end = "end of" in text.lower()
    end = 0
    for found in _dates(text):
        before = _BEFORE.search(text, max(0, found.start() - _LONGEST_BEFORE), found.start())
        stated = list(_moments(found, before))
        if has_end and before is None and _AT_END.search(text, max(0, found.start() - _LONGEST_BEFORE), found.start()):
            stated = [moment._replace(kind="on", whole="day") if moment.kind == "in" else moment for moment in stated]
        if not stated:
            continue
        rest.append(text[end : before.start() if before else found.start()])
        end = found.end()
        for moment in stated:
            if moment.whole != "year" or moment.kind == "by" or found["y"]:
                moments.append(moment)
            if moment.year is not None:
                years.add(moment.year)
    rest.append(text[end:])
    return Dates(tuple(dict.fromkeys(moments)), frozenset(years), " ".join(rest))


def _dates(text: str) -> Iterator["re.Match[str]"]:
    """Yield what ``_DATE.finditer`` does."""
    reached = 0
    for opening in _OPENING.finditer(text):
        if opening.start() < reached:
            continue
        found = _DATE.match(text, opening.start())
        if found is not None:
            reached = found.end()
            yield found


def _moments(found: "re.Match[str]", before: "re.Match[str] | None") -> Iterator[Moment]:
    if found["sy"]:
        yield from (Moment("in", stated, 12, 31, "year") for stated in _season(found["sy"], found["sz"]))
        return
    if found["y"]:
        yield _period(int(found["y"]), (1, 1), (12, 31), "year", before)
        return
    if found["q"]:
        month, day = _LAST_OF_QUARTER[int(found["q"])]
        yield _period(_number(found["qy"]), (month - 2, 1), (month, day), "quarter", before)
        return
    month = MONTHS[(found["m"] or found["dm"]).lower()] if not found["iso"] else int(found["im"])
    stated_day = _number(found["d"] or found["dd"] or found["id"])
    year = _number(found["my"] or found["dy"] or found["iy"])
    if stated_day is not None:
        yield from _day(year, month, stated_day, before)
    elif _is_month(found, before):
        last = monthrange(year or _LEAP_YEAR, month)[1]
        yield _period(year, (month, 1), (month, last), "month", before)


def _day(year: int | None, month: int, day: int, before: "re.Match[str] | None") -> Iterator[Moment]:
    try:
        stated = date(year or _LEAP_YEAR, month, day)
    except ValueError:
        return
    if before is None or before[1].lower() in _AFTER:
        yield Moment("on" if before is None else "after", year, stated.month, stated.day, "day")
        return
    last = stated - timedelta(days=1) if before[1].lower() in ("before", "prior to") else stated
    ends_in = year - (stated.year - last.year) if year is not None else None
    yield Moment("by", ends_in, last.month, last.day, "day")


def _period(
    year: int | None,
    first: tuple[int, int],
    last: tuple[int, int],
    whole: Literal["month", "quarter", "year"],
    before: "re.Match[str] | None",
) -> Moment:
    """Return the last day that counts of a month, quarter or year; before one it is the day before its first."""
    if before is None or before[1].lower() in _AFTER:
        return Moment("in", year, *last, whole)
    at_start = before[1].lower() in ("before", "prior to") and before[2] in (None, "start")
    if not at_start and before[2] != "start" and not (whole == "year" and before[1].lower() == "by" and not before[2]):
        return Moment("by", year, *_real(year, last), whole)
    end = date(year or _LEAP_YEAR, *first) - timedelta(days=1)
    shifted = year if year is None or first != (1, 1) else year - 1
    return Moment("by", shifted, end.month, end.day, whole)


def _real(year: int | None, last: tuple[int, int]) -> tuple[int, int]:
    month, day = last
    return month, min(day, monthrange(year or _LEAP_YEAR, month)[1])


def _season(first: str, second: str) -> tuple[int, ...]:
    start, end = int(first), int(second) if len(second) > 2 else int(first[:2] + second)
    return (start, end) if end == start + 1 else ()


def _is_month(found: "re.Match[str]", before: "re.Match[str] | None") -> bool:
    """Whether a bare name is a month: ``may`` and ``march`` are words as well."""
    name = found["m"].lower()
    if name not in ("may", "march", "mar", "sept", "dec", "jan", "jun", "sep"):
        return True
    if before is not None or found["my"]:
        return True
    if not found["m"][0].isupper() or found.string[found.end() : found.end() + 8].lower() == " madness":
        return False
    return name != "may" or found.start() == 0 or _MONTH_OPENERS.search(found.string, 0, found.start()) is not None


def _number(text: str | None) -> int | None:
    return int(text) if text else None
