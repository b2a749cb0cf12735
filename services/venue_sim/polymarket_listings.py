"""The listings of the simulated Polymarket, found by every key that its REST services know."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256

from services.venue_sim.engine import SimBook
from services.venue_sim.markets import TRADABLE, PolymarketMarket
from services.venue_sim.polymarket_catalog import Json
from services.venue_sim.polymarket_objects import gamma_event, gamma_market_alone

_LISTED_APART_MS = 60_000
"""Nobody has touched the listings that are there from the start for a while, each for a minute longer."""
_STRUCTURAL_ID = (1 << 256) - 1 ^ ((1 << 104) - (1 << 40))
"""Ids of the second protocol generation have none of the bits 40 to 103 (polymarket-client 0.14.0)."""


class Listings:
    """Every market with its event. ``listed`` may change what is shown of one: some faults do.

    ``now_ms`` is the venue's clock (Unix milliseconds).
    """

    def __init__(
        self,
        markets: Iterable[PolymarketMarket],
        *,
        start_ms: int,
        now_ms: Callable[[], int],
        listed: Callable[[Json], Json],
    ) -> None:
        self._now_ms = now_ms
        self._listed = listed
        self._markets: dict[str, PolymarketMarket] = {}
        self._by_event: dict[str, list[PolymarketMarket]] = {}
        self._event_slugs: dict[str, str] = {}
        self._slugs: dict[str, str] = {}
        self._conditions: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._updated_ms: dict[str, int] = {}
        for count, market in enumerate(markets):
            self.add(market, start_ms - count * _LISTED_APART_MS)

    # --- as the listings show it ----------------------------------------------------------------------------------

    def event_ids(self) -> Sequence[str]:
        """Every event of the world."""
        return list(self._by_event)

    def event(self, event_id: str) -> Json | None:
        """One event with its markets."""
        group = self._by_event.get(event_id)
        if not group:
            return None
        event = gamma_event(group, self._updated_ms)
        return {**event, "markets": [self._listed(market) for market in event["markets"]]}

    def market_ids(self) -> Sequence[str]:
        """Every market of the world."""
        return list(self._markets)

    def market(self, gamma_id: str) -> Json | None:
        """One market with its event's head."""
        market = self._markets.get(gamma_id)
        if market is None:
            return None
        group = self._by_event[market.event.event_id]
        return self._listed(gamma_market_alone(market, group, self._updated_ms))

    def event_updated_ms(self, event_id: str) -> int:
        """When what is listed about an event or its markets last changed."""
        return max(self._updated_ms[market.gamma_id] for market in self._by_event[event_id])

    def market_updated_ms(self, gamma_id: str) -> int:
        """When what is listed about a market last changed. Statistics do not count, unlike on the venue."""
        return self._updated_ms[gamma_id]

    def event_id_of_slug(self, slug: str) -> str | None:
        """The event with this slug."""
        return self._event_slugs.get(slug)

    def market_id_of(self, *, slug: str = "", condition_id: str = "", token_id: str = "") -> str | None:
        """The market with this slug, condition or token."""
        if slug:
            return self._slugs.get(slug)
        return self._conditions.get(condition_id) if condition_id else self._tokens.get(token_id)

    def condition_ids(self) -> Iterable[str]:
        """Every market by its condition id."""
        return self._conditions.keys()

    # --- what changes it ------------------------------------------------------------------------------------------

    def add(self, market: PolymarketMarket, at_ms: int) -> None:
        """Take up a market that was last touched at ``at_ms``."""
        gamma_id = market.gamma_id
        self._markets[gamma_id] = market
        self._by_event.setdefault(market.event.event_id, []).append(market)
        self._event_slugs[market.event.slug] = market.event.event_id
        self._slugs[market.slug] = gamma_id
        self._conditions[market.market_id] = gamma_id
        self._tokens |= dict.fromkeys(market.token_ids, gamma_id)
        self._updated_ms[gamma_id] = at_ms

    def of_condition(self, condition_id: str) -> PolymarketMarket:
        """The market with this condition. Raises KeyError."""
        return self._markets[self._conditions[condition_id]]

    def of_token(self, token_id: str) -> PolymarketMarket | None:
        """The market with this token."""
        gamma_id = self._tokens.get(token_id)
        return None if gamma_id is None else self._markets[gamma_id]

    def touched(self, market: PolymarketMarket, at_ms: int) -> None:
        """Note that what is listed about a market has changed."""
        self._updated_ms[market.gamma_id] = at_ms

    def all_touched(self) -> None:
        """Note that what is listed about every market has changed now."""
        self._updated_ms = dict.fromkeys(self._updated_ms, self._now_ms())

    def edit_rules(self, condition_id: str, text: str) -> None:
        """Replace a market's rules as the venue may: no frame says so, only the listing and its ``updatedAt``."""
        market = self.of_condition(condition_id)
        market.description = text
        self.touched(market, self._now_ms())

    def state_terms(self, condition_id: str, *, augmented: bool) -> None:
        """Let the venue say whether a market's event is augmented; only its listing tells."""
        event = self.of_condition(condition_id).event
        for market in self._by_event[event.event_id]:
            market.event = replace(event, neg_risk_augmented=augmented)
            self.touched(market, self._now_ms())

    def withdraw_event(self, event_id: str) -> None:
        """Take an event out of the event listings, which say nothing about it."""
        del self._by_event[event_id]

    def like(self, condition_id: str, *, version: str = "v1") -> PolymarketMarket:
        """Return a market in the event of a known one, with identifiers of its own and an empty book.

        One of the second protocol generation comes in an event of its own.
        """
        known = self.of_condition(condition_id)
        number = len(self._markets)
        tokens = (_digest(known.token_ids[0], number), _digest(known.token_ids[1], number))
        event = known.event
        if version == "v2":
            tokens = (tokens[0] & _STRUCTURAL_ID, tokens[1] & _STRUCTURAL_ID)
            event = replace(event, event_id=f"9{event.event_id}{number}", slug=f"{event.slug}-{version}-{number}")
        return replace(
            known,
            market_id=f"0x{_digest(known.market_id, number):064x}",
            gamma_id=str(3_000_000 + number),
            question_id=f"0x{_digest(known.question_id, number):064x}",
            slug=f"{known.slug}-{number}",
            token_ids=(str(tokens[0]), str(tokens[1])),
            event=event,
            version=version,
            book=SimBook(),
            status=TRADABLE,
            winner=None,
            last_price_e4=0,
            volume_e6=0,
            last_size_e6=0,
            last_at_us=0,
            operations=0,
        )


def _digest(text: str, number: int) -> int:
    return int.from_bytes(sha256(f"{text} {number}".encode()).digest())
