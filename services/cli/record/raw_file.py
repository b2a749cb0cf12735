"""Files of recorded frames: one per connection, under another name until they are whole."""

import gzip
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from shared.runtime.errors import StartRefused
from shared.venues.raw_lines import RECEIVED, SENT, line_of

FORMAT = "dutchbook-raw-1"
_BUFFER_BYTES = 1 << 16


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A finished file."""

    path: str
    frames: int
    """Received ones."""
    bytes: int
    """Before compression."""


class RawFile:
    """One connection's recording, ``NAME.part`` until ``finish``. Every method raises StartRefused when it cannot."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self.written_bytes = 0
        self._part = path.with_name(path.name + ".part")
        try:
            self._file = self._part.open("xb", buffering=_BUFFER_BYTES)
        except OSError as error:
            raise _refused(self._part, error) from None

    def received(self, at_ns: int, frame: bytes) -> None:
        """Note a received frame; ``at_ns`` is when it came, in Unix nanoseconds."""
        self.frames += 1
        self._write(line_of(RECEIVED, at_ns, frame))

    def sent(self, at_ns: int, text: str) -> None:
        """Note what was sent."""
        self._write(line_of(SENT, at_ns, text.encode()))

    def noted(self, direction: str, at_ns: int, what: object) -> None:
        """Note something about the connection: ``open``, ``close`` or ``rest``."""
        self._write(line_of(direction, at_ns, msgspec.json.encode(what)))

    def flush(self) -> None:
        """Let a reader see what was written so far."""
        try:
            self._file.flush()
        except OSError as error:
            raise _refused(self._part, error) from None

    def finish(self, *, compress: bool) -> Recorded:
        """Write everything to the disk and give the file its name; a reader sees it whole or not at all."""
        path = self.path
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if compress:
                path = path.with_name(path.name + ".gz")
                packed = path.with_name(path.name + ".part")
                _compress(self._part, packed)
                packed.rename(path)
                self._part.unlink()
            else:
                self._part.rename(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise _refused(self._part, error) from None
        return Recorded(path=str(path), frames=self.frames, bytes=self.written_bytes)

    def _write(self, line: bytes) -> None:
        try:
            self._file.write(line)
        except OSError as error:
            raise _refused(self._part, error) from None
        self.written_bytes += len(line)


class Folder:
    """Where the files of one recording go. Raises StartRefused when it cannot be made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self.recorded: list[Recorded] = []
        """The finished files."""
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _refused(path, error) from None

    def open(self, venue: str, at_ns: int) -> RawFile:
        """Begin the next connection's file; names sort as the connections were opened."""
        self._number += 1
        opened = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
        return RawFile(self._path / f"{venue}-{opened:%Y%m%dT%H%M%SZ}-{self._number:04d}.jsonl")

    def finish(self, file: RawFile, *, compress: bool) -> None:
        """Give a file its name."""
        self.recorded.append(file.finish(compress=compress))


def _compress(source: Path, target: Path) -> None:
    with source.open("rb") as plain, gzip.open(target, "xb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
    with target.open("rb") as written:
        os.fsync(written.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(path: Path, error: OSError) -> StartRefused:
    return StartRefused(f"cannot write {path}: {error.strerror or error}")
