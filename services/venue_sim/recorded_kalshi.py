"""Recorded Kalshi objects as a catalog: what was recorded, completed where something must be known.

Markets that came loose get an event, events a series. A market of which only frames were recorded gets an object made
from what is known: the ticker, event and series by the ticker's grammar, the price step seen in its frames. A market
with frames is listed as active, whatever an object recorded at another time says, because the frames show it trading.
"""

from collections.abc import Iterable, Sequence, Set

from services.venue_sim.polymarket_text import price_e4
from services.venue_sim.recorded_harvest import Harvest, Json
from services.venue_sim.recorded_kalshi_frames import Recording, final_sizes, levels_of

_NEVER = "2099-01-01T00:00:00Z"
_OPENED = "2026-01-01T00:00:00Z"
_ROW_FIELDS = (
    *("yes_sub_title", "close_time", "expected_expiration_time", "rules_primary", "rules_secondary"),
    *("strike_type", "floor_strike", "cap_strike"),
)
"""What a row of a matching catalog tells under the venue's own names."""

_STEPS = {100: ("linear_cent", "0.0100"), 10: ("deci_cent", "0.0010"), 1: ("centi_cent", "0.0001")}


class RecordedKalshi:
    """A ``KalshiCatalog`` over recorded objects, with the recordings that can be replayed."""

    def __init__(self, harvest: Harvest, recordings: Sequence[Recording]) -> None:
        self.recordings = tuple(recordings)
        self.orderbooks: dict[str, Json] = dict(harvest.kalshi_orderbooks)
        """REST order books by ticker: as recorded, or the one that the frames end with."""
        self._markets: dict[str, Json] = dict(harvest.kalshi_markets)
        self._events: dict[str, Json] = dict(harvest.kalshi_events)
        self._series: dict[str, Json] = dict(harvest.kalshi_series)
        for row in harvest.kalshi_rows:
            self._add_row(row)
        self._add_recorded()
        self._members: dict[str, list[str]] = {event_ticker: [] for event_ticker in self._events}
        for ticker, market in self._markets.items():
            self._add_event_of(market)
            self._members.setdefault(market["event_ticker"], []).append(ticker)

    # --- the catalog ------------------------------------------------------------------------------------------

    def tickers(self) -> Sequence[str]:
        """Return every market's ticker."""
        return list(self._markets)

    def market(self, ticker: str) -> Json | None:
        """Return a market object."""
        return self._markets.get(ticker)

    def orderbook(self, ticker: str, depth: int) -> Json | None:
        """Return both sides' bids, the ``depth`` best of each (0: all)."""
        if ticker not in self._markets:
            return None
        book = self.orderbooks.get(ticker, {})
        sides = {side: sorted(book.get(side) or ()) for side in ("yes_dollars", "no_dollars")}
        return {side: levels[-depth:] if depth else levels for side, levels in sides.items()}

    def event_tickers(self) -> Sequence[str]:
        """Return every event's ticker."""
        return list(self._events)

    def event(self, event_ticker: str, *, nested: bool) -> Json | None:
        """Return an event object."""
        event = self._events.get(event_ticker)
        if event is None:
            return None
        markets = [self._markets[ticker] for ticker in self._members[event_ticker]]
        return {**event, "markets": markets} if nested else dict(event)

    def event_statuses(self, event_ticker: str) -> Set[str]:
        """Return the statuses that its markets have."""
        return {str(self._markets[ticker]["status"]) for ticker in self._members.get(event_ticker, ())}

    def series_tickers(self) -> Sequence[str]:
        """Return every series' ticker."""
        return list(self._series)

    def series(self, ticker: str) -> Json | None:
        """Return a series object."""
        return self._series.get(ticker)

    # --- completing what was recorded -------------------------------------------------------------------------

    def manifest(self) -> list[Json]:
        """Return one line per market: its identifiers and what there is to stream."""
        names: dict[str, list[str]] = {}
        frames: dict[str, int] = {}
        for recording in self.recordings:
            for frame in recording.frames:
                frames[frame.ticker] = frames.get(frame.ticker, 0) + frame.kind.startswith("orderbook")
            for ticker in recording.tickers():
                names.setdefault(ticker, []).append(recording.name)
        return [
            {
                "ticker": ticker,
                "event_ticker": market["event_ticker"],
                "recordings": names.get(ticker, []),
                "book_frames": frames.get(ticker, 0),
                "rest_book": ticker in self.orderbooks,
            }
            for ticker, market in self._markets.items()
        ]

    def _add_recorded(self) -> None:
        finals = final_sizes(self.recordings)
        for ticker in dict.fromkeys(ticker for recording in self.recordings for ticker in recording.tickers()):
            if not ticker:  # account frames name no market
                continue
            known = self._markets.get(ticker) or _made_market(ticker, event_of(ticker), f"Recorded market {ticker}")
            sizes = finals.get(ticker)
            self._markets[ticker] = {**known, "status": "active", "result": ""} if sizes is not None else known
            if sizes is None:
                continue
            self.orderbooks[ticker] = {f"{side}_dollars": levels_of(sizes, side) for side in ("yes", "no")}
            if "price_ranges" not in known:
                self._markets[ticker] |= _grid(self._prices_of(ticker))

    def _prices_of(self, ticker: str) -> set[str]:
        framed = (f.msg() for recording in self.recordings for f in recording.frames if f.ticker == ticker)
        return {msg["price_dollars"] for msg in framed if "delta_fp" in msg}

    def _add_row(self, row: Json) -> None:
        """Add one row of a matching catalog, which holds texts and identifiers only."""
        ticker = str(row["kalshi_id"])
        if ticker in self._markets:
            return
        event_ticker = str(row.get("event_ticker") or event_of(ticker))
        made = _made_market(ticker, event_ticker, str(row["title"])) | _grid(())
        made |= {key: row[key] for key in _ROW_FIELDS if row.get(key) not in (None, "")}
        self._markets[ticker] = made
        title, sub_title = str(row.get("event_title") or row["title"]), str(row.get("event_sub_title") or "")
        self._events.setdefault(event_ticker, _made_event(event_ticker, title, sub_title))

    def _add_event_of(self, market: Json) -> None:
        event_ticker = str(market["event_ticker"])
        event = self._events.setdefault(event_ticker, _made_event(event_ticker, str(market["title"]), ""))
        series_ticker = str(event["series_ticker"])
        self._series.setdefault(series_ticker, _made_series(series_ticker, str(event["title"])))


def event_of(ticker: str) -> str:
    """Return the event of a market ticker: everything before its last dash."""
    return ticker.rpartition("-")[0] or ticker


def _made_market(ticker: str, event_ticker: str, title: str) -> Json:
    return {
        "ticker": ticker,
        "event_ticker": event_ticker,
        "market_type": "binary",
        "title": title,
        "subtitle": "",
        "yes_sub_title": ticker.rpartition("-")[2],
        "no_sub_title": ticker.rpartition("-")[2],
        "status": "active",
        "result": "",
        "created_time": _OPENED,
        "open_time": _OPENED,
        "close_time": _NEVER,
        "expiration_time": _NEVER,
        "latest_expiration_time": _NEVER,
        "expected_expiration_time": _NEVER,
        "can_close_early": True,
        "expiration_value": "",
        "settlement_timer_seconds": 0,
        "notional_value_dollars": "1.0000",
        "yes_bid_dollars": "0.0000",
        "yes_ask_dollars": "1.0000",
        "no_bid_dollars": "0.0000",
        "no_ask_dollars": "1.0000",
        "yes_bid_size_fp": "0.00",
        "yes_ask_size_fp": "0.00",
        "last_price_dollars": "0.0000",
        "previous_price_dollars": "0.0000",
        "previous_yes_bid_dollars": "0.0000",
        "previous_yes_ask_dollars": "0.0000",
        "volume_fp": "0.00",
        "volume_24h_fp": "0.00",
        "open_interest_fp": "0.00",
        "rules_primary": "",
        "rules_secondary": "",
        "updated_time": _OPENED,
    }


def _grid(prices: Iterable[str]) -> Json:
    """Return the price grid with the coarsest step that all these prices are on."""
    finest_e4 = next(step for step in (100, 10, 1) if all(price_e4(price) % step == 0 for price in prices))
    label, step = _STEPS[finest_e4]
    return {"price_level_structure": label, "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": step}]}


def _made_event(event_ticker: str, title: str, sub_title: str) -> Json:
    return {
        "event_ticker": event_ticker,
        "series_ticker": event_ticker.split("-", maxsplit=1)[0],
        "title": title,
        "sub_title": sub_title,
        "category": "",
        "collateral_return_type": "",
        "mutually_exclusive": False,
        "available_on_brokers": False,
        "strike_period": "",
        "settlement_sources": [],
    }


def _made_series(ticker: str, title: str) -> Json:
    """Return a series whose fee terms were not recorded: the venue's published default, taker 0.07 p (1 - p)."""
    return {
        "ticker": ticker,
        "title": title,
        "frequency": "custom",
        "category": "",
        "tags": [],
        "settlement_sources": [],
        "contract_url": "",
        "contract_terms_url": "",
        "fee_type": "quadratic",
        "fee_multiplier": 1,
        "additional_prohibitions": [],
    }
