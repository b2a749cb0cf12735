"""When a pair pays out and what its capital earns until then."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.domain.returns import PAYOUT_DELAY, annualised, annualised_e6, clears_hurdle, days_e2, paid_s, settles_at

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOON_S = int(NOON.timestamp())


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
    assert days_e2(paid_s(kalshi, polymarket), NOON_S) == 10_00
    assert days_e2(paid_s(kalshi, market(Venue.POLYMARKET)), NOON_S) == 1_13  # 27 hours, to two decimals
    assert days_e2(paid_s(market(Venue.KALSHI), market(Venue.POLYMARKET)), NOON_S) is None


def test_what_should_have_paid_already_is_due_within_minutes() -> None:
    late = market(Venue.KALSHI, expected_expiration_time=NOON - timedelta(days=3))
    assert days_e2(paid_s(late, market(Venue.POLYMARKET)), NOON_S) == 1


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


@given(edge=st.integers(0, 10**15), capital=st.integers(0, 10**16), days=st.integers(0, 10**6))
def test_a_return_is_the_same_from_decimals_and_from_scaled_integers(edge: int, capital: int, days: int) -> None:
    """The dollars are ten-billionths, the days hundredths."""
    exact = annualised(Decimal(edge).scaleb(-10), Decimal(capital).scaleb(-10), Decimal(days).scaleb(-2))
    found = annualised_e6(edge, capital, days)
    assert exact == (None if found is None else Decimal(found).scaleb(-6))


def test_the_hurdle_is_cleared_at_the_rate_itself_and_when_nothing_is_known() -> None:
    assert clears_hurdle(Decimal("0.05"), Decimal("0.05"))
    assert not clears_hurdle(Decimal("0.049999"), Decimal("0.05"))
    assert clears_hurdle(None, Decimal("0.05"))
    assert clears_hurdle(Decimal("0.01"), None)
