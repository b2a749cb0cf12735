"""One pair with both its markets and books, and the intent that fits them: the tests change one thing at a time."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from shared.contracts.intents import HedgedIntent, IntentLeg, key_id_of, signed
from shared.domain.fees import KalshiFees, PolymarketFees
from shared.domain.market import Market, MarketId, MarketStatus, PriceStep, Venue
from shared.domain.orders import Depth
from shared.domain.pair import Direction
from shared.domain.risk_terms import BookSeen, Context, LegSeen, RiskLimits, Usage
from tests.pairs import made_up_pair

KEY = b"0123456789abcdef0123456789abcdef"
ACCOUNT = "main"
NOW_NS = 1_795_284_000_000_000_000
QUOTED_NS = NOW_NS - 50_000_000
TICKER = MarketId("KXGAME-26NOV22-HOME")
CONDITION = MarketId("0x" + "ab" * 32)
CENTS = (PriceStep(start_dollars=Decimal(0), end_dollars=Decimal(1), step_dollars=Decimal("0.01")),)

PAIR = made_up_pair("game-home", kalshi=TICKER, polymarket=CONDITION, polymarket_token_ids=("1001", "1002"))
KALSHI_MARKET = Market(
    venue=Venue.KALSHI,
    market_id=TICKER,
    event_id="KXGAME-26NOV22",
    title="Will the home side win?",
    status=MarketStatus.OPEN,
    price_steps=CENTS,
    size_step_contracts=Decimal("0.01"),
    min_contracts=Decimal("0.01"),
    fees=KalshiFees(fee_type="quadratic", multiplier=Decimal(1), effective_from=date(2026, 7, 7), source="test"),
)
POLYMARKET_MARKET = Market(
    venue=Venue.POLYMARKET,
    market_id=CONDITION,
    event_id="77",
    title="Home side to win",
    token_ids=("1001", "1002"),
    status=MarketStatus.OPEN,
    price_steps=CENTS,
    size_step_contracts=Decimal("0.01"),
    min_contracts=Decimal(5),
    fees=PolymarketFees(rate=Decimal("0.05"), effective_from=date(2026, 7, 1), source="test"),
)


def levels(*texts: str) -> tuple[tuple[Decimal, Decimal], ...]:
    """``levels("0.42x100")`` is one level of 100 contracts at 0.42 dollars."""
    return tuple((Decimal(price), Decimal(size)) for price, _, size in (text.partition("x") for text in texts))


KALSHI_BOOK = BookSeen(
    received_ts_ns=QUOTED_NS, depth=Depth(levels("0.40x80", "0.39x50"), levels("0.42x60", "0.43x100"))
)
POLYMARKET_BOOK = BookSeen(received_ts_ns=QUOTED_NS, depth=Depth(levels("0.50x200"), levels("0.52x90")))


def leg(venue: Venue, **changes: Any) -> IntentLeg:
    """100 contracts of YES on Kalshi at 0.43, or of NO on Polymarket at 0.50."""
    kalshi = venue is Venue.KALSHI
    plain = IntentLeg(
        venue=venue,
        market_id=TICKER if kalshi else CONDITION,
        outcome="yes" if kalshi else "no",
        token_id="" if kalshi else "1002",
        contracts=Decimal(100),
        limit_price_dollars=Decimal("0.43" if kalshi else "0.50"),
        max_fee_dollars=Decimal("1.80"),
        quote_epoch="e",
        quote_sequence=7,
        quote_checksum=1,
        quote_received_ts_ns=QUOTED_NS,
    )
    return msgspec.structs.replace(plain, **changes)


def intent(
    *, kalshi: dict[str, Any] | None = None, polymarket: dict[str, Any] | None = None, sign: bool = True, **changes: Any
) -> HedgedIntent:
    """An intent that passes every check at ``NOW_NS``, with changes, signed afterwards."""
    plain = HedgedIntent(
        intent_id="intent-1",
        opportunity_id="opp-1",
        account=ACCOUNT,
        pair_id=PAIR.pair_id,
        pair_version=PAIR.version,
        direction=Direction.YES_KALSHI_NO_POLYMARKET,
        legs=(leg(Venue.KALSHI, **(kalshi or {})), leg(Venue.POLYMARKET, **(polymarket or {}))),
        max_cost_dollars=Decimal("96.6"),
        expected_edge_dollars=Decimal("3.4"),
        wire_ts_ns=QUOTED_NS,
        created_ts_ns=NOW_NS - 10_000_000,
        expires_ts_ns=NOW_NS + 1_990_000_000,
    )
    changed = msgspec.structs.replace(plain, **changes)
    return signed(changed, key_id=key_id_of(KEY), key=KEY) if sign else changed


def context(**changes: Any) -> Context:
    """A moment at which the plain intent is approved, with changes."""
    plain = Context(
        authentic=True,
        account=ACCOUNT,
        now_ns=NOW_NS,
        waited_ms=1,
        killed=False,
        pair=PAIR,
        legs=(
            LegSeen(market=KALSHI_MARKET, book=KALSHI_BOOK),
            LegSeen(market=POLYMARKET_MARKET, book=POLYMARKET_BOOK),
        ),
        usage=Usage(),
        limits=RiskLimits(),
    )
    return msgspec.structs.replace(plain, **changes)
