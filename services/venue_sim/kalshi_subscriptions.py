"""Who is subscribed to what on Kalshi's WebSocket, and what every operation sends to whom.

A body is encoded once per operation and price scale; only ``sid`` and ``seq`` differ between clients. ``seq`` counts
per connection and subscription, over data and control frames alike (Kalshi API reference, 2026-11-21, and recorded
traffic of August 2026).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from services.venue_sim import kalshi_faults as faulty
from services.venue_sim import kalshi_frames as frames
from services.venue_sim.faults import Faults
from services.venue_sim.markets import KalshiMarket, Operation

BOOKS = "orderbook_delta"
TRADES = "trade"
TICKER = "ticker"
LIFECYCLE = "market_lifecycle_v2"
PRIVATE_CHANNELS = ("fill", "user_orders", "market_positions", "order_group_updates")
"""What happens to the account's own orders; a replay of recorded data has none."""

CHANNELS = (BOOKS, TRADES, TICKER, LIFECYCLE, *PRIVATE_CHANNELS)
_DELTA = re.compile(rb'"delta_fp":"[^"]*"')

_BURST_MOST = 900
"""Operations of a market are at least a millisecond apart; what fits in between stays in order."""

SEQUENCED = (BOOKS, TRADES, LIFECYCLE, "order_group_updates")


class Receiver(Protocol):
    """A connection, as the broadcast sees it."""

    def push(self, subscription: "Subscription", frame: bytes) -> None:
        """Queue a data frame, or end the subscription when too much is waiting."""
        ...

    def end(self, subscription: "Subscription", code: int) -> None:
        """End a subscription with an error frame."""
        ...

    def cut(self) -> None:
        """Lose the connection without saying so."""
        ...


class Subscription:
    """One sid of one connection."""

    __slots__ = ("_held", "channel", "ended", "receiver", "seq", "sid", "tickers", "yes_scale")

    def __init__(self, receiver: Receiver, sid: int, channel: str, *, yes_scale: bool) -> None:
        self.receiver = receiver
        self.sid = sid
        self.channel = channel
        self.yes_scale = yes_scale
        self.seq = 0
        self.ended = False
        """Once it has ended it sends nothing more."""
        self._held: bytes | None = None
        """A frame that a fault holds back until the next one has been sent."""
        self.tickers: dict[str, None] = {}
        """In the order they were added; empty means every market, where the channel allows that."""

    def take_seq(self) -> int | None:
        """Return the next number, None on a channel that has none."""
        if self.channel not in SEQUENCED:
            return None
        self.seq += 1
        return self.seq

    def send(self, kind: str, body: bytes, *, command_id: int | None = None) -> None:
        """Send a data frame with the next number, nothing when the subscription has ended."""
        if self.ended:
            return
        seq = self.take_seq()
        if seq is None:
            self.push(frames.unsequenced(kind, self.sid, body))
        else:
            self.push(frames.sequenced(kind, self.sid, seq, body, command_id=command_id))

    def push(self, frame: bytes) -> None:
        """Send a finished frame, and then the one that was held back."""
        self.receiver.push(self, frame)
        if self._held is not None:
            held, self._held = self._held, None
            self.receiver.push(self, held)

    def hold(self, frame: bytes) -> None:
        """Keep a finished frame until after the next."""
        self._held = frame


class Broadcast:
    """Every subscription of every connection, found by channel and market."""

    def __init__(self, markets: Mapping[str, KalshiMarket], faults: Faults) -> None:
        self.markets = markets
        self.receivers: set[Receiver] = set()
        self._faults = faults
        faults.declare(*faulty.WEBSOCKET)
        self._by_market: dict[tuple[str, str], list[Subscription]] = {}
        self._of_all: dict[str, list[Subscription]] = {channel: [] for channel in CHANNELS}

    def add(self, subscription: Subscription, tickers: Iterable[str]) -> list[str]:
        """Let a subscription hear of these markets too (of all, when it names none); return the new ones."""
        added = [ticker for ticker in dict.fromkeys(tickers) if ticker not in subscription.tickers]
        for ticker in added:
            subscription.tickers[ticker] = None
            self._by_market.setdefault((subscription.channel, ticker), []).append(subscription)
        hears_all = self._of_all[subscription.channel]
        if not subscription.tickers and subscription not in hears_all:
            hears_all.append(subscription)
        return added

    def remove(self, subscription: Subscription, tickers: Iterable[str]) -> None:
        """Let a subscription hear no more of these markets."""
        for ticker in tickers:
            if ticker in subscription.tickers:
                del subscription.tickers[ticker]
                self._by_market[subscription.channel, ticker].remove(subscription)

    def end(self, subscription: Subscription) -> None:
        """Let a subscription hear nothing any more."""
        subscription.ended = True
        self.remove(subscription, list(subscription.tickers))
        hears_all = self._of_all[subscription.channel]
        if subscription in hears_all:
            hears_all.remove(subscription)

    def on_closing(self, market: object, _at_ms: int) -> None:
        """Send the snapshot without sides that follows a market's close (recorded, August 2026)."""
        if isinstance(market, KalshiMarket):
            for subscription in self._listeners(BOOKS, market):
                self.send_snapshot(subscription, market.market_id)

    def on_operation(self, operation: Operation) -> None:
        """Send one operation to everybody who is subscribed to its market."""
        market = operation.market
        if not isinstance(market, KalshiMarket):
            return
        if self._faults.take(faulty.DROP_CONNECTION.name):
            for receiver in list(self.receivers):
                receiver.cut()
        for fault, code in ((faulty.CHANNEL_ERROR, 10), (faulty.BUFFER_OVERFLOW, 25)):
            if self._faults.take(fault.name):
                for subscription in self._subscriptions_of(BOOKS):
                    subscription.receiver.end(subscription, code)
        self._send_deltas(operation)
        if operation.trade is not None:
            self._send_each(TRADES, market, "trade", frames.trade_bodies(operation))
        if self._listeners(TICKER, market):
            self._send_each(TICKER, market, "ticker", [frames.ticker_body(market, operation.at_us)])

    def send_private(self, channel: str, kind: str, market: KalshiMarket, body: bytes) -> None:
        """Send something about the account's own orders to everybody on a private channel."""
        self._send_each(channel, market, kind, [body])

    def send_lifecycle(self, body: bytes) -> None:
        """Send something about a market's life; the channel has no filter."""
        for subscription in list(self._of_all[LIFECYCLE]):
            subscription.send("market_lifecycle_v2", body)

    def _send_deltas(self, operation: Operation) -> None:
        bodies: dict[bool, list[bytes]] = {}
        more = self._faults.level(faulty.BURST.name)
        idle = frames.idle_delta_bodies(operation, min(more, _BURST_MOST)) if more else []
        for subscription in self._listeners(BOOKS, operation.market):
            scale = subscription.yes_scale
            if scale not in bodies:
                bodies[scale] = frames.delta_bodies(operation, yes_scale=scale)
            for body in bodies[scale]:
                self._send_delta(subscription, body)
            for body in idle:
                subscription.send("orderbook_delta", body)

    def _send_delta(self, subscription: Subscription, body: bytes) -> None:
        """Send one delta, with whatever goes wrong with it."""
        if subscription.ended:
            return
        strikes = self._faults.take
        if strikes(faulty.OLD_SEQ.name):
            old = max(1, subscription.seq - 2)
            subscription.push(frames.sequenced("orderbook_delta", subscription.sid, old, body))
        seq = subscription.take_seq()
        assert seq is not None, subscription.channel
        if strikes(faulty.SKIP_DELTA.name):
            return
        if strikes(faulty.BELOW_ZERO.name):
            body = _DELTA.sub(b'"delta_fp":"-1000000.00"', body)
        frame = frames.sequenced("orderbook_delta", subscription.sid, seq, body)
        if strikes(faulty.SWAP_DELTAS.name):
            subscription.hold(frame)
            return
        subscription.push(frame)
        if strikes(faulty.REPEAT_DELTA.name):
            subscription.push(frame)

    def _send_each(self, channel: str, market: KalshiMarket, kind: str, bodies: list[bytes]) -> None:
        for subscription in self._listeners(channel, market):
            for body in bodies:
                subscription.send(kind, body)

    def _subscriptions_of(self, channel: str) -> list[Subscription]:
        found = [s for (known, _), some in self._by_market.items() if known == channel for s in some]
        return list(dict.fromkeys(found))

    def _listeners(self, channel: str, market: object) -> list[Subscription]:
        assert isinstance(market, KalshiMarket), market
        named = self._by_market.get((channel, market.market_id), [])
        everything = self._of_all[channel]
        return [*named, *everything] if everything else list(named)

    def ok_takes_seq(self) -> bool:
        """Tell whether an ``ok`` takes a number of its subscription, as recorded on the venue."""
        return not self._faults.active(faulty.OK_WITHOUT_SEQ.name)

    def ack_is_late(self) -> bool:
        """Tell whether the next subscription's data comes before its acknowledgement, as two clients have seen."""
        return self._faults.take(faulty.ACK_LATE.name)

    def send_snapshot(self, subscription: Subscription, ticker: str, *, command_id: int | None = None) -> None:
        """Send one market's whole book."""
        body = frames.snapshot_body(
            self.markets[ticker],
            yes_scale=subscription.yes_scale,
            both_sides=self._faults.active(faulty.BOTH_SIDES.name),
        )
        subscription.send("orderbook_snapshot", body, command_id=command_id)
