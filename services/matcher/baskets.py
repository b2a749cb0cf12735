"""Which baskets are live: the rows that people switched on, held against what the venues list, change by change.

It fails closed. A venue that says nothing, or no longer says what a basket needs, suspends the basket with the next
listing; it comes back when the listing bears it again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from services.matcher.basket_rows import BasketRow
from shared.contracts.baskets import BasketActivated, BasketMessage, BasketRetired, BasketSuspended
from shared.domain.baskets import BasketKind, NotGuaranteed, every_no, every_yes
from shared.domain.live_basket import MOST_MEMBERS, BasketId, BasketMember, LiveBasket, basket_id_of, stated_terms
from shared.domain.market import Market, MarketId, MarketStatus, Venue

_OVER = frozenset({MarketStatus.CLOSED, MarketStatus.SETTLED})

EventKey = tuple[Venue, str]
Listings = Mapping[Venue, Mapping[MarketId, Market]]
Word = BasketActivated | BasketSuspended


class BasketChange(NamedTuple):
    """A message to publish under the basket's key; ``retires`` empties the key instead of filling it."""

    basket_id: BasketId
    message: BasketMessage
    retires: bool
    was_live: bool


class BasketMatcher:
    """Judges baskets as listings and rows change. ``known`` is what the baskets' hash holds at start."""

    def __init__(self, rows: Sequence[BasketRow], known: Mapping[str, BasketMessage]) -> None:
        self._rows = tuple(rows)
        self._events: defaultdict[EventKey, dict[MarketId, Market]] = defaultdict(dict)
        self._event_of: dict[tuple[Venue, MarketId], EventKey] = {}
        self._dirty: set[EventKey] = set()
        self.published: dict[BasketId, Word] = {
            BasketId(key): message
            for key, message in known.items()
            if isinstance(message, BasketActivated | BasketSuspended)
        }
        self._everything = True

    def use(self, rows: Sequence[BasketRow], listings: Listings) -> None:
        """Put other rows in force; ``listings`` is everything that is listed now."""
        if tuple(rows) == self._rows:
            return
        self._rows = tuple(rows)
        self._events.clear()
        self._event_of.clear()
        for listed in listings.values():
            for market in listed.values():
                self.put(market)
        self._everything = True

    def put(self, market: Market) -> None:
        """Take in a listing, new or changed."""
        if not self._rows:
            return
        key, event = (market.venue, market.market_id), (market.venue, market.event_id)
        before = self._event_of.get(key)
        if before is not None and before != event:
            self.remove(*key)
        if market.status in _OVER or not any(row.is_about(market) for row in self._rows):
            self.remove(*key)
            return
        if self._events[event].get(market.market_id) != market:
            self._events[event][market.market_id] = market
            self._event_of[key] = event
            self._dirty.add(event)

    def remove(self, venue: Venue, market_id: MarketId) -> None:
        """Forget a listing that is over."""
        event = self._event_of.pop((venue, market_id), None)
        if event is not None:
            self._events[event].pop(market_id, None)
            self._dirty.add(event)

    def decide(self, now: datetime) -> list[BasketChange]:
        """Judge what was touched since the last call, and what has expired; return what differs from the published."""
        events = set(self._events) if self._everything else self._dirty
        changes = [change for event in sorted(events) for change in self._judge_event(event, now)]
        for basket_id, message in tuple(self.published.items()):
            not_after = message.basket.not_after
            if not_after is not None and now >= not_after:
                changes += self._retire(basket_id, f"past its not_after {not_after:%Y-%m-%dT%H:%M:%SZ}")
            elif self._everything and not self._is_wanted(message.basket):
                changes += self._retire(basket_id, "its event is over, or no row switches it on")
        self._dirty.clear()
        self._everything = False
        for event in events:
            if not self._events[event]:
                del self._events[event]
        return changes

    def _judge_event(self, event: EventKey, now: datetime) -> Iterator[BasketChange]:
        markets = [self._events[event][market_id] for market_id in sorted(self._events[event])]
        for kind in BasketKind:
            basket_id = basket_id_of(*event, kind)
            row = self._row_for(kind, markets)
            if row is None or (row.not_after is not None and now >= row.not_after):
                yield from self._retire(basket_id, "its event is over, or no row switches it on")
                continue
            basket = _basket(basket_id, row, event, markets)
            reason = why_not(basket, markets)
            yield from self._say(
                BasketSuspended(basket=basket, reason=reason) if reason else BasketActivated(basket=basket)
            )

    def _row_for(self, kind: BasketKind, markets: Sequence[Market]) -> BasketRow | None:
        """Return the row that switches an event's basket on; one that names the event comes before its series'."""
        about = [row for row in self._rows if row.kind is kind and markets and row.is_about(markets[0])]
        return next((row for row in about if row.event), about[0] if about else None)

    def _is_wanted(self, basket: LiveBasket) -> bool:
        markets = list(self._events.get((basket.venue, basket.event_id), {}).values())
        return self._row_for(basket.kind, markets) is not None

    def _say(self, message: Word) -> Iterator[BasketChange]:
        basket_id = message.basket.basket_id
        before = self.published.get(basket_id)
        if before is not None and _says_the_same(before, message):
            return
        self.published[basket_id] = message
        yield BasketChange(basket_id, message, retires=False, was_live=isinstance(before, BasketActivated))

    def _retire(self, basket_id: BasketId, reason: str) -> Iterator[BasketChange]:
        before = self.published.pop(basket_id, None)
        if before is not None:
            message = BasketRetired(basket_id=basket_id, reason=reason)
            yield BasketChange(basket_id, message, retires=True, was_live=isinstance(before, BasketActivated))


def why_not(basket: LiveBasket, markets: Sequence[Market]) -> str:
    """Return why an event's listings do not bear a basket; empty when they do."""
    if len(markets) > MOST_MEMBERS:
        return f"the event has {len(markets)} markets; at most {MOST_MEMBERS} are looked at together"
    try:
        terms = stated_terms(basket.kind, markets)
        make = every_yes if basket.kind is BasketKind.EVERY_YES else every_no
        make(terms, basket.market_ids)
    except NotGuaranteed as missing:
        return str(missing)
    return ""


def _basket(basket_id: BasketId, row: BasketRow, event: EventKey, markets: Sequence[Market]) -> LiveBasket:
    return LiveBasket(
        basket_id=basket_id,
        kind=row.kind,
        venue=event[0],
        event_id=event[1],
        title=markets[0].event_title or markets[0].title,
        members=tuple(
            BasketMember(
                market_id=market.market_id,
                label=market.outcome_label or market.title,
                token_ids=market.token_ids,
            )
            for market in markets
        ),
        source=row.origin,
        not_after=row.not_after,
        void_risk=row.void_risk,
    )


def _says_the_same(before: Word, now: Word) -> bool:
    if isinstance(before, BasketSuspended) and isinstance(now, BasketSuspended):
        return (before.basket, before.reason) == (now.basket, now.reason)
    return type(before) is type(now) and before.basket == now.basket
