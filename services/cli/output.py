"""What a command writes: data on stdout, everything else on stderr."""

import sys
import unicodedata

import msgspec
from rich.console import Console

errors = Console(stderr=True, highlight=False)
"""For people: progress and notices."""


def write_json(value: object) -> None:
    """Write one JSON object and a newline to stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def write_line(text: str) -> None:
    """Write one line of data to stdout; what a venue wrote into it cannot start a line or steer the terminal."""
    sys.stdout.write((text if text.isprintable() else "".join(map(_shown, text))) + "\n")


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else f"\\u{ord(character):04x}"
