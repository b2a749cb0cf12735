"""Follows a running pipeline on its streams and keeps what an onlooker wants to know."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from shared.contracts import streams
from shared.contracts.envelope import Message
from shared.contracts.executions import ExecutionMessage, IntentRefused, OrderDone, OrderJournaled
from shared.contracts.health import FeedBeat
from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import (
    OpportunityClosed,
    OpportunityMessage,
    OpportunityOpened,
    OpportunityUpdated,
)
from shared.contracts.pairs import CandidateFound, PairActivated
from shared.contracts.quotes import Quote
from shared.contracts.streams import Stream
from shared.domain.market import Venue
from shared.domain.pair import Pair
from shared.io.bus import Client, Profile, StreamTail, connect, last_id, load_latest

M = TypeVar("M", bound=Message)

_BEST_FIRST = ("live", "degraded", "connecting", "down")
_SILENT_S = 5.0
"""A feed beats each second."""
_QUOTE_OR_STALE = streams.QUOTES[Venue.KALSHI][0].decoder


@dataclass
class Seen:
    """Everything counted since the watch began."""

    frames: dict[tuple[Venue, str, str], int] = field(default_factory=dict)
    """Newest count per venue, process and connection."""
    quotes: dict[tuple[Venue, str], int] = field(default_factory=dict)
    """Newest count per venue and process."""
    links: dict[tuple[Venue, str], tuple[str, float]] = field(default_factory=dict)
    """What each connection last said of itself, and when that was read, by the monotonic clock."""
    opened: dict[str, OpportunityOpened] = field(default_factory=dict)
    latest: dict[str, OpportunityOpened | OpportunityUpdated] = field(default_factory=dict)
    closed: dict[str, OpportunityClosed] = field(default_factory=dict)
    intents: int = 0
    filled: int = 0
    refused: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    wire_to_intent_ns: list[int] = field(default_factory=list)
    events: deque[str] = field(default_factory=lambda: deque(maxlen=8))

    def venue_frames(self, venue: Venue) -> int:
        """Return the frames a venue's feed has read."""
        return sum(count for (of, _, _), count in self.frames.items() if of is venue)

    def venue_state(self, venue: Venue, now_s: float) -> str:
        """Return how a venue's feed is: the best of what its connections say, or that it says nothing."""
        fresh = {state for (of, _), (state, read_s) in self.links.items() if of is venue and now_s - read_s < _SILENT_S}
        return next((state for state in _BEST_FIRST if state in fresh), "SILENT")

    def all_quotes(self) -> int:
        """Return the quotes both feeds have written."""
        return sum(self.quotes.values())


class PipelineWatch:
    """Reads the pipeline's streams beside everybody else; it owes nobody an acknowledgement."""

    def __init__(self, url: str, *, account: str) -> None:
        self._url = url
        self._account = account
        self._redis: Client = connect(url, Profile.WRITER)
        self.seen = Seen()

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow the streams, from now on, until ``stopping`` is set."""
        async with asyncio.TaskGroup() as tasks:
            for following in (
                self._follow(streams.FEED_HEALTH, self._note_beat, stopping),
                self._follow(streams.OPPORTUNITIES, self._note_opportunity, stopping),
                self._follow(streams.intents(self._account), self._note_intent, stopping),
                self._follow(streams.executions(self._account), self._note_execution, stopping),
            ):
                tasks.create_task(following)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._redis.aclose()

    async def listed(self, venue: Venue) -> int:
        """Return how many markets a venue's catalog holds."""
        count: int = await self._redis.hlen(streams.CATALOG[venue].hash_name)
        return count

    async def paired(self) -> int:
        """Return how many pairs and candidates there are, live or not, without reading them."""
        count: int = await self._redis.hlen(streams.PAIRS.hash_name)
        return count

    async def pairs(self) -> tuple[list[Pair], int]:
        """Return the live pairs and how many candidates wait for review."""
        latest, _ = await load_latest(self._redis, streams.PAIRS)
        live = [message.pair for message in latest.values() if isinstance(message, PairActivated)]
        return live, sum(isinstance(message, CandidateFound) for message in latest.values())

    async def unquoted(self, pairs: list[Pair]) -> list[tuple[Venue, str]]:
        """Return the legs of ``pairs`` whose latest book is missing or stale."""
        legs = [(venue, pair.market_id(venue), pair.partition) for pair in pairs for venue in Venue]
        if not legs:
            return []
        held = await self._redis.mget([streams.book_key(*leg) for leg in legs])
        return [(leg[0], leg[1]) for leg, payload in zip(legs, held, strict=True) if not _is_quote(payload)]

    async def _follow(self, stream: Stream[M], note: Callable[[M], None], stopping: asyncio.Event) -> None:
        tail = StreamTail(self._url, stream, await last_id(self._redis, stream.name))
        async for messages in tail.batches(stopping):
            for message in messages:
                note(message)

    def _note_beat(self, beat: FeedBeat) -> None:
        self.seen.frames[beat.venue, beat.epoch, beat.connection] = beat.frames
        self.seen.links[beat.venue, beat.connection] = beat.state, time.monotonic()
        newest = self.seen.quotes.get((beat.venue, beat.epoch), 0)
        self.seen.quotes[beat.venue, beat.epoch] = max(newest, beat.quotes)

    def _note_opportunity(self, message: OpportunityMessage) -> None:
        seen = self.seen
        match message:
            case OpportunityOpened():
                seen.opened[message.opportunity_id] = message
                seen.latest[message.opportunity_id] = message
                seen.events.append(
                    f"opened {message.pair_id} {message.direction}: {message.contracts} contracts, "
                    f"edge ${message.edge_dollars}"
                )
            case OpportunityUpdated():
                seen.latest[message.opportunity_id] = message
            case OpportunityClosed():
                seen.closed[message.opportunity_id] = message
                seen.latest.pop(message.opportunity_id, None)

    def _note_intent(self, _: HedgedIntent) -> None:
        self.seen.intents += 1

    def _note_execution(self, message: ExecutionMessage) -> None:
        seen = self.seen
        if message.wire_ts_ns and message.intent_read_ts_ns and not isinstance(message, OrderJournaled):
            seen.wire_to_intent_ns.append(message.intent_read_ts_ns - message.wire_ts_ns)
        match message:
            case IntentRefused():
                seen.refused += 1
                seen.refusals[message.reason] = seen.refusals.get(message.reason, 0) + 1
                seen.events.append(f"refused {message.pair_id}: {message.reason} {message.detail}".rstrip())
            case OrderDone():
                seen.filled += message.filled_contracts > 0
                seen.events.append(
                    f"{message.mode} order {message.market_id} {message.outcome}: filled {message.filled_contracts} "
                    f"of {message.contracts} for ${message.cost_dollars} + ${message.fee_dollars} fee"
                )


def _is_quote(payload: bytes | None) -> bool:
    if payload is None:
        return False
    try:
        return isinstance(_QUOTE_OR_STALE.decode(payload), Quote)
    except msgspec.MsgspecError:
        return False
