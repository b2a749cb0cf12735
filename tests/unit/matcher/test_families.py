"""Kinds of questions that both venues list again and again, each in both venues' manner of speaking.

All names of people are made up; teams and competitions are real, because whole tables know them.
"""

import pytest

from services.matcher.mapping_files import load
from services.matcher.verdict import HIGH_BAND, match
from shared.domain.pair import Orientation
from tests.unit.matcher.listings import kalshi, polymarket
from tests.unit.matcher.test_mappings import SHIPPED

MAPPINGS = load(SHIPPED)

FAMILIES = [
    ("KXMLB-26-MIA", "Will Miami win the 2026 Pro Baseball Championship?", "Miami",
     "Will the Miami Marlins win the 2026 World Series?"),
    ("KXMLB-26-NYY", "Will New York Y win the 2026 Pro Baseball Championship?", "New York Y",
     "Will the New York Yankees win the 2026 World Series?"),
    ("KXMLBNL-26-AZ", "Will Arizona win the 2026 Pro Baseball National League Championship?", "",
     "Will Arizona Diamondbacks win the 2026 National League Championship Series?"),
    ("KXMLBPLAYOFFS-26-MIA", "Pro Baseball Playoff Qualifiers", "Miami",
     "Will the Miami Marlins clinch a spot in the 2026 MLB Postseason?"),
    ("KXNBA-26-OKC", "Will the Oklahoma City win the 2026 Pro Basketball Finals?", "Oklahoma City",
     "Will the Oklahoma City Thunder win the 2026 NBA Finals?"),
    ("KXNBAEAST-26-BOS", "Will the Boston win the Eastern Conference?", "Boston",
     "Will the Boston Celtics win the NBA Eastern Conference?"),
    ("KXNHL-26-COL", "Will the Colorado win the 2026 Stanley Cup Finals?", "Colorado",
     "Will the Colorado Avalanche win the 2026 NHL Stanley Cup?"),
    ("KXSB-26-SEA", "Will the Seattle win the 2026 Pro Football Championship?", "Seattle",
     "Will the Seattle Seahawks win Super Bowl LX?"),
    ("KXMARMAD-26-UCONN", "Will Connecticut win the College Basketball National Championship?", "",
     "Will UConn win the 2026 NCAA Tournament?"),
    ("KXNCAAF-26-OSU", "Will Ohio St. win the College Football National Championship?", "Ohio St.",
     "Will Ohio State win the 2026 College Football National Championship?"),
    ("KXPREMIERLEAGUE-26-MCI", "Will the Manchester City win the English Premier League?", "Manchester City",
     "Will Man City win the 2025\u201326 English Premier League?"),
    ("KXUCL-26-RMA", "Will Real Madrid win the Champions League Winner?", "Real Madrid",
     "Will Real Madrid win the 2025\u201326 Champions League?"),
    ("KXMENWORLDCUP-26-CV", "Will Cape Verde win the 2026 Men's World Cup?", "",
     "Will Cabo Verde win the 2026 FIFA World Cup?"),
    ("KXEUROVISION-26-FIN", "Eurovision 2026 winner?", "Finland", "Will Finland win Eurovision 2026?"),
    ("KXPRESNOMD-28-AREY", "Will Ana Reyes be the nominee for the Presidency for the Democratic party?", "Ana Reyes",
     "Will Ana Reyes win the 2028 Democratic presidential nomination?"),
    ("KXHOUSERACE-AL02-26-D", "Will Democratic win the House race for AL-02?", "",
     "Will the Democratic Party win the AL-02 House seat?"),
    ("GOVPARTYIA-26-R", "Will Republicans win the governorship in Iowa?", "Republican party",
     "Will the Republicans win the Iowa governor race in 2026?"),
    ("KXGOVKSNOMD-26-AREY", "Will Ana Reyes be the Democratic nominee for Governor in Kansas?", "",
     "Will Ana Reyes win the 2026 Kansas Governor Democratic primary election?"),
    ("PRESPARTYOH-28-R", "Will the Republican party win Ohio in the presidential election?", "Boris Hale",
     "Will a Republican win Ohio Presidential Election?"),
    ("KXCANSEATS-25-12", "between 100 to 119 Liberal Party seats won?", "100 to 119",
     "Will the Liberals win between 100-119 seats in the next Canadian Election?"),
    ("KXROMANIA1R-24-AREY", "Who will win the first round of the Romanian presidential election?", "Ana Reyes",
     "Will Ana Reyes win the 1st round of the Romanian presidential election?"),
    ("KXFEDDECISION-26JUL-C25", "Fed decision in Jul 2026?", "Cut 25bps",
     "Will the Fed decrease interest rates by 25 bps after the July 2026 meeting?"),
    ("KXFEDDECISION-26JUL-H0", "Fed decision in Jul 2026?", "Fed maintains rate",
     "Will there be no change in Fed interest rates after the July 2026 meeting?"),
    ("KXCPIYOY-26JUL-T4", "CPI year-over-year in Jul 2026?", "Above 4.1%",
     "Will annual inflation be above 4.1% in July 2026?"),
    ("KXRT-90", "The Long Ferry Rotten Tomatoes score?", "Above 89",
     '"The Long Ferry" Rotten Tomatoes score is 90 or higher?'),
    ("KXPAYROLLS-26MAY-T", "Jobs numbers in May 2026?", "Above 150,000",
     "Will the US add more than 150k jobs in May 2026?"),
    ("KXF1RACE-26MON-AR", "Monaco Grand Prix Winner", "Ana Reyes",
     "Will Ana Reyes win the 2026 F1 Monaco Grand Prix?"),
    ("KXACQ-26-GLASS", "Which companies will be acquired before 2027?", "Glassworks",
     "Will Glassworks be acquired before 2027?"),
    ("KXVISIT-27-MEX", "Which countries will Reyes visit in 2026?", "Mexico", "Will Ana Reyes visit Mexico in 2026?"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("ticker", "title", "label", "question"), [pytest.param(*family, id=family[0]) for family in FAMILIES]
)
def test_a_question_of_a_known_kind_is_in_the_high_band(ticker: str, title: str, label: str, question: str) -> None:
    verdict = match(kalshi(ticker, title, label), polymarket(question), MAPPINGS)
    assert verdict.vetoes == ()
    assert (verdict.relation, verdict.orientation) == ("equivalent", Orientation.SAME)
    assert verdict.score >= HIGH_BAND, verdict


@pytest.mark.parametrize("other", [pytest.param(family, id=family[0]) for family in FAMILIES])
def test_a_question_of_another_kind_is_never_in_the_high_band(other: tuple[str, str, str, str]) -> None:
    """No question of the list is taken for another's: the same tables and words serve all of them."""
    ours = kalshi(*other[:3])
    for ticker, _, _, question in FAMILIES:
        if ticker != other[0]:
            verdict = match(ours, polymarket(question), MAPPINGS)
            assert verdict.vetoes or verdict.score < HIGH_BAND, (question, verdict)
