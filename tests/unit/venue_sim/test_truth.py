"""The truth opens and closes with the books, in the terms of Kalshi's question, and forgets only the oldest."""

from fractions import Fraction

from services.venue_sim.engine import Side
from services.venue_sim.markets import Operation, SimMarket, SimQuestion
from services.venue_sim.pricing import best_edge
from services.venue_sim.truth import Truth, truth_json
from services.venue_sim.views import BookView, offers, terms_of
from services.venue_sim.world import World

START_MS = 1_795_284_000_000
ONE = 1_000_000


class Game:
    """One game without any quotes: the away team's question is ``same``, the home team's ``inverted``."""

    def __init__(self, *, keep: int = 100) -> None:
        self.world = World(seed=1, start_ms=START_MS, question_count=2, plant_interval_ms=0)
        self.same, self.inverted = self.world.questions
        assert (self.same.orientation, self.inverted.orientation) == ("same", "inverted")
        self.polymarket = self.same.polymarket
        assert self.inverted.polymarket is self.polymarket
        for market in (self.same.kalshi, self.inverted.kalshi, self.polymarket):
            for side in ("bid", "ask"):
                for price_e4, _ in market.book.side(side):
                    market.book.cancel(side, price_e4)
        self.now_ms = START_MS
        self.truth = Truth(self.world, keep=keep)

    def place(self, market: SimMarket, side: Side, price_e4: int, contracts: int) -> int:
        self.now_ms += 100
        self.world.inject(market, side, price_e4, contracts * ONE, now_ms=self.now_ms, rests=True)
        return self.now_ms

    def intervals(self, question: SimQuestion) -> list[tuple[str, int, int | None]]:
        found = [interval for interval in self.truth.intervals() if interval.question is question]
        return [(interval.direction, interval.opened_ms, interval.closed_ms) for interval in found]


def test_an_opportunity_opens_with_the_quote_that_makes_it_and_closes_when_it_is_taken() -> None:
    game = Game()
    game.place(game.polymarket, "bid", 6_000, 300)
    opened_ms = game.place(game.same.kalshi, "ask", 5_000, 100)
    closed_ms = game.place(game.same.kalshi, "bid", 5_000, 100)
    assert game.intervals(game.same) == [("yes_kalshi_no_polymarket", opened_ms, closed_ms)]


def test_the_edge_is_what_is_left_after_both_fees() -> None:
    """YES at 0.50 and NO at 0.40, a hundred: 10 dollars less 1.75 and 0.05 x 100 x 0.4 x 0.6 = 1.20."""
    game = Game()
    game.place(game.polymarket, "bid", 6_000, 300)
    multiplier = game.same.kalshi.fee_multiplier
    game.place(game.same.kalshi, "ask", 5_000, 100)
    [interval] = game.truth.intervals()
    assert interval.best.dollars == 10 - multiplier * Fraction("1.75") - Fraction("1.2")
    assert interval.best.contracts_e6 == 100 * ONE


def test_more_size_raises_the_best_edge_but_not_the_one_at_the_opening() -> None:
    game = Game()
    game.place(game.polymarket, "bid", 6_000, 300)
    game.place(game.same.kalshi, "ask", 5_000, 100)
    game.place(game.same.kalshi, "ask", 5_000, 50)
    [interval] = game.truth.intervals()
    assert interval.best.contracts_e6 == 150 * ONE
    assert interval.at_open.contracts_e6 == 100 * ONE
    assert interval.best.dollars > interval.at_open.dollars


def test_an_inverted_question_is_judged_in_kalshis_terms() -> None:
    """The home team at 0.30 on Kalshi, the away team at 0.60 on Polymarket: both together cost 0.90."""
    game = Game()
    game.place(game.polymarket, "ask", 6_000, 300)
    opened_ms = game.place(game.inverted.kalshi, "ask", 3_000, 100)
    assert game.intervals(game.inverted) == [("yes_kalshi_no_polymarket", opened_ms, None)]
    assert game.intervals(game.same) == []


def test_the_other_direction_buys_no_on_kalshi() -> None:
    game = Game()
    game.place(game.polymarket, "ask", 4_000, 300)
    opened_ms = game.place(game.same.kalshi, "bid", 5_000, 100)
    assert game.intervals(game.same) == [("no_kalshi_yes_polymarket", opened_ms, None)]


def test_a_crossing_that_fees_eat_is_no_opportunity() -> None:
    game = Game()
    game.place(game.polymarket, "bid", 5_100, 300)
    game.place(game.same.kalshi, "ask", 5_000, 100)
    assert game.intervals(game.same) == []


def test_the_log_is_bounded_and_drops_the_oldest() -> None:
    game = Game(keep=2)
    game.place(game.polymarket, "bid", 6_000, 900)
    opened = []
    for _ in range(3):
        opened.append(game.place(game.same.kalshi, "ask", 5_000, 100))
        game.place(game.same.kalshi, "bid", 5_000, 100)
    assert [interval.opened_ms for interval in game.truth.intervals()] == opened[1:]


def test_the_truth_for_others_is_text_and_plain_numbers() -> None:
    game = Game()
    game.place(game.polymarket, "bid", 6_000, 300)
    opened_ms = game.place(game.same.kalshi, "ask", 5_000, 100)
    told = truth_json(game.truth, now_ms=game.now_ms)
    [interval] = told["intervals"]
    assert interval["opened_ms"] == opened_ms
    assert interval["closed_ms"] is None
    assert interval["best_contracts"] == "100"
    assert interval["best_edge_dollars"] == "7.05"
    assert {pair["orientation"] for pair in told["pairs"]} == {"same", "inverted"}
    assert told["look_alikes"] == []


def test_intervals_that_ended_long_ago_can_be_left_out() -> None:
    game = Game()
    game.place(game.polymarket, "bid", 6_000, 300)
    game.place(game.same.kalshi, "ask", 5_000, 100)
    closed_ms = game.place(game.same.kalshi, "bid", 5_000, 100)
    assert len(truth_json(game.truth, now_ms=closed_ms, since_ms=closed_ms)["intervals"]) == 1
    assert truth_json(game.truth, now_ms=closed_ms, since_ms=closed_ms + 1)["intervals"] == []


def test_in_a_busy_world_the_truth_is_what_looking_at_every_pair_after_every_operation_finds() -> None:
    world = World(seed=12, start_ms=START_MS, question_count=8, operations_per_s=60, plant_interval_ms=700)
    truth = Truth(world)
    paying: dict[tuple[str, str, str], int] = {}
    looked: list[tuple[tuple[str, str, str], int, int]] = []

    def look(operation: Operation) -> None:
        for question in truth.pairs():
            books = BookView.of(question.kalshi.book), BookView.of(question.polymarket.book)
            for direction, (ours, theirs) in offers(*books, question.orientation).items():
                key = (question.kalshi.market_id, question.polymarket.market_id, direction)
                edge = best_edge(ours, theirs, terms_of(question))
                if edge is not None and edge.dollars > 0:
                    paying.setdefault(key, operation.at_ms)
                elif key in paying:
                    looked.append((key, paying.pop(key), operation.at_ms))

    world.subscribe(look)
    for at_ms in range(0, 8_000, 50):
        world.step(START_MS + at_ms)
    told = [
        ((i.question.kalshi.market_id, i.question.polymarket.market_id, i.direction), i.opened_ms, i.closed_ms)
        for i in truth.intervals()
    ]
    assert len(looked) > 3
    assert sorted(row for row in told if row[2] is not None) == sorted(looked)
    assert sorted((key, opened_ms) for key, opened_ms, closed_ms in told if closed_ms is None) == sorted(paying.items())
