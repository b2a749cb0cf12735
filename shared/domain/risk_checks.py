"""The risk checks in their fixed order: each looks at one thing and says what it saw when it does not hold.

A check yields nothing when it holds. Later checks rely on earlier ones: numbers are plain, the pair is there, the legs
are the pair's, the books and the markets are known.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType

from shared.domain.fee_math import fee_dollars
from shared.domain.fees import FeesRefused, check_schedule
from shared.domain.market import Market, MarketStatus, Venue
from shared.domain.orders import LevelD, Outcome, takeable
from shared.domain.pair import Direction, Orientation
from shared.domain.risk_terms import BookSeen, Context, Intent, Leg, RefusalReason

Check = Callable[[Intent, Context], Iterator[str]]

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000
_CLOCK_SLACK_MS = 1_000
_LARGEST = Decimal(1_000_000_000)


def too_late(created_ts_ns: int, expires_ts_ns: int, now_ns: int, waited_ms: int) -> Iterator[str]:
    """Yield why an intent is over, by the wall clock or by the clock that never runs backwards."""
    if now_ns >= expires_ts_ns:
        yield f"expired {(now_ns - expires_ts_ns) // _NS_PER_MS} ms ago"
    ttl_ms = (expires_ts_ns - created_ts_ns) // _NS_PER_MS
    if waited_ms >= ttl_ms:
        yield f"read {waited_ms} ms ago and good for {ttl_ms} ms"


def _not_authentic(_: Intent, context: Context) -> Iterator[str]:
    if not context.authentic:
        yield "the signature does not agree with the intent key"


def _wrong_account(intent: Intent, context: Context) -> Iterator[str]:
    if intent.account != context.account:
        yield f"for account {intent.account!r}, this is {context.account!r}"


def _unknown_version(intent: Intent, _: Context) -> Iterator[str]:
    if intent.v != 1:
        yield f"schema version {intent.v}, this executor knows 1"


def _number_refused(intent: Intent, _: Context) -> Iterator[str]:
    named = [("max_cost_dollars", intent.max_cost_dollars, 18)]
    for leg in intent.legs:
        named += [
            ("contracts", leg.contracts, 6),
            ("limit_price_dollars", leg.limit_price_dollars, 6),
            ("max_fee_dollars", leg.max_fee_dollars, 18),
        ]
    for name, value, digits in named:
        if not value.is_finite() or not 0 <= value < _LARGEST or value != round(value, digits):
            yield f"{name} {str(value)[:40]} is not a plain amount"


def _expired(intent: Intent, context: Context) -> Iterator[str]:
    yield from too_late(intent.created_ts_ns, intent.expires_ts_ns, context.now_ns, context.waited_ms)


def _from_the_future(intent: Intent, context: Context) -> Iterator[str]:
    ahead_ms = (intent.created_ts_ns - context.now_ns) // _NS_PER_MS
    if ahead_ms > _CLOCK_SLACK_MS:
        yield f"created {ahead_ms} ms from now"


def _lives_too_long(intent: Intent, context: Context) -> Iterator[str]:
    ttl_ms = (intent.expires_ts_ns - intent.created_ts_ns) // _NS_PER_MS
    if ttl_ms > context.limits.max_ttl_ms:
        yield f"good for {ttl_ms} ms, at most {context.limits.max_ttl_ms} are allowed"


def _pair_not_live(intent: Intent, context: Context) -> Iterator[str]:
    if context.pair is None:
        yield f"pair {intent.pair_id!r} is not live"
    elif context.pair.not_after is not None and context.now_ns // _NS_PER_S >= int(context.pair.not_after.timestamp()):
        yield f"pair {intent.pair_id!r} ended {context.pair.not_after.isoformat()}"


def _pair_changed(intent: Intent, context: Context) -> Iterator[str]:
    assert context.pair is not None
    if intent.pair_version != context.pair.version:
        yield f"meant version {intent.pair_version!r}, the pair is {context.pair.version!r}"


def _pair_alert_only(_: Intent, context: Context) -> Iterator[str]:
    assert context.pair is not None
    if context.pair.alert_only:
        yield context.pair.alert_only


def _killed(_: Intent, context: Context) -> Iterator[str]:
    if context.killed:
        yield "the kill file is there"


def _wrong_legs(intent: Intent, context: Context) -> Iterator[str]:
    pair = context.pair
    assert pair is not None
    kalshi: Outcome = "yes" if intent.direction is Direction.YES_KALSHI_NO_POLYMARKET else "no"
    polymarket: Outcome = kalshi if pair.orientation is Orientation.INVERTED else _other(kalshi)
    wanted = (
        (Venue.KALSHI, pair.kalshi_ticker, kalshi, ""),
        (Venue.POLYMARKET, pair.polymarket_id, polymarket, pair.polymarket_token_ids[int(polymarket == "no")]),
    )
    for leg, (venue, market_id, outcome, token_id) in zip(intent.legs, wanted, strict=True):
        if (leg.venue, leg.market_id, leg.outcome, leg.token_id) != (venue, market_id, outcome, token_id):
            yield f"{leg.outcome} of {leg.venue} {leg.market_id!r}, the pair asks for {outcome} of {market_id!r}"


def _unequal_legs(intent: Intent, _: Context) -> Iterator[str]:
    kalshi, polymarket = intent.legs
    if kalshi.contracts != polymarket.contracts:
        yield f"{kalshi.contracts} contracts against {polymarket.contracts}"


def _book_missing(intent: Intent, context: Context) -> Iterator[str]:
    for leg, seen in zip(intent.legs, context.legs, strict=True):
        if seen.book is None:
            yield f"no book of {leg.venue} {leg.market_id!r}"


def _book_stale(intent: Intent, context: Context) -> Iterator[str]:
    for leg, book in _books(intent, context):
        if book.stale:
            yield f"book of {leg.venue} {leg.market_id!r}: {book.stale}"


def _book_older(intent: Intent, context: Context) -> Iterator[str]:
    for leg, book in _books(intent, context):
        behind_ns = leg.quote_received_ts_ns - book.received_ts_ns
        if behind_ns > 0:
            yield f"book of {leg.venue} {leg.market_id!r} is {behind_ns} ns older than the quote"


def _market_unknown(intent: Intent, context: Context) -> Iterator[str]:
    for leg, seen in zip(intent.legs, context.legs, strict=True):
        if seen.market is None:
            yield f"{leg.venue} {leg.market_id!r} is not in the catalog"


def _market_not_open(intent: Intent, context: Context) -> Iterator[str]:
    for _, market in _markets(intent, context):
        if market.status is not MarketStatus.OPEN:
            yield f"{market.venue} {market.market_id!r} is {market.status}"


def _fees_unknown(intent: Intent, context: Context) -> Iterator[str]:
    for _, market in _markets(intent, context):
        if market.fees is None:
            yield f"{market.venue} {market.market_id!r} names no fee terms"
            continue
        try:
            check_schedule(market.fees)
        except FeesRefused as error:
            yield str(error)


def _price_off_grid(intent: Intent, context: Context) -> Iterator[str]:
    for leg, market in _markets(intent, context):
        price = leg.limit_price_dollars
        if not 0 < price < 1 or _tick(leg, market) is None:
            yield f"{price} is not on the grid of {market.venue} {market.market_id!r}"


def _size_off_step(intent: Intent, context: Context) -> Iterator[str]:
    for leg, market in _markets(intent, context):
        if market.size_step_contracts <= 0 or leg.contracts % market.size_step_contracts:
            yield f"{leg.contracts} contracts in steps of {market.size_step_contracts}"


def _size_too_small(intent: Intent, context: Context) -> Iterator[str]:
    for leg, market in _markets(intent, context):
        if leg.contracts <= 0 or leg.contracts < market.min_contracts:
            yield f"{leg.contracts} contracts, {market.venue} asks for {market.min_contracts}"


def _no_edge(intent: Intent, _: Context) -> Iterator[str]:
    kalshi, polymarket = intent.legs
    price = kalshi.limit_price_dollars + polymarket.limit_price_dollars
    if price >= 1:
        yield f"the limits add up to {price} for a dollar"


def _liquidity_gone(intent: Intent, context: Context) -> Iterator[str]:
    for leg, book in _books(intent, context):
        asks = book.depth.asks(leg.outcome)
        if not asks or asks[0][0] > leg.limit_price_dollars:
            best = asks[0][0] if asks else "nothing"
            yield f"{leg.venue} offers {best}, the limit is {leg.limit_price_dollars}"


def _limit_far_from_book(intent: Intent, context: Context) -> Iterator[str]:
    for (leg, book), (_, market) in zip(_books(intent, context), _markets(intent, context), strict=True):
        tick = _tick(leg, market)
        assert tick is not None
        reached = _taken(leg, book)[-1][0]
        if leg.limit_price_dollars - reached > context.limits.max_ticks_from_book * tick:
            yield f"limit {leg.limit_price_dollars}, the book fills it at {reached}"


def _cost_above_intent(intent: Intent, context: Context) -> Iterator[str]:
    for (leg, book), (_, market) in zip(_books(intent, context), _markets(intent, context), strict=True):
        assert market.fees is not None
        meant = leg.contracts * leg.limit_price_dollars + leg.max_fee_dollars
        costs = sum(
            (
                price * size + fee_dollars(market.fees, price_dollars=price, size_contracts=size)
                for price, size in _taken(leg, book)
            ),
            Decimal(0),
        )
        if costs > meant:
            yield f"{leg.venue} would take {costs} dollars, the intent allows {meant}"


def _too_many_contracts(intent: Intent, context: Context) -> Iterator[str]:
    yield from _above("contracts", intent.legs[0].contracts, context.limits.max_contracts)


def _order_limit(intent: Intent, context: Context) -> Iterator[str]:
    yield from _above("dollars in one order", _outlay(intent), context.limits.max_order_dollars)


def _pair_limit(intent: Intent, context: Context) -> Iterator[str]:
    assert context.pair is not None
    if context.pair.max_notional_dollars is not None:
        yield from _above("dollars on the pair", intent.max_cost_dollars, context.pair.max_notional_dollars)


def _market_limit(intent: Intent, context: Context) -> Iterator[str]:
    dollars = context.usage.market_dollars + _outlay(intent)
    yield from _above("dollars in the market today", dollars, context.limits.max_market_dollars)


def _day_limit(intent: Intent, context: Context) -> Iterator[str]:
    dollars = context.usage.day_dollars + _outlay(intent)
    yield from _above("dollars today", dollars, context.limits.max_day_dollars)


def _opportunity_repeated(intent: Intent, context: Context) -> Iterator[str]:
    if context.usage.opportunity_seen:
        yield f"opportunity {intent.opportunity_id!r} had its intent"


def _pair_too_soon(_: Intent, context: Context) -> Iterator[str]:
    rested_ms = context.usage.pair_rested_ms
    if rested_ms is not None and rested_ms < context.limits.rearm_ms:
        yield f"{rested_ms} ms after the pair's last order, {context.limits.rearm_ms} are asked for"


def _market_busy(_: Intent, context: Context) -> Iterator[str]:
    if context.usage.market_busy:
        yield "an order for the same outcome is not done"


def _too_many_orders(_: Intent, context: Context) -> Iterator[str]:
    if context.usage.orders_last_minute >= context.limits.max_orders_per_minute:
        yield f"{context.usage.orders_last_minute} orders in the last minute"


def _other(outcome: Outcome) -> Outcome:
    return "no" if outcome == "yes" else "yes"


def _books(intent: Intent, context: Context) -> Iterator[tuple[Leg, BookSeen]]:
    for leg, seen in zip(intent.legs, context.legs, strict=True):
        assert seen.book is not None
        yield leg, seen.book


def _markets(intent: Intent, context: Context) -> Iterator[tuple[Leg, Market]]:
    for leg, seen in zip(intent.legs, context.legs, strict=True):
        assert seen.market is not None
        yield leg, seen.market


def _tick(leg: Leg, market: Market) -> Decimal | None:
    """Return the price step at a leg's limit, None when the limit is on no step. Grids are given for YES."""
    price = leg.limit_price_dollars if leg.outcome == "yes" else 1 - leg.limit_price_dollars
    for step in market.price_steps:
        inside = step.start_dollars <= price <= step.end_dollars and step.step_dollars > 0
        if inside and (price - step.start_dollars) % step.step_dollars == 0:
            return step.step_dollars
    return None


def _taken(leg: Leg, book: BookSeen) -> tuple[LevelD, ...]:
    return takeable(book.depth.asks(leg.outcome), contracts=leg.contracts, limit_price_dollars=leg.limit_price_dollars)


def _outlay(intent: Intent) -> Decimal:
    """Return what Kalshi's leg takes at most."""
    leg = intent.legs[0]
    return leg.contracts * leg.limit_price_dollars + leg.max_fee_dollars


def _above(what: str, value: Decimal, limit: Decimal) -> Iterator[str]:
    if value > limit:
        yield f"{value} {what}, the limit is {limit}"


CHECKS: Mapping[RefusalReason, Check] = MappingProxyType(
    {
        RefusalReason.NOT_AUTHENTIC: _not_authentic,
        RefusalReason.WRONG_ACCOUNT: _wrong_account,
        RefusalReason.UNKNOWN_VERSION: _unknown_version,
        RefusalReason.NUMBER_REFUSED: _number_refused,
        RefusalReason.EXPIRED: _expired,
        RefusalReason.FROM_THE_FUTURE: _from_the_future,
        RefusalReason.LIVES_TOO_LONG: _lives_too_long,
        RefusalReason.PAIR_NOT_LIVE: _pair_not_live,
        RefusalReason.PAIR_CHANGED: _pair_changed,
        RefusalReason.PAIR_ALERT_ONLY: _pair_alert_only,
        RefusalReason.KILLED: _killed,
        RefusalReason.WRONG_LEGS: _wrong_legs,
        RefusalReason.UNEQUAL_LEGS: _unequal_legs,
        RefusalReason.BOOK_MISSING: _book_missing,
        RefusalReason.BOOK_STALE: _book_stale,
        RefusalReason.BOOK_OLDER: _book_older,
        RefusalReason.MARKET_UNKNOWN: _market_unknown,
        RefusalReason.MARKET_NOT_OPEN: _market_not_open,
        RefusalReason.FEES_UNKNOWN: _fees_unknown,
        RefusalReason.PRICE_OFF_GRID: _price_off_grid,
        RefusalReason.SIZE_OFF_STEP: _size_off_step,
        RefusalReason.SIZE_TOO_SMALL: _size_too_small,
        RefusalReason.NO_EDGE: _no_edge,
        RefusalReason.LIQUIDITY_GONE: _liquidity_gone,
        RefusalReason.LIMIT_FAR_FROM_BOOK: _limit_far_from_book,
        RefusalReason.COST_ABOVE_INTENT: _cost_above_intent,
        RefusalReason.TOO_MANY_CONTRACTS: _too_many_contracts,
        RefusalReason.ORDER_LIMIT: _order_limit,
        RefusalReason.PAIR_LIMIT: _pair_limit,
        RefusalReason.MARKET_LIMIT: _market_limit,
        RefusalReason.DAY_LIMIT: _day_limit,
        RefusalReason.OPPORTUNITY_REPEATED: _opportunity_repeated,
        RefusalReason.PAIR_TOO_SOON: _pair_too_soon,
        RefusalReason.MARKET_BUSY: _market_busy,
        RefusalReason.TOO_MANY_ORDERS: _too_many_orders,
    }
)
"""Every reason with its check, in the order in which they are asked."""
