"""The gate and its way back are inverse, and nothing outside the plain form gets through."""

import re
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.domain import numbers
from shared.domain.numbers import NumberRefused

PLAIN = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?", re.ASCII)


@given(st.integers(0, 10_000))
def test_every_price_survives_the_way_to_text_and_back(price_e4: int) -> None:
    assert numbers.price_e4(numbers.price_text(price_e4)) == price_e4
    assert numbers.price_dollars(price_e4) * 10_000 == price_e4


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_every_size_survives_the_way_to_text_and_back(size_e6: int) -> None:
    text = numbers.size_text(size_e6)
    assert numbers.scaled_from_text(text, digits=6, signed=True) == size_e6
    assert Decimal(text).scaleb(6) == size_e6


@given(st.integers())
def test_money_text_is_exact_and_has_no_trailing_zeros(value_e10: int) -> None:
    text = numbers.money_text(value_e10)
    whole, _, fraction = text.partition(".")
    assert int(whole + fraction.ljust(10, "0")) == value_e10
    assert not fraction.endswith("0")


@given(st.text(alphabet="0123456789.-+eE_ ,nNaAiIfF\n٣０", max_size=18))
def test_only_plain_text_passes_and_then_with_its_exact_value(text: str) -> None:
    try:
        value = numbers.decimal_from_text(text)
    except NumberRefused:
        assert not PLAIN.fullmatch(text)
    else:
        assert PLAIN.fullmatch(text)
        assert numbers.size_e6(text) == value.scaleb(6)
