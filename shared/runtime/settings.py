"""Settings come from the environment, once, into a frozen structure whose fields say everything.

A field of a settings structure is read from ``PREFIX_FIELD`` (the service's name in capitals), or from the variable
named by ``shared_variable`` where several services share one. A wrong or missing value is refused with the name of the
variable, what was found and what is expected; secrets are read from files and never shown.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from shared.domain.numbers import NumberRefused, decimal_from_text
from shared.runtime.errors import SettingsRefused
from shared.runtime.redis_address import URL_VARIABLE, redis_url_in
from shared.runtime.secret_files import Secret, read_intent_key, read_secret_file

__all__ = [
    "RedisUrl",
    "Secret",
    "SharedVariable",
    "choices_of",
    "read_intent_key",
    "read_secret_file",
    "read_settings",
    "variable_name",
]

S = TypeVar("S", bound=msgspec.Struct)

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class SharedVariable(msgspec.Struct, frozen=True):
    """Marks a settings field as read from this variable, whatever the service."""

    name: str


RedisUrl = Annotated[str, SharedVariable(URL_VARIABLE)]


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
        if text and variable == URL_VARIABLE:
            values[field.name] = redis_url_in(environ)
        elif text:
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
