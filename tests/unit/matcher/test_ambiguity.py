"""A pair whose market fits another question about as well is lowered, so that a person looks."""

from decimal import Decimal

from services.matcher.ambiguity import COST, Proposal, settled
from services.matcher.verdict import Verdict
from shared.domain.market import MarketId
from shared.domain.pair import Orientation


def proposal(ticker: str, condition: str, score: str, reason: str = "words") -> Proposal:
    verdict = Verdict(
        relation="equivalent", orientation=Orientation.SAME, score=Decimal(score), vetoes=(), reasons=(reason,)
    )
    return Proposal(MarketId(ticker), MarketId(condition), verdict)


def scores(*proposals: Proposal, theirs: dict[str, str] | None = None) -> list[Decimal]:
    ours = {p.ticker: p.ticker for p in proposals}
    questions = {p.condition_id: (theirs or {}).get(p.condition_id, p.condition_id) for p in proposals}
    return [p.verdict.score for p in settled(proposals, ours, questions)]


def test_a_close_second_of_another_question_lowers_both() -> None:
    assert scores(proposal("K", "0x1", "0.95"), proposal("K", "0x2", "0.94")) == [
        Decimal("0.95") - COST,
        Decimal("0.94") - COST,
    ]


def test_a_distant_second_lowers_only_itself() -> None:
    assert scores(proposal("K", "0x1", "0.95"), proposal("K", "0x2", "0.90")) == [Decimal("0.95"), Decimal("0.80")]


def test_a_market_that_fits_another_market_better_is_lowered() -> None:
    assert scores(proposal("K1", "0x1", "1"), proposal("K2", "0x1", "0.95")) == [Decimal(1), Decimal("0.85")]


def test_one_question_listed_twice_is_not_ambiguous() -> None:
    twice = {"0x1": "same words", "0x2": "same words"}
    assert scores(proposal("K", "0x1", "0.95"), proposal("K", "0x2", "0.95"), theirs=twice) == [Decimal("0.95")] * 2


def test_the_two_sides_of_a_game_share_their_market() -> None:
    sides = [proposal(ticker, "0x1", "1", "template nba-game: teams") for ticker in ("HOU", "POR")]
    assert scores(*sides) == [Decimal(1)] * 2
