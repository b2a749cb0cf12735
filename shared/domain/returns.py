"""What tied-up capital earns in a year, and when a pair's dollar is paid out."""

from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from shared.domain.market import Market, Venue

_RETURN_STEP = Decimal("0.000001")
_DAYS_PER_YEAR = 365
_SECONDS_PER_DAY = 86_400
_DAY_STEP = Decimal("0.01")

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


def days_to_payout(kalshi: Market, polymarket: Market, now: datetime) -> Decimal | None:
    """Return the days until both venues have paid, up to hundredths and at least one; None when neither says when.

    The later one decides: whichever leg wins, the capital of the other venue is only free again when it has settled.
    """
    moments = [moment for moment in (settles_at(kalshi), settles_at(polymarket)) if moment is not None]
    if not moments:
        return None
    seconds = Decimal((max(moments) - now) // timedelta(seconds=1))
    return max(_DAY_STEP, (seconds / _SECONDS_PER_DAY).quantize(_DAY_STEP, rounding=ROUND_CEILING))


def annualised(edge_dollars: Decimal, capital_dollars: Decimal, days: Decimal | None) -> Decimal | None:
    """Return edge over capital times 365 over the days to payout, rounded down; None without days or capital."""
    if not days or not capital_dollars:
        return None
    per_year = edge_dollars / capital_dollars * _DAYS_PER_YEAR / days
    return per_year.quantize(_RETURN_STEP, rounding=ROUND_FLOOR)


def clears_hurdle(annualised_return: Decimal | None, hurdle_rate: Decimal | None) -> bool:
    """Return whether capital earns at least the hurdle rate; true when either is unknown."""
    return annualised_return is None or hurdle_rate is None or annualised_return >= hurdle_rate
