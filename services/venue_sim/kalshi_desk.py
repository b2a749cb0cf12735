"""The trading side of the simulated Kalshi, put together: exchange, portfolio, limits, private channels, settlement."""

from dataclasses import replace
from typing import Any

from aiohttp import web

from services.venue_sim import kalshi_private_frames as private
from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_access import Access
from services.venue_sim.kalshi_account import Account
from services.venue_sim.kalshi_auth import Authenticator
from services.venue_sim.kalshi_buckets import Limits
from services.venue_sim.kalshi_exchange import Happened, KalshiExchange
from services.venue_sim.kalshi_history import Record
from services.venue_sim.kalshi_money import DIRECT_E10, DOLLAR_E10, dollars_text
from services.venue_sim.kalshi_objects import count_text
from services.venue_sim.kalshi_order_rest import OrderRest
from services.venue_sim.kalshi_portfolio import Portfolio
from services.venue_sim.kalshi_portfolio_rest import PortfolioRest
from services.venue_sim.kalshi_subscriptions import Broadcast
from services.venue_sim.markets import TRADABLE, KalshiMarket
from services.venue_sim.occasions import EventOrder, Impossible, plant
from services.venue_sim.world import World

Json = dict[str, Any]

USER_ID = "5e1f0000-0000-4000-8000-000000000001"
CASH_DOLLARS = {0: 10_000, 1: 100, 3: 1_000}
"""What the account starts with on each shard; shard 2 does not know it."""


class KalshiDesk:
    """One account at the simulated Kalshi. It is also where markets can be made to close and settle."""

    def __init__(
        self,
        world: World,
        broadcast: Broadcast,
        authenticator: Authenticator,
        faults: Faults,
        *,
        tier: str,
        precision_e10: int = DIRECT_E10,
    ) -> None:
        self._world = world
        self._broadcast = broadcast
        self._now_ms = authenticator.now_ms
        cash_e10 = {shard: dollars * DOLLAR_E10 for shard, dollars in CASH_DOLLARS.items()}
        self.account = Account(user_id=USER_ID, cash_e10=cash_e10, precision_e10=precision_e10)
        self.exchange = KalshiExchange(world, self.account, self._now_ms)
        self.portfolio = Portfolio(self.exchange)
        self.exchange.subscribe(self._tell)
        self._record = Record(world, self._now_ms)
        self._access = Access(authenticator, Limits(tier, self._now_ms))
        self._faults = faults

    def add_to(self, app: web.Application) -> None:
        """Add every route of the trading side."""
        OrderRest(self.exchange, self._access, self._faults).add_to(app)
        PortfolioRest(self.exchange, self.portfolio, self._access, self._faults).add_to(app)
        self._record.add_to(app)

    def perform(self, order: EventOrder) -> Json:
        """Close or settle a market, edit its rules, state its event's terms or plant an order. Raises Impossible."""
        market = self._world.kalshi_markets.get(order.market)
        if market is None:
            raise Impossible(f"market={order.market!r} is none of Kalshi's tickers")
        at_ms = self._now_ms()
        if order.event == "edit":
            market.rules_primary = order.value
            return {"ticker": market.market_id, "rules_primary": market.rules_primary}
        if order.event == "terms":
            return self._state_terms(market, order.value)
        if order.event == "plant":
            plant(self._world, market, order.value)
            return {"ticker": market.market_id, "planted": order.value}
        if order.event not in ("close", "settle"):
            raise Impossible(f"event={order.event!r} does not happen on kalshi: close, settle, edit, terms or plant")
        if order.event == "settle" and order.value not in ("yes", "no"):
            raise Impossible(f"value={order.value!r} is no result: yes or no")
        if market.result:
            raise Impossible(f"market={order.market!r} is settled")
        if market.status == TRADABLE:
            self._world.close(market, now_ms=at_ms)
        if order.event == "settle":
            self._broadcast.send_lifecycle(private.determined_body(market, order.value, at_ms))
            market.status = "finalized"
            market.result = order.value
            market.settled_ms = at_ms
            self.portfolio.settle(market, order.value, at_ms)
            self._broadcast.send_lifecycle(private.settled_body(market, at_ms))
        return {"ticker": market.market_id, "status": market.status, "result": market.result}

    def _state_terms(self, market: KalshiMarket, value: str) -> Json:
        """Let the exchange say whether the outcomes of a market's event exclude one another; only its listing tells."""
        if value not in ("exclusive", "independent"):
            raise Impossible(f"value={value!r} says nothing about an event: exclusive or independent")
        event = replace(market.event, mutually_exclusive=value == "exclusive")
        for sibling in self._world.kalshi_markets.values():
            if sibling.event.event_ticker == event.event_ticker:
                sibling.event = event
        return {"event_ticker": event.event_ticker, "mutually_exclusive": event.mutually_exclusive}

    def account_json(self) -> Json:
        """Return what the account holds, as the engine knows it: for whoever checks what the REST paths say."""
        free_e10 = {shard: self.exchange.admission.available_e10(shard) for shard in self.account.cash_e10}
        return {
            "cash_dollars": {str(shard): dollars_text(cash) for shard, cash in self.account.cash_e10.items()},
            "free_dollars": {str(shard): dollars_text(free) for shard, free in free_e10.items()},
            "positions": {
                ticker: count_text(position.size_e6)
                for ticker, position in self.account.positions.items()
                if position.volume_e6
            },
            "resting": {order.order_id: count_text(order.remaining_e6) for order in self.exchange.resting()},
            "fills": len(self.exchange.fills),
        }

    def _tell(self, happened: Happened) -> None:
        order, fill = happened.order, happened.fill
        if fill is None:
            self._broadcast.send_private("user_orders", "user_order", order.market, private.user_order_body(order))
            return
        self._broadcast.send_private("fill", "fill", order.market, private.fill_body(fill))
        position = private.position_body(order.user_id, self.account.position(order.market))
        self._broadcast.send_private("market_positions", "market_position", order.market, position)
