"""Rehearsed crashes: the process kills itself at a named point, so that a restart can be judged."""

import os
import signal
from enum import StrEnum


class CrashPoint(StrEnum):
    """Where a crash would hurt most."""

    READ = "P1"
    """Read, nothing journaled."""
    JOURNALED = "P2"
    SENDING = "P3"
    """Marked as sending, nothing sent."""
    ANSWERED = "P5"
    """The answer is known, not journaled."""
    DONE = "P6"
    """Done and journaled, not published."""
    PUBLISHED = "P7"
    """Published, not marked as published."""
    UNACKED = "P8"
    """Everything is done but the acknowledgement."""
    RECOVERING = "P12"
    """In the middle of recovery."""


class Crashes:
    """Kills the process with SIGKILL when it reaches the chosen point; with none chosen it does nothing."""

    def __init__(self, chosen: str) -> None:
        self._chosen = CrashPoint(chosen) if chosen else None

    def reach(self, point: CrashPoint) -> None:
        """Say that ``point`` is reached."""
        if point is self._chosen:
            os.kill(os.getpid(), signal.SIGKILL)
