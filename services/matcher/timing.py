"""Compares what two markets state about time: vetoes for what differs, costs for what only one of them says."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from services.matcher.figures import Day, Figures
from shared.domain.market import Venue

_POINT = 2
"""In the weights of words, where a name weighs 20."""
_NEARLY = timedelta(days=4)
_EARLY = timedelta(days=120)
_LAGS = timedelta(days=45)
_MOST_YEARS_APART = 1
_BY_OR_ON = "one says by, the other on that day"
_UNKNOWN_YEAR = "one states a deadline and its year, the other that of a year which nothing tells"
_DOUBTS = frozenset({_BY_OR_ON, _UNKNOWN_YEAR})
_SAME_DAY = 8
"""Points of a day, month or deadline that both sides state alike."""


class Timing(NamedTuple):
    """What time says about a pair."""

    vetoes: tuple[str, ...] = ()
    agreed: int = 0
    """Weight of what both state alike."""
    unsaid: tuple[tuple[str, int], ...] = ()
    """What one side leaves unsaid, and what that costs."""

    @property
    def is_doubtful(self) -> bool:
        """Whether one side may mean another span of time than the other."""
        return any(reason in _DOUBTS for reason, _ in self.unsaid)


def compare_times(kalshi: Figures, polymarket: Figures) -> Timing:
    """Compare years, deadlines, days and months."""
    vetoes, agreed, unsaid = [], 0, []
    days = list(_days(kalshi, polymarket))
    same_day = any(not veto and not reason and points >= _SAME_DAY for veto, points, reason in days)
    for veto, points, reason in (*_years(kalshi, polymarket, same_day=same_day), *days):
        if veto:
            vetoes.append(veto)
        elif reason:
            unsaid.append((reason, points * _POINT))
        else:
            agreed += points * _POINT
    return Timing(tuple(vetoes), agreed, tuple(unsaid))


_Finding = tuple[str, int, str]
"""A veto, or points agreed, or what is unsaid and its cost."""


def _years(kalshi: Figures, polymarket: Figures, *, same_day: bool) -> Iterator[_Finding]:
    """Compare stated years; ``same_day`` when both state the same day or month."""
    if kalshi.years and polymarket.years:
        yield ("", 6, "") if kalshi.years & polymarket.years else ("year", 0, "")
        return
    for stated, other, name in ((kalshi, polymarket, "kalshi"), (polymarket, kalshi, "polymarket")):
        if stated.years:
            veto, points, reason = _unstated_year(stated, other, name)
            if not (reason and same_day):
                yield veto, points, reason
            elif stated.deadlines and other.ends is None and not other.context_years:
                yield veto, points, _UNKNOWN_YEAR
            else:
                yield veto, 1, reason


def _unstated_year(stated: Figures, other: Figures, name: str) -> _Finding:
    """Judge a year that only one side states by the other's slug, ticker and expected end."""
    if other.ends is not None:
        apart = _apart(stated.years, {other.ends.year})
        if apart > _MOST_YEARS_APART or _is_over_before(other, min(stated.years)):
            return "year", 0, ""
        if not apart:
            return "", 4, ""
    if other.context_years & stated.years:
        return "", 4, ""
    if other.context_years and _apart(stated.years, other.context_years) > _MOST_YEARS_APART:
        return "year", 0, ""
    return "", 4 if other.context_years or other.ends else 3, f"year stated on {name} only"


def _apart(ours: Iterable[int], theirs: Iterable[int]) -> int:
    return min(abs(a - b) for a in ours for b in theirs)


def _is_over_before(slots: Figures, year: int) -> bool:
    """Whether a market is expected to end before a year begins; Polymarket's plan may be months early."""
    assert slots.ends is not None, slots
    slack = timedelta(0) if slots.market.venue is Venue.KALSHI else _EARLY
    return slots.ends.date() + slack < date(year, 1, 1)


def _days(kalshi: Figures, polymarket: Figures) -> Iterator[_Finding]:
    if kalshi.deadlines and polymarket.deadlines:
        yield ("", 12, "") if _meet(kalshi, kalshi.deadlines, polymarket, polymarket.deadlines) else ("deadline", 0, "")
        return
    for one, other, name in ((kalshi, polymarket, "kalshi"), (polymarket, kalshi, "polymarket")):
        if one.deadlines:
            yield _deadline_against(one, other, name)
            return
    if kalshi.days and polymarket.days:
        yield ("", 10, "") if _meet(kalshi, kalshi.days, polymarket, polymarket.days) else ("date", 0, "")
    elif kalshi.months and polymarket.months:
        yield ("", 8, "") if _meet(kalshi, kalshi.months, polymarket, polymarket.months) else ("date", 0, "")
    elif (kalshi.days or kalshi.months) and (polymarket.days or polymarket.months):
        yield from _day_against_month(kalshi, polymarket)
    else:
        for one, other, name in ((kalshi, polymarket, "kalshi"), (polymarket, kalshi, "polymarket")):
            if stated := one.days or one.months:
                yield _unstated_day(one, stated, other, f"date stated on {name} only")


def _deadline_against(one: Figures, other: Figures, name: str) -> _Finding:
    """Compare a deadline with the day, month or year that the other side states, or with its expected end."""
    if other.days:
        same = _meet(one, one.deadlines, other, other.days)
        return ("", 4, _BY_OR_ON) if same else ("deadline", 0, "")
    if other.months:
        same = _meet(one, one.deadlines, other, other.months)
        return ("", 4, "one says by, the other in that month") if same else ("deadline", 0, "")
    if other.periods:
        return ("", 10, "") if _meet(one, one.deadlines, other, other.periods) else ("deadline", 0, "")
    return _unstated_day(one, one.deadlines, other, f"deadline stated on {name} only")


def _day_against_month(kalshi: Figures, polymarket: Figures) -> Iterator[_Finding]:
    ours = {month for _, month, _ in kalshi.days or kalshi.months}
    theirs = {month for _, month, _ in polymarket.days or polymarket.months}
    yield ("", 4, "one states a day, the other its month") if ours & theirs else ("date", 0, "")


def _unstated_day(one: Figures, stated: frozenset[Day], other: Figures, reason: str) -> _Finding:
    if other.ends is None:
        return "", 5, reason
    ends = other.ends.date()
    for day in stated:
        year = day[0] or _year_by_end(day, one.ends) or ends.year
        if abs(ends - _date(year, day)) <= _NEARLY:
            return "", 1, reason
    return "", 8, reason


def _meet(ours: Figures, our_days: frozenset[Day], theirs: Figures, their_days: frozenset[Day]) -> bool:
    """Whether some day is the same on both sides, or every day where both state several, as in from August 4 to 11.

    A missing year is taken from that side's slug or expected end.
    """
    met = [(a, b) for a in our_days for b in their_days if _same_day(a, ours, b, theirs)]
    if len(our_days) > 1 and len(their_days) > 1:
        return our_days == {a for a, _ in met} and their_days == {b for _, b in met}
    return bool(met)


def _same_day(a: Day, ours: Figures, b: Day, theirs: Figures) -> bool:
    return (a[1:] == b[1:] or {a[1:], b[1:]} == {(2, 28), (2, 29)}) and _same_year(a, ours, b, theirs)


def _same_year(a: Day, ours: Figures, b: Day, theirs: Figures) -> bool:
    year_a = a[0] or _year_by_end(a, ours.ends)
    year_b = b[0] or _year_by_end(b, theirs.ends)
    return year_a is None or year_b is None or year_a == year_b or (not (a[0] and b[0]) and abs(year_a - year_b) <= 1)


def _year_by_end(day: Day, ends: datetime | None) -> int | None:
    """Return the year of a day without one: the last such day that is not long after the expected end."""
    if ends is None:
        return None
    return ends.year if _date(ends.year, day) <= ends.date() + _LAGS else ends.year - 1


def _date(year: int, day: Day) -> date:
    return date(year, day[1], min(day[2], 28) if day[1] == 2 else day[2])
