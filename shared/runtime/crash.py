"""Rehearsed crashes: a process kills itself at a named point, so that its restart can be judged."""

import os
import signal
from typing import Annotated

from shared.runtime.settings import SharedVariable

CrashAt = Annotated[str, SharedVariable("DUTCHBOOK_CRASH_AT")]
"""A settings field: the point at which to crash; empty for none. Points of other services are ignored."""


class Crashes:
    """Kills the process with SIGKILL when it reaches the chosen point; with none chosen it does nothing."""

    def __init__(self, chosen: str) -> None:
        self._chosen = chosen

    def reach(self, point: str) -> None:
        """Say that ``point`` is reached."""
        if point == self._chosen:
            os.kill(os.getpid(), signal.SIGKILL)
