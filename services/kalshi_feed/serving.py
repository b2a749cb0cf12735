"""The streaming half of the feed, wired: connections that are dialled with fresh signatures and looked at twice."""

import asyncio
from collections.abc import Callable
from random import SystemRandom

from services.kalshi_feed.checks import ScaleProbe, SilenceProbe, audit_books
from services.kalshi_feed.fleet import Fleet
from services.kalshi_feed.live_books import Alert, LiveBooks, News
from services.kalshi_feed.rest_client import RestClient
from services.kalshi_feed.settings import Settings
from services.kalshi_feed.trading import TradingState
from shared.io.frame_link import FrameLink
from shared.io.http import Signer
from shared.io.websocket import dial, keep_connected
from shared.runtime.clock import Clock
from shared.runtime.quote_sink import QuoteSink
from shared.venues.kalshi.auth import KalshiKey
from shared.venues.kalshi.lifecycle import MarketNews
from shared.venues.kalshi.session import KalshiSession
from shared.venues.kalshi.urls import signed_path

_BETWEEN_DIALS_S = 0.5


class Streaming:
    """Everything that streams books with a key; ``fleet.run`` is to be run."""

    def __init__(
        self,
        settings: Settings,
        key: KalshiKey,
        client: RestClient,
        publisher: QuoteSink,
        clock: Clock,
        *,
        epoch: str,
        alert: Alert,
        on_news: Callable[[News], None],
        on_delay: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._client = client
        self._publisher = publisher
        self._clock = clock
        self._epoch = epoch
        self._alert = alert
        self._on_news = on_news
        self._on_delay = on_delay
        self._signed = signer(key, clock)
        self._trading = TradingState()
        self._pace = DialPace()
        self.state_changed = asyncio.Event()
        """Set when the state of any connection is another than it was."""
        self.fleet = Fleet(
            self._new_books, self._serve, self._trading, clock, per_connection=settings.markets_per_connection
        )

    def _new_books(self, name: str, number: int) -> LiveBooks:
        settings = self._settings
        session = KalshiSession(
            use_yes_price=settings.use_yes_price,
            chunk=settings.chunk,
            lifecycle=number == 0,
            prove_scale=True,
            ack_within_ns=settings.ack_s * 1_000_000_000,
        )
        return LiveBooks(
            session,
            self._publisher,
            self._clock,
            alert=self._alert,
            name=f"{self._epoch}-{name}",
            silent_s=settings.silent_s,
            trading=self._trading,
            state_changed=self.state_changed,
            on_news=self._heard,
            on_delay=self._on_delay,
        )

    def _heard(self, news: News) -> None:
        if isinstance(news, MarketNews):
            self.fleet.heard(news)
        self._on_news(news)

    async def _serve(self, books: LiveBooks) -> None:
        """Keep one connection's books up until cancelled."""
        settings = self._settings
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                keep_connected(
                    self._open_link,
                    books.talk,
                    name=books.connection,
                    on_lost=books.lost,
                    on_unauthorised=books.unauthorised,
                    jitter=SystemRandom(),
                    proven_after_s=settings.proven_s,
                )
            )
            tasks.create_task(audit_books(books, every_s=settings.audit_s))
            tasks.create_task(SilenceProbe(books, self._client, after_s=settings.probe_s).run())
            tasks.create_task(ScaleProbe(books, self._client).run())

    async def _open_link(self) -> FrameLink:
        await self._pace.wait()
        url = self._settings.websocket
        return await dial(url, self._signed("GET", signed_path(url)))


class DialPace:
    """Lets the connections of one feed dial one after the other: many handshakes at once look like an attack."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._next_s = 0.0

    async def wait(self) -> None:
        """Wait for the next turn."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(max(0.0, self._next_s - loop.time()))
            self._next_s = loop.time() + _BETWEEN_DIALS_S


def signer(key: KalshiKey, clock: Clock) -> Signer:
    """Return what signs one attempt: every attempt needs a fresh time."""
    return lambda method, path: key.headers(timestamp_ms=clock.now_ms(), method=method, path=path)
