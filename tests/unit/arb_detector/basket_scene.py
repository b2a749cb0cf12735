"""A small world for baskets: one event of three markets on one venue, quotes and beats, and a clock that is told."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec

from services.arb_detector.basket_core import BasketDetector
from services.arb_detector.basket_evaluator import BasketEmission
from services.arb_detector.bus import StreamReader
from services.arb_detector.legs import QuoteInPart
from services.arb_detector.settings import Settings
from shared.contracts.baskets import BasketClosed, BasketOpened, BasketStanding
from shared.contracts.quotes import QuotesStale, QuoteText
from shared.contracts.streams import QUOTES
from shared.domain.baskets import BasketKind
from shared.domain.fees import FeeSchedule, KalshiFees, PolymarketFees
from shared.domain.live_basket import BasketMember, LiveBasket, basket_id_of
from shared.domain.market import Market, MarketId, Venue
from shared.testing.clock import FakeClock
from tests.unit.arb_detector.feed_words import Levels, beat_of, quote_of
from tests.unit.arb_detector.scene import market as market_of
from tests.unit.domain.test_live_basket import market

NAMES = tuple(MarketId(name) for name in "ABC")
EVERY_NO, EVERY_YES = BasketKind.EVERY_NO, BasketKind.EVERY_YES


def fees(venue: Venue) -> FeeSchedule:
    """Kalshi's ordinary rate, or 5 percent of p(1-p) on Polymarket."""
    found = market_of(venue).fees
    assert isinstance(found, KalshiFees | PolymarketFees)
    return found


def basket(venue: Venue = Venue.KALSHI, kind: BasketKind = EVERY_NO, **changes: Any) -> LiveBasket:
    """The event's basket of one kind."""
    base = LiveBasket(
        basket_id=basket_id_of(venue, "race", kind),
        kind=kind,
        venue=venue,
        event_id="race",
        title="Who wins the race?",
        members=tuple(
            BasketMember(
                market_id=name,
                label=f"Runner {name}",
                token_ids=(f"{name}1", f"{name}2") if venue is Venue.POLYMARKET else (),
            )
            for name in NAMES
        ),
        source="baskets.yaml, event race (alice, 2026-11-20)",
    )
    return msgspec.structs.replace(base, **changes)


class BasketScene:
    """A detector with one basket, its markets listed and its feed alive; quotes come when a test says so.

    Kalshi bids 0.45, 0.40 and 0.25 for the three YES: their NO cost 0.55 + 0.60 + 0.75 = 1.90, and two of them pay.
    Polymarket asks 0.30, 0.35 and 0.25 for the three YES: 0.90 together, and one of them pays.
    """

    def __init__(self, *, the_basket: LiveBasket | None = None, **settings: Any) -> None:
        self.clock = FakeClock()
        self.basket = the_basket or basket()
        self.venue = self.basket.venue
        chosen = Settings(redis_url="redis://unused", **settings)
        bits = count(1)
        self.detector = BasketDetector(chosen.config(), self.clock, random_bits=lambda _: next(bits))
        self.said: list[BasketEmission] = []
        self.pseq = count(1)
        self.note(self.detector.set_baskets({self.basket.basket_id: self.basket}))
        for name in NAMES:
            self.list(name)
        self.beat()

    def note(self, said: Sequence[BasketEmission]) -> list[BasketEmission]:
        """Remember what the detector said."""
        self.said += said
        return list(said)

    def market(self, name: MarketId, **changes: Any) -> Market:
        """A market as the venue lists it, with fields changed."""
        return market(name, self.venue, **({"fees": fees(self.venue)} | changes))

    def list(self, name: MarketId, **changes: Any) -> "list[BasketEmission]":
        """Let the catalog say something about a market."""
        return self.note(self.detector.set_market(self.market(name, **changes)))

    def beat(self, **changes: Any) -> None:
        """Let the feed say that it is alive."""
        words = {"connection": "one", "markets": 3, "books_live": 3, **changes}
        self.detector.take_beat(beat_of(self.venue, self.clock.now_ns(), **words))

    def quote(self, name: MarketId, bids: Levels = (), asks: Levels = (), **changes: Any) -> QuoteInPart:
        """A quote as the feed would write it now, and the basket's partition."""
        words = {"pseq": next(self.pseq), "connection": "one", **changes}
        return self.heard(quote_of(self.venue, name, self.clock.now_ns(), bids, asks, **words))

    def heard(self, message: QuoteText | QuotesStale) -> QuoteInPart:
        """A message of the basket's partition as the detector reads it from the stream."""
        stream = QUOTES[self.venue][self.basket.partition].name
        [entry], _ = StreamReader().read([(stream, "1-1", msgspec.json.encode(message))])
        return entry

    def bid(self, name: MarketId, price: str, size: str = "100", **changes: Any) -> QuoteInPart:
        """A YES bid, against which NO is bought, and an ask far above."""
        return self.quote(name, [(price, size)], [("0.98", "5")], **changes)

    def ask(self, name: MarketId, price: str, size: str = "100", **changes: Any) -> QuoteInPart:
        """A YES ask, and a bid far below."""
        return self.quote(name, [("0.01", "5")], [(price, size)], **changes)

    def stale(self, *names: MarketId) -> QuoteInPart:
        """A withdrawal."""
        now_ns = self.clock.now_ns()
        return self.heard(QuotesStale(venue=self.venue, market_ids=names, reason="gap", published_ts_ns=now_ns))

    def take(self, *entries: QuoteInPart) -> "list[BasketEmission]":
        """Hand over one batch; return what the detector said about it."""
        return self.note(self.detector.take_quotes(entries))

    def tick(self, *, after_ms: int = 0, beating: bool = True) -> "list[BasketEmission]":
        """Let time pass and the timer fire, with the feed alive unless told otherwise."""
        self.clock.advance(ms=after_ms)
        if beating:
            self.beat()
        return self.note(self.detector.tick())

    def bids(self) -> tuple[QuoteInPart, ...]:
        """Kalshi's side of the opportunity."""
        return tuple(self.bid(name, price) for name, price in zip(NAMES, ("0.45", "0.40", "0.25"), strict=True))

    def asks(self) -> tuple[QuoteInPart, ...]:
        """Polymarket's side of the opportunity."""
        return tuple(self.ask(name, price) for name, price in zip(NAMES, ("0.30", "0.35", "0.25"), strict=True))

    def open(self) -> BasketOpened:
        """Offer, wait for the debounce, and return what was opened."""
        assert opened(self.take(*(self.bids() if self.basket.kind is EVERY_NO else self.asks()))) is None
        found = opened(self.tick(after_ms=60))
        assert found is not None, self.outcome
        return found

    @property
    def outcome(self) -> str:
        """What the basket's last evaluation came to."""
        return self.detector.baskets[self.basket.basket_id].tally.outcome

    @property
    def funnel_is_balanced(self) -> bool:
        """Whether every evaluation was counted once."""
        return self.detector.funnel.total() == self.detector.evaluations > 0

    def standing(self) -> BasketStanding:
        """Where the basket stands."""
        [found] = [one for one in self.note(self.detector.sweep()) if isinstance(one, BasketStanding)]
        return found


def opened(said: Sequence[BasketEmission]) -> BasketOpened | None:
    """Return the opening among ``said``, if there is one."""
    return next((message for message in said if isinstance(message, BasketOpened)), None)


def closed(said: Sequence[BasketEmission]) -> BasketClosed:
    """Return the one closing among ``said``."""
    [message] = [message for message in said if isinstance(message, BasketClosed)]
    return message


def told_ids(message: BasketOpened) -> list[tuple[str, str, Decimal]]:
    """The legs of a message: market, outcome, limit price."""
    return [(leg.market_id, leg.outcome, leg.limit_price_dollars) for leg in message.legs]
