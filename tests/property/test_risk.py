"""Every refusal has its case, the first one wins, and nothing gets past the checks."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market import MarketStatus
from shared.domain.orders import Depth
from shared.domain.pair import Direction, Orientation
from shared.domain.risk import ApprovedIntent, Refusal, approve, still_allowed
from shared.domain.risk_checks import CHECKS
from shared.domain.risk_terms import BookSeen, Context, RefusalReason, RiskLimits, Usage
from tests.unit.kalshi_executor.builders import (
    KALSHI_BOOK,
    KALSHI_MARKET,
    NOW_NS,
    PAIR,
    POLYMARKET_BOOK,
    POLYMARKET_MARKET,
    context,
    intent,
    levels,
)

replace = msgspec.structs.replace
R = RefusalReason


Changes = dict[str, Any]


def limits(**changes: Any) -> Changes:
    return {"limits": changes}


def usage(**changes: Any) -> Changes:
    return {"usage": changes}


def seen(venue: str, **changes: Any) -> Changes:
    return {venue: changes}


def moment(changes: Changes) -> Context:
    """The moment at which the plain intent passes, with changes; those of its parts are given by field."""
    plain = context()
    parts: Changes = {
        "limits": RiskLimits(**changes.get("limits", {})),
        "usage": Usage(**changes.get("usage", {})),
        "legs": (
            replace(plain.legs[0], **changes.get("kalshi", {})),
            replace(plain.legs[1], **changes.get("polymarket", {})),
        ),
    }
    whole = {name: value for name, value in changes.items() if name not in {"limits", "usage", "kalshi", "polymarket"}}
    return replace(plain, **parts, **whole)


WRONG: dict[RefusalReason, tuple[Changes, Changes]] = {
    R.NOT_AUTHENTIC: ({}, {"authentic": False}),
    R.WRONG_ACCOUNT: ({"account": "other"}, {}),
    R.UNKNOWN_VERSION: ({"v": 2}, {}),
    R.NUMBER_REFUSED: ({"kalshi": {"limit_price_dollars": Decimal("NaN")}}, {}),
    R.EXPIRED: ({}, {"waited_ms": 100_000}),
    R.FROM_THE_FUTURE: ({"created_ts_ns": NOW_NS + 1_500_000_000}, {}),
    R.LIVES_TOO_LONG: ({"expires_ts_ns": NOW_NS + 60_000_000_000}, {}),
    R.PAIR_NOT_LIVE: ({}, {"pair": None}),
    R.PAIR_CHANGED: ({"pair_version": "0" * 16}, {}),
    R.PAIR_ALERT_ONLY: (
        {"pair_version": replace(PAIR, alert_only="rules differ").version},
        {"pair": replace(PAIR, alert_only="rules differ")},
    ),
    R.KILLED: ({}, {"killed": True}),
    R.WRONG_LEGS: ({"direction": Direction.NO_KALSHI_YES_POLYMARKET}, {}),
    R.UNEQUAL_LEGS: ({"polymarket": {"contracts": Decimal(99)}}, {}),
    R.BOOK_MISSING: ({}, seen("polymarket", book=None)),
    R.BOOK_STALE: ({}, seen("polymarket", book=BookSeen(stale="gap"))),
    R.BOOK_OLDER: ({"kalshi": {"quote_received_ts_ns": NOW_NS}}, {}),
    R.MARKET_UNKNOWN: ({}, seen("kalshi", market=None)),
    R.MARKET_NOT_OPEN: ({}, seen("kalshi", market=replace(KALSHI_MARKET, status=MarketStatus.PAUSED))),
    R.FEES_UNKNOWN: ({}, seen("polymarket", market=replace(POLYMARKET_MARKET, fees=None))),
    R.PRICE_OFF_GRID: ({"kalshi": {"limit_price_dollars": Decimal("0.425")}}, {}),
    R.SIZE_OFF_STEP: (
        {"kalshi": {"contracts": Decimal("50.001")}, "polymarket": {"contracts": Decimal("50.001")}},
        {},
    ),
    R.SIZE_TOO_SMALL: ({"kalshi": {"contracts": Decimal(4)}, "polymarket": {"contracts": Decimal(4)}}, {}),
    R.NO_EDGE: ({"polymarket": {"limit_price_dollars": Decimal("0.57")}}, {}),
    R.LIQUIDITY_GONE: (
        {},
        seen("polymarket", book=replace(POLYMARKET_BOOK, depth=Depth(levels("0.48x200"), ()))),
    ),
    R.LIMIT_FAR_FROM_BOOK: (
        {},
        seen("kalshi", book=replace(KALSHI_BOOK, depth=Depth((), levels("0.32x100")))),
    ),
    R.COST_ABOVE_INTENT: ({"kalshi": {"max_fee_dollars": Decimal("0.5")}}, {}),
    R.TOO_MANY_CONTRACTS: ({}, limits(max_contracts=Decimal("99.99"))),
    R.ORDER_LIMIT: ({}, limits(max_order_dollars=Decimal("44.79"))),
    R.PAIR_LIMIT: (
        {"pair_version": replace(PAIR, max_notional_dollars=Decimal("96.59")).version},
        {"pair": replace(PAIR, max_notional_dollars=Decimal("96.59"))},
    ),
    R.MARKET_LIMIT: ({}, usage(market_dollars=Decimal("955.21"))),
    R.DAY_LIMIT: ({}, usage(day_dollars=Decimal("4955.21"))),
    R.OPPORTUNITY_REPEATED: ({}, usage(opportunity_seen=True)),
    R.PAIR_TOO_SOON: ({}, usage(pair_rested_ms=29_999)),
    R.MARKET_BUSY: ({}, usage(market_busy=True)),
    R.TOO_MANY_ORDERS: ({}, usage(orders_last_minute=30)),
}


def verdict(changes: tuple[Changes, Changes]) -> ApprovedIntent | Refusal:
    return approve(intent(**changes[0]), moment(changes[1]))


def test_an_intent_that_fits_is_approved_with_kalshis_leg() -> None:
    approved = approve(intent(), context())
    assert isinstance(approved, ApprovedIntent)
    assert (approved.market_id, approved.outcome, approved.contracts, approved.limit_price_dollars) == (
        "KXGAME-26NOV22-HOME",
        "yes",
        Decimal(100),
        Decimal("0.43"),
    )


def test_every_reason_has_a_check_and_a_case_in_the_order_of_the_enum() -> None:
    assert list(CHECKS) == list(RefusalReason)
    assert sorted(WRONG, key=list(RefusalReason).index) == list(RefusalReason)


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_each_fault_alone_is_refused_by_its_own_name(reason: RefusalReason) -> None:
    refusal = verdict(WRONG[reason])
    assert isinstance(refusal, Refusal), refusal
    assert refusal.reason is reason, refusal
    assert refusal.detail


def merged(first: Changes, second: Changes) -> Changes | None:
    """Both changes at once, None when they change the same thing."""
    result = dict(first)
    for name, value in second.items():
        if name not in first:
            result[name] = value
        elif isinstance(value, dict) and not first[name].keys() & value.keys():
            result[name] = {**first[name], **value}
        else:
            return None
    return result


def both(first: tuple[Changes, Changes], second: tuple[Changes, Changes]) -> tuple[Changes, Changes] | None:
    in_intent, in_moment = merged(first[0], second[0]), merged(first[1], second[1])
    return None if in_intent is None or in_moment is None else (in_intent, in_moment)


def test_of_two_faults_the_earlier_check_refuses() -> None:
    combined = {
        (earlier, later): verdict(changes)
        for earlier, later in combinations(RefusalReason, 2)
        if (changes := both(WRONG[earlier], WRONG[later])) is not None
    }
    assert len(combined) > 400
    assert {earlier for earlier, _ in combined} | {R.TOO_MANY_ORDERS} == set(RefusalReason)
    wrong = {pair: found for pair, found in combined.items() if getattr(found, "reason", None) is not pair[0]}
    assert wrong == {}


@pytest.mark.parametrize(
    "text", ["NaN", "sNaN", "Infinity", "-Infinity", "1E999999", "1E-999999", "-0.01", "0.4200001"]
)
@pytest.mark.parametrize("field", ["limit_price_dollars", "contracts"])
def test_what_is_no_plain_amount_is_refused_before_any_arithmetic(field: str, text: str) -> None:
    refusal = approve(intent(kalshi={field: Decimal(text)}), context())
    assert isinstance(refusal, Refusal)
    assert refusal.reason is R.NUMBER_REFUSED


def test_an_intent_is_over_at_the_very_nanosecond_it_names() -> None:
    refusal = approve(intent(), context(now_ns=NOW_NS + 1_990_000_000))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is R.EXPIRED


@pytest.mark.parametrize(
    "changes",
    [
        limits(max_contracts=Decimal(100)),
        limits(max_order_dollars=Decimal("44.8")),
        usage(market_dollars=Decimal("955.2")),
        usage(day_dollars=Decimal("4955.2")),
        usage(pair_rested_ms=30_000),
        usage(orders_last_minute=29),
        {"now_ns": NOW_NS + 1_989_999_999},
        {"waited_ms": 1_999},
    ],
    ids=str,
)
def test_an_intent_exactly_at_a_limit_passes(changes: Changes) -> None:
    assert isinstance(approve(intent(), moment(changes)), ApprovedIntent)


def test_an_intent_that_was_read_too_long_ago_is_over_whatever_the_wall_clock_says() -> None:
    refusal = approve(intent(), context(waited_ms=2_000, now_ns=NOW_NS - 3_600_000_000_000))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is R.EXPIRED


def test_a_pair_past_its_end_is_not_live() -> None:
    ended = replace(PAIR, not_after=datetime.fromtimestamp(NOW_NS // 10**9, UTC))
    refusal = approve(intent(pair_version=ended.version), context(pair=ended))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is R.PAIR_NOT_LIVE


def test_an_inverted_pair_buys_the_same_outcome_index_on_both_venues() -> None:
    inverted = replace(PAIR, orientation=Orientation.INVERTED)
    book = replace(POLYMARKET_BOOK, depth=Depth((), levels("0.50x200")))
    now = moment({"pair": inverted, **seen("polymarket", book=book)})
    good = intent(pair_version=inverted.version, polymarket={"outcome": "yes", "token_id": "1001"})
    assert isinstance(approve(good, now), ApprovedIntent)
    refusal = approve(intent(pair_version=inverted.version), now)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is R.WRONG_LEGS


def test_a_kill_or_a_long_sleep_after_the_checks_still_stops_the_order() -> None:
    approved = approve(intent(), context())
    assert isinstance(approved, ApprovedIntent)
    assert still_allowed(approved, now_ns=NOW_NS, waited_ms=5, killed=False) is None
    killed = still_allowed(approved, now_ns=NOW_NS, waited_ms=5, killed=True)
    assert killed is not None
    assert killed.reason is R.KILLED
    slept = still_allowed(approved, now_ns=NOW_NS, waited_ms=30_000, killed=False)
    assert slept is not None
    assert slept.reason is R.EXPIRED


def test_nothing_but_approve_makes_an_approved_intent() -> None:
    approved = approve(intent(), context())
    assert isinstance(approved, ApprovedIntent)
    fields = {name: getattr(approved, name) for name in ApprovedIntent.__slots__}
    with pytest.raises(TypeError, match="approve"):
        ApprovedIntent(**{**fields, "seal": object()})


prices = st.integers(1, 99).map(lambda cents: Decimal(cents) / 100)
sizes = st.integers(1, 200_000).map(lambda hundredths: Decimal(hundredths) / 100)


@given(
    limits_dollars=st.tuples(prices, prices), asks=st.tuples(prices, prices), contracts=sizes, fee=sizes, spent=sizes
)
def test_what_is_approved_keeps_every_limit(
    limits_dollars: tuple[Decimal, Decimal],
    asks: tuple[Decimal, Decimal],
    contracts: Decimal,
    fee: Decimal,
    spent: Decimal,
) -> None:
    asked = intent(
        kalshi={"limit_price_dollars": limits_dollars[0], "contracts": contracts, "max_fee_dollars": fee},
        polymarket={"limit_price_dollars": limits_dollars[1], "contracts": contracts},
    )
    now = moment(
        {
            **seen("kalshi", book=replace(KALSHI_BOOK, depth=Depth((), ((asks[0], contracts),)))),
            **seen("polymarket", book=replace(POLYMARKET_BOOK, depth=Depth(((1 - asks[1], contracts),), ()))),
            **usage(market_dollars=spent, day_dollars=spent),
        }
    )
    if isinstance(approve(asked, now), ApprovedIntent):
        outlay = contracts * limits_dollars[0] + fee
        assert outlay <= now.limits.max_order_dollars
        assert spent + outlay <= now.limits.max_market_dollars
        assert contracts <= now.limits.max_contracts
        assert sum(limits_dollars) < 1
        assert asks[0] <= limits_dollars[0]
        assert asks[1] <= limits_dollars[1]
