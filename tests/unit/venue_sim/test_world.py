"""The world is the same for the same seed, speaks the venues' grammar, and crosses only on purpose."""

import re
from collections import Counter
from itertools import pairwise

import pytest

from services.venue_sim.markets import Operation, SimMarket
from services.venue_sim.truth import Truth
from services.venue_sim.world import World

START_MS = 1_795_284_000_000
"""2026-11-21T18:00:00Z."""


def ran(world: World, *, seconds: int, tick_ms: int = 10) -> list[Operation]:
    return [op for at in range(0, seconds * 1_000, tick_ms) for op in world.step(START_MS + at)]


def told(operations: list[Operation]) -> list[tuple[object, ...]]:
    return [(op.market.market_id, op.at_us, op.changes, op.trade) for op in operations]


def best_gap_e4(market: SimMarket) -> int:
    bid_e4, ask_e4 = market.book.best_bid_e4(), market.book.best_ask_e4()
    return 1 if bid_e4 is None or ask_e4 is None else ask_e4 - bid_e4


def test_the_same_seed_gives_the_same_operations_and_another_seed_others() -> None:
    first, again, other = (told(ran(World(seed=s, start_ms=START_MS), seconds=8)) for s in (3, 3, 4))
    assert first == again
    assert first != other


def test_the_tick_of_the_clock_does_not_change_what_happens() -> None:
    fine = told(ran(World(seed=3, start_ms=START_MS), seconds=3, tick_ms=1))
    coarse = told(ran(World(seed=3, start_ms=START_MS), seconds=3, tick_ms=50))
    assert fine[: len(coarse)] == coarse[: len(fine)]


def test_every_operation_has_an_instant_of_its_own_and_leaves_its_book_uncrossed() -> None:
    world = World(seed=5, start_ms=START_MS, operations_per_s=2_000)
    gaps: list[int] = []
    world.subscribe(lambda operation: gaps.append(best_gap_e4(operation.market)))
    operations = ran(world, seconds=3)
    instants = [operation.at_us for operation in operations]
    assert all(before < after for before, after in pairwise(instants))
    millis = Counter((operation.market.market_id, operation.at_ms) for operation in operations)
    assert set(millis.values()) == {1}
    assert min(gaps) > 0


def test_the_pace_is_the_one_that_was_asked_for() -> None:
    operations = ran(World(seed=6, start_ms=START_MS, operations_per_s=400, plant_interval_ms=0), seconds=10)
    assert 2_500 <= len(operations) <= 4_400  # some attempts come to nothing


def test_without_plants_nothing_pays() -> None:
    world = World(seed=7, start_ms=START_MS, operations_per_s=1_000, plant_interval_ms=0)
    truth = Truth(world)
    ran(world, seconds=10)
    assert truth.intervals() == []


@pytest.mark.parametrize("seed", range(3))
def test_crossings_come_often_last_a_while_and_are_worth_something(seed: int) -> None:
    world = World(seed=seed, start_ms=START_MS)
    truth = Truth(world)
    ran(world, seconds=30)
    ended = [interval for interval in truth.intervals() if interval.closed_ms is not None]
    assert len(ended) >= 5
    for interval in ended:
        assert interval.closed_ms is not None
        assert 1_400 <= interval.closed_ms - interval.opened_ms <= 6_100
        assert interval.best.dollars >= interval.at_open.dollars >= 0.05
        assert interval.question.kind in ("template", "curated")
    assert len({interval.question.kalshi.market_id for interval in ended}) >= 4
    assert {interval.direction for interval in ended} == {"yes_kalshi_no_polymarket", "no_kalshi_yes_polymarket"}


def test_a_world_that_was_not_stepped_for_long_does_not_rush_to_catch_up() -> None:
    world = World(seed=8, start_ms=START_MS, operations_per_s=1_000)
    world.step(START_MS + 100)
    late = world.step(START_MS + 60_100)
    assert len(late) < 150
    assert all(operation.at_ms > START_MS + 59_000 for operation in late)


def test_identifiers_follow_the_venues_grammar() -> None:
    world = World(seed=9, start_ms=START_MS)
    for ticker, market in world.kalshi_markets.items():
        assert re.fullmatch(r"KX[A-Z]+-[A-Z0-9]+-[A-Z0-9.]+", ticker), ticker
        assert ticker.startswith(market.event.event_ticker + "-")
        assert market.event.event_ticker.startswith(market.event.series.ticker + "-")
    for condition_id, listing in world.polymarket_markets.items():
        assert re.fullmatch(r"0x[0-9a-f]{64}", condition_id)
        assert all(re.fullmatch(r"[0-9]{70,78}", token) for token in listing.token_ids)
        assert re.fullmatch(r"[a-z0-9-]+", listing.slug), listing.slug
    slugs = [listing.slug for listing in world.polymarket_markets.values()]
    assert len(set(slugs)) == len(slugs)


def test_a_game_has_two_kalshi_markets_one_of_them_inverted() -> None:
    world = World(seed=10, start_ms=START_MS)
    games = [question for question in world.questions if question.kind == "template"]
    by_condition: dict[str, list[str]] = {}
    for question in games:
        by_condition.setdefault(question.polymarket.market_id, []).append(question.orientation)
        away, home = question.polymarket.slug.split("-")[1:3]
        team = question.kalshi.market_id.rsplit("-", maxsplit=1)[1].lower()
        assert team == (away if question.orientation == "same" else home)
    assert all(sorted(orientations) == ["inverted", "same"] for orientations in by_condition.values())


def test_the_world_has_every_kind_of_question_grid_and_charge() -> None:
    world = World(seed=11, start_ms=START_MS)
    assert {question.kind for question in world.questions} == {"template", "curated", "review", "look_alike"}
    assert 40 <= len(world.questions) <= 60
    kalshi, polymarket = world.kalshi_markets.values(), world.polymarket_markets.values()
    assert {market.grid.label for market in kalshi} == {"linear_cent", "tapered_deci_cent", "deci_cent"}
    assert {str(market.fee_multiplier) for market in kalshi} == {"0", "1/2", "1"}
    assert {listing.tick_e4 for listing in polymarket} == {10, 100}
    assert {str(listing.fee_rate) for listing in polymarket} == {"0", "1/25", "1/20"}
    ran(world, seconds=5)
    sizes = {size % 1_000_000 for market in kalshi for _, size in market.book.bids()}
    assert len(sizes) > 1, "some sizes are fractional"
    assert any(not market.book.bids() or not market.book.asks() for market in (*kalshi, *polymarket))
    assert any(price < 100 for market in kalshi for price, _ in market.book.asks()), "some prices are below a cent"


def test_small_and_large_worlds_can_be_asked_for() -> None:
    assert len(World(seed=1, start_ms=START_MS, question_count=6).questions) == 6
    assert 195 <= len(World(seed=1, start_ms=START_MS, question_count=200).questions) <= 202


def test_a_world_of_thousands_is_made_at_once_and_no_two_listings_have_the_same_ids() -> None:
    world = World(seed=1, start_ms=START_MS, question_count=4_000)
    assert 3_990 <= len(world.questions) <= 4_002
    listed = tuple(world.polymarket_markets.values())
    events = {market.event.event_id: market.event.slug for market in listed}
    assert len({market.gamma_id for market in listed}) == len(listed)
    assert len(events) == len({market.event.slug for market in listed})
    for question in world.questions[::97]:
        for market in (question.kalshi, question.polymarket):
            asking = [q for q in world.questions if market in (q.kalshi, q.polymarket)]
            assert list(world.questions_of[market.market_id]) == asking
