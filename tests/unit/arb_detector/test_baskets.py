"""Baskets go through the pairs' own gate: a leg that may not be believed is left out, or is the reason; each
evaluation is counted once; an episode ends with the trust in one of its legs or with the venue's word."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.arb_detector.basket_core import BasketDetector
from services.arb_detector.core import Detector
from services.arb_detector.settings import Settings
from services.arb_detector.sources import OpportunitySource
from shared.contracts.baskets import BasketUpdated
from shared.domain.market import MarketId, MarketStatus, Venue
from shared.testing.clock import FakeClock
from tests.unit.arb_detector.basket_scene import (
    EVERY_NO,
    EVERY_YES,
    NAMES,
    BasketScene,
    basket,
    closed,
    opened,
    told_ids,
)

A, B, C = NAMES
POLYMARKET = Venue.POLYMARKET


def yes_scene(**settings: Any) -> BasketScene:
    return BasketScene(the_basket=basket(POLYMARKET, EVERY_YES), **settings)


def test_three_nos_of_which_two_pay_are_told_with_every_figure_as_by_hand() -> None:
    scene = BasketScene()
    found = scene.open()
    assert told_ids(found) == [
        ("A", "no", Decimal("0.55")),
        ("B", "no", Decimal("0.60")),
        ("C", "no", Decimal("0.75")),
    ]
    assert (found.contracts, found.payout_dollars, found.cost_dollars) == (Decimal(100), Decimal(200), Decimal(190))
    # 0.07 x 100 x p(1-p): 1.7325 + 1.68 + 1.3125
    assert (found.fee_dollars, found.edge_dollars) == (Decimal("4.725"), Decimal("5.275"))
    assert found.labels == ("Runner A", "Runner B", "Runner C")
    assert "mutually_exclusive" in found.assumes[0]
    assert "alert-only" in found.alert_only
    assert (found.mutually_exclusive, found.neg_risk) == (True, False)
    assert scene.funnel_is_balanced


def test_three_yes_of_which_one_pays_are_told_with_the_tokens_to_buy() -> None:
    found = yes_scene().open()
    assert told_ids(found) == [
        ("A", "yes", Decimal("0.3")),
        ("B", "yes", Decimal("0.35")),
        ("C", "yes", Decimal("0.25")),
    ]
    assert [leg.token_id for leg in found.legs] == ["A1", "B1", "C1"]
    # 0.05 x 100 x p(1-p): 1.05 + 1.1375 + 0.9375
    assert (found.cost_dollars, found.fee_dollars) == (Decimal(90), Decimal("3.125"))
    assert (found.payout_dollars, found.edge_dollars) == (Decimal(100), Decimal("6.875"))
    assert "exactly one" in found.assumes[0]


def test_an_edge_must_hold_through_the_debounce() -> None:
    scene = BasketScene()
    scene.take(*scene.bids())
    assert scene.outcome == "edge is younger than the debounce"
    scene.clock.advance(ms=30)
    scene.take(scene.bid(A, "0.35"))
    assert scene.outcome == "no edge"
    scene.clock.advance(ms=30)
    assert opened(scene.take(scene.bid(A, "0.45"))) is None
    assert opened(scene.tick(after_ms=60)) is not None


def test_a_market_that_nobody_quotes_is_left_out_of_the_nos_and_stops_the_yes() -> None:
    scene = BasketScene()
    scene.take(scene.bid(A, "0.62"), scene.bid(B, "0.50"))
    found = opened(scene.tick(after_ms=60))
    assert found is not None
    assert [leg.market_id for leg in found.legs] == ["A", "B"]
    assert found.payout_dollars == found.contracts

    scene = yes_scene()
    scene.take(scene.ask(A, "0.30"), scene.ask(B, "0.35"))
    scene.tick(after_ms=60)
    assert scene.outcome == "no quote yet"
    assert scene.said == []


def test_a_no_that_adds_less_than_it_costs_is_left_out() -> None:
    scene = BasketScene()
    scene.take(scene.bid(A, "0.62"), scene.bid(B, "0.50"), scene.quote(C, [], [("0.9", "5")]))
    found = opened(scene.tick(after_ms=60))
    assert found is not None
    assert [leg.market_id for leg in found.legs] == ["A", "B"]


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (lambda scene: scene.take(scene.stale(B)), "quote withdrawn by its feed"),
        (lambda scene: scene.take(scene.bid(B, "0.40", verified="")), "book not verified"),
        (lambda scene: scene.take(scene.quote(B, [("0.40", "9")], [("0.39", "9")])), "book is crossed"),
        (lambda scene: scene.take(scene.bid(B, "0.40", checksum=1)), "levels do not match their checksum"),
        (lambda scene: scene.take(scene.bid(B, "0.40", epoch="another")), "quote is from before the feed's restart"),
        (lambda scene: scene.tick(after_ms=3_000, beating=False), "feed is silent"),
        (lambda scene: (scene.beat(lag_ms=5_000), scene.tick(beating=False))[1], "connection lags behind the venue"),
        (lambda scene: (scene.beat(state="down"), scene.tick(beating=False))[1], "connection is not live"),
        (lambda scene: scene.list(B, status=MarketStatus.PAUSED), "too few markets of the basket are open"),
    ],
)
@pytest.mark.parametrize("kind", [EVERY_NO, EVERY_YES])
def test_an_episode_ends_at_once_with_the_trust_in_one_of_its_legs(kind: Any, lost: Any, reason: str) -> None:
    scene = BasketScene() if kind is EVERY_NO else yes_scene()
    found = scene.open()
    ending = closed(lost(scene))
    assert (ending.reason, ending.opportunity_id) == (reason, found.opportunity_id)
    assert scene.funnel_is_balanced


def test_an_untrusted_leg_is_the_reason_where_there_is_no_edge_without_it_and_no_matter_where_there_is() -> None:
    scene = BasketScene()
    scene.take(*scene.bids()[:2], scene.bid(C, "0.25", verified=""))
    scene.tick(after_ms=60)
    assert scene.outcome == "book not verified"
    assert scene.said == []
    scene.take(scene.bid(A, "0.62"), scene.bid(B, "0.50"))
    found = opened(scene.tick(after_ms=60))
    assert found is not None
    assert [leg.market_id for leg in found.legs] == ["A", "B"]


def test_legs_of_two_connections_must_have_proved_themselves_at_the_same_time() -> None:
    scene = BasketScene(skew_ms=500)
    first, second, third = scene.bids()
    scene.beat(connection="two", frame_age_ms=1_500)
    scene.take(
        first, second, scene.bid(C, "0.25", connection="two", received_ts_ns=scene.clock.now_ns() - 1_500_000_000)
    )
    scene.tick(after_ms=60)
    assert scene.outcome == "legs were verified at different times"
    scene.take(third)
    assert opened(scene.tick(after_ms=60)) is not None


def test_when_trust_comes_back_the_debounce_starts_anew() -> None:
    scene = BasketScene(reopen_after_ms=0)
    scene.open()
    closed(scene.take(scene.stale(A)))
    assert opened(scene.take(scene.bid(A, "0.45"))) is None
    assert opened(scene.tick(after_ms=60)) is not None


@pytest.mark.parametrize(
    ("venue", "kind", "changes", "says"),
    [
        (Venue.KALSHI, EVERY_NO, {"mutually_exclusive": False}, "denies that at most one market"),
        (Venue.KALSHI, EVERY_NO, {"mutually_exclusive": None}, "does not say whether at most one market"),
        (Venue.KALSHI, EVERY_NO, {"event_id": "another"}, "listed under another event"),
        (POLYMARKET, EVERY_YES, {"neg_risk_augmented": True}, "augmented"),
        (POLYMARKET, EVERY_YES, {"neg_risk": False}, "denies"),
        (POLYMARKET, EVERY_YES, {"never_match": "the event's Other"}, "the event's Other"),
        (POLYMARKET, EVERY_YES, {"event_market_count": 4}, "not known how many"),
        (POLYMARKET, EVERY_NO, {"neg_risk_augmented": True}, "augmented"),
    ],
)
def test_a_changed_word_of_the_venue_takes_the_basket_down_at_once_and_keeps_it_down(
    venue: Venue, kind: Any, changes: dict[str, Any], says: str
) -> None:
    scene = BasketScene(the_basket=basket(venue, kind))
    scene.open()
    ending = closed(scene.list(B, **changes))
    assert ending.reason.startswith("the venue's listing does not bear the basket: ")
    assert says in ending.reason
    scene.take(*(scene.bids() if kind is EVERY_NO else scene.asks()))
    assert opened(scene.tick(after_ms=2_000)) is None
    assert scene.standing().reason == ending.reason
    scene.list(B)
    scene.take(*(scene.bids() if kind is EVERY_NO else scene.asks()))
    assert opened(scene.tick(after_ms=60)) is not None, "it is what it was"
    assert scene.funnel_is_balanced


def test_a_no_whose_market_closes_takes_only_its_episode_with_it() -> None:
    scene = BasketScene(reopen_after_ms=0)
    scene.open()
    assert closed(scene.note(scene.detector.close_market(Venue.KALSHI, C))).reason == (
        "too few markets of the basket are open"
    )
    scene.take(scene.bid(A, "0.62"), scene.bid(B, "0.50"))
    assert opened(scene.tick(after_ms=60)) is not None


def test_an_episode_lingers_over_a_dip_and_ends_when_its_edge_is_gone() -> None:
    scene = BasketScene()
    found = scene.open()
    scene.tick(after_ms=150)
    scene.take(scene.bid(A, "0.30"))
    assert scene.outcome == "edge is gone, the episode lingers"
    ending = closed(scene.tick(after_ms=300))
    assert (ending.reason, ending.peak_edge_dollars) == ("edge is gone", found.edge_dollars)
    assert ending.lifetime_ms == 450


def test_a_material_change_is_told_and_so_are_other_legs() -> None:
    scene = BasketScene()
    found = scene.open()
    scene.clock.advance(ms=150)
    scene.beat()
    [more] = scene.take(scene.bid(A, "0.50"))
    assert isinstance(more, BasketUpdated)
    assert (more.opportunity_id, more.edge_dollars > found.edge_dollars) == (found.opportunity_id, True)
    scene.clock.advance(ms=150)
    scene.beat()
    [other] = scene.take(scene.quote(C, [], [("0.9", "5")]), scene.bid(A, "0.74"))
    assert isinstance(other, BasketUpdated)
    assert [leg.market_id for leg in other.legs] == ["A", "B"]
    scene.clock.advance(ms=150)
    scene.beat()
    assert scene.take(scene.stale(C)) == [], "a leg that is not part of what was told is no loss"


def test_another_process_goes_on_with_the_same_episode() -> None:
    scene = BasketScene()
    found = scene.open()
    other = BasketScene()
    other.take(*other.bids())
    assert other.note(other.detector.resume([found])) == []
    assert opened(other.tick(after_ms=60)) is None
    assert closed(other.take(other.stale(A))).opportunity_id == found.opportunity_id

    gone = BasketScene(the_basket=basket(kind=EVERY_NO, title="Reworded"))
    assert closed(gone.note(gone.detector.resume([found]))).reason == "basket has changed"
    scene.detector.leave([scene.basket.partition])
    assert scene.detector.baskets == {}
    assert scene.detector.legs() == []


def test_a_basket_that_is_switched_off_closes_and_one_that_changed_starts_anew() -> None:
    scene = BasketScene()
    scene.open()
    changed = basket(members=scene.basket.members[:2])
    said = scene.note(scene.detector.set_baskets({changed.basket_id: changed}))
    assert closed(said).reason == "basket has changed"
    assert [leg[2] for leg in scene.detector.legs()] == ["A", "B"]
    [last] = scene.note(scene.detector.set_baskets({}))
    assert last.reason == "basket is no longer live"
    assert scene.detector.wanted_markets() == set()
    assert scene.detector.funnel.total() == scene.detector.evaluations


def test_a_basket_that_has_changed_opens_anew_although_its_books_are_quiet() -> None:
    scene = BasketScene()
    first = scene.open()
    changed = basket(kind=EVERY_NO, title="Reworded")
    assert closed(scene.note(scene.detector.set_baskets({changed.basket_id: changed}))).reason == "basket has changed"
    second = opened(scene.tick(after_ms=60))
    assert second is not None
    assert (second.title, second.opportunity_id != first.opportunity_id) == ("Reworded", True)


def test_a_basket_ends_at_its_last_moment() -> None:
    scene = BasketScene(the_basket=basket(not_after=datetime(2100, 1, 1, tzinfo=UTC)))
    scene.open()
    scene = BasketScene(the_basket=basket(not_after=datetime(2020, 1, 1, tzinfo=UTC)))
    scene.take(*scene.bids())
    assert scene.outcome == "basket is past its last moment"


def test_fees_that_nobody_knows_are_assumed_and_the_alert_says_so() -> None:
    scene = BasketScene()
    scene.list(B, fees=None)
    assert "fees on kalshi are assumed" in scene.open().alert_only


def test_a_void_risk_costs_the_haircut() -> None:
    plain = BasketScene(void_haircut_dollars_per_contract=Decimal("0.01")).open()
    risky = BasketScene(
        the_basket=basket(void_risk="fair price"), void_haircut_dollars_per_contract=Decimal("0.01")
    ).open()
    assert (plain.haircut_dollars, risky.haircut_dollars) == (Decimal(0), Decimal(1))
    assert risky.edge_dollars == plain.edge_dollars - 1


def test_all_legs_together_keep_the_venues_capital_limit() -> None:
    found = BasketScene(max_capital_dollars=Decimal(20)).open()
    assert Decimal(19) < found.capital_dollars <= Decimal(20)
    assert found.max_capital_dollars == Decimal(20)


def test_too_little_for_the_venues_minimum_is_too_thin_and_is_priced_again_only_after_a_while() -> None:
    scene = yes_scene()
    scene.list(A, min_contracts=Decimal(150))
    scene.take(*scene.asks())
    assert scene.outcome == "no edge at any allowed size"
    scene.take(scene.ask(A, "0.30", "1000"), scene.ask(B, "0.35", "1000"), scene.ask(C, "0.25", "1000"))
    assert scene.outcome == "no edge at any allowed size", "that was a moment ago"
    scene.tick(after_ms=120)
    assert scene.outcome == "edge is younger than the debounce"


def test_a_standing_says_which_leg_it_is_and_what_the_first_contract_would_earn() -> None:
    scene = BasketScene()
    scene.take(*scene.bids()[:2], scene.bid(C, "0.25", verified=""))
    standing = scene.standing()
    assert (standing.reason, standing.title) == ("book not verified", "Who wins the race?")
    assert [leg.reason for leg in standing.legs] == ["", "", "book not verified"]
    # 2 - 1.90 less 0.017325 + 0.0168 + 0.013125
    assert standing.edge_dollars_per_contract == Decimal("0.052750")
    assert sum(times for _, times in standing.reasons) == standing.evaluations


def test_a_withdrawal_acts_even_when_a_newer_quote_follows_in_the_same_batch() -> None:
    scene = BasketScene()
    scene.open()
    assert closed(scene.take(scene.stale(B), scene.bid(B, "0.40"))).reason == "quote withdrawn by its feed"


def test_quotes_of_other_markets_and_partitions_touch_nothing() -> None:
    scene = BasketScene()
    before = scene.detector.evaluations
    part, quote = scene.bid(A, "0.45")
    scene.take((part + 1, quote), scene.bid(MarketId("Z"), "0.45"))
    assert scene.detector.evaluations == before


def test_books_that_are_older_than_what_was_heard_are_not_taken() -> None:
    scene = BasketScene()
    old = scene.bid(A, "0.10")
    scene.clock.advance(ms=5)
    scene.take(*scene.bids())
    before = scene.detector.evaluations
    assert scene.note(scene.detector.take_books([old])) == []
    assert scene.detector.evaluations == before


def test_pairs_and_baskets_are_sources_of_the_same_kind() -> None:
    config, clock = Settings(redis_url="redis://unused").config(), FakeClock()
    pairs: OpportunitySource[Any, Any, Any, Any] = Detector(config, clock, random_bits=lambda _: 1)
    baskets: OpportunitySource[Any, Any, Any, Any] = BasketDetector(config, clock, random_bits=lambda _: 1)
    for source in (pairs, baskets):
        assert source.tick() == source.sweep() == []
        assert source.due_s() is None
        assert source.funnel.total() == source.evaluations == 0
