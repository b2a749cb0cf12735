"""Public REST, typed: requests as the exchange wants them, answers by name and through the gate, limits in tokens."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kalshi_feed.skew import ClockSkew
from shared.runtime.lag import LagGauge
from shared.venues.kalshi import exchange, history, limits, market_data, milestones
from shared.venues.kalshi.catalog import BodyRefused
from shared.venues.kalshi.history import Trade, merged, read_trades, tiers, trades_request
from shared.venues.kalshi.limits import AccountLimits, BucketLimit, EndpointCosts, RateLimits, TokenBucket
from shared.venues.kalshi.listings import Pages, TooManyPages
from shared.venues.kalshi.rest import CursorRepeated

SECOND_NS = 1_000_000_000


def trade(trade_id: str = "t", **fields: Any) -> dict[str, Any]:
    return {
        "trade_id": trade_id, "ticker": "KX-A", "count_fp": "1.50", "yes_price_dollars": "0.5200",
        "no_price_dollars": "0.4800", "taker_outcome_side": "yes", "taker_book_side": "bid",
        "created_time": "2026-11-21T18:00:00.5Z", "is_block_trade": False, **fields,
    }  # fmt: skip


def body(**found: Any) -> bytes:
    return json.dumps(found).encode()


def test_a_trade_is_read_exactly() -> None:
    [read] = read_trades(body(trades=[trade()], cursor="")).items
    assert (read.count_contracts, read.yes_price_dollars) == (Decimal("1.50"), Decimal("0.5200"))


@pytest.mark.parametrize("price", [0.52, "NaN", "1E5", " 0.5", None])
def test_a_number_that_is_no_plain_text_spoils_its_trade_alone(price: object) -> None:
    page = read_trades(body(trades=[trade(yes_price_dollars=price), trade("good")], cursor=""))
    assert [item.trade_id for item in page.items] == ["good"]
    assert len(page.refused) == 1


def pages(most: int = 100) -> Pages[Trade]:
    return Pages(
        lambda cursor: trades_request(cursor=cursor), read_trades, key=lambda item: item.trade_id, most_pages=most
    )


def test_a_listing_is_followed_to_its_empty_cursor_and_keeps_each_item_once() -> None:
    listing = pages()
    listing.receive(body(trades=[trade("1"), trade("2")], cursor="a"))
    assert listing.request is not None
    assert ("cursor", "a") in listing.request.query
    listing.receive(body(trades=[trade("2", count_fp="9.00"), trade("3")], cursor=""))
    assert listing.request is None
    assert [(item.trade_id, str(item.count_contracts)) for item in listing.items] == [
        ("1", "1.50"),
        ("2", "9.00"),
        ("3", "1.50"),
    ]


def test_a_cursor_that_lies_or_never_ends_is_refused() -> None:
    listing = pages()
    listing.receive(body(trades=[], cursor="a"))
    with pytest.raises(CursorRepeated):
        listing.receive(body(trades=[], cursor="a"))
    endless = pages(most=2)
    endless.receive(body(trades=[], cursor="a"))
    with pytest.raises(TooManyPages):
        endless.receive(body(trades=[], cursor="b"))


def test_the_tiers_are_merged_by_id_and_the_live_one_counts() -> None:
    assert merged([("1", "live")], [("1", "old"), ("0", "old")], key=lambda item: item[0]) == [
        ("1", "live"),
        ("0", "old"),
    ]
    cutoff, early, late = (datetime(2026, month, 1, tzinfo=UTC) for month in (8, 7, 9))
    assert tiers(cutoff, since=early, until=late) == (True, True)
    assert tiers(cutoff, since=late, until=None) == (True, False)
    assert tiers(cutoff, since=None, until=early) == (False, True)


def test_candles_of_both_tiers_are_the_same_candle() -> None:
    live = {
        "end_period_ts": 60,
        "yes_bid": {"close_dollars": "0.40"},
        "yes_ask": {"close_dollars": "0.42"},
        "price": {"open_dollars": None, "close_dollars": "0.41"},
        "volume_fp": "3.00",
        "open_interest_fp": "7.00",
    }
    old = {"end_period_ts": 60, "yes_bid": {"close": "0.40"}, "yes_ask": {"close": "0.42"},
           "price": {"open": None, "close": "0.41"}, "volume": "3.00", "open_interest": "7.00"}  # fmt: skip
    [first] = history.read_candles(body(ticker="A", candlesticks=[live]))
    [second] = history.read_candles(body(ticker="A", candlesticks=[old]))
    assert first == second
    assert (first.close_dollars, first.open_dollars) == (Decimal("0.41"), None)


def test_the_status_of_summer_and_of_autumn_are_both_read() -> None:
    assert exchange.read_exchange_status(body(exchange_active=True, trading_active=True)).trades
    shard = {"exchange_index": 3, "description": "x", "exchange_active": True, "trading_active": False}
    status = exchange.read_exchange_status(
        body(exchange_active=True, trading_active=True, exchange_index_statuses=[shard])
    )
    assert status.untradable_shards() == {3}
    with pytest.raises(BodyRefused):
        exchange.read_exchange_status(b"{}")


def test_the_other_bodies_are_read_by_their_names() -> None:
    hours = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2027-01-01T00:00:00Z",
             "monday": [{"open_time": "00:00", "close_time": "24:00"}]}  # fmt: skip
    schedule = exchange.read_schedule(body(schedule={"standard_hours": [hours], "maintenance_windows": []}))
    assert schedule.standard_hours[0].monday[0].close_time == "24:00"
    moment = "2026-08-01T00:00:00Z"
    cutoff = history.read_historical_cutoff(
        body(market_settled_ts=moment, trades_created_ts=moment, orders_updated_ts=moment)
    )
    assert cutoff.market_positions_last_updated_ts is None
    found = milestones.read_milestones(body(milestones=[{"id": "m", "title": "A game"}, {"id": 5}], cursor=""))
    assert ([one.title for one in found.items], len(found.refused)) == (["A game"], 1)
    targets = milestones.read_structured_targets(body(structured_targets=[{"id": "x", "name": "Arsenal"}]))
    assert targets.items[0].name == "Arsenal"
    event = {"event_ticker": "E", "series_ticker": "S",
             "markets": [{"ticker": "A", "event_ticker": "E", "status": "active"}]}  # fmt: skip
    assert market_data.read_event(body(event=event, markets=[]))[1][0].ticker == "A"


def test_requests_say_what_the_exchange_understands() -> None:
    assert market_data.markets_request(status="open").query == (
        ("limit", "1000"), ("mve_filter", "exclude"), ("status", "open"),
    )  # fmt: skip
    assert market_data.markets_request(historical=True).path == "/historical/markets"
    assert history.candles_request("S", "A", start_ts_s=0, end_ts_s=60, period_minutes=1).path == (
        "/series/S/markets/A/candlesticks"
    )
    assert ("is_block_trade", "false") in trades_request(block_trades=False).query
    assert milestones.structured_targets_request().query[0] == ("page_size", "1000")


BASIC = limits.read_account_limits(
    b'{"usage_tier":"basic","read":{"refill_rate":200,"bucket_capacity":200},'
    b'"write":{"refill_rate":100,"bucket_capacity":100},"grants":[]}'
)
COSTS = limits.read_endpoint_costs(
    b'{"default_cost":10,"endpoint_costs":['
    b'{"method":"DELETE","path":"/trade-api/v2/portfolio/events/orders/:order_id","cost":2},'
    b'{"method":"GET","path":"/trade-api/v2/live_data/*rest","cost":50}]}'
)


def test_a_request_costs_what_the_price_list_says() -> None:
    allowed = RateLimits(BASIC, COSTS, now_ns=0)
    assert allowed.cost("GET", "/markets") == 10
    assert allowed.cost("DELETE", "/portfolio/events/orders/abc") == 2
    assert allowed.cost("DELETE", "/portfolio/events/orders/batched", items=3) == 6
    assert allowed.cost("GET", "/live_data/weather/nyc") == 50


def test_nine_creates_go_at_once_and_the_tenth_waits_a_ninth_of_a_second() -> None:
    allowed = RateLimits(BASIC, COSTS, now_ns=0)  # 90 % of 100 tokens
    assert [allowed.wait_ns("POST", 10, 0) for _ in range(9)] == [0] * 9
    assert allowed.wait_ns("POST", 10, 0) == -(-10 * SECOND_NS // 90)
    assert allowed.wait_ns("GET", 10, 0) == 0, "reads have their own bucket"
    assert allowed.wait_ns("POST", 10, 0, shard=2) == 0, "and so has every shard"


def test_a_request_larger_than_the_bucket_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="110 tokens at once"):
        RateLimits(BASIC, COSTS, now_ns=0).wait_ns("POST", 110, 0)


def test_a_429_empties_the_bucket_and_pauses_grow_to_five_seconds() -> None:
    allowed = RateLimits(BASIC, COSTS, now_ns=0)
    allowed.refused("GET", 0)
    assert allowed.wait_ns("GET", 9, 0) == SECOND_NS // 20
    assert [limits.longest_pause_s(n) for n in (1, 2, 3, 5, 6, 50)] == [0.25, 0.5, 1.0, 4.0, 5.0, 5.0]


@given(st.lists(st.tuples(st.integers(1, 90), st.integers(0, SECOND_NS)), max_size=60))
def test_never_more_is_taken_than_the_bucket_and_its_refill(asks: list[tuple[int, int]]) -> None:
    bucket, now_ns, taken = TokenBucket(BucketLimit(100, 100), now_ns=0), 0, 0
    for cost, later_ns in asks:
        now_ns += later_ns
        wait_ns = bucket.wait_ns(cost, now_ns)
        now_ns += wait_ns
        assert bucket.wait_ns(cost, now_ns) == 0, "after the wait the tokens are there"
        bucket.take(cost, now_ns)
        taken += cost
        assert taken * SECOND_NS <= 90 * SECOND_NS + 90 * now_ns


def test_limits_that_are_no_limits_are_refused() -> None:
    with pytest.raises(BodyRefused, match="account/limits"):
        limits.read_account_limits(b'{"read":{}}')
    with pytest.raises(BodyRefused, match="endpoint_costs"):
        limits.read_endpoint_costs(b"[]")
    assert EndpointCosts().default_cost == 10
    assert isinstance(BASIC, AccountLimits)


def test_the_clock_is_alarmed_about_once_when_it_is_surely_two_seconds_off() -> None:
    alarms: list[int] = []
    skew = ClockSkew(alarms.append)
    written_ms = int(datetime(2026, 11, 21, 18, tzinfo=UTC).timestamp()) * 1000
    header = "Sat, 21 Nov 2026 18:00:00 GMT"
    skew.saw(header, sent_ms=written_ms + 500, received_ms=written_ms + 2_900)
    assert (alarms, skew.at_least_ms) == ([], 0)
    for _ in range(2):
        skew.saw(header, sent_ms=written_ms + 3_100, received_ms=written_ms + 3_200)
    assert alarms == [-2_100]
    skew.saw(header, sent_ms=written_ms, received_ms=written_ms + 100)
    skew.saw(header, sent_ms=written_ms - 5_000, received_ms=written_ms - 4_000)
    assert alarms == [-2_100, 4_000]
    skew.saw("yesterday", sent_ms=0, received_ms=0)
    skew.saw(None, sent_ms=0, received_ms=0)
    assert len(alarms) == 2


def test_lag_counts_only_while_frames_keep_coming_late() -> None:
    gauge = LagGauge()
    gauge.saw(10, 0.0)
    gauge.saw(2_000, 1.0)
    assert (gauge.lag_ms, gauge.behind_for_s(3.5)) == (1_990, 2.5)
    gauge.quiet(1.9)
    assert gauge.behind_for_s(3.5) == 2.5, "frames that come late every second are late all the time"
    gauge.quiet(2.1)
    assert (gauge.lag_ms, gauge.behind_for_s(9.0)) == (0, 0.0)


def test_a_slow_drift_of_the_clocks_is_not_lag() -> None:
    gauge = LagGauge()
    for minute in range(10):
        gauge.saw(minute * 400, minute * 60.0)
    assert gauge.lag_ms == 400
