"""What the measured moments say: latencies, whether a rate was held, ratios. Pure."""

import statistics
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

import msgspec

ANSWER_LIMIT_NS = 1_000_000_000
"""An opening that is not answered within a second counts as unanswered."""
HELD_SHARE = 0.95
HELD_LATENCY_NS = 250_000_000
LATEST_PLAYER_MS = 50


class Moment(msgspec.Struct, frozen=True):
    """Something that happened to one direction of one pair."""

    kalshi_ticker: str
    condition_id: str
    direction: str
    at_ns: int

    @property
    def key(self) -> tuple[str, str, str]:
        """Which direction of which pair."""
        return self.kalshi_ticker, self.condition_id, self.direction


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One tape played to one pipeline."""

    rate: int
    """Messages per second asked for."""
    messages: int
    seconds: float
    openings: int
    answered: int
    p50_ms: float | None
    p99_ms: float | None
    late_p95_ms: float | None
    """Over the last third of the openings: what a growing backlog shows in."""
    player_late_ms: int
    """How late the player itself was at worst."""

    @property
    def held(self) -> bool:
        """Whether the pipeline kept up: nearly every opening answered, and the last ones as soon as the first."""
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
) -> Probe:
    """Pair each opening with the first intent read for it and sum up; ``openings`` are in the order of their times."""
    answers_ns = answer_times_ns(openings, reads)
    latencies_ns = [answer for answer in answers_ns if answer is not None]
    late_ns = [answer for answer in answers_ns[len(openings) * 2 // 3 :] if answer is not None]
    return Probe(
        rate=rate,
        messages=messages,
        seconds=seconds,
        openings=len(openings),
        answered=len(latencies_ns),
        p50_ms=percentile_ms(latencies_ns, 50),
        p99_ms=percentile_ms(latencies_ns, 99),
        late_p95_ms=percentile_ms(late_ns, 95),
        player_late_ms=player_late_ms,
    )


def percentile_ms(samples_ns: Sequence[int], percent: int) -> float | None:
    """Return a percentile in milliseconds, None without samples."""
    if not samples_ns:
        return None
    if len(samples_ns) == 1:
        return samples_ns[0] / 1_000_000
    return statistics.quantiles(samples_ns, n=100, method="inclusive")[percent - 1] / 1_000_000


def answer_times_ns(openings: Sequence[Moment], reads: Sequence[Moment]) -> list[int | None]:
    """Return for each opening how long it took until the first intent of its direction was read, None when none was.

    What is read after the same direction opened again answers the later opening, never both.
    """
    read_at_ns: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for read in sorted(reads, key=lambda read: read.at_ns):
        read_at_ns[read.key].append(read.at_ns)
    answers: list[int | None] = [None] * len(openings)
    reopened_ns: dict[tuple[str, str, str], int] = {}
    for place in sorted(range(len(openings)), key=lambda place: (openings[place].at_ns, place), reverse=True):
        opening = openings[place]
        until_ns = min(opening.at_ns + ANSWER_LIMIT_NS, reopened_ns.get(opening.key, sys.maxsize) - 1)
        mine = read_at_ns[opening.key]
        first = bisect_left(mine, opening.at_ns)
        if first < len(mine) and mine[first] <= until_ns:
            answers[place] = mine[first] - opening.at_ns
        reopened_ns[opening.key] = opening.at_ns
    return answers
