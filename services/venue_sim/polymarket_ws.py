"""Polymarket's market channel: who is connected, which tokens each client holds, and what reaches whom.

A client names its tokens in its first message and may add or remove some later. Nothing is acknowledged, a misspelt
field is answered by silence, and the text ``PING`` by the text ``PONG`` (CLOB market channel, documentation and
polymarket-client 0.14.0, read 2026-11-21). Frames arrive here encoded, once for all clients.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from services.venue_sim.outbox import Outbox
from services.venue_sim.stats import Stats

OnSubscribed = Callable[["Client", Sequence[str]], None]
"""Called with a client and the tokens it has just added, which may be unknown ones; it queues their dump."""


class Client:
    """One connection of the market channel."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.tokens: set[str] = set()
        self.custom = False
        """Whether it asked for ``best_bid_ask``, ``new_market`` and ``market_resolved``."""
        self.dump = True
        """Whether a subscription is answered with the books (``initial_dump``)."""


class MarketChannel:
    """Every connected client, found by the tokens it holds.

    ``on_subscribed`` runs before the client can receive anything about the tokens, in the same turn of the event
    loop, so that no change falls between the dump and the changes.
    """

    def __init__(
        self,
        on_subscribed: OnSubscribed,
        *,
        stats: Stats | None = None,
        queue_limit_frames: int = 100_000,
        is_mute: Callable[[], bool] = lambda: False,
    ) -> None:
        self._on_subscribed = on_subscribed
        self._stats = Stats() if stats is None else stats
        self._queue_limit_frames = queue_limit_frames
        self._is_mute = is_mute
        self._holders: dict[str, list[Client]] = {}
        self.clients: dict[Client, None] = {}
        """Everybody who is connected, the oldest first."""
        self.slow_clients_dropped = 0

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until either side ends it."""
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        transport = request.transport
        if transport is None:  # the client has left meanwhile
            return ws
        client = Client(Outbox(ws, self._stats, transport.abort, limit_frames=self._queue_limit_frames))
        self._stats.connections += 1
        self._stats.open_connections += 1
        self.clients[client] = None
        sending = asyncio.create_task(client.outbox.run())
        try:
            async for message in ws:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self.receive(client, message.data)
        finally:
            self.forget(client)
            self._stats.open_connections -= 1
            sending.cancel()
            [ended] = await asyncio.gather(sending, return_exceptions=True)
            if isinstance(ended, Exception):
                raise ended
        return ws

    def holders(self, token_ids: Iterable[str]) -> list[Client]:
        """Return every client that holds one of these tokens, each once."""
        found = [self._holders[token] for token in token_ids if token in self._holders]
        if len(found) == 1:
            return found[0]
        return list(dict.fromkeys(client for clients in found for client in clients))

    def receive(self, client: Client, data: str | bytes) -> None:
        """Act on one message of a client."""
        if data in ("PING", b"PING"):
            if not self._is_mute():
                client.outbox.push(b"PONG")
            return
        try:
            command = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return
        if isinstance(command, dict):
            self._obey(client, command)

    def _obey(self, client: Client, command: dict[str, Any]) -> None:
        tokens = command.get("assets_ids")
        opening = str(command.get("type", "")).lower() == "market" and "operation" not in command
        operation = "subscribe" if opening else command.get("operation")
        if not isinstance(tokens, list) or operation not in ("subscribe", "unsubscribe"):
            return
        if operation == "unsubscribe":
            self._remove(client, tokens)
            return
        client.custom = bool(command.get("custom_feature_enabled", client.custom))
        client.dump = bool(command.get("initial_dump", client.dump))
        added = [token for token in dict.fromkeys(map(str, tokens)) if token not in client.tokens]
        if added or opening:
            self._on_subscribed(client, added)
        for token in added:
            client.tokens.add(token)
            self._holders.setdefault(token, []).append(client)

    def _remove(self, client: Client, tokens: Iterable[Any]) -> None:
        for token in client.tokens.intersection(map(str, tokens)):
            client.tokens.discard(token)
            holders = self._holders[token]
            holders.remove(client)
            if not holders:
                del self._holders[token]

    def forget(self, client: Client) -> None:
        """A connection has ended."""
        self._remove(client, set(client.tokens))
        del self.clients[client]
        self.slow_clients_dropped += client.outbox.overflowed


def dump_frame(snapshots: Iterable[bytes]) -> bytes:
    """Return the array of books that answers a subscription, ``[]`` when no book is known."""
    return b"[" + b",".join(snapshots) + b"]"
