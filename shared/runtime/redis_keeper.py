"""Keeps one server process alive for as long as somebody holds the other end of this process's standard input.

Started as a program by ``redis_server`` with nothing but the standard library: ``redis_keeper.py FOLDER COMMAND...``.
When standard input ends (the owner closed it, or died in whatever way) the server is asked to stop, killed if it does
not, and ``FOLDER`` is removed. Should the keeper itself be killed, Linux ends the server.
"""

import ctypes
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

STOP_GRACE_S = 5
_PR_SET_PDEATHSIG = 1


def keep(folder: str, command: Sequence[str]) -> int:
    """Run ``command`` until it ends or standard input does, remove ``folder``, and return the exit status."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent) as server:  # noqa: S603, PLW1509
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        threading.Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
        status = server.wait()
    shutil.rmtree(folder, ignore_errors=True)
    return status


def _end_with_parent() -> None:
    """Runs in the child before it becomes the server; this process has one thread then, so a fork is safe."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop_at_end_of_input(server: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    server.terminate()
    try:
        server.wait(STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], sys.argv[2:]))
