"""Runs services as processes and ends them together: nothing is left behind, and one that dies is reported by name."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from shared.runtime.errors import StartRefused
from shared.runtime.run import DIE_WITH_PARENT

STOP_GRACE_S = 10.0
SERVICES = ("kalshi_feed", "polymarket_feed", "matcher", "arb_detector", "kalshi_executor", "alerts")
"""In the order in which they are started; each waits for what it needs by itself."""


class Stack:
    """Service processes of one run, with their logs in one folder.

    ``broken`` is done with a StartRefused when a process ends that nobody asked to end.
    """

    def __init__(self, log_folder: Path, environ: Mapping[str, str]) -> None:
        self._log_folder = log_folder
        self._environ = {**os.environ, DIE_WITH_PARENT: "1", **environ}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self, service: str, *, environ: Mapping[str, str] | None = None) -> None:
        """Start one service in its own session, so that Ctrl-C reaches only us.

        Its standard input is a pipe of which we hold the other end: should we die without a word, it stops too.
        """
        log_path = self.log_path(service)
        with log_path.open("wb") as service_log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"services.{service}",
                stdin=asyncio.subprocess.PIPE,
                stdout=service_log,
                stderr=service_log,
                env={**self._environ, **(environ or {})},
                start_new_session=True,
            )
        self._processes[service] = process
        self._watchers.append(asyncio.create_task(self._watch(service, process)))

    def pids(self) -> dict[str, int]:
        """Return the process ids of what was started, by service."""
        return {service: process.pid for service, process in self._processes.items()}

    def log_path(self, service: str) -> Path:
        """Return where a service's log goes."""
        return self._log_folder / f"{service}.log"

    async def stop(self) -> None:
        """Ask every process to end, newest first, and kill what has not ended within ten seconds."""
        self._stopping = True
        for process in reversed(self._processes.values()):
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        _, late = await asyncio.wait(self._watchers, timeout=STOP_GRACE_S) if self._watchers else (set(), set())
        if late:
            for process in self._processes.values():
                if process.returncode is None:
                    process.kill()
            await asyncio.wait(late)
        if not self.broken.done():
            self.broken.cancel()

    async def _watch(self, service: str, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        if not self._stopping and not self.broken.done():
            said = _last_line(self.log_path(service))
            self.broken.set_exception(
                StartRefused(f"{service} ended with status {status}: {said} (log: {self.log_path(service)})")
            )


def _last_line(log_path: Path) -> str:
    lines = log_path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:500] if lines else "it said nothing"
