"""The life of an episode: debounce, updates, dips, closing, reopening, resuming after a restart."""

from collections import Counter
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from services.arb_detector import ids
from services.arb_detector.core import Detector
from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened, OpportunityUpdated
from shared.domain.fees import FeeSchedule, KalshiFees, PolymarketFees
from shared.domain.market import MarketId, Venue
from shared.domain.pair import Direction, Orientation, PairId
from tests.unit.arb_detector.scene import Said, Scene, closed, intent, market, opened, pair, raw


def kinds(said: list[Said]) -> Counter[type]:
    return Counter(type(message) for message in said)


def test_an_edge_opens_when_it_has_held_for_the_debounce() -> None:
    scene = Scene()
    assert scene.offer() == []
    assert scene.outcome == "edge is younger than the debounce"
    assert scene.silent_tick(after_ms=49) == []
    assert kinds(scene.silent_tick(after_ms=1)) == {OpportunityOpened: 1, HedgedIntent: 1}
    assert scene.outcome == "opened"


def test_a_quote_can_end_the_debounce_as_well_as_the_timer() -> None:
    scene = Scene()
    scene.offer()
    scene.clock.advance(ms=50)
    assert opened(scene.take(scene.kalshi()))


def test_without_a_debounce_an_edge_opens_at_once() -> None:
    scene = Scene(debounce_ms=0)
    assert kinds(scene.offer()) == {OpportunityOpened: 1, HedgedIntent: 1}


def test_an_edge_that_vanishes_within_the_debounce_never_opens() -> None:
    scene = Scene()
    scene.offer()
    scene.clock.advance(ms=40)
    scene.take(scene.polymarket_without_edge())
    scene.clock.advance(ms=5)
    scene.take(scene.polymarket())
    assert scene.silent_tick(after_ms=45) == []
    assert scene.detector.due_s() is not None
    assert opened(scene.silent_tick(after_ms=5))


def test_the_timer_is_asked_for_exactly_when_the_debounce_ends() -> None:
    scene = Scene()
    assert scene.detector.due_s() is None
    scene.offer()
    assert scene.detector.due_s() == pytest.approx(0.05)


def test_the_numbers_of_an_opening_are_those_of_the_worked_example() -> None:
    """150 contracts: 62 for YES, 80.2 for NO, fees 2.5459 and 1.8658, so 3.3883 of 150 are left."""
    scene = Scene(max_capital_dollars=Decimal(0))
    found = scene.open()
    assert found.direction is Direction.YES_KALSHI_NO_POLYMARKET
    assert (found.contracts, found.cost_dollars) == (Decimal(150), Decimal("142.2"))
    assert (found.fee_dollars, found.edge_dollars) == (Decimal("4.4117"), Decimal("3.3883"))
    kalshi, polymarket = found.legs
    assert (kalshi.outcome, kalshi.limit_price_dollars, kalshi.token_id) == ("yes", Decimal("0.42"), "")
    assert (polymarket.outcome, polymarket.limit_price_dollars) == ("no", Decimal("0.54"))
    assert polymarket.token_id == "1002"
    assert polymarket.yes_bids == ((Decimal("0.47"), Decimal(80)), (Decimal("0.46"), Decimal(200)))
    assert kalshi.fee_source == "series KXGAME, from 2026-07-07"
    assert kalshi.sequence == 7


def test_stamps_name_the_quote_that_led_to_the_message() -> None:
    scene = Scene(debounce_ms=0)
    first = scene.kalshi()
    scene.clock.advance(ms=3)
    second = scene.polymarket()
    scene.take(first)
    found = opened(scene.take(second))
    assert found.wire_ts_ns == second.received_ts_ns
    assert found.detected_ts_ns == scene.clock.now_ns()


def test_the_intent_buys_both_legs_within_limits_and_expires() -> None:
    scene = Scene(max_capital_dollars=Decimal(0))
    found = scene.open()
    order = intent(scene.said)
    assert (order.intent_id, order.opportunity_id) == (found.opportunity_id, found.opportunity_id)
    assert order.expires_ts_ns - order.created_ts_ns == 2_000_000_000
    assert [leg.contracts for leg in order.legs] == [Decimal(150), Decimal(150)]
    assert [leg.limit_price_dollars for leg in order.legs] == [Decimal("0.42"), Decimal("0.54")]
    fees = [leg.fee_dollars for leg in found.legs]
    assert all(leg.max_fee_dollars >= fee for leg, fee in zip(order.legs, fees, strict=True))
    worst = sum(leg.contracts * leg.limit_price_dollars + leg.max_fee_dollars for leg in order.legs)
    assert order.max_cost_dollars == worst
    assert [leg.quote_checksum for leg in order.legs] == [leg.checksum for leg in found.legs]
    assert order.pair_version == scene.pair.version


@pytest.mark.parametrize(
    ("polymarket_quote", "direction", "kalshi_side", "polymarket_side", "token"),
    [
        # Polymarket's YES is Kalshi's NO and asks 0.53: together with Kalshi's YES at 0.41
        (([("0.50", "9")], [("0.53", "80")]), Direction.YES_KALSHI_NO_POLYMARKET, "yes", "yes", "1001"),
        # Polymarket's YES bids 0.69, so its NO costs 0.31 beside Kalshi's NO at 0.62
        (([("0.69", "80")], [("0.80", "9")]), Direction.NO_KALSHI_YES_POLYMARKET, "no", "no", "1002"),
    ],
)
def test_an_inverted_pair_buys_the_same_named_side_on_both_venues(
    polymarket_quote: tuple[list[tuple[str, str]], list[tuple[str, str]]],
    direction: Direction,
    kalshi_side: str,
    polymarket_side: str,
    token: str,
) -> None:
    scene = Scene(the_pair=pair(orientation=Orientation.INVERTED), debounce_ms=0)
    found = opened(scene.take(scene.kalshi(), scene.quote(Venue.POLYMARKET, *polymarket_quote)))
    kalshi, polymarket = found.legs
    assert (found.direction, kalshi.outcome, polymarket.outcome) == (direction, kalshi_side, polymarket_side)
    assert polymarket.token_id == token
    assert [leg.token_id for leg in intent(scene.said).legs] == ["", token]


def test_an_unchanged_edge_says_nothing_more() -> None:
    scene = Scene()
    scene.open()
    assert scene.take(scene.kalshi()) == []
    assert scene.outcome == "open and unchanged"
    assert scene.tick(after_ms=1_000) == []


def test_a_material_change_is_told_once_without_a_second_intent() -> None:
    scene = Scene()
    found = scene.open()
    scene.clock.advance(ms=100)
    said = scene.take(scene.quote(Venue.POLYMARKET, [("0.48", "80"), ("0.47", "200")], [("0.50", "10")]))
    assert kinds(said) == {OpportunityUpdated: 1}
    [update] = said
    assert isinstance(update, OpportunityUpdated)
    assert update.opportunity_id == found.opportunity_id
    assert update.edge_dollars > found.edge_dollars


def test_an_edge_that_stays_away_closes_with_its_peak() -> None:
    scene = Scene()
    found = scene.open()
    assert scene.take(scene.polymarket_without_edge()) == []
    assert scene.outcome == "edge is gone, the episode lingers"
    assert scene.tick(after_ms=249) == []
    ending = closed(scene.tick(after_ms=1))
    assert (ending.reason, ending.peak_edge_dollars) == ("edge is gone", found.edge_dollars)
    assert ending.opened_ts_ns == found.detected_ts_ns
    assert scene.detector.due_s() is None


def test_an_edge_that_flickers_a_hundred_times_a_second_is_one_episode() -> None:
    scene = Scene()
    scene.open()
    for at in range(300):
        scene.clock.advance(ms=5)
        scene.beats()
        scene.take(scene.polymarket_without_edge() if at % 2 else scene.polymarket())
        scene.silent_tick()
    found = kinds(scene.said)
    assert (found[OpportunityOpened], found[HedgedIntent], found[OpportunityClosed]) == (1, 1, 0)


def test_a_book_that_is_lost_again_and_again_reopens_at_a_limited_rate() -> None:
    scene = Scene(debounce_ms=0, reopen_after_ms=500)
    for _ in range(200):
        scene.clock.advance(ms=5)
        scene.beats()
        scene.take(scene.stale(Venue.KALSHI))
        scene.offer()
    assert kinds(scene.said)[OpportunityOpened] <= 3
    assert scene.detector.funnel["closed too recently to open again"]
    assert scene.funnel_is_balanced


def test_a_withdrawal_closes_even_when_a_new_quote_follows_in_the_same_batch() -> None:
    scene = Scene()
    first = scene.open()
    assert closed(scene.take(scene.stale(Venue.KALSHI), scene.kalshi())).opportunity_id == first.opportunity_id
    second = opened(scene.tick(after_ms=600) + scene.tick(after_ms=60))
    assert second.opportunity_id != first.opportunity_id


def test_one_batch_evaluates_a_market_once_with_its_newest_quote() -> None:
    scene = Scene(debounce_ms=0)
    before = scene.detector.evaluations
    quotes = [scene.polymarket_without_edge() for _ in range(20)]
    said = scene.take(*quotes, scene.kalshi(), scene.polymarket())
    assert opened(said)
    assert scene.detector.evaluations - before == 1
    assert (scene.detector.quotes, scene.detector.coalesced) == (22, 20)


@pytest.mark.parametrize("fees", [None, KalshiFees(
    fee_type="flat", multiplier=Decimal(1), effective_from=market(Venue.KALSHI).fees.effective_from, source="series"
)])  # type: ignore[union-attr]  # fmt: skip
def test_unknown_fees_are_told_at_the_worst_ordinary_rate_and_never_traded(fees: FeeSchedule | None) -> None:
    scene = Scene()
    scene.detector.set_market(market(Venue.KALSHI, fees=fees))
    found = scene.open()
    assert found.alert_only.startswith("fees on kalshi are assumed: ")
    assert found.legs[0].fee_source.startswith("assumed: ")
    assert kinds(scene.said)[HedgedIntent] == 0


def test_fees_of_which_a_dearer_contract_costs_less_are_assumed_too() -> None:
    """In range, and still no curve that the walk can price: the detector must not end by it."""
    fees = PolymarketFees(rate=Decimal(10), exponent=2, effective_from=date(2026, 7, 1), source="feeSchedule")
    scene = Scene()
    scene.detector.set_market(market(Venue.POLYMARKET, fees=fees))
    assert "makes a dearer contract cost less" in scene.open().alert_only
    assert kinds(scene.said)[HedgedIntent] == 0


def test_an_alert_only_pair_is_told_and_never_traded() -> None:
    scene = Scene(the_pair=pair(alert_only="void rules differ"))
    assert scene.open().alert_only == "void rules differ"
    assert kinds(scene.said)[HedgedIntent] == 0


def test_an_edge_too_good_to_be_true_is_told_and_never_traded() -> None:
    scene = Scene()
    scene.take(scene.kalshi(), scene.quote(Venue.POLYMARKET, [("0.80", "80")], [("0.82", "9")]))
    assert "more likely a wrong pair" in opened(scene.tick(after_ms=60)).alert_only
    assert kinds(scene.said)[HedgedIntent] == 0


def test_capital_limits_of_settings_and_pair_bound_each_leg() -> None:
    scene = Scene(the_pair=pair(max_notional_dollars=Decimal(20)), max_capital_dollars=Decimal(250))
    found = scene.open()
    for leg in found.legs:
        cost = sum(price * size + fee for price, size, fee in leg.fills)
        assert cost <= 20
    assert found.contracts > 30


@pytest.mark.parametrize("bids", [[("0.44", "80")], [("0.47", "2")]])
def test_an_edge_below_the_threshold_or_the_venues_minimum_is_none(bids: list[tuple[str, str]]) -> None:
    """At 0.41 + 0.56 fees of about 0.03 eat everything; two contracts are fewer than Polymarket's five."""
    scene = Scene()
    scene.take(scene.kalshi(), scene.quote(Venue.POLYMARKET, bids, [("0.49", "10")]))
    assert scene.outcome in ("no edge", "no edge at any allowed size")
    assert scene.tick(after_ms=60) == []


def test_a_pair_that_is_retired_or_changed_ends_its_episode() -> None:
    for pairs, reason in (({}, "pair is no longer live"), ({"changed": True}, "pair has changed")):
        scene = Scene()
        scene.open()
        live = {scene.pair.pair_id: pair(title="Another title")} if pairs else {}
        assert closed(scene.detector.set_pairs(live)).reason == reason


def test_a_pair_that_has_changed_opens_anew_although_its_books_are_quiet() -> None:
    """Both legs have been heard, so nothing else would make anybody look."""
    scene = Scene()
    first = scene.open()
    changed = pair(title="Another title")
    assert closed(scene.detector.set_pairs({changed.pair_id: changed})).reason == "pair has changed"
    assert scene.outcome == "edge is younger than the debounce"
    second = opened(scene.tick(after_ms=60))
    assert (second.title, second.opportunity_id != first.opportunity_id) == ("Another title", True)


def test_a_restart_takes_over_an_open_episode_without_saying_it_again() -> None:
    before = Scene()
    found = before.open()
    after = Scene()
    assert after.detector.resume([found]) == []
    assert after.silent_tick(after_ms=100) == []
    after.beats()
    assert kinds(after.offer()) == {}
    after.take(after.polymarket_without_edge())
    ending = closed(after.tick(after_ms=250) + after.tick(after_ms=250))
    assert ending.opportunity_id == found.opportunity_id
    assert ending.opened_ts_ns == found.detected_ts_ns


def test_a_resumed_episode_whose_feed_stays_away_is_closed_after_the_grace() -> None:
    found = Scene().open()
    after = Scene()
    after.detector.resume([found])
    assert after.silent_tick(after_ms=4_999) == []
    assert closed(after.silent_tick(after_ms=1)).reason == "no quote yet"


def test_a_resumed_episode_of_a_pair_that_is_gone_is_closed() -> None:
    found = Scene().open()
    after = Scene(the_pair=pair(pair_id=PairId("another"), kalshi_ticker=MarketId("KXOTHER")))
    assert closed(after.detector.resume([found])).reason == "pair is no longer live"


def test_books_from_keys_never_replace_what_the_stream_said_later() -> None:
    scene = Scene()
    old_kalshi, old_polymarket = scene.kalshi(), scene.polymarket()
    scene.clock.advance(ms=1)
    scene.take(scene.stale(Venue.KALSHI))
    part = scene.pair.partition
    scene.detector.take_books([(part, raw(old_kalshi)), (part, raw(old_polymarket))])
    assert scene.outcome == "quote withdrawn by its feed"
    assert scene.detector.legs(unheard_only=True) == []


def test_books_from_keys_are_news_by_their_number_whatever_the_wall_clock_did() -> None:
    """After a loss the key holds what was missed; the clock was set, and its stamp is older than the last word's."""
    scene = Scene()
    scene.open()
    scene.clock.set_wall(now_ms=scene.clock.now_ms() - 3_600_000)
    scene.clock.advance(ms=10)
    part, missed, lost = scene.pair.partition, scene.polymarket_without_edge(), scene.stale(Venue.KALSHI)
    lost = msgspec.structs.replace(lost, epoch=missed.epoch, pseq=next(scene.pseq))
    scene.said += scene.detector.take_books([(part, raw(missed)), (part, lost)])
    assert closed(scene.said).reason == "quote withdrawn by its feed"
    scene.said += scene.detector.take_books([(part, raw(missed))])
    assert scene.outcome == "quote withdrawn by its feed", "an old book is no news"


def test_ids_sort_by_time() -> None:
    early, late = ids.new_id(1_795_284_000_000, lambda _: 2**80 - 1), ids.new_id(1_795_284_000_001, lambda _: 0)
    assert early < late
    assert len(early) == len(late) == 26


def test_what_one_pair_of_a_batch_leads_to_is_said_before_the_next_is_looked_at() -> None:
    scene = Scene(debounce_ms=0)
    other = pair(pair_id=PairId("other"), kalshi_ticker=MarketId("KXOTHER"), polymarket_id=MarketId("0xother"))
    said: list[tuple[int, int]] = []
    detector = Detector(
        scene.config,
        scene.clock,
        random_bits=lambda _: 1,
        say=lambda emissions: said.append((len(emissions), detector.evaluations)),
    )
    scene.detector = detector
    pairs = {one.pair_id: one for one in (scene.pair, other)}
    detector.set_pairs(pairs)
    for one in pairs.values():
        for venue in Venue:
            detector.set_market(market(venue, market_id=one.market_id(venue)))
    scene.beats()
    before = detector.evaluations
    batch = []
    for one in pairs.values():
        scene.pair = one
        batch += [(one.partition, raw(scene.kalshi())), (one.partition, raw(scene.polymarket()))]
    assert detector.take_quotes(batch) == []
    assert said == [(1, before + 1), (1, before + 2)]
