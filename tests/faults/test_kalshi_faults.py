"""The faults K01 to K26 of the Kalshi feed, against real processes: feed, simulator, Redis, and a spoiler between them.

After every fault the published books are the simulator's again, and what stood in doubt was withdrawn first. With
``DUTCHBOOK_FULL_FAULTS=1`` faults last as long as the catalogue says and recoveries are repeated for a percentile.
"""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from aiohttp import web

from shared.contracts.catalog import MarketClosed
from shared.contracts.quotes import Quote, QuotesStale
from shared.contracts.streams import CATALOG, FIELD
from shared.domain.market import Venue
from tests.e2e.durable_redis import DurableRedis, durable_redis
from tests.e2e.pipeline import Pipeline
from tests.e2e.processes import eventually, short_folder
from tests.faults.kalshi_proxy import Connection, Frame, Proxy, unspoiled
from tests.faults.kalshi_scene import FULL, Bench, delta, on_the_other_scale, p95_ms, reset_mid_frame, skipped

pytestmark = [pytest.mark.xdist_group("kalshi_faults"), pytest.mark.timeout(900 if FULL else 120)]

PAIRED = 8
World = tuple[Pipeline, Proxy, DurableRedis, list[str]]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with durable_redis() as server, short_folder() as folder, ExitStack() as stack:
        pipe = Pipeline(folder, server.url, stack)
        pipe.start_simulator(VENUE_SIM_RATE="250")
        proxy = Proxy(pipe.simulator["kalshi"]["rest_url"], pipe.simulator["kalshi"]["ws_url"])
        stack.enter_context(proxy.running())
        tickers = [ticker for ticker, book in pipe.control("/books")["kalshi"].items() if book["bids"] and book["asks"]]
        yield pipe, proxy, server, tickers


@pytest.fixture(scope="module")
def steady(world: World) -> Iterator[Bench]:
    pipe, proxy, server, tickers = world
    bench = Bench(pipe, proxy, server, tickers[:PAIRED])
    bench.start_feed()
    yield bench
    feed = pipe.runs["kalshi_feed"]
    feed.tell(signal.SIGTERM)
    assert feed.ends() == 0, feed.stderr
    assert "raceback" not in feed.stderr, feed.stderr
    assert all(isinstance(bench.word(pair), QuotesStale) for pair in bench.pairs), "a stop withdraws every quote"


@pytest.fixture
def bench(steady: Bench) -> Iterator[Bench]:
    """The running feed with all its books right."""
    steady.wait_equal()
    yield steady
    steady.proxy.rule, steady.proxy.refuse_all = unspoiled, None
    steady.proxy.rest.clear()


@pytest.fixture
def fresh(bench: Bench) -> Bench:
    """A feed whose link has held for a while: its pauses between dials begin at a quarter of a second."""
    bench.wait_proven()
    return bench


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


def test_k09_a_reset_inside_a_frame_is_followed_by_a_dial_with_a_new_signature(bench: Bench) -> None:
    took_ms = []
    for _ in range(40 if FULL else 3):
        bench.wait_proven()
        dials = len(bench.proxy.dials_s)
        bench.proxy.do(reset_mid_frame)
        since_ns = bench.proxy.struck_ns[-1]
        bench.wait_stale(since_ns, count=PAIRED)
        took_ms.append((bench.recovered_ns(since_ns) - since_ns) / 1e6)
        bench.wait_equal(since_ns=since_ns)
        assert len(bench.proxy.dials_s) > dials
    assert len(set(bench.proxy.signatures)) == len(bench.proxy.signatures)
    assert p95_ms("recovery after a drop", took_ms) <= 5_000


def test_k10_a_link_on_which_everything_vanishes_is_doubted_at_once_and_given_up(fresh: Bench) -> None:
    dials = len(fresh.proxy.dials_s)
    fresh.proxy.do(lambda connection: setattr(connection, "stalled", True))
    since_ns = fresh.proxy.struck_ns[-1]

    def old_beat() -> bool:
        beat = fresh.pipe.beat(Venue.KALSHI)
        return beat is not None and beat.frame_age_ms > 2_500

    eventually(old_beat, within_s=10, what=lambda: fresh.feed_log)
    eventually(lambda: len(fresh.proxy.dials_s) > dials, within_s=20, what=lambda: fresh.feed_log)
    fresh.wait_stale(since_ns, count=PAIRED)
    fresh.wait_equal(since_ns=since_ns)


def test_k11_a_frozen_stream_is_noticed_by_asking_and_not_by_pings(bench: Bench) -> None:
    since_ns = time.time_ns()
    bench.pipe.control("/_fault", {"venue": "kalshi", "name": "freeze", "times": 1})
    try:
        bench.wait_stale(since_ns)
    finally:
        bench.pipe.control("/_fault", {"venue": "kalshi", "name": "freeze", "times": 0})
    bench.wait_equal(since_ns=since_ns)


@pytest.mark.parametrize("codes", [(1000, 1001), (1008, 1011)])
def test_k12_a_venue_that_accepts_and_closes_is_not_stormed(fresh: Bench, codes: tuple[int, ...]) -> None:
    began = len(fresh.proxy.dials_s)
    fresh.proxy.handshakes.extend(codes)
    fresh.proxy.do(reset_mid_frame)
    since_ns = fresh.proxy.struck_ns[-1]
    fresh.wait_stale(since_ns, count=PAIRED)
    fresh.wait_equal(since_ns=since_ns)
    assert len(fresh.proxy.dials_s) == began + len(codes) + 1


def refused(status: int, code: str = "", **headers: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": code}}, status=status, headers=headers)


def test_k13_one_401_is_tried_again_at_once_and_two_page_somebody(fresh: Bench) -> None:
    before = len(fresh.alerts("kalshi_feed.unauthorised"))
    fresh.proxy.handshakes.append(refused(401, "header_timestamp_expired"))
    fresh.proxy.do(reset_mid_frame)
    fresh.wait_equal(since_ns=fresh.proxy.struck_ns[-1])
    assert len(fresh.alerts("kalshi_feed.unauthorised")) == before
    assert not fresh.proxy.handshakes


def test_k13_a_key_that_is_refused_for_ever_pages_once_and_is_not_stormed(fresh: Bench) -> None:
    fresh.proxy.refuse_all = lambda: refused(401, "header_timestamp_expired")
    fresh.proxy.do(reset_mid_frame)
    since_ns = fresh.proxy.struck_ns[-1]
    [alert] = eventually(lambda: fresh.alerts("kalshi_feed.unauthorised"), what=lambda: fresh.feed_log)
    assert "clock" in alert.detail
    dials = len(fresh.proxy.dials_s)
    fresh.wait_stale(since_ns, count=PAIRED)
    eventually(lambda: time.monotonic() - fresh.proxy.dials_s[-1] > 1.5)
    assert len(fresh.proxy.dials_s) == dials, "after the second refusal the longest pause"
    assert fresh.pipe.runs["kalshi_feed"].process.poll() is None
    fresh.proxy.refuse_all = None
    fresh.restart_feed()
    assert len(fresh.alerts("kalshi_feed.unauthorised")) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_k14_a_handshake_that_is_told_to_come_later_comes_later(fresh: Bench, status: int) -> None:
    began = len(fresh.proxy.dials_s)
    fresh.proxy.handshakes.append(refused(status, **{"Retry-After": "1"}))
    fresh.proxy.do(reset_mid_frame)
    since_ns = fresh.proxy.struck_ns[-1]
    fresh.wait_stale(since_ns, count=PAIRED)
    fresh.wait_equal(since_ns=since_ns)
    refused_s, again_s = fresh.proxy.dials_s[began:]
    assert again_s - refused_s >= 1.0


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


def test_k17_an_acknowledgement_that_never_comes_ends_the_link(fresh: Bench) -> None:
    def deaf(_connection: Connection, frame: Frame) -> list[Frame]:
        return [] if frame["type"] == "subscribed" else [frame]

    fresh.proxy.rule = deaf
    fresh.proxy.do(reset_mid_frame)
    since_ns, dials = fresh.proxy.struck_ns[-1], len(fresh.proxy.dials_s)
    eventually(lambda: len(fresh.proxy.dials_s) >= dials + 2, within_s=30, what=lambda: fresh.feed_log)
    fresh.proxy.rule = unspoiled
    fresh.wait_equal(since_ns=since_ns)


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
    back_ns = time.time_ns() + (20 if FULL else 2) * 1_000_000_000
    eventually(lambda: time.time_ns() > back_ns)
    bench.redis_server.start()
    bench.wait_equal(since_ns=back_ns)
    firsts = {one.market_id: one for one in reversed(bench.quotes_since(back_ns))}
    assert len(firsts) == PAIRED
    written = [one for one in bench.said_since(back_ns) if isinstance(one, Quote)]
    assert all(one.published_ts_ns >= back_ns for one in written)
    assert bench.resident_mib() - resident_mib < 30
    assert bench.pipe.runs["kalshi_feed"].process.poll() is None


def test_k22_a_feed_that_was_stopped_for_a_while_ends_with_the_right_books(bench: Bench) -> None:
    feed = bench.pipe.runs["kalshi_feed"]
    feed.tell(signal.SIGSTOP)
    stopped_ns = time.time_ns()
    try:
        eventually(lambda: time.time_ns() - stopped_ns > 3_000_000_000)
    finally:
        feed.tell(signal.SIGCONT)
    bench.wait_equal(since_ns=stopped_ns)
    beat = eventually(lambda: bench.pipe.beat(Venue.KALSHI))
    assert beat.sent_ts_ns > stopped_ns


@pytest.mark.parametrize(("mebibytes", "survives"), [(2, True), (20, False)])
def test_k24_a_frame_of_two_mebibytes_is_taken_and_one_of_twenty_ends_the_link(
    fresh: Bench, mebibytes: int, survives: bool
) -> None:
    dials = len(fresh.proxy.dials_s)
    big = json.dumps({"type": "noise", "msg": {"x": "a" * (mebibytes << 20)}})
    fresh.proxy.do(lambda connection: connection.ws.send_str(big))
    if not survives:
        eventually(lambda: len(fresh.proxy.dials_s) > dials, what=lambda: fresh.feed_log)
    fresh.wait_equal(since_ns=0 if survives else fresh.proxy.struck_ns[-1])
    assert (len(fresh.proxy.dials_s) == dials) is survives


def test_k25_a_compressed_frame_that_nobody_agreed_to_ends_the_link(fresh: Bench) -> None:
    dials = len(fresh.proxy.dials_s)

    def bomb(connection: Connection) -> None:
        assert connection.transport is not None
        connection.transport.write(b"\xc1\x05bombs")

    fresh.proxy.do(bomb)
    eventually(lambda: len(fresh.proxy.dials_s) > dials, what=lambda: fresh.feed_log)
    fresh.wait_equal(since_ns=fresh.proxy.struck_ns[-1])


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


def test_k23_a_killed_feed_comes_back_with_a_new_epoch_and_the_right_books(bench: Bench) -> None:
    feed = bench.pipe.runs["kalshi_feed"]
    epochs = bench.epochs()
    feed.tell(signal.SIGKILL)
    feed.ends()
    since_ns = time.time_ns()
    bench.start_feed()
    bench.wait_equal(since_ns=since_ns)
    assert bench.epochs().isdisjoint(epochs)
    assert p95_ms("rebuilt after a kill", [(bench.recovered_ns(since_ns) - since_ns) / 1e6]) <= 5_000


def test_one_connection_of_several_costs_only_its_own_books(bench: Bench) -> None:
    bench.restart_feed(KALSHI_FEED_MARKETS_PER_CONNECTION="3")
    connections = bench.proxy.connections[-3:]
    carried = {pair.kalshi_ticker: quote.connection for pair in bench.pairs if (quote := bench.quote(pair)) is not None}
    assert len(set(carried.values())) == 3
    victim = connections[1]
    asked = {ticker for command in victim.commands for ticker in command["params"].get("market_tickers", ())}
    bench.wait_proven()
    bench.proxy.do(lambda _newest: reset_mid_frame(victim))
    since_ns = bench.proxy.struck_ns[-1]
    stale = bench.wait_stale(since_ns, count=len(asked))
    bench.wait_equal(since_ns=since_ns)
    assert {ticker for one in bench.stale_since(since_ns) for ticker in one.market_ids} == asked
    assert 0 < len(asked) <= 3
    others = {one.connection for one in bench.quotes_since(stale[0].published_ts_ns) if one.market_id not in asked}
    assert others <= set(carried.values()), "the other links were never lost"
