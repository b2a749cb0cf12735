"""What Gamma says about an event's outcomes reaches the catalog as it was said; what it does not say stays unknown."""

import json
from datetime import date
from typing import Any

import pytest

from services.polymarket_feed.core import catalog_changes
from shared.contracts.catalog import MarketChanged
from shared.domain.market import Market
from shared.venues.polymarket.catalog import market_from_gamma
from shared.venues.polymarket.gamma import read_event, read_market
from tests.unit.polymarket.test_catalog import EVENT, RAIN

READ_ON = date(2026, 11, 21)
GROUP = "0x" + "9a" * 32


def listed(event: dict[str, Any], market: dict[str, Any], *, count: int | None = 3) -> Market:
    found = market_from_gamma(
        read_market(json.dumps(RAIN | market).encode()),
        read_event(json.dumps(EVENT | event).encode()),
        read_on=READ_ON,
        event_market_count=count,
    )
    assert isinstance(found, Market)
    return found


def test_a_neg_risk_event_is_carried_with_its_group_and_the_number_of_its_markets() -> None:
    market = listed({"negRisk": True, "negRiskAugmented": False}, {"negRisk": True, "negRiskMarketID": GROUP}, count=4)
    assert (market.neg_risk, market.neg_risk_augmented) == (True, False)
    assert (market.neg_risk_id, market.event_market_count) == (GROUP, 4)
    assert market.mutually_exclusive is None, "that is Kalshi's word"


@pytest.mark.parametrize(
    ("event", "market", "neg_risk"),
    [
        ({"negRisk": True}, {"negRisk": True}, True),
        ({"negRisk": True}, {"negRisk": False}, False),
        ({"negRisk": False}, {"negRisk": True}, False),
        ({}, {"negRisk": True}, None),
        ({"negRisk": None}, {"negRisk": True}, None),
        ({"negRisk": True}, {"negRisk": "maybe"}, None),
    ],
)
def test_only_event_and_market_together_make_an_event_neg_risk(
    event: dict[str, Any], market: dict[str, Any], neg_risk: bool | None
) -> None:
    assert listed(event, market).neg_risk is neg_risk


@pytest.mark.parametrize(("said", "meant"), [({"negRiskAugmented": True}, True), ({}, None)])
def test_whether_an_event_is_augmented_is_unknown_until_the_venue_says_so(
    said: dict[str, Any], meant: bool | None
) -> None:
    assert listed({"negRisk": True} | said, {"negRisk": True}).neg_risk_augmented is meant


@pytest.mark.parametrize(
    ("event", "market", "count", "changed"),
    [
        ({"negRiskAugmented": True}, {}, 3, "neg_risk_augmented"),
        ({"negRisk": False}, {}, 3, "neg_risk"),
        ({}, {"negRiskMarketID": "0x" + "77" * 32}, 3, "neg_risk_id"),
        ({}, {}, 4, "event_market_count"),
    ],
)
def test_a_change_of_what_is_said_is_a_message(
    event: dict[str, Any], market: dict[str, Any], count: int, changed: str
) -> None:
    said = {"negRisk": True, "negRiskAugmented": False}
    of_market = {"negRisk": True, "negRiskMarketID": GROUP}
    before, after = listed(said, of_market), listed(said | event, of_market | market, count=count)
    [message] = catalog_changes({before.market_id: before}, [after])
    assert isinstance(message, MarketChanged)
    assert message.changed == (changed,)
