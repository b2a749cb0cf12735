"""Where Polymarket's public services are, and the paths of the calls a scanner makes.

Hosts and paths are those of the official Python client polymarket-client 0.14.0, read 2026-11-21. None of these calls
needs a key.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

GAMMA_URL = "https://gamma-api.polymarket.com"
CLOB_URL = "https://clob.polymarket.com"
MARKET_WS_URL = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
GEOBLOCK_URL = "https://polymarket.com/api/geoblock"
"""Says whether orders are refused from where the caller is."""

PAGE_LIMIT = 100
"""Gamma serves at most this many objects per page and cuts a larger wish silently (changelog, September 2026)."""
BOOKS_PER_CALL = 500
"""``POST /books`` takes at most this many tokens (rate-limit page, 2026-07-25)."""

EVENTS_PATH = "/events/keyset"
BOOKS_PATH = "/books"

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_VENUE_DOMAIN = "polymarket.com"


class UrlRefused(ValueError):
    """An address is none that this venue's feed may talk to; the message says why."""


def checked_url(url: str, *, schemes: tuple[str, str]) -> str:
    """Return ``url`` without its trailing slash when a feed may use it.

    ``schemes`` are the plain and the encrypted one. Encrypted addresses must be the venue's; plain ones must be on
    this machine or a container's name without a dot, as a simulator has.
    Raises UrlRefused.
    """
    plain, encrypted = schemes
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UrlRefused(f"not a URL ({error}): expected {encrypted}://host/path") from None
    host = parts.hostname or ""
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # Not shown: who writes one of these writes a secret.
        raise UrlRefused(f"expected {encrypted}://host/path, without user name, password, query or fragment")
    is_venues = host == _VENUE_DOMAIN or host.endswith(f".{_VENUE_DOMAIN}")
    is_local = host in _LOOPBACK or (bool(host) and "." not in host)
    if not (parts.scheme == encrypted and is_venues) and not (parts.scheme == plain and is_local):
        raise UrlRefused(f"{url}: expected {encrypted}:// and a {_VENUE_DOMAIN} host, or {plain}:// on this machine")
    return url.rstrip("/")


class EventsQuery(NamedTuple):
    """Which events ``/events/keyset`` is asked for, with their markets."""

    closed: bool = False
    version: str = ""
    """Events of the second protocol generation are left out unless ``v2`` is asked for (py-sdk changelog, 2026)."""
    newest_first: bool = False
    """By the time of their last change. Only a listing that does not move can be read from end to end."""

    def page(self, after_cursor: str = "") -> list[tuple[str, str]]:
        """Return the query of one page; the first has no cursor."""
        query = [("closed", "true" if self.closed else "false"), ("limit", str(PAGE_LIMIT))]
        if self.version:
            query.append(("version", self.version))
        if self.newest_first:
            query += [("order", "updatedAt"), ("ascending", "false")]
        return [*query, ("after_cursor", after_cursor)] if after_cursor else query


def settled_market_path(condition_id: str) -> str:
    """Return the path of one market's long object, which names the winning token once there is one."""
    return f"/markets/{condition_id}"


def clob_market_path(condition_id: str) -> str:
    """Return the path of one market's trading terms, the second source of its fee."""
    return f"/clob-markets/{condition_id}"
