"""The simulated world as Polymarket shows it: its listings with their books, and the frames of every operation."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web

from services.venue_sim import polymarket_frames as frames
from services.venue_sim.book_hash import MirroredBook, mirrored
from services.venue_sim.faults import FaultKind, Faults
from services.venue_sim.markets import TRADABLE, Operation, PolymarketMarket, SimMarket
from services.venue_sim.polymarket_catalog import Json, LastTrade
from services.venue_sim.polymarket_faults import Mischief, rest_faults, spoil_hashes
from services.venue_sim.polymarket_lifecycle import market_resolved, new_market
from services.venue_sim.polymarket_listings import Listings
from services.venue_sim.polymarket_objects import rest_book
from services.venue_sim.polymarket_rest import add_routes, is_order
from services.venue_sim.polymarket_text import DOLLAR_E4, price_text
from services.venue_sim.polymarket_ws import Client, MarketChannel, dump_frame
from services.venue_sim.stats import Stats, counting
from services.venue_sim.world import ClosingListener, Listener

TRADE_DELAY_S = 0.09
"""How long after its burst a trade is reported (py-clob-client-v2 issue 117: about 90 ms)."""


FREEZE = FaultKind("freeze", "while_on", "the market channel answers PING only, new subscriptions get []")
EMPTY_DUMP = FaultKind("empty_dump", "while_on", "a subscription is answered with [] instead of its books")
DROP_CHANGE = FaultKind("drop_change", "times", "leave out one price_change")
WRONG_HASH = FaultKind("wrong_hash", "times", "one price_change carries hashes that fit no book")


class Source(Protocol):
    """Where operations come from: a ``World``, or a recording of one."""

    start_ms: int
    polymarket_markets: dict[str, PolymarketMarket]

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` with every operation."""

    def subscribe_closings(self, listener: ClosingListener) -> None:
        """Call ``listener`` with every market that stops trading."""

    def list_polymarket(self, market: PolymarketMarket) -> None:
        """Take up a new listing."""

    def close(self, market: SimMarket, *, now_ms: int, status: str = "closed") -> None:
        """Stop trading in a market."""


class LiveVenue(Listings):
    """Polymarket over the world: a ``Catalog`` for its REST services, and the source of its market channel.

    It is its listings with a book for each.
    """

    def __init__(
        self,
        world: Source,
        *,
        now_ms: Callable[[], int],
        stats: Stats | None = None,
        faults: Faults | None = None,
        trade_delay_s: float = TRADE_DELAY_S,
        queue_limit_frames: int = 100_000,
    ) -> None:
        self._world = world
        self._faults = Faults() if faults is None else faults
        self._faults.declare(FREEZE, EMPTY_DUMP, DROP_CHANGE, WRONG_HASH)
        self._mischief = Mischief(self._faults)
        self._trade_delay_s = trade_delay_s
        self._was_listing_swapped = False
        self._books: dict[str, MirroredBook] = {}
        self._changed_ms: dict[str, int] = {}
        self._last_sides: dict[str, str] = {}
        super().__init__(
            world.polymarket_markets.values(),
            start_ms=world.start_ms,
            now_ms=now_ms,
            listed=self._mischief.listed,
        )
        self._changed_ms = dict.fromkeys(self._changed_ms, world.start_ms)  # the books, unlike what is listed
        self.channel = MarketChannel(
            self._dump, stats=stats, queue_limit_frames=queue_limit_frames, is_mute=lambda: self._mischief.is_mute
        )
        self._faults.watch(self._cut_connection)
        self._faults.watch(self._update_listings)
        world.subscribe(self._on_operation)
        world.subscribe_closings(self._on_closing)

    def add(self, market: PolymarketMarket, at_ms: int) -> None:
        """Take up a market with its book."""
        super().add(market, at_ms)
        self._books[market.gamma_id] = mirrored(market)
        self._changed_ms[market.gamma_id] = at_ms

    def book(self, token_id: str) -> Json | None:
        """One token's book as of its last change."""
        market = self.of_token(token_id)
        if market is None or market.status != TRADABLE:
            return None
        return rest_book(self._books[market.gamma_id], token_id, self._changed_ms[market.gamma_id])

    def last_trade(self, token_id: str) -> LastTrade:
        """The newest trade in this token's terms."""
        market = self.of_token(token_id)
        taker_side = "" if market is None else self._last_sides.get(market.gamma_id, "")
        if market is None or not taker_side:
            return LastTrade("", "")
        token = market.token_ids.index(token_id)
        price_e4 = DOLLAR_E4 - market.last_price_e4 if token else market.last_price_e4
        return LastTrade(price_text(price_e4), "BUY" if (taker_side == "bid") != bool(token) else "SELL")

    def change_tick(self, condition_id: str, tick_e4: int) -> None:
        """Make a market's tick ``tick_e4`` and say so to everyone who holds it."""
        market, at_ms = self.of_condition(condition_id), self._now_ms()
        book = self._books[market.gamma_id]
        old_e4, book.tick_e4 = book.tick_e4, tick_e4
        market.tick_e4 = tick_e4
        self.touched(market, at_ms)
        pair = [frames.tick_size_change(book, token, old_e4=old_e4, at_ms=at_ms) for token in (0, 1)]
        self._send_per_token(book, (pair[0], pair[1]))

    def list_market(self, market: PolymarketMarket) -> None:
        """Add a market and tell every client that asked for the custom features, whatever it holds."""
        at_ms = self._now_ms()
        self._world.list_polymarket(market)
        self.add(market, at_ms)
        frame = new_market(market, at_ms=at_ms)
        for client in self.channel.clients:
            if client.custom:
                client.outbox.push(frame)

    def list_like(self, condition_id: str, *, version: str = "v1") -> PolymarketMarket:
        """List a market like a known one and return it; see ``like``."""
        listed = self.like(condition_id, version=version)
        self.list_market(listed)
        return listed

    def resolve(self, condition_id: str, winner: int) -> None:
        """Close a market for outcome ``winner`` and tell those of its holders that asked for the custom features."""
        market = self.of_condition(condition_id)
        market.winner = winner
        self._world.close(market, now_ms=self._now_ms(), status="resolved")
        frame = market_resolved(market, at_ms=self._now_ms())
        for client in self.channel.holders(market.token_ids):
            if client.custom:
                client.outbox.push(frame)

    def _on_closing(self, market: SimMarket, at_ms: int) -> None:
        if isinstance(market, PolymarketMarket):
            self._books[market.gamma_id].load((), ())
            self._changed_ms[market.gamma_id] = at_ms
            self.touched(market, at_ms)

    def _dump(self, client: Client, token_ids: Sequence[str]) -> None:
        if not client.dump:
            return
        silent = self._faults.active(FREEZE.name) or self._faults.active(EMPTY_DUMP.name)
        named = [] if silent else [(token_id, self.of_token(token_id)) for token_id in token_ids]
        known = ((token_id, market) for token_id, market in named if market is not None and market.status == TRADABLE)
        client.outbox.push(dump_frame(self._snapshot(token_id, market) for token_id, market in known))

    def _snapshot(self, token_id: str, market: PolymarketMarket) -> bytes:
        book = self._books[market.gamma_id]
        frame = frames.snapshot(book, book.token_ids.index(token_id), self._changed_ms[market.gamma_id])
        return self._mischief.named(frame, book.token_ids)

    def _on_operation(self, operation: Operation) -> None:
        if not isinstance(operation.market, PolymarketMarket):
            return
        gamma_id = operation.market.gamma_id
        book = self._books[gamma_id]
        repeated = self._present_books(gamma_id) if self._mischief.repeats_old_book else None
        top_moved = frames.apply(book, operation)
        self._changed_ms[gamma_id] = operation.at_ms
        if operation.trade is not None:
            self._last_sides[gamma_id] = operation.trade.taker_side
        clients = self.channel.holders(book.token_ids)
        if not clients or self._faults.active(FREEZE.name):
            return
        self._send_burst(book, clients, frames.burst(book, operation, top_moved=top_moved))
        if repeated is not None:
            self._send_per_token(book, repeated)

    def _present_books(self, gamma_id: str) -> frames.TokenFrames:
        book, at_ms = self._books[gamma_id], self._changed_ms[gamma_id]
        yes, no = book.hashes(at_ms)
        return frames.book_after_trade(book, 0, yes, at_ms), frames.book_after_trade(book, 1, no, at_ms)

    def _cut_connection(self) -> None:
        if self.channel.clients and self._mischief.cuts_connection:
            next(iter(self.channel.clients)).outbox.cut()

    def _update_listings(self) -> None:
        if self._mischief.is_listing_swapped != self._was_listing_swapped:
            self._was_listing_swapped = self._mischief.is_listing_swapped
            self.all_touched()

    def _send_burst(self, book: MirroredBook, clients: Sequence[Client], burst: frames.Burst) -> None:
        top_moved = burst.bests is not None
        for frame in self._mischief.changes(burst.changes, top_moved=top_moved or len(burst.changes) > 1):
            if self._faults.take(DROP_CHANGE.name):
                continue
            spoilt = spoil_hashes(frame) if self._faults.take(WRONG_HASH.name) else frame
            named = self._mischief.named(spoilt, book.token_ids)
            for client in clients:
                client.outbox.push(named)
        if burst.books is not None:
            self._send_per_token(book, burst.books)
        if burst.bests is not None:
            self._send_per_token(book, burst.bests, custom_only=True)
        if burst.trades is not None:
            self._report_later(book, burst.trades)

    def _send_per_token(self, book: MirroredBook, pair: frames.TokenFrames, *, custom_only: bool = False) -> None:
        for token_id, frame in zip(book.token_ids, pair, strict=True):
            for client in self.channel.holders((token_id,)):
                if client.custom or not custom_only:
                    client.outbox.push(self._mischief.named(frame, book.token_ids))

    def _report_later(self, book: MirroredBook, pair: frames.TokenFrames) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self._trade_delay_s, self._send_trade, book, pair)

    def _send_trade(self, book: MirroredBook, pair: frames.TokenFrames) -> None:
        """Report a trade once to each client: in YES terms, or in NO terms to a client that holds only NO."""
        if self._faults.active(FREEZE.name):
            return
        for client in self.channel.holders(book.token_ids):
            client.outbox.push(pair[0] if book.token_ids[0] in client.tokens else pair[1])


def create_app(
    world: Source,
    *,
    now_ms: Callable[[], int],
    stats: Stats | None = None,
    faults: Faults | None = None,
    trade_delay_s: float = TRADE_DELAY_S,
    queue_limit_frames: int = 100_000,
) -> web.Application:
    """Return the application of Polymarket's port: Gamma, CLOB and ``/ws/market``.

    ``now_ms`` is the venue's clock (Unix milliseconds). The ``LiveVenue`` is under the key ``VENUE``.
    """
    stats = Stats() if stats is None else stats
    faults = Faults() if faults is None else faults
    venue = LiveVenue(
        world,
        now_ms=now_ms,
        stats=stats,
        faults=faults,
        trade_delay_s=trade_delay_s,
        queue_limit_frames=queue_limit_frames,
    )
    app = web.Application(client_max_size=1 << 20, middlewares=[counting(stats, is_order), rest_faults(faults)])
    app[VENUE] = venue
    add_routes(app, venue, now_ms)
    app.router.add_get("/ws/market", venue.channel.handle)
    return app


VENUE = web.AppKey("VENUE", LiveVenue)
