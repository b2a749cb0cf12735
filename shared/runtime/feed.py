"""What both feeds share: publishing books without ever making the reader wait.

The read loop applies frames and marks markets; once per turn of the event loop everything marked is encoded in its
latest state and written in one batch. While Redis is slow or away, or more is marked than the pace lets out, the marks
stay and newer states replace older ones, so nothing queues up and the newest state is what comes out afterwards. The
mark that has waited longest is served first.
"""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple, Protocol

import msgspec

from shared.contracts.quote_text import QuoteWriter
from shared.contracts.quotes import QuotesStale
from shared.contracts.streams import book_key
from shared.domain.book import Book
from shared.domain.market import MarketId, Venue
from shared.io.bus import Identity
from shared.io.quote_pipe import QuotePipe
from shared.io.resp import EMPTY_WORD, pack, word
from shared.runtime.clock import Clock
from shared.runtime.quote_log import FIELD_WORD, PartitionWriter, catch_up, partition_writers, repeat_refused
from shared.runtime.quote_pace import QUOTES_PER_S, QuotePace

_WINDOW_COMMANDS = 512
_COMMANDS_PER_QUOTE = 2
_PACED_TURN_S = 0.002
"""When the pace holds marks back they are looked at this often: few large batches cost less than many small ones."""
_BOOK_KEYS_LIMIT = 65_536


class QuoteState(NamedTuple):
    """One market's book at a moment when it may be published."""

    book: Book
    venue_ts_ms: int
    received_ts_ns: int
    verified: str
    sequence: int
    connection: str


class QuoteSource(Protocol):
    """A session that holds books."""

    def quote_state(self, market_id: MarketId) -> QuoteState | None:
        """Return the state to publish, or None when there is none now; the market will be marked again."""
        ...


class QuotePublisher:
    """Writes conflated quotes of one venue to the partitions of its pairs.

    ``partitions_of`` says to which partitions a market belongs right now (none: nobody wants it, nothing is written).
    Beyond ``quotes_per_s`` newer states replace older ones before they are written.
    """

    def __init__(
        self,
        url: str,
        *,
        venue: Venue,
        identity: Identity,
        clock: Clock,
        depth: int,
        partitions_of: Callable[[MarketId], tuple[int, ...]],
        quotes_per_s: int = QUOTES_PER_S,
    ) -> None:
        self._url = url
        self._venue = venue
        self._identity = identity
        self._clock = clock
        self._depth = depth
        self._partitions_of = partitions_of
        self._pace = QuotePace(quotes_per_s)
        self._refused = asyncio.Event()
        self._pipe = QuotePipe(
            url, on_ready=self.publish_again, on_room=self._schedule_if_marked, on_refused=self._refused.set
        )
        self._dirty: dict[MarketId, QuoteSource] = {}
        """What is marked and not written; first come, first served."""
        self._due: set[MarketId] = set()
        """Those whose turn it is and that were not whole when they were looked at: they go out with the next mark."""
        self._packed: list[bytes] = []
        self._stale: dict[MarketId, str] = {}
        self._withheld: dict[MarketId, str] = {}
        self._last: dict[MarketId, QuoteSource] = {}
        self._quoted_in: dict[MarketId, tuple[int, ...]] = {}
        """The partitions whose newest word about a market is a quote."""
        self._may_have_left = False
        self._writers = partition_writers(venue)
        self._text = QuoteWriter(src=identity.src, epoch=identity.epoch, venue=venue.value)
        self._encoder = msgspec.json.Encoder()
        self._book_keys: dict[tuple[MarketId, int], bytes] = {}
        self._scheduled: asyncio.Handle | None = None
        self._answered = asyncio.Event()
        self.quotes = 0
        """Quotes written since the start."""
        self.conflated = 0
        """Marks that a newer mark of the same market replaced before they were written."""

    @property
    def refused(self) -> int:
        """Commands that Redis refused since the start."""
        return self._pipe.refused

    def mark(self, source: QuoteSource, market_id: MarketId) -> None:
        """Say that a market's book changed; its state is read when its turn has come."""
        if market_id in self._due:
            self._take(market_id, source, self._clock.now_ns())
        else:
            if market_id in self._dirty:
                self.conflated += 1
            self._dirty[market_id] = source
        if self._scheduled is None:
            self._schedule()

    def stale(self, market_ids: Iterable[MarketId], reason: str) -> None:
        """Say that these markets' quotes must not be believed any more; goes out before any quote."""
        for market_id in market_ids:
            self._dirty.pop(market_id, None)
            self._due.discard(market_id)
            self._last.pop(market_id, None)
            self._stale[market_id] = self._withheld[market_id] = reason
        self._schedule()

    async def run(self) -> None:
        """Keep the way to Redis open, for ever."""
        await catch_up(self._url, self._writers)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pipe.run())
            tasks.create_task(repeat_refused(self._refused, self._url, self._writers, self.publish_again))

    async def flushed(self) -> None:
        """Wait until Redis has confirmed everything that was marked so far; bound it, for Redis may be away."""
        while self._stale or self._dirty or self._packed or self._pipe.in_flight:
            self._answered.clear()
            await self._answered.wait()

    def publish_again(self, only: Iterable[MarketId] | None = None) -> None:
        """Say everything anew, as after a lost link, or what is known of ``only`` these, as when partitions changed.

        Where a market is no longer wanted its last quote is withdrawn: it would be read as new when a pair comes back.
        """
        self._may_have_left = True
        if only is None:
            self._stale = {**self._withheld, **self._stale}
            self._dirty = {**self._last, **self._dirty}
        else:
            again = frozenset(only)
            self._stale = {id_: self._withheld[id_] for id_ in again & self._withheld.keys()} | self._stale
            self._dirty = {id_: self._last[id_] for id_ in again & self._last.keys()} | self._dirty
        self._schedule()

    def _schedule(self) -> None:
        """Write at the end of this turn of the event loop, and do not wait for the pace."""
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._scheduled = asyncio.get_running_loop().call_soon(self._flush)

    def _schedule_if_marked(self) -> None:
        self._answered.set()
        if self._scheduled is None and (self._dirty or self._stale or self._packed):
            self._schedule()

    def _flush(self) -> None:
        self._scheduled = None
        if not self._pipe.is_ready or self._pipe.in_flight >= _WINDOW_COMMANDS:
            return
        now_ns = self._clock.now_ns()
        if self._may_have_left:
            self._pack_left(now_ns)
        if self._stale:
            self._pack_stale(now_ns)
        for market_id, source in tuple(islice(self._dirty.items(), self._turns())):
            if self._dirty.pop(market_id, None) is None:
                continue  # withdrawn while another book of this batch was looked at
            self._pace.spend()
            self._take(market_id, source, now_ns)
        if self._packed:
            self._pipe.write(b"".join(self._packed), len(self._packed))
            self._packed.clear()
        self._go_on_later()

    def _turns(self) -> int:
        """Return how many marked markets may have their turn now; those of earlier turns go out whatever there is."""
        room = _WINDOW_COMMANDS - self._pipe.in_flight - len(self._packed)
        return max(0, min(self._pace.room(asyncio.get_running_loop().time()), room // _COMMANDS_PER_QUOTE))

    def _go_on_later(self) -> None:
        """Look again when the pace has let more out; a full window calls by itself."""
        if self._dirty and self._scheduled is None and self._pipe.in_flight < _WINDOW_COMMANDS:
            self._scheduled = asyncio.get_running_loop().call_later(_PACED_TURN_S, self._flush)

    def _take(self, market_id: MarketId, source: QuoteSource, now_ns: int) -> None:
        """Pack the market's quote when its book is whole; otherwise its next mark says that it is."""
        self._due.discard(market_id)
        state = source.quote_state(market_id)
        if state is None:
            self._due.add(market_id)
            return
        self._last[market_id] = source
        self._withheld.pop(market_id, None)
        self._pack_quote(market_id, state, now_ns)

    def _pack_quote(self, market_id: MarketId, state: QuoteState, now_ns: int) -> None:
        parts = self._partitions_of(market_id)
        if not parts:
            return
        before = self._quoted_in.get(market_id)
        if before != parts:
            self._quoted_in[market_id] = parts if before is None else tuple(dict.fromkeys((*before, *parts)))
        book = state.book
        body = self._text.body(
            market_id,
            book.yes_bids.best_first(self._depth),
            book.no_bids.best_first(self._depth),
            venue_ts_ms=state.venue_ts_ms,
            received_ts_ns=state.received_ts_ns,
            published_ts_ns=now_ns,
            verified=state.verified,
            connection=state.connection,
            sequence=state.sequence,
        )
        for part in parts:
            writer = self._writers[part]
            entry_id = writer.next_id(now_ns // 1_000_000)
            self._packed += self._commands(writer, entry_id, self._text.message(writer.pseq, body), market_id, part)
            self.quotes += 1

    def _pack_stale(self, now_ns: int) -> None:
        for market_id, reason in self._stale.items():
            parts = (*self._partitions_of(market_id), *self._quoted_in.pop(market_id, ()))
            for part in dict.fromkeys(parts):
                self._packed += self._withdrawal(market_id, part, reason, now_ns)
        self._stale.clear()

    def _pack_left(self, now_ns: int) -> None:
        self._may_have_left = False
        for market_id, parts in tuple(self._quoted_in.items()):
            wanted_in = self._partitions_of(market_id)
            for part in parts:
                if part not in wanted_in:
                    self._packed += self._withdrawal(market_id, part, "no live pair has the market any more", now_ns)
            self._quoted_in[market_id] = tuple(part for part in parts if part in wanted_in)
            if not self._quoted_in[market_id]:
                del self._quoted_in[market_id]

    def _withdrawal(self, market_id: MarketId, part: int, reason: str, now_ns: int) -> tuple[bytes, bytes]:
        writer = self._writers[part]
        entry_id = writer.next_id(now_ns // 1_000_000)
        stale = QuotesStale(
            src=self._identity.src,
            epoch=self._identity.epoch,
            pseq=writer.pseq,
            venue=self._venue,
            market_ids=(market_id,),
            reason=reason,
            published_ts_ns=now_ns,
        )
        return self._commands(writer, entry_id, self._encoder.encode(stale), market_id, part)

    def _commands(
        self, writer: PartitionWriter, entry_id: bytes, payload: bytes, market_id: MarketId, part: int
    ) -> tuple[bytes, bytes]:
        """Return the commands that append a message and keep it as the market's latest."""
        said = word(payload)
        key = self._book_keys.get((market_id, part))
        if key is None:
            if len(self._book_keys) >= _BOOK_KEYS_LIMIT:
                self._book_keys.clear()
            key = pack("SET", book_key(self._venue.value, market_id, part), b"")[: -len(EMPTY_WORD)]
            self._book_keys[market_id, part] = key
        return b"".join((writer.append, word(entry_id), FIELD_WORD, said)), key + said
