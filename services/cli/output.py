"""What a command writes: data on stdout, everything else on stderr."""

import os
import sys
import unicodedata
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.console import Console

from shared.runtime.errors import StartRefused

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""The option of every command that can write for programs."""

errors = Console(stderr=True, highlight=False)
"""For people: progress and notices."""

T = TypeVar("T")


def write_json(value: object) -> None:
    """Write one JSON object and a newline to stdout. Raises as ``write_line`` does."""
    _write(msgspec.json.encode(value).decode())


def write_report(report: T, for_people: Callable[[T], None], *, as_json: bool) -> None:
    """Write a report as one JSON object, or as ``for_people`` does."""
    if as_json:
        write_json(report)
    else:
        for_people(report)


def write_line(text: str) -> None:
    """Write one line of data to stdout; what a venue wrote into it cannot start a line or steer the terminal.

    Raises BrokenPipeError when nobody reads any more, StartRefused when it cannot be written otherwise.
    """
    _write(visible(text))


def visible(text: str) -> str:
    """Return ``text`` with every character that is none to see written out: control characters, bidi marks, breaks."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _write(line: str) -> None:
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _abandon_stdout()
        raise StartRefused(f"cannot write to stdout: {error.strerror}") from None


def _abandon_stdout() -> None:
    """Send to nowhere what is left for a stdout that takes no more, or the interpreter would complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else f"\\u{ord(character):04x}"
