"""Pairs that nobody reviewed, for tests that only need one."""

from typing import Any

import msgspec

from shared.domain.market import MarketId
from shared.domain.pair import Orientation, Pair, PairId


def made_up_pair(name: str, *, kalshi: str = "K", polymarket: str = "0xab", **changes: Any) -> Pair:
    """Return a live pair of two markets, with fields changed."""
    base = Pair(
        pair_id=PairId(name),
        kalshi_ticker=MarketId(kalshi),
        polymarket_id=MarketId(polymarket),
        polymarket_token_ids=("1", "2"),
        orientation=Orientation.SAME,
        origin="curated",
        source="pairs/test.yaml:1",
        kalshi_rules_hash="k",
        polymarket_rules_hash="p",
    )
    return msgspec.structs.replace(base, **changes)
