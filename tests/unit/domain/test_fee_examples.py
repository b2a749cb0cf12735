"""Fees worked by hand, from the venues' documents and from recorded fills."""

from datetime import date
from decimal import Decimal

import pytest

from shared.domain.fee_math import Role, fee_dollars, fee_report, kalshi_fee_dollars, polymarket_fee_dollars
from shared.domain.fee_tables import taker_fee_e10, taker_fees
from shared.domain.fees import KALSHI_RATES, POLYMARKET_CATEGORY_RATES, FeesRefused, KalshiFeeType
from shared.domain.numbers import money_dollars
from tests.unit.domain.fee_examples import kalshi, polymarket

KALSHI_ROWS = [
    # contracts, price, multiplier, direct member, behind a broker
    ("1", "0.52", "1", "0.0175", "0.02"),  # recorded fill
    ("1", "0.99", "1", "0.0007", "0.01"),  # recorded fill
    ("100", "0.50", "1", "1.75", "1.75"),
    ("100", "0.35", "1", "1.5925", "1.60"),
    ("10", "0.63", "1", "0.1632", "0.17"),
    ("250", "0.041", "1", "0.6881", "0.69"),
    ("3.5", "0.4730", "1", "0.0611", "0.0645"),
    ("1", "0.055", "1", "0.0037", "0.005"),
    ("100", "0.50", "0.5", "0.875", "0.88"),
]

POLYMARKET_ROWS = [
    # nineteen recorded on-chain taker fills
    ("7.575758", "0.66", "0.05", "0.08500"),
    ("7.042251", "0.71", "0.05", "0.07249"),
    ("21.126758", "0.71", "0.05", "0.21749"),
    ("1.219511", "0.82", "0.07", "0.01259"),
    ("2.083334", "0.48", "0.07", "0.03640"),
    ("7.57", "0.65", "0.05", "0.08610"),
    ("7.59", "0.66", "0.05", "0.08515"),
    ("5", "0.31", "0.05", "0.05347"),
    ("5", "0.67", "0.05", "0.05527"),
    ("5", "0.27", "0.05", "0.04927"),
    ("7.04", "0.70", "0.05", "0.07392"),
    ("21.13", "0.70", "0.05", "0.22186"),
    ("8.928572", "0.56", "0.05", "0.11000"),
    ("8.92", "0.55", "0.05", "0.11038"),
    ("5.14931", "0.971", "0.07", "0.01014"),
    ("5.14", "0.965", "0.07", "0.01215"),
    ("9.321429", "0.56", "0.05", "0.11484"),
    ("9.33", "0.55", "0.05", "0.11545"),
    ("8.93", "0.55", "0.05", "0.11050"),
    # worked by hand
    ("100", "0.42", "0.04", "0.97440"),
    ("100", "0.50", "0.07", "1.75000"),
    ("5", "0.97", "0.05", "0.00727"),
]


@pytest.mark.parametrize(("contracts", "price", "multiplier", "direct", "broker"), KALSHI_ROWS)
def test_kalshi_taker_fees(contracts: str, price: str, multiplier: str, direct: str, broker: str) -> None:
    for precision, expected in (("0.0001", direct), ("0.01", broker)):
        terms = kalshi(multiplier, precision)
        fee = kalshi_fee_dollars(terms, price_dollars=Decimal(price), size_contracts=Decimal(contracts))
        assert fee == Decimal(expected)


@pytest.mark.parametrize(
    ("fee_type", "expected"),
    [
        ("quadratic_with_maker_fees", "0.4375"),
        ("quadratic_with_combo_maker_fees", "0.875"),
        ("quadratic", "0"),
    ],
)
def test_a_kalshi_maker_pays_by_the_type_of_the_series(fee_type: KalshiFeeType, expected: str) -> None:
    terms = kalshi(fee_type=fee_type)
    fee = kalshi_fee_dollars(terms, price_dollars=Decimal("0.5"), size_contracts=Decimal(100), role="maker")
    assert fee == Decimal(expected)


def test_a_kalshi_sweep_pays_level_by_level() -> None:
    """40 @ 0.48 and 60 @ 0.49: 0.69888 -> 0.6989 and 1.04958 -> 1.0496, together 1.7485."""
    fees = [
        kalshi_fee_dollars(kalshi(), price_dollars=Decimal(price), size_contracts=Decimal(size))
        for price, size in (("0.48", 40), ("0.49", 60))
    ]
    assert fees == [Decimal("0.6989"), Decimal("1.0496")]


def test_no_at_the_mirrored_price_costs_the_same_kalshi_fee() -> None:
    for price in ("0.03", "0.41", "0.5"):
        yes = kalshi_fee_dollars(kalshi(), price_dollars=Decimal(price), size_contracts=Decimal(7))
        no = kalshi_fee_dollars(kalshi(), price_dollars=1 - Decimal(price), size_contracts=Decimal(7))
        assert yes == no


@pytest.mark.parametrize(("shares", "price", "rate", "charged"), POLYMARKET_ROWS)
def test_polymarket_taker_fees(shares: str, price: str, rate: str, charged: str) -> None:
    fee = polymarket_fee_dollars(polymarket(rate), price_dollars=Decimal(price), size_contracts=Decimal(shares))
    assert fee == Decimal(charged)


def test_the_integer_twins_agree_on_every_recorded_and_worked_row() -> None:
    for contracts, price, multiplier, *_ in KALSHI_ROWS:
        for precision in ("0.0001", "0.01"):
            _assert_twins(kalshi(multiplier, precision), price, contracts)
    for shares, price, rate, _ in POLYMARKET_ROWS:
        _assert_twins(polymarket(rate), price, shares)


def _assert_twins(terms: object, price: str, contracts: str) -> None:
    in_integers = taker_fee_e10(
        terms,  # type: ignore[arg-type]
        price_e4=int(Decimal(price) * 10_000),
        size_e6=int(Decimal(contracts) * 1_000_000),
    )
    in_decimal = fee_dollars(terms, price_dollars=Decimal(price), size_contracts=Decimal(contracts))  # type: ignore[arg-type]
    assert money_dollars(in_integers) == in_decimal


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (kalshi(fee_type="flat"), "'flat' has no published formula"),
        (kalshi(fee_type="by_the_moon"), "'by_the_moon' has no published formula"),  # type: ignore[arg-type]
        (kalshi(multiplier="-1"), "multiplier -1 is outside 0 to 100"),
        (kalshi(multiplier="NaN"), "multiplier NaN is outside 0 to 100"),
        (kalshi(multiplier="0.0000001"), "more than 6 fractional digits"),
        (kalshi(precision="0.001"), "precision 0.001 is neither"),
        (polymarket(rate="Infinity"), "rate Infinity is outside"),
        (polymarket(rate="-0.05"), "rate -0.05 is outside"),
        (polymarket(exponent=5), "exponent 5 is not one of 0 to 4"),
    ],
)
def test_terms_that_cannot_be_priced_are_refused_by_name(terms: object, said: str) -> None:
    with pytest.raises(FeesRefused, match=said):
        taker_fees(terms)  # type: ignore[arg-type]
    with pytest.raises(FeesRefused, match=said):
        fee_dollars(terms, price_dollars=Decimal("0.5"), size_contracts=Decimal(1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "fee", "total"),
    [("taker", "0.0175", "0.5375"), ("maker", "0", "0.52")],
)
def test_a_kalshi_report_shows_formula_numbers_and_source(role: Role, fee: str, total: str) -> None:
    report = fee_report(kalshi(), price_dollars=Decimal("0.52"), size_contracts=Decimal(1), role=role)
    assert (report.fee_dollars, report.total_dollars) == (Decimal(fee), Decimal(total))
    assert "Kalshi fee schedule, edition effective 2026-07-07" in report.source
    assert report.effective_from == date(2026, 7, 7)
    if role == "taker":
        assert report.formula_with_numbers == "0.07 * 1 * 0.52 * 0.48 = 0.017472"


def test_a_polymarket_report_shows_the_floor() -> None:
    report = fee_report(polymarket(), price_dollars=Decimal("0.97"), size_contracts=Decimal(5))
    assert report.formula_with_numbers == "0.05 * 5 * (0.97 * 0.03) = 0.007275"
    assert (report.raw_dollars, report.fee_dollars) == (Decimal("0.007275"), Decimal("0.00727"))
    assert report.rounding == "down to 0.00001"


def test_a_polymarket_maker_pays_nothing() -> None:
    report = fee_report(polymarket(), price_dollars=Decimal("0.5"), size_contracts=Decimal(5), role="maker")
    assert report.fee_dollars == 0


def test_published_rates_carry_their_day_and_source() -> None:
    assert (KALSHI_RATES.taker, KALSHI_RATES.maker, KALSHI_RATES.combo_maker) == (
        Decimal("0.07"),
        Decimal("0.0175"),
        Decimal("0.035"),
    )
    rates = {row.category: row.rate for row in POLYMARKET_CATEGORY_RATES}
    assert rates["sports"] == Decimal("0.05")
    assert rates["geopolitics"] == 0
    assert all(row.source and row.effective_from for row in POLYMARKET_CATEGORY_RATES)
