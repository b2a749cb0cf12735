"""What is said to record Polymarket: the books of some tokens. There is no key."""

from collections.abc import Sequence

from services.polymarket_feed.settings import Settings
from shared.domain.market import MarketId
from shared.io.frame_link import FrameLink
from shared.io.http import Answer, HttpClient
from shared.io.websocket import Unauthorised, dial
from shared.runtime.errors import StartRefused
from shared.venues.polymarket.asset_book import AssetTerms
from shared.venues.polymarket.rest import books_request
from shared.venues.polymarket.session import PolymarketSession
from shared.venues.polymarket.urls import BOOKS_PATH, BOOKS_PER_CALL

_PING_S = 10.0


class PolymarketConversation:
    """A link to Polymarket's market channel."""

    venue = "polymarket"

    def __init__(self, settings: Settings, tokens: Sequence[str], clob: HttpClient) -> None:
        self.url = settings.ws_url
        self.markets = tuple(tokens)
        self._clob = clob
        self._session = PolymarketSession({token: AssetTerms(market_id=MarketId(token)) for token in tokens})
        self._ping_s = 0.0
        self._is_ping_due = False

    async def dial(self) -> FrameLink:
        """Open a link."""
        return await dial(self.url)

    def connected(self, now_s: float) -> None:
        """Begin anew on a fresh link."""
        self._session.disconnected("another connection")
        self._session.connected()
        self._ping_s = now_s

    def receive(self, frame: bytes, received_ts_ns: int) -> str:
        """Take a frame; nothing that this venue sends makes the link useless."""
        self._session.receive(frame, received_ts_ns)
        return ""

    def tick(self, now_s: float) -> str:
        """Let time pass; a recording goes on whatever is missing in it."""
        self._session.settle()
        self._session.due(now_s)
        self._is_ping_due = now_s >= self._ping_s
        if self._is_ping_due:
            self._ping_s = now_s + _PING_S
        return ""

    def data_to_send(self) -> list[str]:
        """Return what is to be sent now, the venue's text heartbeat among it."""
        texts = self._session.data_to_send()
        return [*texts, "PING"] if self._is_ping_due else texts

    async def page(self) -> tuple[str, Answer]:
        """Return the books by REST. Raises HttpUnavailable."""
        return BOOKS_PATH, await self._clob.post(BOOKS_PATH, books_request(self.markets[:BOOKS_PER_CALL]))

    def refusal(self, refused: Unauthorised) -> StartRefused:
        """Return what was said; public data needs no key, so nothing here can be mended."""
        return StartRefused(f"Polymarket {refused}")
