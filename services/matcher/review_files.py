"""Decisions into mapping files: under a lock, read again, checked as a whole, and put in place by one rename.

A row is replaced where it stands, so that comments and other rows of a hand-written file stay as they are. Nothing is
written that would not load.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from services.matcher.atomic_files import write_atomically
from services.matcher.mapping_files import Mappings, PlacedRow, load, row_conflicts
from services.matcher.mapping_rows import CuratedRow, PairsFile
from services.matcher.mapping_text import curated_yaml, row_lines
from shared.domain.market import MarketId
from shared.io.yaml_strict import YamlRefused, convert, parse
from shared.runtime.errors import StartRefused

Key = tuple[MarketId, MarketId]
"""Kalshi ticker and condition id."""

NEW = "new"
_LOCK = ".review.lock"
_PATIENCE_S = 10.0
_POLL_S = 0.02


class ReviewRefused(StartRefused):
    """A decision cannot be written; nothing was changed. The message says why and what to do."""


def version_of(row: CuratedRow | None) -> str:
    """Return what changes whenever a row does; ``new`` when there is none."""
    return NEW if row is None else sha256(msgspec.json.encode(row)).hexdigest()[:12]


def row_about(mappings: Mappings, key: Key) -> PlacedRow | None:
    """Return the row that speaks about these two markets."""
    return next((placed for placed in mappings.rows.values() if placed.row.key == key), None)


def write_decision(
    folder: Path, key: Key, *, seen: str, decide: Callable[[CuratedRow | None], CuratedRow]
) -> PlacedRow:
    """Write what ``decide`` makes of the row about ``key``, and return it and its place.

    ``seen`` is the version that the reviewer looked at: when somebody else has written since, nothing is written.
    Raises ReviewRefused, and what ``decide`` raises.
    """
    with _locked(folder):
        mappings = load(folder)
        before = row_about(mappings, key)
        if version_of(before.row if before else None) != seen:
            raise ReviewRefused(f"{_who(before)} while you were reading: look at it again, nothing of yours is written")
        row = decide(before.row if before else None)
        path = Path(before.file) if before else folder / "pairs" / f"{row.category}.yaml"
        text = _text_with(path, before, row)
        _check(mappings, before, row, path, text)
        try:
            write_atomically(path, text)
        except OSError as error:
            raise ReviewRefused(f"{path} cannot be written: {error.strerror}") from None
        placed = row_about(load(folder), key)
        assert placed is not None, key
        return placed


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises ReviewRefused when somebody else holds it for too long."""
    if not folder.is_dir():
        raise ReviewRefused(f"{folder} is not a folder of mappings")
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ReviewRefused(f"{folder} cannot be written: {error.strerror}") from None
    try:
        ends_s = time.monotonic() + _PATIENCE_S
        while not _try_lock(descriptor):
            if time.monotonic() > ends_s:
                raise ReviewRefused(f"another review has held {folder / _LOCK} for {_PATIENCE_S:.0f} s: try again")
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)  # which also lets go of the lock


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _who(before: PlacedRow | None) -> str:
    if before is None:
        return "the row was removed"
    review = before.row.review
    who = review.second_reviewer or review.verified_by or "somebody"
    when = review.second_at or review.verified_at
    at = f" at {when:%Y-%m-%d %H:%M:%S} UTC" if when else ""
    return f"{who} has marked {before.row.pair_id} as {before.row.status}{at}"


def _text_with(path: Path, before: PlacedRow | None, row: CuratedRow) -> str:
    """Return the file with the row in it: in its old place, at the end, or in a file of its own."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    rows = _rows_of(path, old)
    if not rows:
        head = "".join(line for line in old.splitlines(keepends=True) if line.lstrip().startswith("#"))
        return head + curated_yaml([row])
    lines = old.splitlines(keepends=True)
    starts = [line for _, line in rows]
    indent = len(lines[starts[0] - 1]) - len(lines[starts[0] - 1].lstrip())
    new = row_lines(msgspec.to_builtins(row), indent)
    if before is None:
        return "".join(lines).rstrip("\n") + f"\n{new}"
    begin = before.line - 1
    end = next((start - 1 for start in starts if start > before.line), len(lines))
    while end > begin + 1 and _is_between_rows(lines[end - 1]):
        end -= 1
    return "".join(lines[:begin]) + new + "".join(lines[end:])


def _is_between_rows(line: str) -> bool:
    """Whether a line at a row's end belongs to nobody: blank, or a comment on what follows."""
    return not line.strip() or line.lstrip().startswith("#")


def _rows_of(path: Path, text: str) -> list[tuple[CuratedRow, int]]:
    document = parse(str(path), text.encode()) if text.strip() else None
    if document is None or document.value is None:
        return []
    rows = convert(document, PairsFile).pairs or ()
    return [(row, document.line(f"$.pairs[{index}]")) for index, row in enumerate(rows)]


def _check(mappings: Mappings, before: PlacedRow | None, row: CuratedRow, path: Path, text: str) -> None:
    """Refuse a text that does not load, loses a row, or contradicts another file."""
    others = [placed for placed in mappings.rows.values() if before is None or placed.row.id != before.row.id]
    try:
        written = _rows_of(path, text)
    except YamlRefused as refused:
        raise ReviewRefused(f"{path} would not load afterwards ({refused.what}): edit it by hand") from None
    expected = {placed.row.id: placed.row for placed in others if placed.file == str(path)} | {row.id: row}
    if {one.id: one for one, _ in written} != expected:
        raise ReviewRefused(f"{path} is not written one key to a line: edit it by hand")
    line = next(line for one, line in written if one.id == row.id)
    for _, _, what in row_conflicts([*others, PlacedRow(row, str(path), line)], mappings):
        raise ReviewRefused(what)
