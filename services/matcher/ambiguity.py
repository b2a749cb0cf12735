"""Lowers the score of a pair whose market fits another question of the other venue about as well.

A close second means that the words which tell the two apart were not understood, so a person must look. Markets that
ask the same in the same words are no rivals: they are one question listed twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from services.matcher.verdict import Verdict
from shared.domain.market import Market, MarketId

CLOSE = Decimal("0.015")
"""A second best nearer than this makes a pair ambiguous."""
COST = Decimal("0.1")


_ONE = MarketId("")
_SAID = "ambiguous: another question fits about as well"


class Proposal(NamedTuple):
    """A pair that no veto refuses."""

    ticker: MarketId
    condition_id: MarketId
    verdict: Verdict


def question(market: Market) -> str:
    """Return what tells a listing's question from its siblings', as written."""
    return f"{market.title} | {market.outcome_label}".casefold()


def settled(
    proposals: Iterable[Proposal], ours: Mapping[MarketId, str], theirs: Mapping[MarketId, str]
) -> list[Proposal]:
    """Return the proposals, the ambiguous ones lowered; ``ours`` and ``theirs`` are the questions of both venues.

    Template pairs (a score of 1 with two sides) share their Polymarket market on purpose and are left alone.
    """
    kept = list(proposals)
    by_ticker: defaultdict[MarketId, list[Proposal]] = defaultdict(list)
    by_condition: defaultdict[MarketId, list[Proposal]] = defaultdict(list)
    for proposal in kept:
        by_ticker[proposal.ticker].append(proposal)
        by_condition[proposal.condition_id].append(proposal)
    return [
        _lowered(proposal)
        if not _by_template(proposal)
        and not _is_lowered(proposal)
        and (
            _has_rival(proposal, [(theirs[rival.condition_id], rival) for rival in by_ticker[proposal.ticker]])
            or _has_rival(proposal, [(ours[rival.ticker], rival) for rival in by_condition[proposal.condition_id]])
        )
        else proposal
        for proposal in kept
    ]


def lowered(found: list[tuple[MarketId, Verdict]], asked: Callable[[MarketId], str]) -> list[tuple[MarketId, Verdict]]:
    """Return the partners of one market, those lowered that another question fits about as well."""
    if len(found) < 2:
        return found
    proposals = [Proposal(_ONE, market_id, verdict) for market_id, verdict in found]
    questions = {market_id: asked(market_id) for market_id, _ in found}
    return [(p.condition_id, p.verdict) for p in settled(proposals, {_ONE: ""}, questions)]


def _has_rival(proposal: Proposal, asked: Sequence[tuple[str, Proposal]]) -> bool:
    mine = next(text for text, rival in asked if rival is proposal)
    return any(text != mine and rival.verdict.score > proposal.verdict.score - CLOSE for text, rival in asked)


def _by_template(proposal: Proposal) -> bool:
    return proposal.verdict.reasons[:1] != () and proposal.verdict.reasons[0].startswith("template ")


def _is_lowered(proposal: Proposal) -> bool:
    return _SAID in proposal.verdict.reasons


def _lowered(proposal: Proposal) -> Proposal:
    verdict = proposal.verdict
    reasons = (*verdict.reasons, _SAID)
    return proposal._replace(
        verdict=msgspec.structs.replace(verdict, score=max(Decimal(0), verdict.score - COST), reasons=reasons)
    )
