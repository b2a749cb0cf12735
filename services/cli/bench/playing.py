"""Playing tapes to whoever has subscribed: both venues' conversations as far as a feed needs them, and the frames."""

import asyncio
import gc
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from services.cli.bench.played import PlayedWorld
from services.cli.bench.reel import KalshiClient, Slice, Writable, cut, framed, send
from services.cli.bench.tape import Cue, Renderer, mirrors_of
from services.venue_sim.kalshi_frames import control, sequenced, snapshot_body
from services.venue_sim.world import World
from shared.venues.kalshi.schema import BOOK_CHANNEL

Json = dict[str, Any]

_SETTLE_MS = 300
_MESSAGES_PER_OPERATION = 1.15
_FIRST_RENDER_US = 60.0
_LEAST_RENDER_US = 30.0
_LATE_US = 1_000
_IDLE_US = 600
_HANDED_ON = 1
"""Markets each millisecond: otherwise an audit in the middle of a tape would hold it up for tens of milliseconds."""
_ATTEMPTS = 4


class Player:
    """The world, its subscribers, and the tape being played."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.played = PlayedWorld(world)
        self.renderer = Renderer(world, mirrors_of(world.polymarket_markets))
        self.kalshi: set[KalshiClient] = set()
        self.polymarket: dict[ServerConnection, set[str]] = {}
        self._changes = 0
        """How often somebody came, left or subscribed: what was cut before is cut anew."""
        self._playing: asyncio.Task[Json] | None = None
        self._rendered_to_ms = 0
        self._render_us = _FIRST_RENDER_US
        """Time that one message's rendering is guessed to take."""

    async def talk_kalshi(self, connection: ServerConnection) -> None:
        """Serve one Kalshi client until it leaves."""
        client = KalshiClient(connection.transport)
        self.kalshi.add(client)
        self._changes += 1
        try:
            with suppress(ConnectionClosed):
                async for text in connection:
                    self._obey(client, msgspec.json.decode(text))
        finally:
            self.kalshi.discard(client)
            self._changes += 1

    async def talk_polymarket(self, connection: ServerConnection) -> None:
        """Serve one Polymarket client until it leaves."""
        tokens: set[str] = set()
        self.polymarket[connection] = tokens
        try:
            with suppress(ConnectionClosed):
                async for text in connection:
                    send(connection.transport, self._answer(tokens, text))
        finally:
            del self.polymarket[connection]
            self._changes += 1

    async def prepare(self, parts: list[tuple[int, float]]) -> Json:
        """Render one tape, of so many messages per second for so many seconds each, and begin to play it when due.

        The frames carry the moments at which they will be sent, so the start is fixed before they are rendered; when
        rendering takes longer than was guessed, the tape is thrown away and the next guess is more generous.
        """
        count = sum(rate * seconds for rate, seconds in parts)
        for _ in range(_ATTEMPTS):
            begun_ms = now_ms()
            start_ms = max(begun_ms + _SETTLE_MS + int(count * self._render_us / 1_000), self._rendered_to_ms)
            rendered = await self._render(start_ms, parts)
            took_us = (now_ms() - begun_ms) * 1_000 / count
            self._render_us = max(_LEAST_RENDER_US, took_us * 1.5)
            if now_ms() <= start_ms:
                self._playing = asyncio.create_task(self._play(rendered))
                return {"start_ms": start_ms}
            for piece in chain.from_iterable(rendered):  # late, but every book must stay what its frames say
                self._write(piece)
        return {"error": f"rendering {count:.0f} messages took longer than expected {_ATTEMPTS} times"}

    async def played_tape(self) -> Json:
        """Say what was sent, how long that took and when each edge opened, once the tape is over."""
        if self._playing is None:
            return {"error": "no tape was prepared"}
        return await self._playing

    def tops(self) -> dict[str, list[int]]:
        """Return every market's best YES bid and ask in ten-thousandths, 0 and 10000 where there is none."""
        markets = {**self.world.kalshi_markets, **self.world.polymarket_markets}
        return {
            market_id: [market.book.best_bid_e4() or 0, market.book.best_ask_e4() or 10_000]
            for market_id, market in markets.items()
        }

    async def _render(self, start_ms: int, parts: list[tuple[int, float]]) -> list[list[Slice]]:
        gc.disable()  # a tape is a million objects, and none of them is in a cycle
        self.world.set_rate(_operations(parts[0][0]))
        self.world.step(start_ms)  # what fell due while nothing was played belongs to the tape's beginning
        rendered = [[self._cut(self.renderer.take())]]
        self._rendered_to_ms = start_ms
        for rate, seconds in parts:
            self.world.set_rate(_operations(rate))
            from_ms, self._rendered_to_ms = self._rendered_to_ms, self._rendered_to_ms + int(seconds * 1_000)
            slices: list[Slice] = []
            for cues in self.renderer.render(from_ms, self._rendered_to_ms):
                slices += [self._cut(some) for some in _by_millisecond(cues)]
                await asyncio.sleep(0)
            rendered.append(slices)
        gc.freeze()
        gc.enable()
        return rendered

    async def _play(self, rendered: list[list[Slice]]) -> Json:
        """Play what was rendered: first what fell due before, then part by part."""
        openings: list[Json] = []
        ends_ns: list[int] = []
        sent_by_then: list[int] = []
        sent = latest_us = 0
        for slices in rendered:
            for piece in slices:
                early_us = piece.due_us - time.time_ns() // 1_000
                if early_us > _IDLE_US:
                    self.played.catch_up(_HANDED_ON)
                    early_us = piece.due_us - time.time_ns() // 1_000
                if early_us > 0:
                    await asyncio.sleep(early_us / 1_000_000)
                    early_us = piece.due_us - time.time_ns() // 1_000
                latest_us = max(latest_us, -early_us)
                sent_ns = time.time_ns()
                sent += self._write(piece)
                openings += [{**msgspec.to_builtins(opening), "sent_ns": sent_ns} for opening in piece.opens]
                if early_us < -_LATE_US:
                    await asyncio.sleep(0)
            ends_ns.append(time.time_ns())
            sent_by_then.append(sent)
        return {
            "messages": sent,
            "seconds": (ends_ns[-1] - ends_ns[0]) / 1_000_000_000,
            "part_ends_ns": ends_ns[1:],
            "part_rates": [
                round(
                    (sent_by_then[part] - sent_by_then[part - 1]) * 1_000_000_000 / (ends_ns[part] - ends_ns[part - 1])
                )
                for part in range(1, len(rendered))
            ],
            "openings": openings,
            "player_late_ms": latest_us // 1_000,
        }

    def _cut(self, cues: Sequence[Cue]) -> Slice:
        polymarket: dict[Writable, set[str]] = {
            connection.transport: tokens for connection, tokens in self.polymarket.items()
        }
        return cut(cues, self.kalshi, polymarket, after_changes=self._changes)

    def _write(self, piece: Slice) -> int:
        self.played.note(cue.operation for cue in piece.cues)
        return (piece if piece.after_changes == self._changes else self._cut(piece.cues)).write()

    def _obey(self, client: KalshiClient, command: Json) -> None:
        params = command.get("params", {})
        channel = params.get("channels", [BOOK_CHANNEL])[0]
        if command["cmd"] == "list_subscriptions":
            listed = [{"channel": BOOK_CHANNEL, "sid": 1}] if client.tickers else []
            listed += [{"channel": other, "sid": sid} for other, sid in client.others.items()]
            out = [control({"id": command["id"], "type": "ok", "msg": listed})]
        elif channel != BOOK_CHANNEL:
            sid = client.others.setdefault(channel, 2 + len(client.others))
            out = [control({"id": command["id"], "type": "subscribed", "msg": {"channel": channel, "sid": sid}})]
        else:
            out = self._books(client, command["cmd"], command["id"], params)
        send(client.transport, b"".join(map(framed, out)))

    def _books(self, client: KalshiClient, name: str, command_id: int, params: Json) -> list[bytes]:
        """Change what a client gets and return its answer, with the books it asked for."""
        self._changes += params.get("action") != "get_snapshot"
        tickers = params.get("market_tickers") or [params["market_ticker"]]
        known = [ticker for ticker in tickers if ticker in self.world.kalshi_markets]
        action = params.get("action")
        first = not client.tickers
        if action == "delete_markets":
            client.tickers.difference_update(known)
        elif action != "get_snapshot":
            client.tickers.update(known)
        out = []
        if name == "subscribe" and first:
            about = {"channel": BOOK_CHANNEL, "sid": 1}
            out.append(control({"id": command_id, "type": "subscribed", "msg": about}))
        elif action != "get_snapshot":
            listing = {"market_tickers": sorted(client.tickers)}
            out.append(control({"id": command_id, "sid": 1, "seq": client.next_seq(), "type": "ok", "msg": listing}))
        if action != "delete_markets":
            asked_by = command_id if action == "get_snapshot" else None
            for ticker in known:
                body = snapshot_body(self.played.kalshi_market(ticker), yes_scale=False)
                out.append(sequenced("orderbook_snapshot", 1, client.next_seq(), body, command_id=asked_by))
        return out

    def _answer(self, tokens: set[str], text: str | bytes) -> bytes:
        """Take one text of a Polymarket client and return what it is answered."""
        if text == "PING":
            return framed(b"PONG")
        self._changes += 1
        command = msgspec.json.decode(text)
        wanted = set(command.get("assets_ids", ()))
        if command.get("operation") == "unsubscribe":
            tokens -= wanted
            return b""
        tokens |= wanted
        return framed(b"[" + b",".join(self.played.polymarket_snapshots(wanted)) + b"]")


def _by_millisecond(cues: list[Cue]) -> list[list[Cue]]:
    groups: dict[int, list[Cue]] = {}
    for cue in cues:
        groups.setdefault(cue.due_us // 1_000, []).append(cue)
    return [groups[due_ms] for due_ms in sorted(groups)]


def _operations(rate: int) -> int:
    return max(1, round(rate / _MESSAGES_PER_OPERATION))


def now_ms() -> int:
    """Return Unix milliseconds."""
    return time.time_ns() // 1_000_000
