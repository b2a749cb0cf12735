"""A small world for the detector: one pair, two markets, quotes and beats, and a clock that moves when told."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count

import msgspec

from services.arb_detector.core import Detector
from services.arb_detector.evaluator import Emission
from services.arb_detector.opening_text import Opening
from services.arb_detector.settings import Settings
from shared.contracts.funnel import PairDiverged, PairStanding
from shared.contracts.intents import HedgedIntent, key_id_of, signed_text
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened, OpportunityUpdated
from shared.contracts.quotes import QuoteRaw, QuotesStale, QuoteText
from shared.contracts.streams import OPPORTUNITIES, intents
from shared.domain.fees import FeeSchedule, KalshiFees, PolymarketFees
from shared.domain.market import Market, MarketId, MarketStatus, PriceStep, Venue
from shared.domain.pair import Pair
from shared.testing.clock import FakeClock
from tests.pairs import made_up_pair
from tests.unit.arb_detector.feed_words import Levels, beat_of, quote_of

TICKER = MarketId("KXGAME-26NOV22HOUPOR-HOU")
CONDITION = MarketId("0xc0ffee")

KEY = b"the key of the tests, 32 bytes.."

Said = OpportunityOpened | HedgedIntent | OpportunityUpdated | OpportunityClosed | PairStanding | PairDiverged


class Heard(list[Said]):
    """What the detector said, as whoever reads the streams gets it: openings decoded, each followed by its intent."""

    def __init__(self, emissions: Iterable[Emission | Said] = ()) -> None:
        super().__init__()
        self.extend(emissions)

    def extend(self, emissions: Iterable[Emission | Said]) -> None:
        """Add what was said since."""
        for one in emissions:
            super().extend(decoded(one) if isinstance(one, Opening) else [one])

    def __iadd__(self, emissions: Iterable[Emission | Said]) -> "Heard":  # type: ignore[override,misc]
        self.extend(emissions)
        return self


def decoded(opening: Opening) -> list[Said]:
    """Return an opening as it is read from its stream, and its intent from its own."""
    found: list[Said] = []
    told = OPPORTUNITIES.decoder.decode(opening.message.stamped('"arb_detector"', '"epoch"', 1))
    assert isinstance(told, OpportunityOpened)
    found.append(told)
    if opening.intent:
        text = signed_text(opening.intent, key_id=key_id_of(KEY), key=KEY)
        found.append(intents("any").decoder.decode(text.stamped('"arb_detector"', '"epoch"', 1)))
    return found


def raw(message: QuoteText | QuotesStale) -> QuoteRaw | QuotesStale:
    """Return a quote as the detector reads it."""
    if isinstance(message, QuotesStale):
        return message
    return msgspec.json.decode(msgspec.json.encode(message), type=QuoteRaw)


def pair(**changes: object) -> Pair:
    """Return the pair, with fields changed."""
    base = made_up_pair(
        "hou-por",
        kalshi=TICKER,
        polymarket=CONDITION,
        polymarket_token_ids=("1001", "1002"),
        title="Houston at Portland",
        source="pairs/nba.yaml:3",
    )
    return msgspec.structs.replace(base, **changes)


def market(venue: Venue, **changes: object) -> Market:
    """Return one of the pair's markets, with fields changed."""
    is_kalshi = venue is Venue.KALSHI
    fees: FeeSchedule = (
        KalshiFees(fee_type="quadratic", multiplier=Decimal(1), effective_from=date(2026, 7, 7), source="series KXGAME")
        if is_kalshi
        else PolymarketFees(rate=Decimal("0.05"), effective_from=date(2026, 7, 1), source="feeSchedule")
    )
    base = Market(
        venue=venue,
        market_id=TICKER if is_kalshi else CONDITION,
        event_id="event",
        title="Houston at Portland",
        status=MarketStatus.OPEN,
        price_steps=(PriceStep(start_dollars=Decimal(0), end_dollars=Decimal(1), step_dollars=Decimal("0.01")),),
        size_step_contracts=Decimal("0.01"),
        min_contracts=Decimal("0.01") if is_kalshi else Decimal(5),
        min_notional_dollars=Decimal(0) if is_kalshi else Decimal(1),
        fees=fees,
    )
    return msgspec.structs.replace(base, **changes)


class Scene:
    """A detector with a pair, both markets and both feeds alive; quotes come when a test says so.

    Kalshi asks 0.41 for YES, Polymarket bids 0.47: YES there and NO here cost 0.41 + 0.53 = 0.94 before fees.
    """

    def __init__(self, *, the_pair: Pair | None = None, **settings: object) -> None:
        self.clock = FakeClock()
        self.pair = the_pair or pair()
        bits = count(1)
        chosen = Settings(redis_url="redis://unused", **settings)  # type: ignore[arg-type]
        self.config = msgspec.structs.replace(chosen.config(), emits_intents=True)
        self.detector = Detector(self.config, self.clock, random_bits=lambda _: next(bits))
        self.said = Heard()
        self.pseq = count(1)
        self.said += self.detector.set_pairs({self.pair.pair_id: self.pair})
        for venue in Venue:
            self.said += self.detector.set_market(market(venue))
        self.beats()

    def beat(self, venue: Venue, **changes: object) -> None:
        """Let a feed say that it is alive."""
        words = {"pseq": next(self.pseq), **changes}
        self.detector.take_beat(beat_of(venue, self.clock.now_ns(), **words))

    def beats(self) -> None:
        """Both feeds are alive."""
        for venue in Venue:
            self.beat(venue)

    def quote(self, venue: Venue, bids: Levels = (), asks: Levels = (), **changes: object) -> QuoteText:
        """Return a quote as a feed would write it now."""
        verified = "sequence" if venue is Venue.KALSHI else "hash"
        words = {"pseq": next(self.pseq), "verified": verified, **changes}
        return quote_of(venue, self.pair.market_id(venue), self.clock.now_ns(), bids, asks, **words)

    def stale(self, venue: Venue, reason: str = "gap") -> QuotesStale:
        """Return a withdrawal."""
        return QuotesStale(
            venue=venue,
            market_ids=(self.pair.market_id(venue),),
            reason=reason,
            published_ts_ns=self.clock.now_ns(),
        )

    def take(self, *messages: QuoteText | QuotesStale) -> list[Said]:
        """Hand over one batch; return what the detector said about it."""
        said = Heard(self.detector.take_quotes([(self.pair.partition, raw(message)) for message in messages]))
        self.said += said
        return said

    def tick(self, *, after_ms: int = 0) -> list[Said]:
        """Let time pass with both feeds alive, and the timer fire."""
        self.clock.advance(ms=after_ms)
        self.beats()
        return self.silent_tick()

    def silent_tick(self, *, after_ms: int = 0) -> list[Said]:
        """Let time pass without a word from the feeds, and the timer fire."""
        self.clock.advance(ms=after_ms)
        said = Heard(self.detector.tick())
        self.said += said
        return said

    def kalshi(self, **changes: object) -> QuoteText:
        """Return Kalshi's side of the opportunity."""
        return self.quote(Venue.KALSHI, [("0.38", "100")], [("0.41", "100"), ("0.42", "50")], **changes)

    def polymarket(self, **changes: object) -> QuoteText:
        """Return Polymarket's side of the opportunity."""
        return self.quote(Venue.POLYMARKET, [("0.47", "80"), ("0.46", "200")], [("0.49", "10")], **changes)

    def polymarket_without_edge(self) -> QuoteText:
        """Return a Polymarket that agrees with Kalshi."""
        return self.quote(Venue.POLYMARKET, [("0.39", "80")], [("0.42", "10")])

    def offer(self) -> list[Said]:
        """Quote both sides of the opportunity in one batch."""
        return self.take(self.kalshi(), self.polymarket())

    def open(self) -> OpportunityOpened:
        """Offer, wait for the debounce, and return what was opened."""
        self.offer()
        return opened(self.tick(after_ms=60))

    @property
    def outcome(self) -> str:
        """What the pair's last evaluation came to."""
        return self.detector.pairs[self.pair.pair_id].tally.outcome

    @property
    def funnel_is_balanced(self) -> bool:
        """Whether every evaluation was counted once."""
        return self.detector.funnel.total() == self.detector.evaluations


def opened(said: Sequence[Emission | Said]) -> OpportunityOpened:
    """Return the one opening among ``said``."""
    [message] = [message for message in said if isinstance(message, OpportunityOpened)]
    return message


def closed(said: Sequence[Emission | Said]) -> OpportunityClosed:
    """Return the one closing among ``said``."""
    [message] = [message for message in said if isinstance(message, OpportunityClosed)]
    return message


def intent(said: Sequence[Emission | Said]) -> HedgedIntent:
    """Return the one intent among ``said``."""
    [message] = [message for message in said if isinstance(message, HedgedIntent)]
    return message


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
