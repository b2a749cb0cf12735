"""Where Kalshi answers: environments, default hosts, the hosts allowed in each, and the paths we use.

Kalshi API reference (base URLs and changelog of 2026-05-07), read 2026-11-21.
"""

from enum import StrEnum
from urllib.parse import urlsplit

REST_PREFIX = "/trade-api/v2"
WEBSOCKET_PATH = "/trade-api/ws/v2"

EVENTS_PATH = "/events"
SERIES_PATH = "/series"
MARKETS_PATH = "/markets"
ORDERBOOKS_PATH = "/markets/orderbooks"
EXCHANGE_STATUS_PATH = "/exchange/status"


class KalshiEnvironment(StrEnum):
    """Which exchange is meant; their keys and money have nothing in common."""

    DEMO = "demo"
    PROD = "prod"


class WrongHost(ValueError):
    """A URL points where this environment must not talk to; the text says which hosts it may."""


DEFAULT_REST_URL = {
    KalshiEnvironment.PROD: f"https://external-api.kalshi.com{REST_PREFIX}",
    KalshiEnvironment.DEMO: f"https://external-api.demo.kalshi.co{REST_PREFIX}",
}
DEFAULT_WEBSOCKET_URL = {
    KalshiEnvironment.PROD: f"wss://external-api-ws.kalshi.com{WEBSOCKET_PATH}",
    KalshiEnvironment.DEMO: f"wss://external-api-ws.demo.kalshi.co{WEBSOCKET_PATH}",
}

ALLOWED_HOSTS = {
    KalshiEnvironment.PROD: frozenset(
        {"external-api.kalshi.com", "external-api-ws.kalshi.com", "api.elections.kalshi.com"}
    ),
    KalshiEnvironment.DEMO: frozenset(
        {"external-api.demo.kalshi.co", "external-api-ws.demo.kalshi.co", "demo-api.kalshi.co"}
    ),
}
"""The recommended hosts since 2026-05-07 and the older ones, which still answer."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def checked_rest_url(environment: KalshiEnvironment, url: str) -> str:
    """Return ``url`` without a trailing slash when ``environment`` may send requests there.

    Raises WrongHost.
    """
    return _checked(environment, url, secure="https", plain="http", path=REST_PREFIX)


def checked_websocket_url(environment: KalshiEnvironment, url: str) -> str:
    """Return ``url`` without a trailing slash when ``environment`` may connect there.

    Raises WrongHost.
    """
    return _checked(environment, url, secure="wss", plain="ws", path=WEBSOCKET_PATH)


def signed_path(url: str) -> str:
    """Return the part of ``url`` that is signed: the full path, without host and query."""
    return urlsplit(url).path


def _checked(environment: KalshiEnvironment, url: str, *, secure: str, plain: str, path: str) -> str:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        port = parts.port
    except ValueError as error:
        raise WrongHost(f"{url!r} is not a URL: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise WrongHost("a Kalshi URL must not hold a user name or password")
    if parts.path.rstrip("/") != path or parts.query or parts.fragment:
        raise WrongHost(f"{url!r} must end in {path}: that path is part of what is signed")
    if host in _LOOPBACK:
        if environment is not KalshiEnvironment.DEMO:
            raise WrongHost(f"{url!r} is on this machine; only KALSHI_ENV=demo may use a simulator")
        if parts.scheme not in {plain, secure}:
            raise WrongHost(f"{url!r} must start with {plain}:// or {secure}://")
        return url.rstrip("/")
    if host not in ALLOWED_HOSTS[environment]:
        allowed = ", ".join(sorted(ALLOWED_HOSTS[environment]))
        raise WrongHost(f"host {host!r} does not belong to KALSHI_ENV={environment}; it may be one of: {allowed}")
    if parts.scheme != secure or port not in {None, 443}:
        raise WrongHost(f"{url!r} must be {secure}:// on port 443")
    return url.rstrip("/")
