"""A basket that is watched: markets of one event of one venue, and what the venue's own listing says about them.

Only what a listing states counts. What it does not say is unknown, and an unknown makes no basket: the refusal says
which word is missing. The set itself and what it pays is built by ``baskets``.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import NewType

import msgspec

from shared.domain.baskets import BasketKind, EventTerms, NotGuaranteed
from shared.domain.market import Market, MarketId, Venue
from shared.domain.pair import partition_of

BasketId = NewType("BasketId", str)

MOST_MEMBERS = 60
"""Larger events are refused: their price takes longer to work out than it lasts."""


class BasketMember(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One market of a basket's event."""

    market_id: MarketId
    label: str = ""
    """What its YES stands for inside the event, in the venue's own words: hostile until shown as text."""
    token_ids: tuple[str, ...] = ()
    """Polymarket: the token of YES and of NO."""


class LiveBasket(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A basket that may be watched and alerted on; nothing is ordered for it."""

    basket_id: BasketId
    kind: BasketKind
    venue: Venue
    event_id: str
    title: str = ""
    members: tuple[BasketMember, ...]
    """All tradable markets of the event, by id. ``every_no`` buys of some of them, ``every_yes`` of all."""
    source: str
    """The mapping row that switched it on, and who reviewed it."""
    not_after: datetime | None = None
    void_risk: str = ""
    """What happens to the event's markets on a void; empty when every market settles at 0 or 1."""

    @property
    def market_ids(self) -> tuple[MarketId, ...]:
        """The members' markets."""
        return tuple(member.market_id for member in self.members)

    @property
    def partition(self) -> int:
        """The basket's place among the quote streams, stable for ever."""
        return partition_of(self.basket_id)

    @property
    def version(self) -> str:
        """A digest of everything above."""
        return sha256(msgspec.json.encode(self)).hexdigest()[:16]


def basket_id_of(venue: Venue, event_id: str, kind: BasketKind) -> BasketId:
    """Return the one id of an event's basket of one kind: ``kalshi-KXRACE-26-every_no``."""
    return BasketId(f"{venue.value}-{event_id}-{kind.value}")


def stated_terms(kind: BasketKind, markets: Sequence[Market]) -> EventTerms:
    """Return what one venue states about the event of all these markets, as far as ``kind`` needs it.

    Kalshi's event says ``mutually_exclusive``; Polymarket's must be neg-risk, its markets of one group, and it must say
    that it is not augmented. Raises NotGuaranteed when anything needed is unsaid, denied, or said differently by two
    listings.
    """
    if not markets:
        raise NotGuaranteed("no market of the event is listed")
    first = markets[0]
    strangers = [market for market in markets if market.event_id != first.event_id]
    if strangers:
        raise NotGuaranteed(f"{strangers[0].market_id} is now listed under event {strangers[0].event_id}")
    for market in markets:
        if market.never_match:
            raise NotGuaranteed(f"{market.market_id} is {market.never_match}")
    if first.venue is Venue.KALSHI:
        _check_kalshi(markets)
    else:
        _check_polymarket(markets)
    names = tuple(market.market_id for market in markets)
    return EventTerms(
        venue=first.venue,
        market_ids=(*names, *_unlisted(markets)) if kind is BasketKind.EVERY_YES else names,
        mutually_exclusive=first.mutually_exclusive is True,
        neg_risk=first.neg_risk is True,
        neg_risk_augmented=first.neg_risk_augmented is True,
    )


def _check_kalshi(markets: Sequence[Market]) -> None:
    for market in markets:
        if market.mutually_exclusive is not True:
            said = "does not say whether" if market.mutually_exclusive is None else "denies that"
            raise NotGuaranteed(f"Kalshi {said} at most one market of {market.event_id} resolves YES")


def _check_polymarket(markets: Sequence[Market]) -> None:
    for market in markets:
        if market.neg_risk is not True:
            said = "does not say whether" if market.neg_risk is None else "denies that"
            raise NotGuaranteed(f"Polymarket {said} {market.market_id} belongs to a neg-risk event")
        if market.neg_risk_augmented is not False:
            said = (
                "does not say whether the event is" if market.neg_risk_augmented is None else "says that the event is"
            )
            raise NotGuaranteed(f"Polymarket {said} augmented: markets may still be named")
        if [outcome.lower() for outcome in market.outcomes] != ["yes", "no"]:
            raise NotGuaranteed(f"{market.market_id} has the outcomes {' and '.join(market.outcomes)}, not Yes and No")
    groups = {market.neg_risk_id for market in markets}
    if len(groups) != 1 or "" in groups:
        raise NotGuaranteed("Polymarket does not put the markets into one neg-risk group")


def _unlisted(markets: Sequence[Market]) -> list[MarketId]:
    """Return names for the event's markets that are not among these: over, or not in the catalog.

    Raises NotGuaranteed when nobody says how many there are.
    """
    counts = {market.event_market_count for market in markets}
    [count, *others] = counts
    if count is None or others:
        raise NotGuaranteed("it is not known how many markets the event has")
    return [MarketId(f"market {number} of the event") for number in range(len(markets) + 1, count + 1)]
