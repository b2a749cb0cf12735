"""Files that a user names: opened plainly or through gzip, with one clear line when that fails."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from shared.runtime.errors import StartRefused


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


def bytes_of(path: Path) -> bytes:
    """Return a file's content. Raises StartRefused naming the file and what is wrong with it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartRefused(f"cannot read {path}: {error.strerror}") from None
