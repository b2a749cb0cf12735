"""What is left out to be fast changes no verdict: each shortcut finds what the long way finds."""

import json
from collections import defaultdict
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from services.cli.bench.matcher_titles import make_listings
from services.matcher import dates, figures, postings
from services.matcher.candidates import CandidateIndex
from services.matcher.figures import read_figures
from services.matcher.mapping_files import load
from services.matcher.offline_rows import kalshi_market, polymarket_market
from services.matcher.slots import Slots, parse_slots
from services.matcher.verdict import compare, figures_refuse
from shared.domain.market import Market, MarketId, Venue
from tests.shared_folder import shared_folder
from tests.unit.matcher.listings import kalshi, polymarket
from tests.unit.matcher.test_mappings import SHIPPED

MAPPINGS = load(SHIPPED)
WORDS = """before by until the end of start in on to 2026 2025-26 2026-11-22 2026/27 November Nov. Sept may May march
March madness 3 31 31st 1st, 4.5% 2027% $2026 Q1 q3 xq1 xmay 12 dec 22T19:00Z no later than prior, -2026 12/2026 #2 top
10 elite 8 game 7 2nd 3rd set week one THE 22ND #11 race"""
FRAGMENTS = st.sampled_from(WORDS.split())
TEXTS = st.lists(FRAGMENTS | st.text("aJmfsondq 0123-./$,", max_size=4), max_size=12).map(" ".join)
LABELS = ["Above 4.2%", "25bps", "0bps", "50+", "December", "Before Dec 1", "Ohio-3", "Map 2", "Over 2.5", ""]
QUESTIONS = st.builds(
    " ".join,
    st.tuples(
        st.sampled_from(["Will the Fed cut rates by", "Will inflation be above", "Will Marisol win OH-3 by", "Map 2:"]),
        st.sampled_from(["0 bps", "25 bps", "4.2%", "4.3%", "March", "2nd place", "the end of 2026", "June 3, 2027"]),
        st.sampled_from(["in 2026?", "in 2028?", "after the December meeting?", "on November 22?", "?", "OH-4?"]),
    ),
)


@given(TEXTS)
@example("J1 November")
def test_dates_are_found_where_one_may_begin_as_they_are_everywhere(text: str) -> None:
    everywhere = [(found.span(), found[0]) for found in dates._DATE.finditer(text)]
    assert [(found.span(), found[0]) for found in dates._dates(text)] == everywhere


@given(TEXTS)
@example("no later than the start of the 2026 season, and prior to the end of the March after")
def test_what_stands_before_a_date_is_found_in_the_little_that_is_looked_at(text: str) -> None:
    for found in dates._dates(text):
        anywhere = dates._BEFORE.search(text, 0, found.start())
        nearby = dates._BEFORE.search(text, max(0, found.start() - dates._LONGEST_BEFORE), found.start())
        assert (nearby and nearby.span()) == (anywhere and anywhere.span())


@given(TEXTS)
def test_ordinals_and_parts_are_only_looked_for_where_they_may_be(text: str) -> None:
    if figures._ORDINAL.search(text):
        assert figures._MAY_BE_ORDINAL.search(text)
    if figures._PART.search(text):
        assert any(cue in text.lower() for cue in figures._PART_CUES)


@given(QUESTIONS, st.sampled_from(LABELS), QUESTIONS, st.sampled_from(LABELS))
def test_figures_refuse_only_what_the_whole_comparison_refuses(
    ours: str, our_label: str, theirs: str, their_label: str
) -> None:
    assert_refused_alike(kalshi("KXQ-26-X", ours, our_label), polymarket(theirs, outcome_label=their_label))


def test_a_move_of_nothing_is_left_to_the_words() -> None:
    """A cut by 0 bps is no change, which only the words say: the figures alone would refuse it for its amount."""
    ours = kalshi("KXFEDDECISION-26DEC-H0", "Fed decision in Dec 2026?", "Hike 0bps")
    theirs = polymarket("No change in Fed interest rates after December 2026 meeting?")
    assert read_figures(ours).thresholds != read_figures(theirs).thresholds
    assert not figures_refuse(read_figures(ours), read_figures(theirs))
    assert compare(parse_slots(ours, MAPPINGS), parse_slots(theirs, MAPPINGS)).vetoes == ()


def test_figures_refuse_no_recorded_pair_that_the_whole_comparison_accepts() -> None:
    folder = shared_folder("matching")
    theirs = {row["poly_id"]: row for row in rows(folder / "polymarket.jsonl")}
    ours = {row["kalshi_id"]: row for row in rows(folder / "dev" / "kalshi.jsonl")}
    accepted = 0
    for name in ("gold", "hard_negatives"):
        for pair in rows(folder / "dev" / f"{name}.jsonl"):
            a, b = kalshi_market(ours[pair["kalshi_id"]]), polymarket_market(theirs[pair["poly_id"]])
            accepted += assert_refused_alike(a, b)
    assert accepted > 300


def test_what_is_refused_before_its_words_are_read_is_refused_when_they_are() -> None:
    listings = make_listings(kalshi=400, polymarket=600, seed=11)
    index = CandidateIndex(MAPPINGS)
    by_id = {market.market_id: market for market in (*listings.polymarket, *listings.kalshi)}
    for market in by_id.values():
        index.put(market)
    refused = accepted = 0
    for market in (*listings.kalshi, *listings.polymarket[::4]):
        figures, key = read_figures(market), index._key(market)
        for other_id in index.candidates(market, 8):
            both = (market, by_id[other_id])
            ours, theirs = both if market.venue is Venue.KALSHI else reversed(both)
            is_refused = bool(compare(parse_slots(ours, MAPPINGS), parse_slots(theirs, MAPPINGS)).vetoes)
            is_same_game = key is not None and key == index._key(by_id[other_id])
            if not is_same_game and index._is_refused(figures, key, other_id):
                assert is_refused, (ours.title, theirs.title)
                refused += 1
            accepted += not is_refused
    assert refused > 500
    assert accepted > 100


def test_a_public_question_in_other_words_is_not_refused_because_only_one_side_fits_its_template() -> None:
    ours = kalshi("KXFEDDECISION-26DEC-H0", "Fed decision in Dec 2026?", "Fed maintains rate")
    theirs = polymarket("Will the Fed hold interest rates in December 2026?")
    index = CandidateIndex(MAPPINGS)
    index.put(theirs)
    key = index._key(ours)
    assert key is not None
    assert index._key(theirs) is None
    assert not index._is_refused(read_figures(ours), key, theirs.market_id)
    assert [other_id for other_id, _ in next(index.best_of_event([ours]))] == [theirs.market_id]


def test_figures_that_were_read_before_give_the_same_slots() -> None:
    listings = make_listings(kalshi=200, polymarket=200, seed=12)
    for market in (*listings.kalshi, *listings.polymarket):
        assert parse_slots(market, MAPPINGS, read_figures(market)) == parse_slots(market, MAPPINGS)


def test_what_was_read_beforehand_makes_the_same_index() -> None:
    listings = make_listings(kalshi=150, polymarket=300, seed=13)
    one, other = CandidateIndex(MAPPINGS), CandidateIndex(MAPPINGS)
    readings = [one.read(market) for market in listings.polymarket]
    for market, reading in zip(listings.polymarket, readings, strict=True):
        one.put(market, reading)
        other.put(market)
    for market in listings.kalshi:
        assert one.candidates(market) == other.candidates(market)
    events: defaultdict[str, list[Market]] = defaultdict(list)
    for market in listings.kalshi:
        events[market.event_id].append(market)
    for event in events.values():
        assert list(one.best_of_event(event)) == list(other.best_of_event(event))


@given(st.lists(st.frozensets(st.sampled_from("abcdefgh"), min_size=1), min_size=1, max_size=40), st.integers(0, 39))
def test_crossings_are_forgotten_when_a_listing_comes_or_goes(listed: list[frozenset[str]], gone: int) -> None:
    """Every term is frequent here, so events are found by crossings; asking in between leaves nothing behind."""
    small = {"_FOLLOWED": 2, "_RARE": 0}
    before = {name: getattr(postings, name) for name in small}
    try:
        for name, value in small.items():
            setattr(postings, name, value)
        asked, fresh = postings.Postings(), postings.Postings()
        for number, terms in enumerate(listed):
            asked.put(MarketId(f"{number:02}"), "", terms)
            asked.rank(frozenset("abcdefgh"), 5)
            fresh.put(MarketId(f"{number:02}"), "", terms)
        for one in (asked, fresh):
            one.remove(MarketId(f"{gone % len(listed):02}"))
        assert asked.rank(frozenset("abcdefgh"), 5) == fresh.rank(frozenset("abcdefgh"), 5)
    finally:
        for name, value in before.items():
            setattr(postings, name, value)


def assert_refused_alike(ours: Market, theirs: Market) -> bool:
    """Assert that figures refuse no pair which is accepted; return whether it is."""
    assert (ours.venue, theirs.venue) == (Venue.KALSHI, Venue.POLYMARKET)
    one, other = parse_slots(ours, MAPPINGS), parse_slots(theirs, MAPPINGS)
    accepted = not compare(one, other).vetoes
    if not (is_game(one) and is_game(other)):
        assert not (accepted and figures_refuse(read_figures(ours), read_figures(theirs))), (ours.title, theirs.title)
    return accepted


def is_game(read: Slots) -> bool:
    return read.game is not None


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
