"""Many simulated updates with every fault D01 to D11: what is said equals what is true, within the debounce.

Virtual time, one seed, the same every time. ``DUTCHBOOK_MANY_UPDATES`` sets how many updates there are (a million
takes a few minutes). The truth, in ``detector_truth``, shares no code with the detector.
"""

import os
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import count
from random import Random

import msgspec
import pytest

from services.arb_detector.core import Detector
from services.arb_detector.evaluator import Emission
from services.arb_detector.settings import Settings
from shared.contracts.funnel import PairDiverged, PairStanding
from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened, OpportunityUpdated
from shared.contracts.quotes import QuotesStale, QuoteText, levels_checksum
from shared.domain.market import MarketId, MarketStatus, Venue
from shared.domain.pair import Direction, Orientation, Pair, PairId
from shared.testing.clock import FakeClock
from tests.faults.detector_truth import Asked, Book, LegTruth, LinkTruth, Terms, best_edge, edge_at, mirrored
from tests.unit.arb_detector.feed_words import beat_of
from tests.unit.arb_detector.scene import Heard, Said, market, pair, raw

UPDATES = int(os.environ.get("DUTCHBOOK_MANY_UPDATES", "40000"))
K, P = Venue.KALSHI, Venue.POLYMARKET

DEBOUNCE_S, LINGER_S, REOPEN_S, TICK_S = 0.05, 0.25, 0.5, 0.25
SLACK_S = 0.03
"""The longest step of simulated time, and a little."""
GRACE_S = 5.0
"""How long a new detector waits for feeds to speak before it gives up an episode that it took over."""
BEAT_S = 1.0

pytestmark = pytest.mark.timeout(60 + UPDATES // 500)

PLAIN = Terms(Fraction(1), Fraction("0.01"), Fraction(5), Fraction(1))
FINE = Terms(Fraction("0.01"), Fraction("0.01"), Fraction("0.01"), Fraction("0.01"))
"""D10: hundredths of a contract, and prices in hundredths of a cent."""

BOOKS: dict[str, dict[Venue, tuple[Book, ...]]] = {
    "plain": {
        K: (
            Book((("0.38", "30"),), (("0.41", "20"), ("0.42", "15"))),
            Book((("0.40", "12"), ("0.39", "30")), (("0.43", "25"),)),
            Book((("0.46", "18"),), (("0.48", "40"),)),
            Book((), (("0.41", "9"),)),
            Book((("0.38", "30"),), ()),
        ),
        P: (
            Book((("0.47", "16"), ("0.46", "20")), (("0.49", "10"),)),
            Book((("0.39", "16"),), (("0.42", "10"),)),
            Book((("0.36", "20"),), (("0.37", "25"), ("0.38", "10"))),
            Book((("0.47", "2"),), (("0.49", "10"),)),
            Book((), (("0.49", "10"),)),
            Book((("0.62", "25"),), (("0.65", "10"),)),
        ),
    },
    "fine": {
        K: (
            Book((("0.3807", "0.90"),), (("0.4103", "0.62"), ("0.4111", "0.33"))),
            Book((("0.3807", "0.90"),), (("0.4103", "0.61"),)),
            Book((("0.4602", "0.44"),), (("0.4801", "1.21"),)),
        ),
        P: (
            Book((("0.4718", "0.62"),), (("0.4902", "0.10"),)),
            Book((("0.3914", "0.75"),), (("0.4209", "0.30"),)),
            Book((("0.3604", "0.50"),), (("0.3711", "0.81"),)),
        ),
    },
}
CROSSED = Book((("0.60", "80"),), (("0.42", "10"),))

# D11: the whole edge that is asked for is exactly what the first two of the fine books earn together.
_AT_THRESHOLD = best_edge(
    BOOKS["fine"][K][0],
    BOOKS["fine"][P][0],
    Orientation.SAME,
    Direction.YES_KALSHI_NO_POLYMARKET,
    terms=FINE,
    asked=Fraction(1, 1000),
)
SETTINGS = Settings(
    redis_url="redis://unused",
    min_edge_dollars=Decimal(int(_AT_THRESHOLD * 10**10)).scaleb(-10),
    max_intents_per_minute=0,
    max_intents_per_pair=0,
)
OPENING = Asked(Fraction(1, 1000), _AT_THRESHOLD)
STAYING = Asked(Fraction(1, 2000), _AT_THRESHOLD / 2)


class Told:
    """One direction of one pair: what is true, and what was said."""

    def __init__(self) -> None:
        self.true_s: float | None = None
        """Since when the edge is there on two trusted legs, without a pause."""
        self.seen_s: float | None = None
        """Since when every evaluation has found it so."""
        self.false_s: float | None = None
        """Since when less than staying open asks for is there, on trusted legs."""
        self.open_id = ""
        self.closed_s = -10.0


class Subject:
    """One pair with its legs."""

    def __init__(self, the_pair: Pair, kind: str, legs: dict[Venue, LegTruth]) -> None:
        self.pair = the_pair
        self.kind = kind
        self.legs = legs
        self.is_live = True
        self.told = {direction: Told() for direction in Direction}
        self.doubted_s: float | None = None
        self.resumed_s: float | None = None

    @property
    def terms(self) -> Terms:
        """What it is priced with now; without fees of its own, with the highest ordinary rate."""
        base = FINE if self.kind == "fine" else PLAIN
        if self.legs[P].has_fees:
            return base
        return msgspec.structs.replace(base, polymarket_rate=Fraction("0.07"))

    def is_trusted(self, now_s: float) -> bool:
        """Whether both legs count, together."""
        if not self.is_live or not all(leg.counts(now_s) for leg in self.legs.values()):
            return False
        one, other = (leg.link.verified_s() for leg in self.legs.values())
        return abs(one - other) <= 2.5

    def has_edge(self, direction: Direction, asked: Asked) -> bool:
        """Whether the books, true or not, offer what is asked."""
        kalshi, polymarket = self.legs[K].book, self.legs[P].book
        if kalshi is None or polymarket is None:
            return False
        place = (kalshi, polymarket, self.pair.orientation, direction)
        edge = best_edge(*place, terms=self.terms, asked=asked.per_contract)
        return edge > 0 and edge >= asked.whole


Word = tuple[Subject, Venue, QuoteText | QuotesStale, bool]
"""What a feed says about one leg, and whether it is sound."""


class Simulation:
    """A detector, what it is told, and what is true."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.clock = FakeClock()
        self.bits = count(1)
        self.pseq = count(1)
        self.updates = 0
        self.faults: Counter[str] = Counter()
        self.said: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.links = {(venue, name): LinkTruth() for venue in Venue for name in "ab"}
        self.silent_until_s: dict[tuple[Venue, str], float] = {}
        self.quiet_s: dict[tuple[Venue, str], tuple[float, float]] = {}
        """Connections that bring nothing, from when until when; their beats say so."""
        self.next_beat_s = {link: self.random.random() for link in self.links}
        self.subjects = {one.pair.pair_id: one for one in map(self._subject, range(18))}
        self.kept: dict[tuple[PairId, Direction], OpportunityOpened | OpportunityUpdated] = {}
        self.ids: set[str] = set()
        self.started_s = 0.0
        self.tick_s = self.sweep_s = 0.0
        self.acts: list[tuple[float, Callable[[], None]]] = []
        self.detector = self._new_detector()

    @property
    def now_s(self) -> float:
        """The monotonic clock."""
        return self.clock.monotonic_s()

    def run(self, updates: int) -> None:
        """Go on until there were so many quotes and withdrawals."""
        while self.updates < updates:
            self.step()
        self.check_funnel()

    def step(self) -> None:
        """Let a moment pass, and then something happen."""
        self.clock.advance(ms=self.random.choice((1, 2, 5, 10, 20)))
        self._keep_time()
        self._beat()
        for act in [act for act in self.acts if act[0] <= self.now_s]:
            self.acts.remove(act)
            act[1]()
        self._quote_some()
        if self.random.random() < 0.02:
            self.random.choice(FAULTS)(self)
        self.check_truth()

    # what happens

    def _quote_some(self) -> None:
        chosen = self.random.choices(list(self.subjects.values()), k=self.random.randrange(1, 16))
        legs = [(one, self.random.choice((K, P))) for one in chosen]
        self.deliver([self.word(one, venue) for one, venue in legs if not self.is_quiet(one, venue)])

    def is_quiet(self, one: Subject, venue: Venue) -> bool:
        """Whether a leg, or its connection, brings nothing now."""
        if one.legs[venue].quiet_until_s > self.now_s:
            return True
        return self.quiet_s.get((venue, self.link_name(one, venue)), (0.0, 0.0))[1] > self.now_s

    def word(self, one: Subject, venue: Venue, book: Book | None = None) -> Word:
        """Return the next sound quote of a leg: mostly the same book again."""
        leg = one.legs[venue]
        if book is None:
            repeats = leg.is_sound and self.random.random() < 0.95
            book = leg.book if leg.book is not None and repeats else self.any_book(one, venue)
        return one, venue, self.quote(one, venue, book), True

    def any_book(self, one: Subject, venue: Venue) -> Book:
        """Return one of the books of a pair's kind, in its orientation."""
        book = self.random.choice(BOOKS[one.kind][venue])
        return mirrored(book) if venue is P and one.pair.orientation is Orientation.INVERTED else book

    def quote(self, one: Subject, venue: Venue, book: Book, **changes: object) -> QuoteText:
        """Return a quote of a leg as its feed would write it now."""
        now_ns = self.clock.now_ns()
        base = QuoteText(
            src=f"{venue}_feed",
            epoch=one.legs[venue].link.epoch,
            pseq=next(self.pseq),
            venue=venue.value,
            market_id=one.pair.market_id(venue),
            yes_bids=book.yes_bids,
            yes_asks=book.yes_asks,
            venue_ts_ms=now_ns // 1_000_000,
            received_ts_ns=now_ns - 300_000,
            published_ts_ns=now_ns,
            verified="sequence" if venue is K else "hash",
            connection=self.link_name(one, venue),
            checksum=levels_checksum(book.yes_bids, book.yes_asks),
        )
        return msgspec.structs.replace(base, **changes) if changes else base

    def link_name(self, one: Subject, venue: Venue) -> str:
        """Return the name of a leg's connection."""
        return next(name for (of, name), link in self.links.items() if of is venue and link is one.legs[venue].link)

    def deliver(self, batch: list[Word]) -> None:
        """Hand over one batch, and know what is true after it: the newest word of each leg, and every withdrawal."""
        self.updates += len(batch)
        entries = []
        withdrawn = {
            (id(one), venue): at for at, (one, venue, word, _) in enumerate(batch) if isinstance(word, QuotesStale)
        }
        for at, (one, venue, message, is_sound) in enumerate(batch):
            leg = one.legs[venue]
            leg.word, leg.is_sound = message, is_sound
            entries.append((one.pair.partition, raw(message)))
            if isinstance(message, QuotesStale):
                leg.book = None
                for told in one.told.values():
                    told.seen_s = told.true_s = None
            elif at > withdrawn.get((id(one), venue), -1):
                self.hear(leg, message)
        touched = {one.pair.pair_id for one, _, _, _ in batch}
        self.evaluated(touched)
        self.take(self.detector.take_quotes(entries))
        for one, _, message, _ in batch:
            if isinstance(message, QuotesStale):
                assert self.is_young(one) or not any(told.open_id for told in one.told.values())

    def hear(self, leg: LegTruth, message: QuoteText) -> None:
        """Note what a quote, sound or not, says about its leg and its connection."""
        leg.book = Book(message.yes_bids, message.yes_asks)
        leg.epoch = message.epoch
        leg.not_before_s = self.now_s - (self.clock.now_ns() - message.received_ts_ns) / 1_000_000_000
        heard_s = min(leg.not_before_s, self.now_s)
        leg.link.heard_s = heard_s if leg.link.heard_s is None else max(heard_s, leg.link.heard_s)

    def evaluated(self, pair_ids: set[PairId] | None = None) -> None:
        """Note that the detector looks at these pairs, or at all that matter, now."""
        for pair_id, one in self.subjects.items():
            if pair_ids is None or pair_id in pair_ids:
                is_trusted = one.is_trusted(self.now_s)
                for direction, told in one.told.items():
                    holds = is_trusted and one.has_edge(direction, OPENING)
                    told.seen_s = (self.now_s if told.seen_s is None else told.seen_s) if holds else None

    def _keep_time(self) -> None:
        due_s = self.detector.due_s()
        if self.now_s >= self.tick_s or (due_s is not None and self.now_s >= due_s):
            self.tick_s = self.now_s + TICK_S
            self.evaluated()
            self.take(self.detector.tick())
        if self.now_s >= self.sweep_s:
            self.sweep_s = self.now_s + 1.0
            self.evaluated()
            self.take(self.detector.sweep())

    def _beat(self) -> None:
        for link, due_s in self.next_beat_s.items():
            if self.now_s >= due_s and self.now_s >= self.silent_until_s.get(link, 0.0):
                self.next_beat_s[link] = self.now_s + BEAT_S
                from_s, to_s = self.quiet_s.get(link, (0.0, 0.0))
                self.beat(link, frame_age_ms=int((self.now_s - from_s) * 1_000) if to_s > self.now_s else 5)

    def beat(self, link: tuple[Venue, str], **changes: object) -> None:
        """Let a connection beat."""
        venue, name = link
        words = {"epoch": self.links[link].epoch, "pseq": next(self.pseq), "connection": name, **changes}
        message = beat_of(venue, self.clock.now_ns(), **words)
        truth = self.links[link]
        truth.beat_s, truth.beat_epoch = self.now_s, message.epoch
        truth.is_up, truth.lag_ms = message.state in ("live", "degraded"), message.lag_ms
        truth.frame_age_ms = message.frame_age_ms
        self.detector.take_beat(message)

    def later(self, after_s: float, act: Callable[[], None]) -> None:
        """Do something after a while."""
        self.acts.append((self.now_s + after_s, act))

    # what is said

    def take(self, emissions: list[Emission]) -> None:
        """Hold everything said against the truth, and remember it as Redis would."""
        said = Heard(emissions)
        for at, message in enumerate(said):
            if isinstance(message, PairStanding | PairDiverged):
                continue
            self.said[type(message).__name__] += 1
            one = self.subjects[message.pair_id]
            told = one.told[message.direction]
            if isinstance(message, OpportunityClosed):
                assert told.open_id == message.opportunity_id
                assert self.kept.pop((message.pair_id, message.direction)).opportunity_id == message.opportunity_id
                told.open_id, told.closed_s = "", self.now_s
                self.reasons[message.reason] += 1
                continue
            assert one.is_trusted(self.now_s), (message, {venue: vars(leg) for venue, leg in one.legs.items()})
            if isinstance(message, HedgedIntent):
                assert message.opportunity_id == told.open_id
                continue
            self.check_numbers(one, message)
            if isinstance(message, OpportunityOpened):
                self.check_opening(one, told, message, said[at + 1 : at + 2])
            assert told.open_id == message.opportunity_id
            self.kept[message.pair_id, message.direction] = message

    def check_opening(self, one: Subject, told: Told, message: OpportunityOpened, follows: list[Said]) -> None:
        """It is new, it has held for the debounce, and an intent follows exactly when money may."""
        assert not told.open_id
        assert message.opportunity_id not in self.ids
        assert told.seen_s is not None
        assert self.now_s - told.seen_s >= DEBOUNCE_S - 1e-9
        self.ids.add(message.opportunity_id)
        told.open_id = message.opportunity_id
        is_ordered = bool(follows) and isinstance(follows[0], HedgedIntent)
        assert is_ordered == (not message.alert_only)
        if not all(leg.has_fees for leg in one.legs.values()):
            assert "assumed" in message.alert_only
        if is_ordered:
            order = follows[0]
            assert isinstance(order, HedgedIntent)
            assert order.legs[0].contracts == order.legs[1].contracts == message.contracts

    def check_numbers(self, one: Subject, message: OpportunityOpened | OpportunityUpdated) -> None:
        """The books are those that were told last, and the size earns what the reference says, which is the best."""
        books = [Book(leg.yes_bids, leg.yes_asks) for leg in message.legs]
        for venue, book in zip((K, P), books, strict=True):
            held = one.legs[venue].book
            assert held is not None
            for shown, true in ((book.yes_bids, held.yes_bids), (book.yes_asks, held.yes_asks)):
                assert [tuple(map(Fraction, level)) for level in shown] == [
                    tuple(map(Fraction, level)) for level in true
                ]
        kalshi, polymarket = one.legs[K].book, one.legs[P].book
        assert kalshi is not None
        assert polymarket is not None
        place = (kalshi, polymarket, one.pair.orientation, message.direction)
        size, asked = Fraction(message.contracts), Fraction(message.min_edge_dollars_per_contract)
        assert Fraction(message.edge_dollars) == edge_at(*place, terms=one.terms, size=size)
        best = best_edge(*place, terms=one.terms, asked=asked)
        assert best - Fraction(6, 10_000) <= Fraction(message.edge_dollars) <= best

    def check_truth(self) -> None:
        """What is true for long enough is told, and what is not true any more is closed."""
        now_s = self.now_s
        for one in self.subjects.values():
            is_trusted = one.is_trusted(now_s)
            one.doubted_s = None if is_trusted else (now_s if one.doubted_s is None else one.doubted_s)
            for direction, told in one.told.items():
                holds = is_trusted and one.has_edge(direction, OPENING)
                told.true_s = (now_s if told.true_s is None else told.true_s) if holds else None
                stays = not is_trusted or one.has_edge(direction, STAYING)
                told.false_s = None if stays else (now_s if told.false_s is None else told.false_s)
                if told.open_id:
                    self.check_still_open(one, told)
                elif told.true_s is not None:
                    since_s = max(told.true_s, told.closed_s + REOPEN_S, self.started_s)
                    late_s = now_s - since_s
                    assert late_s <= DEBOUNCE_S + TICK_S + SLACK_S, (one.pair.pair_id, direction, vars(told))

    def check_still_open(self, one: Subject, told: Told) -> None:
        """An open episode has not outlived its trust, nor its edge."""
        if one.doubted_s is not None and not self.is_young(one):
            assert self.now_s - one.doubted_s <= TICK_S + SLACK_S, (one.pair.pair_id, vars(told))
        if told.false_s is not None:
            since_s = max(told.false_s, self.started_s)
            assert self.now_s - since_s <= LINGER_S + TICK_S + 2 * SLACK_S, (one.pair.pair_id, vars(told))

    def is_young(self, one: Subject) -> bool:
        """Whether its episodes were taken over so recently that they may wait for their feeds to speak."""
        return one.resumed_s is not None and self.now_s - one.resumed_s <= GRACE_S + TICK_S + SLACK_S

    def check_funnel(self) -> None:
        """Every evaluation has exactly one reason."""
        assert self.detector.funnel.total() == self.detector.evaluations

    # the cast

    def _subject(self, at: int) -> Subject:
        the_pair = pair(
            pair_id=PairId(f"pair-{at}"),
            kalshi_ticker=MarketId(f"KX-{at}"),
            polymarket_id=MarketId(f"0x{at}"),
            orientation=Orientation.INVERTED if at % 3 == 1 else Orientation.SAME,
        )
        legs = {venue: LegTruth(self.links[venue, self.random.choice("ab")]) for venue in Venue}
        return Subject(the_pair, "fine" if at % 3 == 2 else "plain", legs)

    def _new_detector(self) -> Detector:
        config = msgspec.structs.replace(SETTINGS.config(), emits_intents=True)
        detector = Detector(config, self.clock, random_bits=lambda _: next(self.bits))
        self.started_s = self.now_s
        return detector

    def live_pairs(self) -> dict[PairId, Pair]:
        """What the matcher says."""
        return {pair_id: one.pair for pair_id, one in self.subjects.items() if one.is_live}

    def tell_pairs(self) -> None:
        """Say which pairs are live, and what the catalog knows of their markets."""
        for one in self.subjects.values():
            if not one.is_live:
                for told in one.told.values():
                    told.seen_s = None
        self.take(self.detector.set_pairs(self.live_pairs()))
        for one in self.subjects.values():
            for venue in Venue:
                self.tell_market(one, venue)

    def tell_market(self, one: Subject, venue: Venue) -> None:
        """Say what the catalog knows of one market."""
        leg = one.legs[venue]
        terms = FINE if one.kind == "fine" else PLAIN
        base = market(
            venue,
            market_id=one.pair.market_id(venue),
            status=MarketStatus.OPEN if leg.is_open else MarketStatus.PAUSED,
            size_step_contracts=_decimal(terms.step),
            min_contracts=_decimal(terms.kalshi_min if venue is K else terms.polymarket_min),
            min_notional_dollars=Decimal(0) if venue is K else _decimal(terms.polymarket_notional),
        )
        if self.detector.is_market_wanted(venue, base.market_id):
            self.evaluated({one.pair.pair_id})
            listed = base if leg.has_fees else msgspec.structs.replace(base, fees=None)
            self.take(self.detector.set_market(listed))

    def restart(self) -> None:
        """Start a new detector from what Redis holds: pairs, markets, open episodes and books."""
        self.check_funnel()
        self.detector = self._new_detector()
        for link in self.links.values():
            link.forget()
        for one in self.subjects.values():
            one.resumed_s = self.now_s
            for told in one.told.values():
                told.seen_s = told.true_s = None
        self.tell_pairs()
        self.take(self.detector.resume(list(self.kept.values())))
        self.load_books()

    def load_books(self) -> None:
        """Take the latest words of legs that the detector knows nothing about from their keys."""
        unheard = {(venue, market_id) for _, venue, market_id in self.detector.legs(unheard_only=True)}
        entries = []
        for one in self.subjects.values():
            for venue, leg in one.legs.items():
                if leg.word is not None and (venue, one.pair.market_id(venue)) in unheard:
                    entries.append((one.pair.partition, raw(leg.word)))
                    if isinstance(leg.word, QuoteText):
                        self.hear(leg, leg.word)
        self.evaluated()
        self.take(self.detector.take_books(entries))


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


# The faults, each by its id.


def _anybody(sim: Simulation) -> tuple[Subject, Venue]:
    return sim.random.choice(list(sim.subjects.values())), sim.random.choice((K, P))


def d01_withdrawn(sim: Simulation) -> None:
    one, venue = _anybody(sim)
    sim.faults["D01 gap"] += 1
    stale = QuotesStale(
        venue=venue, market_ids=(one.pair.market_id(venue),), reason="gap", published_ts_ns=sim.clock.now_ns()
    )
    batch: list[Word] = [(one, venue, stale, False)]
    if sim.random.random() < 0.3:
        batch.insert(0, sim.word(one, venue))
    if sim.random.random() < 0.5:
        batch.append(sim.word(one, venue))
    else:
        one.legs[venue].quiet_until_s = sim.now_s + 2 * sim.random.random()
    sim.deliver(batch)


def d01_unsound(sim: Simulation) -> None:
    one, venue = _anybody(sim)
    book = sim.any_book(one, venue)
    changes, name = sim.random.choice([({"verified": ""}, "unverified"), ({"checksum": 3}, "damaged"), ({}, "crossed")])
    sim.faults[f"D01 {name}"] += 1
    sim.deliver([(one, venue, sim.quote(one, venue, CROSSED if name == "crossed" else book, **changes), False)])


def d01_from_the_future(sim: Simulation) -> None:
    """A stamp ahead of our clock: the quote counts when that time is only a second away."""
    sim.faults["D01 future"] += 1
    one, venue = _anybody(sim)
    now_ns = sim.clock.now_ns()
    stamp_ns = now_ns + sim.random.choice((500, 1_500, 2_500)) * 1_000_000
    quote = sim.quote(one, venue, sim.any_book(one, venue), received_ts_ns=stamp_ns)
    one.legs[venue].quiet_until_s = sim.now_s + 2
    sim.deliver([(one, venue, quote, True)])


def d01_heartbeat(sim: Simulation) -> None:
    sim.faults["D01 heartbeat"] += 1
    link = sim.random.choice(list(sim.links))
    sim.silent_until_s[link] = sim.now_s + sim.random.choice((1.5, 3.0, 4.0))


def d01_bad_beat(sim: Simulation) -> None:
    changes, name = sim.random.choice([({"lag_ms": 1_001}, "lag"), ({"state": "down"}, "down")])
    sim.faults[f"D01 {name}"] += 1
    sim.beat(sim.random.choice(list(sim.links)), **changes)


def d01_epoch(sim: Simulation) -> None:
    """A feed starts again: its old quotes do not count, and new ones come one by one."""
    sim.faults["D01 epoch"] += 1
    link = sim.random.choice(list(sim.links))
    sim.links[link].epoch = f"feed-{next(sim.pseq)}"
    sim.beat(link)


def d01_closed(sim: Simulation) -> None:
    sim.faults["D01 closed"] += 1
    one, venue = _anybody(sim)

    def turn(*, is_open: bool) -> None:
        one.legs[venue].is_open = is_open
        sim.tell_market(one, venue)

    turn(is_open=False)
    sim.later(sim.random.random(), lambda: turn(is_open=True))


def d02_skew(sim: Simulation) -> None:
    """A beat that is fine by itself and vouches for the past: together with the other leg it does not count."""
    sim.faults["D02 skew"] += 1
    link = sim.random.choice(list(sim.links))
    sim.beat(link, frame_age_ms=sim.random.choice((2_400, 2_600, -1)))
    sim.silent_until_s[link] = sim.now_s + 0.9


def d02_quiet(sim: Simulation) -> None:
    """One connection brings nothing for a while, and its beats say so; the other goes on."""
    sim.faults["D02 quiet"] += 1
    sim.quiet_s[sim.random.choice(list(sim.links))] = (sim.now_s, sim.now_s + sim.random.choice((2.8, 4.0)))


def d03_killed_after_the_write(sim: Simulation) -> None:
    sim.faults["D03 killed"] += 1
    sim.restart()


def d04_killed_before_the_write(sim: Simulation) -> None:
    """What the detector decides now is lost with it."""
    sim.faults["D04 killed"] += 1
    sim.clock.advance(ms=1)
    sim.detector.tick()
    sim.restart()


def d03_handed_over(sim: Simulation) -> None:
    """A partition changes hands: nothing is said about it, and its episodes go on."""
    one, _ = _anybody(sim)
    sim.faults["D03 handed over"] += 1
    part = one.pair.partition
    sim.detector.leave({part})
    gone = [other for other in sim.subjects.values() if other.pair.partition == part]
    sim.tell_pairs()
    kept = [message for message in sim.kept.values() if sim.subjects[message.pair_id] in gone]
    sim.take(sim.detector.resume(kept))
    for other in gone:
        other.resumed_s = sim.now_s
        for told in other.told.values():
            told.seen_s = told.true_s = None
    sim.load_books()


def d05_clock(sim: Simulation) -> None:
    hours = sim.random.choice((1, -1))
    sim.faults[f"D05 {hours:+} h"] += 1
    sim.clock.set_wall(now_ms=sim.clock.now_ms() + hours * 3_600_000)


def d06_flapping(sim: Simulation) -> None:
    """An edge that comes and goes a hundred times a second."""
    sim.faults["D06 flapping"] += 1
    one, _ = _anybody(sim)
    books = BOOKS[one.kind][P][:2]
    for at in range(100):
        book = mirrored(books[at % 2]) if one.pair.orientation is Orientation.INVERTED else books[at % 2]
        sim.later(at * 0.01, lambda book=book: sim.deliver([sim.word(one, P, book)]))  # type: ignore[misc]


def d07_all_at_once(sim: Simulation) -> None:
    sim.faults["D07 all at once"] += 1
    batch = []
    for one in sim.subjects.values():
        for venue in (K, P):
            book = BOOKS[one.kind][venue][0]
            turned = venue is P and one.pair.orientation is Orientation.INVERTED
            batch.append(sim.word(one, venue, mirrored(book) if turned else book))
    sim.deliver(batch)


def d08_depth_vanishes(sim: Simulation) -> None:
    sim.faults["D08 depth"] += 1
    one = sim.random.choice([one for one in sim.subjects.values() if one.kind == "plain"])
    book = BOOKS["plain"][P][3]
    turned = one.pair.orientation is Orientation.INVERTED
    sim.deliver([sim.word(one, P, mirrored(book) if turned else book)])


def d09_fees(sim: Simulation) -> None:
    sim.faults["D09 fees"] += 1
    one, venue = _anybody(sim)

    def turn(*, has_fees: bool) -> None:
        one.legs[venue].has_fees = has_fees
        sim.tell_market(one, venue)

    turn(has_fees=False)
    sim.later(3 * sim.random.random(), lambda: turn(has_fees=True))


def pair_retired(sim: Simulation) -> None:
    sim.faults["pair retired"] += 1
    one, _ = _anybody(sim)

    def turn(*, is_live: bool) -> None:
        one.is_live = is_live
        sim.tell_pairs()
        sim.load_books()

    turn(is_live=False)
    sim.later(sim.random.random(), lambda: turn(is_live=True))


FAULTS: list[Callable[[Simulation], None]] = [
    *[d01_withdrawn] * 8,
    *[d01_unsound] * 8,
    *[d01_from_the_future] * 2,
    *[d01_heartbeat] * 2,
    *[d01_bad_beat] * 2,
    *[d01_epoch] * 2,
    *[d01_closed] * 3,
    *[d02_skew] * 2,
    *[d02_quiet] * 2,
    d03_killed_after_the_write,
    d04_killed_before_the_write,
    *[d03_handed_over] * 2,
    *[d05_clock] * 2,
    *[d06_flapping] * 2,
    *[d07_all_at_once] * 4,
    *[d08_depth_vanishes] * 4,
    *[d09_fees] * 3,
    *[pair_retired] * 2,
]


def test_what_is_said_is_what_is_true_in_many_updates_with_every_fault(
    record_property: Callable[[str, object], None],
) -> None:
    sim = Simulation(seed=2_611)
    sim.tell_pairs()
    sim.run(UPDATES)
    for name in ("updates", "said", "reasons", "faults"):
        record_property(name, str(getattr(sim, name)))
    assert {fault[:3] for fault in sim.faults} >= {f"D{number:02}" for number in range(1, 10)}
    assert sim.said["OpportunityOpened"] > UPDATES // 250
    assert sim.said["HedgedIntent"] < sim.said["OpportunityOpened"]
