"""A tape cut into slices of a millisecond, framed ahead of time: playing one costs a write per connection."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.cli.bench.tape import Cue, Opening
from services.venue_sim.kalshi_frames import sequenced
from services.venue_sim.markets import PolymarketMarket


class Writable(Protocol):
    """A socket's transport."""

    def write(self, data: bytes) -> None:
        """Send, sooner or later."""
        ...

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        ...


class KalshiClient:
    """One subscriber of the order-book channel: sid 1 and its numbers."""

    def __init__(self, transport: Writable) -> None:
        self.transport = transport
        self.tickers: set[str] = set()
        self.others: dict[str, int] = {}
        """Its subscriptions to other channels, on which nothing comes, and their sids."""
        self.seq = 0
        self.cut_to_seq = 0
        """The number that the last frame of the tape cut so far will have, if nothing comes in between."""

    def next_seq(self) -> int:
        """Take the next number."""
        self.seq += 1
        return self.seq


class KalshiPart:
    """What one client gets of a slice: frames with the numbers they will most likely have."""

    def __init__(self, client: KalshiClient, bodies: list[bytes]) -> None:
        self._client = client
        self._bodies = bodies
        self._after_seq = max(client.cut_to_seq, client.seq)
        self._blob = self._framed(self._after_seq)
        client.cut_to_seq = self._after_seq + len(bodies)

    def write(self) -> int:
        """Send it, numbered anew when an answer to the client took a number since; nothing to one that has left."""
        client = self._client
        if not send(client.transport, self._blob if client.seq == self._after_seq else self._framed(client.seq)):
            return 0
        client.seq += len(self._bodies)
        return len(self._bodies)

    def _framed(self, after_seq: int) -> bytes:
        return b"".join(
            framed(sequenced("orderbook_delta", 1, seq, body)) for seq, body in enumerate(self._bodies, after_seq + 1)
        )


@dataclass(frozen=True, slots=True)
class Slice:
    """What is due together."""

    due_us: int
    cues: tuple[Cue, ...]
    after_changes: int
    """How many changes of subscriptions it was cut after; with more of them it must be cut anew."""
    opens: tuple[Opening, ...]
    kalshi: tuple[KalshiPart, ...]
    polymarket: tuple[tuple[Writable, bytes, int], ...]
    """Transport, frames, and how many they are."""

    def write(self) -> int:
        """Send every frame and return how many they were."""
        sent = sum(part.write() for part in self.kalshi)
        for transport, blob, count in self.polymarket:
            sent += count if send(transport, blob) else 0
        return sent


def cut(
    cues: Sequence[Cue],
    kalshi: Iterable[KalshiClient],
    polymarket: Mapping[Writable, set[str]],
    *,
    after_changes: int = 0,
) -> Slice:
    """Return the cues as one slice, due when the last of them is."""
    return Slice(
        due_us=max((cue.due_us for cue in cues), default=0),
        cues=tuple(cues),
        after_changes=after_changes,
        opens=tuple(opening for cue in cues for opening in cue.opens),
        kalshi=tuple(
            KalshiPart(client, bodies)
            for client in kalshi
            if (bodies := [body for cue in cues if cue.market_id in client.tickers for body in cue.frames])
        ),
        polymarket=tuple(
            (transport, b"".join(map(framed, frames)), len(frames))
            for transport, tokens in polymarket.items()
            if (frames := _frames_of(cues, tokens))
        ),
    )


def send(transport: Writable, blob: bytes) -> bool:
    """Send, unless the client has left or is about to."""
    if transport.is_closing():
        return False
    try:
        transport.write(blob)
    except RuntimeError:  # the end of what we say was said, and the transport does not yet call that closing
        return False
    return True


def _frames_of(cues: Sequence[Cue], tokens: set[str]) -> list[bytes]:
    return [
        frame
        for cue in cues
        if isinstance(market := cue.operation.market, PolymarketMarket) and not tokens.isdisjoint(market.token_ids)
        for frame in cue.frames
    ]


def framed(payload: bytes) -> bytes:
    """Return one unmasked, final text frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + bytes((size,)) + payload
    if size < 65_536:
        return b"\x81\x7e" + struct.pack("!H", size) + payload
    return b"\x81\x7f" + struct.pack("!Q", size) + payload
