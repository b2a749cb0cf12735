"""A writer's state on the bus, said again when a server came back without some of it, or with what is long over.

Redis may lose its last second in a crash, a tail in a failover, or everything. Readers that start then would believe
what it holds: a pair that was suspended in that second would be live for them.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.contracts.envelope import Message
from shared.contracts.streams import Stream
from shared.io.bus import Client, Outbox

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptState:
    """What one writer has said on a compacted stream and not taken back."""

    stream: Stream[Any]
    known: Callable[[], Mapping[Any, Any]]
    """By the key in the stream's hash."""
    said: Callable[[Any], Message]
    """What there is to say of a known value."""
    over: Callable[[Any], Message | None]
    """What ends a message of the hash whose key is not known; None when that may stay."""


async def say_again_if_lost(redis: Client, outbox: Outbox, states: Sequence[KeptState]) -> None:
    """Look once whether Redis has all of it, and queue everything when it has not; not while something still waits.

    Raises redis-py's ConnectionError or TimeoutError.
    """
    if not outbox.is_flushed:
        return
    await outbox.look_back(redis)
    lost = [state for state in states if outbox.is_forgotten or await _is_short(redis, state)]
    held = [await redis.hgetall(state.stream.hash_name) for state in lost]
    outbox.is_forgotten = False
    for state, entries in zip(lost, held, strict=True):
        known = state.known()
        log.error("state.lost", extra={"stream": state.stream.name, "held": len(entries), "wanted": len(known)})
        for key, value in known.items():
            outbox.put(state.stream, state.said(value), key=key)
        for key, payload in entries.items():
            if key.decode() not in known and (message := _ended(state, payload)) is not None:
                outbox.put(state.stream, message, key=key.decode(), drop_key=True)


async def _is_short(redis: Client, state: KeptState) -> bool:
    wanted = len(state.known())
    held: int = await redis.hlen(state.stream.hash_name)
    return held < wanted == len(state.known())  # the state did not change while Redis was asked


def _ended(state: KeptState, payload: bytes) -> Message | None:
    try:
        return state.over(state.stream.decoder.decode(payload))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.error("state.unreadable", extra={"hash": state.stream.hash_name, "error": str(error)})
        return None
