"""What the Kalshi feed is told: the environment, its key, the addresses, and how it paces itself."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec

from shared.runtime.errors import SettingsRefused
from shared.runtime.settings import RedisUrl, SharedVariable, read_secret_file
from shared.venues.kalshi.auth import KalshiKey, UnusableKey, load_key
from shared.venues.kalshi.catalog import DIRECT_PRECISION_DOLLARS
from shared.venues.kalshi.limits import PUBLIC_TOKENS_PER_S
from shared.venues.kalshi.urls import (
    DEFAULT_REST_URL,
    DEFAULT_WEBSOCKET_URL,
    KalshiEnvironment,
    WrongHost,
    checked_rest_url,
    checked_websocket_url,
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The feed's settings; a combination that must not run is refused when they are built."""

    redis_url: RedisUrl
    env: Annotated[KalshiEnvironment, SharedVariable("KALSHI_ENV")] = KalshiEnvironment.DEMO
    demo_key_id: Annotated[str, SharedVariable("KALSHI_DEMO_KEY_ID")] = ""
    demo_key_file: Annotated[Path | None, SharedVariable("KALSHI_DEMO_KEY_FILE")] = None
    prod_key_id: Annotated[str, SharedVariable("KALSHI_PROD_KEY_ID")] = ""
    prod_key_file: Annotated[Path | None, SharedVariable("KALSHI_PROD_KEY_FILE")] = None
    rest_url: Annotated[str, SharedVariable("KALSHI_REST_URL")] = ""
    ws_url: Annotated[str, SharedVariable("KALSHI_WS_URL")] = ""
    fee_precision_dollars: Annotated[Decimal, SharedVariable("KALSHI_FEE_PRECISION")] = DIRECT_PRECISION_DOLLARS
    """0.0001 for direct members, 0.01 behind a broker."""
    depth: int = 10
    """Levels of each side in a quote."""
    chunk: int = 100
    """Tickers in one command."""
    use_yes_price: bool = False
    refresh_s: int = 60
    """Pause between two complete listings."""
    page_pause_ms: int = 50
    """Pause between two pages, to stay well inside the public limit."""
    public_tokens_per_s: int = PUBLIC_TOKENS_PER_S
    """What REST may cost without a signature; a request costs 10. The exchange does not publish the limit."""
    poll_ms: int = 1_000
    """Without a key: at least this long between two readings of the same book."""
    audit_s: int = 20
    """Between two comparisons of a few streamed books with fresh snapshots."""
    probe_s: int = 30
    """A stream that has not moved for this long is compared with REST."""
    status_s: int = 15
    """Between two questions whether the exchange trades."""
    silent_s: int = 25
    """No frame and no pong for this long: the connection is dead."""

    def __post_init__(self) -> None:
        if (self.demo_key_id or self.demo_key_file) and (self.prod_key_id or self.prod_key_file):
            raise ValueError(
                "KALSHI_DEMO_KEY_… and KALSHI_PROD_KEY_… are both set: give a process the key of one environment only"
            )
        for name, value in (
            ("DEPTH", self.depth),
            ("CHUNK", self.chunk),
            ("REFRESH_S", self.refresh_s),
            ("SILENT_S", self.silent_s),
            ("PUBLIC_TOKENS_PER_S", self.public_tokens_per_s // 12),  # a request costs 10, and a tenth is kept back
            ("POLL_MS", self.poll_ms),
            ("AUDIT_S", self.audit_s),
            ("PROBE_S", self.probe_s),
            ("STATUS_S", self.status_s),
        ):
            if value < 1:
                raise ValueError(f"KALSHI_FEED_{name}={value}: expected 1 or more")
        for variable, check, url in (
            ("KALSHI_REST_URL", checked_rest_url, self.rest_base),
            ("KALSHI_WS_URL", checked_websocket_url, self.websocket),
        ):
            try:
                check(self.env, url)
            except WrongHost as error:
                raise ValueError(f"{variable}: {error}") from None

    @property
    def rest_base(self) -> str:
        """The REST address of the environment, or the one that was set."""
        return self.rest_url.rstrip("/") or DEFAULT_REST_URL[self.env]

    @property
    def websocket(self) -> str:
        """The WebSocket address of the environment, or the one that was set."""
        return self.ws_url.rstrip("/") or DEFAULT_WEBSOCKET_URL[self.env]

    def key(self) -> KalshiKey | None:
        """Read the key of the environment from its file; None when none is named.

        Raises SettingsRefused: half a key's settings, a file that is missing or that others can read, a key of no use.
        """
        prefix = f"KALSHI_{self.env.upper()}_KEY"
        demo = self.env is KalshiEnvironment.DEMO
        key_id, path = (self.demo_key_id, self.demo_key_file) if demo else (self.prod_key_id, self.prod_key_file)
        if not key_id and path is None:
            return None
        if not key_id or path is None:
            raise SettingsRefused(
                f"half a Kalshi key: set {prefix}_ID and {prefix}_FILE together, or neither"
                " (then public order books are polled instead of streamed)"
            )
        pem = read_secret_file(path, f"{prefix}_FILE")
        try:
            return load_key(key_id, pem.reveal())
        except UnusableKey as error:
            raise SettingsRefused(f"{prefix}_FILE: {path}: {error}") from None
