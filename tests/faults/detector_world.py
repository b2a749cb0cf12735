"""Both venues' feeds and the matcher as the detector sees them, on a real Redis, with detector processes beside it.

The world knows what is true: in which stretches of time each pair had an edge.
"""

import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from redis import Redis

from shared.contracts.catalog import MarketListed
from shared.contracts.intents import HedgedIntent
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened
from shared.contracts.pairs import PairActivated
from shared.contracts.quotes import QuoteText, levels_checksum
from shared.contracts.streams import (
    CATALOG,
    DETECTOR_LEASES,
    FEED_HEALTH,
    FIELD,
    OPPORTUNITIES,
    PAIRS,
    QUOTES,
    Stream,
    book_key,
    intents,
)
from shared.domain.market import MarketId, Venue
from shared.domain.pair import PARTITIONS, Pair, PairId
from tests.e2e.processes import Run, running
from tests.unit.arb_detector.feed_words import beat_of
from tests.unit.arb_detector.scene import Levels, market, pair
from tests.waiting import eventually

EPOCH = "feed-1"
BEAT_S = 0.3
STEP_S = 0.02
WITH_EDGE: dict[Venue, tuple[Levels, Levels]] = {
    Venue.KALSHI: ([("0.38", "100")], [("0.41", "100"), ("0.42", "50")]),
    Venue.POLYMARKET: ([("0.47", "80"), ("0.46", "200")], [("0.49", "10")]),
}
WITHOUT: tuple[Levels, Levels] = ([("0.39", "80")], [("0.42", "10")])
"""Polymarket agrees with Kalshi."""


class Stretch:
    """A time in which a pair had an edge, in seconds of the monotonic clock."""

    def __init__(self, from_s: float) -> None:
        self.from_s = from_s
        self.to_s: float | None = None


class World:
    """Pairs, their quotes, beats, and the detector processes that look at them."""

    def __init__(self, url: str, folder: Path, stack: ExitStack, count: int) -> None:
        self._url = url
        self._folder = folder
        self._stack = stack
        self._beat_s = 0.0
        self._pseq: defaultdict[str, int] = defaultdict(int)
        self.redis = Redis.from_url(url)
        self.pairs = [self._list(at) for at in range(count)]
        self.truth: dict[PairId, list[Stretch]] = {one.pair_id: [] for one in self.pairs}
        for one in self.pairs:
            self.quote(one, Venue.KALSHI, WITH_EDGE[Venue.KALSHI])
            self.quote(one, Venue.POLYMARKET, WITHOUT)

    def start_detector(self, name: str, **environ: str) -> Run:
        """Start a detector process."""
        key_file = self._folder / "intent.key"
        key_file.write_bytes(b"a key of more than sixteen bytes\n")
        key_file.chmod(0o600)
        environ |= {
            "DUTCHBOOK_REDIS_URL": self._url,
            "DUTCHBOOK_ACCOUNT": "test",
            "ARB_DETECTOR_MAX_INTENTS_PER_MINUTE": "0",
            "DUTCHBOOK_INTENT_KEY_FILE": str(key_file),
        }
        return self._stack.enter_context(running("services.arb_detector", folder=self._folder / name, **environ))

    def holders(self) -> dict[str, int]:
        """Return how many partitions each detector process holds."""
        held: defaultdict[str, int] = defaultdict(int)
        for name in self.redis.hvals(DETECTOR_LEASES):
            held[name.decode().rpartition(":")[0]] += 1
        return {name: count for name, count in held.items() if name}

    def parts_of(self, replica: str) -> set[int]:
        """Return the partitions that one detector process holds."""
        held = self.redis.hgetall(DETECTOR_LEASES)
        return {int(part) for part, name in held.items() if name.decode().rpartition(":")[0] == replica}

    def wait_for_replicas(self, count: int) -> set[str]:
        """Beat until all partitions are shared equally among ``count`` processes; return their names."""
        self.until(lambda: sorted(self.holders().values()) == [PARTITIONS // count] * count, what=self.holders)
        return set(self.holders())

    def begin(self, one: Pair) -> None:
        """Let a pair have an edge from now on."""
        self.truth[one.pair_id].append(Stretch(time.monotonic()))
        self.quote(one, Venue.POLYMARKET, WITH_EDGE[Venue.POLYMARKET])

    def begin_all(self) -> None:
        """Let every pair have an edge from now on, all in one write."""
        now_s = time.monotonic()
        with self.redis.pipeline(transaction=False) as pipeline:
            for one in self.pairs:
                self.truth[one.pair_id].append(Stretch(now_s))
                self._write_quote(pipeline, one, Venue.POLYMARKET, WITH_EDGE[Venue.POLYMARKET])
            pipeline.execute()

    def end(self, one: Pair) -> None:
        """Take the edge away."""
        self.quote(one, Venue.POLYMARKET, WITHOUT)
        self.truth[one.pair_id][-1].to_s = time.monotonic()

    def quote(self, one: Pair, venue: Venue, sides: tuple[Levels, Levels]) -> None:
        """Quote one leg, on its stream and under its key."""
        with self.redis.pipeline(transaction=False) as pipeline:
            self._write_quote(pipeline, one, venue, sides)
            pipeline.execute()

    def _write_quote(self, pipeline: Any, one: Pair, venue: Venue, sides: tuple[Levels, Levels]) -> None:
        now_ns, stream = time.time_ns(), QUOTES[venue][one.partition].name
        message = QuoteText(
            src=f"{venue}_feed",
            epoch=EPOCH,
            pseq=self._next(stream),
            venue=venue.value,
            market_id=one.market_id(venue),
            yes_bids=tuple(sides[0]),
            yes_asks=tuple(sides[1]),
            venue_ts_ms=now_ns // 1_000_000,
            received_ts_ns=now_ns,
            published_ts_ns=now_ns,
            verified="sequence" if venue is Venue.KALSHI else "hash",
            connection=f"{venue}-1",
            checksum=levels_checksum(*sides),
        )
        payload = msgspec.json.encode(message)
        pipeline.set(book_key(venue.value, message.market_id, one.partition), payload)
        pipeline.xadd(stream, {FIELD: payload})

    def step(self) -> None:
        """Let a moment pass in which both feeds beat."""
        if time.monotonic() >= self._beat_s:
            self._beat_s = time.monotonic() + BEAT_S
            for venue in Venue:
                self._beat(venue)
        time.sleep(STEP_S)

    def until(
        self, look: Callable[[], object], *, within_s: float = 60, what: Callable[[], object] = lambda: ""
    ) -> None:
        """Let time pass until ``look`` is true."""
        ends_s = time.monotonic() + within_s
        while not look():
            assert time.monotonic() < ends_s, what()
            self.step()

    def pass_s(self, duration_s: float) -> None:
        """Let time pass."""
        ends_s = time.monotonic() + duration_s
        self.until(lambda: time.monotonic() >= ends_s)

    def said(self, stream: Stream[Any], kind: type) -> list[Any]:
        """Return every message of a kind that is on a stream."""
        decoded = [stream.decoder.decode(fields[FIELD]) for _, fields in self.redis.xrange(stream.name)]
        return [message for message in decoded if isinstance(message, kind)]

    @property
    def opened(self) -> list[OpportunityOpened]:
        """All openings so far."""
        return self.said(OPPORTUNITIES, OpportunityOpened)

    @property
    def closed(self) -> list[OpportunityClosed]:
        """All endings so far."""
        return self.said(OPPORTUNITIES, OpportunityClosed)

    @property
    def ordered(self) -> list[HedgedIntent]:
        """All intents so far."""
        return self.said(intents("test"), HedgedIntent)

    def _list(self, at: int) -> Pair:
        one = pair(
            pair_id=PairId(f"game-{at}"),
            kalshi_ticker=MarketId(f"KXGAME-{at}"),
            polymarket_id=MarketId(f"0x{at:x}"),
        )
        for venue in Venue:
            listed = MarketListed(market=market(venue, market_id=one.market_id(venue)))
            self.redis.hset(CATALOG[venue].hash_name, one.market_id(venue), msgspec.json.encode(listed))
        payload = msgspec.json.encode(PairActivated(pair=one))
        self.redis.hset(PAIRS.hash_name, one.pair_id, payload)
        self.redis.xadd(PAIRS.name, {FIELD: payload})
        return one

    def _beat(self, venue: Venue) -> None:
        beat = beat_of(venue, time.time_ns(), epoch=EPOCH, pseq=self._next(f"beats of {venue}"))
        self.redis.xadd(FEED_HEALTH.name, {FIELD: msgspec.json.encode(beat)})

    def _next(self, name: str) -> int:
        self._pseq[name] += 1
        return self._pseq[name]


@contextmanager
def world_of(url: str, folder: Path, count: int) -> Iterator[World]:
    """Lend a world of ``count`` pairs; its processes end with the block."""
    with ExitStack() as stack:
        world = World(url, folder, stack, count)
        stack.callback(world.redis.close)
        yield world


def kill(run: Run) -> None:
    """End a process as a power cut would."""
    run.tell(signal.SIGKILL)
    assert run.ends() == -signal.SIGKILL


__all__ = ["World", "eventually", "kill", "world_of"]
