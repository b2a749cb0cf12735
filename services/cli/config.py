"""``dutchbook config``: what every service is told, and what it would refuse."""

import os
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated

import typer

from services.cli.config_lines import Problem, Setting, common_settings, problem_of, settings_of
from services.cli.output import visible, write_json, write_line
from services.cli.settings_page import SETTINGS
from shared.runtime.errors import SettingsRefused

app = typer.Typer(help="What every service is told.", no_args_is_help=True)

_WIDEST_VALUE = 48


@app.callback()
def _config() -> None:
    """Make ``show`` a word of its own although it is the only one."""


@app.command("show")
def show_command(
    service: Annotated[str, typer.Argument(help=f"One of: {', '.join(SETTINGS)}; all of them without it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every setting: the value in force, its default, and whether the environment says so. Never a secret.

    Exits 2 when a service would not start with them, with the line that it would say.
    """
    if service and service not in SETTINGS:
        raise SettingsRefused(f"there is no service {service!r}; choose one of: {', '.join(SETTINGS)}")
    services = [service] if service else list(SETTINGS)
    shown = [*common_settings(os.environ), *(line for name in services for line in settings_of(name, os.environ))]
    problems = [found for name in services if (found := problem_of(name, os.environ)) is not None]
    if as_json:
        write_json({"settings": shown, "problems": problems})
    else:
        for line in lines_of(shown):
            write_line(line)
    tell(problems)
    raise typer.Exit(2 if problems else 0)


def lines_of(settings: Sequence[Setting]) -> Iterator[str]:
    """Yield the settings as lines, by service."""
    width = max(len(setting.variable) for setting in settings)
    for name, group in groupby(settings, key=lambda setting: setting.service):
        yield name
        for setting in group:
            yield f"  {setting.variable:<{width}}  {_value(setting):<{_WIDEST_VALUE}}  {_source(setting)}".rstrip()


def tell(problems: Sequence[Problem]) -> None:
    """Write to stderr what each service would say."""
    for problem in problems:
        sys.stderr.write(visible(f"{problem.service}: {problem.text}") + "\n")


def _value(setting: Setting) -> str:
    if setting.value:
        return setting.value
    return "MUST BE SET" if setting.is_required else "not set"


def _source(setting: Setting) -> str:
    if setting.source != "environment":
        return setting.source if setting.value else ""
    if setting.is_secret or not setting.default:
        return "environment"
    return f"environment (default {setting.default})"
