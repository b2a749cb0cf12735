"""Gamma's objects as catalog markets: mixed kinds, gaps while hydrating, fees, and what must never be paired."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.fees import PolymarketFees
from shared.domain.market import Market, MarketStatus, PriceStep
from shared.venues.polymarket.catalog import NotListed, changed_fields, market_from_gamma, with_clob_fee
from shared.venues.polymarket.gamma import (
    GammaRefused,
    decimal_of,
    event_of,
    markets_of,
    read_event,
    read_events_page,
    read_market,
    time_of,
)
from shared.venues.polymarket.rest import ClobFee, read_clob_market
from tests.unit.polymarket.wire import CONDITION, NO, YES

READ_ON = date(2026, 11, 21)
RAIN: dict[str, Any] = {
    "id": "900001",
    "question": "Will it rain in Springfield on 2026-12-01?",
    "conditionId": CONDITION,
    "slug": "rain-springfield-2026-12-01",
    "resolutionSource": "",
    "startDate": "2026-11-01T00:00:00.123Z",
    "endDate": "2026-12-01T00:00:00Z",
    "description": "Resolves Yes if ...",
    "outcomes": '["Yes", "No"]',
    "clobTokenIds": json.dumps([YES, NO]),
    "active": True,
    "closed": False,
    "archived": False,
    "enableOrderBook": True,
    "acceptingOrders": True,
    "acceptingOrdersTimestamp": "2026-11-01T00:00:00Z",
    "orderPriceMinTickSize": 0.01,
    "orderMinSize": 5,
    "takerBaseFee": 1000,
    "negRisk": False,
    "feesEnabled": True,
    "feeSchedule": {"exponent": 1, "rate": 0.05, "takerOnly": True, "rebateRate": 0.25},
}
EVENT: dict[str, Any] = {
    "id": 5001,
    "slug": "rain-springfield",
    "title": "Rain in Springfield?",
    "resolutionSource": "https://weather.example",
    "tags": [{"id": "84", "slug": "weather", "label": "Weather"}, {"label": "Daily"}, 7],
}


def catalogued(event: dict[str, Any] | None = None, clob_fee: ClobFee | None = None, **changes: Any) -> Any:
    market = read_market(json.dumps({**RAIN, **changes}).encode())
    return market_from_gamma(
        market, read_event(json.dumps(event or EVENT).encode()), read_on=READ_ON, clob_fee=clob_fee
    )


def test_a_market_is_read_with_its_events_context() -> None:
    market = catalogued()
    assert isinstance(market, Market)
    assert (market.market_id, market.event_id, market.event_slug) == (CONDITION, "5001", "rain-springfield")
    assert (market.event_title, market.category) == ("Rain in Springfield?", "Weather, Daily")
    assert (market.outcomes, market.token_ids) == (("Yes", "No"), (YES, NO))
    assert market.rules_text == "Resolves Yes if ..."
    assert market.resolution_source == "https://weather.example"
    assert market.status is MarketStatus.OPEN
    assert market.open_time == datetime(2026, 11, 1, 0, 0, 0, 123_000, tzinfo=UTC)
    assert market.price_steps == (
        PriceStep(start_dollars=Decimal("0.01"), end_dollars=Decimal("0.99"), step_dollars=Decimal("0.01")),
    )
    assert (market.min_contracts, market.min_notional_dollars) == (Decimal(5), Decimal(1))


@pytest.mark.parametrize("kind", [json.dumps, list])
def test_lists_may_be_arrays_or_arrays_in_strings(kind: Any) -> None:
    market = catalogued(outcomes=kind(["FaZe", "illwill"]), clobTokenIds=kind([YES, NO]))
    assert (market.outcomes, market.token_ids) == (("FaZe", "illwill"), (YES, NO))


@pytest.mark.parametrize("tick", [0.001, "0.001"])
def test_numbers_may_be_text_and_stay_exact(tick: Any) -> None:
    market = catalogued(orderPriceMinTickSize=tick, line="-1.5", secondsDelay=3)
    assert market.price_steps[0].step_dollars == Decimal("0.001")
    assert (market.line, market.taker_delay_s) == (Decimal("-1.5"), Decimal(3))


@pytest.mark.parametrize(
    "gap",
    [
        {"clobTokenIds": ""},
        {"clobTokenIds": "[]"},
        {"clobTokenIds": None},
        {"clobTokenIds": "[not json"},
        {"conditionId": ""},
    ],
)
def test_a_hydrating_market_is_not_listed_yet(gap: dict[str, Any]) -> None:
    assert catalogued(**gap) == NotListed("hydrating: no condition or token ids yet")


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"outcomes": '["A","B","C"]'}, "not two outcomes with a token each"),
        ({"clobTokenIds": json.dumps([YES, YES])}, "not two outcomes with a token each"),
        ({"clobTokenIds": json.dumps([YES, "x"])}, "ids of an unknown form"),
        ({"conditionId": "0x12"}, "ids of an unknown form"),
        ({"enableOrderBook": False}, "no order book"),
        ({"orderPriceMinTickSize": None}, "no price grid"),
        ({"orderPriceMinTickSize": 1}, "no price grid"),
        ({"orderPriceMinTickSize": "NaN"}, "no price grid"),
    ],
)
def test_what_cannot_be_traded_here_is_not_listed_and_the_reason_is_named(odd: dict[str, Any], reason: str) -> None:
    assert catalogued(**odd) == NotListed(reason)


def test_protocol_v2_markets_trade_by_position_ids() -> None:
    assert catalogued(version="v2", positionIds=["11", "12"]).token_ids == ("11", "12")
    assert catalogued(version="v1", positionIds=["11", "12"]).token_ids == (YES, NO)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"endDate": "2020-01-01T00:00:00Z"}, MarketStatus.OPEN),  # past its plan and still trading
        ({"active": False}, MarketStatus.OPEN),
        ({"acceptingOrders": False}, MarketStatus.PAUSED),
        ({"acceptingOrders": False, "acceptingOrdersTimestamp": None}, MarketStatus.UNOPENED),
        ({"closed": True}, MarketStatus.CLOSED),
        ({"archived": True}, MarketStatus.CLOSED),
        ({"closed": True, "umaResolutionStatus": "resolved"}, MarketStatus.SETTLED),
        ({"closed": True, "umaResolutionStatus": "challenged"}, MarketStatus.CLOSED),
    ],
)
def test_orders_decide_about_trading_not_dates(fields: dict[str, Any], status: MarketStatus) -> None:
    assert catalogued(**fields).status is status


NEG_RISK = {**EVENT, "negRisk": True, "negRiskAugmented": True}


@pytest.mark.parametrize(
    ("label", "never"),
    [
        ("Person A", True),
        ("Candidate AB", True),
        ("Other", True),
        ("Another team", True),
        ("Any other party", True),
        ("Ivan Cepeda", False),
        ("Team Liquid", False),
        ("", False),
    ],
)
def test_placeholders_and_catch_alls_of_a_growing_event_are_never_paired(label: str, never: bool) -> None:
    assert bool(catalogued(NEG_RISK, negRisk=True, groupItemTitle=label).never_match) is never


def test_other_is_known_by_its_flag_too_and_a_plain_event_has_no_placeholders() -> None:
    assert catalogued(negRiskOther=True).never_match == "the event's Other"
    assert catalogued(groupItemTitle="Vitamin C").never_match == ""


def test_fees_come_from_the_schedule_exactly_and_say_so() -> None:
    assert catalogued().fees == PolymarketFees(
        rate=Decimal("0.05"), exponent=1, effective_from=READ_ON, source="Gamma feeSchedule, 2026-11-21"
    )


@pytest.mark.parametrize("schedule", [None, {"rate": 0.05, "exponent": 1}])
def test_a_market_without_fees_costs_nothing(schedule: Any) -> None:
    assert catalogued(feesEnabled=False, feeSchedule=schedule).fees.rate == 0


@pytest.mark.parametrize(
    "terms",
    [
        {"feeSchedule": None},
        {"feeSchedule": "0.05"},
        {"feeSchedule": {"exponent": 1}},
        {"feeSchedule": {"rate": 0.05, "exponent": 1.5}},
        {"feeSchedule": {"rate": 5, "exponent": 1}},
        {"feeSchedule": {"rate": -0.05, "exponent": 1}},
        {"feesEnabled": None, "feeSchedule": None},
    ],
)
def test_unknown_fees_are_none_and_the_dead_cap_is_never_read(terms: dict[str, Any]) -> None:
    assert catalogued(**terms).fees is None


def test_the_clob_names_the_fee_when_gamma_does_not() -> None:
    fee = read_clob_market(b'{"mos":5,"tbf":1000,"fd":{"r":0.072,"e":1,"to":true}}').fee
    assert fee is not None
    assert catalogued(clob_fee=fee, feeSchedule=None).fees.rate == Decimal("0.072")
    without = catalogued(feeSchedule=None)
    assert with_clob_fee(without, fee, read_on=READ_ON).fees.source == "CLOB /clob-markets fd, 2026-11-21"
    assert with_clob_fee(without, None, read_on=READ_ON) == without


def test_reading_the_same_fee_on_another_day_is_no_change() -> None:
    gamma, event = read_market(json.dumps(RAIN).encode()), read_event(json.dumps(EVENT).encode())
    today = market_from_gamma(gamma, event, read_on=READ_ON)
    tomorrow = market_from_gamma(gamma, event, read_on=date(2026, 11, 22))
    assert isinstance(today, Market)
    assert isinstance(tomorrow, Market)
    assert changed_fields(today, tomorrow) == ()
    assert changed_fields(today, catalogued(question="Will it snow?")) == ("title",)
    assert changed_fields(today, catalogued(feesEnabled=False)) == ("fees",)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-15 18:00:00+00", datetime(2026, 5, 15, 18, tzinfo=UTC)),
        ("2025-11-12T19:19:58.37498Z", datetime(2025, 11, 12, 19, 19, 58, 374_980, tzinfo=UTC)),
        ("soon", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_times_come_in_several_forms(text: str, moment: datetime | None) -> None:
    assert time_of(read_market(json.dumps({"endDate": text}).encode()).end_date) == moment


def test_pages_end_when_the_cursor_is_absent() -> None:
    assert read_events_page(b'{"events":[{"id":"1","markets":[{},{}]}],"next_cursor":"abc"}').next_cursor == "abc"
    last = read_events_page(b'{"$schema":"s","events":[{"id":"1"}]}')
    assert last.next_cursor is None
    assert markets_of(read_event(last.events[0])) == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"events":null}', b""])
def test_a_page_that_is_none_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(GammaRefused, match="GET /events/keyset answered"):
        read_events_page(body)


def test_things_that_are_no_objects_are_refused() -> None:
    with pytest.raises(GammaRefused, match="not a market"):
        read_market(b"7")
    with pytest.raises(GammaRefused, match="not an event"):
        read_event(b"[]")


def test_a_market_fetched_alone_brings_its_shallow_event() -> None:
    market = read_market(json.dumps({**RAIN, "events": [{"id": "5001", "title": "T"}]}).encode())
    listed = market_from_gamma(market, event_of(market), read_on=READ_ON)
    assert isinstance(listed, Market)
    assert listed.event_title == "T"


@pytest.mark.parametrize("token", ["1e-7", "NaN", "true", '"0_5"', '" 1"'])
def test_numbers_pass_the_gate_or_are_none(token: str) -> None:
    assert decimal_of(read_market(b'{"line":' + token.replace("NaN", "null").encode() + b"}").line) is None
