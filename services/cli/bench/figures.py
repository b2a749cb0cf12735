"""What the measured moments say: latencies, whether a rate was held, ratios. Pure."""

import statistics
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
    """Pair each opening with the first intent read for it and sum up."""
    latencies_ns = [answer for opening in openings if (answer := _answer_ns(opening, reads)) is not None]
    last_third = openings[len(openings) * 2 // 3 :]
    late_ns = [answer for opening in last_third if (answer := _answer_ns(opening, reads)) is not None]
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


def _answer_ns(opening: Moment, reads: Sequence[Moment]) -> int | None:
    answers = [
        read.at_ns - opening.at_ns
        for read in reads
        if read.key == opening.key and 0 <= read.at_ns - opening.at_ns <= ANSWER_LIMIT_NS
    ]
    return min(answers, default=None)
