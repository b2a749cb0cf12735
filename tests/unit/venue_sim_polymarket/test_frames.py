"""One engine operation becomes the frames that the venue would send."""

import json
from types import SimpleNamespace
from typing import Any, cast

from services.venue_sim import polymarket_frames as frames
from services.venue_sim.book_hash import MirroredBook
from services.venue_sim.engine import SimBook
from services.venue_sim.markets import Operation, SimMarket

MARKET = "0x" + "ab" * 32
YES, NO = "7" * 70, "8" * 70
T0_MS = 1_793_400_000_123


def opened() -> tuple[SimBook, MirroredBook]:
    """Book S0 of the worked vectors, in the engine and as the venue writes it."""
    engine = SimBook()
    for price_e4, size_e6 in [(4000, 50_000_000), (4100, 120_500_000), (4200, 7_000_000)]:
        engine.place("bid", price_e4, size_e6)
    for price_e4, size_e6 in [(6000, 10_000_000), (4600, 33_330_000), (4500, 20_000_000), (4400, 10_000_000)]:
        engine.place("ask", price_e4, size_e6)
    book = MirroredBook(MARKET, (YES, NO), min_size_e6=5_000_000, tick_e4=100, neg_risk=False)
    book.load(engine.bids(), engine.asks())
    book.last_price_e4 = 4300
    return engine, book


def shown(book: MirroredBook, effect: Any, at_ms: int) -> frames.Burst:
    market = cast("SimMarket", SimpleNamespace(market_id=MARKET))
    operation = Operation.of(market, at_ms * 1_000, effect)
    return frames.burst(book, operation, top_moved=frames.apply(book, operation))


def entries(frame: bytes) -> dict[str, dict[str, str]]:
    return {entry["asset_id"]: entry for entry in json.loads(frame)["price_changes"]}


def test_the_worked_sequence_with_its_burst_reproduces_every_entry_and_hash() -> None:
    engine, book = opened()
    [first] = shown(book, engine.place("bid", 4300, 12_000_000), T0_MS + 1000).changes
    assert entries(first) == {
        YES: {
            **{"asset_id": YES, "price": "0.43", "size": "12", "side": "BUY"},
            **{"hash": "cdfa9f3a48054d7155b3c8f3dc72a06b58dec3c8", "best_bid": "0.43", "best_ask": "0.44"},
        },
        NO: {
            **{"asset_id": NO, "price": "0.57", "size": "12", "side": "SELL"},
            **{"hash": "8d388004d8299341fb2df21c878ac0604af64d5e", "best_bid": "0.56", "best_ask": "0.57"},
        },
    }
    shown(book, engine.cancel("ask", 4600, 12_830_000), T0_MS + 2000)
    shown(book, engine.cancel("bid", 4100), T0_MS + 3000)
    burst = shown(book, engine.place("bid", 4500, 40_000_000), T0_MS + 4000)
    said = [(e["side"], e["price"], e["size"]) for e in (entries(frame)[YES] for frame in burst.changes)]
    assert said == [("BUY", "0.45", "10"), ("SELL", "0.44", "0"), ("SELL", "0.45", "0")]
    for frame in burst.changes:
        assert entries(frame)[YES]["hash"] == "88cb0f7cdea5fbfc4edc68769eb93d6c769604f1"
        assert entries(frame)[NO]["hash"] == "488af7cdd255508057612a5952f23d907b36b96a"
        assert [entries(frame)[NO][key] for key in ("best_bid", "best_ask")] == ["0.54", "0.55"]
    assert burst.books is not None
    after = json.loads(burst.books[0])
    assert after["hash"] == "88cb0f7cdea5fbfc4edc68769eb93d6c769604f1"
    assert list(after) == ["market", "asset_id", "bids", "asks", "hash", "timestamp", "event_type"]
    assert [level["price"] for level in after["bids"]] == ["0.4", "0.42", "0.43", "0.45"]
    assert [level["price"] for level in after["asks"]] == ["0.6", "0.46"]


def test_a_trade_is_told_in_either_tokens_terms() -> None:
    engine, book = opened()
    burst = shown(book, engine.take("ask", 4200, 7_000_000), T0_MS)
    assert burst.trades is not None
    yes, no = map(json.loads, burst.trades)
    assert (yes["asset_id"], yes["side"], yes["price"], yes["size"]) == (YES, "SELL", "0.42", "7")
    assert (no["asset_id"], no["side"], no["price"], no["size"]) == (NO, "BUY", "0.58", "7")


def test_the_last_price_is_in_the_token_whose_entry_is_listed_first() -> None:
    seen = set()
    for at_ms in range(T0_MS, T0_MS + 8):
        engine, book = opened()
        burst = shown(book, engine.take("bid", 4400, 1_000_000), at_ms)
        maker = json.loads(burst.changes[-1])["price_changes"][0]
        expected_e4 = {YES: 4400, NO: 5600}[maker["asset_id"]]
        assert book.last_price_e4 == expected_e4
        seen.add(expected_e4)
    assert seen == {4400, 5600}


def test_a_change_below_the_top_announces_no_new_bests_and_a_moved_level_is_one_burst() -> None:
    engine, book = opened()
    assert shown(book, engine.place("bid", 4000, 1_000_000), T0_MS).bests is None
    burst = shown(book, engine.move("bid", 4200, 4300), T0_MS + 1)
    assert burst.books is None
    assert burst.bests is not None
    assert [json.loads(burst.bests[0])[key] for key in ("best_bid", "best_ask", "spread")] == ["0.43", "0.44", "0.01"]
    assert len({entries(frame)[YES]["hash"] for frame in burst.changes}) == 1
    assert [entries(frame)[YES]["size"] for frame in burst.changes] == ["0", "7"]


def test_the_answer_to_a_subscription_carries_tick_and_last_price_but_not_what_only_rest_shows() -> None:
    _, book = opened()
    said = json.loads(frames.snapshot(book, 0, T0_MS))
    assert (said["tick_size"], said["last_trade_price"]) == ("0.01", "0.430")
    assert said["hash"] == "2b95172a4b4c4b6b03a2593248a7b71649ce0193"
    assert not {"min_order_size", "neg_risk"} & said.keys()
