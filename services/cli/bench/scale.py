"""``dutchbook bench scale``: what a message costs as pairs grow many and messages frequent, and where that bends."""

from collections.abc import Sequence

import msgspec

from services.cli.bench.contestants import ours
from services.cli.bench.figures import Probe
from services.cli.bench.pipeline import LIGHT_RATE, Bench, running
from services.cli.output import write_line

SECONDS = 5.0
TRIES = 2
_BENT = 3.0
"""So many times the light load's median latency is no longer the straight part of the curve."""


class Point(msgspec.Struct, kw_only=True):
    """One number of pairs at one rate."""

    pairs: int
    probe: Probe

    @property
    def us_per_message(self) -> float:
        """Processor time of the whole pipeline, without the player's."""
        return sum(usage.us_per_message for name, usage in self.probe.processes.items() if name != "player")


class Curves(msgspec.Struct, kw_only=True):
    """All points, and for each number of pairs the first rate that bent."""

    points: list[Point]
    bends_at: dict[str, int | None]


async def measure(*, pairs: Sequence[int], rates: Sequence[int], seed: int) -> Curves:
    """Play every rate to a pipeline with every number of pairs; a rate that is not held ends its row."""
    points: list[Point] = []
    for count in pairs:
        async with running(ours, pairs=count, seed=seed) as bench:
            for rate in rates:
                probe = await _probed(bench, rate)
                points.append(Point(pairs=count, probe=probe))
                if not probe.held:
                    break
    return Curves(points=points, bends_at={str(count): bend(points, count) for count in pairs})


async def _probed(bench: Bench, rate: int) -> Probe:
    """Return the first of a few probes that was held, else the last: one bad moment of the machine says little."""
    for _ in range(TRIES - 1):
        probe = await bench.probe(rate, SECONDS)
        if probe.held:
            return probe
    return await bench.probe(rate, SECONDS)


def bend(points: Sequence[Point], pairs: int) -> int | None:
    """Return the first rate whose median latency is thrice the lowest rate's, or that was not held; None for none."""
    row = [point.probe for point in points if point.pairs == pairs]
    light_ms = row[0].p50_ms if row else None
    for probe in row:
        if not probe.held or light_ms is None or probe.p50_ms is None or probe.p50_ms > _BENT * light_ms:
            return probe.rate
    return None


def print_curves(curves: Curves) -> None:
    """Write the points for people."""
    for point in curves.points:
        probe = point.probe
        write_line(
            f"{point.pairs:>6} pairs {probe.rate:>7}/s  p50 {probe.p50_ms} ms  p99 {probe.p99_ms} ms  "
            f"{point.us_per_message:6.1f} us of processor time per message  {'held' if probe.held else 'not held'}"
        )
    for count, rate in curves.bends_at.items():
        write_line(f"{count} pairs: {'straight to the last rate' if rate is None else f'bends at {rate}/s'}")


def numbers(text: str) -> list[int]:
    """Return the whole numbers of a comma-separated list. Raises ValueError."""
    found = [int(part) for part in text.split(",")]
    if not found or min(found) < 1:
        raise ValueError(text)
    return found


DEFAULT_PAIRS = "100,1000,10000"
DEFAULT_RATES = f"{LIGHT_RATE},10000,20000,40000,80000"
