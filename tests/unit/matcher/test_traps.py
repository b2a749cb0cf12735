"""Every trap that look-alike markets set, one test each, with the veto that refuses it. All texts are self-written.

A trap's twin, the same question in other words, is asserted too where the difference is fine.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.matcher.mapping_files import load
from services.matcher.verdict import HIGH_BAND, Verdict, match
from shared.domain.market import Market, MarketId
from shared.domain.pair import Orientation
from tests.unit.matcher.listings import kalshi, kalshi_game_side, moneyline, polymarket
from tests.unit.matcher.test_mappings import SHIPPED

MAPPINGS = load(SHIPPED)


def case(name: str, ours: Market, theirs: Market, veto: str) -> Any:
    return pytest.param(ours, theirs, veto, id=name)


def asks(title: str, label: str = "", ticker: str = "KXSERIES-26-X", **facts: Any) -> Market:
    return kalshi(ticker, title, label, **facts)


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


def verdict_of(ours: Market, theirs: Market) -> Verdict:
    return match(ours, theirs, MAPPINGS)


DATES = [
    case(
        "day_without_a_year_that_ends_years_away",
        asks("Will Ana Reyes win the 2027 vote?", "Ana Reyes"),
        polymarket("Will Ana Reyes win the vote on November 19?", close_time=at(2023, 11, 19)),
        "year",
    ),
    case(
        "another_year",
        asks("Will Ana Reyes win the 2027 vote?", "Ana Reyes"),
        polymarket("Will Ana Reyes win the 2023 vote?"),
        "year",
    ),
    case(
        "last_years_tournament_by_its_expected_end",
        asks("Will Duke win the March Madness?", "Duke", "KXMARMAD-25-DUKE", expected_expiration_time=at(2025, 4, 7)),
        polymarket("Will Duke win the 2026 NCAA Tournament?"),
        "year",
    ),
    case(
        "later_deadline",
        asks("Will the strait reopen?", "Before Apr 1, 2026"),
        polymarket("Will the strait reopen by April 30, 2026?"),
        "deadline",
    ),
    case(
        "whole_year_against_a_month",
        asks("Will Ana Reyes have a hit by Dec 31, 2026?", "Ana Reyes"),
        polymarket("Will Ana Reyes have a hit in May 2026?"),
        "deadline",
    ),
    case(
        "another_day",
        asks("Will Ana Reyes speak on March 3, 2026?", "Ana Reyes"),
        polymarket("Will Ana Reyes speak on March 4, 2026?"),
        "date",
    ),
    case(
        "another_months_report", asks("CPI in May 2026?", "Above 3%"),
        polymarket("Will CPI be above 3% in June 2026?"), "date",
    ),
    case(
        "same_teams_on_the_next_day",
        kalshi_game_side("HOU", "Houston", "KXNBAGAME-26NOV23HOUPOR"),
        moneyline(),
        "date",
    ),
    case(
        "series_of_clubs_on_the_next_day",
        asks(
            "Bremen vs Dortmund Winner?", "Bremen", "KXBUNDESLIGAGAME-26MAY16SVWBVB-SVW",
            event_title="Bremen vs Dortmund",
        ),
        polymarket(
            "Will SV Werder Bremen win on 2026-05-17?", "bun-wer-dor-2026-05-17-wer",
            event_slug="bun-wer-dor-2026-05-17", event_title="SV Werder Bremen vs. BV Borussia 09 Dortmund",
        ),
        "date",
    ),
]  # fmt: skip

IDENTITY = [
    case(
        "outcome_only_in_the_ticker",
        asks("Who will win the Meadow Trophy?", ticker="KXMEADOW-26-AREY"),
        polymarket("Will Boris Hale win the Meadow Trophy?"),
        "entity",
    ),
    case(
        "empty_name_in_the_title",
        asks("Will  win the Freedonian Prime Ministry?", ticker="KXFREEPM-26-AREY"),
        polymarket("Will Boris Hale be the next Prime Minister of Freedonia?"),
        "entity",
    ),
    case("placeholder_player", asks("Next MVP?", "Ana Reyes"), polymarket("Will Player G win the MVP?"), "placeholder"),
    case("placeholder_letter", asks("OH-10 House winner?", "Democratic"),
         polymarket("Will D win the OH-10 House seat?"), "placeholder"),
    case("placeholder_article_letter", asks("OH-10 House winner?", "Democratic"),
         polymarket("Will A win the OH-10 House seat?"), "placeholder"),
    case("placeholder_another", asks("Champion?", "Hawks"), polymarket("Will another team be champion?"),
         "placeholder"),
    case("placeholder_label", asks("Next leader?", "Candidate X"), polymarket("Next leader?"), "placeholder"),
    case("parlay", asks("Reyes and Hale both win", "Yes", "KXMVEX-1-A", never_match="a parlay"),
         polymarket("Reyes and Hale both win"), "placeholder"),
    case("other_person", asks("Will Ana Reyes win?", "Ana Reyes"), polymarket("Will Boris Hale win?"), "entity"),
    case("same_surname", asks("Will Eric Marlow win?", "Eric Marlow"), polymarket("Will Donald Marlow win?"), "entity"),
    case("same_city_other_team", asks("Will Los Angeles D win the World Series?", "Los Angeles D"),
         polymarket("Will the Los Angeles Angels win the World Series?"), "entity"),
    case("near_spelling_of_a_country", asks("Will Austria win the World Cup?", "Austria"),
         polymarket("Will Australia win the World Cup?"), "entity"),
    case("longer_name_of_another_school", asks("Will Kansas win the March Madness?", "Kansas"),
         polymarket("Will Arkansas win the NCAA Tournament?"), "entity"),
    case("other_district", asks("OH-10 House winner?", "Republican"),
         polymarket("Will the Republican Party win the OH-13 House seat?"), "district"),
    case("one_state_against_the_chamber", asks("Michigan Senate winner?", "Democratic party"),
         polymarket("Will the Democratic Party control the Senate?"), "district"),
    case("other_party", asks("Will a Democrat win Ohio?", "Democratic"), polymarket("Will a Republican win Ohio?"),
         "entity"),
]  # fmt: skip

NUMBERS = [
    case("grid_of_another_width", asks("Film score?", "Above 85"), polymarket("Film score 90 or higher?"), "threshold"),
    case("a_bucket_is_no_tail", asks("Film score?", "Above 85"), polymarket("Film score between 85 and 89?"),
         "threshold"),
    case("a_number_is_no_tail", asks("Film score?", "Above 85"), polymarket("Film score 85?"), "threshold"),
    case("margins_of_3_and_of_5", asks("Will Ana Reyes win by 3 to 6%?", "3 to 6%"),
         polymarket("Will Ana Reyes win by 5-10%?"), "threshold"),
    case("above_is_not_below", asks("Will CPI be above 3.0%?", "Above 3.0%"), polymarket("Will CPI be below 3.0%?"),
         "direction"),
    case("25_is_not_more_than_25", asks("Fed decision in Jul 2026?", "Cut >25bps"),
         polymarket("Will the Fed decrease interest rates by 25 bps after the July 2026 meeting?"), "threshold"),
    case("25_is_not_25_or_more", asks("Fed decision in Jul 2026?", "Cut 25bps"),
         polymarket("Will the Fed decrease interest rates by 25+ bps after the July 2026 meeting?"), "threshold"),
    case("a_cut_is_no_hike", asks("Fed decision in Jul 2026?", "Cut 25bps"),
         polymarket("Will the Fed increase interest rates by 25 bps after the July 2026 meeting?"), "direction"),
    case("another_meeting", asks("Fed decision in Jan 2027?", "Cut 25bps"),
         polymarket("Will the Fed decrease interest rates by 25 bps after the July 2027 meeting?"), "date"),
    case("another_meetings_year", asks("Fed decision in Jan 2027?", "Cut 25bps"),
         polymarket("Will the Fed decrease interest rates by 25 bps after the January 2028 meeting?"), "year"),
    case("top_10_is_not_top_5", asks("Will Ana Reyes finish top 10?", "Ana Reyes"),
         polymarket("Will Ana Reyes finish top 5?"), "stage"),
    case("goals_of_another_line",
         asks("Bremen vs Dortmund: Totals", "Over 2.5 goals scored", "KXBUNDESLIGATOTAL-26MAY16SVWBVB-2",
              event_title="Bremen vs Dortmund: Totals"),
         polymarket("SV Werder Bremen vs. BV Borussia 09 Dortmund: O/U 3.5", "bun-wer-dor-2026-05-16-total-3pt5",
                    event_slug="bun-wer-dor-2026-05-16-more-markets"), "threshold"),
]  # fmt: skip

STAGES = [
    case(name, asks(ours, "Ana Reyes"), polymarket(theirs), veto)
    for name, ours, theirs, veto in (
        ("nominee_or_winner", "Will Ana Reyes be the nominee?", "Will Ana Reyes win the election?", "stage"),
        ("primary_or_general", "Will Ana Reyes win the primary?", "Will Ana Reyes win the election?", "stage"),
        ("first_round_or_winner", "Will Ana Reyes win the 1st round?", "Will Ana Reyes win the vote?", "stage"),
        ("runoff_or_winner", "Will Ana Reyes win?", "Will Ana Reyes advance to the runoff?", "stage"),
        ("second_place_or_winner", "Primary: 2nd place, Ana Reyes", "Will Ana Reyes win the primary?", "stage"),
        ("on_the_ballot_or_wins", "Will Ana Reyes win?", "Will Ana Reyes be on the ballot?", "stage"),
        ("runs_or_wins", "Will Ana Reyes win?", "Will Ana Reyes run for mayor?", "market_type"),
        ("vp_or_president", "2028 VP nominee: Ana Reyes", "Will Ana Reyes be the 2028 presidential nominee?", "stage"),
        ("president_or_governor", "Will Ana Reyes be president?", "Will Ana Reyes be governor?", "stage"),
        ("quarterfinal_or_champion", "Will Ana Reyes reach the quarterfinals?", "Will Ana Reyes win?", "stage"),
        ("qualifies_or_wins", "Will Ana Reyes qualify?", "Will Ana Reyes win?", "stage"),
        ("ticket_or_nominee", "Will Ana Reyes be on the ticket?", "Will Ana Reyes be the pick?", "market_type"),
        ("announced_or_is", "Will Ana Reyes be the next Bond?", "Will Ana Reyes be announced as next Bond?",
         "market_type"),
        ("headlines_or_performs", "Will Ana Reyes headline the show?", "Will Ana Reyes perform at the show?",
         "market_type"),
        ("out_or_dead", "Will Ana Reyes leave office?", "Will Ana Reyes die?", "market_type"),
        ("out_or_next", "Will Ana Reyes be out as Prime Minister?", "Will Ana Reyes be the next Prime Minister?",
         "market_type"),
        ("de_facto_or_official", "Will Ana Reyes de facto lead Freedonia?", "Will Ana Reyes lead Freedonia?",
         "market_type"),
        ("wins_or_is_in_the_government", "Will Ana Reyes win the election in Freedonia?",
         "Will Ana Reyes be part of the next government of Freedonia?", "market_type"),
        ("endorses_or_wins", "Who will Ana Reyes endorse?", "Will Ana Reyes win?", "market_type"),
        ("nominated_or_confirmed", "Will the senate nominate Ana Reyes?", "Will the senate confirm Ana Reyes?",
         "market_type"),
    )
]  # fmt: skip

KINDS = [
    case(name, asks("Rovers vs United Winner?", "Rovers"), polymarket(theirs, **facts), "market_type")
    for name, theirs, facts in (
        ("spread", "Spread: Rovers (-2.5)", {}),
        ("total", "Rovers vs United: O/U 2.5", {}),
        ("first_half", "Rovers vs United: First half winner Rovers", {}),
        ("corners", "Rovers vs United: most corners Rovers", {}),
        ("map", "Rovers vs United - Map 2 Winner", {"outcomes": ("Rovers", "United")}),
        ("draw", "Will Rovers vs United end in a draw?", {}),
        ("both_score", "Rovers vs United: Both teams to score", {}),
        ("margin", "Will Rovers win by 2?", {}),
        ("extra_time", "Will Rovers vs United go to extra time?", {}),
        ("women", "Rovers Women vs United Women", {"outcomes": ("Rovers Women", "United Women")}),
    )
] + [
    case("wins_in_90_minutes_or_advances", asks("Rovers vs United Winner?", "Rovers"),
         polymarket("Will Rovers advance against United?"), "stage"),
    case("half_of_a_league_game", kalshi_game_side("HOU", "Houston"), moneyline(market_type="first_half_moneyline"),
         "market_type"),
]  # fmt: skip

SETTLEMENT = [
    case("weather_station", asks("High temp in NYC on Mar 10, 2026?", "58 to 59"),
         polymarket("Will the highest temperature in New York City be between 58-59 on March 10, 2026?"), "settlement"),
]  # fmt: skip

TRAPS = [*DATES, *IDENTITY, *NUMBERS, *STAGES, *KINDS, *SETTLEMENT]


@pytest.mark.parametrize(("ours", "theirs", "veto"), TRAPS)
def test_a_trap_is_refused_by_the_veto_that_names_it(ours: Market, theirs: Market, veto: str) -> None:
    verdict = verdict_of(ours, theirs)
    assert veto in verdict.vetoes, verdict
    assert verdict.relation != "equivalent"
    assert verdict.score == 0


TWINS = [
    ("211_or_more_is_over_210", asks("Seats won in 2026?", "211 or above"),
     polymarket("Will they win more than 210 seats in 2026?")),
    ("above_99999_99_is_100000", asks("Revenue in 2026?", "Above 99,999.99"),
     polymarket("Will revenue reach 100,000 in 2026?")),
    ("before_january_1_is_by_december_31", asks("Will the strait reopen?", "Before Jan 1, 2027"),
     polymarket("Will the strait reopen by December 31, 2026?")),
    ("before_2027_is_in_2026", asks("Will the strait reopen before 2027?"),
     polymarket("Will the strait reopen in 2026?")),
    ("the_stated_deadline_beats_the_planned_end",
     asks("Will Ana Reyes leave Freedonia?", "Before Jan 1, 2027", "KXTRIP-26-X"),
     polymarket("Will Ana Reyes leave Freedonia by December 31?", close_time=at(2026, 1, 9))),
    ("the_year_of_a_ticker_may_be_early", asks("Ohio Governor nominee?", "Ana Reyes", "KXGOVOHNOM-25-AREY"),
     polymarket("Will Ana Reyes be the nominee for Ohio Governor in 2026?")),
    ("no_change_is_a_hike_by_0", asks("Fed decision in Jul 2026?", "Hike 0bps"),
     polymarket("Will there be no change in Fed rate after the July 2026 meeting?")),
    ("a_near_spelling_of_a_name", asks("Will Gadi Eizenkot win?", "Gadi Eizenkot"),
     polymarket("Will Gadi Eisenkot win?")),
    ("a_code_spells_the_name", asks("Who will win the Meadow Trophy?", ticker="KXMEADOW-26-AREY"),
     polymarket("Will Ana Reyes win the Meadow Trophy?")),
    ("letters_stand_for_words", asks("Will FLP win a seat?", "FLP"),
     polymarket("Will the Freedonian Labour Party win a seat?")),
    ("a_people_stands_for_its_country", asks("French election winner?", "Ana Reyes"),
     polymarket("Will Ana Reyes win the election in France?")),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), [pytest.param(o, t, id=name) for name, o, t in TWINS])
def test_the_twin_of_a_trap_is_not_refused(ours: Market, theirs: Market) -> None:
    verdict = verdict_of(ours, theirs)
    assert verdict.vetoes == ()
    assert verdict.score > Decimal("0.6")


@pytest.mark.parametrize(
    ("ours", "theirs", "named"),
    [
        pytest.param(asks("How high will BTC get in 2026?", "Above $99,999.99"),
                     polymarket("Will Bitcoin reach $100,000 in 2026?"), "crypto", id="index_or_candle"),
        pytest.param(asks("Will Ana Reyes leave office as mayor in 2026?", "Ana Reyes"),
                     polymarket("Will Ana Reyes be out as mayor in 2026?"), "leave", id="death_clause"),
    ],
)  # fmt: skip
def test_questions_that_the_venues_settle_differently_are_near_and_below_the_high_band(
    ours: Market, theirs: Market, named: str
) -> None:
    verdict = verdict_of(ours, theirs)
    assert verdict.relation == "near"
    assert verdict.score < HIGH_BAND
    assert any(named in reason for reason in verdict.reasons)


def test_kalshis_closing_time_is_not_the_date_of_a_game() -> None:
    late = kalshi_game_side("HOU", "Houston", close_time=at(2026, 12, 6))
    assert verdict_of(late, moneyline()) == verdict_of(kalshi_game_side("HOU", "Houston"), moneyline())


def test_a_game_that_ends_on_the_next_day_in_utc_keeps_its_date() -> None:
    verdict = verdict_of(kalshi_game_side("HOU", "Houston"), moneyline(close_time=at(2026, 11, 23)))
    assert (verdict.vetoes, verdict.score) == ((), 1)


def test_one_question_under_two_events_is_two_markets() -> None:
    ours = asks("Will Ana Reyes win in 2026?", "Ana Reyes")
    first = polymarket("Will Ana Reyes win in 2026?", "event-one")
    second = polymarket("Will Ana Reyes win in 2026?", "event-two", market_id=MarketId("0x" + "12" * 32))
    assert verdict_of(ours, first) == verdict_of(ours, second)
    assert first.market_id != second.market_id


@pytest.mark.parametrize(
    ("event", "code", "label", "outcomes", "orientation"),
    [
        ("KXNCAAMBGAME-26NOV22M-OHDUKE", "M-OH", "Miami (OH)", ("Duke", "Miami (OH)"), Orientation.INVERTED),
        ("KXNCAAMBGAME-26NOV22M-OHDUKE", "DUKE", "Duke", ("Duke Blue Devils", "Miami OH"), Orientation.SAME),
    ],
)
def test_a_code_with_a_hyphen_is_stripped_by_its_event(
    event: str, code: str, label: str, outcomes: tuple[str, str], orientation: Orientation
) -> None:
    ours = asks("Miami (OH) at Duke Winner?", label, f"{event}-{code}", event_id=event)
    theirs = polymarket(f"{outcomes[0]} vs. {outcomes[1]}", "cbb-mioh-duke-2026-11-22", outcomes=outcomes)
    verdict = verdict_of(ours, theirs)
    assert (verdict.vetoes, verdict.score, verdict.orientation) == ((), 1, orientation)


@pytest.mark.parametrize(
    ("event", "code", "label", "slug", "outcomes"),
    [
        ("KXNBAGAME-26SEP20LALBOS", "LAL", "Los Angeles L", "nba-lal-bos", ("Lakers", "Celtics")),
        ("KXMLBGAME-26SEP20NYYBOS", "NYY", "New York Y", "mlb-nyy-bos", ("New York Yankees", "Boston Red Sox")),
        ("KXMLBGAME-26SEP20CWSDET", "CWS", "Chicago WS", "mlb-cws-det", ("Chicago White Sox", "Detroit Tigers")),
        ("KXMLBGAME-26SEP20ATHDET", "ATH", "A's", "mlb-oak-det", ("Athletics", "Detroit Tigers")),
        ("KXNFLGAME-26SEP20JACTEN", "JAC", "Jacksonville", "nfl-jax-ten", ("Jaguars", "Titans")),
        ("KXNFLGAME-26SEP20LAARI", "LA", "Los Angeles R", "nfl-la-ari", ("Rams", "Cardinals")),
    ],
)
def test_city_forms_and_codes_that_differ_by_venue_name_one_team(
    event: str, code: str, label: str, slug: str, outcomes: tuple[str, str]
) -> None:
    ours = asks("A at B Winner?", label, f"{event}-{code}", event_id=event)
    theirs = polymarket(" vs. ".join(outcomes), f"{slug}-2026-09-20", outcomes=outcomes, market_type="moneyline")
    assert verdict_of(ours, theirs).score == 1


@pytest.mark.parametrize(
    ("label", "theirs", "relation"),
    [
        ("Above 90", "Will the film score above 85?", "subset"),
        ("Above 85", "Will the film score above 90?", "superset"),
        ("80 to 89", "Will the film score between 85 and 95?", "overlap"),
        ("Above 79", "Will the film score less than 80?", "complement"),
    ],
)
def test_a_refusal_by_number_says_how_the_questions_lie_to_each_other(label: str, theirs: str, relation: str) -> None:
    verdict = verdict_of(asks("Will the film score?", label), polymarket(theirs))
    assert verdict.relation == relation
    assert verdict.vetoes


def test_an_earlier_deadline_is_a_subset_of_a_later_one() -> None:
    ours = asks("Will the strait reopen?", "Before Apr 1, 2026")
    assert verdict_of(ours, polymarket("Will the strait reopen by June 30, 2026?")).relation == "subset"
