"""A simulated Kalshi whose one market's book the test has made, and a signed client that trades on it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from services.venue_sim.engine import Side
from services.venue_sim.kalshi_rest import REST_PREFIX
from services.venue_sim.markets import KalshiMarket
from tests.service.simulated_kalshi import Json, SimulatedKalshi, running_kalshi

ORDERS = "/portfolio/events/orders"
ONE_E6 = 1_000_000


class Trader:
    """A venue whose one market's book the test has made, and a signed client of it."""

    def __init__(self, venue: SimulatedKalshi, market: KalshiMarket) -> None:
        self.venue = venue
        self.market = market
        self.ticker = market.market_id

    async def ask(self, method: str, path: str, body: object = None, **params: str) -> tuple[int, Json]:
        """Send a signed request; a second passes first, so that limits never matter here."""
        self.venue.now_ms += 1_000
        headers = self.venue.headers(method, REST_PREFIX + path)
        url = f"http://{self.venue.address}{REST_PREFIX}{path}"
        data = None if body is None else msgspec.json.encode(body)
        async with self.venue.http.request(method, url, headers=headers, data=data, params=params) as answer:
            read = await answer.read()
            return answer.status, msgspec.json.decode(read) if read else {}

    async def order(self, side: str, count: str, price: str, **more: Any) -> tuple[int, Json]:
        """Send an order: good till cancelled unless said otherwise."""
        terms = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}
        body = {"ticker": self.ticker, "side": side, "count": count, "price": price, **terms, **more}
        return await self.ask("POST", ORDERS, body)

    async def placed(self, side: str, count: str, price: str, **more: Any) -> Json:
        """Send an order that must be accepted."""
        status, body = await self.order(side, count, price, **more)
        assert status == 201, body
        return body

    async def read(self, order_id: str) -> Json:
        status, body = await self.ask("GET", f"/portfolio/orders/{order_id}")
        assert status == 200, body
        return body["order"]

    async def balance(self) -> Json:
        status, body = await self.ask("GET", "/portfolio/balance")
        assert status == 200, body
        return body

    def others(self, side: Side, price_e4: int, contracts: int, *, rests: bool = False) -> None:
        """Let somebody else trade, or place an order."""
        self.venue.world.inject(self.market, side, price_e4, contracts * ONE_E6, now_ms=self.venue.now_ms, rests=rests)

    def sizes(self, side: Side) -> list[tuple[int, int]]:
        """Return one side of the book in contracts."""
        return [(price, size // ONE_E6) for price, size in self.market.book.side(side)]


@asynccontextmanager
async def trading(*, bids: Mapping[int, int], asks: Mapping[int, int], fee: str = "quadratic") -> AsyncIterator[Trader]:
    """Run a venue with one market whose book holds exactly this, in cents and contracts."""
    async with running_kalshi() as venue:
        market = next(
            m for m in venue.world.kalshi_markets.values() if m.event.series.fee_type == fee and m.fee_multiplier == 1
        )
        clear(market)
        trader = Trader(venue, market)
        for side, levels in (("bid", bids), ("ask", asks)):
            for cents, contracts in levels.items():
                trader.others(side, cents * 100, contracts, rests=True)  # type: ignore[arg-type]
        yield trader


def clear(market: KalshiMarket) -> None:
    sides: tuple[Side, ...] = ("bid", "ask")
    for side in sides:
        for price_e4, _ in market.book.side(side):
            market.book.cancel(side, price_e4)
