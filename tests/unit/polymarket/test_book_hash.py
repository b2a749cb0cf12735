"""The book hash: worked vectors of the venue's own two Python clients, and messages recorded from the live venue."""

import pytest

from shared.venues.polymarket.book_hash import BookTerms, BookText, book_hash, padded_price
from shared.venues.polymarket.levels import level_text
from shared.venues.polymarket.schema import Level
from tests.unit.polymarket.wire import CONDITION, NO, S0_ASKS, S0_BIDS, YES, levels, mirrored_levels

WORKED = BookTerms(market=CONDITION, asset_id="1234567890", min_order_size="5", tick_size="0.01", neg_risk=False)


def terms(asset_id: str = YES, *, neg_risk: bool = False, tick_size: str = "0.01") -> BookTerms:
    return BookTerms(market=CONDITION, asset_id=asset_id, min_order_size="5", tick_size=tick_size, neg_risk=neg_risk)


def test_the_worked_example_and_its_mirror() -> None:
    bids, asks = levels("0.4 50, 0.41 120.5, 0.42 7"), levels("0.6 10, 0.46 33.33, 0.44 210")
    assert (
        book_hash(WORKED, timestamp="1793400000123", bids=bids, asks=asks, last_trade_price="0.430")
        == "7f85bfaa496e239edb578541f536d5556125578a"
    )
    mirror = BookTerms(market=CONDITION, asset_id="9876543210", min_order_size="5", tick_size="0.01", neg_risk=False)
    assert (
        book_hash(
            mirror,
            timestamp="1793400000123",
            bids=mirrored_levels(asks),
            asks=mirrored_levels(bids),
            last_trade_price="0.430",
        )
        == "e7253cb8efb6d704e302b44a73f0fe70e8a165c2"
    )


@pytest.mark.parametrize(
    ("neg_risk", "bids", "asks", "last_trade_price", "hashes"),
    [
        (
            False,
            S0_BIDS,
            S0_ASKS,
            "0.430",
            ("2b95172a4b4c4b6b03a2593248a7b71649ce0193", "4b54badf65753e6fe6a2363a706731fc8e09bbfb"),
        ),
        (
            True,
            S0_BIDS,
            S0_ASKS,
            "0.430",
            ("8ec4857944caa226d1c370d1065fd351960baab9", "89f920568eb749fb14916d15a5c555a900fd623a"),
        ),
        (
            False,
            S0_BIDS,
            [],
            "",
            ("59b462d1d6c12499dcabfd6f994c8d741a69e864", "153c1ecb0bf630da19d107738dcac59661d88743"),
        ),
        (False, [], [], "", ("dfe43aaf24fec1c3bf5822453a4dde0f60ede187", "6eea90be0266170f92cbf07186d8e15c6bbcaa8d")),
        (
            False,
            S0_BIDS,
            S0_ASKS,
            "0.43",
            ("23f3bab8d13097988e6449fa9a5f63415b62626e", "19e526c5834d7be280dfa616e4ab1fc70f938cf9"),
        ),
    ],
)
def test_constructed_books_of_both_tokens(
    neg_risk: bool, bids: list[Level], asks: list[Level], last_trade_price: str, hashes: tuple[str, str]
) -> None:
    stamp = "1793400000123"
    yes = book_hash(terms(neg_risk=neg_risk), timestamp=stamp, bids=bids, asks=asks, last_trade_price=last_trade_price)
    no = book_hash(
        terms(NO, neg_risk=neg_risk),
        timestamp=stamp,
        bids=mirrored_levels(asks),
        asks=mirrored_levels(bids),
        last_trade_price=last_trade_price,
    )
    assert (yes, no) == hashes


def test_a_recorded_rest_book_without_asks() -> None:
    recorded = BookTerms(
        market="0x9d839bf0aa31324b9848f5b89841b779238a7c07dee2f7fca675d934e8ab5bf2",
        asset_id="72610532355343625199299853218161700546393390326785971247545541945337255643692",
        min_order_size="5",
        tick_size="0.001",
        neg_risk=True,
    )
    bids = levels("0.001 667.12, 0.002 6.99")
    assert (
        book_hash(recorded, timestamp="1785734468581", bids=bids, asks=[], last_trade_price="")
        == "d7df883ae546b09533a4f485bfae0810da1af04e"
    )


def test_a_changing_book_hashes_like_the_book_written_out() -> None:
    hashed = BookText()
    hashed.know(terms())
    hashed.bids.replace({4000: level_text("0.4", "50"), 4200: level_text("0.42", "7")})
    hashed.asks.replace({4000: level_text("0.6", "10")})
    hashed.bids.set(4100, level_text("0.41", "120.5"))
    hashed.bids.set(4200, level_text("0.42", "8"))
    hashed.bids.remove(4000)
    hashed.bids.remove(3900)
    hashed.asks.set(5600, level_text("0.44", "10"))
    written = book_hash(
        terms(),
        timestamp="1",
        bids=levels("0.41 120.5, 0.42 8"),
        asks=levels("0.6 10, 0.44 10"),
        last_trade_price="0.430",
    )
    assert hashed.matching_trade_price(written, 1, iter(["", "0.430", "0.44"])) == "0.430"
    assert hashed.matching_trade_price(written, 2, iter(["", "0.430"])) is None


@pytest.mark.parametrize(
    ("price_e4", "text"), [(4300, "0.430"), (10, "0.001"), (3010, "0.301"), (25, "0.0025"), (9999, "0.9999")]
)
def test_trade_prices_have_at_least_three_decimals(price_e4: int, text: str) -> None:
    assert padded_price(price_e4) == text
