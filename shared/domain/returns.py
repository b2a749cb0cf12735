"""What tied-up capital earns in a year, and when a pair's dollar is paid out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.domain.market import Market, Venue

DAY_DIGITS = 2
RETURN_DIGITS = 6
_DAYS_PER_YEAR = 365
_ANNUALISED_E6: int = _DAYS_PER_YEAR * 10 ** (RETURN_DIGITS + DAY_DIGITS)
_SECONDS_PER_HUNDREDTH = 864
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PAYOUT_DELAY = {Venue.KALSHI: timedelta(hours=3), Venue.POLYMARKET: timedelta(hours=4)}
"""How long after the outcome is expected to be known an undisputed payout usually comes.

Kalshi settles within hours of the expected expiration. On Polymarket somebody proposes the outcome and two hours for a
challenge follow; a first dispute starts that over, a second adds a vote of two to three days (Polymarket documentation,
resolution, 2026-11). Disputes are not planned for.
"""
_GAME_LASTS = timedelta(hours=4)


def settles_at(market: Market) -> datetime | None:
    """Return when a market ordinarily pays out, None when the venue gives no time at all.

    The outcome is known at Kalshi's expected expiration, or some hours after the start of a game. ``close_time`` is
    only the last resort: Kalshi's often lies weeks after the event, and Polymarket's is a plan.
    """
    if market.expected_expiration_time is not None:
        known = market.expected_expiration_time
    elif market.game_start_time is not None:
        known = market.game_start_time + _GAME_LASTS
    elif market.close_time is not None:
        known = market.close_time
    else:
        return None
    return known + PAYOUT_DELAY[market.venue]


def paid_s(*markets: Market) -> int | None:
    """Return the Unix second at which all these markets have ordinarily paid, None when none says when.

    The latest decides: whichever leg wins, the capital of the others is only free again when they have settled.
    """
    moments = [moment for moment in map(settles_at, markets) if moment is not None]
    return (max(moments) - _EPOCH) // timedelta(seconds=1) if moments else None


def days_e2(until_s: int | None, now_s: int) -> int | None:
    """Return the days until a Unix second in hundredths, rounded up and at least one; None when it is not known."""
    return None if until_s is None else max(1, -((now_s - until_s) // _SECONDS_PER_HUNDREDTH))


def in_days(many_e2: int | None) -> Decimal | None:
    """Return hundredths of a day as days; None stays None."""
    return None if many_e2 is None else Decimal(many_e2).scaleb(-DAY_DIGITS)


def annualised(edge_dollars: Decimal, capital_dollars: Decimal, days: Decimal | None) -> Decimal | None:
    """Return edge over capital times 365 over the days to payout, rounded down; None without days or capital."""
    if not days or not capital_dollars:
        return None
    (edge, edge_over), (capital, capital_over) = edge_dollars.as_integer_ratio(), capital_dollars.as_integer_ratio()
    many, many_over = days.as_integer_ratio()
    per_year_e6 = edge * capital_over * many_over * _DAYS_PER_YEAR * 10**RETURN_DIGITS // (edge_over * capital * many)
    return Decimal(per_year_e6).scaleb(-RETURN_DIGITS)


def annualised_e6(edge_e10: int, capital_e10: int, many_e2: int | None) -> int | None:
    """Return what ``annualised`` does, in millionths, from scaled integers."""
    if not many_e2 or not capital_e10:
        return None
    return edge_e10 * _ANNUALISED_E6 // (capital_e10 * many_e2)


def clears_hurdle(annualised_return: Decimal | None, hurdle_rate: Decimal | None) -> bool:
    """Return whether capital earns at least the hurdle rate; true when either is unknown."""
    return annualised_return is None or hurdle_rate is None or annualised_return >= hurdle_rate
