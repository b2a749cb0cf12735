"""Addresses stay inside their environment; odd venue objects are refused alone and odd terms mean no fees."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.domain.fees import KalshiFees
from shared.domain.market import MarketId, MarketStatus
from shared.domain.numbers import NumberRefused
from shared.venues.kalshi import catalog, rest, schema
from shared.venues.kalshi.urls import (
    DEFAULT_REST_URL,
    DEFAULT_WEBSOCKET_URL,
    KalshiEnvironment,
    WrongHost,
    checked_rest_url,
    checked_websocket_url,
    signed_path,
)

DEMO, PROD = KalshiEnvironment.DEMO, KalshiEnvironment.PROD
READ_ON = date(2026, 11, 21)


@pytest.mark.parametrize("environment", list(KalshiEnvironment))
def test_the_default_addresses_are_allowed(environment: KalshiEnvironment) -> None:
    assert checked_rest_url(environment, DEFAULT_REST_URL[environment] + "/") == DEFAULT_REST_URL[environment]
    checked_websocket_url(environment, DEFAULT_WEBSOCKET_URL[environment])


def test_the_simulator_is_allowed_in_demo() -> None:
    assert checked_rest_url(DEMO, "http://127.0.0.1:8080/trade-api/v2")
    assert checked_websocket_url(DEMO, "ws://localhost:8080/trade-api/ws/v2")


@pytest.mark.parametrize(
    ("environment", "url", "says"),
    [
        (PROD, DEFAULT_REST_URL[DEMO], "does not belong to KALSHI_ENV=prod"),
        (DEMO, DEFAULT_REST_URL[PROD], "does not belong to KALSHI_ENV=demo"),
        (PROD, "http://127.0.0.1:8080/trade-api/v2", "only KALSHI_ENV=demo"),
        (PROD, "http://external-api.kalshi.com/trade-api/v2", "must be https"),
        (PROD, "https://external-api.kalshi.com:8443/trade-api/v2", "port 443"),
        (PROD, "https://external-api.kalshi.com", "must end in /trade-api/v2"),
        (PROD, "https://external-api.kalshi.com.evil.example/trade-api/v2", "does not belong"),
        (PROD, "https://external-api.kalshi.com@evil.example/trade-api/v2", "user name"),
        (DEMO, "http://[::1/trade-api/v2", "is not a URL"),
        (DEMO, "https://127.0.0.1:99999/trade-api/v2", "is not a URL"),
    ],
)
def test_an_address_outside_its_environment_is_refused(environment: KalshiEnvironment, url: str, says: str) -> None:
    with pytest.raises(WrongHost, match=says):
        checked_rest_url(environment, url)


def test_the_signed_path_is_the_path_without_host_and_query() -> None:
    assert signed_path("https://external-api.kalshi.com/trade-api/v2/markets?limit=5") == "/trade-api/v2/markets"


def test_requests_are_described_in_the_order_of_their_query() -> None:
    assert rest.events_request(cursor="c/1").url("http://h/trade-api/v2") == (
        "http://h/trade-api/v2/events?limit=200&status=open&with_nested_markets=true&cursor=c%2F1"
    )
    assert rest.orderbooks_request([MarketId("A"), MarketId("B")]).query == (("tickers", "A"), ("tickers", "B"))


def test_paging_ends_at_an_empty_cursor_and_refuses_circles() -> None:
    paging = rest.Paging()
    assert paging.next_cursor("a") == "a"
    assert paging.next_cursor("b") == "b"
    with pytest.raises(rest.CursorRepeated, match="after 2 pages"):
        paging.next_cursor("a")
    assert paging.next_cursor("") is None
    assert paging.next_cursor(None) is None


@pytest.mark.parametrize(
    ("token", "value"),
    [
        (b"52299.99", Decimal("52299.99")),
        (b"1", Decimal(1)),
        (b"0.07", Decimal("0.07")),
        (b"-6.5", Decimal("-6.5")),
        (b"2500000000000", Decimal(2_500_000_000_000)),
        (b"null", None),
    ],
)
def test_a_json_number_is_read_from_its_own_digits(token: bytes, value: Decimal | None) -> None:
    assert schema.decimal_from_token(msgspec.Raw(token)) == value


@pytest.mark.parametrize("token", [b'"0.5"', b"1e3", b"true", b"[]", b"{}", b"1.0000000001", b"9" * 16, b"NaN"])
def test_anything_but_a_plain_number_is_refused(token: bytes) -> None:
    with pytest.raises(NumberRefused):
        schema.decimal_from_token(msgspec.Raw(token))


def event(**fields: Any) -> schema.RestEvent:
    return schema.REST_EVENT.decode(
        json.dumps({"event_ticker": "KXE-1", "series_ticker": "KXE", "title": "Who wins?", **fields}).encode()
    )


def series(**fields: Any) -> schema.RestSeries:
    terms = {"ticker": "KXE", "fee_type": "quadratic", "fee_multiplier": 1, **fields}
    return schema.REST_SERIES.decode(json.dumps(terms).encode())


def rest_market(**fields: Any) -> schema.RestMarket:
    terms = {"ticker": "KXE-1-A", "event_ticker": "KXE-1", "status": "active", "title": "Will A win?", **fields}
    return schema.REST_MARKET.decode(json.dumps(terms).encode())


def test_the_events_terms_replace_the_series_terms_one_by_one() -> None:
    overridden = event(fee_multiplier_override=0.5)
    found = catalog.fees(overridden, series(fee_type="quadratic_with_maker_fees"), read_on=READ_ON)
    assert isinstance(found, KalshiFees)
    assert (found.fee_type, found.multiplier) == ("quadratic_with_maker_fees", Decimal("0.5"))
    assert found.source == "Kalshi API, event KXE-1, read 2026-11-21"
    both = catalog.fees(event(fee_type_override="flat", fee_multiplier_override=2), None, read_on=READ_ON)
    assert isinstance(both, KalshiFees)
    assert (both.fee_type, both.multiplier) == ("flat", 2)


@pytest.mark.parametrize(
    "terms",
    [
        None,
        series(fee_type=None),
        series(fee_type="cubic"),
        series(fee_multiplier=None),
        series(fee_multiplier="1"),
        series(fee_multiplier=-1),
    ],
)
def test_missing_or_unknown_terms_mean_no_fees(terms: schema.RestSeries | None) -> None:
    assert catalog.fees(event(), terms, read_on=READ_ON) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("initialized", MarketStatus.UNOPENED),
        ("active", MarketStatus.OPEN),
        ("inactive", MarketStatus.PAUSED),
        ("closed", MarketStatus.CLOSED),
        ("determined", MarketStatus.CLOSED),
        ("disputed", MarketStatus.CLOSED),
        ("amended", MarketStatus.CLOSED),
        ("finalized", MarketStatus.SETTLED),
        ("a word of next year", MarketStatus.PAUSED),
    ],
)
def test_status_words_of_responses(said: str, meant: MarketStatus) -> None:
    assert catalog.market(rest_market(status=said), event(), {}, read_on=READ_ON).status is meant


@pytest.mark.parametrize(
    ("fields", "never"),
    [
        ({"mve_collection_ticker": "KXMVE"}, "combo of several markets"),
        ({"mve_selected_legs": [{"market_ticker": "KXA"}]}, "combo of several markets"),
        ({"market_type": "scalar"}, "market type scalar"),
        ({"mve_selected_legs": [], "market_type": "binary"}, ""),
    ],
)
def test_combos_and_scalars_are_never_matched(fields: dict[str, Any], never: str) -> None:
    assert catalog.market(rest_market(**fields), event(), {}, read_on=READ_ON).never_match == never


def test_a_market_without_a_grid_trades_in_whole_cents() -> None:
    [step] = catalog.market(rest_market(), event(), {}, read_on=READ_ON).price_steps
    assert step.step_dollars == Decimal("0.01")


def test_the_shard_comes_from_the_market_then_from_the_event() -> None:
    on_two = catalog.market(rest_market(exchange_index=2), event(exchange_index=3), {}, read_on=READ_ON)
    on_three = catalog.market(rest_market(), event(exchange_index=3), {}, read_on=READ_ON)
    assert (on_two.exchange_index, on_three.exchange_index) == (2, 3)


def test_odd_times_are_unknown_times() -> None:
    odd = catalog.market(rest_market(close_time="soon", open_time="2026-11-21T10:00:00"), event(), {}, read_on=READ_ON)
    assert (odd.close_time, odd.open_time, odd.updated_ts_ms) == (None, None, 0)


def test_one_odd_object_does_not_cost_the_page() -> None:
    page = {
        "events": [
            {"event_ticker": 5},
            {
                "event_ticker": "E",
                "series_ticker": "S",
                "markets": [{"ticker": 1}, {**vars_of_market(), "ticker": "X"}],
            },
        ],
        "cursor": "next",
    }
    read = catalog.read_events(json.dumps(page).encode())
    assert [market.ticker for _, markets in read.events for market in markets] == ["X"]
    assert len(read.refused) == 2
    assert read.cursor == "next"


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"events":7}', b"[" * 100_000])
def test_a_body_that_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(catalog.BodyRefused, match="GET /events"):
        catalog.read_events(body)


def test_order_books_by_rest_are_sorted_by_us() -> None:
    body = {
        "orderbooks": [
            {"ticker": "A", "orderbook_fp": {"yes_dollars": [["0.32", "5.5"], ["0.31", "12"]], "no_dollars": None}},
            {"ticker": "B", "orderbook_fp": {"no_dollars": [["0.60", "1.00"], ["0.66", "40.00"]]}},
        ]
    }
    books = catalog.read_orderbooks(json.dumps(body).encode())
    assert books[MarketId("A")].bids() == ((3200, 5_500_000), (3100, 12_000_000))
    assert books[MarketId("A")].asks() == ()
    assert books[MarketId("B")].asks() == ((3400, 40_000_000), (4000, 1_000_000))
    with pytest.raises(catalog.BodyRefused):
        catalog.read_orderbooks(b'{"orderbooks":[{"ticker":"A","orderbook_fp":{"yes_dollars":[["NaN","1"]]}}]}')


def vars_of_market() -> dict[str, Any]:
    return {"ticker": "KXE-1-A", "event_ticker": "KXE-1", "status": "active"}
