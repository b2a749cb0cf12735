"""The simulated Kalshi answers like the real one: signatures, pages, objects, errors."""

import re

import pytest

from services.venue_sim.kalshi_rest import REST_PREFIX
from tests.service.simulated_kalshi import Json, SimulatedKalshi, e4, hundredths, running_kalshi

ORDERS = "/portfolio/events/orders"

REQUIRED_OF_A_MARKET = {
    "ticker",
    "event_ticker",
    "market_type",
    "yes_sub_title",
    "no_sub_title",
    "created_time",
    "updated_time",
    "open_time",
    "close_time",
    "latest_expiration_time",
    "settlement_timer_seconds",
    "status",
    "yes_bid_dollars",
    "yes_bid_size_fp",
    "yes_ask_dollars",
    "yes_ask_size_fp",
    "no_bid_dollars",
    "no_ask_dollars",
    "last_price_dollars",
    "volume_fp",
    "volume_24h_fp",
    "result",
    "can_close_early",
    "open_interest_fp",
    "notional_value_dollars",
    "previous_yes_bid_dollars",
    "previous_yes_ask_dollars",
    "previous_price_dollars",
    "settlement_bounds_type",
    "expiration_value",
    "rules_primary",
    "rules_secondary",
    "price_level_structure",
    "price_ranges",
}


async def all_pages(venue: SimulatedKalshi, path: str, name: str, **params: str) -> list[Json]:
    rows: list[Json] = []
    cursor = ""
    while True:
        body = await venue.get(path, **params, **({"cursor": cursor} if cursor else {}))
        rows += body[name]
        cursor = body["cursor"]
        if not cursor:
            return rows


async def test_the_four_refusals_and_a_good_signature() -> None:
    async with running_kalshi() as venue:
        path = REST_PREFIX + ORDERS
        good = venue.headers("POST", path)
        assert (await venue.ask("POST", ORDERS, headers=good))[0] == 400

        missing = {name: value for name, value in good.items() if not name.endswith("SIGNATURE")}
        error = {"code": "signature_is_missing_from_headers", "message": "signature is missing from headers"}
        assert await venue.ask("POST", ORDERS, headers=missing) == (401, {"error": error})

        error = {"code": "header_timestamp_expired", "message": "header timestamp expired"}
        for early_ms in (-15_001, 15_001):
            late = venue.headers("POST", path, early_ms=early_ms)
            assert await venue.ask("POST", ORDERS, headers=late) == (401, {"error": error})
        for early_ms in (-15_000, 15_000):
            assert (await venue.ask("POST", ORDERS, headers=venue.headers("POST", path, early_ms=early_ms)))[0] == 400

        error = {"code": "authentication_error", "message": "authentication_error", "details": "NOT_FOUND"}
        stranger = venue.headers("POST", path, key_id="00000000-0000-4000-8000-000000000000")
        assert await venue.ask("POST", ORDERS, headers=stranger) == (401, {"error": error})

        error["details"] = "INCORRECT_API_KEY_SIGNATURE"
        for wrong in (ORDERS, path + "?subaccount=0"):
            headers = venue.headers("POST", wrong)
            assert await venue.ask("POST", ORDERS, headers=headers) == (401, {"error": error}), wrong
        assert await venue.ask("POST", ORDERS, headers=venue.headers("GET", path)) == (401, {"error": error})
        garbage = good | {"KALSHI-ACCESS-SIGNATURE": "not base64!"}
        assert await venue.ask("POST", ORDERS, headers=garbage) == (401, {"error": error})


async def test_the_query_is_not_signed() -> None:
    async with running_kalshi() as venue:
        headers = venue.headers("DELETE", REST_PREFIX + ORDERS)
        assert (await venue.ask("DELETE", ORDERS, headers=headers, params={"subaccount": "0"}))[0] == 204


async def test_every_request_for_an_order_is_counted_even_when_it_is_refused() -> None:
    async with running_kalshi() as venue:
        await venue.get("/markets", limit="1")
        assert venue.stats.orders_received == 0
        await venue.ask("POST", ORDERS)
        await venue.ask("DELETE", ORDERS + "/some-id")
        status, body = await venue.ask(
            "POST", "/portfolio/orders", headers=venue.headers("POST", REST_PREFIX + "/portfolio/orders")
        )
        assert (status, body["error"]["code"]) == (410, "deprecated_v1_order_endpoint")
        assert venue.stats.orders_received == 3
        assert venue.stats.requests[f"GET {REST_PREFIX}/markets"] == 1


@pytest.mark.parametrize("limit", ["1", "7", "55", "1000"])
async def test_pages_to_the_end_are_the_worlds_markets(limit: str) -> None:
    async with running_kalshi() as venue:
        markets = await all_pages(venue, "/markets", "markets", limit=limit, status="open", mve_filter="exclude")
        assert [market["ticker"] for market in markets] == list(venue.world.kalshi_markets)


async def test_an_unknown_cursor_gives_the_first_page_and_too_large_a_limit_a_bare_message() -> None:
    async with running_kalshi() as venue:
        first = await venue.get("/markets", limit="3")
        assert (await venue.get("/markets", limit="3", cursor="garbage!"))["markets"] == first["markets"]
        status, body = await venue.ask("GET", "/markets", params={"limit": "1001"})
        assert (status, list(body)) == (400, ["msg"])
        status, body = await venue.ask("GET", "/markets", params={"status": "active"})
        assert (status, list(body)) == (400, ["msg"])


async def test_markets_can_be_filtered() -> None:
    async with running_kalshi() as venue:
        ticker, market = next(iter(venue.world.kalshi_markets.items()))
        by_event = await all_pages(venue, "/markets", "markets", event_ticker=market.event.event_ticker)
        assert {found["event_ticker"] for found in by_event} == {market.event.event_ticker}
        by_series = await all_pages(venue, "/markets", "markets", series_ticker=market.event.series.ticker)
        wanted = [m.market_id for m in venue.world.kalshi_markets.values() if m.event.series is market.event.series]
        assert [found["ticker"] for found in by_series] == wanted
        two = list(venue.world.kalshi_markets)[3:5]
        named = await all_pages(venue, "/markets", "markets", tickers=",".join(two))
        assert [found["ticker"] for found in named] == two
        assert (await venue.get("/markets", status="settled"))["markets"] == []
        assert (await venue.get("/markets", mve_filter="only"))["markets"] == []
        assert (await venue.get(f"/markets/{ticker}"))["market"]["ticker"] == ticker


async def test_a_market_has_every_required_field_in_the_venues_text_formats() -> None:
    async with running_kalshi() as venue:
        venue.pass_time(5_000)
        for market in await all_pages(venue, "/markets", "markets"):
            assert market.keys() >= REQUIRED_OF_A_MARKET
            for name, value in market.items():
                if name.endswith("_dollars"):
                    assert re.fullmatch(r"[01]\.[0-9]{4}", value), (name, value)
                if name.endswith("_fp"):
                    assert re.fullmatch(r"[0-9]+\.[0-9]{2}", value), (name, value)
                if name.endswith("_time"):
                    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]{1,6})?Z", value), (name, value)
            book = venue.world.kalshi_markets[market["ticker"]].book
            if not book.bids():
                assert (market["yes_bid_dollars"], market["yes_bid_size_fp"]) == ("0.0000", "0.00")
            if not book.asks():
                assert (market["yes_ask_dollars"], market["yes_ask_size_fp"]) == ("1.0000", "0.00")
        assert any(not market.book.bids() for market in venue.world.kalshi_markets.values())


async def test_an_order_book_has_both_sides_as_bids_and_any_depth() -> None:
    async with running_kalshi() as venue:
        tickers = list(venue.world.kalshi_markets)
        batch = await venue.ask("GET", "/markets/orderbooks", params=[("tickers", t) for t in tickers[:30]])
        assert [row["ticker"] for row in batch[1]["orderbooks"]] == tickers[:30]
        for row in batch[1]["orderbooks"]:
            book = venue.world.kalshi_markets[row["ticker"]].book
            expected_no = [(10_000 - price, size) for price, size in reversed(book.asks())]
            told = [(e4(price), hundredths(count) * 10_000) for price, count in row["orderbook_fp"]["no_dollars"]]
            assert told == expected_no
        whole = (await venue.get(f"/markets/{tickers[0]}/orderbook"))["orderbook_fp"]
        two = (await venue.get(f"/markets/{tickers[0]}/orderbook", depth="2"))["orderbook_fp"]
        assert two["yes_dollars"] == whole["yes_dollars"][-2:]
        assert two["no_dollars"] == whole["no_dollars"][-2:]
        assert whole == batch[1]["orderbooks"][0]["orderbook_fp"]


async def test_events_series_and_the_exchange() -> None:
    async with running_kalshi() as venue:
        events = await all_pages(venue, "/events", "events", limit="7", with_nested_markets="true", status="open")
        nested = [market["ticker"] for event in events for market in event["markets"]]
        assert sorted(nested) == sorted(venue.world.kalshi_markets)
        plain = await all_pages(venue, "/events", "events")
        assert all("markets" not in event for event in plain)
        one = await venue.get(f"/events/{events[0]['event_ticker']}", with_nested_markets="true")
        assert one["event"] == events[0]

        series = (await venue.get("/series"))["series"]
        assert {event["series_ticker"] for event in events} == {row["ticker"] for row in series}
        assert {row["fee_multiplier"] for row in series} == {0, 0.5, 1}
        assert (await venue.get(f"/series/{series[0]['ticker']}"))["series"] == series[0]
        assert (await venue.get("/series/fee_changes"))["series_fee_change_arr"] == []
        assert (await venue.get("/exchange/status"))["trading_active"] is True


@pytest.mark.parametrize("path", ["/markets/KXNO-1", "/markets/KXNO-1/orderbook", "/events/KXNO", "/series/KXNO", "/x"])
async def test_what_is_not_there_is_not_found(path: str) -> None:
    async with running_kalshi() as venue:
        status, body = await venue.ask("GET", path)
        assert (status, body["error"]["code"]) == (404, "not_found")
