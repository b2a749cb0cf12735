"""What the demo and the benchmark tell the matcher about the simulated venues: mapping files in the real format."""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.matcher.mapping_rows import CuratedRow
from services.matcher.mapping_text import curated_row, curated_yaml
from shared.domain.pair import Orientation

SHIPPED_MAPPINGS = Path(__file__).parents[2] / "mappings"

_ROWS_OF_A_FILE = 2_000
"""The matcher refuses files of more than five million bytes, and a row has about a thousand."""

Facts = dict[str, Any]
"""One pair as the simulator's control port describes it under ``/mappings``."""


def write_mappings(folder: Path, facts: Iterable[Facts]) -> Path:
    """Copy the shipped mappings below ``folder``, add rows for the simulated pairs, and return where they are."""
    mappings = folder / "mappings"
    shutil.copytree(SHIPPED_MAPPINGS, mappings)
    rows = [row_of(pair) for pair in facts]
    for number, start in enumerate(range(0, max(1, len(rows)), _ROWS_OF_A_FILE)):
        name = f"simulated-{number}.yaml" if number else "simulated.yaml"
        (mappings / "pairs" / name).write_text(curated_yaml(rows[start : start + _ROWS_OF_A_FILE]))
    return mappings


def row_of(pair: Facts) -> CuratedRow:
    """Return the approved row of one simulated pair."""
    return curated_row(
        pair_id=f"sim-{pair['kalshi_ticker'].lower()}~{pair['condition_id'][2:14]}",
        category="simulated",
        orientation=Orientation(pair["orientation"]),
        ticker=pair["kalshi_ticker"],
        event_ticker=pair["event_ticker"],
        series_ticker=pair["series_ticker"],
        yes_label=pair["kalshi_yes_sub_title"],
        condition_id=pair["condition_id"],
        event_slug=pair["polymarket_event_slug"],
        market_slug=pair["polymarket_slug"],
        outcomes=tuple(pair["outcomes"]),
        token_ids=tuple(pair["token_ids"]),
        kalshi_rules_text=f"{pair['kalshi_rules_primary']}\n\n{pair['kalshi_rules_secondary']}",
        polymarket_rules_text=pair["polymarket_description"],
        verified_by="the simulator",
        second_reviewer="its truth",
        verified_at=datetime.now(UTC),
        not_after=datetime.fromtimestamp(pair["kalshi_close_ts_ms"] / 1_000, UTC),
        evidence="both simulated markets ask the same seeded proposition",
    )
