"""The faults of what comes on Kalshi's stream, K01 to K26; those of the link are in the file beside.

Real feed, simulator and Redis run, and a spoiler stands between them. After every fault the published books are the
simulator's again, and what stood in doubt was withdrawn first. With ``DUTCHBOOK_FULL_FAULTS=1`` faults last as long as
the catalogue says and recoveries are repeated for a percentile.
"""

import json
import time

import pytest

from shared.contracts.catalog import MarketClosed
from shared.contracts.quotes import Quote, QuotesStale
from shared.contracts.streams import CATALOG, FIELD
from shared.domain.market import Venue
from tests.faults.kalshi_proxy import Connection, Frame, unspoiled
from tests.faults.kalshi_scene import (
    FULL,
    PAIRED,
    Bench,
    delta,
    on_the_other_scale,
    p95_ms,
    reset_mid_frame,
    skipped,
)
from tests.waiting import eventually

pytestmark = [pytest.mark.xdist_group("kalshi_faults"), pytest.mark.timeout(900 if FULL else 120)]


def test_k01_a_gap_withdraws_every_book_of_the_sid_and_a_snapshot_brings_them_back(bench: Bench) -> None:
    took_ms, stale_ms = [], []
    for number in range(40 if FULL else 6):
        if number % 3 == 0:  # more than three losses within two seconds are asked for with pauses: another fault
            bench.wait_calm()
        struck = len(bench.proxy.struck_ns)
        bench.proxy.once(skipped)
        eventually(lambda struck=struck: len(bench.proxy.struck_ns) > struck)
        since_ns = bench.proxy.struck_ns[-1]
        stale = bench.wait_stale(since_ns, count=PAIRED)
        assert "seq" in stale[0].reason
        lost_ns = stale[0].published_ts_ns
        stale_ms.append((stale[PAIRED - 1].published_ts_ns - lost_ns) / 1e6)
        took_ms.append((bench.recovered_ns(lost_ns) - lost_ns) / 1e6)
        bench.wait_equal(since_ns=lost_ns)
    assert p95_ms("every book withdrawn after a gap", stale_ms) <= 50
    assert p95_ms("recovery after a gap", took_ms) <= 1_000


def test_k02_a_gap_while_the_snapshot_is_in_flight_does_not_loop(bench: Bench) -> None:
    def twice(connection: Connection, _frame: Frame) -> list[Frame]:
        bench.proxy.once(skipped, kind="orderbook_snapshot")
        return []

    bench.wait_calm()
    commands = len(bench.proxy.connections[-1].commands)
    bench.proxy.once(twice)
    struck = len(bench.proxy.struck_ns)
    eventually(lambda: len(bench.proxy.struck_ns) >= struck + 2)
    bench.wait_equal(since_ns=bench.proxy.struck_ns[-1])
    asked = [one for one in bench.proxy.connections[-1].commands[commands:] if "get_snapshot" in json.dumps(one)]
    assert len(asked) <= 20


def test_k03_a_frame_that_comes_twice_is_applied_once(bench: Bench) -> None:
    since_ns = time.time_ns()
    bench.proxy.once(lambda _connection, frame: [frame, frame])
    eventually(lambda: bench.proxy.struck_ns and bench.proxy.struck_ns[-1] > since_ns)
    bench.wait_equal(since_ns=0)
    assert bench.stale_since(since_ns) == []


def test_k04_a_sequence_that_goes_back_ends_the_connection(fresh: Bench) -> None:
    dials = len(fresh.proxy.dials_s)
    fresh.proxy.once(lambda _connection, frame: [frame, {**frame, "seq": frame["seq"] - 3}])
    eventually(lambda: len(fresh.proxy.dials_s) > dials, what=lambda: fresh.feed_log)
    fresh.wait_equal(since_ns=fresh.proxy.struck_ns[-1])


def test_k05_two_swapped_deltas_are_a_gap(bench: Bench) -> None:
    since_ns = time.time_ns()

    def swap(connection: Connection, frame: Frame) -> list[Frame]:
        def with_next(_connection: Connection, following: Frame) -> list[Frame]:
            return [following, frame]

        bench.proxy.once(with_next)
        return []

    bench.proxy.once(swap)
    bench.wait_stale(since_ns)
    bench.wait_equal(since_ns=since_ns)


def test_k06_data_of_an_unknown_ticker_or_sid_is_dropped(bench: Bench) -> None:
    since_ns = time.time_ns()

    def strangers(connection: Connection, frame: Frame) -> list[Frame]:
        unknown = connection.injected(delta("KXNOBODY-1", "0.5000", "1.00"))
        return [frame, {**delta("KXNOBODY-2", "0.5000", "1.00"), "sid": 99, "seq": 1}, unknown]

    bench.proxy.once(strangers)
    eventually(lambda: bench.proxy.struck_ns and bench.proxy.struck_ns[-1] > since_ns)
    bench.wait_equal()
    assert bench.stale_since(since_ns) == []


@pytest.mark.parametrize(
    ("fault", "price", "change", "says"),
    [("K07", "0.0300", "-99999.00", "below zero|holds"), ("K08", "0.9900", "7.00", "crossed")],
)
def test_k07_k08_a_level_below_zero_or_a_crossed_book_is_withdrawn_and_fetched_anew(
    bench: Bench, fault: str, price: str, change: str, says: str
) -> None:
    since_ns = time.time_ns()
    ticker = bench.pairs[0].kalshi_ticker
    bench.proxy.once(lambda connection, frame: [frame, connection.injected(delta(ticker, price, change))])
    stale = bench.wait_stale(since_ns)
    assert stale[0].market_ids == (ticker,)
    assert any(word in stale[0].reason for word in says.split("|")), (fault, stale[0].reason)
    bench.wait_equal(since_ns=stale[0].published_ts_ns)
    assert not any(
        one.yes_bids and one.yes_asks and one.yes_bids[0][0] >= one.yes_asks[0][0]
        for one in bench.quotes_since(since_ns)
    ), "nothing crossed was ever quoted"


def test_k11_a_frozen_stream_is_noticed_by_asking_and_not_by_pings(bench: Bench) -> None:
    since_ns = time.time_ns()
    bench.pipe.control("/_fault", {"venue": "kalshi", "name": "freeze", "times": 1})
    try:
        bench.wait_stale(since_ns)
    finally:
        bench.pipe.control("/_fault", {"venue": "kalshi", "name": "freeze", "times": 0})
    bench.wait_equal(since_ns=since_ns)


def test_k15_a_burst_is_conflated_and_neither_lag_nor_memory_grows(bench: Bench) -> None:
    """About ten times the usual load of a busy feed: 5,000 frames a second on one link."""
    bench.pipe.control("/_fault", {"venue": "kalshi", "name": "burst", "times": 300})
    try:
        eventually(lambda: bench.beats_since(0)[-1].frames > 5_000, what=lambda: bench.feed_log)
        resident_mib, since_ns = bench.resident_mib(), time.time_ns()
        before = bench.beats_since(since_ns - 2_000_000_000)[-1]
        ends_ns = since_ns + (30 if FULL else 3) * 1_000_000_000
        eventually(lambda: time.time_ns() > ends_ns)
        beats = bench.beats_since(since_ns)
        grown_mib = bench.resident_mib() - resident_mib
    finally:
        bench.pipe.control("/_fault", {"venue": "kalshi", "name": "burst", "times": 0})
    bench.wait_equal(since_ns=time.time_ns())
    took_s = (beats[-1].sent_ts_ns - before.sent_ts_ns) / 1e9
    frames, quotes = beats[-1].frames - before.frames, beats[-1].quotes - before.quotes
    print(  # noqa: T201
        f"burst: {frames / took_s:.0f} frames/s and {quotes / took_s:.0f} quotes/s for {took_s:.1f} s,"
        f" lag at most {max(beat.lag_ms for beat in beats)} ms, {grown_mib} MiB more"
    )
    assert all(beat.lag_ms <= 1_000 or beat.state != "live" for beat in beats)
    assert quotes < frames / 2, "newer states replace older ones"
    assert frames / took_s > 1_000, "a burst that was none"
    assert grown_mib < 30


def test_k16_a_ticker_that_the_exchange_refuses_costs_no_other(bench: Bench) -> None:
    bench.pair("KXNOSUCH-26")
    eventually(lambda: bench.alerts("kalshi_feed.market_refused"), what=lambda: bench.feed_log)
    since_ns = time.time_ns()
    bench.wait_equal()
    assert bench.stale_since(since_ns) == []


def test_k19_a_paused_exchange_has_no_quotes(bench: Bench) -> None:
    since_ns = time.time_ns()
    bench.proxy.rest["/exchange/status"] = {"exchange_active": True, "trading_active": False}
    stale = bench.wait_stale(since_ns, count=PAIRED)
    assert "the exchange is paused" in {one.reason for one in stale}
    bench.proxy.rest.clear()
    bench.wait_equal(since_ns=stale[0].published_ts_ns)


def test_k20_a_venue_clock_that_is_a_minute_off_is_reported_and_stops_nothing(fresh: Bench) -> None:
    def ahead(_connection: Connection, frame: Frame) -> list[Frame]:
        if frame["type"] == "orderbook_delta":
            frame["msg"]["ts_ms"] += 60_000
        return [frame]

    fresh.proxy.rule = ahead
    fresh.proxy.do(reset_mid_frame)  # a connection whose every stamp is off
    since_ns = time.time_ns()
    [alert, *_] = eventually(lambda: fresh.alerts("kalshi_feed.clock_skew"), what=lambda: fresh.feed_log)
    assert "stamps on the stream" in alert.detail
    fresh.wait_equal(since_ns=since_ns)


def test_k21_a_redis_that_died_gets_the_newest_state_and_nothing_old(bench: Bench) -> None:
    resident_mib = bench.resident_mib()
    bench.redis_server.kill()
    killed_ns = time.time_ns()
    eventually(lambda: time.time_ns() - killed_ns > (20 if FULL else 2) * 1_000_000_000)
    back_ns = time.time_ns()
    bench.redis_server.start()
    bench.wait_equal(since_ns=back_ns)
    said = bench.said_since(killed_ns)
    assert {one.market_id for one in said if isinstance(one, Quote)} == {pair.kalshi_ticker for pair in bench.pairs}
    assert not [one for one in said if one.published_ts_ns < back_ns], "what was said into the void is not repeated"
    assert bench.resident_mib() - resident_mib < 30
    assert bench.pipe.runs["kalshi_feed"].process.poll() is None


def test_k26_prices_on_another_scale_than_asked_for_are_never_quoted(fresh: Bench) -> None:
    fresh.proxy.rule = on_the_other_scale
    fresh.proxy.do(reset_mid_frame)
    since_ns = fresh.wait_stale(fresh.proxy.struck_ns[-1], count=PAIRED)[-1].published_ts_ns
    [alert] = eventually(lambda: fresh.alerts("kalshi_feed.price_scale"), what=lambda: fresh.feed_log)
    assert "YES scale" in alert.title
    assert "KALSHI_FEED_USE_YES_PRICE" in alert.detail
    assert not any(one.yes_asks for one in fresh.quotes_since(since_ns)), "no ask that nobody made"
    dials = len(fresh.proxy.dials_s)
    eventually(lambda: len(fresh.proxy.dials_s) > dials, what=lambda: fresh.feed_log)
    assert not any(one.yes_asks for one in fresh.quotes_since(since_ns))
    fresh.proxy.rule = unspoiled
    fresh.wait_equal(since_ns=time.time_ns())
    assert len(fresh.alerts("kalshi_feed.price_scale")) == 1


@pytest.mark.parametrize("side", ["", "maybe", "YES"])
def test_k26_a_side_that_is_none_withdraws_the_books_of_the_sid(bench: Bench, side: str) -> None:
    def odd(_connection: Connection, frame: Frame) -> list[Frame]:
        return [{**frame, "msg": {**frame["msg"], "side": side}}]

    bench.proxy.once(odd)
    since_ns = time.time_ns()
    stale = bench.wait_stale(since_ns, count=PAIRED)
    assert "malformed orderbook_delta" in stale[0].reason
    bench.wait_equal(since_ns=stale[0].published_ts_ns)


def test_k18_a_settled_market_has_no_quote_and_leaves_the_catalog(bench: Bench) -> None:
    pair = bench.pairs.pop()
    bench.pipe.control("/_event", {"venue": "kalshi", "event": "settle", "market": pair.kalshi_ticker, "value": "yes"})
    eventually(lambda: isinstance(bench.word(pair), QuotesStale), what=lambda: bench.feed_log)
    stream = CATALOG[Venue.KALSHI]

    def closed() -> list[MarketClosed]:
        entries = (stream.decoder.decode(fields[FIELD]) for _, fields in bench.pipe.redis.xrange(stream.name))
        return [one for one in entries if isinstance(one, MarketClosed) and one.market_id == pair.kalshi_ticker]

    assert eventually(closed, what=lambda: bench.feed_log)[0].reason in {"determined", "settled"}
    bench.wait_equal()
