"""Random lives of baskets full of faults: nothing is told with a leg that must not be trusted or on a word that the
venue has taken back, and what is true is found when the faults end.

What may be trusted is worked out here again, from what the test itself did, without the detector's code.
"""

import os
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random

import pytest

from services.arb_detector.basket_evaluator import BasketEmission
from shared.contracts.baskets import BasketClosed, BasketOpened, BasketUpdated
from shared.domain.baskets import BasketKind
from shared.domain.market import MarketId, Venue
from tests.unit.arb_detector.basket_scene import EVERY_NO, EVERY_YES, NAMES, BasketScene, basket

STEPS = 250
SEEDS = range(int(os.environ.get("DUTCHBOOK_BASKET_LIVES", "24")))
CONNECTION = dict(zip(NAMES, ("one", "one", "two"), strict=True))
GOOD = {
    EVERY_NO: dict(zip(NAMES, ("0.45", "0.40", "0.25"), strict=True)),
    EVERY_YES: dict(zip(NAMES, ("0.30", "0.35", "0.25"), strict=True)),
}
POOR = {EVERY_NO: "0.20", EVERY_YES: "0.60"}


class Link:
    """What the test knows of one connection."""

    def __init__(self) -> None:
        self.epoch = "feed-1"
        self.beat_s = -1e9
        self.beat_epoch = ""
        self.is_good = False
        self.frame_age_s = 0.0
        self.quoted_s = -1e9

    @property
    def verified_s(self) -> float:
        return max(self.beat_s - self.frame_age_s, self.quoted_s)


class Life:
    """One scene under random treatment, watched by the test's own model."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.kind: BasketKind = self.random.choice([EVERY_NO, EVERY_YES])
        self.venue = Venue.KALSHI if self.kind is EVERY_NO and seed % 2 else Venue.POLYMARKET
        self.scene = BasketScene(the_basket=basket(self.venue, self.kind), debounce_ms=self.random.choice([0, 50]))
        self.links = {"one": Link(), "two": Link()}
        self.sound = dict.fromkeys(NAMES, False)
        self.epochs = dict.fromkeys(NAMES, "")
        self.prices = dict.fromkeys(NAMES, Decimal(0))
        self.is_borne = dict.fromkeys(NAMES, True)
        self.open: set[str] = set()
        self.ever_opened: set[str] = set()
        for name in self.links:
            self.beat(name)

    def check(self, said: Sequence[BasketEmission]) -> None:
        """Hold everything said against the model."""
        now_s = self.scene.clock.monotonic_s()
        for message in said:
            if isinstance(message, BasketClosed):
                self.open.remove(message.opportunity_id)
                continue
            assert isinstance(message, BasketOpened | BasketUpdated)
            assert all(self.is_borne.values())
            legs = [leg.market_id for leg in message.legs]
            assert all(self.is_trusted(name, now_s) for name in legs), (message, vars(self))
            verified_s = [self.links[CONNECTION[name]].verified_s for name in legs]
            assert max(verified_s) - min(verified_s) <= 2.5
            assert self.earns(legs) > 0
            assert message.edge_dollars > 0
            if isinstance(message, BasketOpened):
                assert message.opportunity_id not in self.ever_opened
                assert not self.open
                self.open.add(message.opportunity_id)
                self.ever_opened.add(message.opportunity_id)
            else:
                assert message.opportunity_id in self.open

    def is_trusted(self, name: MarketId, now_s: float) -> bool:
        """Whether quotes of this leg may lead to anything now."""
        link = self.links[CONNECTION[name]]
        return self.sound[name] and now_s - link.beat_s <= 2.5 and link.is_good and self.epochs[name] == link.beat_epoch

    def earns(self, legs: Sequence[MarketId]) -> Decimal:
        """What one contract of each leg earns before fees."""
        if self.kind is EVERY_YES:
            assert list(legs) == list(NAMES)
            return 1 - sum((self.prices[name] for name in legs), Decimal(0))
        return sum((self.prices[name] for name in legs), Decimal(0)) - 1

    def quote(self, name: MarketId, price: str, *, is_sound: bool, **changes: object) -> None:
        """Let a feed quote: a YES bid where NO is bought, a YES ask where YES is."""
        link = self.links[CONNECTION[name]]
        make = self.scene.bid if self.kind is EVERY_NO else self.scene.ask
        entry = make(name, price, epoch=link.epoch, connection=CONNECTION[name], **changes)
        self.sound[name], self.epochs[name], self.prices[name] = is_sound, link.epoch, Decimal(price)
        link.quoted_s = self.scene.clock.monotonic_s() - 0.0003
        self.check(self.scene.take(entry))

    def good(self, name: MarketId) -> None:
        self.quote(name, GOOD[self.kind][name], is_sound=True)

    def poor(self, name: MarketId) -> None:
        self.quote(name, POOR[self.kind], is_sound=True)

    def unverified(self, name: MarketId) -> None:
        self.quote(name, GOOD[self.kind][name], is_sound=False, verified="")

    def damaged(self, name: MarketId) -> None:
        self.quote(name, GOOD[self.kind][name], is_sound=False, checksum=3)

    def withdrawn(self, name: MarketId) -> None:
        self.sound[name] = False
        self.check(self.scene.take(self.scene.stale(name)))

    def restarted(self, name: MarketId) -> None:
        self.links[CONNECTION[name]].epoch = f"feed-{self.random.randrange(1_000)}"
        self.beat(CONNECTION[name])

    def beat(self, name: str, **changes: object) -> None:
        link = self.links[name]
        link.beat_s, link.beat_epoch = self.scene.clock.monotonic_s(), link.epoch
        link.is_good, link.frame_age_s = not changes, 0.005
        self.scene.beat(connection=name, epoch=link.epoch, **changes)

    def beat_of(self, name: MarketId) -> None:
        self.beat(CONNECTION[name])

    def old_beat(self, name: MarketId) -> None:
        """A beat that is fine by itself and vouches for the past."""
        self.beat(CONNECTION[name], frame_age_ms=2_400)
        link = self.links[CONNECTION[name]]
        link.is_good, link.frame_age_s = True, 2.4

    def bad_beat(self, name: MarketId) -> None:
        changes = ({"state": "down"}, {"lag_ms": 1_001})
        self.beat(CONNECTION[name], **self.random.choice(changes))

    def denied(self, name: MarketId) -> None:
        """The venue takes its word back."""
        self.is_borne[name] = False
        kalshi = self.venue is Venue.KALSHI
        change = {"mutually_exclusive": False} if kalshi else {"neg_risk_augmented": True}
        self.check(self.scene.list(name, **change))

    def stated(self, name: MarketId) -> None:
        self.is_borne[name] = True
        self.check(self.scene.list(name))

    def wait(self, _: MarketId) -> None:
        self.scene.clock.advance(ms=self.random.choice([1, 10, 49, 60, 250, 1_300, 2_501]))
        self.check(self.scene.note(self.scene.detector.tick()))

    def act(self) -> None:
        """Do one random thing."""
        likely: list[Callable[[MarketId], None]] = [self.good] * 8 + [self.beat_of] * 6 + [self.wait] * 5
        rare = [
            self.poor,
            self.unverified,
            self.damaged,
            self.withdrawn,
            self.restarted,
            self.old_beat,
            self.bad_beat,
            self.denied,
            self.stated,
            self.stated,
        ]
        self.random.choice(likely + rare)(self.random.choice(NAMES))

    def calm(self, treatment: Callable[[MarketId], None]) -> None:
        """Let a second pass in which everything is well."""
        for name in NAMES:
            self.stated(name)
        for _ in range(20):
            for name in NAMES:
                self.beat_of(name)
                treatment(name)
            self.scene.clock.advance(ms=50)
            self.check(self.scene.note(self.scene.detector.tick()))


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_never_lead_to_anything_and_truth_is_found_when_they_end(seed: int) -> None:
    life = Life(seed)
    for _ in range(STEPS):
        life.act()
    life.calm(life.good)
    assert len(life.open) == 1
    life.calm(life.poor)
    assert not life.open
    assert life.scene.funnel_is_balanced
