"""Whether a mapped pair may be live right now: everything the mapping says is held against the venues' own listings.

It fails closed: a contradiction suspends the pair with the reason, a market that is gone or over retires it. A pair
carries the hashes of both rule texts as they were when it was first seen under its present review; when either text
changes afterwards, the pair is suspended until it reads as before or somebody reviews it again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from services.matcher.mapping_files import PlacedRow
from services.matcher.mapping_rows import CuratedRow, text_sha256
from services.matcher.placeholders import is_placeholder
from services.matcher.templates import KalshiGame, PolymarketGame, SeriesTemplate, orientation_of
from shared.domain.fees import FALLBACK_SOURCE
from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.domain.pair import Pair, PairId

_OVER = frozenset({MarketStatus.CLOSED, MarketStatus.SETTLED})
_REVIEWED = (
    *("kalshi_ticker", "polymarket_id", "polymarket_token_ids", "polymarket_outcomes", "orientation"),
    *("kalshi_rules_hash", "polymarket_rules_hash"),
)
"""What a review is about. A suspended pair keeps it as it was reviewed, so that the next look still sees the change."""


@dataclass(frozen=True, slots=True)
class Live:
    """The pair may be watched and, unless it is alert-only, traded."""

    pair: Pair


@dataclass(frozen=True, slots=True)
class Suspended:
    """The pair must not be traded; ``reason`` says what a person has to look at."""

    pair: Pair
    reason: str
    awaits: Literal["listing", "review"] = "listing"


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such pair: nobody approves it now, or nothing like it was listed yet."""

    pair_id: PairId
    reason: str


@dataclass(frozen=True, slots=True)
class Over:
    """A market of the pair trades no more, or its time is up: only the results are left to look at."""

    pair_id: PairId
    reason: str


Judgement = Live | Suspended | Absent | Over


class Suspicion(NamedTuple):
    """Something outside the texts speaks against a pair; it holds until somebody reviews the pair again."""

    source: str
    """``Pair.source`` at that time: a newer review has another one."""
    reason: str


class Past(NamedTuple):
    """What was said about a pair before now."""

    known: Pair | None = None
    """The pair as it was last published."""
    suspicion: Suspicion | None = None
    series: str = ""
    """Why nothing of the pair's whole series may trade; empty when it may."""


Markets = tuple[Market | None, Market | None]
"""The listings of a pair: Kalshi's and Polymarket's, None when the venue does not list it."""


def judge_row(placed: PlacedRow, markets: Markets, past: Past, now: datetime) -> Judgement:
    """Return whether a curated row is live."""
    row = placed.row
    if row.status == "expired":
        return Over(row.id, "its row is expired")
    if row.status not in ("approved", "suspended"):
        return Absent(row.id, f"its row is {row.status}")
    kalshi, polymarket = markets
    if gone := _gone(row.key, markets, row.not_after, now):
        return Over(row.id, gone)
    assert kalshi is not None, row.pair_id
    assert polymarket is not None, row.pair_id
    pair = _pair_of_row(placed, kalshi, polymarket)
    contradiction = next(_row_contradictions(row, kalshi, polymarket), "")
    return _judged(pair, kalshi, polymarket, past, contradiction)


def judge_game(
    template: SeriesTemplate,
    sides: tuple[KalshiGame, PolymarketGame],
    markets: tuple[Market, Market],
    past: Past,
    now: datetime,
) -> Judgement:
    """Return whether the pair that a template found is live."""
    kalshi, polymarket = markets
    pair = _pair_of_game(template, sides, markets)
    if gone := _gone((kalshi.market_id, polymarket.market_id), markets, pair.not_after, now):
        return Over(pair.pair_id, gone)
    contradiction = "" if len(polymarket.token_ids) == 2 else "polymarket market has not two tokens"
    return _judged(pair, kalshi, polymarket, past, contradiction)


def game_pair_id(template: SeriesTemplate, game: KalshiGame) -> PairId:
    """Return the stable id of one side of a game: ``nba-game-2026-11-22-hou-por-hou``."""
    answer = game.key.answer.replace(" ", "-").replace(".", "-") or game.yes_team
    return PairId("-".join((template.template_id, str(game.key.day), *sorted(game.key.teams), answer)))


def _judged(pair: Pair, kalshi: Market, polymarket: Market, past: Past, contradiction: str) -> Live | Suspended:
    known, suspicion = past.known, past.suspicion
    reasons = [contradiction, *(_unfit(market) for market in (kalshi, polymarket))]
    if known is not None and known.source == pair.source:
        changed = _changed_texts(known, pair)
        if changed:
            pair = msgspec.structs.replace(pair, **{name: getattr(known, name) for name in _REVIEWED})
            reasons.insert(0, f"{changed} changed since review, read both again and renew review.verified_at")
    if suspicion is not None and suspicion.source == pair.source:
        return Suspended(pair, suspicion.reason, "review")
    reason = next(filter(None, [past.series, *reasons]), "")
    return Suspended(pair, reason) if reason else Live(pair)


def _changed_texts(known: Pair, pair: Pair) -> str:
    if (known.kalshi_ticker, known.polymarket_id) != (pair.kalshi_ticker, pair.polymarket_id):
        return "the pair's markets have"
    if known.orientation != pair.orientation:
        return "the orientation has"
    venues = [
        venue
        for venue, then, now in (
            ("kalshi", known.kalshi_rules_hash, pair.kalshi_rules_hash),
            ("polymarket", known.polymarket_rules_hash, pair.polymarket_rules_hash),
        )
        if then != now
    ]
    return f"rules, labels or tokens on {' and '.join(venues)} have" if venues else ""


def is_over(market: Market | None) -> bool:
    """Whether a market trades no more, or is not listed."""
    return market is None or market.status in _OVER


def _gone(key: tuple[MarketId, MarketId], markets: Markets, not_after: datetime | None, now: datetime) -> str:
    if not_after is not None and now >= not_after:
        return f"past its not_after {not_after:%Y-%m-%dT%H:%M:%SZ}"
    for venue, market_id, market in zip(Venue, key, markets, strict=True):
        if market is None:
            return f"{venue.value} market {market_id} is not listed"
        if market.status in _OVER:
            return f"{venue.value} market {market_id} is {market.status.value}"
    return ""


def _unfit(market: Market) -> str:
    if market.never_match:
        return f"{market.venue.value} market must not be paired: {market.never_match}"
    if market.status is not MarketStatus.OPEN:
        return f"{market.venue.value} market is {market.status.value}"
    return ""


def _row_contradictions(row: CuratedRow, kalshi: Market, polymarket: Market) -> Iterator[str]:
    """Yield every way in which the listings are not what the row says."""
    if row.status == "suspended":
        yield "its row is suspended"
    claims = (
        ("kalshi event", row.kalshi.event_ticker, kalshi.event_id),
        ("kalshi series", row.kalshi.series_ticker, kalshi.series_id or row.kalshi.series_ticker),
        ("kalshi YES label", row.kalshi.yes_label, kalshi.outcome_label),
        ("polymarket outcomes", row.polymarket.outcomes, polymarket.outcomes),
        ("polymarket tokens", row.polymarket.token_ids, polymarket.token_ids),
        ("polymarket market slug", row.polymarket.market_slug, polymarket.slug),
        ("polymarket event slug", row.polymarket.event_slug, polymarket.event_slug),
        ("kalshi rules_sha256", row.kalshi.rules_sha256, _digest(kalshi, row.kalshi.rules_sha256)),
        (
            "polymarket description_sha256",
            row.polymarket.description_sha256,
            _digest(polymarket, row.polymarket.description_sha256),
        ),
    )
    for what, said, listed in claims:
        if said != listed:
            yield f"{what} is {_shown(listed)}, the row says {_shown(said)}"
    if is_placeholder(kalshi.outcome_label):
        yield f"kalshi YES label {kalshi.outcome_label!r} is a placeholder"


def _digest(market: Market, said: str | None) -> str | None:
    return None if said is None else text_sha256(market.rules_text)


def _shown(value: str | tuple[str, ...] | None) -> str:
    return " / ".join(value) if isinstance(value, tuple) else repr(value)


def _pair_of_row(placed: PlacedRow, kalshi: Market, polymarket: Market) -> Pair:
    row = placed.row
    review = row.review
    reviewed_at = "" if review.verified_at is None else f", {review.verified_at.isoformat()}"
    return Pair(
        pair_id=row.id,
        kalshi_ticker=kalshi.market_id,
        polymarket_id=polymarket.market_id,
        polymarket_token_ids=row.polymarket.token_ids,
        polymarket_outcomes=row.polymarket.outcomes,
        orientation=row.orientation,
        title=_title(kalshi),
        origin="curated",
        source=f"pairs/{placed.name} ({review.verified_by}{reviewed_at})",
        kalshi_rules_hash=kalshi.rules_hash,
        polymarket_rules_hash=polymarket.rules_hash,
        not_after=row.not_after,
        max_notional_dollars=row.max_notional_dollars,
        void_risk="; ".join(row.resolution.tail_risks),
        alert_only=_alert_only(kalshi, polymarket),
    )


def _pair_of_game(
    template: SeriesTemplate, sides: tuple[KalshiGame, PolymarketGame], markets: tuple[Market, Market]
) -> Pair:
    kalshi, polymarket = markets
    game, moneyline = sides
    tokens = polymarket.token_ids if len(polymarket.token_ids) == 2 else ("", "")
    return Pair(
        pair_id=game_pair_id(template, game),
        kalshi_ticker=kalshi.market_id,
        polymarket_id=polymarket.market_id,
        polymarket_token_ids=(tokens[0], tokens[1]),
        polymarket_outcomes=(polymarket.outcomes[0], polymarket.outcomes[1]),
        orientation=orientation_of(game, moneyline),
        title=_title(kalshi),
        origin="template",
        source=f"template {template.template_id}",
        kalshi_rules_hash=kalshi.rules_hash,
        polymarket_rules_hash=polymarket.rules_hash,
        not_after=kalshi.expected_expiration_time or kalshi.close_time,
        max_notional_dollars=template.max_notional_dollars,
        void_risk=template.void_risk,
        alert_only=_alert_only(kalshi, polymarket),
    )


def _title(kalshi: Market) -> str:
    label = kalshi.outcome_label
    return f"{kalshi.title} [{label}]" if label and label not in kalshi.title else kalshi.title


def _alert_only(kalshi: Market, polymarket: Market) -> str:
    unknown = [
        market.venue.value
        for market in (kalshi, polymarket)
        if market.fees is None or market.fees.source.startswith(FALLBACK_SOURCE)
    ]
    return f"fee terms are unknown on {' and '.join(unknown)}" if unknown else ""
