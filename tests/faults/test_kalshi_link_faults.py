"""The faults of Kalshi's link and of the feed's own process, K09 to K25 (those of the stream are in the file beside).

Real processes with a spoiler between them, and ``DUTCHBOOK_FULL_FAULTS=1``, as there.
"""

import json
import signal
import time

import pytest
from aiohttp import web

from shared.domain.market import Venue
from tests.faults.kalshi_proxy import Connection, Frame
from tests.faults.kalshi_scene import FULL, PAIRED, Bench, p95_ms, reset_mid_frame
from tests.waiting import eventually

pytestmark = [pytest.mark.xdist_group("kalshi_link_faults"), pytest.mark.timeout(900 if FULL else 120)]


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

    def old_beat() -> bool:  # it is a second or two until the link is given up: a look now and then could miss it
        return any(beat.frame_age_ms > 2_500 for beat in fresh.beats_since(since_ns))

    eventually(old_beat, within_s=20, what=lambda: fresh.feed_log)
    eventually(lambda: len(fresh.proxy.dials_s) > dials, within_s=20, what=lambda: fresh.feed_log)
    fresh.wait_stale(since_ns, count=PAIRED)
    fresh.wait_equal(since_ns=since_ns)


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


def test_k17_an_acknowledgement_that_never_comes_ends_the_link(fresh: Bench) -> None:
    held = len(fresh.proxy.connections)

    def deaf(connection: Connection, frame: Frame) -> list[Frame]:
        return (
            [] if frame["type"] == "subscribed" and connection in fresh.proxy.connections[held : held + 1] else [frame]
        )

    fresh.proxy.rule = deaf
    fresh.proxy.do(reset_mid_frame)
    since_ns, dials = fresh.proxy.struck_ns[-1], len(fresh.proxy.dials_s)
    eventually(lambda: len(fresh.proxy.dials_s) >= dials + 2, within_s=30, what=lambda: fresh.feed_log)
    assert "no answer to subscribe" in fresh.feed_log
    fresh.wait_equal(since_ns=since_ns)


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


def test_the_accounts_own_limits_are_known_to_a_feed_with_a_key(bench: Bench) -> None:
    feed = bench.pipe.runs["kalshi_feed"]
    eventually(lambda: "limits.known" in feed.stderr, what=lambda: bench.feed_log)
    [line] = [json.loads(line) for line in feed.stderr.splitlines() if "limits.known" in line]
    assert (line["tier"], line["read_tokens_per_s"], line["write_tokens_per_s"]) == ("basic", 200, 100)


def test_one_connection_of_several_costs_only_its_own_books(bench: Bench) -> None:
    bench.restart_feed(KALSHI_FEED_MARKETS_PER_CONNECTION="3")
    connections = bench.proxy.connections[-3:]
    carried = {pair.kalshi_ticker: quote.connection for pair in bench.pairs if (quote := bench.quote(pair)) is not None}
    assert len(set(carried.values())) == 3
    victim = connections[1]
    asked = {ticker for command in victim.commands for ticker in command["params"].get("market_tickers", ())}
    asked &= carried.keys()  # not the one that the exchange refuses
    bench.wait_proven()
    bench.proxy.do(lambda _newest: reset_mid_frame(victim))
    since_ns = bench.proxy.struck_ns[-1]
    stale = bench.wait_stale(since_ns, count=len(asked))
    bench.wait_equal(since_ns=since_ns)
    withdrawn = {ticker for one in bench.stale_since(since_ns) for ticker in one.market_ids}
    assert withdrawn & carried.keys() == asked
    assert 0 < len(asked) <= 3
    others = {one.connection for one in bench.quotes_since(stale[0].published_ts_ns) if one.market_id not in asked}
    assert others <= set(carried.values()), "the other links were never lost"
