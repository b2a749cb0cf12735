"""Venue objects from files as ``Market``: raw API objects and the rows of matching data sets alike.

Missing fields are left empty; texts are what matching needs. Such markets are only ever compared, never traded, so
grid, sizes and fees stay empty.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import msgspec

from services.matcher.placeholders import is_placeholder
from services.matcher.templates import EASTERN
from shared.domain.market import Market, MarketId, MarketStatus, Venue

_VERSUS = re.compile(r"(?!Will )(?:.*(?:: |\? - ))?([^:?]+?) vs\.? ([^:?]+?)(?: \([^)]*\).*)?")
_PLAYED = re.compile(r".+ vs\.? .+")


def kalshi_market(row: Mapping[str, Any]) -> Market:
    """Return a Kalshi market of a file; raises ValueError when it has no ticker."""
    ticker = _first(row, "ticker", "kalshi_id", "kalshi_ticker")
    if not ticker:
        raise ValueError("no ticker: expected a Kalshi market with `ticker` or `kalshi_id`")
    event = _first(row, "event_ticker") or ticker.partition("#")[0].rpartition("-")[0]
    title = _first(row, "title") or _first(row, "event_title")
    return Market(
        venue=Venue.KALSHI,
        market_id=MarketId(ticker),
        event_id=event,
        series_id=event.partition("-")[0],
        event_title=_first(row, "event_title"),
        title=title,
        outcome_label=_first(row, "yes_sub_title"),
        rules_text="\n".join(filter(None, (_first(row, "rules_primary"), _first(row, "rules_secondary")))),
        status=MarketStatus.OPEN,
        close_time=_moment(row, "close_time") or _moment(row, "deadline"),
        expected_expiration_time=_moment(row, "expected_expiration_time"),
        never_match="a parlay" if ticker.startswith("KXMVE") else "",
        price_steps=(),
        size_step_contracts=Decimal(1),
        min_contracts=Decimal(1),
        fees=None,
    )


def polymarket_market(row: Mapping[str, Any]) -> Market:
    """Return a Polymarket market of a file; raises ValueError when it has no id."""
    market_id = _first(row, "conditionId", "condition_id", "poly_id")
    if not market_id:
        raise ValueError("no id: expected a Polymarket market with `conditionId` or `poly_id`")
    question = _first(row, "question")
    event_slug = _first(row, "event_slug") or _nested(row, "slug")
    label = _first(row, "group_item_title", "groupItemTitle")
    outcomes = _texts(row, "outcomes")
    slug = _first(row, "slug") or (event_slug if _PLAYED.fullmatch(question) and ":" not in question else "")
    return Market(
        venue=Venue.POLYMARKET,
        market_id=MarketId(market_id),
        event_id=event_slug,
        slug=slug,
        event_slug=event_slug,
        event_title=_first(row, "event_title") or _nested(row, "title"),
        title=question,
        outcome_label=label,
        outcomes=outcomes or _usual_outcomes(question),
        token_ids=_texts(row, "token_ids", "clobTokenIds"),
        rules_text=_first(row, "description"),
        market_type=_first(row, "sports_market_type", "sportsMarketType"),
        status=MarketStatus.OPEN,
        close_time=_moment(row, "end_date") or _moment(row, "endDate"),
        game_start_time=_moment(row, "game_start") or _moment(row, "gameStartTime") or _event_day(row),
        never_match="a placeholder" if is_placeholder(label) else "",
        price_steps=(),
        size_step_contracts=Decimal(1),
        min_contracts=Decimal(1),
        fees=None,
    )


def _usual_outcomes(question: str) -> tuple[str, ...]:
    """Return what the outcomes are when a row leaves them out: the sides of a plain ``A vs. B``, else Yes and No."""
    found = _VERSUS.fullmatch(question.strip())
    return (found[1], found[2]) if found else ("Yes", "No")


def _event_day(row: Mapping[str, Any]) -> datetime | None:
    """Return noon, US Eastern, of the event's own date."""
    text = _first(row, "event_date", "eventDate")
    try:
        return datetime.combine(datetime.fromisoformat(text).date(), time(12), EASTERN) if text else None
    except ValueError:
        return None


def _first(row: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := row.get(name), str) and value), "")


def _nested(row: Mapping[str, Any], name: str) -> str:
    """Return a field of a Gamma market's first event."""
    events = row.get("events")
    event = events[0] if isinstance(events, list) and events else None
    return _first(event, name) if isinstance(event, dict) else ""


def _texts(row: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """Return a list of texts; Gamma writes lists as JSON inside a text."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value.startswith("["):
            value = msgspec.json.decode(value)
        if isinstance(value, list) and value:
            return tuple(map(str, value))
    return ()


def _moment(row: Mapping[str, Any], name: str) -> datetime | None:
    text = _first(row, name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T"))
    except ValueError:
        return None
    if len(text) == len("2026-11-22"):
        moment = datetime.combine(moment.date(), time(12))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
