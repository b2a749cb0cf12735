"""Numbers that decide, as intervals: ``above 25 %``, ``25% - 29.99%``, ``exactly 2 cuts``, ``50+ bps``.

Two texts cut at the same place when their intervals have the same ends: over 210 is 211 or more, above 99,999.99 is
100,000 or more; above 85 is not 90 or higher, and no bucket either.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

Overlap = Literal["same", "subset", "superset", "overlap", "complement", "disjoint"]

_UNIT = r"%|percent\b|bps\b|bp\b|[kmbt]\b|thousand\b|million\b|billion\b|trillion\b|pts?\b"
_VALUE = r"(?:(?<!\w)-)?(?<![A-Za-z0-9.])\$?[0-9][0-9,]*(?:\.[0-9]+)?"
_ABOVE_BEFORE = (
    r"above|over|more than|greater than|at least|exceeds?|exceeding|reach(?:es)?|hits?|minimum|>=|>|\u2265|or more than"
)
_BELOW_BEFORE = r"below|under|less than|fewer than|at most|up to|dips? to|falls? to|drops? to|<=|<|\u2264"
_ABOVE_AFTER = r"or more|or higher|or above|or greater|or over|and above|or later|plus\b|\+"
_BELOW_AFTER = r"or less|or fewer|or lower|or below|or under|and below"
_NUMBER = re.compile(
    rf"\s*(?:\b(?P<between>between|from)\s+)?(?P<low>{_VALUE})\s?(?P<lowunit>{_UNIT}|\u00b0)?\s?(?:to|-|and)\s?(?P<high>{_VALUE})"
    rf"\s?(?P<highunit>{_UNIT})?(?![\w.])"
    rf"|(?:(?P<before>\b(?:exactly|{_ABOVE_BEFORE}|{_BELOW_BEFORE})|[<>\u2264\u2265]=?)(?:\s+an?\b)?)?\s*(?:\((?:low|high)\)\s*)?"
    rf"(?P<value>{_VALUE})\s?(?P<unit>{_UNIT}|\u00b0[fc]?)?\s?(?P<after>{_ABOVE_AFTER}|{_BELOW_AFTER})?(?![\w.])"
    r"(?!-[a-z])",
    re.IGNORECASE,
)
_BELOW = re.compile(rf"(?:{_BELOW_BEFORE}|{_BELOW_AFTER})", re.IGNORECASE)
_STRICT = frozenset({"above", "over", "more than", "greater than", "exceed", "exceeds", "exceeding", ">", "below",
                     "under", "less than", "fewer than", "<"})  # fmt: skip
_SCALE = {"k": 3, "thousand": 3, "m": 6, "million": 6, "b": 9, "billion": 9, "t": 12, "trillion": 12}
_DIGIT = re.compile(r"[0-9]")
_NAMED = re.compile(r"[A-Za-z][\w.'&]*[ -]$")
_CENT = Decimal("0.01")
_TENTH = Decimal("0.1")


class Interval(NamedTuple):
    """The values for which YES pays; an end of None is open towards infinity."""

    low: Decimal | None
    low_counts: bool
    high: Decimal | None
    high_counts: bool
    is_price: bool = False
    """Written with a currency sign: whether the very end counts is then below a cent's worth of chance."""

    def __str__(self) -> str:
        low = "-inf" if self.low is None else f"{'[' if self.low_counts else '('}{self.low}"
        high = "+inf" if self.high is None else f"{self.high}{']' if self.high_counts else ')'}"
        return f"{low}..{high}"


@lru_cache(maxsize=5_000)
def stated_amounts(text: str) -> tuple[frozenset[Interval], str]:
    """Return the intervals of a text without its dates, and what is left of it.

    A bare number behind a capitalised word belongs to a name (Liga 1, Democrats 66) and stays in the text. Kept for as
    many texts as one portion of a full match reads, because ladders come back every day and hour.
    """
    if not _DIGIT.search(text):
        return frozenset(), text
    found: list[Interval] = []

    def take(number: "re.Match[str]") -> str:
        if _is_part_of_name(number):
            return number[0]
        interval = _range(number) if number["low"] else _single(number)
        found.append(interval)
        return " "

    rest = _NUMBER.sub(take, text)
    return frozenset(found), rest


def compare_amounts(ours: Interval, theirs: Interval) -> Overlap:
    """Return how our interval lies to theirs."""
    if _same_low(ours, theirs) and _same_high(ours, theirs):
        return "same"
    if _meets(ours, theirs) or _meets(theirs, ours):
        both_rays = None in (ours.low, ours.high) and None in (theirs.low, theirs.high)
        return "complement" if both_rays else "disjoint"
    if _before(ours, theirs) or _before(theirs, ours):
        return "disjoint"
    if _inside(ours, theirs):
        return "subset"
    return "superset" if _inside(theirs, ours) else "overlap"


def _range(number: "re.Match[str]") -> Interval:
    unit = number["highunit"] or number["lowunit"]
    low, high = _value(number["low"], number["lowunit"] or unit), _value(number["high"], unit)
    price = "$" in number["low"]
    if _is_percent(unit) and high >= 100:
        return Interval(low, True, None, False)
    if _is_percent(unit) and low == 0:
        return Interval(None, False, high, True)
    return Interval(min(low, high), True, max(low, high), True, price)


def _single(number: "re.Match[str]") -> Interval:
    value = _value(number["value"], number["unit"])
    price = "$" in number["value"]
    said = (number["after"] or number["before"] or "").lower()
    if said in ("", "exactly"):
        return Interval(value, True, value, True, price)
    counts = said not in _STRICT
    if _BELOW.fullmatch(said):
        return Interval(None, False, value, counts, price)
    return Interval(value, counts, None, False, price)


@lru_cache(maxsize=20_000)
def _value(text: str, unit: str | None) -> Decimal:
    return Decimal(text.replace(",", "").replace("$", "")).scaleb(_SCALE.get((unit or "").lower(), 0))


def _is_percent(unit: str | None) -> bool:
    return unit is not None and unit.lower() in ("%", "percent")


def _is_part_of_name(number: "re.Match[str]") -> bool:
    if number["low"] or number["before"] or number["unit"] or number["after"] or "$" in number["value"]:
        return False
    word = _NAMED.search(number.string, 0, number.start("value"))
    return word is not None and word[0][0].isupper() and word[0].strip(" -").lower() not in _COUNTING


_COUNTING = frozenset(
    {
        "will",
        "exactly",
        "is",
        "be",
        "of",
        "score",
        "count",
        "seats",
        "cuts",
        "wins",
        "the",
        "a",
        "u",
        "o",
        "over",
        "total",
        "no",
    }
)


def _same_low(ours: Interval, theirs: Interval) -> bool:
    if ours.low is None or theirs.low is None:
        return ours.low is theirs.low
    if ours.low == theirs.low:
        return ours.low_counts == theirs.low_counts or ours.is_price
    strict, loose = (ours, theirs) if theirs.low_counts else (theirs, ours)
    return ours.low_counts != theirs.low_counts and _next_after(strict.low, loose.low)


def _same_high(ours: Interval, theirs: Interval) -> bool:
    if ours.high is None or theirs.high is None:
        return ours.high is theirs.high
    if ours.high == theirs.high:
        return ours.high_counts == theirs.high_counts or ours.is_price
    if ours.high_counts and theirs.high_counts:
        return ours.low is not None and _closes(min(ours.high, theirs.high), max(ours.high, theirs.high))
    strict, loose = (ours, theirs) if theirs.high_counts else (theirs, ours)
    return ours.high_counts != theirs.high_counts and _next_after(loose.high, strict.high)


def _next_after(lower: Decimal | None, upper: Decimal | None) -> bool:
    """Whether no value can lie between: 210 and 211, 4.2 and 4.3, 99,999.99 and 100,000."""
    assert lower is not None
    assert upper is not None
    return upper - lower in (_CENT, Decimal(1) if _is_whole(lower) and _is_whole(upper) else _TENTH)


def _closes(upper: Decimal, edge: Decimal) -> bool:
    """Whether a bucket written up to 19.9 or 29.99 ends where the next begins: at 20, at 30."""
    return _is_whole(edge) and edge - upper in (_CENT, _TENTH)


def _is_whole(value: Decimal) -> bool:
    return value == value.to_integral_value()


def _meets(lower: Interval, upper: Interval) -> bool:
    """Whether one interval ends exactly where the other begins."""
    if lower.high is None or upper.low is None:
        return False
    if lower.high == upper.low:
        return lower.high_counts != upper.low_counts
    whole = _is_whole(lower.high) and _is_whole(upper.low)
    if not lower.high_counts and not upper.low_counts:
        return whole and lower.high - upper.low == 1
    return lower.high_counts and upper.low_counts and upper.low - lower.high == (1 if whole else _CENT)


def _before(lower: Interval, upper: Interval) -> bool:
    if lower.high is None or upper.low is None:
        return False
    return lower.high < upper.low or (lower.high == upper.low and not (lower.high_counts and upper.low_counts))


def _inside(inner: Interval, outer: Interval) -> bool:
    low = outer.low is None or (inner.low is not None and inner.low >= outer.low)
    high = outer.high is None or (inner.high is not None and inner.high <= outer.high)
    return low and high
