"""Where Polymarket's public services are, and the addresses of the calls a scanner makes.

Paths are those of the official Python client polymarket-client 0.14.0, read 2026-11-21. None of these calls needs
a key.
"""

from urllib.parse import urlencode

GAMMA_URL = "https://gamma-api.polymarket.com"
CLOB_URL = "https://clob.polymarket.com"
MARKET_WS_URL = "wss://ws-subscriptions-clob.polymarket.com/ws/market"

PAGE_LIMIT = 100
"""Gamma serves at most this many objects per page and cuts a larger wish silently (changelog, September 2026)."""
BOOKS_PER_CALL = 500
"""``POST /books`` takes at most this many tokens (rate-limit page, 2026-07-25)."""


def events_page_url(gamma_url: str, *, after_cursor: str = "", closed: bool = False) -> str:
    """Return the address of one page of events with their markets; the first page has no cursor."""
    query = {"closed": "true" if closed else "false", "limit": str(PAGE_LIMIT)}
    if after_cursor:
        query["after_cursor"] = after_cursor
    return f"{gamma_url.rstrip('/')}/events/keyset?{urlencode(query)}"


def events_by_id_url(gamma_url: str, event_ids: list[str]) -> str:
    """Return the address of one page with the given events (repeated ``id`` parameters), open or closed."""
    query = [("limit", str(PAGE_LIMIT)), *(("id", event_id) for event_id in event_ids)]
    return f"{gamma_url.rstrip('/')}/events/keyset?{urlencode(query)}"


def books_url(clob_url: str) -> str:
    """Return the address that answers a POST of up to 500 tokens with their order books."""
    return f"{clob_url.rstrip('/')}/books"


def clob_market_url(clob_url: str, condition_id: str) -> str:
    """Return the address of one market's trading terms, the fallback source of its fee."""
    return f"{clob_url.rstrip('/')}/clob-markets/{condition_id}"
