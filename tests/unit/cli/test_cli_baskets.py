"""``dutchbook why BASKET`` has one reason for every basket that somebody switched on."""

from services.cli.why import lines_of
from services.cli.why_answers import basket_answer
from shared.contracts.baskets import BasketActivated, BasketSuspended
from tests.unit.arb_detector.basket_scene import NAMES, BasketScene, basket


def test_a_suspended_basket_says_what_the_venue_does_not() -> None:
    reason = "Kalshi denies that at most one market of race resolves YES"
    answer = basket_answer(BasketSuspended(basket=basket(), reason=reason), None, now_ns=0)
    assert (answer.state, answer.reason) == ("suspended", f"the basket is suspended: {reason}")
    assert lines_of(answer) == ["kalshi-race-every_no", f"  the basket is suspended: {reason}"]


def test_a_live_basket_says_what_the_detector_saw() -> None:
    scene = BasketScene()
    scene.take(*scene.bids()[:2], scene.bid(NAMES[2], "0.25", verified=""))
    standing = scene.standing()
    now_ns = standing.as_of_ts_ns + 1_500_000_000
    answer = basket_answer(BasketActivated(basket=scene.basket), standing, now_ns=now_ns)
    lines = lines_of(answer)
    assert lines[0] == "kalshi-race-every_no  Who wins the race?"
    assert lines[1] == "  book not verified (for 1.5 s, as of 1.5 s ago)"
    assert lines[2].startswith("  alert-only: a basket is alert-only")
    assert "bid 0.4 x 100" in lines[4]
    assert lines[6] == (
        "  the basket: the first contract earns $0.052750 after fees ($0.001 asked for each, $0.01 in all)"
    )


def test_a_basket_that_no_detector_looks_at_says_so() -> None:
    live = BasketActivated(basket=basket())
    assert "does one run?" in basket_answer(live, None, now_ns=0).reason
    standing = BasketScene().standing()
    late_ns = standing.as_of_ts_ns + 151_000_000_000
    assert "for 151 s" in basket_answer(live, standing, now_ns=late_ns).reason
