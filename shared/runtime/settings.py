"""Settings come from the environment, once, into a frozen structure whose fields say everything.

A field of a settings structure is read from ``PREFIX_FIELD`` (the service's name in capitals), or from the variable
named by ``shared_variable`` where several services share one. A wrong or missing value is refused with the name of the
variable, what was found and what is expected; secrets are read from files and never shown.
"""

import stat
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from shared.domain.numbers import NumberRefused, decimal_from_text
from shared.runtime.errors import SettingsRefused

S = TypeVar("S", bound=msgspec.Struct)

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_SECRET_MAX_BYTES = 65_536
_SHORTEST_KEY_BYTES = 16


class SharedVariable(msgspec.Struct, frozen=True):
    """Marks a settings field as read from this variable, whatever the service."""

    name: str


RedisUrl = Annotated[str, SharedVariable("DUTCHBOOK_REDIS_URL")]


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


def read_settings(kind: type[S], environ: Mapping[str, str], *, prefix: str) -> S:
    """Build ``kind`` from the environment.

    Raises SettingsRefused naming the first variable that is missing or wrong, or that has the prefix and is no setting:
    a misspelled limit must not be left at its default without a word.
    """
    hints = get_type_hints(kind, include_extras=True)
    _refuse_unknown([variable_name(hints[name], prefix, name) for name in kind.__struct_fields__], environ, prefix)
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        variable = variable_name(hints[field.name], prefix, field.name)
        text = environ.get(variable, "")
        if text:
            values[field.name] = _parsed(hints[field.name], variable, text)
        elif field.required:
            raise SettingsRefused(f"{variable} is not set")
    try:
        return kind(**values)
    except ValueError as error:
        raise SettingsRefused(str(error)) from None


def choices_of(hint: Any) -> tuple[str, ...]:
    """Return the words that a field takes, none when it takes other values."""
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(bare) is Literal:
        return tuple(map(str, get_args(bare)))
    return tuple(str(member.value) for member in bare) if isinstance(bare, type) and issubclass(bare, Enum) else ()


def _refuse_unknown(known: Iterable[str], environ: Mapping[str, str], prefix: str) -> None:
    known = set(known)
    for variable in sorted(environ):
        if variable.startswith(f"{prefix}_".upper()) and environ[variable] and variable not in known:
            meant = get_close_matches(variable, sorted(known), n=1)
            hint = f"; did you mean {meant[0]}?" if meant else ""
            raise SettingsRefused(f"{variable} is not a setting of {prefix}{hint}")


def variable_name(hint: Any, prefix: str, field: str) -> str:
    """Return the environment variable of one settings field."""
    if get_origin(hint) is Annotated:
        for mark in get_args(hint)[1:]:
            if isinstance(mark, SharedVariable):
                return mark.name
    return f"{prefix}_{field}".upper()


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


def _parsed(hint: Any, variable: str, text: str) -> Any:
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    kinds = [kind for kind in get_args(bare) if kind is not type(None)] or [bare]
    kind = kinds[0] if len(kinds) == 1 else bare
    choices = choices_of(hint)
    if choices and text not in choices:
        raise SettingsRefused(f"{variable}={text!r}: expected one of {', '.join(choices)}")
    try:
        if kind is bool:
            return _truth(text)
        if kind is Decimal:
            return decimal_from_text(text)
        if kind is Path:
            return Path(text)
        return msgspec.convert(text, kind, strict=False)
    except (NumberRefused, msgspec.ValidationError, ValueError) as error:
        raise SettingsRefused(f"{variable}={text!r}: {error}") from None


def _truth(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("expected true or false")
    return word in _TRUE
