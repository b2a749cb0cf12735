"""The matcher's benchmark measures the same listings for everybody, and its listings are of the shapes it claims."""

from collections import Counter

import pytest

from services.cli.bench import matcher, matcher_rivals
from services.cli.bench.matcher_titles import make_listings
from services.matcher.mapping_files import load
from shared.domain.market import Venue
from tests.unit.matcher.test_mappings import SHIPPED

SMALL = matcher.Sizes(kalshi=300, polymarket=600, candidates_polymarket=300, arrivals=20, questions=10, arb_tool=100)


def test_a_small_run_reports_every_contestant_and_the_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    report = matcher.measure(load(SHIPPED), SMALL, processes=1, seed=3)
    assert report["candidates"]["recall"] >= 0.98
    assert report["full_match"]["matches"] > 0
    assert report["full_match"]["peak_mb"] > 0
    assert report["one_new_listing"]["arrivals"] == 40
    assert report["rapidfuzz"]["questions"] == 10
    assert report["ratios"]["one_new_listing_times_rapidfuzz"] > 0
    assert (report["ratios"]["times_arb_tool"] is None) == bool(matcher_rivals.arb_tool_missing())
    matcher.print_report(report)
    said = capsys.readouterr().out
    assert "candidates of 300 x 300" in said
    assert "arb-tool" in said


def test_listings_are_the_same_for_the_same_seed_and_their_ids_are_unique() -> None:
    listings = make_listings(kalshi=2_000, polymarket=3_000, seed=7)
    assert make_listings(kalshi=2_000, polymarket=3_000, seed=7) == listings
    assert make_listings(kalshi=2_000, polymarket=3_000, seed=8) != listings
    for venue, markets, count in (
        (Venue.KALSHI, listings.kalshi, 2_000),
        (Venue.POLYMARKET, listings.polymarket, 3_000),
    ):
        assert {market.venue for market in markets} == {venue}
        assert len({market.market_id for market in markets}) == count


def test_about_a_fifth_of_kalshis_listings_have_a_partner_that_is_worded_differently() -> None:
    listings = make_listings(kalshi=10_000, polymarket=20_000, seed=7)
    ours = {market.market_id: market for market in listings.kalshi}
    theirs = {market.market_id: market for market in listings.polymarket}
    assert 0.15 <= len(listings.partner) / len(ours) <= 0.28
    same = sum(ours[k].title.lower() == theirs[p].title.lower() for k, p in listings.partner.items())
    assert same <= 0.02 * len(listings.partner)
    lengths = [len(market.title) for market in listings.polymarket]
    assert 45 <= sum(lengths) / len(lengths) <= 65
    series = Counter(market.series_id for market in listings.kalshi)
    assert max(series.values()) <= 0.15 * len(ours)


def test_a_missing_rival_is_named_with_what_to_do() -> None:
    missing = matcher_rivals.arb_tool_missing()
    assert not missing or "pip install arb-tool" in missing
