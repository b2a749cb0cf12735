"""What Kalshi says about an event's outcomes reaches the catalog as it was said; what it does not say stays unknown."""

import json
from datetime import date
from typing import Any

import pytest

from services.kalshi_feed.core import catalog_changes
from shared.contracts.catalog import MarketChanged
from shared.domain.market import Market
from shared.venues.kalshi import catalog
from tests.shared_folder import shared_folder

READ_ON = date(2026, 11, 21)


def listed(tickers: str = "AB", **said: Any) -> list[Market]:
    event = {
        "event_ticker": "KXRACE-26",
        "series_ticker": "KXRACE",
        "markets": [
            {"ticker": f"KXRACE-26-{name}", "event_ticker": "KXRACE-26", "status": "active"} for name in tickers
        ],
        **said,
    }
    [(read, markets)] = catalog.read_events(json.dumps({"events": [event], "cursor": ""}).encode()).events
    assert len(markets) == len(tickers)
    return [catalog.market(market, read, {}, read_on=READ_ON) for market in markets]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"mutually_exclusive": True}, True),
        ({"mutually_exclusive": False}, False),
        ({"mutually_exclusive": None}, None),
        ({"mutually_exclusive": "true"}, None),
        ({}, None),
    ],
)
def test_mutual_exclusion_is_carried_and_otherwise_unknown(said: dict[str, Any], meant: bool | None) -> None:
    for market in listed(**said):
        assert market.mutually_exclusive is meant
        assert (market.neg_risk, market.neg_risk_augmented) == (None, None), "those are Polymarket's words"
        assert market.event_market_count is None, "nothing on Kalshi needs all markets of an event"


def test_a_change_of_what_is_said_is_a_message_for_every_market_of_the_event() -> None:
    before = {market.market_id: market for market in listed(mutually_exclusive=True)}
    messages = catalog_changes(before, listed(mutually_exclusive=False), complete=True)
    assert [message.changed for message in messages if isinstance(message, MarketChanged)] == [
        ("mutually_exclusive",),
        ("mutually_exclusive",),
    ]
    third = catalog_changes(before, listed("ABC", mutually_exclusive=True), complete=True)
    assert len(third) == 1, "one more market says nothing about the others"


def test_recorded_events_say_it_for_games_and_deny_it_for_spreads_and_totals() -> None:
    events = json.loads((shared_folder("captures/kalshi") / "rest_events_nested_sports_20260807.json").read_bytes())
    page = catalog.read_events(json.dumps({"events": events, "cursor": ""}).encode())
    found: dict[str, set[bool | None]] = {}
    for event, markets in page.events:
        said = {catalog.market(market, event, {}, read_on=READ_ON).mutually_exclusive for market in markets}
        found[event.series_ticker] = found.get(event.series_ticker, set()) | said
    assert found["KXMLBGAME"] == found["KXNBA"] == {True}
    assert found["KXMLBTOTAL"] == found["KXMLBSPREAD"] == {False}
