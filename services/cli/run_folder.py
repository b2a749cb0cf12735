"""Where a run of all services keeps its logs and secrets."""

import asyncio
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
        if interrupted.is_set():
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def secret_file(path: Path, text: str) -> Path:
    """Write a secret to a file that only its owner can read, and return its path."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path
