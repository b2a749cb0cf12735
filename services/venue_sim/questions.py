"""What the simulated world asks: league games, central banks, prices, elections, awards, and look-alikes.

A topic is one Kalshi market and one Polymarket market side by side; a look-alike gives the two sides different
propositions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from services.venue_sim.listing import DAY_MS, HOUR_MS, KalshiText, Lister, PolymarketText
from services.venue_sim.look_alikes import look_alikes, unmapped
from services.venue_sim.markets import KalshiEvent, KalshiMarket, PolymarketEvent, PolymarketMarket, Quoted, SimQuestion
from services.venue_sim.sports import LEAGUES, Game, add_games, game_day, list_kalshi_side, list_polymarket_game
from services.venue_sim.topics import Topic, awards, elections, inflation, rate_decision


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Everything that is listed on both venues."""

    kalshi: tuple[KalshiMarket, ...]
    polymarket: tuple[PolymarketMarket, ...]
    questions: tuple[SimQuestion, ...]
    quoted: tuple[Quoted, ...]


def list_questions(random: Random, *, start_ms: int, count: int) -> Listing:
    """List about ``count`` questions: the standing topics, and league games for the rest."""
    lister = Lister(random, start_ms=start_ms)
    topics = list(_topics(datetime.fromtimestamp(start_ms // 1_000, UTC), random))
    games = max(1, (count - len(topics) - 1) // 2)
    add_games(lister, games)
    for topic in topics[: max(0, count - 2 * games)]:
        _add(lister, topic)
    if count > len(topics):
        _add_game_on_another_day(lister)
    return Listing(
        kalshi=tuple(lister.kalshi),
        polymarket=tuple(lister.polymarket),
        questions=tuple(lister.questions),
        quoted=tuple(lister.quoted),
    )


def _add(lister: Lister, topic: Topic) -> None:
    ends_ms = int(topic.ends.timestamp()) * 1_000
    proposition = lister.proposition(topic.fair_e4)
    theirs = proposition if topic.kind != "look_alike" else lister.proposition(topic.other_fair_e4)
    kalshi = lister.list_kalshi(
        _kalshi_event(lister, topic, ends_ms), _kalshi_text(topic, ends_ms), proposition, grid=topic.grid
    )
    side = topic.polymarket
    text = PolymarketText(
        slug=side.slug,
        question=side.question,
        description=side.description,
        group_item_title=side.label,
        end_ts_ms=ends_ms,
    )
    polymarket = lister.list_polymarket(
        _polymarket_event(lister, topic, ends_ms),
        text,
        theirs,
        grid=topic.grid,
        fee_type=side.fee_type,
        fee_rate=side.fee_rate,
    )
    lister.ask(kalshi, polymarket, topic.kind, why_different=topic.why_different)


def _kalshi_event(lister: Lister, topic: Topic, ends_ms: int) -> KalshiEvent:
    ticker = f"{topic.kalshi.series.ticker}-{topic.kalshi.event}"
    return lister.kalshi_event(ticker) or KalshiEvent(
        event_ticker=ticker,
        series=topic.kalshi.series,
        title=topic.kalshi.event_title,
        sub_title=f"{topic.ends:%b %Y}",
        mutually_exclusive=topic.kalshi.floor_strike is None,
        strike_ts_ms=ends_ms,
    )


def _kalshi_text(topic: Topic, ends_ms: int) -> KalshiText:
    side = topic.kalshi
    return KalshiText(
        ticker=f"{side.series.ticker}-{side.event}-{side.suffix}",
        title=side.title,
        yes_sub_title=side.label,
        rules_primary=side.rules,
        rules_secondary="The exchange reads the named source on the day it is first published; revisions do not count.",
        strike_type="greater" if side.floor_strike is not None else "custom",
        floor_strike=side.floor_strike,
        custom_strike={} if side.floor_strike is not None else {"Answer": side.label},
        expected_expiration_ts_ms=ends_ms + HOUR_MS,
        close_ts_ms=ends_ms + 7 * DAY_MS,
    )


def _polymarket_event(lister: Lister, topic: Topic, ends_ms: int) -> PolymarketEvent:
    side = topic.polymarket
    known = next((market.event for market in lister.polymarket if market.event.slug == side.event_slug), None)
    return known or lister.polymarket_event(
        slug=side.event_slug,
        title=side.event_title,
        description=side.description,
        tags=side.tags,
        end_ts_ms=ends_ms,
        neg_risk=side.event_slug != side.slug,
    )


def _add_game_on_another_day(lister: Lister) -> None:
    """A look-alike: the same two teams on both venues, two days apart."""
    league = LEAGUES[0]
    away, home = lister.random.sample(league.teams, 2)
    early = Game(league, away, home, game_day(lister.start_ms, 20))
    late = Game(league, away, home, game_day(lister.start_ms, 22))
    kalshi = list_kalshi_side(lister, early, away, lister.proposition(4_400))
    polymarket = list_polymarket_game(lister, late, lister.proposition(5_100))
    lister.ask(kalshi, polymarket, "look_alike", why_different="the same teams two days later")


def _topics(start: datetime, random: Random) -> Iterator[Topic]:
    yield from rate_decision(start)
    yield from inflation(start)
    yield from elections(start, random)
    yield from awards(start, random)
    yield from unmapped(start)
    yield from look_alikes(start)
