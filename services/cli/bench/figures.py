"""What the measured moments say: latencies, whether a rate was held, ratios. Pure."""

import statistics
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec

ANSWER_LIMIT_NS = 1_000_000_000
"""An opening that is not answered within a second counts as unanswered."""
HELD_SHARE = 0.95
HELD_LATENCY_NS = 50_000_000
LATEST_PLAYER_MS = 50


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to one direction of one pair. The stages before it are 0 where nobody noted them."""

    kalshi_ticker: str
    condition_id: str
    direction: str
    at_ns: int
    received_ns: int = 0
    """When the feed had read the frame that led to it."""
    published_ns: int = 0
    detected_ns: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """Which direction of which pair."""
        return self.kalshi_ticker, self.condition_id, self.direction


class Usage(msgspec.Struct, frozen=True):
    """What one process used while a tape was played."""

    core_percent: float
    us_per_message: float


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One tape played to one pipeline."""

    rate: int
    """Messages per second asked for."""
    messages: int
    seconds: float
    openings: int
    answered: int
    wire_p50_ms: float | None
    """From the write to the socket until the executor has the intent."""
    wire_p99_ms: float | None
    p50_ms: float | None
    """The same from the moment when the feed had read the frame."""
    p99_ms: float | None
    late_p95_ms: float | None
    """From the wire, over the last third of the openings: what a growing backlog shows in."""
    player_late_ms: int
    """How late the player itself was at worst."""
    stages_ms: dict[str, float]
    """Medians of the parts of the way, in order."""
    processes: dict[str, Usage]

    @property
    def held(self) -> bool:
        """Whether the pipeline kept up: nearly every opening answered, and the last ones within fifty milliseconds."""
        return (
            self.openings > 0
            and self.answered >= HELD_SHARE * self.openings
            and self.late_p95_ms is not None
            and self.late_p95_ms * 1_000_000 <= HELD_LATENCY_NS
            and self.player_late_ms <= LATEST_PLAYER_MS
        )


def probe_of(
    openings: Sequence[Moment],
    reads: Sequence[Moment],
    *,
    rate: int,
    messages: int,
    seconds: float,
    player_late_ms: int,
    cpu_s: Mapping[str, float],
) -> Probe:
    """Pair each opening with the first intent read for it and sum up; ``openings`` are in the order of their times.

    ``cpu_s`` is the processor time that each process used meanwhile.
    """
    found = answers(openings, reads)
    pairs = [(opening, answer) for opening, answer in zip(openings, found, strict=True) if answer is not None]
    from_ns = openings[len(openings) * 2 // 3].at_ns if openings else 0
    late_ns = [answer.at_ns - opening.at_ns for opening, answer in pairs if opening.at_ns >= from_ns]
    wire_ns = [answer.at_ns - opening.at_ns for opening, answer in pairs]
    feed_ns = [answer.at_ns - answer.received_ns for _, answer in pairs if answer.received_ns]
    return Probe(
        rate=rate,
        messages=messages,
        seconds=round(seconds, 3),
        openings=len(openings),
        answered=len(pairs),
        wire_p50_ms=percentile_ms(wire_ns, 50),
        wire_p99_ms=percentile_ms(wire_ns, 99),
        p50_ms=percentile_ms(feed_ns, 50),
        p99_ms=percentile_ms(feed_ns, 99),
        late_p95_ms=percentile_ms(late_ns, 95),
        player_late_ms=player_late_ms,
        stages_ms=_stages_ms(pairs),
        processes={
            name: Usage(round(100 * spent_s / seconds, 1), round(1_000_000 * spent_s / max(1, messages), 2))
            for name, spent_s in cpu_s.items()
        },
    )


def percentile_ms(samples_ns: Sequence[int], percent: int) -> float | None:
    """Return a percentile in milliseconds, None without samples."""
    if not samples_ns:
        return None
    if len(samples_ns) == 1:
        return round(samples_ns[0] / 1_000_000, 3)
    return round(statistics.quantiles(samples_ns, n=100, method="inclusive")[percent - 1] / 1_000_000, 3)


def answers(openings: Sequence[Moment], reads: Sequence[Moment]) -> list[Moment | None]:
    """Return for each opening the first intent of its direction that was read, None when none was in time.

    What is read after the same direction opened again answers the later opening, never both.
    """
    reads_of: defaultdict[tuple[str, str, str], list[Moment]] = defaultdict(list)
    for read in sorted(reads, key=lambda read: read.at_ns):
        reads_of[read.key].append(read)
    found: list[Moment | None] = [None] * len(openings)
    reopened_ns: dict[tuple[str, str, str], int] = {}
    for place in sorted(range(len(openings)), key=lambda place: (openings[place].at_ns, place), reverse=True):
        opening = openings[place]
        until_ns = min(opening.at_ns + ANSWER_LIMIT_NS, reopened_ns.get(opening.key, sys.maxsize) - 1)
        mine = reads_of[opening.key]
        first = bisect_left(mine, opening.at_ns, key=lambda read: read.at_ns)
        if first < len(mine) and mine[first].at_ns <= until_ns:
            found[place] = mine[first]
        reopened_ns[opening.key] = opening.at_ns
    return found


def _stages_ms(pairs: Sequence[tuple[Moment, Moment]]) -> dict[str, float]:
    """Return the median of each part of the way, as far as its ends were noted."""
    stages: dict[str, float] = {}
    for name, ends in _STAGES.items():
        spans_ns = [
            end_ns - begin_ns
            for opening, answer in pairs
            for begin_ns, end_ns in [ends(opening, answer)]
            if begin_ns and end_ns
        ]
        median_ms = percentile_ms(spans_ns, 50)
        if median_ms is not None:
            stages[name] = median_ms
    return stages


_STAGES: dict[str, Callable[[Moment, Moment], tuple[int, int]]] = {
    "socket to feed": lambda opening, answer: (opening.at_ns, answer.received_ns),
    "feed": lambda _, answer: (answer.received_ns, answer.published_ns),
    "stream and detector": lambda _, answer: (answer.published_ns, answer.detected_ns),
    "intent to executor": lambda _, answer: (answer.detected_ns, answer.at_ns if answer.detected_ns else 0),
}
