"""Reading recorded venue data: which files a folder holds, and the values and frames inside them.

Three shapes: JSON documents, JSON lines (also gzipped), and transcripts, whose lines wrap each message in ``dir``
(``in`` or ``out``; others are notes of the recorder) and ``msg``. A frame file has one received frame per line and
nothing around it.
"""

import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

Kind = Literal["kalshi_frames", "polymarket_frames", "objects"]

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_SUFFIXES = (".json", ".jsonl", ".jsonl.gz")
_DIRECTIONS = ("in", "out")
_KALSHI_TYPES = {
    "subscribed",
    "ok",
    "orderbook_snapshot",
    "orderbook_delta",
    "ticker",
    "trade",
    "market_lifecycle_v2",
}


class UnreadableRecording(Exception):
    """A file of the folder is not what its name says; names file and line."""


class Message(NamedTuple):
    """One line of a transcript or of a frame file."""

    sent: bool
    """Whether the recorder sent it; everything else was received."""
    value: Any
    raw: bytes
    """The received frame as JSON text."""


def recordings_in(folder: Path) -> list[Path]:
    """Return every file of ``folder`` that can hold recordings, by name. Raises FileNotFoundError when it is absent."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder of recordings: {folder}")
    found = (path for path in folder.rglob("*") if path.is_file() and path.name.endswith(_SUFFIXES))
    return sorted(path for path in found if "sealed" not in str(path.relative_to(folder)))


def values_in(path: Path) -> Iterator[Any]:
    """Yield the JSON values of a file: the one of a document, or one per line."""
    if path.name.endswith(".json"):
        yield _decode(path, 1, path.read_bytes())
        return
    for number, line in _lines(path):
        yield _decode(path, number, line)


def messages_in(path: Path) -> Iterator[Message]:
    """Yield the messages of a frame file or a transcript in their order."""
    for number, line in _lines(path):
        value = _decode(path, number, line)
        if isinstance(value, dict) and "dir" in value:
            if value["dir"] not in _DIRECTIONS or "msg" not in value:
                continue
            inner = value.get("msg")
            yield Message(value["dir"] == "out", inner, msgspec.json.encode(inner))
        else:
            yield Message(False, value, line)


def kind_of(path: Path) -> Kind:
    """Tell by its first line what a file holds."""
    if path.name.endswith(".json"):
        return "objects"
    for message in messages_in(path):
        if message.sent:
            return "polymarket_frames" if "assets_ids" in message.value else "kalshi_frames"
        first = message.value[0] if isinstance(message.value, list) and message.value else message.value
        if isinstance(first, dict) and "event_type" in first and "type" not in first:
            return "polymarket_frames"
        if isinstance(first, dict) and first.get("type") in _KALSHI_TYPES and "msg" in first:
            return "kalshi_frames"
        return "objects"
    return "objects"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.strip()
            if text:
                yield number, text


def _decode(path: Path, number: int, text: bytes) -> Any:
    try:
        return _DECODER.decode(text)
    except msgspec.DecodeError as error:
        raise UnreadableRecording(f"{path}, line {number}: not JSON ({error})") from error
