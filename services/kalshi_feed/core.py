"""What changed between two listings: the messages that bring readers of the catalog up to date."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from shared.contracts.catalog import CatalogMessage, MarketChanged, MarketClosed, MarketListed
from shared.domain.fees import FeeSchedule, KalshiFees
from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.venues.kalshi.catalog import price_steps
from shared.venues.kalshi.lifecycle import MarketNews

_OVER = frozenset({MarketStatus.CLOSED, MarketStatus.SETTLED})
_NOT_NEWS = frozenset({"updated_ts_ms"})
"""Differences that are not worth a message by themselves."""


def catalog_changes(
    known: Mapping[MarketId, Market], listed: Iterable[Market], *, complete: bool
) -> list[CatalogMessage]:
    """Return the messages from ``known`` to ``listed``, in the order of the listing, closings last.

    A market that is missing from a complete listing has closed; an incomplete listing closes nothing by absence.
    """
    messages: list[CatalogMessage] = []
    closed: list[CatalogMessage] = []
    seen: set[MarketId] = set()
    for read in listed:
        if read.market_id in seen:
            continue
        seen.add(read.market_id)
        before = known.get(read.market_id)
        market = with_fees_known_before(read, before.fees if before is not None else None)
        if market.status in _OVER:
            if before is not None:
                closed.append(_closed(market.market_id, f"status {market.status}"))
        elif before is None:
            messages.append(MarketListed(market=market))
        else:
            changed = tuple(
                field for field in market.__struct_fields__ if getattr(market, field) != getattr(before, field)
            )
            if not _NOT_NEWS.issuperset(changed):
                messages.append(MarketChanged(market=market, changed=changed))
    if complete:
        closed += [_closed(market_id, "not listed any more") for market_id in known if market_id not in seen]
    return messages + closed


def with_fees_known_before(market: Market, before: FeeSchedule | None) -> Market:
    """Keep the date and source of the earlier reading when the terms themselves are the same."""
    fees = market.fees
    if not (isinstance(fees, KalshiFees) and isinstance(before, KalshiFees)):
        return market
    read_again = msgspec.structs.replace(fees, effective_from=before.effective_from, source=before.source)
    return msgspec.structs.replace(market, fees=before) if read_again == before else market


def after_news(market: Market, news: MarketNews) -> Market:
    """Return a market as news of it leaves it; what the exchange says in an unusable form changes nothing."""
    match news.happening:
        case "activated":
            return msgspec.structs.replace(market, status=MarketStatus.OPEN)
        case "deactivated":
            return msgspec.structs.replace(market, status=MarketStatus.PAUSED)
        case "close_date_updated" if news.close_ts_s is not None:
            return msgspec.structs.replace(market, close_time=datetime.fromtimestamp(news.close_ts_s, UTC))
        case "price_level_structure_updated" if news.price_ranges:
            return msgspec.structs.replace(market, price_steps=price_steps(news.price_ranges) or market.price_steps)
        case _:
            return market


def _closed(market_id: MarketId, reason: str) -> MarketClosed:
    return MarketClosed(venue=Venue.KALSHI, market_id=market_id, reason=reason)
