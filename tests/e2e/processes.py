"""Real processes of this project for the tests of this folder: started, watched through ``/proc``, and looked after.

Every process inherits a mark in its environment, so that whatever it started is found again, whoever its parent is now.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from tests.waiting import GRACE_S

_MARK = "DUTCHBOOK_TEST_MARK"
_PROC = Path("/proc")
_OURS = ("DUTCHBOOK_", "KALSHI_", "POLYMARKET_", "MATCHER_", "ARB_DETECTOR_", "ALERTS_", "VENUE_SIM_")


def clean_environ(**environ: str) -> dict[str, str]:
    """Return our environment without any setting of this project but ``environ``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**inherited, **environ}


class Run:
    """One process with its output in files, and everything that it started."""

    def __init__(self, command: tuple[str, ...], folder: Path, environ: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._mark = f"{_MARK}={uuid4().hex}"
        self._out, self._err = folder / "stdout", folder / "stderr"
        name, _, value = self._mark.partition("=")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**clean_environ(**environ), name: value},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def stdout(self) -> str:
        """Everything written to stdout so far."""
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        """Everything written to stderr so far."""
        return self._err.read_text()

    def family(self) -> dict[int, str]:
        """Return the command line, by process id, of every living process that carries the mark."""
        return {pid: words for pid, words, environ in _processes() if self._mark.encode() in environ}

    def services(self) -> set[str]:
        """Return the names of the services that run."""
        lines = (words.split() for words in self.family().values())
        return {word.partition(".")[2] for words in lines for word in words if word.startswith("services.")}

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, not to what it started."""
        self.process.send_signal(number)

    def ends(self, *, within_s: float = GRACE_S) -> int:
        """Return the exit status."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within_s} s: {self.family()}\n{self.stderr}") from None

    def is_gone_with_everything(self, *, within_s: float) -> bool:
        """Wait until nothing that carries the mark is left; False when something stays."""
        ends_s = time.monotonic() + within_s
        while self.family():
            if time.monotonic() > ends_s:
                return False
            time.sleep(0.05)
        return True

    def clean_up(self) -> None:
        """End whatever a failed test left."""
        for pid in self.family():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(*command: str, folder: Path, **environ: str) -> Iterator[Run]:
    """Run ``python -m COMMAND...`` while the block lasts."""
    run = Run(command, folder, environ)
    try:
        yield run
    finally:
        run.clean_up()


@contextmanager
def short_folder() -> Iterator[Path]:
    """Lend a temporary folder whose path leaves room for that of a socket, which has about 100 bytes."""
    with TemporaryDirectory(prefix="dutchbook-test-") as folder:
        yield Path(folder)


def needs_proc() -> None:
    """Skip the calling test where processes cannot be looked at."""
    if not (_PROC / "self" / "environ").exists():
        pytest.skip("needs /proc to see which processes are left")


def _processes() -> Iterator[tuple[int, str, bytes]]:
    """Yield id, command line and environment of every process we may look at; the dead have none."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                environ = (entry / "environ").read_bytes()
            except OSError:  # it ended while we looked, or belongs to somebody else
                continue
            if words:
                yield int(entry.name), words, environ
