"""A text chart of where the time goes: the parts of the way, and what each process uses for a message."""

from collections.abc import Iterator, Mapping

from services.cli.bench.figures import Probe

_WIDTH = 40


def stages_chart(light: Probe, busy: Probe) -> list[str]:
    """Return the lines of both charts of the light load, and of the processor time of the busy one."""
    return [
        f"Median way of an edge at {light.rate}/s, in milliseconds, from the socket to the executor:",
        *_bars(light.stages_ms, "ms"),
        f"Processor time per message at {light.rate}/s, in microseconds, mostly for waking up:",
        *_bars(_us(light), "us"),
        f"The same at {busy.rate}/s, mostly for work:",
        *_bars(_us(busy), "us"),
    ]


def _us(probe: Probe) -> dict[str, float]:
    return {name: usage.us_per_message for name, usage in probe.processes.items()}


def _bars(values: Mapping[str, float], unit: str) -> Iterator[str]:
    most = max(values.values(), default=0.0)
    for name, value in values.items():
        bar = "#" * round(_WIDTH * value / most) if most else ""
        yield f"  {name:<20} {value:>8.3f} {unit}  {bar}".rstrip()
