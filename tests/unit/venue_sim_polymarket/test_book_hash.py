"""The simulated Polymarket hashes books as the venue does: worked vectors first, then recorded messages."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.venue_sim.book_hash import MirroredBook
from services.venue_sim.engine import Side
from services.venue_sim.polymarket_text import last_price_text, price_e4, price_text, size_e6, size_text
from tests.shared_folder import shared_folder

MARKET = "0x" + "ab" * 32
YES, NO = "7" * 70, "8" * 70
T0_MS = 1_793_400_000_123

BIDS = ("0.4 50", "0.41 120.5", "0.42 7")
ASKS = ("0.6 10", "0.46 33.33", "0.45 20", "0.44 10")


def levels(texts: tuple[str, ...]) -> list[tuple[int, int]]:
    return [(price_e4(price), size_e6(size)) for price, size in (text.split() for text in texts)]


def book(
    *, bids: tuple[str, ...] = BIDS, asks: tuple[str, ...] = ASKS, neg_risk: bool = False, last: str = "0.43"
) -> MirroredBook:
    made = MirroredBook(MARKET, (YES, NO), min_size_e6=5_000_000, tick_e4=100, neg_risk=neg_risk)
    made.load(levels(bids), levels(asks))
    made.last_price_e4 = price_e4(last) if last else None
    return made


@pytest.mark.parametrize(
    ("made", "yes_hash", "no_hash"),
    [
        (book(), "2b95172a4b4c4b6b03a2593248a7b71649ce0193", "4b54badf65753e6fe6a2363a706731fc8e09bbfb"),
        (book(neg_risk=True), "8ec4857944caa226d1c370d1065fd351960baab9", "89f920568eb749fb14916d15a5c555a900fd623a"),
        (
            book(asks=(), last=""),
            "59b462d1d6c12499dcabfd6f994c8d741a69e864",
            "153c1ecb0bf630da19d107738dcac59661d88743",
        ),
        (
            book(bids=(), asks=(), last=""),
            "dfe43aaf24fec1c3bf5822453a4dde0f60ede187",
            "6eea90be0266170f92cbf07186d8e15c6bbcaa8d",
        ),
    ],
    ids=["both sides", "neg-risk", "no asks and no trade", "empty"],
)
def test_whole_books_hash_as_the_official_clients_hash_them(made: MirroredBook, yes_hash: str, no_hash: str) -> None:
    assert made.hashes(T0_MS) == (yes_hash, no_hash)


def test_a_sequence_of_changes_a_burst_and_a_tick_change_keep_the_hashes() -> None:
    made = book()
    steps: list[tuple[list[tuple[Side, str, str]], str | None, tuple[str, str], tuple[str, str]]] = [
        (
            [("bid", "0.43", "12")],
            None,
            ("cdfa9f3a48054d7155b3c8f3dc72a06b58dec3c8", "8d388004d8299341fb2df21c878ac0604af64d5e"),
            ("0.43", "0.44"),
        ),
        (
            [("ask", "0.46", "20.5")],
            None,
            ("6673d7c9b3c485ffcd566dd4b0ac61231ac701aa", "ab94d43cec26915fa4614b07f5803f7c01dcf879"),
            ("0.43", "0.44"),
        ),
        (
            [("bid", "0.41", "0")],
            None,
            ("3b24db0980163e35e71e54face7f573f3323d862", "8246333d7926b94612efce820816d6bd36232710"),
            ("0.43", "0.44"),
        ),
        (
            [("bid", "0.45", "10"), ("ask", "0.44", "0"), ("ask", "0.45", "0")],
            "0.45",
            ("88cb0f7cdea5fbfc4edc68769eb93d6c769604f1", "488af7cdd255508057612a5952f23d907b36b96a"),
            ("0.45", "0.46"),
        ),
    ]
    for number, (changes, last, hashes, bests) in enumerate(steps, start=1):
        for side, price, size in changes:
            made.set_level(side, price_e4(price), size_e6(size))
        if last:
            made.last_price_e4 = price_e4(last)
        assert made.hashes(T0_MS + 1000 * number) == hashes
        assert made.best_texts(0) == bests
    made.tick_e4 = 10
    made.set_level("bid", 4510, 5_000_000)
    assert made.hashes(T0_MS + 5000) == (
        "dc8bd6fbffe6a41c4497692fdc5d9e1522639fea",
        "77d7212ad9a9c4aece4461109938fe8857b0fac7",
    )
    assert (made.best_texts(0), made.best_texts(1)) == (("0.451", "0.46"), ("0.54", "0.549"))


def test_the_texts_carry_no_trailing_zeros_except_the_last_trade_price() -> None:
    assert [price_text(p) for p in (1000, 4510, 9999, 1, 10_000, 0)] == ["0.1", "0.451", "0.9999", "0.0001", "1", "0"]
    assert [size_text(s) for s in (220_045_000_000, 422_690_000, 1)] == ["220045", "422.69", "0.000001"]
    assert [last_price_text(p) for p in (9200, 3010, 4235, None)] == ["0.920", "0.301", "0.4235", ""]


def test_an_empty_side_shows_bests_that_mirror_each_other() -> None:
    made = book(asks=(), last="")
    assert (made.best_texts(0), made.best_texts(1)) == (("0.42", "1"), ("0", "0.58"))


@pytest.mark.parametrize("text", ["", "-1", "1e3", " 1", "0.00001", "x"])
def test_a_price_that_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="plain number"):
        price_e4(text)


changes = st.lists(
    st.tuples(st.sampled_from(["bid", "ask"]), st.integers(1, 9999), st.sampled_from([0, 10_000, 5_000_000])),
    max_size=60,
)


@given(changes)
def test_a_book_changed_step_by_step_hashes_like_one_written_at_once(steps: list[tuple[Side, int, int]]) -> None:
    stepwise = book(bids=(), asks=())
    held: dict[Side, dict[int, int]] = {"bid": {}, "ask": {}}
    for side, price, size in steps:
        stepwise.set_level(side, price, size)
        stepwise.hashes(1)
        held[side][price] = size
    at_once = book(bids=(), asks=())
    sides = [[(price, size) for price, size in held[side].items() if size] for side in ("bid", "ask")]
    at_once.load(*sides)
    assert stepwise.hashes(5) == at_once.hashes(5)
    assert stepwise.levels("bid") == sorted(sides[0], reverse=True)
    assert stepwise.levels("ask") == sorted(sides[1])


def recorded_books() -> list[dict[str, Any]]:
    folder = shared_folder("captures/polymarket")
    batches = (folder / "rest_clob_books_batches_20260311T2141.jsonl").read_text().splitlines()
    pairs = (folder / "rest_gamma_and_books_202607.jsonl").read_text().splitlines()
    books = [one for line in batches for one in json.loads(line)["books"]]
    books += [json.loads(line)["clob_book"] for line in pairs]
    return [one for one in books if "hash" in one]


def test_the_recorded_rest_books_hash_to_what_the_venue_sent() -> None:
    books = recorded_books()
    assert len(books) == 71
    for one in books:
        made = MirroredBook(
            one["market"],
            (one["asset_id"], NO),
            min_size_e6=size_e6(one["min_order_size"]),
            tick_e4=price_e4(one["tick_size"]),
            neg_risk=one["neg_risk"],
        )
        sides = [
            [(price_e4(level["price"]), size_e6(level["size"])) for level in one[side]] for side in ("bids", "asks")
        ]
        made.load(*sides)
        made.last_price_e4 = price_e4(one["last_trade_price"]) if one["last_trade_price"] else None
        assert made.hash(0, int(one["timestamp"])) == one["hash"], one["asset_id"]
