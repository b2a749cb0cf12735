"""What Kalshi's portfolio reads show: orders, fills, positions, balances and settlements, as of a moment.

Reads may trail the engine: everything here is remembered with its time, and the caller says how late it looks.
Shapes: official SDK 3.34.0 and recorded answers (Kalshi API reference, 2026-11-21, §5.4).
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from services.venue_sim.kalshi_account import Position
from services.venue_sim.kalshi_exchange import Happened, KalshiExchange
from services.venue_sim.kalshi_money import cents, dollars_text
from services.venue_sim.kalshi_objects import count_text, time_text
from services.venue_sim.kalshi_order import Order, fill_json
from services.venue_sim.markets import KalshiMarket

Json = dict[str, Any]
T = TypeVar("T")


class History(Generic[T]):
    """Values with the millisecond from which each was true."""

    def __init__(self, first: T) -> None:
        self._times: list[int] = []
        self._values: list[T] = [first]

    def add(self, at_ms: int, value: T) -> None:
        """Remember the value from ``at_ms`` on; times do not go back."""
        self._times.append(max(at_ms, self._times[-1] if self._times else at_ms))
        self._values.append(value)

    @property
    def latest(self) -> T:
        """The newest value."""
        return self._values[-1]

    def as_of(self, at_ms: int) -> T:
        """Return the value that was true at ``at_ms``."""
        return self._values[bisect_right(self._times, at_ms)]


class Portfolio:
    """Follows an exchange from its start."""

    def __init__(self, exchange: KalshiExchange) -> None:
        self._exchange = exchange
        self._balances = History(self._balance())
        self._positions: History[dict[str, Json]] = History({})
        self._settlements: list[tuple[int, Json]] = []
        exchange.subscribe(self._on_happened)

    def orders(self, at_ms: int) -> list[Json]:
        """Return every order known at ``at_ms`` as it read then, newest first."""
        found = [self._version(order, at_ms) for order in self._exchange.orders.values()]
        return [body for body in reversed(found) if body is not None]

    def order(self, order_id: str, at_ms: int) -> Json | None:
        """Return one order, None when it is unknown or not visible yet."""
        order = self._exchange.orders.get(order_id)
        return None if order is None else self._version(order, at_ms)

    def ahead_e6(self, order_id: str) -> int | None:
        """Return what stands before a resting order, None when it does not rest."""
        order = self._exchange.orders.get(order_id)
        return order.ahead_e6 if order is not None and order.status == "resting" else None

    def fills(self, at_ms: int) -> list[Json]:
        """Return every fill known at ``at_ms``, newest first."""
        return [fill_json(fill) for fill in reversed(self._exchange.fills) if fill.at_ms <= at_ms]

    def positions(self, at_ms: int) -> list[Json]:
        """Return every market position as it was."""
        return list(self._positions.as_of(at_ms).values())

    def balance(self, at_ms: int) -> Json:
        """Return the balance as it was."""
        return self._balances.as_of(at_ms)

    def settlements(self, at_ms: int) -> list[Json]:
        """Return every settlement known at ``at_ms``, newest first."""
        return [body for when_ms, body in reversed(self._settlements) if when_ms <= at_ms]

    def settle(self, market: KalshiMarket, result: str, at_ms: int) -> None:
        """Pay a position out: one dollar for each contract of the outcome that won."""
        position = self._exchange.account.position(market)
        yes_e6, no_e6 = max(0, position.size_e6), max(0, -position.size_e6)
        revenue_e10 = (yes_e6 if result == "yes" else no_e6) * 10_000
        body = {
            "ticker": market.market_id,
            "exchange_index": market.exchange_index,
            "event_ticker": market.event.event_ticker,
            "market_result": result,
            "yes_count_fp": count_text(yes_e6),
            "yes_total_cost_dollars": dollars_text(position.cost_e10 if yes_e6 else 0),
            "no_count_fp": count_text(no_e6),
            "no_total_cost_dollars": dollars_text(position.cost_e10 if no_e6 else 0),
            "revenue": cents(revenue_e10),
            "settled_time": time_text(at_ms * 1_000),
            "fee_cost": dollars_text(position.fees_e10),
            "value": 100 if result == "yes" else 0,
        }
        if yes_e6 or no_e6:
            self._settlements.append((at_ms, body))
        self._exchange.account.settle(market, revenue_e10, at_ms)
        self._remember(at_ms, market)

    def _on_happened(self, happened: Happened) -> None:
        at_ms = happened.fill.at_ms if happened.fill else happened.order.updated_us // 1_000
        self._remember(at_ms, happened.order.market)

    def _remember(self, at_ms: int, market: KalshiMarket) -> None:
        self._balances.add(at_ms, self._balance())
        position = self._exchange.account.positions.get(market.market_id)
        if position is not None and position.volume_e6:
            self._positions.add(at_ms, self._positions.latest | {market.market_id: position_json(position)})

    def _balance(self) -> Json:
        account = self._exchange.account
        free_e10 = {shard: self._exchange.admission.available_e10(shard) for shard in account.cash_e10}
        value_e10 = sum(_value_e10(position) for position in account.positions.values())
        return {
            "balance": cents(sum(free_e10.values())),
            "balance_dollars": dollars_text(sum(free_e10.values()), decimals=4),
            "portfolio_value": cents(value_e10),
            "updated_ts": self._exchange.now_ms() // 1_000,
            "balance_breakdown": [
                {"exchange_index": shard, "balance": dollars_text(free, decimals=4)} for shard, free in free_e10.items()
            ],
        }

    @staticmethod
    def _version(order: Order, at_ms: int) -> Json | None:
        seen = [body for when_ms, body in order.versions if when_ms <= at_ms]
        return seen[-1] if seen else None


def position_json(position: Position) -> Json:
    """Return ``MarketPosition``."""
    return {
        "ticker": position.market.market_id,
        "exchange_index": position.market.exchange_index,
        "total_traded_dollars": dollars_text(position.traded_e10),
        "position_fp": count_text(position.size_e6),
        "market_exposure_dollars": dollars_text(position.cost_e10),
        "realized_pnl_dollars": dollars_text(position.realized_e10),
        "fees_paid_dollars": dollars_text(position.fees_e10),
        "last_updated_ts": time_text(position.updated_ms * 1_000),
    }


def event_positions(positions: Iterable[Position]) -> list[Json]:
    """Return one ``EventPosition`` for each event."""
    by_event: dict[str, list[Position]] = {}
    for position in positions:
        if position.volume_e6:
            by_event.setdefault(position.market.event.event_ticker, []).append(position)
    return [
        {
            "event_ticker": event_ticker,
            "total_cost_dollars": dollars_text(sum(position.cost_e10 for position in group)),
            "total_cost_shares_fp": count_text(sum(abs(position.size_e6) for position in group)),
            "event_exposure_dollars": dollars_text(sum(position.cost_e10 for position in group)),
            "realized_pnl_dollars": dollars_text(sum(position.realized_e10 for position in group)),
            "fees_paid_dollars": dollars_text(sum(position.fees_e10 for position in group)),
        }
        for event_ticker, group in by_event.items()
    ]


def _value_e10(position: Position) -> int:
    """Return what the position would bring at the best price, 0 where nobody bids."""
    book = position.market.book
    price_e4 = book.best_bid_e4() or 0 if position.size_e6 > 0 else 10_000 - (book.best_ask_e4() or 10_000)
    return price_e4 * abs(position.size_e6)
