"""Several processes find what one index finds."""

from collections import defaultdict
from collections.abc import Iterable

import pytest

from services.cli.bench.matcher_titles import make_listings
from services.matcher.bulk import candidates_of_venues, match_venues
from services.matcher.candidates import CandidateIndex
from services.matcher.mapping_files import load
from shared.domain.market import Market
from tests.unit.matcher.test_mappings import SHIPPED

MAPPINGS = load(SHIPPED)
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def test_two_processes_find_what_one_index_finds() -> None:
    listings = make_listings(kalshi=600, polymarket=900, seed=3)
    index = CandidateIndex(MAPPINGS)
    for market in listings.polymarket:
        index.put(market)
    alone = {
        (market.market_id, other_id, verdict.score)
        for event in by_event(listings.kalshi)
        for market, found in zip(event, index.best_of_event(event, most=2), strict=True)
        for other_id, verdict in found
    }
    bulk = match_venues(listings.kalshi, listings.polymarket, MAPPINGS, most=2, processes=2)
    assert {(match.ticker, match.condition_id, match.verdict.score) for match in bulk.matches} == alone
    assert len(alone) > 30
    assert [match.ticker for match in bulk.matches] == sorted(match.ticker for match in bulk.matches)
    assert bulk.memory.held_bytes > 0


def test_candidates_are_named_for_every_listing_without_comparing_them() -> None:
    listings = make_listings(kalshi=200, polymarket=300, seed=4)
    bulk = candidates_of_venues(listings.kalshi, listings.polymarket, MAPPINGS, limit=5, processes=2)
    index = CandidateIndex(MAPPINGS)
    for market in listings.polymarket:
        index.put(market)
    events = by_event(listings.kalshi)
    assert bulk.candidates == dict(pair for event in events for pair in index.candidates_of_event(event, 5))
    assert bulk.candidates.keys() == {market.market_id for market in listings.kalshi}
    assert all(len(found) <= 5 for found in bulk.candidates.values())
    assert bulk.matches == []


def test_no_listings_are_no_matches() -> None:
    assert match_venues([], [], MAPPINGS, processes=1).matches == []


def by_event(markets: Iterable[Market]) -> list[list[Market]]:
    events: defaultdict[str, list[Market]] = defaultdict(list)
    for market in markets:
        events[market.event_id].append(market)
    return list(events.values())
