"""Writes curated rows as the text that ``mapping_files`` reads, every value quoted so that it stays text."""

import json
from collections.abc import Iterable, Mapping
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

_NOT_REVIEWED = datetime(2026, 1, 1, tzinfo=UTC)


class PairFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulator knows about one true pair; unknown fields are ignored."""

    kalshi_ticker: str
    event_ticker: str
    series_ticker: str
    kalshi_yes_sub_title: str
    kalshi_rules_primary: str
    kalshi_rules_secondary: str
    kalshi_close_ts_ms: int
    condition_id: str
    polymarket_slug: str
    polymarket_event_slug: str
    polymarket_description: str
    polymarket_end_ts_ms: int
    token_ids: tuple[str, str]
    outcomes: tuple[str, str]
    orientation: Orientation


def curated_yaml(facts: Iterable[Mapping[str, Any]]) -> str:
    """Return a file of ``mappings/pairs/`` from a simulator's facts, so that its pairs take the real way in.

    Raises ValueError (msgspec.ValidationError among them) when facts are missing or contradict each other.
    """
    return rows_yaml(_row_of(msgspec.convert(fact, PairFacts)) for fact in facts)


def rows_yaml(rows: Iterable[CuratedRow]) -> str:
    """Return a file of ``mappings/pairs/`` with these rows, every value quoted."""
    listed = [msgspec.to_builtins(row) for row in rows]
    body = "".join(_lines(row) for row in listed)
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
        kalshi=KalshiSide(ticker=ticker, event_ticker=event_ticker, series_ticker=series_ticker, yes_label=yes_label),
        polymarket=PolymarketSide(
            condition_id=condition_id,
            event_slug=event_slug,
            market_slug=market_slug,
            outcomes=outcomes,
            token_ids=token_ids,
            yes_token_id=yes_token,
            no_token_id=no_token,
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


def _row_of(facts: PairFacts) -> CuratedRow:
    ends_ms = min(facts.kalshi_close_ts_ms, facts.polymarket_end_ts_ms)
    row = curated_row(
        pair_id=facts.kalshi_ticker.lower(),
        category="simulated",
        orientation=facts.orientation,
        ticker=facts.kalshi_ticker,
        event_ticker=facts.event_ticker,
        series_ticker=facts.series_ticker,
        yes_label=facts.kalshi_yes_sub_title,
        condition_id=facts.condition_id,
        event_slug=facts.polymarket_event_slug,
        market_slug=facts.polymarket_slug,
        outcomes=facts.outcomes,
        token_ids=facts.token_ids,
        verified_by="the simulator",
        verified_at=_NOT_REVIEWED,
        not_after=datetime.fromtimestamp(ends_ms // 1_000, UTC),
        evidence="the simulated world made both markets from one question",
    )
    rules = f"{facts.kalshi_rules_primary} {facts.kalshi_rules_secondary}"
    kalshi = msgspec.structs.replace(row.kalshi, rules_sha256=text_sha256(rules))
    description = text_sha256(facts.polymarket_description)
    polymarket = msgspec.structs.replace(row.polymarket, description_sha256=description)
    return msgspec.structs.replace(row, kalshi=kalshi, polymarket=polymarket)


def _lines(row: dict[str, Any]) -> str:
    text = "\n".join(_table(row, 4))
    return f"  - {text.removeprefix('    ')}\n"


def _table(table: dict[str, Any], indent: int) -> list[str]:
    lines: list[str] = []
    for key, value in table.items():
        start = f"{' ' * indent}{key}:"
        if isinstance(value, dict):
            lines += [start, *_table(value, indent + 2)]
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
