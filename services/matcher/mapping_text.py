"""Writes curated rows as the text that ``mapping_files`` reads, every value quoted so that it stays text."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from services.matcher.mapping_rows import (
    CuratedRow,
    KalshiSide,
    Origin,
    PolymarketSide,
    Resolution,
    Review,
    text_sha256,
)
from shared.domain.pair import Orientation


def curated_yaml(rows: Iterable[CuratedRow]) -> str:
    """Return a file of ``mappings/pairs/`` with these rows, checked as they were built and every value quoted."""
    listed = [msgspec.to_builtins(row) for row in rows]
    body = "".join(row_lines(row) for row in listed)
    return f"schema_version: 1\npairs:{'' if listed else ' []'}\n{body}"


def curated_row(
    *,
    pair_id: str,
    category: str,
    orientation: Orientation,
    ticker: str,
    event_ticker: str,
    series_ticker: str,
    yes_label: str,
    condition_id: str,
    event_slug: str,
    market_slug: str,
    outcomes: tuple[str, str],
    token_ids: tuple[str, str],
    kalshi_rules_text: str,
    polymarket_rules_text: str,
    verified_by: str,
    verified_at: datetime,
    not_after: datetime,
    evidence: str,
    second_reviewer: str | None = None,
    tail_risks: tuple[str, ...] = (),
    max_notional_dollars: Decimal | None = None,
) -> CuratedRow:
    """Return an approved row from the facts of two markets; the tokens are spelled out from ``orientation``.

    Raises ValueError when the facts contradict each other.
    """
    yes_token, no_token = token_ids if orientation is Orientation.SAME else token_ids[::-1]
    return CuratedRow(
        pair_id=pair_id,
        category=category,
        status="approved",
        relation="equivalent",
        orientation=orientation,
        kalshi=KalshiSide(
            ticker=ticker,
            event_ticker=event_ticker,
            series_ticker=series_ticker,
            yes_label=yes_label,
            rules_sha256=text_sha256(kalshi_rules_text),
        ),
        polymarket=PolymarketSide(
            condition_id=condition_id,
            event_slug=event_slug,
            market_slug=market_slug,
            outcomes=outcomes,
            token_ids=token_ids,
            yes_token_id=yes_token,
            no_token_id=no_token,
            description_sha256=text_sha256(polymarket_rules_text),
        ),
        resolution=Resolution(tail_risks=tail_risks),
        origin=Origin(method="manual"),
        review=Review(
            verified_by=verified_by,
            verified_at=verified_at.astimezone(UTC),
            second_reviewer=second_reviewer,
            evidence=evidence,
        ),
        not_after=not_after.astimezone(UTC),
        max_notional_usd=None if max_notional_dollars is None else f"{max_notional_dollars:f}",
    )


def row_lines(row: dict[str, Any], indent: int = 2) -> str:
    """Return one row as an element of a list whose dashes stand in column ``indent``."""
    text = "\n".join(table_lines(row, indent + 2))
    return f"{' ' * indent}- {text.removeprefix(' ' * (indent + 2))}\n"


def table_lines(table: dict[str, Any], indent: int) -> list[str]:
    """Return the lines of a table, indented by ``indent``; every text quoted, so that it stays text."""
    lines: list[str] = []
    for key, value in table.items():
        start = f"{' ' * indent}{key}:"
        if isinstance(value, dict):
            lines += [start, *table_lines(value, indent + 2)]
        else:
            lines.append(f"{start} {_value(value)}")
    return lines


def _value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    return "".join(char if char.isprintable() else _escape(char) for char in json.dumps(value, ensure_ascii=False))


def _escape(char: str) -> str:
    return f"\\U{ord(char):08X}"
