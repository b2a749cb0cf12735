"""The faults D01 to D11 of the detector by their ids: crashes with real processes, the rest in its core."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened
from shared.contracts.streams import OPPORTUNITIES, intents
from shared.domain.fees import FeeSchedule, KalshiFees
from shared.domain.market import MarketStatus, Venue
from shared.domain.numbers import price_dollars, size_contracts
from shared.domain.orders import Depth
from shared.domain.risk import ApprovedIntent, Refusal, approve
from shared.domain.risk_terms import BookSeen, Context, LegSeen, RefusalReason, RiskLimits, Usage
from tests.faults.detector_world import kill, world_of
from tests.unit.arb_detector.scene import Levels, Said, Scene, closed, intent, market, opened

K, P = Venue.KALSHI, Venue.POLYMARKET
ONE_UNIT = Decimal("0.0000000001")

ONE_LEG_BAD: dict[str, tuple[Callable[[Scene], object], str]] = {
    "heartbeat": (lambda s: s.clock.advance(ms=2_501), "feed is silent"),
    "lag": (lambda s: s.beat(K, lag_ms=1_001), "connection lags behind the venue"),
    "epoch": (lambda s: s.beat(P, epoch="feed-2"), "quote is from before the feed's restart"),
    "crossed": (lambda s: s.take(s.quote(K, [("0.42", "9")], [("0.41", "9")])), "book is crossed"),
    "closed": (
        lambda s: s.said.extend(s.detector.set_market(market(P, status=MarketStatus.CLOSED))),
        "market is not open",
    ),
}


def count_of(said: list[Said], kind: type) -> int:
    return sum(isinstance(message, kind) for message in said)


@pytest.mark.parametrize("case", ONE_LEG_BAD)
def test_d01_one_leg_in_doubt_opens_nothing_and_closes_what_is_open_with_its_reason(case: str) -> None:
    spoil, reason = ONE_LEG_BAD[case]
    before = Scene()
    before.offer()
    spoil(before)
    before.silent_tick(after_ms=100)
    assert count_of(before.said, OpportunityOpened) + count_of(before.said, HedgedIntent) == 0
    during = Scene()
    during.open()
    spoil(during)
    during.silent_tick()
    assert closed(during.said).reason == reason
    assert count_of(during.said, HedgedIntent) == 1


@pytest.mark.parametrize("late", [K, P])
def test_d02_legs_from_different_times_do_not_meet(late: Venue) -> None:
    """The late leg's connection last proved itself 3 s before the other's, and both limits of its own are wide."""
    scene = Scene(frame_age_ms=10_000, beat_age_ms=10_000)
    fresh = P if late is K else K
    quotes = {K: scene.kalshi, P: scene.polymarket}
    scene.take(quotes[late]())
    scene.clock.advance(ms=3_000)
    scene.beat(late, frame_age_ms=3_000)
    scene.beat(fresh)
    scene.take(quotes[fresh]())
    scene.silent_tick(after_ms=100)
    assert scene.outcome == "legs were verified at different times"
    assert count_of(scene.said, OpportunityOpened) == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("point", "openings_before"), [("D03", 1), ("D04", 0)])
def test_d03_d04_killed_around_the_write_the_episode_is_told_exactly_once(
    redis_url: str, tmp_path: Path, point: str, openings_before: int
) -> None:
    with world_of(redis_url, tmp_path, count=1) as world:
        first = world.start_detector("first", DUTCHBOOK_CRASH_AT=point)
        world.wait_for_replicas(1)
        world.begin(world.pairs[0])
        world.until(lambda: first.process.poll() is not None)
        assert len(world.opened) == len(world.ordered) == openings_before
        world.start_detector("second")
        world.until(lambda: len(world.opened) == 1)
        world.pass_s(2)
        [opening], [order] = world.opened, world.ordered
        assert order.opportunity_id == opening.opportunity_id
        assert world.closed == []
        world.end(world.pairs[0])
        world.until(lambda: world.closed)
        [ending] = world.closed
        assert ending.opportunity_id == opening.opportunity_id
        assert ending.lifetime_ms == (ending.closed_ts_ns - opening.opened_ts_ns) // 1_000_000
        assert world.redis.hlen(OPPORTUNITIES.hash_name) == 0


def test_d04_killed_while_nothing_was_decided_it_is_found_by_the_next(redis_url: str, tmp_path: Path) -> None:
    with world_of(redis_url, tmp_path, count=4) as world:
        first = world.start_detector("first")
        world.wait_for_replicas(1)
        kill(first)
        for one in world.pairs:
            world.begin(one)
        world.start_detector("second")
        world.until(lambda: len(world.opened) == 4)
        assert len({message.pair_id for message in world.opened}) == 4


@pytest.mark.parametrize("hours", [1, -1])
def test_d05_a_clock_that_jumps_makes_no_storm_and_mutes_nothing(hours: int) -> None:
    scene = Scene()
    scene.open()
    scene.clock.set_wall(now_ms=scene.clock.now_ms() + hours * 3_600_000)
    for _ in range(200):
        scene.take(scene.kalshi(), scene.polymarket())
        scene.tick(after_ms=10)
    assert (count_of(scene.said, OpportunityOpened), count_of(scene.said, OpportunityClosed)) == (1, 0)
    scene.take(scene.polymarket_without_edge())
    scene.tick(after_ms=250)
    assert closed(scene.said).reason == "edge is gone"
    scene.clock.advance(ms=500)
    scene.offer()
    assert opened(scene.tick(after_ms=60))


def test_d06_an_edge_that_flaps_at_its_threshold_is_one_alert() -> None:
    """A bid of 0.443 earns a little less than asked, one of 0.445 a little more: 100 changes a second for 10 s."""
    scene = Scene(min_edge_dollars_per_contract=Decimal("0.0045"), material_percent=100)
    below = [("0.4430", "80")], [("0.49", "10")]
    above = [("0.4450", "80")], [("0.49", "10")]
    scene.take(scene.kalshi(), scene.quote(P, *above))
    scene.tick(after_ms=60)
    for at in range(1_000):
        scene.take(scene.quote(P, *(below if at % 2 else above)))
        scene.tick(after_ms=10)
    assert count_of(scene.said, OpportunityOpened) == count_of(scene.said, HedgedIntent) == 1
    assert count_of(scene.said, OpportunityClosed) == 0
    scene.take(scene.quote(P, [("0.40", "80")], [("0.42", "10")]))
    scene.tick(after_ms=250)
    assert closed(scene.said).reason == "edge is gone"


@pytest.mark.timeout(120)
def test_d07_a_thousand_pairs_at_once_are_all_told_once(redis_url: str, tmp_path: Path) -> None:
    with world_of(redis_url, tmp_path, count=1_000) as world:
        world.start_detector("first")
        world.wait_for_replicas(1)
        world.begin_all()
        world.until(lambda: world.redis.xlen(OPPORTUNITIES.name) >= 1_000)
        assert world.redis.hlen(OPPORTUNITIES.hash_name) == world.redis.xlen(intents("test").name) == 1_000
        assert Counter(message.pair_id for message in world.opened) == Counter(one.pair_id for one in world.pairs)
        orders = world.ordered
    assert {order.opportunity_id for order in orders} == {message.opportunity_id for message in world.opened}


def context_of(scene: Scene, order: HedgedIntent, *, waited_ms: int = 10, orders_last_minute: int = 0) -> Context:
    """What the executor would know if the scene's latest books and markets were on the bus."""
    legs = (scene.detector.pairs[scene.pair.pair_id].kalshi, scene.detector.pairs[scene.pair.pair_id].polymarket)
    seen = []
    for leg in legs:
        assert leg.quote is not None
        sides = [
            tuple((Decimal(price), Decimal(size)) for price, size in msgspec.json.decode(side))
            for side in (leg.bids_json, leg.asks_json)
        ]
        book = BookSeen(received_ts_ns=leg.quote.received_ts_ns, depth=Depth(*sides))
        seen.append(LegSeen(market=market(leg.venue), book=book))
    return Context(
        authentic=True,
        account=order.account,
        now_ns=order.created_ts_ns + waited_ms * 1_000_000,
        waited_ms=waited_ms,
        killed=False,
        pair=scene.pair,
        legs=(seen[0], seen[1]),
        usage=Usage(orders_last_minute=orders_last_minute),
        limits=RiskLimits(),
    )


def test_d07_of_a_thousand_intents_no_more_than_the_limit_becomes_orders() -> None:
    scene = Scene()
    scene.open()
    order = intent(scene.said)
    approved = 0
    for _ in range(1_000):
        approved += isinstance(approve(order, context_of(scene, order, orders_last_minute=approved)), ApprovedIntent)
    assert approved == RiskLimits().max_orders_per_minute


def test_d08_depth_that_vanishes_before_the_order_is_refused() -> None:
    scene = Scene()
    scene.open()
    order = intent(scene.said)
    assert isinstance(approve(order, context_of(scene, order)), ApprovedIntent)
    late = approve(order, context_of(scene, order, waited_ms=2_001))
    assert isinstance(late, Refusal)
    assert late.reason is RefusalReason.EXPIRED
    scene.take(scene.quote(P, [("0.39", "80")], [("0.49", "10")]))
    gone = approve(order, context_of(scene, order))
    assert isinstance(gone, Refusal)
    assert gone.reason is RefusalReason.LIQUIDITY_GONE


@pytest.mark.parametrize(
    "fees",
    [
        None,
        KalshiFees(fee_type="flat", multiplier=Decimal(1), effective_from=date(2026, 7, 7), source="series"),
        KalshiFees(fee_type="quadratic", multiplier=Decimal(101), effective_from=date(2026, 7, 7), source="series"),
    ],
)
def test_d09_without_a_fee_that_can_be_priced_there_are_alerts_and_no_intents(fees: FeeSchedule | None) -> None:
    scene = Scene()
    scene.said += scene.detector.set_market(market(K, fees=fees))
    assert scene.open().alert_only.startswith("fees on kalshi are assumed")
    assert count_of(scene.said, HedgedIntent) == 0


def test_d10_fractions_of_a_cent_and_of_a_contract_are_exact_and_equal_on_both_legs() -> None:
    """0.01 contracts at 0.4107 and 0.5293: cost 0.0094, fees by each venue's own rounding."""
    scene = Scene(min_edge_dollars=Decimal(0))
    scene.detector.set_market(market(P, min_contracts=Decimal("0.01"), min_notional_dollars=Decimal(0)))
    scene.take(scene.quote(K, asks=[("0.4107", "0.01")]), scene.quote(P, [("0.4707", "7.77")]))
    found = opened(scene.tick(after_ms=60))
    assert [leg.contracts for leg in intent(scene.said).legs] == [Decimal("0.01")] * 2
    assert (found.contracts, found.cost_dollars) == (Decimal("0.01"), Decimal("0.0094"))
    assert [leg.fills[0][:2] for leg in found.legs] == [
        (Decimal("0.4107"), Decimal("0.01")),
        (Decimal("0.5293"), Decimal("0.01")),
    ]
    assert found.edge_dollars == found.payout_dollars - found.cost_dollars - found.fee_dollars


def one_level(ask_e4: int, bid_e4: int, size_e6: int, **settings: Any) -> list[Said]:
    """What is said about one level on each side."""
    scene = Scene(debounce_ms=0, max_capital_dollars=Decimal(0), **settings)
    size = f"{size_contracts(size_e6):f}"
    asks: Levels = [(f"{price_dollars(ask_e4):f}", size)]
    bids: Levels = [(f"{price_dollars(bid_e4):f}", size)]
    return scene.take(scene.quote(K, asks=asks), scene.quote(P, bids))


@given(ask_e4=st.integers(2_000, 5_000), over_e4=st.integers(300, 900), cents=st.integers(500, 20_000))
def test_d11_a_profit_exactly_at_the_threshold_counts_and_one_unit_below_does_not(
    ask_e4: int, over_e4: int, cents: int
) -> None:
    size_e6 = cents * 10_000
    free = {"min_edge_dollars": Decimal(0), "min_edge_dollars_per_contract": Decimal(0)}
    said = one_level(ask_e4, ask_e4 + over_e4, size_e6, **free)
    for found in [message for message in said if isinstance(message, OpportunityOpened)]:
        exactly = free | {"min_edge_dollars": found.edge_dollars}
        above = free | {"min_edge_dollars": found.edge_dollars + ONE_UNIT}
        assert count_of(one_level(ask_e4, ask_e4 + over_e4, size_e6, **exactly), OpportunityOpened) == 1
        assert count_of(one_level(ask_e4, ask_e4 + over_e4, size_e6, **above), OpportunityOpened) == 0


@given(ask_e4=st.integers(2_000, 5_000), over_e4=st.integers(300, 900), cents=st.integers(500, 20_000))
def test_d11_fees_round_as_the_venues_do_and_never_further_for_us(ask_e4: int, over_e4: int, cents: int) -> None:
    """Kalshi rounds up; Polymarket down, to a hundred-thousandth of a dollar (19 recorded on-chain taker fills)."""
    for found in one_level(ask_e4, ask_e4 + over_e4, cents * 10_000):
        if isinstance(found, OpportunityOpened):
            kalshi, polymarket = found.legs
            assert all(fee >= unrounded_fee_dollars(kalshi.fees, *fill) for *fill, fee in kalshi.fills)
            for *fill, fee in polymarket.fills:
                exact_dollars = unrounded_fee_dollars(polymarket.fees, *fill)
                assert exact_dollars - Decimal("0.00001") < fee <= exact_dollars
            assert found.edge_dollars == found.contracts - found.cost_dollars - found.fee_dollars


def unrounded_fee_dollars(fees: FeeSchedule | None, price: Decimal, size: Decimal) -> Decimal:
    assert fees is not None
    rate = Decimal("0.07") * fees.multiplier if isinstance(fees, KalshiFees) else fees.rate
    return rate * size * price * (1 - price)
