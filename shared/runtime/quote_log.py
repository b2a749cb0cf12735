"""One venue's quote streams as their writer numbers them: explicit ids that never fall, and a count of messages."""

import asyncio
import logging
from collections.abc import Callable

from redis.exceptions import RedisError

from shared.contracts.streams import FIELD, QUOTES
from shared.domain.market import Venue
from shared.io.bus import retried
from shared.io.quote_pipe import newest_ids_ms
from shared.io.resp import EMPTY_WORD, pack, word

FIELD_WORD = word(FIELD)
_FIRST_REPEAT_S = 0.125
_LONGEST_REPEAT_S = 4.0

log = logging.getLogger(__name__)


class PartitionWriter:
    """Explicit ids for one stream: our milliseconds, which never fall, and the count of messages."""

    def __init__(self, stream_name: str, keep: int) -> None:
        self.stream_name = stream_name
        self.id_ms = 0
        self.pseq = 0
        whole = pack("XADD", stream_name, "MAXLEN", "~", keep, b"", FIELD, b"")
        self.append = whole[: -len(EMPTY_WORD + FIELD_WORD + EMPTY_WORD)]
        """An XADD up to its entry id."""

    def next_id(self, now_ms: int) -> bytes:
        """Count one message and return its entry id."""
        self.pseq += 1
        self.id_ms = max(self.id_ms, now_ms)
        return b"%d-%d" % (self.id_ms, self.pseq)


def partition_writers(venue: Venue) -> list[PartitionWriter]:
    """Return a writer for each partition of a venue's quotes."""
    return [PartitionWriter(stream.name, stream.keep) for stream in QUOTES[venue]]


async def catch_up(url: str, writers: list[PartitionWriter]) -> None:
    """Let ids go on behind those that an earlier process left; wait for Redis as long as it takes."""
    await retried(lambda: _catch_up(url, writers), what="the quote streams")


async def repeat_refused(
    refused: asyncio.Event, url: str, writers: list[PartitionWriter], say_again: Callable[[], None]
) -> None:
    """Say everything anew when Redis has refused something, less and less often while it goes on, for ever.

    Nobody else would: the market of a refused withdrawal might never be marked again. Ids are looked up first, for a
    writer that should not be may have passed ours.
    """
    loop = asyncio.get_running_loop()
    wait_s, repeated_s = _FIRST_REPEAT_S, loop.time()
    while True:
        await refused.wait()
        is_new = loop.time() - repeated_s > 2 * _LONGEST_REPEAT_S
        wait_s = _FIRST_REPEAT_S if is_new else min(2 * wait_s, _LONGEST_REPEAT_S)
        await asyncio.sleep(wait_s)
        refused.clear()
        repeated_s = loop.time()
        try:
            await _catch_up(url, writers)
        except RedisError as error:
            log.warning("quotes.not_caught_up", extra={"error": str(error)})
        say_again()


async def _catch_up(url: str, writers: list[PartitionWriter]) -> None:
    newest_ms = await newest_ids_ms(url, [writer.stream_name for writer in writers])
    for writer in writers:
        writer.id_ms = max(writer.id_ms, newest_ms[writer.stream_name] + 1)
