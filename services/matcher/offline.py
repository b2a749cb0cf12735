"""What the command line does with the matcher without a running service: match files, list pairs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from services.matcher.ambiguity import Proposal, question, settled
from services.matcher.candidates import LEAST_SCORE, CandidateIndex
from services.matcher.games import Game
from services.matcher.mapping_files import Mappings
from services.matcher.offline_rows import kalshi_market, polymarket_market
from services.matcher.templates import KalshiGame, PolymarketGame
from services.matcher.verdict import Verdict
from shared.contracts.pairs import CandidateFound, PairActivated, PairMessage, PairSuspended
from shared.contracts.streams import PAIRS
from shared.domain.market import Market, MarketId, Venue
from shared.runtime.errors import StartRefused
from shared.runtime.latest import load_now

__all__ = ["MatchRow", "PairLine", "RowRefused", "match_files", "read_pairs"]


_RIVALS = 5
"""Partners looked at for each market, to see whether another question fits about as well."""


class RowRefused(StartRefused):
    """A line of an input file is not one venue object; the message is ``file:line: what``."""


class MatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``dutchbook match``."""

    pool: str
    kalshi_ticker: str
    poly_id: str
    outcome_index: int
    """The Polymarket outcome that pays when Kalshi's YES does."""
    orientation: str
    relation: str
    score: Decimal
    status: str
    """``approved`` by a template, else ``candidate``."""
    vetoes: tuple[str, ...]
    reasons: tuple[str, ...]


class PairLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``dutchbook pairs list``."""

    pair_id: str
    state: str
    """``live``, ``alert_only``, ``suspended`` or ``candidate``."""
    kalshi_ticker: str
    polymarket_id: str
    orientation: str
    title: str
    reason: str
    """Why it is alert-only or suspended; for a candidate its score."""


def match_files(
    kalshi: Path,
    polymarket: Path,
    mappings: Mappings,
    *,
    most: int = 1,
    least: Decimal = LEAST_SCORE,
) -> Iterator[MatchRow]:
    """Yield the best partners of every Kalshi market, at most ``most`` questions for each; the inputs are JSONL files.

    A question that is listed twice in the same words is yielded with each of its listings; of two rows with one id the
    later counts.

    Rows of different ``pool`` are never paired. A game that a template pairs one to one is ``approved``, whether or not
    the template is switched on; nothing is traded from here. Raises RowRefused for a line that is no venue object, and
    OSError for a file that cannot be read.
    """
    indexes: defaultdict[str, CandidateIndex] = defaultdict(lambda: CandidateIndex(mappings))
    for pool, market in _markets(polymarket, Venue.POLYMARKET):
        indexes[pool].put(market)
    wanted: defaultdict[str, dict[MarketId, Market]] = defaultdict(dict)
    for pool, market in _markets(kalshi, Venue.KALSHI):
        indexes[pool].put(market)
        wanted[pool][market.market_id] = market
    for pool, markets in wanted.items():
        yield from _match_pool(pool, list(markets.values()), indexes[pool], most, least)


def _match_pool(
    pool: str, markets: Sequence[Market], index: CandidateIndex, most: int, least: Decimal
) -> Iterator[MatchRow]:
    found = [
        Proposal(market.market_id, poly_id, verdict)
        for market in markets
        for poly_id, verdict in index.best(market, most=_RIVALS, least=LEAST_SCORE / 2)
    ]
    ours = {market.market_id: question(market) for market in markets}
    theirs = {
        proposal.condition_id: question(slots.market)
        for proposal in found
        if (slots := index.slots(Venue.POLYMARKET, proposal.condition_id)) is not None
    }
    best: defaultdict[MarketId, list[Proposal]] = defaultdict(list)
    for proposal in settled(found, ours, theirs):
        if proposal.verdict.score >= least:
            best[proposal.ticker].append(proposal)
    for market in markets:
        ranked = sorted(best[market.market_id], key=lambda proposal: (-proposal.verdict.score, proposal.condition_id))
        questions = list(dict.fromkeys(theirs[proposal.condition_id] for proposal in ranked))[:most]
        for proposal in ranked:
            if theirs[proposal.condition_id] in questions:
                approved = _is_one_to_one(index, market, proposal.condition_id)
                yield _row(pool, market, proposal.condition_id, proposal.verdict, approved=approved)


async def read_pairs(redis_url: str) -> list[PairLine]:
    """Return what the pairs hash holds, live pairs first, then suspended ones, then candidates by score."""
    latest, _ = await load_now(redis_url, PAIRS)
    lines = [line for message in latest.values() if (line := _line(message)) is not None]
    order = {"live": 0, "alert_only": 1, "suspended": 2, "candidate": 3}
    return sorted(lines, key=lambda line: (order[line.state], line.pair_id))


def _is_one_to_one(index: CandidateIndex, market: Market, poly_id: MarketId) -> bool:
    """Whether a game's listings are exactly one Polymarket market and one Kalshi event with one market per team."""
    ours, theirs = index.slots(Venue.KALSHI, market.market_id), index.slots(Venue.POLYMARKET, poly_id)
    if ours is None or theirs is None or ours.game is None or theirs.game is None:
        return False
    game = Game(
        kalshi={
            ticker: side.game
            for ticker in index.blocked(theirs)
            if (side := index.slots(Venue.KALSHI, ticker)) and isinstance(side.game, KalshiGame)
        },
        polymarket={
            market_id: side.game
            for market_id in index.blocked(ours)
            if (side := index.slots(Venue.POLYMARKET, market_id)) and isinstance(side.game, PolymarketGame)
        },
    )
    return not game.ambiguity


def _row(pool: str, market: Market, poly_id: str, verdict: Verdict, *, approved: bool) -> MatchRow:
    return MatchRow(
        pool=pool,
        kalshi_ticker=market.market_id,
        poly_id=poly_id,
        outcome_index=0 if verdict.orientation == "same" else 1,
        orientation=verdict.orientation.value,
        relation=verdict.relation,
        score=verdict.score,
        status="approved" if approved else "candidate",
        vetoes=verdict.vetoes,
        reasons=verdict.reasons,
    )


def _markets(path: Path, venue: Venue) -> Iterator[tuple[str, Market]]:
    build = kalshi_market if venue is Venue.KALSHI else polymarket_market
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = msgspec.json.decode(line, type=dict[str, Any])
                yield str(row.get("pool", "")), build(row)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise RowRefused(f"{path}:{number}: {error}, correct or remove the line") from None


def _line(message: PairMessage) -> PairLine | None:
    facts: Mapping[str, str]
    match message:
        case PairActivated(pair=pair):
            facts = {"state": "alert_only" if pair.alert_only else "live", "reason": pair.alert_only}
        case PairSuspended(pair=pair, reason=reason):
            facts = {"state": "suspended", "reason": reason}
        case CandidateFound():
            return PairLine(
                pair_id=message.pair_id,
                state="candidate",
                kalshi_ticker=message.kalshi_ticker,
                polymarket_id=message.polymarket_id,
                orientation=message.orientation.value,
                title=f"{message.kalshi_title} ~ {message.polymarket_title}",
                reason=f"score {message.score}",
            )
        case _:
            return None
    return PairLine(
        pair_id=pair.pair_id,
        kalshi_ticker=pair.kalshi_ticker,
        polymarket_id=pair.polymarket_id,
        orientation=pair.orientation.value,
        title=pair.title,
        **facts,
    )
