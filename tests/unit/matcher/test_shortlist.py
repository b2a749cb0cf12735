"""Only candidates whose terms do not speak against them are compared; the likest always are."""

import pytest

from services.matcher.mapping_files import Mappings
from services.matcher.postings import Ranking
from services.matcher.shortlist import shortlist
from services.matcher.terms import TermReader
from shared.domain.market import MarketId
from tests.unit.matcher.listings import kalshi, polymarket

READER = TermReader(Mappings())
LIKEST = ("likest-1", "likest-2", "likest-3")


def kept(title: str, label: str, *theirs: str) -> list[str]:
    """The candidates that are compared beyond the three likest, of equally like ones."""
    terms = {MarketId(name): ("film",) for name in LIKEST}
    terms |= {MarketId(text): tuple(READER.terms(polymarket(text))) for text in theirs}
    ours = kalshi("KXFILM-27-A", title, label)
    ranking = Ranking(1.0, [(-1.0, market_id, 1.0) for market_id in terms])
    found = shortlist(ranking, READER.terms(ours), READER.label_terms(ours), terms.__getitem__)
    assert found[:3] == list(LIKEST)
    return list(found[3:])


@pytest.mark.parametrize(
    ("label", "theirs"),
    [
        ("Above 45", "Will it score 46 or higher?"),
        ("211 or more", "Will there be more than 210?"),
        ("$100,000 or above", "Will it reach $100k?"),
        ("Above $99,999.99", "Will it reach $100,000?"),
        ("25+", "Points O/U 24.5"),
        ("0.25%", "A move of 25 bps?"),
        ("At least 3", "Will it happen three times in 2026?"),
        ("Above 45", "Will it score well in 2026?"),
        ("Before Dec 1, 2026", "Will it happen by November 30?"),
    ],
)
def test_an_amount_that_may_be_the_same_is_compared(label: str, theirs: str) -> None:
    assert kept("Film score?", label, theirs) == [theirs]


def test_an_amount_that_is_another_is_not_compared() -> None:
    assert kept("Film score?", "Above 45", "Will it score 53 or higher?", "Over 60 in 2026?") == []


def test_a_candidate_without_the_name_is_compared_only_when_none_has_it() -> None:
    both = ("Will Glass Harbor win?", "Will Saltmarsh win?")
    assert kept("Best film?", "Glass Harbor", *both) == ["Will Glass Harbor win?"]
    assert kept("Best film?", "Quillfeather", *both) == list(both)


def test_what_is_much_less_like_or_shares_little_is_not_compared() -> None:
    def terms_of(_market_id: MarketId) -> tuple[str, ...]:
        return ("film",)

    a, b, c = MarketId("a"), MarketId("b"), MarketId("c")
    asked = frozenset({"film"})
    assert shortlist(Ranking(10.0, [(-5.0, a, 9.0), (-2.0, b, 9.0)]), asked, frozenset(), terms_of) == [a]
    assert shortlist(Ranking(10.0, [(-5.0, a, 2.0), (-5.0, b, 9.0), (-4.9, c, 8.0)]), asked, frozenset(), terms_of) == [
        b,
        c,
    ]
    assert shortlist(Ranking(0.0, []), asked, frozenset(), terms_of) == []
