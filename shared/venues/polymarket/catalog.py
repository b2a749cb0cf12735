"""Gamma's objects as the common ``Market``: what it asks, how it trades, what it charges, or why it is not listed.

Whether a market trades is told by ``acceptingOrders`` and ``closed``; ``active`` and ``endDate`` say nothing about it.
For minutes after its creation a market may lack its condition or token ids: it is then not listed yet and comes with
a later page. Field meanings: Gamma's documents and recorded objects of March to September 2026.
"""

import re
from datetime import date
from decimal import Decimal

import msgspec

from shared.domain.fees import PolymarketFees
from shared.domain.market import Market, MarketId, MarketStatus, PriceStep, Venue
from shared.venues.polymarket.gamma import (
    GammaEvent,
    GammaMarket,
    decimal_of,
    fee_schedule_of,
    flag_of,
    tag_labels,
    text_of,
    texts_of,
    time_of,
)
from shared.venues.polymarket.rest import ClobFee

SIZE_STEP_CONTRACTS = Decimal("0.01")
"""Order sizes have two decimals at every tick (rounding table of polymarket-client 0.14.0)."""
MIN_NOTIONAL_DOLLARS = Decimal(1)
"""A buy that trades at once must be worth a dollar (error codes page, 2026)."""
DEFAULT_MIN_CONTRACTS = Decimal(5)

_PLACEHOLDER = re.compile(r"\w+ [A-Z]{1,2}")
_CATCH_ALL = re.compile(r"(?:any |an)?other\b.*|someone else|(?:the )?field|none of .*", re.IGNORECASE)
_RESOLVED = frozenset({"resolved", "settled"})
_CONDITION = re.compile(r"0x[0-9a-fA-F]{64}")
_TOKEN = re.compile(r"[0-9]{1,78}")


class NotListed(msgspec.Struct, frozen=True):
    """Why a Gamma object is no market of the catalog, or not yet."""

    reason: str


def market_from_gamma(
    gamma: GammaMarket,
    event: GammaEvent,
    *,
    read_on: date,
    clob_fee: ClobFee | None = None,
    event_market_count: int | None = None,
) -> Market | NotListed:
    """Return the market in common terms, or why it cannot be listed (yet).

    ``clob_fee`` is what ``/clob-markets`` says, the second source when Gamma names no schedule. ``event_market_count``
    is how many markets the event holds, where all of them were read.
    """
    condition_id = text_of(gamma.condition_id) or ""
    token_ids = _token_ids(gamma)
    outcomes = texts_of(gamma.outcomes)
    tick = decimal_of(gamma.order_price_min_tick_size)
    reason = _reason_not_to_list(gamma, condition_id, token_ids, outcomes, tick)
    if reason or tick is None:
        return NotListed(reason)
    return Market(
        venue=Venue.POLYMARKET,
        market_id=MarketId(condition_id),
        event_id=text_of(event.id) or "",
        series_id=text_of(event.series_slug) or "",
        slug=text_of(gamma.slug) or "",
        event_slug=text_of(event.slug) or "",
        event_title=text_of(event.title) or "",
        title=text_of(gamma.question) or "",
        outcome_label=text_of(gamma.group_item_title) or "",
        outcomes=outcomes,
        token_ids=token_ids,
        rules_text=text_of(gamma.description) or text_of(event.description) or "",
        resolution_source=text_of(gamma.resolution_source) or text_of(event.resolution_source) or "",
        category=", ".join(tag_labels(event)),
        market_type=text_of(gamma.sports_market_type) or "",
        line=decimal_of(gamma.line),
        status=_status(gamma),
        open_time=time_of(gamma.start_date),
        close_time=time_of(gamma.end_date),
        game_start_time=time_of(gamma.game_start_time),
        price_steps=price_steps(tick),
        size_step_contracts=SIZE_STEP_CONTRACTS,
        min_contracts=decimal_of(gamma.order_min_size) or DEFAULT_MIN_CONTRACTS,
        min_notional_dollars=MIN_NOTIONAL_DOLLARS,
        fees=_fees(gamma, clob_fee, read_on),
        never_match=_never_match(gamma, event),
        taker_delay_s=decimal_of(gamma.seconds_delay) or Decimal(0),
        neg_risk=_neg_risk(gamma, event),
        neg_risk_augmented=flag_of(event.neg_risk_augmented),
        neg_risk_id=text_of(gamma.neg_risk_market_id) or "",
        event_market_count=event_market_count,
    )


def price_steps(tick_dollars: Decimal) -> tuple[PriceStep, ...]:
    """Return the price grid of one tick: from one tick to one dollar less a tick."""
    return (PriceStep(start_dollars=tick_dollars, end_dollars=1 - tick_dollars, step_dollars=tick_dollars),)


def lacks_fee_terms(market: Market) -> bool:
    """Whether ``/clob-markets`` should be asked what this market charges."""
    return market.fees is None


def with_clob_fee(market: Market, fee: ClobFee | None, *, read_on: date) -> Market:
    """Return the market with the fee that ``/clob-markets`` names, unchanged when it names none it can use."""
    fees = None if fee is None else _priced(fee.rate, fee.exponent, "CLOB /clob-markets fd", read_on)
    return market if fees is None else msgspec.structs.replace(market, fees=fees)


def changed_fields(before: Market, after: Market) -> tuple[str, ...]:
    """Return the names of the fields that differ; when a fee was read again with the same terms it does not."""
    names = [field.name for field in msgspec.structs.fields(Market)]
    return tuple(
        name
        for name in names
        if getattr(before, name) != getattr(after, name)
        and not (name == "fees" and _same_terms(before.fees, after.fees))
    )


def _reason_not_to_list(
    gamma: GammaMarket, condition_id: str, token_ids: tuple[str, ...], outcomes: tuple[str, ...], tick: Decimal | None
) -> str:
    if not condition_id or not token_ids:
        return "hydrating: no condition or token ids yet"
    if not _CONDITION.fullmatch(condition_id) or not all(_TOKEN.fullmatch(token_id) for token_id in token_ids):
        return "ids of an unknown form"
    if len(outcomes) != 2 or len(token_ids) != 2 or token_ids[0] == token_ids[1]:
        return "not two outcomes with a token each"
    if flag_of(gamma.enable_order_book) is False:
        return "no order book"
    if tick is None or not 0 < tick < 1:
        return "no price grid"
    return ""


def _token_ids(gamma: GammaMarket) -> tuple[str, ...]:
    if text_of(gamma.version) == "v2":
        return texts_of(gamma.position_ids)
    return texts_of(gamma.clob_token_ids)


def _status(gamma: GammaMarket) -> MarketStatus:
    if flag_of(gamma.closed) or flag_of(gamma.archived):
        is_settled = (text_of(gamma.uma_resolution_status) or "") in _RESOLVED
        return MarketStatus.SETTLED if is_settled else MarketStatus.CLOSED
    if flag_of(gamma.accepting_orders):
        return MarketStatus.OPEN
    return MarketStatus.PAUSED if text_of(gamma.accepting_orders_timestamp) else MarketStatus.UNOPENED


def _neg_risk(gamma: GammaMarket, event: GammaEvent) -> bool | None:
    """Return whether event and market both say that exactly one of the event's markets resolves YES; None if unsaid."""
    said = (flag_of(event.neg_risk), flag_of(gamma.neg_risk))
    return None if None in said else all(said)


def _never_match(gamma: GammaMarket, event: GammaEvent) -> str:
    """Return why no other venue can have the same question: what "Other" covers shrinks as names are added."""
    label = (text_of(gamma.group_item_title) or "").strip()
    if flag_of(gamma.neg_risk_other):
        return "the event's Other"
    is_one_of_many = flag_of(event.neg_risk) or flag_of(gamma.neg_risk)
    if is_one_of_many and _CATCH_ALL.fullmatch(label):
        return f"a catch-all: {label}"
    if flag_of(event.neg_risk_augmented) and _PLACEHOLDER.fullmatch(label):
        return f"a placeholder: {label}"
    return ""


def _fees(gamma: GammaMarket, clob_fee: ClobFee | None, read_on: date) -> PolymarketFees | None:
    """Return what a taker pays. ``takerBaseFee`` is a cap of the dead first order format and is never read."""
    is_enabled = flag_of(gamma.fees_enabled)
    if is_enabled is False:
        return PolymarketFees(rate=Decimal(0), effective_from=read_on, source=f"Gamma feesEnabled false, {read_on}")
    schedule = fee_schedule_of(gamma)
    if is_enabled and schedule is not None:
        exponent = decimal_of(schedule.exponent)
        source = "Gamma feeSchedule"
        return _priced(decimal_of(schedule.rate), Decimal(1) if exponent is None else exponent, source, read_on)
    if clob_fee is not None:
        return _priced(clob_fee.rate, clob_fee.exponent, "CLOB /clob-markets fd", read_on)
    return None


def _priced(rate: Decimal | None, exponent: Decimal, source: str, read_on: date) -> PolymarketFees | None:
    """Return the terms, None when they are none that the fee formula knows."""
    if rate is None or not rate.is_finite() or not exponent.is_finite():
        return None
    if not 0 <= rate < 1 or exponent != exponent.to_integral_value() or not 0 <= exponent <= 4:
        return None
    return PolymarketFees(rate=rate, exponent=int(exponent), effective_from=read_on, source=f"{source}, {read_on}")


def _same_terms(before: object, after: object) -> bool:
    if not isinstance(before, PolymarketFees) or not isinstance(after, PolymarketFees):
        return before == after
    return (before.rate, before.exponent) == (after.rate, after.exponent)
