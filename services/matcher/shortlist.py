"""Which candidates are worth comparing: the few whose terms do not already speak against them.

Comparing parses both listings, which costs far more than finding them, and most candidates are siblings of the partner:
the same ladder at another amount, the same race with another name. The likest are compared whatever their terms say,
so a name that the venues spell differently is not lost here.
"""

from collections.abc import Callable
from decimal import Decimal

from services.matcher.postings import Ranking
from shared.domain.market import MarketId

_ALWAYS = 3
"""Of the likest."""
_LEAST_LIKENESS = 0.6
"""Of the likest listing's: one that is less like is not compared."""
_LEAST_COVER = 0.3
"""Of the weight of a listing's terms: one that shares less than that is not compared."""
_YEARS = range(1900, 2100)


def shortlist(
    ranking: Ranking, asked: frozenset[str], label: frozenset[str], terms_of: Callable[[MarketId], tuple[str, ...]]
) -> list[MarketId]:
    """Return the candidates worth comparing with a listing of these terms, the likest first.

    ``label`` is what its outcome is called: a name, which then has to be among a candidate's terms when any candidate
    has it; or an amount, which then has to be near one that the candidate states.
    """
    if not ranking.best:
        return []
    most_like = _LEAST_LIKENESS * ranking.best[0][0]
    least_shared = _LEAST_COVER * ranking.weight
    likely = [
        market_id
        for minus_likeness, market_id, shared in ranking.best
        if minus_likeness <= most_like and shared >= least_shared
    ]
    rest = likely[_ALWAYS:]
    amounts = {term for term in label if term[0].isdigit()}
    if amounts:
        said = asked - amounts
        rest = [market_id for market_id in rest if _near(amounts, _amounts(terms_of(market_id), said))]
    elif any(not label.isdisjoint(terms_of(market_id)) for market_id in likely):
        rest = [market_id for market_id in rest if not label.isdisjoint(terms_of(market_id))]
    return likely[:_ALWAYS] + rest


def _amounts(terms: tuple[str, ...], said: frozenset[str]) -> list[str]:
    """Return the numbers of a candidate that are neither years nor said by the other listing beside its amount."""
    return [term for term in terms if term[0].isdigit() and term not in said and not _is_year(term)]


def _near(ours: set[str], theirs: list[str]) -> bool:
    """Whether amounts may be the same, said in another way: 211 or more is over 210, 0.25 % is 25 basis points.

    A listing without amounts is near: it may say them in words.
    """
    if not theirs:
        return True
    digits = {_digits(term) for term in ours}
    values = [Decimal(term) for term in ours]
    return any(_digits(term) in digits or any(abs(Decimal(term) - value) <= 1 for value in values) for term in theirs)


def _digits(number: str) -> str:
    """Return the digits that count, whatever the unit: 100,000 is 100 k."""
    return number.replace(".", "").strip("0")


def _is_year(term: str) -> bool:
    return term.isdigit() and int(term) in _YEARS
