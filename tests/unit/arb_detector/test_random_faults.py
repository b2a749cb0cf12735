"""Random lives full of faults: nothing is ever emitted from a leg that must not be trusted, and truth is found after.

What may be trusted is worked out here again, from what the test itself did, without the detector's code.
"""

from collections.abc import Callable
from random import Random

import pytest

from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened, OpportunityUpdated
from shared.contracts.quotes import QuoteText
from shared.domain.market import Venue
from tests.unit.arb_detector.scene import Levels, Said, Scene

STEPS = 300
SEEDS = range(40)

GOOD: dict[Venue, tuple[Levels, Levels]] = {
    Venue.KALSHI: ([("0.38", "100")], [("0.41", "100"), ("0.42", "50")]),
    Venue.POLYMARKET: ([("0.47", "80"), ("0.46", "200")], [("0.49", "10")]),
}
NO_EDGE: tuple[Levels, Levels] = ([("0.39", "80")], [("0.42", "10")])
CROSSED: tuple[Levels, Levels] = ([("0.60", "80")], [("0.42", "10")])


class Leg:
    """What the test knows of one leg."""

    def __init__(self) -> None:
        self.is_sound = False
        self.epoch = ""
        self.beat_s: float | None = None
        self.beat_epoch = ""
        self.beat_is_good = False
        self.frame_age_s = 0.0
        self.quoted_s = 0.0

    @property
    def verified_s(self) -> float:
        """When the connection last brought a frame."""
        return max((self.beat_s or 0) - self.frame_age_s, self.quoted_s)

    def is_trusted(self, now_s: float) -> bool:
        """Whether quotes of this leg may lead to anything now."""
        return (
            self.is_sound
            and self.beat_s is not None
            and now_s - self.beat_s <= 2.5
            and self.beat_is_good
            and self.epoch == self.beat_epoch
        )


class Life:
    """One scene under random treatment, watched by the test's own model."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.scene = Scene(debounce_ms=self.random.choice([0, 50]))
        self.legs = {venue: Leg() for venue in Venue}
        self.epochs = dict.fromkeys(Venue, "feed-1")
        self.open: set[str] = set()
        self.ordered: set[str] = set()
        self.ever_opened: set[str] = set()
        for venue in Venue:
            self.beat(venue)

    def check(self, said: list[Said]) -> None:
        """Hold everything said against the model."""
        now_s = self.scene.clock.monotonic_s()
        for message in said:
            if isinstance(message, OpportunityClosed):
                self.open.remove(message.opportunity_id)
                continue
            assert all(leg.is_trusted(now_s) for leg in self.legs.values()), (message, vars(self))
            verified_s = [leg.verified_s for leg in self.legs.values()]
            assert abs(verified_s[0] - verified_s[1]) <= 2.5
            match message:
                case OpportunityOpened():
                    assert message.opportunity_id not in self.ever_opened
                    assert not self.open
                    self.open.add(message.opportunity_id)
                    self.ever_opened.add(message.opportunity_id)
                case OpportunityUpdated():
                    assert message.opportunity_id in self.open
                case HedgedIntent():
                    assert message.intent_id not in self.ordered
                    self.ordered.add(message.intent_id)
            assert isinstance(message, HedgedIntent) or message.edge_dollars > 0

    def quote(self, venue: Venue, sides: tuple[Levels, Levels], *, is_sound: bool, **changes: object) -> None:
        """Let a feed quote."""
        quote: QuoteText = self.scene.quote(venue, *sides, epoch=self.epochs[venue], **changes)
        self.legs[venue].is_sound = is_sound
        self.legs[venue].epoch = self.epochs[venue]
        self.legs[venue].quoted_s = self.scene.clock.monotonic_s() - 0.0003
        self.check(self.scene.take(quote))

    def good(self, venue: Venue) -> None:
        self.quote(venue, GOOD[venue], is_sound=True)

    def no_edge(self, venue: Venue) -> None:
        self.quote(venue, NO_EDGE, is_sound=True)

    def crossed(self, venue: Venue) -> None:
        self.quote(venue, CROSSED, is_sound=False)

    def unverified(self, venue: Venue) -> None:
        self.quote(venue, GOOD[venue], is_sound=False, verified="")

    def damaged(self, venue: Venue) -> None:
        self.quote(venue, GOOD[venue], is_sound=False, checksum=3)

    def malformed(self, venue: Venue) -> None:
        self.quote(venue, ([("0.38", "1e3")], GOOD[venue][1]), is_sound=False)

    def withdrawn(self, venue: Venue) -> None:
        self.legs[venue].is_sound = False
        self.check(self.scene.take(self.scene.stale(venue)))

    def restarted(self, venue: Venue) -> None:
        self.epochs[venue] = f"feed-{self.random.randrange(1_000)}"
        self.beat(venue)

    def beat(self, venue: Venue, **changes: object) -> None:
        leg = self.legs[venue]
        leg.beat_s = self.scene.clock.monotonic_s()
        leg.beat_epoch = self.epochs[venue]
        leg.beat_is_good = not changes
        leg.frame_age_s = 0.005
        self.scene.beat(venue, epoch=self.epochs[venue], **changes)

    def old_beat(self, venue: Venue) -> None:
        """A beat that is fine by itself and vouches for the past."""
        self.beat(venue, frame_age_ms=2_400)
        self.legs[venue].beat_is_good = True
        self.legs[venue].frame_age_s = 2.4

    def bad_beat(self, venue: Venue) -> None:
        changes = ({"state": "down"}, {"lag_ms": 1_001})
        self.beat(venue, **self.random.choice(changes))

    def wait(self, venue: Venue) -> None:
        self.scene.clock.advance(ms=self.random.choice([1, 10, 49, 60, 250, 1_300, 2_501]))
        self.check(self.scene.silent_tick())

    def act(self) -> None:
        """Do one random thing."""
        likely: list[Callable[[Venue], None]] = [self.good] * 6 + [self.beat] * 6 + [self.wait] * 5
        rare = [
            self.no_edge,
            self.crossed,
            self.unverified,
            self.damaged,
            self.malformed,
            self.withdrawn,
            self.restarted,
            self.old_beat,
            self.bad_beat,
        ]
        self.random.choice(likely + rare)(self.random.choice(list(Venue)))

    def calm(self, treatment: Callable[[Venue], None]) -> None:
        """Let a second pass in which both feeds are well."""
        for _ in range(20):
            for venue in Venue:
                self.beat(venue)
                treatment(venue)
            self.scene.clock.advance(ms=50)
            self.check(self.scene.silent_tick())


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_never_lead_to_anything_and_truth_is_found_when_they_end(seed: int) -> None:
    life = Life(seed)
    for _ in range(STEPS):
        life.act()
    life.calm(life.good)
    assert len(life.open) == 1
    life.calm(life.no_edge)
    assert not life.open
    assert life.scene.funnel_is_balanced
    assert life.ever_opened == life.ordered
