"""Sets of contracts on one venue that pay a known amount whatever happens, and what each is allowed to assume.

A basket buys the same number of several outcomes. ``yes_and_no``, ``every_no`` and ``every_yes`` build one or refuse,
because what it pays follows from the venue's own statement about the event and from nothing else. All of them assume
that every market settles at 0 or 1; a void is the risk that a haircut is for.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from shared.domain.legs import Side
from shared.domain.market import MarketId, Venue


class BasketKind(StrEnum):
    """Which outcomes are bought."""

    YES_AND_NO = "yes_and_no"
    EVERY_NO = "every_no"
    EVERY_YES = "every_yes"


class NotGuaranteed(ValueError):
    """What the venue states about the event does not make this basket pay; the message says what is missing."""


class EventTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue states about the markets of one event. Everything not stated is false."""

    venue: Venue
    market_ids: tuple[MarketId, ...]
    """Every market of the event, also those that nobody quotes."""
    mutually_exclusive: bool = False
    """Kalshi's event field: at most one market resolves YES. It does not say that one must."""
    neg_risk: bool = False
    """Polymarket's: exactly one market resolves YES."""
    neg_risk_augmented: bool = False
    """Polymarket's: markets may still be named, and what "Other" means shrinks as they are."""
    exhaustive_source: str = ""
    """Where it is written that one of Kalshi's markets must resolve YES; empty when it is not."""


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """One outcome of one market."""

    market_id: MarketId
    side: Side


class Basket(msgspec.Struct, frozen=True, kw_only=True):
    """Claims that together pay at least ``payout_dollars`` per contract of each."""

    kind: BasketKind
    venue: Venue
    claims: tuple[Claim, ...]
    payout_dollars: int
    assumes: tuple[str, ...]
    """Why it pays, in words for whoever reads the alert."""


_SETTLES = "every market settles at 0 or 1; none is voided"


def yes_and_no(venue: Venue, market_id: MarketId) -> Basket:
    """Return YES and NO of one market, which pay a dollar together also when the market is voided.

    The NO book is the mirror of the YES book on both venues, so this only ever earns in a crossed book.
    """
    return Basket(
        kind=BasketKind.YES_AND_NO,
        venue=venue,
        claims=(Claim(market_id, "yes"), Claim(market_id, "no")),
        payout_dollars=1,
        assumes=("YES and NO of one market pay a dollar together",),
    )


def every_no(event: EventTerms, market_ids: Sequence[MarketId]) -> Basket:
    """Return NO on two or more markets of an event of which at most one resolves YES: n of them pay n - 1 dollars.

    It needs not hold every market: among those it holds, too, at most one resolves YES. Raises NotGuaranteed.
    """
    _check_members(event, market_ids)
    if event.venue is Venue.KALSHI:
        if not event.mutually_exclusive:
            raise NotGuaranteed("Kalshi does not state the event to be mutually exclusive: two YES may come true")
        assumes = "Kalshi: mutually_exclusive, at most one of the event's markets resolves YES"
    else:
        _check_neg_risk(event)
        assumes = "Polymarket: neg-risk and not augmented, exactly one of the event's markets resolves YES"
    return Basket(
        kind=BasketKind.EVERY_NO,
        venue=event.venue,
        claims=tuple(Claim(market_id, "no") for market_id in market_ids),
        payout_dollars=len(market_ids) - 1,
        assumes=(assumes, _SETTLES),
    )


def every_yes(event: EventTerms, market_ids: Sequence[MarketId]) -> Basket:
    """Return YES on all markets of an event of which exactly one resolves YES: together they pay a dollar.

    Kalshi's ``mutually_exclusive`` is not enough: none may resolve YES (Kalshi API documentation, events, 2026-11).
    Raises NotGuaranteed.
    """
    _check_members(event, market_ids)
    if len(market_ids) != len(event.market_ids):
        raise NotGuaranteed(f"these are {len(market_ids)} of the event's {len(event.market_ids)} markets")
    if event.venue is Venue.KALSHI:
        if not event.mutually_exclusive or not event.exhaustive_source:
            raise NotGuaranteed("Kalshi states at most that one market resolves YES, not that one must")
        assumes = f"exactly one market resolves YES: {event.exhaustive_source}"
    else:
        _check_neg_risk(event)
        assumes = "Polymarket: neg-risk and not augmented, exactly one of the event's markets resolves YES"
    return Basket(
        kind=BasketKind.EVERY_YES,
        venue=event.venue,
        claims=tuple(Claim(market_id, "yes") for market_id in market_ids),
        payout_dollars=1,
        assumes=(assumes, "these are all markets of the event", _SETTLES),
    )


def _check_members(event: EventTerms, market_ids: Sequence[MarketId]) -> None:
    if len(set(market_ids)) != len(market_ids) or len(market_ids) < 2:
        raise NotGuaranteed(f"a basket takes two or more different markets, not {len(market_ids)}")
    strangers = set(market_ids) - set(event.market_ids)
    if strangers:
        raise NotGuaranteed(f"{min(strangers)} is not a market of the event")


def _check_neg_risk(event: EventTerms) -> None:
    if not event.neg_risk:
        raise NotGuaranteed("Polymarket does not state the event to be neg-risk: two YES may come true, or none")
    if event.neg_risk_augmented:
        raise NotGuaranteed(
            "the neg-risk event is augmented: markets may still be named, and Other changes its meaning"
        )
