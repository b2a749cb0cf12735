"""How much processor time processes have used so far."""

import os
from collections.abc import Mapping
from pathlib import Path

from shared.io.bus import Client

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_UTIME = 11
"""Place of user time in ``/proc/PID/stat`` behind the name in brackets; system time follows it."""


def processor_s(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the seconds used by each process since its start; nothing for those that cannot be looked at."""
    used: dict[str, float] = {}
    for name, pid in pids.items():
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        used[name] = (int(fields[_UTIME]) + int(fields[_UTIME + 1])) / _TICKS
    return used


async def redis_processor_s(redis: Client) -> float:
    """Return the seconds that the Redis server has used."""
    info = await redis.info("cpu")
    used_s: float = info["used_cpu_user"] + info["used_cpu_sys"]
    return used_s
