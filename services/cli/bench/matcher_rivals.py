"""The others in the matcher's benchmark: plain rapidfuzz, and arb-tool's matcher where somebody has installed it."""

import time
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from rapidfuzz import process

from shared.domain.market import Market, MarketId


class Asked(NamedTuple):
    """What a rival took for some questions, and how often the partner was among its answers."""

    seconds: float
    """Of processor time."""
    questions: int
    answers: int
    partnered: int
    """Questions that have a partner."""
    found: int
    """... and whose partner is among the answers."""


def run_rapidfuzz(
    kalshi: Sequence[Market], polymarket: Sequence[Market], partner: dict[MarketId, MarketId], *, limit: int
) -> Asked:
    """Ask ``process.extract`` with its default scorer for the ``limit`` best titles, as most programs do."""
    titles = [market.title for market in polymarket]
    queries = [f"{market.title} {market.outcome_label}" for market in kalshi]
    began_s = time.process_time()
    answers = [process.extract(query, titles, limit=limit) for query in queries]
    seconds = time.process_time() - began_s
    named = [(ours.market_id, polymarket[place].market_id) for ours, found in zip(kalshi, answers, strict=True)
             for _, _, place in found]  # fmt: skip
    return _asked(seconds, kalshi, named, partner)


def run_arb_tool(kalshi: Sequence[Market], polymarket: Sequence[Market], partner: dict[MarketId, MarketId]) -> Asked:
    """Call arb-tool's ``find_matches`` with its own market type, as its program does."""
    model, find_matches = import_module("src.models").Market, import_module("src.core.matcher").find_matches

    def theirs(market: Market) -> object:
        return model(
            id=market.market_id,
            title=market.title,
            yes_price=0.5,
            no_price=0.5,
            volume=0,
            liquidity=0,
            close_time=market.expected_expiration_time or market.close_time,
            category="",
            platform=market.venue.value,
            url="",
        )

    ours, others = [theirs(market) for market in kalshi], [theirs(market) for market in polymarket]
    began_s = time.process_time()
    matches = find_matches(ours, others)
    seconds = time.process_time() - began_s
    return _asked(seconds, kalshi, [(a.id, b.id) for a, b, _ in matches], partner)


def arb_tool_missing() -> str:
    """Return why arb-tool is not compared; empty when it is installed."""
    try:
        version("arb-tool")
        import_module("src.core.matcher")
    except (PackageNotFoundError, ImportError) as error:
        return f"not installed here ({error}), so not measured; `pip install arb-tool` to compare"
    return ""


def _asked(
    seconds: float,
    kalshi: Sequence[Market],
    named: list[tuple[MarketId, MarketId]],
    partner: dict[MarketId, MarketId],
) -> Asked:
    pairs = set(named)
    wanted = [(market.market_id, partner[market.market_id]) for market in kalshi if market.market_id in partner]
    return Asked(seconds, len(kalshi), len(pairs), len(wanted), sum(pair in pairs for pair in wanted))
