"""Laws of fees: the integer twins are exact, and nobody gains by splitting an order."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.fee_math import fee_dollars, kalshi_fee_dollars, polymarket_fee_dollars
from shared.domain.fee_tables import taker_fee_e10, taker_fees
from shared.domain.fees import FeeSchedule
from shared.domain.numbers import money_dollars, price_dollars, size_contracts
from tests.unit.domain.fee_examples import kalshi, polymarket

prices_e4 = st.integers(1, 9_999)
sizes_e6 = st.integers(1, 10**12)
kalshi_terms = st.builds(
    kalshi,
    multiplier=st.decimals(0, 3, places=6).map(str),
    precision=st.sampled_from(["0.0001", "0.01"]),
)
polymarket_terms = st.builds(polymarket, rate=st.decimals(0, 1, places=6).map(str), exponent=st.integers(1, 3))
schedules: st.SearchStrategy[FeeSchedule] = st.one_of(kalshi_terms, polymarket_terms)


@given(schedules, prices_e4, sizes_e6)
def test_integers_and_decimals_give_the_same_fee(terms: FeeSchedule, price_e4: int, size_e6: int) -> None:
    in_decimal = fee_dollars(terms, price_dollars=price_dollars(price_e4), size_contracts=size_contracts(size_e6))
    assert money_dollars(taker_fee_e10(terms, price_e4=price_e4, size_e6=size_e6)) == in_decimal


@given(schedules, prices_e4)
def test_the_table_holds_price_plus_unrounded_fee_never_too_little(terms: FeeSchedule, price_e4: int) -> None:
    price = price_dollars(price_e4)
    many = Decimal(10**9)
    per_contract = fee_dollars(terms, price_dollars=price, size_contracts=many) / many
    in_table = Decimal(taker_fees(terms).all_in_e18[price_e4]).scaleb(-18)
    assert abs(in_table - price - per_contract) <= Decimal("1e-10")
    assert in_table >= price


@given(kalshi_terms, prices_e4, sizes_e6)
def test_a_kalshi_fee_is_never_below_the_formula_and_ends_on_the_precision(
    terms: object, price_e4: int, size_e6: int
) -> None:
    price, size = price_dollars(price_e4), size_contracts(size_e6)
    fee = kalshi_fee_dollars(terms, price_dollars=price, size_contracts=size)  # type: ignore[arg-type]
    raw = Decimal("0.07") * terms.multiplier * size * price * (1 - price)  # type: ignore[attr-defined]
    precision = terms.precision_dollars  # type: ignore[attr-defined]
    assert raw <= fee < raw + Decimal("0.0001") + precision
    assert (price * size + fee) % precision == 0


@given(st.builds(kalshi), prices_e4, st.integers(1, 10_000), st.integers(1, 10_000))
def test_splitting_an_order_never_makes_it_cheaper_at_kalshi(
    terms: object, price_e4: int, contracts: int, more: int
) -> None:
    price = price_dollars(price_e4)
    parts = [
        kalshi_fee_dollars(terms, price_dollars=price, size_contracts=Decimal(size))  # type: ignore[arg-type]
        for size in (contracts, more)
    ]
    whole = kalshi_fee_dollars(terms, price_dollars=price, size_contracts=Decimal(contracts + more))  # type: ignore[arg-type]
    assert sum(parts) >= whole


@given(polymarket_terms, prices_e4, sizes_e6)
def test_a_polymarket_fee_is_the_formula_less_than_one_unit_below(terms: object, price_e4: int, size_e6: int) -> None:
    price, size = price_dollars(price_e4), size_contracts(size_e6)
    fee = polymarket_fee_dollars(terms, price_dollars=price, size_contracts=size)  # type: ignore[arg-type]
    raw = terms.rate * size * (price * (1 - price)) ** terms.exponent  # type: ignore[attr-defined]
    assert fee <= raw + Decimal("1e-20")
    assert raw - fee < Decimal("0.00001") + Decimal("1e-20")


@given(schedules, prices_e4, sizes_e6, sizes_e6)
def test_a_larger_fill_never_takes_less_from_the_account(
    terms: FeeSchedule, price_e4: int, size_e6: int, more_e6: int
) -> None:
    def outlay(size: int) -> int:
        return price_e4 * size + taker_fee_e10(terms, price_e4=price_e4, size_e6=size)

    assert outlay(size_e6) <= outlay(size_e6 + more_e6)
