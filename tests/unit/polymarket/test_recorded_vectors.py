"""The session on messages recorded from the live venue: every hash is the whole book's, for both tokens."""

from decimal import Decimal
from typing import Any

from shared.domain.market import MarketId
from shared.venues.polymarket.asset_book import AssetTerms, Phase
from shared.venues.polymarket.book_hash import BookTerms, book_hash
from shared.venues.polymarket.session import PolymarketSession
from tests.unit.polymarket.recorded import (
    AFTER_BURST_ASKS,
    AFTER_BURST_BIDS,
    CHANGES,
    DUMP_ASKS,
    DUMP_BIDS,
    START_ASKS,
    START_BIDS,
)
from tests.unit.polymarket.wire import as_objects, frame, levels, mirrored_levels

CONDITION = "0x285746de0e4f751fd4dc8f9dc2cecd0101ba9ad0096a43145ed9643b09514f01"
A = "76670567130917723816490572615540605537878462672464291990940067659127658071111"
B = "54179564009642723353355316176091991063553046330768303687769988635499280029688"
MARKET = MarketId(CONDITION)
OTHER_SIDE = {"BUY": "SELL", "SELL": "BUY"}


def session_of(token: str) -> PolymarketSession:
    terms = AssetTerms(market_id=MARKET, condition_id=CONDITION, min_order_size="5", tick_size="0.001", neg_risk=False)
    session = PolymarketSession({token: terms})
    session.connected()
    return session


def tell(session: PolymarketSession, message: dict[str, Any]) -> None:
    session.receive(frame(message), 1)
    session.settle()


def book_of_a(bids: str, asks: str, ts: str, sent_hash: str, **extra: str) -> dict[str, Any]:
    sides = {"bids": as_objects(levels(bids)), "asks": as_objects(levels(asks))}
    return {
        "event_type": "book",
        "market": CONDITION,
        "asset_id": A,
        "timestamp": ts,
        "hash": sent_hash,
        **sides,
    } | extra


def complement(price: str) -> str:
    return format((1 - Decimal(price)).normalize(), "f")


def change(row: tuple[str, ...]) -> dict[str, Any]:
    """One recorded change with the entries of both tokens in their recorded order."""
    ts, first, side, price, size, hash_a, hash_b, bid, ask = row
    of_a = {"asset_id": A, "price": price, "size": size, "side": side, "hash": hash_a, "best_bid": bid, "best_ask": ask}
    of_b = {
        "asset_id": B,
        "price": complement(price),
        "size": size,
        "side": OTHER_SIDE[side],
        "hash": hash_b,
        "best_bid": complement(ask),
        "best_ask": complement(bid),
    }
    entries = [of_a, of_b] if first == "A" else [of_b, of_a]
    return {"event_type": "price_change", "market": CONDITION, "timestamp": ts, "price_changes": entries}


def test_a_first_book_of_august_2026_has_its_hash() -> None:
    terms = BookTerms(
        market="0x6bd56627aa21311850825edb27e53434a0e17a4f782be0086bc07f71eee00d0d",
        asset_id="350977769852917329387037893294763093471844346281449484439085576212613048126",
        min_order_size="5",
        tick_size="0.01",
        neg_risk=False,
    )
    found = book_hash(
        terms, timestamp="1786604072222", bids=levels(DUMP_BIDS), asks=levels(DUMP_ASKS), last_trade_price="0.920"
    )
    assert found == "ed47eb91f3c7985fac1cb18cb7c19535eddd3c0a"


def test_the_subscribed_tokens_first_book_and_twelve_changes_are_proved_one_by_one() -> None:
    session = session_of(A)
    first_hash = "5511583ad6f3eb4678e0a374e0cc2bd3b1975d07"
    tell(
        session,
        book_of_a(START_BIDS, START_ASKS, "1790658661234", first_hash, tick_size="0.001", last_trade_price="0.255"),
    )
    for count, row in enumerate(CHANGES, 2):
        tell(session, change(row))
        state = session.book_state(MARKET)
        assert state is not None
        assert (state.verified, session.hash_matches) == ("hash", count)
    assert (session.hash_mismatches, session.hash_early, session.resyncs) == (0, 0, 0)


def test_the_siblings_twelve_changes_are_proved_on_the_mirrored_book() -> None:
    session = session_of(B)
    book = book_of_a(START_BIDS, START_ASKS, "1790658661234", "", tick_size="0.001", last_trade_price="0.255")
    bids, asks = mirrored_levels(levels(START_ASKS)), mirrored_levels(levels(START_BIDS))
    mirrored = BookTerms(market=CONDITION, asset_id=B, min_order_size="5", tick_size="0.001", neg_risk=False)
    own_hash = book_hash(mirrored, timestamp="1790658661234", bids=bids, asks=asks, last_trade_price="0.255")
    tell(session, book | {"asset_id": B, "hash": own_hash, "bids": as_objects(bids), "asks": as_objects(asks)})
    for row in CHANGES:
        tell(session, change(row))
    assert (session.hash_matches, session.hash_mismatches, session.hash_early) == (1 + len(CHANGES), 0, 0)


def test_the_crossing_burst_is_held_until_its_book_is_proved_with_the_trades_price() -> None:
    session = session_of(A)
    bids_before = AFTER_BURST_BIDS.replace("0.29 2005", "0.29 2005, 0.301 1000, 0.311 2000")
    asks_before = AFTER_BURST_ASKS.replace(", 0.301 45.83", "")
    before_hash = "187e168e1bb4c329c6faa12d5e1958fdad5cbc8d"
    tell(
        session,
        book_of_a(bids_before, asks_before, "1790658806795", before_hash, tick_size="0.001", last_trade_price="0.255"),
    )
    assert session.hash_matches == 1
    stamp, hash_a, hash_b = (
        "1790658827000",
        "78b396c8a7f4989f638fe6cf9b2e8ced15680ba7",
        "4313561e223c1a1c4d5d241d81a23ee9e5dc164d",
    )
    burst = [("B", "SELL", "0.301", "45.83"), ("A", "BUY", "0.311", "0"), ("A", "BUY", "0.301", "0")]
    phases = []
    for first, side, price, size in burst:
        session.receive(frame(change((stamp, first, side, price, size, hash_a, hash_b, "0.29", "0.301"))), 1)
        asset = session.asset_book(A)
        assert asset is not None
        phases.append(asset.phase)
    assert phases == [Phase.HELD, Phase.HELD, Phase.LIVE]
    session.settle()
    state = session.book_state(MARKET)
    assert state is not None
    assert (state.verified, session.hash_matches) == ("hash", 2)
    tell(session, book_of_a(AFTER_BURST_BIDS, AFTER_BURST_ASKS, stamp, hash_a))
    assert (session.hash_matches, session.hash_mismatches, session.resyncs) == (3, 0, 0)
