"""What every service is told: each setting's value in force, where it came from, and what a service would refuse.

Read with the services' own structures and reader. No secret is in anything returned here: of a secret it says whether
it is set, files are named by their path, and an address loses whatever stands before its host.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from services.alerts.settings import Settings as Alerts
from services.arb_detector.settings import Settings as ArbDetector
from services.cli.settings_page import SETTINGS, plain
from services.kalshi_executor.settings import Settings as KalshiExecutor
from services.kalshi_feed.settings import Settings as KalshiFeed
from shared.runtime.errors import StartRefused
from shared.runtime.redis_address import PASSWORD_FILE_VARIABLE, without_password
from shared.runtime.run import DEFAULT_LEVEL, LEVEL_VARIABLE, log_level_in
from shared.runtime.secret_files import is_pasted_secret
from shared.runtime.settings import read_intent_key, read_settings, variable_name

EVERY_SERVICE = "every service"
SET = "set"

_BEFORE_A_HOST = re.compile(r"://\S*@")
_SECRET_WORDS = ("KEY", "PASSWORD", "SECRET", "TOKEN")
_WORKED_OUT = {"KALSHI_REST_URL": "rest_base", "KALSHI_WS_URL": "websocket", "KALSHI_EXECUTOR_KILL_FILE": "kill_path"}
"""What is in force when these are not set follows from other settings: the property that says it."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of one service."""

    service: str
    variable: str
    value: str
    """In force; empty when there is none. Of a secret only ``set``."""
    default: str
    """Without the variable; empty when there is none."""
    source: Literal["environment", "default", "not set"]
    is_required: bool = False
    is_secret: bool = False


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a service would refuse to start, in its own words."""

    service: str
    text: str


def settings_of(service: str, environ: Mapping[str, str]) -> list[Setting]:
    """Return a service's settings as they are, in the order of its structure."""
    kind = SETTINGS[service]
    try:
        settings: msgspec.Struct | None = read_settings(kind, environ, prefix=service)
    except StartRefused:
        settings = None
    return list(_settings(service, kind, settings, environ))


def common_settings(environ: Mapping[str, str]) -> list[Setting]:
    """Return what every service reads beside its structure."""
    level, path = environ.get(LEVEL_VARIABLE, ""), environ.get(PASSWORD_FILE_VARIABLE, "")
    return [
        Setting(
            service=EVERY_SERVICE,
            variable=LEVEL_VARIABLE,
            value=level.upper() or DEFAULT_LEVEL,
            default=DEFAULT_LEVEL,
            source="environment" if level else "default",
        ),
        Setting(
            service=EVERY_SERVICE,
            variable=PASSWORD_FILE_VARIABLE,
            value=_path(path),
            default="",
            source="environment" if path else "not set",
        ),
    ]


def problem_of(service: str, environ: Mapping[str, str]) -> Problem | None:
    """Return the first thing for which a service would refuse to start: a setting, or a file of secrets it names.

    In its own words, but for what stands before the host of an address.
    """
    try:
        log_level_in(environ)
        _read_secrets(read_settings(SETTINGS[service], environ, prefix=service))
    except StartRefused as refused:
        return Problem(service=service, text=_BEFORE_A_HOST.sub("://…@", str(refused)))
    return None


def _read_secrets(settings: msgspec.Struct) -> None:
    match settings:
        case KalshiFeed():
            settings.key()
        case KalshiExecutor():
            read_intent_key(settings.intent_key_file)
        case ArbDetector():
            if settings.intent_key_file is not None:
                read_intent_key(settings.intent_key_file)
        case Alerts():
            settings.webhook_url()


def _settings(
    service: str, kind: type[msgspec.Struct], settings: msgspec.Struct | None, environ: Mapping[str, str]
) -> Iterator[Setting]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        variable = variable_name(hints[field.name], service, field.name)
        said, default = environ.get(variable, ""), "" if field.required else plain(field.default)
        value = said or default if settings is None else plain(getattr(settings, field.name))
        if settings is not None and not value and variable in _WORKED_OUT:
            value = plain(getattr(settings, _WORKED_OUT[variable]))
        is_secret = _is_text(hints[field.name]) and any(word in variable for word in _SECRET_WORDS)
        yield Setting(
            service=service,
            variable=variable,
            value=_shown(value, is_secret=is_secret, is_path=Path in _kinds(hints[field.name])),
            default=default,
            source="environment" if said else "default" if value else "not set",
            is_required=field.required,
            is_secret=is_secret,
        )


def _shown(value: str, *, is_secret: bool, is_path: bool) -> str:
    if is_secret:
        return SET if value else ""
    if is_path:
        return _path(value)
    return without_password(value) if "://" in value else value


def _path(text: str) -> str:
    return f"{SET}, and no path" if is_pasted_secret(text) else text


def _is_text(hint: Any) -> bool:
    return str in _kinds(hint)


def _kinds(hint: Any) -> tuple[Any, ...]:
    """Return the types that a field takes, out of whatever they are wrapped in."""
    inner = [kind for part in get_args(hint) for kind in _kinds(part)] if get_args(hint) else [hint]
    return tuple(inner)
