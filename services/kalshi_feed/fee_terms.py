"""The fee terms of every listed event: its series, what overrides it, and what changes them between two listings."""

from collections.abc import Iterable, MutableMapping
from datetime import date, datetime, timedelta
from decimal import Decimal

import msgspec

from shared.domain.fees import KalshiFees
from shared.domain.market import Market, MarketId
from shared.venues.kalshi import catalog
from shared.venues.kalshi.fee_changes import EventFeeChange, FeeChange, SeriesFeeChange
from shared.venues.kalshi.lifecycle import EventFees
from shared.venues.kalshi.schema import RestEvent, RestMarket, RestSeries

_WAIVER_MARGIN = timedelta(minutes=10)
"""A waiver counts as over this long before its end: what was found with it must be traded in time."""


class FeeTerms:
    """What each event charges, as far as listings and changes have told."""

    def __init__(self, precision_dollars: Decimal) -> None:
        self._precision_dollars = precision_dollars
        self._events: dict[str, RestEvent] = {}

    def listed(self, events: Iterable[RestEvent]) -> None:
        """Take a complete listing: it is the whole truth about overrides."""
        self._events = {
            event.event_ticker: RestEvent(
                event_ticker=event.event_ticker,
                series_ticker=event.series_ticker,
                fee_type_override=event.fee_type_override,
                fee_multiplier_override=msgspec.Raw(bytes(event.fee_multiplier_override)),
            )
            for event in events
        }

    def overridden(self, news: EventFees) -> None:
        """Take an override that the exchange announced by WebSocket; an unknown event comes with the next listing."""
        self._override(news.event_id, news.fee_type, news.multiplier)

    def changed(self, change: FeeChange, series: MutableMapping[str, RestSeries]) -> list[str]:
        """Apply a planned change and return the events whose terms may be different now."""
        match change:
            case EventFeeChange():
                self._override(change.event_ticker, change.fee_type_override, change.fee_multiplier_override)
                return [change.event_ticker]
            case SeriesFeeChange(series_ticker=ticker):
                known = series.get(ticker)
                if known is None:
                    return []
                series[ticker] = msgspec.structs.replace(
                    known, fee_type=change.fee_type, fee_multiplier=change.fee_multiplier
                )
                return [event.event_ticker for event in self._events.values() if event.series_ticker == ticker]

    def fees(self, event_id: str, series: MutableMapping[str, RestSeries], *, read_on: date) -> KalshiFees | None:
        """Return an event's terms; None when they are unknown, which leaves its pairs alert-only."""
        event = self._events.get(event_id)
        if event is None:
            return None
        kind = series.get(event.series_ticker)
        return catalog.fees(event, kind, read_on=read_on, precision_dollars=self._precision_dollars)

    def _override(self, event_id: str, fee_type: str | None, multiplier: msgspec.Raw) -> None:
        event = self._events.get(event_id)
        if event is not None:
            event.fee_type_override = fee_type
            event.fee_multiplier_override = multiplier


class Waivers:
    """Which markets' taker fee the exchange waives, and until when. Nothing counts unless the operator said so."""

    def __init__(self, *, honoured: bool) -> None:
        self._honoured = honoured
        self._until: dict[MarketId, datetime] = {}

    def listed(self, markets: Iterable[RestMarket]) -> None:
        """Take a complete listing."""
        ends = {MarketId(market.ticker): catalog.waived_until(market) for market in markets if self._honoured}
        self._until = {market_id: end for market_id, end in ends.items() if end is not None}

    def applied(self, market: Market, now: datetime) -> Market:
        """Return the market with the fees that hold now."""
        end = self._until.get(market.market_id)
        if end is None or now >= end - _WAIVER_MARGIN or not isinstance(market.fees, KalshiFees):
            return market
        return msgspec.structs.replace(market, fees=catalog.waived(market.fees, end))

    def ended(self, now: datetime) -> list[MarketId]:
        """Return the markets whose waiver has ended since the last call."""
        found = [market_id for market_id, end in self._until.items() if now >= end - _WAIVER_MARGIN]
        for market_id in found:
            del self._until[market_id]
        return found
