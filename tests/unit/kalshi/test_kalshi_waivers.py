"""A waived taker fee counts as 0 only where the operator says so, and never up to the last minute."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.kalshi_feed.discovery import Discovery
from shared.domain.fees import KalshiFees
from shared.domain.market import MarketId
from shared.io.bus import Identity, Outbox
from shared.io.http import HttpClient
from tests.unit.kalshi.test_kalshi_feed_parts import SERIES, FakeClock, Listing, page, rest_client

M = MarketId("A")


def multiplier(discovery: Discovery) -> tuple[Decimal, bool]:
    fees = discovery.known[M].fees
    assert isinstance(fees, KalshiFees)
    return fees.multiplier, "waived until" in fees.source


async def discovered(clock: FakeClock, until: Any, *, honoured: bool) -> Discovery:
    listed = page("A")
    listed["events"][0]["markets"][0]["fee_waiver_expiration_time"] = until
    listing = Listing(events=[listed], series=[{"series": [SERIES]}])
    async with listing.server, HttpClient(str(listing.server.make_url("/trade-api/v2"))) as client:
        discovery = Discovery(
            rest_client(client),
            Outbox("unix:///nowhere", Identity("kalshi_feed", "e")),
            clock,
            page_pause_s=0,
            fee_precision_dollars=Decimal("0.0001"),
            honour_waivers=honoured,
        )
        await discovery.refresh()
    return discovery


def after(clock: FakeClock, **time: int) -> str:
    return f"{datetime.fromtimestamp(clock.now_ms() // 1000, UTC) + timedelta(**time):%Y-%m-%dT%H:%M:%SZ}"


async def test_a_waiver_is_applied_and_ends_ten_minutes_before_its_time() -> None:
    clock = FakeClock()
    discovery = await discovered(clock, after(clock, hours=1), honoured=True)
    assert multiplier(discovery) == (0, True)
    clock.advance(ms=49 * 60_000)
    discovery.apply_due_fees()
    assert multiplier(discovery) == (0, True)
    clock.advance(ms=61_000)
    discovery.apply_due_fees()
    assert multiplier(discovery) == (1, False)


async def test_without_the_setting_a_waiver_changes_nothing() -> None:
    clock = FakeClock()
    assert multiplier(await discovered(clock, after(clock, hours=1), honoured=False)) == (1, False)


@pytest.mark.parametrize("time", [{"minutes": 9}, {"days": -1}])
async def test_a_waiver_that_is_as_good_as_over_is_over(time: dict[str, int]) -> None:
    clock = FakeClock()
    assert multiplier(await discovered(clock, after(clock, **time), honoured=True)) == (1, False)


@pytest.mark.parametrize("until", [None, "", "tomorrow", "2999-01-01T00:00:00"])
async def test_a_waiver_without_a_moment_is_none(until: str | None) -> None:
    assert multiplier(await discovered(FakeClock(), until, honoured=True)) == (1, False)
