"""Made-up listings of both venues for the matcher's benchmark, in the shapes and proportions of real ones.

Questions are made first (``matcher_questions``) and then listed: on both venues, each in its own words, or on one of
them. About a fifth of Kalshi's markets have a partner; their siblings, of another threshold, day, outcome or team, are
the look-alikes.
"""

import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from services.cli.bench.matcher_questions import Draw, Question
from shared.domain.market import Market, MarketId, MarketStatus, Venue

_BOTH_SHARE = 0.11
_KALSHI_SHARE = 0.40
"""Of the questions, how many both venues list, and how many only Kalshi does; the rest is Polymarket's alone."""


class Listings(NamedTuple):
    """Both venues' markets and which of them are the same question."""

    kalshi: list[Market]
    polymarket: list[Market]
    partner: dict[MarketId, MarketId]
    """Polymarket's id by Kalshi's."""


def make_listings(*, kalshi: int, polymarket: int, seed: int) -> Listings:
    """Return that many markets of each venue. The same numbers give the same listings."""
    rng = random.Random(seed)
    draw = Draw(rng)
    made = Listings([], [], {})
    seen: set[str] = set()
    while len(made.kalshi) < kalshi or len(made.polymarket) < polymarket:
        question = draw.question()
        if question.slug in seen or question.event_ticker in seen:
            continue
        question = question._replace(lines=tuple({line.suffix: line for line in question.lines}.values()))
        seen |= {question.slug, question.event_ticker}
        chance = rng.random()
        ours = _kalshi_markets(question) if chance < _BOTH_SHARE + _KALSHI_SHARE else []
        alone = _BOTH_SHARE <= chance < _BOTH_SHARE + _KALSHI_SHARE
        theirs = [] if alone else _polymarket_markets(question, len(made.polymarket))
        if len(made.kalshi) < kalshi and len(made.polymarket) < polymarket and theirs:
            last = len(theirs) - 1
            made.partner.update((our.market_id, theirs[min(n, last)].market_id) for n, our in enumerate(ours))
        made.kalshi.extend(ours if len(made.kalshi) < kalshi else ())
        made.polymarket.extend(theirs if len(made.polymarket) < polymarket else ())
    del made.kalshi[kalshi:], made.polymarket[polymarket:]
    kept = {market.market_id for market in (*made.kalshi, *made.polymarket)}
    partner = {ours: theirs for ours, theirs in made.partner.items() if ours in kept and theirs in kept}
    return Listings(made.kalshi, made.polymarket, partner)


def _kalshi_markets(question: Question) -> list[Market]:
    return [
        Market(
            venue=Venue.KALSHI,
            market_id=MarketId(f"{question.event_ticker}-{line.suffix}"),
            event_id=question.event_ticker,
            series_id=question.event_ticker.partition("-")[0],
            event_title=question.kalshi_event,
            title=line.kalshi_title,
            outcome_label=line.kalshi_label,
            rules_text=f"If it is so, the market resolves to Yes: {line.kalshi_title} {line.kalshi_label}",
            expected_expiration_time=_noon(question.ends),
            status=MarketStatus.OPEN,
            price_steps=(),
            size_step_contracts=Decimal(1),
            min_contracts=Decimal(1),
            fees=None,
        )
        for line in question.lines
    ]


def _polymarket_markets(question: Question, first: int) -> list[Market]:
    """Return a market per outcome, or the one whose outcomes are the two sides."""
    lines = question.lines[:1] if question.sides else question.lines
    return [
        Market(
            venue=Venue.POLYMARKET,
            market_id=MarketId(f"0x{first + n:064x}"),
            event_id=question.slug,
            slug=question.slug if len(lines) == 1 else f"{question.slug}-{line.suffix.lower()}",
            event_slug=question.slug,
            event_title=question.polymarket_event,
            title=line.polymarket_title,
            outcome_label=line.polymarket_label,
            outcomes=question.sides or ("Yes", "No"),
            token_ids=(f"{first + n}1", f"{first + n}2"),
            market_type=question.market_type,
            rules_text=f'This market will resolve to "Yes" if it is so: {line.polymarket_title}',
            close_time=_noon(question.ends),
            status=MarketStatus.OPEN,
            price_steps=(),
            size_step_contracts=Decimal(1),
            min_contracts=Decimal(1),
            fees=None,
        )
        for n, line in enumerate(lines)
    ]


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
