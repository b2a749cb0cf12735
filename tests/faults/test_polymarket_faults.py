"""Every fault of a Polymarket feed, by its id: the feed and the simulated venue as processes on a real Redis."""

import time
from pathlib import Path

import pytest

from shared.contracts.catalog import MarketChanged, MarketClosed
from shared.contracts.quotes import QuotesStale
from tests.faults.polymarket_scene import scene

pytestmark = pytest.mark.timeout(180)


def test_p01_a_dropped_change_is_noticed_by_top_or_hash_and_mended(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url) as it:
        it.fault("drop_change", 60)  # a few might be mended by the next whole book
        it.until(lambda: it.gaps() > 0)
        it.fault("drop_change", 0)
        it.ends_with_the_venues_books(tops_only=True)


def test_p02_wrong_hashes_on_right_books_are_counted_and_withdraw_nothing(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url, rate=600) as it:
        since_ns = time.time_ns()
        asked_before = it.asked_books()
        it.fault("wrong_hash", 10**9)
        it.until(lambda: it.asked_books() > asked_before)
        it.until(lambda: len(it.quotes(since_ns)) > 400)
        connections = it.pipe.control("/stats")["polymarket"]["connections"]
        assert it.withdrawn(since_ns) == set()
        assert it.asked_books() < 40, "a storm of REST requests"
        it.ends_with_the_venues_books(tops_only=True)
        assert it.pipe.control("/stats")["polymarket"]["connections"] == connections


def test_p03_right_tops_over_a_wrong_depth_are_found_by_the_hash(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url, POLYMARKET_FEED_AUDIT_S="60") as it:
        it.fault("drop_deep_change", 10**9)  # few would be mended by the book after the next trade alone
        it.until(lambda: it.gaps() > 0, within_s=60)
        it.fault("drop_deep_change", 0)
        it.ends_with_the_venues_books(within_s=60, tops_only=True)


def test_p04_nothing_is_quoted_or_withdrawn_inside_a_crossed_burst(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url, rate=600) as it:
        since_ns = time.time_ns()
        it.until(lambda: len(it.quotes(since_ns)) > 1_000)
        assert it.withdrawn(since_ns) == set()
        it.ends_with_the_venues_books()


def test_p05_a_frozen_stream_is_withdrawn_and_rest_speaks_until_it_is_back(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url, POLYMARKET_FEED_AUDIT_S="1") as it:
        since_ns = time.time_ns()
        it.fault("freeze")
        it.until(lambda: it.withdrawn(since_ns) == set(it.markets), within_s=10)
        frozen_ns = time.time_ns()
        it.until(lambda: {q.market_id for q in it.quotes(frozen_ns) if q.verified == "rest"} == set(it.markets))
        assert {quote.verified for quote in it.quotes(frozen_ns)} == {"rest"}
        it.fault("freeze", 0)
        it.ends_with_the_venues_books()


def test_p06_a_connection_without_pong_is_made_anew(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url, POLYMARKET_FEED_PONG_S="2") as it:
        # The feed asks each ten seconds; without an answer in time it must not wait for the books to stop as well.
        it.fault("no_pong")
        connections = it.pipe.control("/stats")["polymarket"]["connections"]
        it.until(lambda: it.pipe.control("/stats")["polymarket"]["connections"] > connections)
        it.fault("no_pong", 0)
        it.ends_with_the_venues_books()


def test_p07_a_new_tick_is_in_the_catalog_and_in_the_hash_of_the_next_quotes(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url, POLYMARKET_FEED_REFRESH_S="600") as it:
        market_id = next(iter(it.markets))
        it.event("tick", market_id, "0.001")
        since_ns = time.time_ns()
        it.until(
            lambda: any(
                isinstance(message, MarketChanged)
                and message.market.market_id == market_id
                and str(message.market.price_steps[0].step_dollars) == "0.001"
                for message in it.catalog_messages()
            ),
        )
        it.until(lambda: any(q.market_id == market_id and q.verified == "hash" for q in it.quotes(since_ns)))
        it.ends_with_the_venues_books()


def test_p08_tokens_that_change_places_are_never_quoted_as_each_other(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url, POLYMARKET_FEED_AUDIT_S="60") as it:
        asked = {market_id: market.token_ids for market_id, market in it.markets.items()}
        it.fault("swapped_frames")
        since_ns = time.time_ns()
        it.fault("cut_connection")
        it.until(lambda: it.withdrawn(since_ns) == set(asked))
        withdrawn_ns = time.time_ns()
        it.until(lambda: it.quotes(withdrawn_ns))
        it.fault("swapped_frames", 0)
        it.fault("cut_connection")
        it.ends_with_the_venues_books()


def test_p08_a_listing_that_swaps_the_tokens_has_its_pairs_refused(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url, POLYMARKET_FEED_REFRESH_S="1") as it:
        since_ns = time.time_ns()
        it.fault("swapped_listing")
        it.until(lambda: it.withdrawn(since_ns) == set(it.markets))
        refused_ns = time.time_ns()
        it.until(lambda: len(it.catalog_messages()) and time.time_ns() - refused_ns > 1_000_000_000)
        assert it.quotes(refused_ns) == []
        it.fault("swapped_listing", 0)
        it.ends_with_the_venues_books()


def test_p09_a_repeated_book_of_an_older_time_is_ignored(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url) as it:
        since_ns = time.time_ns()
        refused = it.refused()
        it.fault("old_book", 20)
        it.until(lambda: it.refused() >= refused + 10)
        it.ends_with_the_venues_books()
        assert it.withdrawn(since_ns) == set()


def test_p10_arrays_objects_pongs_and_empty_frames_are_all_handled(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url) as it:
        since_ns = time.time_ns()
        it.fault("odd_frames")
        it.until(lambda: len(it.quotes(since_ns)) > 200)
        it.ends_with_the_venues_books()
        assert it.withdrawn(since_ns) == set()


def test_p11_when_one_of_three_connections_dies_only_its_markets_are_withdrawn(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url, questions=1_000, rate=600) as it:
        assert len(it.markets) >= 500
        beats = it.beats()
        assert len(beats) == 3
        assert max(beat.markets for beat in beats.values()) == 200
        since_ns = time.time_ns()
        it.fault("cut_connection")
        it.until(lambda: len(it.withdrawn(since_ns)) in {beat.markets for beat in beats.values()})
        it.ends_with_the_venues_books(within_s=90)
        assert len(it.withdrawn(since_ns)) in {beat.markets for beat in beats.values()}


def test_p12_a_probe_without_an_answer_is_no_confirmation(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url, POLYMARKET_FEED_AUDIT_S="1") as it:
        for fault in ("books_429", "books_html", "books_slow"):
            since_ns = time.time_ns()
            it.fault(fault)
            it.fault("freeze")
            it.until(lambda since_ns=since_ns: it.withdrawn(since_ns) == set(it.markets), within_s=2 * 1 + 6)
            withdrawn_ns = it.messages(since_ns)[-1].published_ts_ns
            silent_ns = time.time_ns()
            it.fault("freeze", 0)
            it.fault(fault, 0)
            assert [quote for quote in it.quotes(withdrawn_ns) if quote.published_ts_ns <= silent_ns] == [], fault
            it.ends_with_the_venues_books()


def test_p13_a_resolved_market_is_closed_and_never_quoted_again(tmp_path: Path, redis_url: str) -> None:
    with scene(tmp_path, redis_url) as it:
        market_id = next(iter(it.markets))
        since_ns = time.time_ns()
        it.event("resolve", market_id, "0")
        it.until(
            lambda: any(isinstance(m, MarketClosed) and m.market_id == market_id for m in it.catalog_messages()),
        )
        it.until(lambda: it.withdrawn(since_ns) == {market_id})
        it.ends_with_the_venues_books(without=frozenset({market_id}))
        mine = [
            message
            for message in it.messages(since_ns)
            if market_id in (message.market_ids if isinstance(message, QuotesStale) else (message.market_id,))
        ]
        assert isinstance(mine[-1], QuotesStale)
