"""What is said to record Kalshi: the books of some markets and, as ever, what happens to markets and fees."""

from collections.abc import Sequence

from services.kalshi_feed.settings import Settings
from shared.domain.market import MarketId
from shared.io.frame_link import FrameLink
from shared.io.http import Answer, HttpClient
from shared.io.websocket import Unauthorised, dial
from shared.runtime.clock import Clock
from shared.runtime.errors import SettingsRefused, StartRefused
from shared.venues.kalshi import market_data
from shared.venues.kalshi.auth import auth_failure
from shared.venues.kalshi.channels import MARKET_CHANNELS
from shared.venues.kalshi.events import Event, LinkUnusable
from shared.venues.kalshi.rest import api_error
from shared.venues.kalshi.session import KalshiSession
from shared.venues.kalshi.urls import signed_path

_PAGE_MARKETS = 100
_SECOND_NS = 1_000_000_000


class KalshiConversation:
    """A signed link to Kalshi. Raises SettingsRefused without a key: the exchange streams to nobody else."""

    venue = "kalshi"

    def __init__(
        self, settings: Settings, markets: Sequence[str], http: HttpClient, clock: Clock, *, channels: Sequence[str]
    ) -> None:
        strange = [channel for channel in channels if channel not in MARKET_CHANNELS]
        if strange:
            raise SettingsRefused(f"--channels {strange[0]}: expected some of {', '.join(sorted(MARKET_CHANNELS))}")
        key = settings.key()
        if key is None:
            prefix = f"KALSHI_{settings.env.upper()}_KEY"
            raise SettingsRefused(f"Kalshi streams to nobody without a key: set {prefix}_ID and {prefix}_FILE")
        self._key = key
        self._http = http
        self._clock = clock
        self.url = settings.websocket
        self.markets = tuple(markets)
        self._session = KalshiSession(
            map(MarketId, markets),
            use_yes_price=settings.use_yes_price,
            chunk=settings.chunk,
            lifecycle=True,
            channels=channels,
        )

    async def dial(self) -> FrameLink:
        """Open a link with a fresh signature."""
        now_ms = self._clock.now_ms()
        return await dial(self.url, self._key.headers(timestamp_ms=now_ms, method="GET", path=signed_path(self.url)))

    def connected(self, now_s: float) -> None:
        """Begin anew on a fresh link."""
        self._session.disconnected("another connection")
        self._session.connected(int(now_s * _SECOND_NS))

    def receive(self, frame: bytes, received_ts_ns: int) -> str:
        """Take a frame; return why the link is of no use any more, or nothing."""
        return _unusable(self._session.receive(frame, received_ts_ns))

    def tick(self, now_s: float) -> str:
        """Let time pass; return why the link is of no use any more, or nothing."""
        return _unusable([*self._session.settle(), *self._session.tick(int(now_s * _SECOND_NS))])

    def data_to_send(self) -> list[str]:
        """Return what is to be sent now."""
        return self._session.data_to_send()

    async def page(self) -> tuple[str, Answer]:
        """Return the listing of the first hundred markets. Raises HttpUnavailable."""
        request = market_data.markets_request(tickers=[MarketId(it) for it in self.markets[:_PAGE_MARKETS]])
        return request.path, await self._http.get(request.path, request.query)

    def refusal(self, refused: Unauthorised) -> StartRefused:
        """Return which of the causes of a 401 it is, and what to do about it."""
        failure = auth_failure(api_error(401, refused.body.encode()))
        return StartRefused(f"Kalshi refuses the key ({failure}): {failure.remedy}")


def _unusable(events: Sequence[Event]) -> str:
    return next((event.reason for event in events if isinstance(event, LinkUnusable)), "")
