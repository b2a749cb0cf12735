"""A side of a book: the same levels from every way of writing them, and refusals by name."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.numbers import NumberRefused
from shared.venues.polymarket.levels import keyed_asks, keyed_bids, read_asks, read_bids, side_json
from shared.venues.polymarket.schema import FrameRefused

USUAL = b'[{"price":"0.4","size":"50"},{"price":"0.42","size":"7.5"}]'


@pytest.mark.parametrize(
    "written",
    [
        USUAL,
        b'[ {"price": "0.4", "size": "50"}, {"price": "0.42", "size": "7.5"} ]',
        b'[{"size":"50","price":"0.4"},{"size":"7.5","price":"0.42"}]',
        b'[{"price":0.4,"size":50},{"price":0.42,"size":7.5}]',
        b'[{"price":"0.4","size":"50"},{"price":"0.41","size":"0"},{"price":"0.42","size":"7.5","orders":"3"}]',
        b'[{"price":"0.4","size":"1"},{"price":"0.4","size":"50"},{"price":"0.42","size":"7.5"}]',
    ],
    ids=["usual", "spaces", "key order", "numbers", "a size of zero and a new field", "a level twice"],
)
def test_the_same_levels_come_of_every_way_of_writing_them(written: bytes) -> None:
    assert read_bids(msgspec.Raw(written)).sizes_e6 == {4_000: 50_000_000, 4_200: 7_500_000}
    assert read_asks(msgspec.Raw(written)).sizes_e6 == {6_000: 50_000_000, 5_800: 7_500_000}


def test_their_text_is_the_venues_again() -> None:
    side = read_bids(msgspec.Raw(b'[{"size":"50","price":"0.4"},{"size":"7.5","price":"0.42"}]'))
    assert side_json(list(keyed_bids(side).values())).encode() == USUAL
    assert list(keyed_asks(read_asks(msgspec.Raw(USUAL)))) == [6_000, 5_800]
    assert side_json([]) == "[]"


@pytest.mark.parametrize(
    "level",
    ['"price":"0","size":"5"', '"price":"1","size":"5"', '"price":"0.4","size":"-5"', '"price":"NaN","size":"5"'],
)
def test_a_number_that_is_none_is_refused_however_often_it_comes(level: str) -> None:
    for _ in range(2):
        with pytest.raises(NumberRefused):
            read_bids(msgspec.Raw(b"[{%b}]" % level.encode()))


@pytest.mark.parametrize("written", [b"null", b"7", b"[7]", b'[{"price":"0.4","size":"5"},7]', b'{"price":"0.4"}'])
def test_what_is_no_list_of_levels_is_refused(written: bytes) -> None:
    with pytest.raises(FrameRefused):
        read_asks(msgspec.Raw(written))


cents = st.integers(1, 99).map(lambda count: Decimal(count) / 100)
sizes = st.integers(1, 10**9).map(lambda count: Decimal(count) / 100)


@given(st.dictionaries(cents, sizes, max_size=30), st.booleans())
def test_any_side_is_read_exactly(side: dict[Decimal, Decimal], compact: bool) -> None:
    levels = [{"price": format(price.normalize(), "f"), "size": format(size, "f")} for price, size in side.items()]
    written = json.dumps(levels, separators=(",", ":") if compact else None).encode()
    assert read_bids(msgspec.Raw(written)).sizes_e6 == {int(p * 10_000): int(s * 1_000_000) for p, s in side.items()}
