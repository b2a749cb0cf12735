"""How a service lives: settings, logs, signals, one event loop, and an exit status that means something.

Exit status 0: stopped as asked. 1: failed (restart it, starting is how a service recovers). 2: usage or settings are
wrong. 3: refused by risk rules or halted.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec

from shared.runtime.errors import SettingsRefused, StartRefused
from shared.runtime.logs import log_to_stderr
from shared.runtime.settings import read_settings

S = TypeVar("S", bound=msgspec.Struct)

DIE_WITH_PARENT = "DUTCHBOOK_DIE_WITH_PARENT"
"""When this variable is 1, standard input is a pipe that the parent holds: its end means that the parent is gone."""
_STOP_GRACE_S = 10.0
_GARBAGE_THRESHOLDS = (50_000, 20, 20)
"""Messages are many and small and hold no cycles: Python's own 700 would look for some a thousand times a second."""

Main = Callable[[S, asyncio.Event], Awaitable[None]]

LEVEL_VARIABLE = "DUTCHBOOK_LOG_LEVEL"
"""Read by every service."""
DEFAULT_LEVEL = "INFO"
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

log = logging.getLogger(__name__)


def run(service: str, kind: type[S], main: Main[S], *, environ: Mapping[str, str] = os.environ) -> int:
    """Run one service until SIGINT or SIGTERM and return its exit status.

    ``main`` gets the settings and an event that is set when the process should stop. A refusal to start is one line
    on stderr; anything unforeseen is logged with its traceback and ends the service with status 1.
    """
    if environ.get(DIE_WITH_PARENT) == "1":
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        log_to_stderr(service, level=log_level_in(environ))
        settings = read_settings(kind, environ, prefix=service)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_stopped(main, settings))
    except Exception as error:
        refusal = _refusal_in(error)
        if refusal is None:
            log.exception("service.failed")
            return 1
        sys.stderr.write(f"{service}: {refusal}\n")
        return refusal.exit_status
    return 0


def log_level_in(environ: Mapping[str, str]) -> str:
    """Return how much is logged. Raises SettingsRefused for a word that is no level."""
    text = environ.get(LEVEL_VARIABLE, "") or DEFAULT_LEVEL
    if text.upper() not in _LEVELS:
        raise SettingsRefused(f"{LEVEL_VARIABLE}={text!r}: expected one of {', '.join(_LEVELS)}")
    return text.upper()


async def _until_stopped(main: Main[S], settings: S) -> None:
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(wanted, stopping.set)
    await main(settings, stopping)


def _end_with_parent() -> None:
    """Stop this process when standard input ends, however the parent did; by force when asking does not help.

    Reads the descriptor and not ``sys.stdin``, whose lock a daemon thread must not hold while Python shuts down.
    """
    while os.read(0, 4_096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_GRACE_S)
    os._exit(1)


def _refusal_in(error: Exception) -> StartRefused | None:
    """Return the refusal that ended the service, when nothing else went wrong beside it."""
    if isinstance(error, StartRefused):
        return error
    if isinstance(error, ExceptionGroup):
        refusals, others = error.split(StartRefused)
        if refusals is not None and others is None:
            return _refusal_in(refusals.exceptions[0])
    return None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - not installed on Windows

    return uvloop.new_event_loop
