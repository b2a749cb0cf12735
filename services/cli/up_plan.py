"""What ``dutchbook up`` would start, with which settings, and whom it would ask: decided before anything is."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from services.cli.simulated import SHIPPED_MAPPINGS
from services.cli.stack import SERVICES
from services.kalshi_feed.settings import Settings as KalshiFeed
from services.polymarket_feed.settings import Settings as PolymarketFeed
from shared.runtime.errors import Halted
from shared.runtime.redis_address import PASSWORD_FILE_VARIABLE, URL_VARIABLE, without_password
from shared.runtime.settings import read_settings
from shared.venues.kalshi.urls import KalshiEnvironment

INTENT_KEY_VARIABLE = "DUTCHBOOK_INTENT_KEY_FILE"
_MODE_VARIABLE = "KALSHI_EXECUTOR_MODE"
_LEDGER_VARIABLE = "KALSHI_EXECUTOR_LEDGER_FILE"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_OF_ANOTHER_KALSHI = ("KALSHI_ENV", "KALSHI_REST_URL", "KALSHI_WS_URL", "KALSHI_DEMO_KEY_ID", "KALSHI_DEMO_KEY_FILE")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes are told beside the operator's own environment, and where they would go."""

    environ: Mapping[str, str]
    hosts: tuple[str, ...]
    """Every venue's address that is asked for data."""
    lines: tuple[str, ...]
    """All of it for people."""

    @property
    def is_local(self) -> bool:
        """Whether every address is on this machine, as a simulator's are."""
        return all(urlsplit(url).hostname in _LOOPBACK for url in self.hosts)


def plan_of(environ: Mapping[str, str], *, folder: Path | None, redis_url: str, live_data: bool) -> Plan:
    """Return the plan. ``folder`` is where files go, None while that is to be a temporary one.

    ``redis_url`` is the address that the processes get, empty while it is to be a private server. What the environment
    says wins; with ``live_data`` Kalshi is the real exchange unless something names its demo or an address.
    Raises SettingsRefused when an address is wrong, Halted when orders are asked for.
    """
    if environ.get(_MODE_VARIABLE, "") not in {"", "dry"}:
        raise Halted(f"{_MODE_VARIABLE}={environ[_MODE_VARIABLE]}: dutchbook up only simulates orders; unset it")
    given = {name: value for name, value in environ.items() if value}
    added = _added(given, folder or Path(), live_data=live_data)
    if not given.get(URL_VARIABLE):
        added |= {URL_VARIABLE: redis_url or "unix:///private", PASSWORD_FILE_VARIABLE: ""}
    told = {**given, **added}
    kalshi = read_settings(KalshiFeed, told, prefix="kalshi_feed")
    polymarket = read_settings(PolymarketFeed, told, prefix="polymarket_feed")
    return Plan(
        environ=added,
        hosts=(kalshi.rest_base, kalshi.websocket, polymarket.gamma_url, polymarket.clob_url, polymarket.ws_url),
        lines=(
            _line("services", ", ".join(SERVICES)),
            _line("kalshi", f"{_exchange(kalshi)}: {kalshi.rest_base}, {kalshi.websocket}"),
            _line("polymarket", f"{polymarket.gamma_url}, {polymarket.clob_url}, {polymarket.ws_url}"),
            _line("redis", _redis(given, folder)),
            _line("pairs", f"mappings in {told['MATCHER_MAPPINGS_DIR']}{_templates(given)}"),
            _line("alerts", "Slack" if given.get("ALERTS_SLACK_WEBHOOK_URL_FILE") else "the log of the service alerts"),
            _line("orders", "none: every fill is simulated, and the dry-run executor has no code that could send one"),
            _line("files", _files(given, folder)),
        ),
    )


def _added(given: Mapping[str, str], folder: Path, *, live_data: bool) -> dict[str, str]:
    """Return what is set because the environment does not."""
    mappings = Path("mappings")
    defaults = {
        INTENT_KEY_VARIABLE: str(folder / "intent.key"),
        _LEDGER_VARIABLE: str(folder / "ledger.sqlite3"),
        "MATCHER_MAPPINGS_DIR": str(mappings if mappings.is_dir() else SHIPPED_MAPPINGS),
    }
    if live_data and not any(name in given for name in _OF_ANOTHER_KALSHI):
        defaults["KALSHI_ENV"] = KalshiEnvironment.PROD.value
    return {name: value for name, value in defaults.items() if name not in given} | {_MODE_VARIABLE: "dry"}


def _exchange(kalshi: KalshiFeed) -> str:
    is_demo = kalshi.env is KalshiEnvironment.DEMO
    name = "the demo environment, whose prices are not the real ones" if is_demo else "the real exchange"
    has_key = bool(kalshi.demo_key_id if is_demo else kalshi.prod_key_id)
    return f"{name}, books {'streamed with your key' if has_key else 'polled, for want of a key,'} from"


def _redis(given: Mapping[str, str], folder: Path | None) -> str:
    if given.get(URL_VARIABLE):
        return without_password(given[URL_VARIABLE])
    kept = "keeps nothing" if folder is None else f"keeps its data in {folder / 'redis'}"
    return f"a private server of its own, which {kept}"


def _templates(given: Mapping[str, str]) -> str:
    switched_on = given.get("MATCHER_TEMPLATES_ON", "")
    return f", templates of {switched_on}" if switched_on else ""


def _files(given: Mapping[str, str], folder: Path | None) -> str:
    ledger = f"; the ledger is {given[_LEDGER_VARIABLE]}" if _LEDGER_VARIABLE in given else ""
    if folder is None:
        return f"logs, key and ledger in a temporary folder that goes at the end (keep them: --folder){ledger}"
    return f"logs, key and ledger in {folder}{ledger}"


def _line(name: str, text: str) -> str:
    return f"  {name:<11} {text}"
