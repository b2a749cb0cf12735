"""The simulated world as Polymarket shows it: listings, books and the frames of every operation."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Protocol

from aiohttp import web

from services.venue_sim import polymarket_frames as frames
from services.venue_sim.book_hash import MirroredBook, mirrored
from services.venue_sim.engine import SimBook
from services.venue_sim.faults import FaultKind, Faults
from services.venue_sim.markets import TRADABLE, Operation, PolymarketMarket, SimMarket
from services.venue_sim.polymarket_catalog import Json, LastTrade
from services.venue_sim.polymarket_faults import Mischief, rest_faults
from services.venue_sim.polymarket_lifecycle import market_resolved, new_market
from services.venue_sim.polymarket_objects import gamma_event, gamma_market_alone
from services.venue_sim.polymarket_rest import add_routes, is_order
from services.venue_sim.polymarket_text import DOLLAR_E4, last_price_text, price_text, size_text
from services.venue_sim.polymarket_ws import Client, MarketChannel, dump_frame
from services.venue_sim.stats import Stats, counting
from services.venue_sim.world import ClosingListener, Listener

TRADE_DELAY_S = 0.09
"""How long after its burst a trade is reported (py-clob-client-v2 issue 117: about 90 ms)."""


FREEZE = FaultKind("freeze", "while_on", "the market channel answers PING only, new subscriptions get []")
EMPTY_DUMP = FaultKind("empty_dump", "while_on", "a subscription is answered with [] instead of its books")
DROP_CHANGE = FaultKind("drop_change", "times", "leave out one price_change")
WRONG_HASH = FaultKind("wrong_hash", "times", "one price_change carries hashes that fit no book")


_LISTED_APART_MS = 60_000
"""Nobody has touched the listings that are there from the start for a while, each for a minute longer."""
_STRUCTURAL_ID = (1 << 256) - 1 ^ ((1 << 104) - (1 << 40))
"""Ids of the second protocol generation have none of the bits 40 to 103 (polymarket-client 0.14.0)."""


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


class LiveVenue:
    """Polymarket over the world: a ``Catalog`` for its REST services, and the source of its market channel."""

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
        self._now_ms = now_ms
        self._faults = Faults() if faults is None else faults
        self._faults.declare(FREEZE, EMPTY_DUMP, DROP_CHANGE, WRONG_HASH)
        self._mischief = Mischief(self._faults)
        self._trade_delay_s = trade_delay_s
        self._list(world.polymarket_markets.values())
        self.channel = MarketChannel(
            self._dump, stats=stats, queue_limit_frames=queue_limit_frames, is_mute=lambda: self._mischief.is_mute
        )
        self._faults.watch(self._cut_connection)
        self._faults.watch(self._update_listings)
        world.subscribe(self._on_operation)
        world.subscribe_closings(self._on_closing)

    def _list(self, markets: Iterable[PolymarketMarket]) -> None:
        self._markets: dict[str, PolymarketMarket] = {}
        self._by_event: dict[str, list[PolymarketMarket]] = {}
        self._event_slugs: dict[str, str] = {}
        self._slugs: dict[str, str] = {}
        self._conditions: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._books: dict[str, MirroredBook] = {}
        self._changed_ms: dict[str, int] = {}
        self._updated_ms: dict[str, int] = {}
        self._was_listing_swapped = False
        self._last_sides: dict[str, str] = {}
        for count, market in enumerate(markets):
            self._add(market, self._world.start_ms)
            self._updated_ms[market.gamma_id] -= count * _LISTED_APART_MS

    def _add(self, market: PolymarketMarket, at_ms: int) -> None:
        gamma_id = market.gamma_id
        self._markets[gamma_id] = market
        self._by_event.setdefault(market.event.event_id, []).append(market)
        self._event_slugs[market.event.slug] = market.event.event_id
        self._slugs[market.slug] = gamma_id
        self._conditions[market.market_id] = gamma_id
        self._tokens |= dict.fromkeys(market.token_ids, gamma_id)
        self._books[gamma_id] = mirrored(market)
        self._changed_ms[gamma_id] = self._updated_ms[gamma_id] = at_ms

    # --- listings and books -----------------------------------------------------------------------------------

    def event_ids(self) -> Sequence[str]:
        """Every event of the world."""
        return list(self._by_event)

    def event(self, event_id: str) -> Json | None:
        """One event with its markets."""
        group = self._by_event.get(event_id)
        if not group:
            return None
        event = gamma_event(group, self._updated_ms)
        return {**event, "markets": [self._mischief.listed(market) for market in event["markets"]]}

    def market_ids(self) -> Sequence[str]:
        """Every market of the world."""
        return list(self._markets)

    def market(self, gamma_id: str) -> Json | None:
        """One market with its event's head."""
        market = self._markets.get(gamma_id)
        if market is None:
            return None
        group = self._by_event[market.event.event_id]
        return self._mischief.listed(gamma_market_alone(market, group, self._updated_ms))

    def event_updated_ms(self, event_id: str) -> int:
        """When what is listed about an event or its markets last changed."""
        return max(self._updated_ms[market.gamma_id] for market in self._by_event[event_id])

    def market_updated_ms(self, gamma_id: str) -> int:
        """When what is listed about a market last changed. Statistics do not count, unlike on the venue."""
        return self._updated_ms[gamma_id]

    def event_id_of_slug(self, slug: str) -> str | None:
        """The event with this slug."""
        return self._event_slugs.get(slug)

    def market_id_of(self, *, slug: str = "", condition_id: str = "", token_id: str = "") -> str | None:
        """The market with this slug, condition or token."""
        if slug:
            return self._slugs.get(slug)
        return self._conditions.get(condition_id) if condition_id else self._tokens.get(token_id)

    def book(self, token_id: str) -> Json | None:
        """One token's book as of its last change."""
        gamma_id = self._open(token_id)
        return None if gamma_id is None else rest_book(self._books[gamma_id], token_id, self._changed_ms[gamma_id])

    def last_trade(self, token_id: str) -> LastTrade:
        """The newest trade in this token's terms."""
        gamma_id = self._tokens[token_id]
        market, taker_side = self._markets[gamma_id], self._last_sides.get(gamma_id, "")
        if not taker_side:
            return LastTrade("", "")
        token = market.token_ids.index(token_id)
        price_e4 = DOLLAR_E4 - market.last_price_e4 if token else market.last_price_e4
        return LastTrade(price_text(price_e4), "BUY" if (taker_side == "bid") != bool(token) else "SELL")

    def _open(self, token_id: str) -> str | None:
        """The market of a token while it trades."""
        gamma_id = self._tokens.get(token_id)
        return gamma_id if gamma_id is not None and self._markets[gamma_id].status == TRADABLE else None

    # --- the market channel -----------------------------------------------------------------------------------

    def change_tick(self, condition_id: str, tick_e4: int) -> None:
        """Make a market's tick ``tick_e4`` and say so to everyone who holds it."""
        gamma_id = self._conditions[condition_id]
        book = self._books[gamma_id]
        old_e4, book.tick_e4 = book.tick_e4, tick_e4
        self._markets[gamma_id].tick_e4 = tick_e4
        at_ms = self._updated_ms[gamma_id] = self._now_ms()
        pair = [frames.tick_size_change(book, token, old_e4=old_e4, at_ms=at_ms) for token in (0, 1)]
        self._send_per_token(book, (pair[0], pair[1]))

    def edit_rules(self, condition_id: str, text: str) -> None:
        """Replace a market's rules as the venue may: no frame says so, only the listing and its ``updatedAt``."""
        gamma_id = self._conditions[condition_id]
        self._markets[gamma_id].description = text
        self._updated_ms[gamma_id] = self._now_ms()

    def state_terms(self, condition_id: str, *, augmented: bool) -> None:
        """Let the venue say whether a market's event is augmented; only its listing tells."""
        event = self._markets[self._conditions[condition_id]].event
        for market in self._by_event[event.event_id]:
            market.event = replace(event, neg_risk_augmented=augmented)
            self._updated_ms[market.gamma_id] = self._now_ms()

    def list_market(self, market: PolymarketMarket) -> None:
        """Add a market and tell every client that asked for the custom features, whatever it holds."""
        at_ms = self._now_ms()
        self._world.list_polymarket(market)
        self._add(market, at_ms)
        frame = new_market(market, at_ms=at_ms)
        for client in self.channel.clients:
            if client.custom:
                client.outbox.push(frame)

    def withdraw_event(self, event_id: str) -> None:
        """Take an event out of the event listings, which say nothing about it."""
        del self._by_event[event_id]

    def condition_ids(self) -> Iterable[str]:
        """Every market by its condition id."""
        return self._conditions.keys()

    def list_like(self, condition_id: str, *, version: str = "v1") -> PolymarketMarket:
        """List a market in the event of a known one, with identifiers of its own and an empty book.

        One of the second protocol generation comes in an event of its own.
        """
        known = self._markets[self._conditions[condition_id]]
        number = len(self._markets)
        tokens = (_digest(known.token_ids[0], number), _digest(known.token_ids[1], number))
        event = known.event
        if version == "v2":
            tokens = (tokens[0] & _STRUCTURAL_ID, tokens[1] & _STRUCTURAL_ID)
            event = replace(event, event_id=f"9{event.event_id}{number}", slug=f"{event.slug}-{version}-{number}")
        listed = replace(
            known,
            market_id=f"0x{_digest(known.market_id, number):064x}",
            gamma_id=str(3_000_000 + number),
            question_id=f"0x{_digest(known.question_id, number):064x}",
            slug=f"{known.slug}-{number}",
            token_ids=(str(tokens[0]), str(tokens[1])),
            event=event,
            version=version,
            book=SimBook(),
            status=TRADABLE,
            winner=None,
            last_price_e4=0,
            volume_e6=0,
            last_size_e6=0,
            last_at_us=0,
            operations=0,
        )
        self.list_market(listed)
        return listed

    def resolve(self, condition_id: str, winner: int) -> None:
        """Close a market for outcome ``winner`` and tell those of its holders that asked for the custom features."""
        market = self._markets[self._conditions[condition_id]]
        market.winner = winner
        self._world.close(market, now_ms=self._now_ms(), status="resolved")
        frame = market_resolved(market, at_ms=self._now_ms())
        for client in self.channel.holders(market.token_ids):
            if client.custom:
                client.outbox.push(frame)

    def _on_closing(self, market: SimMarket, at_ms: int) -> None:
        if isinstance(market, PolymarketMarket):
            self._books[market.gamma_id].load((), ())
            self._changed_ms[market.gamma_id] = self._updated_ms[market.gamma_id] = at_ms

    def _dump(self, client: Client, token_ids: Sequence[str]) -> None:
        if not client.dump:
            return
        silent = self._faults.active(FREEZE.name) or self._faults.active(EMPTY_DUMP.name)
        known = [] if silent else [token for token in token_ids if self._open(token) is not None]
        client.outbox.push(dump_frame(self._snapshot(token) for token in known))

    def _snapshot(self, token_id: str) -> bytes:
        gamma_id = self._tokens[token_id]
        book = self._books[gamma_id]
        frame = frames.snapshot(book, book.token_ids.index(token_id), self._changed_ms[gamma_id])
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
            self._updated_ms = dict.fromkeys(self._updated_ms, self._now_ms())

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


def rest_book(book: MirroredBook, token_id: str, changed_ms: int) -> Json:
    """Return the ten fields of ``GET /book``."""
    token = book.token_ids.index(token_id)
    bids, asks = book.levels_json(token)
    return {
        "market": book.market,
        "asset_id": token_id,
        "timestamp": str(changed_ms),
        "hash": book.hash(token, changed_ms),
        "bids": bids,
        "asks": asks,
        "min_order_size": size_text(book.min_size_e6),
        "tick_size": price_text(book.tick_e4),
        "neg_risk": book.neg_risk,
        "last_trade_price": last_price_text(book.last_price_e4),
    }


def spoil_hashes(frame: bytes) -> bytes:
    """Return the frame with the last digit of every hash changed: a book that cannot be verified."""
    parts = frame.split(b'"hash":"')
    spoilt = [part[:39] + (b"1" if part[39:40] == b"0" else b"0") + part[40:] for part in parts[1:]]
    return b'"hash":"'.join([parts[0], *spoilt])


def _digest(text: str, number: int) -> int:
    return int.from_bytes(sha256(f"{text} {number}".encode()).digest())
