"""What is true in the simulated world: which questions are the same, and every net opportunity while it lasts.

An opportunity is an interval during which some size that both venues accept has a positive edge after both fees. It is
computed from the engines' books after each operation that touches the question, by this service's own exact
arithmetic, which shares nothing with the detector.
"""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from services.venue_sim.markets import Operation, SimMarket, SimQuestion
from services.venue_sim.pricing import Edge, best_edge
from services.venue_sim.views import BookView, Direction, offers, terms_of
from services.venue_sim.world import World

Json = dict[str, Any]

_DIRECTIONS: tuple[Direction, ...] = ("yes_kalshi_no_polymarket", "no_kalshi_yes_polymarket")

KEPT_INTERVALS = 20_000
"""How many ended intervals are remembered; the oldest go first."""


@dataclass(eq=False, slots=True)
class Interval:
    """One opportunity from its first to its last moment."""

    question: SimQuestion
    direction: Direction
    opened_ms: int
    at_open: Edge
    best: Edge
    closed_ms: int | None = None
    """None while it lasts."""


class Truth:
    """Follows a world from its start."""

    def __init__(self, world: World, *, keep: int = KEPT_INTERVALS) -> None:
        self._world = world
        self._ended: deque[Interval] = deque(maxlen=keep)
        self._open: dict[tuple[str, str, Direction], Interval] = {}
        for question in world.questions:
            self._look(question, world.start_ms)
        world.subscribe(self._on_operation)
        world.subscribe_closings(self._on_closing)

    def pairs(self) -> list[SimQuestion]:
        """Return every true pair, mapped or not."""
        return [question for question in self._world.questions if question.is_pair]

    def mapped_pairs(self) -> list[SimQuestion]:
        """Return the true pairs that a curated row or a series template is expected to know."""
        return [question for question in self.pairs() if question.kind != "review"]

    def look_alikes(self) -> list[SimQuestion]:
        """Return what must not be paired."""
        return [question for question in self._world.questions if not question.is_pair]

    def intervals(self) -> list[Interval]:
        """Return every remembered opportunity by its start, those that still last included."""
        return sorted([*self._ended, *self._open.values()], key=lambda interval: interval.opened_ms)

    def _on_operation(self, operation: Operation) -> None:
        for question in self._world.questions_of[operation.market.market_id]:
            self._look(question, operation.at_ms)

    def _on_closing(self, market: SimMarket, at_ms: int) -> None:
        for question in self._world.questions_of[market.market_id]:
            self._look(question, at_ms)

    def _look(self, question: SimQuestion, at_ms: int) -> None:
        if not question.is_pair:
            return
        edges: dict[Direction, Edge | None] = dict.fromkeys(_DIRECTIONS)
        if _crosses(question):
            kalshi, polymarket = BookView.of(question.kalshi.book), BookView.of(question.polymarket.book)
            for direction, (ours, theirs) in offers(kalshi, polymarket, question.orientation).items():
                edge = best_edge(ours, theirs, terms_of(question))
                edges[direction] = edge if edge is not None and edge.dollars > 0 else None
        for direction, edge in edges.items():
            self._note(question, direction, at_ms, edge)

    def _note(self, question: SimQuestion, direction: Direction, at_ms: int, edge: Edge | None) -> None:
        key = (question.kalshi.market_id, question.polymarket.market_id, direction)
        known = self._open.get(key)
        if edge is None and known is not None:
            known.closed_ms = at_ms
            self._ended.append(self._open.pop(key))
        elif edge is not None and known is None:
            self._open[key] = Interval(question, direction, at_ms, edge, edge)
        elif edge is not None and known is not None and edge.dollars > known.best.dollars:
            known.best = edge


def _crosses(question: SimQuestion) -> bool:
    """Tell whether one venue bids more than the other asks, before any fee; else nothing can pay."""
    kalshi, polymarket = question.kalshi.book, question.polymarket.book
    bid_e4, ask_e4 = polymarket.best_bid_e4() or 0, polymarket.best_ask_e4() or 10_000
    if question.orientation == "inverted":
        bid_e4, ask_e4 = 10_000 - ask_e4, 10_000 - bid_e4
    return bid_e4 > (kalshi.best_ask_e4() or 10_000) or (kalshi.best_bid_e4() or 0) > ask_e4


def truth_json(truth: Truth, *, now_ms: int, since_ms: int = 0) -> Json:
    """Return the truth for other programs; intervals that ended before ``since_ms`` are left out.

    ``pairs`` are those that somebody is expected to have mapped; crossings are planted on these only.
    """
    recent = [i for i in truth.intervals() if i.closed_ms is None or i.closed_ms >= since_ms]
    return {
        "now_ms": now_ms,
        "pairs": [pair_json(question) for question in truth.mapped_pairs()],
        "unmapped": [pair_json(question) for question in truth.pairs() if question.kind == "review"],
        "look_alikes": [pair_json(q) | {"why_different": q.why_different} for q in truth.look_alikes()],
        "intervals": [_interval_json(interval) for interval in recent],
    }


def pair_json(question: SimQuestion) -> Json:
    """Return who is paired with whom, which way round, and who is expected to know it."""
    return {
        "kalshi_ticker": question.kalshi.market_id,
        "condition_id": question.polymarket.market_id,
        "token_ids": list(question.polymarket.token_ids),
        "outcomes": list(question.polymarket.outcomes),
        "orientation": question.orientation,
        "kind": question.kind,
    }


def mapping_facts(question: SimQuestion) -> Json:
    """Return everything a curated mapping row says about a pair."""
    kalshi, polymarket = question.kalshi, question.polymarket
    yes = 0 if question.orientation == "same" else 1
    return pair_json(question) | {
        "event_ticker": kalshi.event.event_ticker,
        "series_ticker": kalshi.event.series.ticker,
        "kalshi_title": kalshi.title,
        "kalshi_event_title": kalshi.event.title,
        "kalshi_yes_sub_title": kalshi.yes_sub_title,
        "kalshi_rules_primary": kalshi.rules_primary,
        "kalshi_rules_secondary": kalshi.rules_secondary,
        "kalshi_close_ts_ms": kalshi.close_ts_ms,
        "polymarket_slug": polymarket.slug,
        "polymarket_event_slug": polymarket.event.slug,
        "polymarket_question": polymarket.question,
        "polymarket_description": polymarket.description,
        "polymarket_group_item_title": polymarket.group_item_title,
        "polymarket_end_ts_ms": polymarket.end_ts_ms,
        "polymarket_neg_risk": polymarket.event.neg_risk,
        "yes_token_id": polymarket.token_ids[yes],
        "no_token_id": polymarket.token_ids[1 - yes],
    }


def dollars_text(value: Fraction) -> str:
    """Return an exact amount as decimal text; amounts here have at most ten decimals."""
    scaled = value * 10**10
    assert scaled.denominator == 1, value
    return format(Decimal(scaled.numerator).scaleb(-10).normalize(), "f")


def _interval_json(interval: Interval) -> Json:
    return {
        "kalshi_ticker": interval.question.kalshi.market_id,
        "condition_id": interval.question.polymarket.market_id,
        "kind": interval.question.kind,
        "direction": interval.direction,
        "opened_ms": interval.opened_ms,
        "closed_ms": interval.closed_ms,
        "edge_at_open_dollars": dollars_text(interval.at_open.dollars),
        "contracts_at_open": _contracts_text(interval.at_open.contracts_e6),
        "best_edge_dollars": dollars_text(interval.best.dollars),
        "best_contracts": _contracts_text(interval.best.contracts_e6),
    }


def _contracts_text(size_e6: int) -> str:
    return format(Decimal(size_e6).scaleb(-6).normalize(), "f")
