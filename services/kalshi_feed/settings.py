"""What the Kalshi feed is told: the environment, its key, the addresses, and how it paces itself."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec

from shared.runtime.errors import SettingsRefused
from shared.runtime.quote_pace import QUOTES_PER_S
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
    honour_fee_waivers: bool = False
    """Whether a market's taker fee counts as 0 while the exchange says that it is waived."""
    depth: int = 10
    """Levels of each side in a quote."""
    quotes_per_s: int = QUOTES_PER_S
    """Written each second at most; when more books change, newer states replace older ones before they are written."""
    chunk: int = 100
    """Tickers in one command."""
    use_yes_price: bool = False
    refresh_s: int = 60
    """Pause between two complete listings."""
    page_pause_ms: int = 50
    """Pause between two pages, to stay well inside the public limit."""
    public_tokens_per_s: int = PUBLIC_TOKENS_PER_S
    """What REST may cost without a signature; a request costs 10. The exchange does not publish the limit."""
    account_share_percent: int = 45
    """With a key: how much of the account's allowance this feed may use; the executor reads on the same account."""
    markets_per_connection: int = 500
    """A gap or a lost link costs the books of one connection, so more connections lose fewer at once."""
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
    ack_s: int = 10
    """A subscription that is not acknowledged within this time makes the connection useless."""
    proven_s: int = 10
    """A link that held for this long is a good one: the pauses between dials start small again."""

    def __post_init__(self) -> None:
        if (self.demo_key_id or self.demo_key_file) and (self.prod_key_id or self.prod_key_file):
            raise ValueError(
                "KALSHI_DEMO_KEY_… and KALSHI_PROD_KEY_… are both set: give a process the key of one environment only"
            )
        for name, value in (
            ("DEPTH", self.depth),
            ("QUOTES_PER_S", self.quotes_per_s),
            ("CHUNK", self.chunk),
            ("REFRESH_S", self.refresh_s),
            ("SILENT_S", self.silent_s),
            ("PUBLIC_TOKENS_PER_S", self.public_tokens_per_s // 12),  # a request costs 10, and a tenth is kept back
            ("POLL_MS", self.poll_ms),
            ("AUDIT_S", self.audit_s),
            ("PROBE_S", self.probe_s),
            ("STATUS_S", self.status_s),
            ("ACK_S", self.ack_s),
            ("PROVEN_S", self.proven_s),
            ("MARKETS_PER_CONNECTION", self.markets_per_connection),
            ("ACCOUNT_SHARE_PERCENT", self.account_share_percent),
        ):
            if value < 1:
                raise ValueError(f"KALSHI_FEED_{name}={value}: expected 1 or more")
        if self.account_share_percent > 100:
            raise ValueError(f"KALSHI_FEED_ACCOUNT_SHARE_PERCENT={self.account_share_percent}: expected 1 to 100")
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
