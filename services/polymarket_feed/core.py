"""The feed's own pure logic: what changed between two listings, and which pairs they agree with."""

from collections.abc import Container, Iterable, Mapping

import msgspec

from shared.contracts.catalog import CatalogMessage, MarketChanged, MarketClosed, MarketListed
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


def agreeing(pairs: Iterable[Pair], known: Mapping[MarketId, Market]) -> tuple[set[MarketId], set[MarketId]]:
    """Return the markets to stream for these pairs, and those that the venue lists with other tokens than a pair has.

    A pair says which token is which outcome. When the listing says otherwise one of the two is wrong, and a book would
    be quoted for its opposite: then nothing is.
    """
    wanted: set[MarketId] = set()
    refused: set[MarketId] = set()
    for pair in pairs:
        market = known.get(pair.polymarket_id)
        if market is not None:
            agrees = market.token_ids == pair.polymarket_token_ids
            (wanted if agrees else refused).add(pair.polymarket_id)
    return wanted - refused, refused
