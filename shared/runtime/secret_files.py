"""Secrets: read from files that only their owner can read, and never shown."""

import re
import stat
from pathlib import Path

from shared.runtime.errors import SettingsRefused

_SECRET_MAX_BYTES = 65_536
_SHORTEST_KEY_BYTES = 16
_CONTENTS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/|[A-Za-z0-9+=_-]{32,}\Z|.*PRIVATE KEY", re.DOTALL)
"""A webhook's address, a key in hexadecimal, base64 or PEM: what is pasted where its file is asked for."""


class Secret:
    """Bytes that must not be shown: printing or logging it shows nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Return the secret; call it only where it is used."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


def read_secret_file(path: Path, variable: str) -> Secret:
    """Read a secret from a file that only its owner can read.

    Raises SettingsRefused, naming ``variable`` and the rule, when the file is missing, a symlink, not a regular file,
    readable by others, empty or larger than 64 KiB. What is no path but a secret itself is refused and not shown.
    """
    if is_pasted_secret(str(path)):
        raise SettingsRefused(f"{variable}: expected the path of a file, and what is there looks like its contents")
    try:
        status = path.lstat()
    except OSError as error:
        raise SettingsRefused(f"{variable}: cannot read {path}: {error.strerror}") from None
    if stat.S_ISLNK(status.st_mode):
        raise SettingsRefused(f"{variable}: {path} is a symlink; name the file itself")
    if not stat.S_ISREG(status.st_mode):
        raise SettingsRefused(f"{variable}: {path} is not a regular file")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise SettingsRefused(f"{variable}: {path} has mode {mode:04o}; others must not read it: chmod 600 {path}")
    if not 0 < status.st_size <= _SECRET_MAX_BYTES:
        raise SettingsRefused(f"{variable}: {path} holds {status.st_size} bytes; expected 1 to {_SECRET_MAX_BYTES}")
    try:
        return Secret(path.read_bytes())
    except OSError as error:
        raise SettingsRefused(f"{variable}: cannot read {path}: {error.strerror}") from None


def is_pasted_secret(text: str) -> bool:
    """Return whether a path is none, but what should stand in the file: it must not be shown."""
    return not text.isprintable() or _CONTENTS.match(text) is not None


def read_intent_key(path: Path) -> Secret:
    """Read the key that intents are signed with; every byte counts, a line's end too, for who signs and who checks.

    Raises SettingsRefused as ``read_secret_file`` does, and for a key that is too short.
    """
    key = read_secret_file(path, "DUTCHBOOK_INTENT_KEY_FILE")
    length = len(key.reveal())
    if length < _SHORTEST_KEY_BYTES:
        raise SettingsRefused(
            f"DUTCHBOOK_INTENT_KEY_FILE: the key in {path} has {length} bytes; "
            f"at least {_SHORTEST_KEY_BYTES} are needed, such as the output of: openssl rand -hex 32"
        )
    return key
