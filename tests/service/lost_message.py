"""A message that its writer believes written and no reader sees: trimmed, or lost with a server's last second."""

from typing import TypeVar

import msgspec

from shared.contracts.envelope import Message
from shared.contracts.streams import Stream
from shared.io.bus import Client, Outbox

M = TypeVar("M", bound=Message)


async def lose(
    outbox: Outbox, redis: Client, stream: Stream[M], message: M, *, key: str, drop_key: bool = False
) -> None:
    """Number a message and change the stream's hash as ``put`` would; its log shows nothing of it."""
    await outbox.flushed()
    payload = msgspec.json.encode(outbox._stamped(stream, message))
    await (redis.hdel(stream.hash_name, key) if drop_key else redis.hset(stream.hash_name, key, payload))
