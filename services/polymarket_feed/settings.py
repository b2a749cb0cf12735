"""What the Polymarket feed is told: addresses, and how it paces itself. There is no key."""

from pathlib import Path
from typing import Annotated

import msgspec

from shared.runtime.quote_pace import QUOTES_PER_S
from shared.runtime.settings import RedisUrl, SharedVariable
from shared.venues.polymarket.session import MAX_ASSETS
from shared.venues.polymarket.urls import CLOB_URL, GAMMA_URL, MARKET_WS_URL, UrlRefused, checked_url


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The feed's settings; a combination that must not run is refused when they are built."""

    redis_url: RedisUrl
    gamma_url: Annotated[str, SharedVariable("POLYMARKET_GAMMA_URL")] = GAMMA_URL
    clob_url: Annotated[str, SharedVariable("POLYMARKET_CLOB_URL")] = CLOB_URL
    ws_url: Annotated[str, SharedVariable("POLYMARKET_WS_URL")] = MARKET_WS_URL
    depth: int = 10
    """Levels of each side in a quote."""
    quotes_per_s: int = QUOTES_PER_S
    """Written each second at most; when more books change, newer states replace older ones before they are written."""
    assets_per_connection: int = MAX_ASSETS
    refresh_s: int = 60
    """Pause between two looks at what changed in the listings."""
    crawl_s: int = 900
    """Pause between two complete listings, which also find what has vanished without a word."""
    page_pause_ms: int = 100
    """Pause between two pages, to stay far inside the public limit."""
    audit_s: int = 30
    """Pause between two comparisons of every book with REST."""
    fees_file: Path = Path(__file__).parents[2] / "mappings" / "fees.yaml"
    """What categories pay, for markets that name no fee of their own."""
    renew_s: int = 1_200
    """Another connection takes over from each after half to one and a half times this long."""
    pong_s: int = 30
    """No PONG for this long: the connection is dead."""

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("DEPTH", self.depth, 1, 1_000),
            ("QUOTES_PER_S", self.quotes_per_s, 1, 1_000_000),
            ("ASSETS_PER_CONNECTION", self.assets_per_connection, 1, MAX_ASSETS),
            ("REFRESH_S", self.refresh_s, 1, 86_400),
            ("CRAWL_S", self.crawl_s, 1, 86_400),
            ("PAGE_PAUSE_MS", self.page_pause_ms, 0, 60_000),
            ("AUDIT_S", self.audit_s, 1, 60),
            ("RENEW_S", self.renew_s, 1, 86_400),
            ("PONG_S", self.pong_s, 1, 600),
        ):
            if not least <= value <= most:
                raise ValueError(f"POLYMARKET_FEED_{name}={value}: expected {least} to {most}")
        for variable, url, schemes in (
            ("POLYMARKET_GAMMA_URL", self.gamma_url, ("http", "https")),
            ("POLYMARKET_CLOB_URL", self.clob_url, ("http", "https")),
            ("POLYMARKET_WS_URL", self.ws_url, ("ws", "wss")),
        ):
            try:
                checked_url(url, schemes=schemes)
            except UrlRefused as error:
                raise ValueError(f"{variable}: {error}") from None
