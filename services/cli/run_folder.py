"""Where a run of all services keeps its logs and secrets."""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.runtime.errors import StartRefused


@contextmanager
def temporary_folder(prefix: str, interrupted: asyncio.Event) -> Iterator[Path]:
    """Lend a folder for logs and secrets; it stays when a part failed, because the message names its log."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    except StartRefused:
        if interrupted.is_set() or not any(folder.glob("*.log")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def kept_folder(folder: Path) -> Iterator[Path]:
    """Make the folder that the user named, and hold it for this run alone.

    Raises StartRefused when it cannot be made, or another run has it: two Redis servers on one file would spoil it.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = (folder / "lock").open("wb")
    except OSError as error:
        raise StartRefused(f"--folder: cannot use {folder}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartRefused(f"--folder: another run uses {folder}; end it, or name another folder") from None
        yield folder.absolute()


def secret_file(path: Path, text: str) -> Path:
    """Write a secret to a file that only its owner can read, and return its path."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path
