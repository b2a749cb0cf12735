"""Files that a user names: opened plainly or through gzip, with one clear line when that fails."""

import gzip
import os
import select
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

from shared.runtime.errors import SettingsRefused, StartRefused

_FIFO_WAIT_S = 5


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a text file or, by its ending ``.gz``, of a compressed one.

    Raises StartRefused naming the file and what is wrong with it.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StartRefused(f"cannot read {path}: {reason}") from None


def bytes_of(path: Path, *, most: int) -> bytes:
    """Return a file's first ``most`` bytes; of a pipe, whatever somebody begins to write within five seconds.

    Raises SettingsRefused naming the file and what is wrong with it.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                _await_writer(path, file.fileno())
            os.set_blocking(file.fileno(), True)
            return file.read(most)
    except OSError as error:
        raise SettingsRefused(f"cannot read {path}: {error.strerror}") from None


def _await_writer(path: Path, pipe: int) -> None:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if not poll.poll(_FIFO_WAIT_S * 1_000):
        raise SettingsRefused(f"cannot read {path}: nobody has written to the pipe for {_FIFO_WAIT_S} s")
