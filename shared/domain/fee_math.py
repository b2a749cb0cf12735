"""What one fill costs in fees: one exact ``Decimal`` function per venue, and the report that explains it.

These functions are the reference. The hot loop uses their integer twins in ``fee_tables``; a property test holds
the two equal.
"""

from collections.abc import Callable
from datetime import date
from decimal import MAX_PREC, ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from typing import Literal

import msgspec

from shared.domain.fees import KALSHI_RATES, FeeSchedule, KalshiFees, PolymarketFees, check_schedule

Role = Literal["taker", "maker"]

KALSHI_TRADE_QUANTUM_DOLLARS = Decimal("0.0001")
"""A Kalshi trade fee rounds up to this (Kalshi API documentation, fee rounding, June 2026)."""
POLYMARKET_QUANTUM_DOLLARS = Decimal("0.00001")
"""A Polymarket fee rounds down to this (19 recorded on-chain taker fills, 2026)."""
POLYMARKET_SOURCE = "19 recorded on-chain taker fills: floor to 5 decimals, 2026"

_EXACT = Context(prec=60)


class FeeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One fee with everything needed to check it by hand."""

    venue: Literal["kalshi", "polymarket"]
    role: Role
    price_dollars: Decimal
    size_contracts: Decimal
    rate: Decimal
    """The published rate times the market's multiplier."""
    formula: str
    formula_with_numbers: str
    raw_dollars: Decimal
    """Before any rounding."""
    fee_dollars: Decimal
    """What the venue takes."""
    cost_dollars: Decimal
    """Price times size, without the fee."""
    total_dollars: Decimal
    """What leaves the account: cost plus fee."""
    rounding: str
    effective_from: date
    source: str


def kalshi_rate(schedule: KalshiFees, *, role: Role = "taker") -> Decimal:
    """Return the multiplier of ``contracts * price * (1 - price)`` for this role.

    Takers pay 0.07; makers pay 0.0175 in series with maker fees, 0.035 in combos and nothing elsewhere, each
    times the market's multiplier (Kalshi fee schedule, edition effective 2026-07-07). Raises FeesRefused.
    """
    check_schedule(schedule)
    if role == "taker":
        published = KALSHI_RATES.taker
    else:
        published = {
            "quadratic_with_maker_fees": KALSHI_RATES.maker,
            "quadratic_with_combo_maker_fees": KALSHI_RATES.combo_maker,
        }.get(schedule.fee_type, Decimal(0))
    return published * schedule.multiplier


def kalshi_fee_dollars(
    schedule: KalshiFees, *, price_dollars: Decimal, size_contracts: Decimal, role: Role = "taker"
) -> Decimal:
    """Return what buying ``size_contracts`` at one price adds to its cost.

    The formula's result rounds up to $0.0001; then the whole balance change rounds against the customer to the
    account's precision, and what that takes belongs to the fee (Kalshi API documentation, fee rounding, June 2026;
    two recorded fills agree). ``price_dollars`` is the price of the side bought. Raises FeesRefused.
    """
    _check_fill(price_dollars, size_contracts)
    rate = kalshi_rate(schedule, role=role)
    with localcontext(_EXACT):
        cost_dollars = price_dollars * size_contracts
        raw_dollars = rate * size_contracts * price_dollars * (1 - price_dollars)
        trade_fee_dollars = _to_multiple(raw_dollars, KALSHI_TRADE_QUANTUM_DOLLARS, ROUND_CEILING)
        change_dollars = _to_multiple(cost_dollars + trade_fee_dollars, schedule.precision_dollars, ROUND_CEILING)
        return change_dollars - cost_dollars


def polymarket_fee_dollars(schedule: PolymarketFees, *, price_dollars: Decimal, size_contracts: Decimal) -> Decimal:
    """Return what a taker pays on a fill of ``size_contracts`` at one price: the formula, down to 5 decimals.

    Makers pay nothing. Source: Polymarket documentation, fees, 2026-07, and 19 recorded on-chain fills. Raises
    FeesRefused.
    """
    _check_fill(price_dollars, size_contracts)
    with localcontext(_EXACT):
        raw_dollars = _polymarket_raw_dollars(schedule, price_dollars, size_contracts)
        return _to_multiple(raw_dollars, POLYMARKET_QUANTUM_DOLLARS, ROUND_FLOOR)


def fee_dollars(schedule: FeeSchedule, *, price_dollars: Decimal, size_contracts: Decimal) -> Decimal:
    """Return the taker fee of one fill on either venue. Raises FeesRefused."""
    price: Callable[..., Decimal] = kalshi_fee_dollars if isinstance(schedule, KalshiFees) else polymarket_fee_dollars
    return price(schedule, price_dollars=price_dollars, size_contracts=size_contracts)


def fee_report(
    schedule: FeeSchedule, *, price_dollars: Decimal, size_contracts: Decimal, role: Role = "taker"
) -> FeeReport:
    """Price one fill and say how: formula, numbers put in, rounding and source. Raises FeesRefused."""
    if isinstance(schedule, KalshiFees):
        return _kalshi_report(schedule, price_dollars, size_contracts, role)
    return _polymarket_report(schedule, price_dollars, size_contracts, role)


def _kalshi_report(schedule: KalshiFees, price_dollars: Decimal, size_contracts: Decimal, role: Role) -> FeeReport:
    rate = kalshi_rate(schedule, role=role)
    fee = kalshi_fee_dollars(schedule, price_dollars=price_dollars, size_contracts=size_contracts, role=role)
    with localcontext(_EXACT):
        raw_dollars = rate * size_contracts * price_dollars * (1 - price_dollars)
        cost_dollars = price_dollars * size_contracts
        total_dollars = cost_dollars + fee
    return FeeReport(
        venue="kalshi",
        role=role,
        price_dollars=price_dollars,
        size_contracts=size_contracts,
        rate=_plain(rate),
        formula="rate * contracts * price * (1 - price)",
        formula_with_numbers=(
            f"{_plain(rate):f} * {size_contracts:f} * {price_dollars:f} * {1 - price_dollars:f}"
            f" = {_plain(raw_dollars):f}"
        ),
        raw_dollars=_plain(raw_dollars),
        fee_dollars=_plain(fee),
        cost_dollars=_plain(cost_dollars),
        total_dollars=_plain(total_dollars),
        rounding=(
            f"up to {KALSHI_TRADE_QUANTUM_DOLLARS}, then cost plus fee up to {schedule.precision_dollars}, "
            "the balance precision of the account"
        ),
        effective_from=max(schedule.effective_from, KALSHI_RATES.effective_from),
        source=f"{KALSHI_RATES.source}; terms of the market: {schedule.source}",
    )


def _polymarket_report(
    schedule: PolymarketFees, price_dollars: Decimal, size_contracts: Decimal, role: Role
) -> FeeReport:
    is_taker = role == "taker"
    charged = schedule if is_taker else msgspec.structs.replace(schedule, rate=Decimal(0))
    fee = polymarket_fee_dollars(charged, price_dollars=price_dollars, size_contracts=size_contracts)
    with localcontext(_EXACT):
        raw_dollars = _polymarket_raw_dollars(charged, price_dollars, size_contracts)
        cost_dollars = price_dollars * size_contracts
        total_dollars = cost_dollars + fee
    power = "" if schedule.exponent == 1 else f" ^ {schedule.exponent}"
    return FeeReport(
        venue="polymarket",
        role=role,
        price_dollars=price_dollars,
        size_contracts=size_contracts,
        rate=_plain(charged.rate),
        formula="rate * shares * (price * (1 - price)) ^ exponent" if is_taker else "0: makers pay nothing",
        formula_with_numbers=(
            f"{_plain(charged.rate):f} * {size_contracts:f} * ({price_dollars:f} * {1 - price_dollars:f}){power}"
            f" = {_plain(raw_dollars):f}"
        ),
        raw_dollars=_plain(raw_dollars),
        fee_dollars=_plain(fee),
        cost_dollars=_plain(cost_dollars),
        total_dollars=_plain(total_dollars),
        rounding=f"down to {POLYMARKET_QUANTUM_DOLLARS:f}",
        effective_from=schedule.effective_from,
        source=f"{POLYMARKET_SOURCE}; terms of the market: {schedule.source}",
    )


def _polymarket_raw_dollars(schedule: PolymarketFees, price_dollars: Decimal, size_contracts: Decimal) -> Decimal:
    check_schedule(schedule)
    spread = price_dollars * (1 - price_dollars)
    return schedule.rate * size_contracts * spread**schedule.exponent


def _check_fill(price_dollars: Decimal, size_contracts: Decimal) -> None:
    assert 0 < price_dollars < 1, price_dollars
    assert size_contracts >= 0, size_contracts


def _to_multiple(value: Decimal, quantum: Decimal, rounding: str) -> Decimal:
    return (value / quantum).to_integral_value(rounding=rounding) * quantum


def _plain(value: Decimal) -> Decimal:
    """Drop trailing zeros without ever showing an exponent for a whole number."""
    with localcontext(Context(prec=MAX_PREC)):
        short = value.normalize()
        return short if short.as_tuple().exponent <= 0 else short.quantize(Decimal(1))  # type: ignore[operator]
