"""When a pair pays out and what its capital earns until then."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.domain.returns import PAYOUT_DELAY, annualised, clears_hurdle, days_to_payout, settles_at

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def market(venue: Venue, **times: Any) -> Market:
    return Market(
        venue=venue,
        market_id=MarketId("M"),
        event_id="E",
        title="",
        status=MarketStatus.OPEN,
        price_steps=(),
        size_step_contracts=Decimal(1),
        min_contracts=Decimal(1),
        fees=None,
        **times,
    )


def test_kalshi_pays_after_the_expected_expiration_not_after_the_close() -> None:
    kalshi = market(Venue.KALSHI, expected_expiration_time=NOON, close_time=NOON + timedelta(days=14))
    assert settles_at(kalshi) == NOON + PAYOUT_DELAY[Venue.KALSHI]


def test_a_game_without_an_expected_end_is_over_hours_after_its_start() -> None:
    polymarket = market(Venue.POLYMARKET, game_start_time=NOON, close_time=NOON + timedelta(days=7))
    assert settles_at(polymarket) == NOON + timedelta(hours=4) + PAYOUT_DELAY[Venue.POLYMARKET]


def test_the_close_is_the_last_resort_and_without_any_time_nothing_is_said() -> None:
    assert settles_at(market(Venue.POLYMARKET, close_time=NOON)) == NOON + PAYOUT_DELAY[Venue.POLYMARKET]
    assert settles_at(market(Venue.POLYMARKET)) is None


def test_the_later_venue_decides_when_the_capital_is_free() -> None:
    kalshi = market(Venue.KALSHI, expected_expiration_time=NOON + timedelta(days=1))
    polymarket = market(Venue.POLYMARKET, close_time=NOON + timedelta(days=9, hours=20))
    assert days_to_payout(kalshi, polymarket, NOON) == Decimal("10.00")
    assert days_to_payout(kalshi, market(Venue.POLYMARKET), NOON) == Decimal("1.13")  # 27 hours, to two decimals
    assert days_to_payout(market(Venue.KALSHI), market(Venue.POLYMARKET), NOON) is None


def test_what_should_have_paid_already_is_due_within_minutes() -> None:
    late = market(Venue.KALSHI, expected_expiration_time=NOON - timedelta(days=3))
    assert days_to_payout(late, market(Venue.POLYMARKET), NOON) == Decimal("0.01")


@pytest.mark.parametrize(
    ("edge", "capital", "days", "rate"),
    [
        ("3.3883", "146.6117", "30", "0.281180"),
        ("1", "100", "365", "0.010000"),
        ("1", "3", "365", "0.333333"),
        ("1", "100", None, None),
        ("1", "100", "0", None),
        ("0", "0", "30", None),
    ],
)
def test_annualised(edge: str, capital: str, days: str | None, rate: str | None) -> None:
    found = annualised(Decimal(edge), Decimal(capital), None if days is None else Decimal(days))
    assert found == (None if rate is None else Decimal(rate))


def test_the_hurdle_is_cleared_at_the_rate_itself_and_when_nothing_is_known() -> None:
    assert clears_hurdle(Decimal("0.05"), Decimal("0.05"))
    assert not clears_hurdle(Decimal("0.049999"), Decimal("0.05"))
    assert clears_hurdle(None, Decimal("0.05"))
    assert clears_hurdle(Decimal("0.01"), None)
