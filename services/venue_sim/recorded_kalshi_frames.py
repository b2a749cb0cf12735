"""Recorded frames of Kalshi's WebSocket, replayed to whoever subscribes to their markets.

``sid`` and ``seq`` are given anew. The recorded numbers counted the recorder's own commands and one connection per
file, while our client sends other commands, subscribes to other sets of markets, and gets several recordings on one
connection; only numbers of its own can be contiguous for it. A recording whose own numbers have a gap is refused, so
that renumbering never hides a loss. Prices of side ``no`` are converted to the scale the client asked for.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from services.venue_sim.faults import Faults
from services.venue_sim.kalshi_objects import price_text
from services.venue_sim.kalshi_subscriptions import BOOKS, LIFECYCLE, TICKER, TRADES, Broadcast, Subscription
from services.venue_sim.markets import KalshiMarket
from services.venue_sim.polymarket_text import DOLLAR_E4, price_e4, size_e6
from services.venue_sim.recorded_files import UnreadableRecording, messages_in

Json = dict[str, Any]
Sizes = dict[tuple[str, str], int]
"""Sizes in millionths by side and price text, as the recording writes them."""

CHANNEL_OF = {
    "orderbook_snapshot": BOOKS,
    "orderbook_delta": BOOKS,
    "ticker": TICKER,
    "trade": TRADES,
    "market_lifecycle_v2": LIFECYCLE,
}
_SIDES = ("yes", "no")
_TURN_FRAMES = 200
"""How many frames are queued before the event loop gets its turn."""


class Frame(NamedTuple):
    """One recorded data frame: its ``msg`` as it was received."""

    kind: str
    ticker: str
    body: bytes

    def msg(self) -> Json:
        """Return ``msg`` decoded."""
        decoded: Json = msgspec.json.decode(self.body)
        return decoded


@dataclass(frozen=True)
class Recording:
    """One connection's data frames in the order they came."""

    name: str
    frames: tuple[Frame, ...]
    yes_scale: bool
    """Whether prices of side ``no`` are YES prices (``use_yes_price``)."""

    @classmethod
    def read(cls, path: Path) -> "Recording":
        """Read a frame file or a transcript. Raises UnreadableRecording when sequenced frames are missing in it."""
        frames: list[Frame] = []
        last: dict[int, int] = {}
        yes_scale = "use_yes_price_true" in path.name
        for number, message in enumerate(messages_in(path), start=1):
            if message.sent:
                yes_scale = yes_scale or bool(message.value.get("params", {}).get("use_yes_price"))
                continue
            parts = _FRAME.decode(message.raw)
            if parts.seq is not None:
                before = last.get(parts.sid, parts.seq - 1)
                if parts.seq != before + 1:
                    lost = f"sid {parts.sid} goes from seq {before} to {parts.seq}"
                    raise UnreadableRecording(f"{path}, message {number}: {lost}; such a recording cannot be replayed")
                last[parts.sid] = parts.seq
            if parts.type in CHANNEL_OF:
                frames.append(Frame(parts.type, _TICKER.decode(parts.msg).market_ticker, bytes(parts.msg)))
        return cls(path.name, tuple(frames), yes_scale)

    def tickers(self) -> list[str]:
        """Return the markets of the recording in order of appearance."""
        return list(dict.fromkeys(frame.ticker for frame in self.frames))


class RecordedBroadcast(Broadcast):
    """In place of the world's broadcast: a subscription starts the replay of its markets.

    ``books`` are REST order books for markets without frames. ``speed`` plays that many recorded seconds per second;
    None plays as fast as the client reads.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        tickers: Iterable[str],
        books: dict[str, Json],
        faults: Faults,
        *,
        speed: Fraction | None = None,
    ) -> None:
        # Only the keys are asked for here; the markets themselves are recorded objects.
        super().__init__(cast("dict[str, KalshiMarket]", dict.fromkeys(tickers)), faults)
        self._recordings = recordings
        self._rest_books = books
        self._speed = speed
        self._framed = {ticker for recording in recordings for ticker in recording.tickers()}
        self._starting: dict[Subscription, list[str]] = {}
        self._tasks: dict[Subscription, list[asyncio.Task[None]]] = {}
        self._held: dict[tuple[Subscription, str], Sizes] = {}

    def add(self, subscription: Subscription, tickers: Iterable[str]) -> list[str]:
        """Subscribe, and let the replay of the new markets begin when the command has been answered."""
        added = super().add(subscription, tickers)
        replayed = added or (list(self.markets) if not subscription.tickers else [])
        if replayed:
            if subscription not in self._starting:
                asyncio.get_running_loop().call_soon(self._start, subscription)
            self._starting.setdefault(subscription, []).extend(replayed)
        return added

    def end(self, subscription: Subscription) -> None:
        """End a subscription and its replays."""
        super().end(subscription)
        self._starting.pop(subscription, None)
        for task in self._tasks.pop(subscription, []):
            task.cancel()
        for key in [key for key in self._held if key[0] is subscription]:
            del self._held[key]

    def send_snapshot(self, subscription: Subscription, ticker: str, *, command_id: int | None = None) -> None:
        """Send the book as replayed so far; a market whose replay is about to open sends its own."""
        if ticker in self._framed and (subscription, ticker) not in self._held:
            return
        sizes = self._held.get((subscription, ticker))
        if sizes is None:
            sizes = _sizes_of_rest(self._rest_books.get(ticker, {}))
            if subscription.yes_scale:
                sizes = {(side, _shown(side, price)): size for (side, price), size in sizes.items()}
        body = snapshot_body(ticker, sizes)
        subscription.send("orderbook_snapshot", body, command_id=command_id)

    def _start(self, subscription: Subscription) -> None:
        tickers = frozenset(self._starting.pop(subscription, ())) & self._framed
        if tickers:
            task = asyncio.get_running_loop().create_task(self._replay(subscription, tickers))
            self._tasks.setdefault(subscription, []).append(task)

    async def _replay(self, subscription: Subscription, tickers: frozenset[str]) -> None:
        played = 0
        for recording in self._recordings:
            last_ms: int | None = None
            for frame in recording.frames:
                if frame.ticker not in tickers or CHANNEL_OF[frame.kind] != subscription.channel:
                    continue
                last_ms = await self._pause(frame, last_ms)
                self._play(subscription, frame, flip=recording.yes_scale != subscription.yes_scale)
                played += 1
                if played % _TURN_FRAMES == 0:
                    await asyncio.sleep(0)

    def _play(self, subscription: Subscription, frame: Frame, *, flip: bool) -> None:
        if subscription.channel != BOOKS:
            subscription.send(frame.kind, frame.body)
            return
        msg = frame.msg()
        if flip:
            _flip(msg)
        sizes = self._held.setdefault((subscription, frame.ticker), {})
        apply(sizes, frame.kind, msg)
        subscription.send(frame.kind, msgspec.json.encode(msg) if flip else frame.body)

    async def _pause(self, frame: Frame, last_ms: int | None) -> int | None:
        if self._speed is None:
            return None
        at_ms = frame.msg().get("ts_ms")
        if at_ms is not None and last_ms is not None and at_ms > last_ms:
            wait_ms = (at_ms - last_ms) / self._speed
            await asyncio.sleep(wait_ms.numerator / wait_ms.denominator / 1000)
        return last_ms if at_ms is None else int(at_ms)


def apply(sizes: Sizes, kind: str, msg: Json) -> None:
    """Bring the sizes of one market to the state after one recorded book message."""
    if kind == "orderbook_snapshot":
        sizes.clear()
        for side in _SIDES:
            sizes.update({(side, price): size_e6(size) for price, size in msg.get(f"{side}_dollars_fp", ())})
        return
    key = (msg["side"], msg["price_dollars"])
    text = str(msg["delta_fp"])
    delta_e6 = -size_e6(text[1:]) if text.startswith("-") else size_e6(text)
    after_e6 = sizes.pop(key, 0) + delta_e6
    assert after_e6 >= 0, f"{msg['market_ticker']} {key} would hold {after_e6}"
    if after_e6:
        sizes[key] = after_e6


def final_sizes(recordings: Iterable[Recording]) -> dict[str, Sizes]:
    """Return how each market's book ends, with ``no`` prices on their own scale."""
    held: dict[str, Sizes] = {}
    for recording in recordings:
        for frame in recording.frames:
            if CHANNEL_OF[frame.kind] != BOOKS:
                continue
            msg = frame.msg()
            if recording.yes_scale:
                _flip(msg)
            apply(held.setdefault(frame.ticker, {}), frame.kind, msg)
    return held


def snapshot_body(ticker: str, sizes: Sizes) -> bytes:
    """Return the ``msg`` of a snapshot; a side without levels has no key."""
    body: Json = {"market_ticker": ticker, "market_id": ""}
    body |= {f"{side}_dollars_fp": levels for side in _SIDES if (levels := levels_of(sizes, side))}
    return msgspec.json.encode(body)


def levels_of(sizes: Sizes, side: str) -> list[list[str]]:
    """Return one side's levels as the venue writes them, ascending."""
    held = sorted((price, size) for (one, price), size in sizes.items() if one == side)
    return [[price, f"{size // 1_000_000}.{size % 1_000_000 // 10_000:02d}"] for price, size in held]


class _FrameParts(msgspec.Struct):
    type: str
    sid: int = 0
    seq: int | None = None
    msg: msgspec.Raw = msgspec.Raw(b"{}")


class _Named(msgspec.Struct):
    market_ticker: str = ""


_FRAME = msgspec.json.Decoder(_FrameParts)
_TICKER = msgspec.json.Decoder(_Named)


def _flip(msg: Json) -> None:
    """Bring the prices of side ``no`` to the other scale."""
    if "no_dollars_fp" in msg:
        flipped = [[_shown("no", price), size] for price, size in msg["no_dollars_fp"]]
        msg["no_dollars_fp"] = flipped[::-1]
    if msg.get("side") == "no":
        msg["price_dollars"] = _shown("no", msg["price_dollars"])


def _shown(side: str, price: str) -> str:
    return price if side == "yes" else price_text(DOLLAR_E4 - price_e4(price))


def _sizes_of_rest(book: Json) -> Sizes:
    return {(side, price): size_e6(size) for side in _SIDES for price, size in book.get(f"{side}_dollars") or ()}
