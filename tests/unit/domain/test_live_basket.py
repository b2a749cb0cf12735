"""What a listing must state before its markets make a basket: each word is needed, and unknown is never yes."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.domain.baskets import BasketKind, NotGuaranteed, every_no, every_yes
from shared.domain.live_basket import BasketMember, LiveBasket, basket_id_of, stated_terms
from shared.domain.market import Market, MarketId, MarketStatus, PriceStep, Venue
from shared.domain.pair import partition_of

GROUP = "0x" + "9a" * 32
EVERY_NO, EVERY_YES = BasketKind.EVERY_NO, BasketKind.EVERY_YES


def market(name: str, venue: Venue = Venue.KALSHI, **changes: Any) -> Market:
    """One market of an event of three that states everything a basket needs."""
    stated = (
        {"mutually_exclusive": True}
        if venue is Venue.KALSHI
        else {"neg_risk": True, "neg_risk_augmented": False, "neg_risk_id": GROUP}
    )
    base = Market(
        venue=venue,
        market_id=MarketId(name),
        event_id="race",
        title=f"Will {name} win?",
        outcome_label=name,
        status=MarketStatus.OPEN,
        price_steps=(PriceStep(start_dollars=Decimal(0), end_dollars=Decimal(1), step_dollars=Decimal("0.01")),),
        size_step_contracts=Decimal("0.01"),
        min_contracts=Decimal("0.01"),
        fees=None,
        event_market_count=3,
        **stated,
    )
    return msgspec.structs.replace(base, **changes)


def three(venue: Venue, **changes: Any) -> list[Market]:
    """All markets of the event; the last one with fields changed."""
    return [market("A", venue), market("B", venue), market("C", venue, **changes)]


@pytest.mark.parametrize("venue", Venue)
def test_every_no_may_hold_some_of_the_markets_because_two_of_them_cannot_both_come_true(venue: Venue) -> None:
    terms = stated_terms(EVERY_NO, three(venue)[:2])
    assert every_no(terms, [MarketId("A"), MarketId("B")]).payout_dollars == 1
    terms = stated_terms(EVERY_NO, three(venue, event_market_count=None))
    assert every_no(terms, terms.market_ids).payout_dollars == 2, "how many there are does not matter"


def test_every_yes_needs_every_market_of_a_neg_risk_event() -> None:
    terms = stated_terms(EVERY_YES, three(Venue.POLYMARKET))
    assert every_yes(terms, terms.market_ids).payout_dollars == 1
    two = three(Venue.POLYMARKET)[:2]
    with pytest.raises(NotGuaranteed, match="these are 2 of the event's 3 markets"):
        every_yes(stated_terms(EVERY_YES, two), [one.market_id for one in two])


@pytest.mark.parametrize("count", [None, 4])
def test_every_yes_is_refused_while_nobody_knows_how_many_markets_there_are(count: int | None) -> None:
    with pytest.raises(NotGuaranteed, match="not known how many"):
        stated_terms(EVERY_YES, three(Venue.POLYMARKET, event_market_count=count))


def test_mutually_exclusive_never_makes_every_yes_on_kalshi() -> None:
    terms = stated_terms(EVERY_YES, three(Venue.KALSHI))
    with pytest.raises(NotGuaranteed, match="not that one must"):
        every_yes(terms, terms.market_ids)


@pytest.mark.parametrize(
    ("venue", "changes", "said"),
    [
        (Venue.KALSHI, {"mutually_exclusive": None}, "does not say whether at most one"),
        (Venue.KALSHI, {"mutually_exclusive": False}, "denies that at most one"),
        (Venue.KALSHI, {"event_id": "other"}, "now listed under event other"),
        (Venue.KALSHI, {"never_match": "combo of several markets"}, "C is combo of several markets"),
        (Venue.POLYMARKET, {"neg_risk": None}, "does not say whether C belongs to a neg-risk event"),
        (Venue.POLYMARKET, {"neg_risk": False}, "denies that C belongs"),
        (Venue.POLYMARKET, {"neg_risk_augmented": True}, "says that the event is augmented"),
        (Venue.POLYMARKET, {"neg_risk_augmented": None}, "does not say whether the event is augmented"),
        (Venue.POLYMARKET, {"neg_risk_id": ""}, "into one neg-risk group"),
        (Venue.POLYMARKET, {"neg_risk_id": "0x77"}, "into one neg-risk group"),
        (Venue.POLYMARKET, {"never_match": "the event's Other"}, "C is the event's Other"),
        (Venue.POLYMARKET, {"outcomes": ("Up", "Down")}, "outcomes Up and Down"),
        (Venue.POLYMARKET, {"outcomes": ("No", "Yes")}, "outcomes No and Yes"),
    ],
)
@pytest.mark.parametrize("kind", [EVERY_NO, EVERY_YES])
def test_one_listing_that_does_not_say_the_same_is_enough_to_refuse(
    kind: BasketKind, venue: Venue, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotGuaranteed, match=said):
        stated_terms(kind, three(venue, **changes))


def test_no_listing_no_basket() -> None:
    with pytest.raises(NotGuaranteed, match="no market of the event is listed"):
        stated_terms(EVERY_NO, [])


def test_a_basket_has_one_id_and_one_partition_for_ever() -> None:
    basket = LiveBasket(
        basket_id=basket_id_of(Venue.KALSHI, "KXRACE-26", EVERY_NO),
        kind=EVERY_NO,
        venue=Venue.KALSHI,
        event_id="KXRACE-26",
        members=(BasketMember(market_id=MarketId("A")), BasketMember(market_id=MarketId("B"))),
        source="baskets.yaml",
    )
    assert basket.basket_id == "kalshi-KXRACE-26-every_no"
    assert basket.partition == partition_of("kalshi-KXRACE-26-every_no") == 9
    grown = msgspec.structs.replace(basket, members=(*basket.members, BasketMember(market_id=MarketId("C"))))
    assert grown.version != basket.version
