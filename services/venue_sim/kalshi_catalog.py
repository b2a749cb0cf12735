"""Which Kalshi listings there are and how to find them: what the REST routes ask, whoever answers."""

from collections.abc import Iterable, Sequence, Set
from typing import Any, Protocol

from services.venue_sim.faults import FaultKind, Faults
from services.venue_sim.kalshi_objects import event_json, market_json, orderbook_json, series_json
from services.venue_sim.markets import KalshiEvent, KalshiMarket, KalshiSeries

Json = dict[str, Any]


class KalshiCatalog(Protocol):
    """The objects a Kalshi server shows. Every list is in a stable order; None means there is no such thing."""

    def tickers(self) -> Sequence[str]:
        """Return every market's ticker."""
        ...

    def market(self, ticker: str) -> Json | None:
        """Return a market object."""
        ...

    def orderbook(self, ticker: str, depth: int) -> Json | None:
        """Return ``{"yes_dollars": …, "no_dollars": …}``; depth 0 is everything."""
        ...

    def event_tickers(self) -> Sequence[str]:
        """Return every event's ticker."""
        ...

    def event(self, event_ticker: str, *, nested: bool) -> Json | None:
        """Return an event object, with its markets when ``nested``."""
        ...

    def event_statuses(self, event_ticker: str) -> Set[str]:
        """Return the statuses that its markets have; an event is not rendered to find that out."""
        ...

    def series_tickers(self) -> Sequence[str]:
        """Return every series' ticker."""
        ...

    def series(self, ticker: str) -> Json | None:
        """Return a series object."""
        ...


LIQUIDITY = FaultKind("emit_liquidity_dollars", "while_on", "markets carry the field removed in October 2026")


class WorldCatalog:
    """The simulated world's listings."""

    def __init__(self, markets: Iterable[KalshiMarket], faults: Faults | None = None) -> None:
        self._faults = Faults() if faults is None else faults
        self._faults.declare(LIQUIDITY)
        self._markets = {market.market_id: market for market in markets}
        self._events: dict[str, KalshiEvent] = {}
        self._series: dict[str, KalshiSeries] = {}
        self._by_event: dict[str, list[KalshiMarket]] = {}
        for market in self._markets.values():
            event = market.event
            self._events[event.event_ticker] = event
            self._series[event.series.ticker] = event.series
            self._by_event.setdefault(event.event_ticker, []).append(market)

    def tickers(self) -> Sequence[str]:
        """Return every market's ticker."""
        return list(self._markets)

    def market(self, ticker: str) -> Json | None:
        """Return a market object."""
        market = self._markets.get(ticker)
        if market is None:
            return None
        body = market_json(market)
        return body | {"liquidity_dollars": "0.0000"} if self._faults.active(LIQUIDITY.name) else body

    def orderbook(self, ticker: str, depth: int) -> Json | None:
        """Return both sides' bids."""
        market = self._markets.get(ticker)
        return None if market is None else orderbook_json(market.book, depth)

    def event_tickers(self) -> Sequence[str]:
        """Return every event's ticker."""
        return list(self._events)

    def event(self, event_ticker: str, *, nested: bool) -> Json | None:
        """Return an event object."""
        event = self._events.get(event_ticker)
        if event is None:
            return None
        markets = self._by_event[event_ticker]
        return event_json(markets[0].event, markets if nested else None)

    def event_statuses(self, event_ticker: str) -> Set[str]:
        """Return the statuses that its markets have."""
        return {market.status for market in self._by_event.get(event_ticker, ())}

    def series_tickers(self) -> Sequence[str]:
        """Return every series' ticker."""
        return list(self._series)

    def series(self, ticker: str) -> Json | None:
        """Return a series object."""
        series = self._series.get(ticker)
        return None if series is None else series_json(series)
