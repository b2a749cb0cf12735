"""What holds for every entry of a list, whoever is on it: the same thing said in both venues' ways is one question, and
one entry replaced by another on one side only is another question. All texts are self-written.
"""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matcher.banks import BANK_NAMES
from services.matcher.mapping_files import load
from services.matcher.places import COUNTRY_NAMES, STATE_CODES
from services.matcher.templates import KalshiGame, PolymarketGame, orientation_of
from services.matcher.verdict import HIGH_BAND, Verdict, match
from shared.domain.market import Market
from shared.domain.pair import Orientation
from tests.unit.matcher.listings import kalshi, polymarket
from tests.unit.matcher.test_mappings import SHIPPED

MAPPINGS = load(SHIPPED)
STATES = sorted(name.title() for code, name in STATE_CODES.items() if code != "DC")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
PARTIES = {"Democratic": "Democrats", "Republican": "Republicans"}
LEAGUES = {
    "nba": ("Pro Basketball Finals", "NBA Finals"), "nfl": ("Pro Football Championship", "NFL league championship"),
    "nhl": ("Stanley Cup Finals", "NHL Stanley Cup"), "mlb": ("Pro Baseball Championship", "World Series"),
    "wnba": ("Women's Pro Basketball Finals", "WNBA Finals"),
}  # fmt: skip
COUNTRIES = (
    "Belgium",
    "Sweden",
    "Norway",
    "Poland",
    "Chile",
    "Peru",
    "Japan",
    "Kenya",
    "Portugal",
    "Hungary",
    "Canada",
)
BANKS = (
    *("European Central Bank", "Bank of England", "Bank of Japan", "Bank of Canada", "Reserve Bank of Australia"),
    *("Swiss National Bank", "Norges Bank", "Bank of Mexico", "Bank of Russia", "South African Reserve Bank"),
)
NAMES = ("Ana Reyes", "Boris Hale", "Carla Quist", "Dana Orr", "Elias Vantoor", "Freya Lindqvist", "Gus Okafor")


states, parties = st.sampled_from(STATES), st.sampled_from(sorted(PARTIES))


def verdict_of(ours: Market, theirs: Market) -> Verdict:
    return match(ours, theirs, MAPPINGS)


def is_high(ours: Market, theirs: Market) -> bool:
    return verdict_of(ours, theirs).score >= HIGH_BAND


def asks(title: str, label: str = "", ticker: str = "KXSERIES-27") -> Market:
    return kalshi(f"{ticker}-X", title, label or title.partition(" win ")[0].removeprefix("Will "), event_id=ticker)


# --- the same entry on both sides, and another one on one side --------------------------------------------------


@given(
    st.sampled_from(STATES), st.sampled_from(STATES), st.sampled_from(sorted(PARTIES)), st.sampled_from(sorted(PARTIES))
)
@settings(max_examples=150)
def test_a_race_pairs_with_its_own_state_and_party_alone(state: str, other: str, party: str, rival: str) -> None:
    ours = asks(f"Will {party} win the Senate race in {state}?", f"{party} party")
    theirs = polymarket(f"Will the {PARTIES[rival]} win the {other} Senate race in 2027?")
    assert is_high(ours, theirs) == ((state, party) == (other, rival))
    assert not is_high(ours, polymarket(f"Will the {PARTIES[party]} win the {state} governor race in 2027?"))


@pytest.mark.parametrize("state", STATES)
def test_no_state_is_taken_for_any_other(state: str) -> None:
    ours = asks(f"Will Republican win the Senate race in {state}?", "Republican party")
    said = {other: f"Will the Republicans win the {other} Senate race in 2027?" for other in STATES}
    assert [other for other, question in said.items() if is_high(ours, polymarket(question))] == [state]


def test_no_country_is_taken_for_any_other() -> None:
    countries = sorted({name.title() for name, word in COUNTRY_NAMES.items() if name.replace(" ", "") == word})
    said = {other: polymarket(f"Will Ana Reyes visit {other} in 2027?") for other in countries}
    for country, following in zip(countries, [*countries[1:], countries[0]], strict=True):
        ours = kalshi("KXVISIT-27-X", f"Will Ana Reyes visit {country} in 2027?", "Yes")
        alike = [other for other in countries if country in other or other in country]
        assert [other for other in (*alike, following) if is_high(ours, said[other])] == [country]


@pytest.mark.parametrize("league", LEAGUES)
def test_every_team_of_a_league_pairs_with_itself_and_with_no_other(league: str) -> None:
    written, said = LEAGUES[league]
    teams = MAPPINGS.leagues[league].teams
    labels = [team.kalshi_labels[0] if team.kalshi_labels else team.city for team in teams]
    full = [team.name if team.city == team.name else f"{team.city} {team.name}".strip() for team in teams]
    following = dict(zip(full, [*full[1:], full[0]], strict=True))
    for label, name in zip(labels, full, strict=True):
        ours = asks(f"Will {label} win the 2027 {written}?", label)
        assert is_high(ours, polymarket(f"Will the {name} win the 2027 {said}?")), name
        assert not is_high(ours, polymarket(f"Will the {following[name]} win the 2027 {said}?")), name
        assert not is_high(ours, polymarket(f"Will the {name} make the 2027 {league.upper()} Playoffs?")), name


@given(st.sampled_from(BANKS), st.sampled_from(BANKS), st.sampled_from(MONTHS), st.sampled_from(MONTHS),
       st.sampled_from(("decrease", "increase")))  # fmt: skip
@settings(max_examples=150)
def test_a_rate_decision_pairs_with_its_own_bank_meeting_and_move_alone(
    bank: str, other: str, month: str, other_month: str, move: str
) -> None:
    ours = asks(f"{bank} decision in {month} 2027?", "Cut 25bps")
    theirs = polymarket(f"Will the {other} {move} interest rates by 25 bps after the {other_month} 2027 meeting?")
    assert is_high(ours, theirs) == ((bank, month, "decrease") == (other, other_month, move))


@pytest.mark.parametrize("name", [name for name in BANK_NAMES if " " in name])
def test_every_name_of_a_central_bank_is_that_bank(name: str) -> None:
    ours = asks("Rate decision in June 2027?", "Cut 25bps")
    ours = kalshi("KXCB-27JUN-C25", f"{BANK_NAMES[name].upper()} decision in June 2027?", "Cut 25bps")
    assert is_high(
        ours, polymarket(f"Will the {name.title()} decrease interest rates by 25 bps after the June 2027 meeting?")
    )


@given(st.sampled_from(COUNTRIES), st.sampled_from(COUNTRIES), st.sampled_from(NAMES), st.sampled_from(NAMES))
@settings(max_examples=100)
def test_an_election_abroad_pairs_with_its_own_country_and_name_alone(a: str, b: str, name: str, rival: str) -> None:
    demonym = next(other for other, word in COUNTRY_NAMES.items() if word == a.lower() and other != a.lower()).title()
    ours = asks(f"Will {name} win the {demonym} presidential election?", name)
    theirs = polymarket(
        f"Will {rival} win the 2027 {b} presidential election?", close_time=datetime(2027, 5, 1, tzinfo=UTC)
    )
    assert is_high(ours, theirs) == ((a, name) == (b, rival))


@given(st.decimals("1.0", "9.0", places=1), st.integers(-3, 3), st.sampled_from(MONTHS), st.sampled_from(MONTHS))
@settings(max_examples=100)
def test_a_statistic_pairs_at_its_own_amount_and_month_alone(
    rate: Decimal, tenths: int, month: str, other: str
) -> None:
    ours = kalshi("KXU3-27-T", f"Unemployment rate in {month} 2027?", f"Above {rate}%")
    theirs = polymarket(f"Will the {other} 2027 unemployment rate be {rate + Decimal(tenths).scaleb(-1)}% or higher?")
    assert is_high(ours, theirs) == (tenths == 1 and month == other)


# --- one word that makes another question -----------------------------------------------------------------------


CHANGED = [
    ("Will Ana Reyes win the 2027 vote in Peru?", "Will Ana Reyes lose the 2027 vote in Peru?"),
    ("Will the Union party win the most seats in the Kenyan election?",
     "Will the Union party win the fewest seats in the Kenyan election?"),
    ("Will Brazil win Group C at the 2030 World Cup?", "Will Brazil win Group D in the 2030 FIFA World Cup?"),
    ("Will Ana Reyes win Best Actress at the Oscars?", "Will Ana Reyes win Best Supporting Actress at the Oscars?"),
    ("Will Dana Orr vote to confirm Boris Hale as Secretary of Labor?",
     "Will Dana Orr vote against Boris Hale as Secretary of Labor?"),
    ("Will Ana Reyes post 20-39 letters from August 4 to August 11, 2027?",
     "Will Ana Reyes post 20-39 letters from August 5 to August 11, 2027?"),
    ("Will Harbor Tale 5 be the top grossing movie of 2027?", "Will Harbor Tale 6 be the top grossing movie of 2027?"),
    ("Will monthly inflation increase by 0.3% or more in July 2027?",
     "Will monthly inflation decrease by 0.3% or more in July 2027?"),
    ("Will Ana Reyes publish a novel after July 31, 2027?", "Will Ana Reyes publish a novel by July 31, 2027?"),
    ("Will Ana Reyes be Attorney General in 2027?", "Will Ana Reyes be Deputy Attorney General in 2027?"),
    ("Will Ana Reyes lead Pro Baseball in home runs in 2027?", "Will Ana Reyes lead the MLB in strikeouts in 2027?"),
    ("Will Ana Reyes win the 2027 Pro Basketball Finals MVP?", "Will Ana Reyes win the 2027 NBA MVP?"),
    ("Will Ana Reyes not run for mayor in 2027?", "Will Ana Reyes run for mayor in 2027?"),
    ("Will Ana Reyes win the Harbor Grand Prix sprint?", "Will Ana Reyes win the 2027 Harbor Grand Prix?"),
    ("Will Ana Reyes impose a tariff on Peru in 2027?", "Will Ana Reyes impose no tariff on Peru in 2027?"),
    ("Will the second Harbor bridge open in 2027?", "Will the third Harbor bridge open in 2027?"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "question"), CHANGED)
def test_one_word_makes_another_question(title: str, question: str) -> None:
    ours = kalshi("KXSERIES-27-X", title, "Yes")
    assert not is_high(ours, polymarket(question))
    assert is_high(ours, polymarket(title)), "the same words are the same question"


def test_by_a_day_and_on_that_day_is_for_a_person_to_read() -> None:
    ours = kalshi("KXSERIES-27-X", "Will Ana Reyes publish the Harbor report by March 3, 2027?", "Yes")
    verdict = verdict_of(ours, polymarket("Will Ana Reyes publish the Harbor report on March 3, 2027?"))
    assert Decimal("0.8") <= verdict.score < HIGH_BAND


def test_a_deadline_of_a_year_that_nothing_tells_is_for_a_person_to_read() -> None:
    ours = kalshi("KXSERIES-27-X", "Will Ana Reyes publish the Harbor report?", "Before July 1, 2027")
    yearless = "Will Ana Reyes publish the Harbor report by June 30?"
    assert Decimal("0.8") <= verdict_of(ours, polymarket(yearless)).score < HIGH_BAND
    assert is_high(ours, polymarket(yearless, close_time=datetime(2027, 6, 30, tzinfo=UTC)))


# --- what a listing leaves out ----------------------------------------------------------------------------------


SAID_TWICE = [
    ("Will Ana Reyes be confirmed as Attorney General in 2027?", "Ana Reyes confirmed as Attorney General in 2027?"),
    ("Will Dana Orr vote for Boris Hale?", "Will Dana Orr vote to confirm Boris Hale as Secretary of Labor?"),
    ("Who will be nominated as EPA Administrator?", "Will Trump nominate Carla Quist as EPA Administrator?"),
    ("Will the PHA be part of the next Belgian government?", "Will PHA be part of the next Government of Belgium?"),
    ("Will the Harbor Party win the most seats in Peru?", "Will the Harbor Party (HP) win the most seats in Peru?"),
    ("Will Congress pass the Harbor Act in 2027?", "Will the Harbor Act pass in 2027?"),
    ("Will OpenAI release GPT-9 before 2028?", "GPT-9 released in 2027?"),
    ("Will Carla Quist be at the presidential inauguration?", "Will Carla Quist attend the inauguration?"),
    ("Number of rate cuts in 2027?", "Will 3 Fed rate cuts happen in 2027?"),
]  # fmt: skip
LABELS = {"Who will be nominated": "Carla Quist", "Number of rate cuts": "Exactly 3 cuts"}


@pytest.mark.parametrize(("title", "question"), SAID_TWICE)
def test_what_goes_without_saying_may_be_left_out(title: str, question: str) -> None:
    label = next((label for opening, label in LABELS.items() if title.startswith(opening)), "Yes")
    assert is_high(kalshi("KXSERIES-27-X", title, label), polymarket(question))


@pytest.mark.parametrize("case", [str, str.upper, str.lower])
@pytest.mark.parametrize("marks", ["{}?", "{}", '"{}?"', "{} "])
def test_case_and_punctuation_do_not_make_two_questions_of_one_amount(case: type[str], marks: str) -> None:
    title = "Will the harbor index be above 25% in June 2027?"
    theirs = polymarket(case(marks.format("Will the harbor index be above 25% in June 2027")))
    assert is_high(kalshi("KXSERIES-27-X", title, "Yes"), theirs)
    assert not is_high(kalshi("KXSERIES-27-X", title.replace("25%", "26%"), "Yes"), theirs)


# --- totals, spreads and first innings --------------------------------------------------------------------------


def side(market: Market) -> KalshiGame | PolymarketGame | None:
    return MAPPINGS.grammar.side(market)


def of_game(series: str, suffix: str, title: str, label: str = "") -> Market:
    event = f"{series}-26NOV22HOUPOR"
    return kalshi(f"{event}-{suffix}", title, label, event_id=event, event_title="Houston at Portland: Of the game")


def beside(question: str, outcomes: tuple[str, str], kind: str, slug: str = "nba-hou-por-2026-11-22") -> Market:
    facts = {"event_slug": slug, "event_title": "Rockets vs. Trail Blazers", "outcomes": outcomes, "market_type": kind}
    return polymarket(question, f"{slug}-{kind}-x", **facts)


TOTAL = beside("Rockets vs. Trail Blazers: O/U 220.5", ("Over", "Under"), "totals")
SPREAD = beside("Spread: Rockets (-4.5)", ("Rockets", "Trail Blazers"), "spreads")
GIVEN = beside("Spread: Rockets (-4.5)", ("Trail Blazers", "Rockets"), "spreads")


@pytest.mark.parametrize(
    ("ours", "theirs", "orientation"),
    [
        (of_game("KXNBATOTAL", "220", "Total Points?", "Over 220.5 points scored"), TOTAL, Orientation.SAME),
        (of_game("KXNBASPREAD", "HOU4", "Houston wins by over 4.5 points?"), SPREAD, Orientation.SAME),
        (of_game("KXNBASPREAD", "HOU4", "Houston wins by over 4.5 points?"), GIVEN, Orientation.INVERTED),
    ],
)
def test_a_total_and_a_spread_pair_the_right_way_round(ours: Market, theirs: Market, orientation: Orientation) -> None:
    mine, yours = side(ours), side(theirs)
    assert isinstance(mine, KalshiGame)
    assert isinstance(yours, PolymarketGame)
    assert mine.key == yours.key
    assert orientation_of(mine, yours) is orientation


@pytest.mark.parametrize(
    "ours",
    [
        of_game("KXNBATOTAL", "221", "Total Points?", "Over 221.5 points scored"),
        of_game("KXNBASPREAD", "HOU5", "Houston wins by over 5.5 points?"),
        of_game("KXNBASPREAD", "POR4", "Portland wins by over 4.5 points?"),
        of_game("KXNBASPREAD", "HOU4", "Houston wins by over 4.5 points?", "Portland wins by over 4.5 points"),
        of_game("KXNBASPREAD", "SEA4", "Seattle wins by over 4.5 points?"),
        of_game("KXNBATOTAL", "220", "Total Points?"),
    ],
)
@pytest.mark.parametrize("theirs", [TOTAL, SPREAD])
def test_another_line_team_or_number_is_no_pair(ours: Market, theirs: Market) -> None:
    mine, yours = side(ours), side(theirs)
    assert yours is not None
    assert mine is None or mine.key != yours.key
    assert verdict_of(ours, theirs).relation == "different"


@pytest.mark.parametrize("theirs", ["1H O/U 110.5", "O/U 220.5 Total Corners"])
def test_a_total_of_a_part_of_the_game_is_no_total_of_the_game(theirs: str) -> None:
    assert side(beside(f"Rockets vs. Trail Blazers: {theirs}", ("Over", "Under"), "first_half_totals")) is None


def test_a_run_in_the_first_inning_pairs_by_date_and_teams() -> None:
    event = "KXMLBRFI-27MAY101335BOSNYY"
    ours = kalshi(event, "Boston vs New York Y First Inning Run?", event_id=event)
    slug = "mlb-bos-nyy-2027-05-10"
    question = "Will there be a run scored in the first inning?: Boston Red Sox vs. New York Yankees"
    theirs = polymarket(question, f"{slug}-nrfi", event_slug=slug, event_title="Boston Red Sox vs. New York Yankees")
    mine, yours = side(ours), side(theirs)
    assert mine is not None
    assert yours is not None
    assert mine.key == yours.key


def test_a_side_without_a_label_is_known_by_its_place_in_the_ticker() -> None:
    event = "KXNCAAFGAME-26DEC06INDOSU"
    listed = {
        code: side(kalshi(f"{event}-{code}", "Indiana at Ohio St. Winner?", event_id=event)) for code in ("IND", "OSU")
    }
    teams = {code: game.yes_team for code, game in listed.items() if isinstance(game, KalshiGame)}
    assert teams == {"IND": "indiana", "OSU": "ohio-state"}


def test_a_club_may_go_by_the_word_that_it_alone_has_in_its_country() -> None:
    soccer = MAPPINGS.leagues["soccer"]
    assert soccer.by_labels("Valencia", "Vallecano") == ("spain-valencia", "spain-rayo-vallecano")
    several = soccer.by_label("United") | soccer.by_label("City")
    assert not any(team.startswith("england-") for team in several), "several clubs of England have these words"
