"""A market's partner is found by what the two listings share, however each venue words it, and at a bounded cost."""

import json
import os
import time
import tracemalloc
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.matcher_titles import make_listings
from services.matcher.candidates import MOST_CANDIDATES, CandidateIndex
from services.matcher.mapping_files import load
from services.matcher.offline_rows import kalshi_market, polymarket_market
from services.matcher.postings import Postings
from services.matcher.terms import MOST_TERMS, TermReader
from shared.domain.market import Market, MarketId, Venue
from tests.shared_folder import shared_folder
from tests.unit.matcher.listings import kalshi, polymarket
from tests.unit.matcher.test_mappings import SHIPPED

MAPPINGS = load(SHIPPED)
READER = TermReader(MAPPINGS)
HOW_MANY = int(os.environ.get("DUTCHBOOK_M06_LISTINGS", "2000"))
"""Listings of each venue in the fault test M06; 20000 for the whole of it."""


def numbered(question: str, number: int, **changes: Any) -> Market:
    changes = {"event_id": f"event-{number}", "slug": f"slug-{number}", "event_slug": f"slug-{number}"} | changes
    return polymarket(question, market_id=MarketId(f"0x{number}"), **changes)


def index_of(*markets: Market) -> CandidateIndex:
    index = CandidateIndex(MAPPINGS)
    for market in markets:
        index.put(market)
    return index


OTHERS = [
    numbered(question, number)
    for number, question in enumerate(
        [
            "Will Marisol Vantongeren win the 2027 Brightwater mayoral election?",
            "Will Saltmarsh win Best Picture in 2027?",
            "Lakers vs. Celtics",
            "Will it rain in Houston on December 3?",
            "Will Bitcoin reach $200,000 in 2026?",
            "Will the ECB cut rates in March?",
        ],
        start=100,
    )
]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param(
            kalshi("KXNBAGAME-26NOV22HOUPOR-HOU", "Houston at Portland Winner?"),
            numbered("Rockets vs. Trail Blazers", 1, outcomes=("Rockets", "Trail Blazers")),
            id="a game whose titles share no word, by the teams",
        ),
        pytest.param(
            kalshi("KXKNESSET-27-EIS", "Who will form the next government?", "Gadi Eisenkot"),
            numbered("Will Eizenkot be the prime minister?", 1),
            id="a name that is spelled in two ways, by its sound",
        ),
        pytest.param(
            kalshi("KXPRES-28-JDV", "2028 election winner?", "J.D. Vantongeren"),
            numbered("Will JD Vantongeren be elected?", 1),
            id="initials with and without dots",
        ),
        pytest.param(
            kalshi("KXBTCMAX-27-T", "How high will Bitcoin get?", "Above $149,999.99"),
            numbered("Will BTC hit $150,000?", 1),
            id="an amount that is a cent short",
        ),
        pytest.param(
            kalshi("KXSTORM-26NOV30-T", "Storm named?", "Yes"),
            numbered("Will a storm be named on November 30?", 1),
            id="a day that one side has in its ticker only",
        ),
        pytest.param(
            kalshi("KXLEAGUE1H-27-TIE", "Will Tie win the 1st Half?", event_title="Northgate vs Celandine: First Half"),
            numbered("Draw at halftime?", 1, event_title="Northgate United vs. Celandine - Halftime Result"),
            id="teams that only the events name",
        ),
        pytest.param(
            kalshi("KXCABINET-27-A", "Will three senators resign?"),
            numbered("Will 3 senator resignations happen? 3 resigned", 1),
            id="a number in words and a plural",
        ),
    ],
)
def test_the_partner_comes_first_though_it_is_worded_differently(ours: Market, theirs: Market) -> None:
    index = index_of(ours, theirs, *OTHERS)
    assert index.candidates(ours)[0] == theirs.market_id
    assert index.candidates(theirs)[0] == ours.market_id


def test_a_city_stands_for_the_teams_of_the_league_that_the_ticker_names() -> None:
    game = kalshi("KXNFLGAME-26NOV22HOUDEN-HOU", "Houston at Denver Winner?")
    assert {term for term in READER.terms(game) if ":" in term} == {"nfl:hou", "nfl:den"}
    women = kalshi("KXWNBAGAME-26JUN02INDCHI-IND", "Indiana at Chicago Winner?")
    assert {term for term in READER.terms(women) if ":" in term} == {"wnba:ind", "wnba:chi"}
    unsaid = READER.terms(kalshi("KXPARADE-26-H", "Parade in Houston?"))
    assert {"nba:hou", "nfl:hou", "mlb:hou"} <= unsaid


def test_a_market_that_is_not_listed_can_be_asked_about() -> None:
    assert index_of(*OTHERS).candidates(kalshi("KXFILM-27-S", "Best Picture?", "Saltmarsh"), limit=1) == ["0x101"]


def test_a_listing_that_shares_nothing_has_no_candidates() -> None:
    assert index_of(*OTHERS).candidates(kalshi("KXODD-27-Z", "Zyzzogeton sightings?")) == []
    assert CandidateIndex(MAPPINGS).candidates(kalshi("KXODD-27-Z", "Zyzzogeton sightings?")) == []


def test_a_changed_listing_is_found_by_its_new_words_only() -> None:
    index = index_of(*OTHERS, numbered("Will Glass Harbor win?", 1))
    index.put(numbered("Will Quillfeather win?", 1))
    assert index.candidates(kalshi("KXFILM-27-A", "Winner?", "Quillfeather")) == ["0x1"]
    assert index.candidates(kalshi("KXFILM-27-B", "Winner?", "Glass Harbor")) == []


words = st.sampled_from("amber birch cedar doric ember flint grove heron".split())  # noqa: SIM905
term_sets = st.frozensets(words, min_size=1, max_size=5)
operations = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3), st.none() | term_sets), min_size=1, max_size=40)


@given(operations, st.lists(term_sets, min_size=1, max_size=3))
def test_an_index_that_has_lived_ranks_as_one_made_anew(
    steps: list[tuple[int, int, frozenset[str] | None]], asked: list[frozenset[str]]
) -> None:
    lived, listed = Postings(), {}
    for number, event, terms in steps:
        market_id = MarketId(f"m{number}")
        if terms is None:
            lived.remove(market_id)
            listed.pop(market_id, None)
        else:
            lived.put(market_id, f"e{event}", terms)
            listed[market_id] = (f"e{event}", terms)
    anew = Postings()
    for market_id, (event_id, terms) in listed.items():
        anew.put(market_id, event_id, terms)
    assert len(lived) == len(listed)
    assert lived.rank_event(asked, 20) == anew.rank_event(asked, 20)


@given(st.lists(term_sets, min_size=1, max_size=12), term_sets)
def test_a_small_venue_is_ranked_in_full(listed: list[frozenset[str]], asked: frozenset[str]) -> None:
    postings = Postings()
    for number, terms in enumerate(listed):
        postings.put(MarketId(str(number)), "", terms)
    ranking = postings.rank(asked, 20)
    assert {market_id for _, market_id, _ in ranking.best} == {
        str(number) for number, terms in enumerate(listed) if terms & asked
    }
    likeness = [-minus for minus, _, _ in ranking.best]
    assert likeness == sorted(likeness, reverse=True)
    assert all(0 < shared <= ranking.weight + 1e-9 for _, _, shared in ranking.best)


def test_every_member_of_an_event_of_a_thousand_listings_is_found() -> None:
    names = [f"{first}{second}ov" for first in "bdfgklmnprst" for second in ("ako", "emi", "iru", "ola", "uta")]
    ladder = [
        numbered(f"Will {name} win the Brightwater marathon?", n, event_id="race") for n, name in enumerate(names)
    ]
    crowd = [
        numbered(f"Will runner {n} finish the Brightwater marathon?", n, event_id="race") for n in range(100, 1_000)
    ]
    index = index_of(*ladder, *crowd)
    for number, name in enumerate(names):
        assert index.candidates(kalshi("KXRACE-27-X", "Brightwater marathon winner?", name))[0] == f"0x{number}"


def test_made_up_venues_keep_their_partners_whole_events_and_single_listings_alike() -> None:
    listings = make_listings(kalshi=3_000, polymarket=6_000, seed=5)
    index = index_of(*listings.polymarket)
    events: defaultdict[str, list[Market]] = defaultdict(list)
    for market in listings.kalshi:
        events[market.event_id].append(market)
    at_once = {ours: found for event in events.values() for ours, found in index.candidates_of_event(event)}
    partnered = [market for market in listings.kalshi if market.market_id in listings.partner]
    one_by_one = sum(listings.partner[market.market_id] in index.candidates(market) for market in partnered)
    together = sum(listings.partner[market.market_id] in at_once[market.market_id] for market in partnered)
    assert len(partnered) > 300
    assert one_by_one >= 0.99 * len(partnered)
    assert together >= 0.99 * len(partnered)


def test_on_recorded_pools_the_partner_is_among_the_first_twenty_for_98_percent() -> None:
    folder = shared_folder("matching")

    def rows(file: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (folder / file).read_text().splitlines()]

    pools: defaultdict[str, CandidateIndex] = defaultdict(lambda: CandidateIndex(MAPPINGS))
    for row in rows("polymarket.jsonl"):
        pools[row["pool"]].put(polymarket_market(row))
    ours = {(row["pool"], row["kalshi_id"]): kalshi_market(row) for row in rows("dev/kalshi.jsonl")}
    pairs = [row for row in rows("dev/gold.jsonl") if row["relation"] == "equivalent"]
    found = [
        row["poly_id"] in pools[row["pool"]].candidates(ours[row["pool"], row["kalshi_id"]], MOST_CANDIDATES)
        for row in pairs
    ]
    assert len(pairs) == 347
    assert sum(found) >= 0.98 * len(pairs)


LONG = [
    "a" * 50_000,
    "a " * 25_000,
    "1," * 25_000,
    "los angeles " * 5_000,
    "é" * 50_000,
    "january 1 " * 5_000,
    "a.b." * 9_000,
]


@pytest.mark.parametrize("text", LONG)
def test_m06_a_pathological_text_costs_no_more_than_a_long_one(text: str) -> None:
    ours = kalshi("KXLONG-27-A", text, text, event_title=text)
    theirs = numbered(text, 1, event_title=text, outcomes=(text, "No"), slug=text, event_slug=text)
    index = index_of(*OTHERS)
    began_s = time.process_time()
    index.put(ours)
    index.put(theirs)
    index.best(ours)
    index.best(theirs)
    assert time.process_time() - began_s < 0.5
    assert len(READER.terms(ours)) <= MOST_TERMS


def test_m06_many_listings_with_the_same_words_are_matched_in_bounded_time_and_memory() -> None:
    """All titles alike but for a number: the worst case for an index. In full with DUTCHBOOK_M06_LISTINGS=20000."""
    tracemalloc.start()
    try:
        index = index_of(
            *(numbered(f"Will Glass Harbor sell {n} tickets?", n) for n in range(HOW_MANY)),
        )
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    began_s = time.process_time()
    wrong = 0
    for n in range(HOW_MANY):
        ours = kalshi(f"KXSALES-27-T{n}", "Glass Harbor ticket sales?", f"{n}")
        wrong += index.candidates(ours)[0] != f"0x{n}"
    assert wrong == 0
    assert time.process_time() - began_s < 0.005 * HOW_MANY
    assert held_bytes < 8_000 * HOW_MANY
    assert len(index.candidates(kalshi("KXSALES-27-ALL", "Glass Harbor ticket sales?"))) == MOST_CANDIDATES


def test_forgetting_every_listing_leaves_nothing_behind() -> None:
    listings = make_listings(kalshi=200, polymarket=400, seed=2)
    index = index_of(*listings.kalshi, *listings.polymarket)
    for market in (*listings.kalshi, *listings.polymarket):
        index.remove(market.venue, market.market_id)
    assert all(index.candidates(market) == [] for market in listings.kalshi)
    assert all(index.slots(market.venue, market.market_id) is None for market in listings.kalshi)
    assert index.best(listings.kalshi[0]) == []
    index.remove(Venue.KALSHI, listings.kalshi[0].market_id)
