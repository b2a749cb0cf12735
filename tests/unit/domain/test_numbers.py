"""The number gate against every bad number of the fault catalogue, and the edges of each range."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from shared.domain import numbers
from shared.domain.numbers import NumberFault, NumberRefused

NOT_PLAIN = [
    "NaN", "sNaN", "Infinity", "-Infinity", "1E999999", "1E-999999", "1e5", "-0", "-0.01", "0_5", " 0.5", "0.5 ",
    "0.5\n", "١.٥", "1٥", "０.５", "0x1", "", "null", "true", "[]", "{}", "1e400", "1,000", "0.6500.1", "+0.5", ".5",
    "5.", "00.5", "1/2", "\u00000.5", "0.5\u200b", "½",
]  # fmt: skip
GATES: list[Callable[[str], object]] = [
    numbers.decimal_from_text,
    numbers.price_e4,
    numbers.level_price_e4,
    numbers.size_e6,
]


@pytest.mark.parametrize("text", NOT_PLAIN, ids=lambda text: repr(text)[:20])
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.__name__)
def test_what_is_no_plain_decimal_is_refused_by_name(gate: Callable[[str], object], text: str) -> None:
    with pytest.raises(NumberRefused) as refused:
        gate(text)
    assert refused.value.fault is NumberFault.NOT_PLAIN
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.__name__)
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1234567890", NumberFault.OUT_OF_RANGE),
        ("1234567890.5", NumberFault.OUT_OF_RANGE),
        ("9" * 100_000, NumberFault.OUT_OF_RANGE),
        ("0.1234567", NumberFault.OFF_GRID),
        ("0.1000000", NumberFault.OFF_GRID),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_plain_number_that_is_too_great_or_too_fine_is_refused_as_that(
    gate: Callable[[str], object], text: str, fault: NumberFault
) -> None:
    with pytest.raises(NumberRefused) as refused:
        gate(text)
    assert refused.value.fault is fault
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize("text", ["0.000000000000000001", "999999999.123456789123456789", "0.07", "0", "30"])
def test_a_fine_number_is_exact_to_eighteen_digits(text: str) -> None:
    assert f"{numbers.fine_decimal_from_text(text):f}" == text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0.0000000000000000001", NumberFault.OFF_GRID),
        ("1234567890", NumberFault.OUT_OF_RANGE),
        ("-1", NumberFault.NOT_PLAIN),
        ("1e-7", NumberFault.NOT_PLAIN),
        ("NaN", NumberFault.NOT_PLAIN),
        ("", NumberFault.NOT_PLAIN),
    ],
)
def test_a_fine_number_is_still_a_plain_one(text: str, fault: NumberFault) -> None:
    with pytest.raises(NumberRefused) as refused:
        numbers.fine_decimal_from_text(text)
    assert refused.value.fault is fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0", NumberFault.OUT_OF_RANGE),
        ("0.0000", NumberFault.OUT_OF_RANGE),
        ("1", NumberFault.OUT_OF_RANGE),
        ("1.0001", NumberFault.OUT_OF_RANGE),
        ("0.00001", NumberFault.OFF_GRID),
    ],
)
def test_a_level_price_lies_strictly_between_nothing_and_a_dollar_on_the_grid(text: str, fault: NumberFault) -> None:
    with pytest.raises(NumberRefused) as refused:
        numbers.level_price_e4(text)
    assert refused.value.fault is fault


@pytest.mark.parametrize("text", ["--1", "-", "- 1", "-+1", "-NaN", "−1", "-01"])
def test_a_signed_field_takes_one_leading_minus_and_nothing_else(text: str) -> None:
    with pytest.raises(NumberRefused):
        numbers.signed_size_e6(text)


@pytest.mark.parametrize(
    ("gate", "text", "value"),
    [
        (numbers.price_e4, "0", 0),
        (numbers.price_e4, "1.0000", 10_000),
        (numbers.level_price_e4, "0.4200", 4_200),
        (numbers.level_price_e4, "0.420000", 4_200),
        (numbers.level_price_e4, "0.0001", 1),
        (numbers.size_e6, "0.00", 0),
        (numbers.size_e6, "120.5", 120_500_000),
        (numbers.size_e6, "999999999.999999", 999_999_999_999_999),
        (numbers.signed_size_e6, "-54.00", -54_000_000),
        (numbers.signed_size_e6, "54", 54_000_000),
    ],
)
def test_plain_numbers_become_scaled_integers(gate: Callable[[str], int], text: str, value: int) -> None:
    assert gate(text) == value


def test_integers_become_text_and_decimals_without_trailing_zeros() -> None:
    assert numbers.price_text(4_200) == "0.42"
    assert numbers.size_text(120_500_000) == "120.5"
    assert numbers.money_text(-15_000_000_000) == "-1.5"
    assert numbers.money_text(0) == "0"
    assert numbers.price_dollars(1) == Decimal("0.0001")
    assert numbers.money_dollars(123) == Decimal("0.0000000123")
