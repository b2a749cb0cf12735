"""The settings of every service as a page for people, made from the settings structures.

The file in ``docs/`` is written by ``python -m services.cli.settings_page > docs/settings.md``; a test fails when it is
stale.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from services.alerts.settings import Settings as Alerts
from services.arb_detector.settings import Settings as ArbDetector
from services.cli.simulated import SHIPPED_MAPPINGS
from services.kalshi_executor.settings import Settings as KalshiExecutor
from services.kalshi_feed.settings import Settings as KalshiFeed
from services.matcher.settings import Settings as Matcher
from services.polymarket_feed.settings import Settings as PolymarketFeed
from services.venue_sim.settings import Settings as VenueSim
from shared.runtime.settings import choices_of, variable_name

RENEW = "python -m services.cli.settings_page > docs/settings.md"

SETTINGS: dict[str, type[msgspec.Struct]] = {
    "kalshi_feed": KalshiFeed,
    "polymarket_feed": PolymarketFeed,
    "matcher": Matcher,
    "arb_detector": ArbDetector,
    "kalshi_executor": KalshiExecutor,
    "alerts": Alerts,
    "venue_sim": VenueSim,
}

_SAID = {
    "DUTCHBOOK_REDIS_URL": (
        "Where Redis is: `redis://host:6379/0`, `rediss://…` or `unix:///path/to.sock`; 7.0 or newer, "
        "`maxmemory-policy noeviction`."
    ),
    "DUTCHBOOK_ACCOUNT": "Whose intents and executions these are; detector and executor must name the same account.",
    "DUTCHBOOK_CRASH_AT": "For rehearsals: the point at which the process kills itself.",
    "KALSHI_ENV": "Which Kalshi: it decides the hosts and which key is used.",
    "KALSHI_DEMO_KEY_ID": "The id of a key of the demo environment.",
    "KALSHI_DEMO_KEY_FILE": "Its private key (PEM), mode 0600.",
    "KALSHI_PROD_KEY_ID": "The id of a key of the real exchange; scope `read` is enough. Never beside a demo key.",
    "KALSHI_PROD_KEY_FILE": "Its private key (PEM), mode 0600.",
    "KALSHI_REST_URL": "Another REST address; the environment's own without it.",
    "KALSHI_WS_URL": "Another WebSocket address; the environment's own without it.",
    "POLYMARKET_GAMMA_URL": "Where markets are listed.",
    "POLYMARKET_CLOB_URL": "Where order books are read.",
    "POLYMARKET_WS_URL": "Where order books are streamed.",
    "KALSHI_FEED_USE_YES_PRICE": "Whether to ask for both sides on the YES scale; the books are the same.",
    "POLYMARKET_FEED_ASSETS_PER_CONNECTION": "How many books one connection carries; more are split over several.",
    "VENUE_SIM_POLYMARKET_PORT": "0 is any free port.",
    "VENUE_SIM_CONTROL_PORT": "0 is any free port.",
    "VENUE_SIM_SEED": "The same seed makes the same world.",
    "VENUE_SIM_QUESTIONS": "How many questions both venues list.",
}
"""What is said of a variable whose field has no text of its own."""


def page(settings: dict[str, type[msgspec.Struct]]) -> str:
    """Return the page as Markdown."""
    parts = [
        "# Settings",
        "",
        f"Written by `{RENEW}` from the settings structures.",
        "",
        "Every setting is an environment variable. An empty one counts as not set. A variable with a service's prefix",
        "that is no setting of it is refused, so that a typing error cannot leave a limit at its default.",
        "`DUTCHBOOK_LOG_LEVEL` (`INFO` unless set) is for every service. So is `DUTCHBOOK_REDIS_PASSWORD_FILE`, a file",
        "of mode 0600 with Redis's password: it is put into `DUTCHBOOK_REDIS_URL`, which must not have one then.",
        "`dutchbook config show` prints what is in force, where it comes from, and what a service would refuse.",
    ]
    for service, kind in settings.items():
        parts += ["", f"## {service}", "", "| variable | default | what it says |", "|---|---|---|"]
        parts += _rows(service, kind)
    return "\n".join(parts) + "\n"


def _rows(service: str, kind: type[msgspec.Struct]) -> Iterator[str]:
    hints = get_type_hints(kind, include_extras=True)
    said = _field_docs(kind)
    for field in msgspec.structs.fields(kind):
        variable = variable_name(hints[field.name], service, field.name)
        meaning = said.get(field.name) or _SAID.get(variable, "")
        choices = choices_of(hints[field.name])
        if choices:
            meaning = f"{' or '.join(f'`{choice}`' for choice in choices)}. {meaning}".strip()
        default = "**must be set**" if field.required else _shown(field.default)
        yield f"| `{variable}` | {default} | {meaning} |"


def plain(value: Any) -> str:
    """Return a setting's value as it is written in the environment, empty when it is not set."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value if isinstance(value, Enum) else value)


def _shown(default: Any) -> str:
    if isinstance(default, Path) and default.is_absolute():
        return f"the shipped `{default.relative_to(SHIPPED_MAPPINGS.parent)}`"
    text = plain(default)
    return f"`{text}`" if text else "not set"


def _field_docs(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the text that stands under each field in the source."""
    [definition] = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    said: dict[str, str] = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            said[field.target.id] = " ".join(below.value.value.replace("``", "`").split())
    return said


if __name__ == "__main__":
    sys.stdout.write(page(SETTINGS))
