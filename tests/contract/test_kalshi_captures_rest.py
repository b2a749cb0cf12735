"""Recorded Kalshi bodies become catalog markets, books and errors."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.domain.fees import KalshiFees
from shared.domain.market import Market, MarketStatus, PriceStep
from shared.venues.kalshi import catalog, rest, schema
from shared.venues.kalshi.auth import AuthFailure, auth_failure
from tests.shared_folder import shared_folder

READ_ON = date(2026, 8, 20)


def body(name: str) -> Any:
    return json.loads(shared_folder(f"captures/kalshi/{name}").read_bytes())


def calls(name: str) -> dict[str, dict[str, Any]]:
    lines = shared_folder(f"captures/kalshi/{name}").read_bytes().splitlines()
    return {call["name"]: call for call in map(json.loads, lines)}


def events_page(events: list[Any]) -> bytes:
    return json.dumps({"events": events, "cursor": ""}).encode()


def markets_in(page: bytes, series: dict[str, schema.RestSeries] | None = None) -> list[Market]:
    read = catalog.read_events(page)
    assert read.refused == []
    return [
        catalog.market(market, event, series or {}, read_on=READ_ON)
        for event, markets in read.events
        for market in markets
    ]


def test_every_recorded_sports_market_is_read() -> None:
    events = body("rest_events_nested_sports_20260807.json")
    markets = markets_in(events_page(events))
    assert len(markets) == 245
    atlanta = markets[0]
    assert (atlanta.market_id, atlanta.event_id, atlanta.series_id) == ("KXNBA-27-ATL", "KXNBA-27", "KXNBA")
    assert atlanta.outcome_label == "Atlanta"
    assert atlanta.event_title == "2027 Pro Basketball Champion"
    assert atlanta.status is MarketStatus.OPEN
    assert atlanta.close_time == datetime(2029, 7, 30, 14, tzinfo=UTC)
    assert atlanta.expected_expiration_time == datetime(2027, 7, 31, 14, tzinfo=UTC)
    assert atlanta.rules_text.startswith("If Atlanta wins the 2027 Pro Basketball Finals")
    assert atlanta.rules_text.endswith("property of their respective owners.")
    assert atlanta.resolution_source == "the Governing League"
    assert atlanta.price_steps == (
        PriceStep(start_dollars=Decimal("0.0000"), end_dollars=Decimal("1.0000"), step_dollars=Decimal("0.0100")),
    )
    assert atlanta.size_step_contracts == Decimal("0.01")
    assert atlanta.fees is None  # its series was not given
    assert {market.status for market in markets} <= {MarketStatus.OPEN, MarketStatus.UNOPENED}
    assert not any(market.never_match for market in markets)


def test_strikes_are_read_from_their_own_digits() -> None:
    ladder = body("rest_markets_btc_ladder_20260710.json")
    markets = markets_in(
        events_page([{"event_ticker": "KXBTC-26JUL0921", "series_ticker": "KXBTC", "markets": list(ladder.values())}])
    )
    assert len(markets) == 188
    by_id = {market.market_id: market for market in markets}
    assert by_id[catalog.MarketId("KXBTC-26JUL0921-B52250")].line == Decimal(52200)
    assert {type(market.line) for market in markets} == {Decimal}


def test_a_settled_market_is_settled_and_a_closed_one_closed() -> None:
    recorded = body("rest_markets_settled_20260808.json")["markets"]
    markets = markets_in(events_page([{"event_ticker": "E", "series_ticker": "S", "markets": recorded}]))
    assert [
        sum(market.status is status for market in markets) for status in (MarketStatus.SETTLED, MarketStatus.CLOSED)
    ] == [42, 2]


def test_what_a_settled_market_paid_is_told_and_an_open_one_paid_nothing_yet() -> None:
    recorded = body("rest_markets_settled_20260808.json")["markets"]
    paid = [(one["result"], catalog.yes_paid_dollars(json.dumps({"market": one}).encode())) for one in recorded]
    assert {result: {dollars for name, dollars in paid if name == result} for result, _ in paid} == {
        "yes": {Decimal(1)},
        "no": {Decimal(0)},
        "": {None},
    }


def test_recorded_series_give_the_fees_of_their_markets() -> None:
    payloads = body("rest_series_with_fees_20260820.json")["payloads"]
    listing = json.dumps({"series": [payload["series"] for payload in payloads.values()]}).encode()
    series = catalog.read_all_series(listing)
    assert catalog.read_series(json.dumps(payloads["KXMLBGAME"]).encode()).ticker == "KXMLBGAME"
    event = schema.RestEvent(event_ticker="E", series_ticker="KXMLBGAME")
    assert catalog.fees(event, series["KXMLBGAME"], read_on=READ_ON) == KalshiFees(
        fee_type="quadratic_with_maker_fees",
        multiplier=Decimal("0.5"),
        effective_from=READ_ON,
        source="Kalshi API, series KXMLBGAME, read 2026-08-20",
    )
    assert {ticker: found.fee_type for ticker, found in series.items()} == {
        "KXMLBGAME": "quadratic_with_maker_fees",
        "KXMLBSPREAD": "quadratic",
        "KXATPDOUBLES": "quadratic",
        "KXWNBAGAME": "quadratic_with_maker_fees",
    }


def test_recorded_single_markets_and_order_books_are_read() -> None:
    lines = shared_folder("captures/kalshi/rest_markets_and_orderbooks_202607.jsonl").read_bytes().splitlines()
    assert len(lines) == 13
    for line in lines:
        recorded = json.loads(line)
        market = schema.ONE_MARKET.decode(json.dumps(recorded["market"]).encode()).market
        assert market.ticker == recorded["ticker"]
        answer = recorded["orderbook_depth20"]
        book = catalog.book_from_levels(schema.ONE_ORDERBOOK.decode(json.dumps(answer).encode()).orderbook_fp)
        levels = answer["orderbook_fp"]
        assert len(book.bids()) == len(levels["yes_dollars"])
        assert len(book.asks()) == len(levels["no_dollars"])
        assert not book.is_crossed
        if levels["yes_dollars"]:
            best = max(Decimal(price) for price, _ in levels["yes_dollars"])
            assert book.best_bid_e4 == best * 10_000


def test_recorded_demo_pages_are_followed_to_no_circle() -> None:
    recorded = calls("rest_demo_market_data_20260611.jsonl")
    paging = rest.Paging()
    for page in ("markets__page1", "markets__page2", "markets__page3"):
        assert paging.next_cursor(recorded[page]["body"]["cursor"]) is not None
    with pytest.raises(rest.CursorRepeated):  # a garbage cursor was answered with page one
        paging.next_cursor(recorded["markets__garbage_cursor"]["body"]["cursor"])
    assert paging.next_cursor(recorded["markets__single_filter_lastpage"]["body"]["cursor"]) is None
    for name, call in recorded.items():
        for market in call["body"].get("markets", ()) if call["status"] == 200 else ():
            read = schema.REST_MARKET.decode(msgspec.json.encode(market))
            assert read.ticker, name


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("auth__bad_signature", AuthFailure.BAD_SIGNATURE),
        ("auth__missing_signature_header", AuthFailure.MISSING_SIGNATURE),
        ("auth__skew_minus30s", AuthFailure.EXPIRED_TIMESTAMP),
        ("auth__unknown_key_id", AuthFailure.UNKNOWN_KEY),
    ],
)
def test_the_recorded_401_bodies_are_told_apart(name: str, failure: AuthFailure) -> None:
    call = calls("rest_demo_auth_and_orders_20260611.jsonl")[name]
    error = rest.api_error(call["status"], json.dumps(call["body"]).encode())
    assert (error.status, auth_failure(error)) == (401, failure)
    assert failure.remedy


def test_every_recorded_refusal_says_its_code_or_message() -> None:
    refused = [
        (call["name"], rest.api_error(call["status"], json.dumps(call["body"]).encode()))
        for file in ("rest_demo_auth_and_orders_20260611.jsonl", "rest_demo_market_data_20260611.jsonl")
        for call in calls(file).values()
        if call["status"] >= 400
    ]
    assert len(refused) >= 15
    said = {name: error.code or error.message for name, error in refused}
    assert all(said.values())
    assert said["orders__invalid_price_structure"] == "invalid_price"
    assert said["orders__numeric_field_types"] == "bad_request"
    assert said["markets__limit_over_max"].startswith("Parameter validation failed")
