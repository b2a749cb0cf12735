"""Look-alikes are refused by the veto that names what differs; the same question said differently is not."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.mapping_files import load
from services.matcher.placeholders import is_placeholder
from services.matcher.slots import parse_slots
from services.matcher.verdict import Verdict, match
from shared.domain.market import MarketId
from shared.domain.pair import Orientation
from tests.unit.matcher.listings import kalshi, kalshi_game_side, moneyline, polymarket
from tests.unit.matcher.test_mappings import SHIPPED

MAPPINGS = load(SHIPPED)


def judged(ours: str, label: str, theirs: str, **there: Any) -> Verdict:
    return match(kalshi("KXSERIES-26-X", ours, label), polymarket(theirs, **there), MAPPINGS)


@pytest.mark.parametrize(
    ("ours", "label", "theirs", "veto"),
    [
        ("Will Ana Reyes win the 2027 election?", "Ana Reyes", "Will Ana Reyes win the 2023 election?", "year"),
        ("Will the strait reopen before Apr 1, 2026?", "", "Will the strait reopen by April 30, 2026?", "deadline"),
        ("Will Ana Reyes speak on March 3?", "Ana Reyes", "Will Ana Reyes speak on March 4?", "date"),
        ("Will rents fall in July 2026?", "", "Will rents fall in June 2026?", "date"),
        ("Jobs added in May above 150000?", "Above 150000", "Jobs added in May above 175000?", "threshold"),
        ("Will the film score Above 85?", "Above 85", "Will the film score 90 or higher?", "threshold"),
        ("Will the film score Above 85?", "Above 85", "Will the film score 85?", "threshold"),
        ("Will inflation be above 3.0%?", "Above 3.0%", "Will inflation be below 3.0%?", "direction"),
        ("Will the Fed cut rates by 25bps?", "Cut 25bps", "Will the Fed increase rates by 25 bps?", "direction"),
        ("Will the Fed cut rates by >25bps?", "Cut >25bps", "Will the Fed decrease rates by 25 bps?", "threshold"),
        ("Will Ana Reyes win the primary?", "Ana Reyes", "Will Ana Reyes win the election?", "stage"),
        ("Will Ana Reyes win?", "Ana Reyes", "Will Ana Reyes advance to the runoff?", "stage"),
        ("Will Ana Reyes win?", "Ana Reyes", "Will Ana Reyes finish in second place?", "stage"),
        ("Will Ana Reyes win?", "Ana Reyes", "Will Ana Reyes be on the ballot?", "stage"),
        ("Will Ana Reyes finish top 10?", "Ana Reyes", "Will Ana Reyes finish top 5?", "stage"),
        ("Vice President nominee: Ana Reyes?", "Ana Reyes", "Will Ana Reyes be the President nominee?", "stage"),
        ("Lakers vs Hawks Winner?", "Lakers", "Spread: Lakers (-2.5)", "market_type"),
        ("Lakers vs Hawks Winner?", "Lakers", "Lakers vs Hawks: O/U 221.5", "market_type"),
        ("Rovers vs United Winner?", "Rovers", "Rovers vs United: First half winner Rovers", "market_type"),
        ("Rovers vs United Winner?", "Rovers", "Will Rovers vs United end in a draw?", "market_type"),
        ("Will Ana Reyes be the next bond?", "Ana Reyes", "Will Ana Reyes be announced as next bond?", "market_type"),
        ("Will Ana Reyes be president?", "Ana Reyes", "Will Ana Reyes run for president?", "market_type"),
        ("Will Ana Reyes win?", "Ana Reyes", "Will Boris Hale win?", "entity"),
        ("Best picture winner?", "Glass Harbor", "Will Saltmarsh win best picture?", "entity"),
        ("OH-10 House winner?", "Republican", "Will the Republican Party win the OH-13 House seat?", "district"),
        ("Who wins?", "Ana Reyes", "Will Candidate X win?", "placeholder"),
        ("Next MVP award?", "Ana Reyes", "Will Player G win the MVP award?", "placeholder"),
        ("OH-10 House winner?", "Democratic", "Will D win the OH-10 House seat?", "placeholder"),
        ("Champion in 2027?", "Hawks", "Will another team be champion in 2027?", "placeholder"),
    ],
)
def test_a_trap_is_refused_by_its_named_veto(ours: str, label: str, theirs: str, veto: str) -> None:
    verdict = judged(ours, label, theirs)
    assert veto in verdict.vetoes, verdict
    assert verdict.relation != "equivalent"
    assert verdict.score == 0


@pytest.mark.parametrize(
    ("ours", "label", "theirs"),
    [
        ("Will the strait reopen before Apr 1, 2026?", "", "Will the strait reopen by March 31, 2026?"),
        ("Will the strait reopen before 2027?", "", "Will the strait reopen by December 31, 2026?"),
        ("Jobs added in May above 210?", "Above 210", "Jobs added in May: 211 or more?"),
        ("Ad revenue in May above 99,999.99?", "", "Will ad revenue reach $100k in May?"),
        ("Will the Federal Reserve Cut rates by 25bps at their July 2026 meeting?", "Cut 25bps",
         "Will the Fed decrease interest rates by 25 bps after the July 2026 meeting?"),
        ("Will the Federal Reserve Hike rates by 0bps at their July 2026 meeting?", "Fed maintains rate",
         "Will there be no change in Fed interest rates after the July 2026 meeting?"),
        ("Will Eizenkot win the seat in 2026?", "Gadi Eizenkot", "Will Gadi Eisenkot win the seat in 2026?"),
        ("Will Lopez win in 2026?", "José López", "Will Jose Lopez win in 2026?"),
        ("Will the Democratic party win the Ohio governorship in 2026?", "Democratic party",
         "Will the Democrats win the Ohio governor race in 2026?"),
    ],
)  # fmt: skip
def test_the_same_question_in_other_words_is_no_look_alike(ours: str, label: str, theirs: str) -> None:
    verdict = judged(ours, label, theirs)
    assert verdict.vetoes == ()
    assert verdict.relation == "equivalent"
    assert verdict.score > Decimal("0.5")


def test_a_question_without_a_year_is_not_paired_with_one_that_ends_years_away() -> None:
    ours = kalshi("KXARG-27-X", "Will Ana Reyes win the 2027 election?", "Ana Reyes")
    there = polymarket("Will Ana Reyes win the election?", close_time=datetime(2023, 11, 19, tzinfo=UTC))
    assert "year" in match(ours, there).vetoes


def test_kalshis_close_time_is_not_taken_for_the_events_date() -> None:
    ours = kalshi("KXX-26-X", "Will Ana Reyes win the race on March 3?", "Ana Reyes")
    late = kalshi("KXX-26-X", ours.title, "Ana Reyes", close_time=datetime(2026, 3, 17, tzinfo=UTC))
    there = polymarket("Will Ana Reyes win the race on March 3?")
    assert match(ours, there) == match(late, there)


def test_what_one_side_leaves_unsaid_costs_score_and_is_a_reason() -> None:
    said = judged("Will Ana Reyes win the 2026 race?", "Ana Reyes", "Will Ana Reyes win the 2026 race?")
    unsaid = judged("Will Ana Reyes win the 2026 race?", "Ana Reyes", "Will Ana Reyes win the race?")
    assert unsaid.score < said.score
    assert "year stated on kalshi only" in unsaid.reasons


@pytest.mark.parametrize(
    ("label", "orientation"), [("Ana Reyes", Orientation.SAME), ("Boris Hale", Orientation.INVERTED), ("", None)]
)
def test_a_market_whose_outcomes_are_names_is_oriented_by_kalshis_label(label: str, orientation: Any) -> None:
    there = {"outcomes": ("Reyes", "Hale"), "market_id": MarketId("0x" + "12" * 32)}
    verdict = judged("Ana Reyes vs Boris Hale", label, "Ana Reyes vs Boris Hale", **there)
    if orientation is None:
        assert "orientation" in verdict.vetoes
    else:
        assert (verdict.vetoes, verdict.orientation) == ((), orientation)


@pytest.mark.parametrize(
    ("ours", "there", "veto"),
    [
        ("KXNBAGAME-26NOV23HOUPOR", {}, "date"),
        ("KXNBAGAME-26NOV22HOUSAC", {}, "entity"),
        ("KXNBAGAME-26NOV22HOUPOR", {"market_type": "first_half_moneyline"}, "market_type"),
        ("KXNBAGAME-26NOV22HOUPOR", {"outcomes": ("Rockets", "Kings")}, "market_type"),
    ],
)
def test_a_game_is_compared_by_teams_date_and_type(ours: str, there: dict[str, Any], veto: str) -> None:
    verdict = match(kalshi_game_side("HOU", "Houston", ours), moneyline(**there), MAPPINGS)
    assert veto in verdict.vetoes


def test_two_titles_of_one_game_need_not_share_a_word() -> None:
    verdict = match(kalshi_game_side("POR", "Portland"), moneyline(), MAPPINGS)
    assert (verdict.score, verdict.orientation) == (1, Orientation.INVERTED)
    assert "hou-por" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("above 2.5%", "(2.5..+inf"),
        ("at least 3", "[3..+inf"),
        ("90 or higher", "[90..+inf"),
        ("50+ bps", "[50..+inf"),
        ("below $1,000", "-inf..1000)"),
        ("reach $1.5m", "[1.5E+6..+inf"),
        ("exactly 4 cuts", "[4..4]"),
        ("between 100-119 seats", "[100..119]"),
        ("25% - 29.99%", "[25..29.99]"),
        ("between 10% and 100%", "[10..+inf"),
    ],
)
def test_a_threshold_keeps_its_side_and_whether_the_number_itself_counts(text: str, expected: str) -> None:
    assert [*map(str, parse_slots(polymarket(f"Will it be {text}?"), MAPPINGS).thresholds)] == [expected]


@pytest.mark.parametrize(
    "label", ["Player G", "Candidate X", "Other", "another team", "TBD", "Team 12", "D", "The Field"]
)
def test_a_label_that_stands_for_nobody_is_a_placeholder(label: str) -> None:
    assert is_placeholder(label)


@pytest.mark.parametrize(
    "label", ["Ana Reyes", "Player of the Year", "Yes", "Trail Blazers", "Otherworld", "Team Liquid"]
)
def test_a_name_is_no_placeholder(label: str) -> None:
    assert not is_placeholder(label)


_TITLES = st.text(alphabet="abAB 019.,%$-+>$?'\n", max_size=60) | st.sampled_from(
    ["Will it be above 3% by May 5, 2026?", "50+ before 2027", "Top 10", "OH-10 winner", "between 1 and 2"]
)


@given(_TITLES, _TITLES, _TITLES)
def test_any_texts_get_a_verdict_and_a_veto_always_means_no(ours: str, label: str, theirs: str) -> None:
    verdict = judged(ours, label, theirs)
    assert 0 <= verdict.score <= 1
    assert bool(verdict.vetoes) == (verdict.relation not in ("equivalent", "near"))
    assert not verdict.vetoes or verdict.score == 0
