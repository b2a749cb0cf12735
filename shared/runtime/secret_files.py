"""Secrets: read from files that only their owner can read, and never shown."""

import stat
from pathlib import Path

from shared.runtime.errors import SettingsRefused

_SECRET_MAX_BYTES = 65_536
_SHORTEST_KEY_BYTES = 16


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
    readable by others, empty or larger than 64 KiB.
    """
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
