"""Runs ``dutchbook sim`` as a process for the official clients, and asks its control port what is true.

Only the standard library: this module runs inside the clients' own virtual environments.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
_START_WITHIN_S = 60.0
_HTTP = build_opener(ProxyHandler({}))


class Simulator:
    """A running simulator."""

    def __init__(self, ready: Json) -> None:
        self.ready = ready

    def control(self, path: str, body: Json | None = None) -> Json:
        """Ask the control port; a body makes it a POST."""
        data = None if body is None else json.dumps(body).encode()
        with _HTTP.open(Request(self.ready["control_url"] + path, data=data), timeout=30) as answer:
            return json.loads(answer.read())

    def cause(self, venue: str, event: str, market: str = "", value: str = "") -> Json:
        """Make something happen on a venue."""
        return self.control("/_event", {"venue": venue, "event": event, "market": market, "value": value})


@contextmanager
def simulator(**settings: str) -> Iterator[Simulator]:
    """Run ``dutchbook sim`` while the block runs; ``settings`` are the service's, without their prefix.

    DUTCHBOOK_COMMAND names the command that the make target has built.
    """
    command = os.environ.get("DUTCHBOOK_COMMAND", str(ROOT / ".venv/bin/dutchbook")).split()
    environ = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME")}
    environ |= {f"VENUE_SIM_{name.upper()}": value for name, value in settings.items()}
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        ready_file = Path(folder) / "ready.json"
        process = subprocess.Popen([*command, "sim", "--ready-file", str(ready_file)], cwd=ROOT, env=environ)
        try:
            wait_until(ready_file.exists, "the simulator to be ready", within_s=_START_WITHIN_S, alive=process)
            yield Simulator(json.loads(ready_file.read_bytes()))
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until(
    found: Callable[[], Any],
    what: str,
    *,
    within_s: float = 20.0,
    alive: subprocess.Popen[bytes] | None = None,
) -> Any:
    """Return the first true answer of ``found``."""
    ends_s = time.monotonic() + within_s
    while not (answer := found()):
        check(time.monotonic() < ends_s, f"waited {within_s:g} s for {what}")
        check(alive is None or alive.poll() is None, f"the simulator ended while waiting for {what}")
        time.sleep(0.02)
    return answer


async def eventually(found: Callable[[], Any], what: Callable[[], str], *, within_s: float = 20.0) -> None:
    """Let the event loop run until ``found`` is true; ``what`` says at the end what was missing."""
    ends_s = time.monotonic() + within_s
    while not found():
        check(time.monotonic() < ends_s, f"waited {within_s:g} s for {what()}")
        await asyncio.sleep(0.02)


def check(fact: Any, what: str) -> None:
    """End the run when the client and the simulator disagree."""
    if not fact:
        sys.stderr.write(f"conformance: FAILED: {what}\n")
        sys.exit(1)


def say(line: str) -> None:
    """Report one finding."""
    sys.stdout.write(f"conformance: {line}\n")
    sys.stdout.flush()
