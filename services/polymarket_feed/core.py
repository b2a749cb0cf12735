"""The feed's own pure logic: what changed between two listings, and which pairs and baskets they agree with."""

from collections.abc import Container, Iterable, Iterator, Mapping

import msgspec

from shared.contracts.catalog import CatalogMessage, MarketChanged, MarketClosed, MarketListed
from shared.domain.live_basket import LiveBasket
from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.domain.pair import Pair
from shared.venues.polymarket.asset_book import AssetTerms
from shared.venues.polymarket.catalog import changed_fields

_OVER = frozenset({MarketStatus.CLOSED, MarketStatus.SETTLED})


def catalog_changes(known: Mapping[MarketId, Market], listed: Iterable[Market]) -> list[CatalogMessage]:
    """Return the messages from ``known`` to a listing that is complete as far as ``known`` goes, closings last.

    A known market that is missing from the listing has closed. Fees that were read again with the same terms keep
    the date and source of the first reading.
    """
    messages: list[CatalogMessage] = []
    closed: list[CatalogMessage] = []
    seen: set[MarketId] = set()
    for market in listed:
        if market.market_id in seen:
            continue
        seen.add(market.market_id)
        before = known.get(market.market_id)
        if market.status in _OVER:
            if before is not None:
                closed.append(closing(market.market_id, f"status {market.status}"))
        elif before is None:
            messages.append(MarketListed(market=market))
        elif changed := changed_fields(before, market):
            fees = market.fees if "fees" in changed else before.fees
            messages.append(MarketChanged(market=msgspec.structs.replace(market, fees=fees), changed=changed))
    closed += [closing(market_id, "not listed any more") for market_id in known if market_id not in seen]
    return messages + closed


def concerned(
    known: Mapping[MarketId, Market], event_ids: Container[str], listed: Iterable[Market]
) -> dict[MarketId, Market]:
    """Return the known markets about which a listing of some events says something: all that these events had.

    A market that moved to one of them counts as well.
    """
    ids = {market.market_id for market in listed}
    return {
        market_id: market for market_id, market in known.items() if market.event_id in event_ids or market_id in ids
    }


def closing(market_id: MarketId, reason: str) -> MarketClosed:
    """Return the message that a market trades no more."""
    return MarketClosed(venue=Venue.POLYMARKET, market_id=market_id, reason=reason)


def asset_of(market: Market, *, neg_risk: bool | None = None) -> tuple[str, AssetTerms]:
    """Return the one token whose book stands for a market, outcome 0's, and what is known about it.

    ``neg_risk`` is covered by the book's hash; when it is None the first REST book tells.
    """
    terms = AssetTerms(
        market_id=market.market_id,
        condition_id=str(market.market_id),
        min_order_size=format(market.min_contracts, "f"),
        tick_size=format(market.price_steps[0].step_dollars, "f"),
        neg_risk=neg_risk,
    )
    return market.token_ids[0], terms


Told = tuple[MarketId, tuple[str, ...]]
"""A market that somebody wants, and the tokens of its outcomes as he knows them."""


def tokens_of_pairs(pairs: Iterable[Pair]) -> Iterator[Told]:
    """Yield the markets that pairs want."""
    return ((pair.polymarket_id, pair.polymarket_token_ids) for pair in pairs)


def tokens_of_baskets(baskets: Iterable[LiveBasket]) -> Iterator[Told]:
    """Yield the markets that Polymarket's baskets want."""
    of_us = (basket for basket in baskets if basket.venue is Venue.POLYMARKET)
    return ((member.market_id, member.token_ids) for basket in of_us for member in basket.members)


def agreeing(told: Iterable[Told], known: Mapping[MarketId, Market]) -> tuple[set[MarketId], set[MarketId]]:
    """Return the markets to stream, and those that the venue lists with other tokens than somebody knows.

    A pair says which token is which outcome. When the listing says otherwise one of the two is wrong, and a book would
    be quoted for its opposite: then nothing is.
    """
    wanted: set[MarketId] = set()
    refused: set[MarketId] = set()
    for market_id, token_ids in told:
        market = known.get(market_id)
        if market is not None:
            (wanted if market.token_ids == token_ids else refused).add(market_id)
    return wanted - refused, refused
