"""Contests read from titles pair exactly or not at all, the right way round."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.matcher.mapping_files import load
from services.matcher.templates import KalshiGame, NotInTemplate, PolymarketGame, orientation_of
from shared.domain.market import Market
from shared.domain.pair import Orientation
from tests.unit.matcher.listings import kalshi, polymarket
from tests.unit.matcher.test_mappings import SHIPPED

MAPPINGS = load(SHIPPED)
BREMEN, DORTMUND = "SV Werder Bremen", "BV Borussia 09 Dortmund"
EVENT = f"{BREMEN} vs. {DORTMUND}"


def side(market: Market) -> Any:
    return MAPPINGS.grammar.side(market)


def kalshi_soccer(suffix: str, label: str = "", series: str = "KXBUNDESLIGAGAME", **facts: Any) -> Market:
    event = f"{series}-26MAY16SVWBVB"
    facts = {"event_title": "Bremen vs Dortmund", "event_id": event} | facts
    return kalshi(f"{event}-{suffix}", "Bremen vs Dortmund Winner?", label, **facts)


def polymarket_soccer(question: str, slug: str = "bun-wer-dor-2026-05-16-x", **facts: Any) -> Market:
    return polymarket(question, slug, **({"event_slug": "bun-wer-dor-2026-05-16", "event_title": EVENT} | facts))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param(kalshi_soccer("SVW"), polymarket_soccer(f"Will {BREMEN} win on 2026-05-16?"), id="home"),
        pytest.param(kalshi_soccer("BVB", "Dortmund"), polymarket_soccer(f"Will {DORTMUND} win on 2026-05-16?"),
                     id="away"),
        pytest.param(kalshi_soccer("TIE", "Tie"), polymarket_soccer(f"Will {EVENT} end in a draw?"), id="draw"),
        pytest.param(kalshi_soccer("2", "Over 2.5 goals scored", "KXBUNDESLIGATOTAL"),
                     polymarket_soccer(f"{EVENT}: O/U 2.5"), id="total"),
        pytest.param(kalshi_soccer("3", "", "KXBUNDESLIGATOTAL"), polymarket_soccer(f"{EVENT}: O/U 3.5"),
                     id="total_by_suffix"),
        pytest.param(kalshi_soccer("BTTS", "", "KXBUNDESLIGABTTS"),
                     polymarket_soccer(f"{EVENT}: Both Teams to Score"), id="both_score"),
        pytest.param(kalshi_soccer("SVW", "Bremen", "KXBUNDESLIGA1H"),
                     polymarket_soccer(f"{BREMEN} leading at halftime?"), id="half_time"),
        pytest.param(kalshi_soccer("TIE", "Tie", "KXBUNDESLIGA1H"),
                     polymarket_soccer(f"{EVENT}: Draw at halftime?"), id="half_time_draw"),
    ],
)  # fmt: skip
def test_each_result_of_a_soccer_match_pairs_with_its_own_market(ours: Market, theirs: Market) -> None:
    mine, yours = side(ours), side(theirs)
    assert mine.key == yours.key
    assert orientation_of(mine, yours) is Orientation.SAME


@pytest.mark.parametrize(
    "theirs",
    [
        polymarket_soccer(f"Will {DORTMUND} win on 2026-05-16?"),
        polymarket_soccer(f"Will {EVENT} end in a draw?"),
        polymarket_soccer(f"{EVENT}: O/U 2.5"),
        polymarket_soccer(f"{EVENT}: O/U 10.5 Total Corners"),
        polymarket_soccer(f"{BREMEN} leading at halftime?"),
        polymarket_soccer(f"Spread: {BREMEN} (-1.5)"),
        polymarket_soccer(f"Exact Score: {BREMEN} 2 - 0 {DORTMUND}?"),
        polymarket_soccer(f"Will {BREMEN} win on 2026-05-17?", event_slug="", slug=""),
        polymarket_soccer(f"Will {BREMEN} win on 2026-05-16?", event_slug="bun-wer-dor-2026-05-17"),
        polymarket_soccer(
            f"Will {BREMEN} Women win on 2026-05-16?", event_title=f"{BREMEN} Women vs. {DORTMUND} Women"
        ),
        polymarket_soccer(f"Will {BREMEN} win on 2026-05-16?", market_type="spreads"),
        polymarket_soccer(
            "Will SV Werder Bremen U19 win on 2026-05-16?", event_title="SV Werder Bremen U19 vs. BVB U19"
        ),
    ],
)
def test_another_question_about_the_match_is_not_the_home_win(theirs: Market) -> None:
    mine, yours = side(kalshi_soccer("SVW", "Bremen")), side(theirs)
    assert yours is None or yours.key != mine.key


def test_a_label_that_names_neither_side_contradicts_the_listing() -> None:
    with pytest.raises(NotInTemplate, match="names neither side"):
        side(kalshi_soccer("SVW", "Hamburg"))


def test_a_series_without_a_template_is_no_contest() -> None:
    assert side(kalshi_soccer("SVW", "Bremen", "KXOBSCURELEAGUEGAME")) is None


@pytest.mark.parametrize(
    ("code", "label", "orientation"),
    [("REY", "Ana Reyes", Orientation.SAME), ("HAL", "Boris Hale", Orientation.INVERTED), ("HAL", "", None)],
)
def test_a_tennis_match_is_known_by_surnames_and_date(code: str, label: str, orientation: Orientation | None) -> None:
    event = "KXATPMATCH-26MAY10REYHAL"
    ours = kalshi(f"{event}-{code}", "Will X win the Reyes vs Hale match?", label, event_id=event,
                  event_title="Reyes vs Hale")  # fmt: skip
    theirs = polymarket("Hurghada Open: Ana Reyes vs Boris Hale", "atp-reyes-hale-2026-05-10",
                        event_title="Hurghada Open: Ana Reyes vs Boris Hale",
                        outcomes=("Ana Reyes", "Boris Hale"))  # fmt: skip
    mine, yours = side(ours), side(theirs)
    assert isinstance(mine, KalshiGame)
    assert isinstance(yours, PolymarketGame)
    assert mine.key == yours.key
    assert orientation in (None, orientation_of(mine, yours))
    assert orientation_of(mine, yours) is (orientation or Orientation.INVERTED)


@pytest.mark.parametrize(
    ("title", "slug", "same"),
    [
        ("LoL: FlyQuest vs Cloud9 (BO3) - LTA Playoffs", "lol-fly-c9-2026-05-10", True),
        ("LoL: FlyQuest vs Cloud9 (BO3) - LTA Playoffs", "", False),
        ("LoL: FlyQuest vs Cloud9 - Game 1 Winner", "lol-fly-c9-2026-05-10-game1", False),
        ("LoL: FlyQuest vs Cloud9 Academy (BO3) - LTA Playoffs", "lol-fly-c9a-2026-05-10", False),
    ],
)
def test_an_esports_match_is_known_by_full_names_and_date(title: str, slug: str, same: bool) -> None:
    event = "KXLOLGAME-26MAY101600FLYC9"
    ours = kalshi(f"{event}-C9", "Will Cloud9 win the FlyQuest vs. Cloud9 League of Legends match?", "Cloud9",
                  event_id=event, event_title="FlyQuest vs. Cloud9")  # fmt: skip
    sides = ("FlyQuest", "Cloud9 Academy" if "Academy" in title else "Cloud9")
    yours = side(polymarket(title, slug, event_title=title, outcomes=sides))
    assert (yours is not None and yours.key == side(ours).key) is same


def test_mens_and_womens_games_of_the_same_schools_are_two_contests() -> None:
    event = "KXNCAAWBGAME-26NOV22DUKEUNC"
    women = kalshi(f"{event}-DUKE", "Duke at North Carolina Winner?", "Duke", event_id=event)
    men = polymarket("Duke Blue Devils vs. North Carolina Tar Heels", "cbb-duke-unc-2026-11-22",
                     outcomes=("Duke Blue Devils", "North Carolina Tar Heels"))  # fmt: skip
    assert side(women).key != side(men).key


def test_a_playoff_series_is_known_by_its_teams_and_year() -> None:
    event = "KXNHLSERIES-26VGKANAR2"
    ours = kalshi(f"{event}-ANA", "Vegas Golden Knights vs Anaheim Ducks 2026 2nd Round series winner?", "Anaheim",
                  event_id=event, event_title="Series Winner: Vegas Golden Knights vs Anaheim Ducks")  # fmt: skip
    title = "NHL Playoffs: Who Will Win Series? - Ducks vs. Golden Knights"
    theirs = polymarket(title, "nhl-series", outcomes=("Ducks", "Golden Knights"),
                        close_time=datetime(2026, 5, 22, tzinfo=UTC))  # fmt: skip
    assert side(ours).key == side(theirs).key
    assert orientation_of(side(ours), side(theirs)) is Orientation.SAME


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("Barcelona", "Real Madrid", ("spain-barcelona", "spain-real-madrid")),
        ("Santos", "Palmeiras", ("brazil-santos", "brazil-palmeiras")),
        ("1. FC Köln", "1. FC Heidenheim 1846", ("germany-koln", "germany-heidenheim")),
        ("Machida Z", "Tokyo V", ("japan-machida-zelvia", "japan-tokyo-verdy")),
        ("Rovers of Nowhere", "Palmeiras", None),
        ("Palmeiras", "SE Palmeiras", None),
    ],
)
def test_clubs_are_looked_up_by_both_names_or_not_at_all(
    first: str, second: str, found: tuple[str, str] | None
) -> None:
    assert MAPPINGS.leagues["soccer"].by_labels(first, second) == found


def test_every_shipped_table_says_where_it_comes_from_and_no_template_is_on() -> None:
    assert len(MAPPINGS.leagues["college"].teams) > 360
    assert len(MAPPINGS.leagues["soccer"].teams) > 600
    assert not any(template.enabled for template in MAPPINGS.templates)
    assert all(template.source for template in MAPPINGS.templates)


FED = "KXFEDDECISION-26JUL"


@pytest.mark.parametrize(
    ("ours", "question"),
    [
        (kalshi(f"{FED}-C25", "Fed decision in Jul 2026?", "Cut 25bps", event_id=FED),
         "Will the Fed decrease interest rates by 25 bps after the July 2026 meeting?"),
        (kalshi(f"{FED}-H25", "Fed decision in Jul 2026?", "Hike 25bps", event_id=FED),
         "Fed increases interest rates by 25 bps after July 2026 meeting?"),
        (kalshi(f"{FED}-H0", "Fed decision in Jul 2026?", "Fed maintains rate", event_id=FED),
         "No change in Fed interest rates after July 2026 meeting?"),
        (kalshi("KXCPIYOY-26JUN-T4.1", "CPI year-over-year in Jun 2026?", "Above 4.1%", event_id="KXCPIYOY-26JUN"),
         "Will annual inflation be 4.2% or more in June 2026?"),
        (kalshi("KXHOUSERACE-AL02-26-D", "Will Democratic win the House race for AL-02?"),
         "Will the Democratic Party win the AL-02 House seat?"),
    ],
)  # fmt: skip
def test_a_public_question_pairs_by_its_ticker_and_its_wording(ours: Market, question: str) -> None:
    theirs = polymarket(question, close_time=datetime(2026, 11, 3, tzinfo=UTC))
    assert side(ours).key == side(theirs).key


@pytest.mark.parametrize(
    "question",
    [
        "Will the Fed decrease interest rates by 25+ bps after the July 2026 meeting?",
        "Will the Fed decrease interest rates by 50+ bps after the July 2026 meeting?",
        "Will the Fed increase interest rates by 25 bps after the July 2026 meeting?",
        "Will the Fed decrease interest rates by 25 bps after the June 2026 meeting?",
        "Will the Fed decrease interest rates by 25 bps after the July 2027 meeting?",
        "Bank of Japan decreases interest rates by 25 bps after the July 2026 meeting?",
        "Fed rate cut in 2026?",
    ],
)
@pytest.mark.parametrize("code", ["C25", "C26"])
def test_another_fed_question_is_not_the_cut_of_25_nor_of_more(code: str, question: str) -> None:
    ours, theirs = side(kalshi(f"{FED}-{code}", "Fed decision in Jul 2026?", event_id=FED)), side(polymarket(question))
    assert theirs is None or theirs.key != ours.key


def test_a_fed_label_that_contradicts_its_ticker_is_refused() -> None:
    with pytest.raises(NotInTemplate, match="is not cut 25"):
        side(kalshi(f"{FED}-C25", "Fed decision in Jul 2026?", "Cut >25bps", event_id=FED))


def test_a_fed_title_of_another_meeting_is_refused() -> None:
    with pytest.raises(NotInTemplate, match="is not cut 25"):
        side(kalshi(f"{FED}-C25", "Fed decision in Sep 2026?", "Cut 25bps", event_id=FED))


CPI = "KXCPIYOY-26JUN"


@pytest.mark.parametrize(
    ("title", "label"),
    [
        pytest.param("CPI year-over-year in Jun 2026?", "Above 4.2%", id="other_amount_in_the_label"),
        pytest.param("CPI year-over-year in Jun 2026?", "4.1% or above", id="at_least_is_not_above"),
        pytest.param("CPI year-over-year in Jun 2026?", "Below 4.1%", id="other_direction"),
        pytest.param("CPI year-over-year in Jul 2026?", "Above 4.1%", id="other_month"),
        pytest.param("CPI year-over-year in Jun 2027?", "Above 4.1%", id="other_year"),
        pytest.param("Core CPI year-over-year in Jun 2026?", "Above 4.1%", id="core"),
        pytest.param("CPI month-over-month in Jun 2026?", "Above 4.1%", id="monthly"),
        pytest.param("UK CPI year-over-year in Jun 2026?", "Above 4.1%", id="other_country"),
    ],
)
def test_an_inflation_text_that_contradicts_its_ticker_is_refused(title: str, label: str) -> None:
    with pytest.raises(NotInTemplate, match="annual inflation above"):
        side(kalshi(f"{CPI}-T4.1", title, label, event_id=CPI))


@pytest.mark.parametrize(
    ("title", "label"),
    [
        ("CPI year-over-year in Jun 2026?", ""),
        ("Annual CPI?", "Above 4.1%"),
        ("Price index in Jun 2026?", "Above 4.1%"),
    ],
)
def test_an_inflation_ticker_alone_is_not_believed(title: str, label: str) -> None:
    assert side(kalshi(f"{CPI}-T4.1", title, label, event_id=CPI)) is None


@pytest.mark.parametrize(
    ("title", "label"),
    [
        pytest.param("Will Republican win the House race for AL-02?", "", id="other_party"),
        pytest.param("Will Democratic win the House race for AL-02?", "Republican party", id="label_of_another_party"),
        pytest.param("Will Democratic win the House race for AL-03?", "", id="other_district"),
        pytest.param("Will Democratic win the House race for AL-02 in 2028?", "", id="other_year"),
        pytest.param("Who will be the Democratic nominee for AL-02?", "", id="primary"),
        pytest.param("Will Democratic win the House race for AL-02?", "Ana Reyes", id="a_person"),
    ],
)
def test_a_house_text_that_contradicts_its_ticker_is_refused(title: str, label: str) -> None:
    with pytest.raises(NotInTemplate, match="is not the democratic party in AL-2"):
        side(kalshi("KXHOUSERACE-AL02-26-D", title, label))


@pytest.mark.parametrize("title", ["House race winner?", "Will Democratic win the House race?", "AL-02 House winner?"])
def test_a_house_ticker_alone_is_not_believed(title: str) -> None:
    assert side(kalshi("KXHOUSERACE-AL02-26-D", title)) is None


@pytest.mark.parametrize("label", ["Democratic", "Democratic party", "Democrats"])
def test_a_house_race_may_name_its_party_in_the_label(label: str) -> None:
    ours = side(kalshi("KXHOUSERACE-AL02-26-D", "AL-02 House winner?", label))
    theirs = polymarket(
        "Will the Democratic Party win the AL-02 House seat?", close_time=datetime(2026, 11, 3, tzinfo=UTC)
    )
    assert ours.key == side(theirs).key


def test_a_fed_label_that_is_not_understood_makes_no_template_pair() -> None:
    assert side(kalshi(f"{FED}-C25", "Fed decision in Jul 2026?", "Cut 25bps or more", event_id=FED)) is None
