"""A basket's alert says in words what to buy, why it pays, and that nobody orders it; hostile labels do nothing."""

from decimal import Decimal

import msgspec

from services.alerts.text import basket_closed_text, basket_opened_text
from shared.contracts.baskets import BasketOpened
from shared.domain.market import Venue
from tests.unit.arb_detector.basket_scene import EVERY_YES, NAMES, BasketScene, basket, closed


def opening() -> BasketOpened:
    return BasketScene().open()


def test_a_basket_is_told_with_every_leg_and_amount_and_why_it_pays() -> None:
    message = opening()
    text = basket_opened_text(message, now_ns=message.detected_ts_ns + 300_000_000)
    assert text.splitlines() == [
        "Edge $5.275 in a basket of 3 on Kalshi, 100 contracts each: Who wins the race?",
        "buy 100 NO of Runner A on Kalshi A at $0.55 or less (fees $1.7325)",
        "buy 100 NO of Runner B on Kalshi B at $0.6 or less (fees $1.68)",
        "buy 100 NO of Runner C on Kalshi C at $0.75 or less (fees $1.3125)",
        "cost $190 + fees $4.725, pays at least $200",
        "because Kalshi: mutually‗exclusive, at most one of the event's markets resolves YES; "
        "every market settles at 0 or 1; none is voided",
        "basket kalshi-race-every‗no from baskets.yaml, event race (alice, 2026-11-20), "
        f"seen 300 ms ago, episode {message.opportunity_id}",
        "alert only: a basket is alert-only: nothing here orders more than two legs",
    ]


def test_every_yes_is_told_in_the_same_words() -> None:
    message = BasketScene(the_basket=basket(Venue.POLYMARKET, EVERY_YES)).open()
    lines = basket_opened_text(message, now_ns=message.detected_ts_ns).splitlines()
    assert lines[1] == "buy 100 YES of Runner A on Polymarket A at $0.3 or less (fees $1.05)"
    assert "exactly one of the event's markets resolves YES" in lines[5]


def test_many_legs_are_cut_and_counted() -> None:
    message = opening()
    many = msgspec.structs.replace(message, legs=message.legs * 4, labels=message.labels * 4)
    text = basket_opened_text(many, now_ns=message.detected_ts_ns)
    assert "in a basket of 12" in text
    assert "and 4 more" in text


def test_hostile_labels_and_titles_do_nothing() -> None:
    message = msgspec.structs.replace(
        opening(), title="<!channel> *now*", labels=("<http://evil.example|x>", "@here\nbuy", "c" * 500)
    )
    text = basket_opened_text(message, now_ns=message.detected_ts_ns)
    assert "<" not in text
    assert "@" not in text
    assert len(text.splitlines()) == 8


def test_the_end_of_an_episode_names_its_best_moment() -> None:
    scene = BasketScene()
    message = scene.open()
    ending = closed(scene.take(scene.stale(NAMES[0])))
    assert basket_closed_text(msgspec.structs.replace(ending, lifetime_ms=1_500)) == (
        "Over after 1500 ms: basket kalshi-race-every‗no, best edge $5.275 on 100 contracts each "
        f"(quote withdrawn by its feed), episode {message.opportunity_id}"
    )
    assert ending.peak_contracts == Decimal(100)
