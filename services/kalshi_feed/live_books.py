"""The books of one connection: a signed WebSocket, the session on it, and the quotes that come of it.

The read loop waits for nothing but the socket. Books are marked for the publisher as the session announces them; the
open operations are ended once two turns of the event loop brought no further frame.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from websockets.exceptions import WebSocketException

from services.kalshi_feed.trading import TradingState
from shared.domain.market import MarketId
from shared.io.frame_link import FrameLink
from shared.io.websocket import Unauthorised
from shared.runtime.clock import Clock
from shared.runtime.feed import QuoteState
from shared.runtime.lag import LagGauge
from shared.runtime.quote_sink import QuoteSink
from shared.venues.kalshi.auth import AuthFailure, auth_failure
from shared.venues.kalshi.events import (
    AuditDiffered,
    BookChanged,
    BookEnded,
    BooksLost,
    CommandRefused,
    Event,
    LinkUnusable,
    ScaleContradicted,
    ScaleProven,
)
from shared.venues.kalshi.lifecycle import EventFees, EventListed, LifecycleMissed, MarketNews
from shared.venues.kalshi.rest import api_error
from shared.venues.kalshi.session import KalshiSession

_QUIET_TURNS = 2
"""Turns of the loop without a frame after which nothing is waiting: one polls the socket, one runs the reader."""
_BEHIND_NS = 5_000_000
_BEHIND_FOR_S = 2.0
"""Frames more than a second late for this long: the link is given up and every book with it."""
_TICK_S = 0.1
_PING_S = 1.0
_LOST = (OSError, WebSocketException)

log = logging.getLogger(__name__)


Alert = Callable[[str, str, str], None]
"""Tells the operator: a stable code, a title, details."""

News = MarketNews | EventFees | EventListed | LifecycleMissed
"""What the exchange says about markets and fees; the catalog wants to know it too."""


def _no_news(_news: News) -> None:
    """Nobody listens."""


class LiveBooks:
    """One connection's books, as the publisher's source of quotes."""

    def __init__(
        self,
        session: KalshiSession,
        publisher: QuoteSink,
        clock: Clock,
        *,
        alert: Alert,
        name: str,
        silent_s: float,
        trading: TradingState | None = None,
        state_changed: asyncio.Event | None = None,
        on_news: Callable[[News], None] = _no_news,
        on_delay: Callable[[int], None] = lambda _least_ms: None,
    ) -> None:
        """``trading`` and ``state_changed`` are shared with other connections of the same feed."""
        self.session = session
        self._trading = trading or TradingState()
        self._on_news = on_news
        self._on_delay = on_delay
        self._publisher = publisher
        self._clock = clock
        self._alert = alert
        self._name = name
        self._silent_s = silent_s
        self.wanted: frozenset[MarketId] = frozenset(session.market_ids())
        """The markets this connection is to carry."""
        self._dials = 0
        self._unauthorised = 0
        self._wake = asyncio.Event()
        self._given_up = ""
        self._settling = False
        self._frames_seen = 0
        self._frames_heard = 0
        self._quiet_turns = 0
        self._behind_from_ns = 0
        self.frames = 0
        """Frames received since the start."""
        self.connection = f"{name}-0"
        self.is_connected = False
        self.heard_s: float | None = None
        """Monotonic time of the last frame or pong, None before the first of this connection."""
        self.data_s: float | None = None
        self.lag = LagGauge()
        self._scale_alarmed = False
        self.state_changed = state_changed or asyncio.Event()
        """Set when ``state`` is another than it was."""
        self._state_told = ""

    @property
    def state(self) -> Literal["connecting", "live", "degraded", "down"]:
        """What a reader may expect of this connection now."""
        if not self.is_connected:
            return "connecting" if self.is_first_dial else "down"
        return "live" if self.session.live_markets == self.session.wanted_markets else "degraded"

    @property
    def is_first_dial(self) -> bool:
        """Whether no link has been up yet."""
        return self._dials == 0

    def quote_state(self, market_id: MarketId) -> QuoteState | None:
        """Return the book when it may be quoted now."""
        state = self.session.book_state(market_id)
        if state is None or self._trading.why_not(market_id) is not None:
            return None
        return QuoteState(
            state.book, state.venue_ts_ms, state.received_ts_ns, "sequence", state.sequence, self.connection
        )

    def want(self, market_ids: Iterable[MarketId]) -> None:
        """Stream exactly these markets from now on."""
        self.wanted = frozenset(market_ids)
        self.session.want(self.wanted)
        self._wake.set()

    def trading_changed(self, market_ids: Iterable[MarketId]) -> None:
        """Look anew whether these markets may be quoted; those of other connections are left to them."""
        for market_id in self.wanted.intersection(market_ids):
            reason = self._trading.why_not(market_id)
            if reason is None:
                self._publisher.mark(self, market_id)
            else:
                log.info("market.not_quoted", extra={"market": market_id, "reason": reason})
                self._publisher.stale((market_id,), reason)

    def scale_compared(self, as_asked: int, on_the_other: int) -> None:
        """Take a comparison of NO prices with REST, see ``KalshiSession.scale_compared``."""
        self._act(self.session.scale_compared(as_asked, on_the_other))

    def lose(self, market_ids: Iterable[MarketId], reason: str) -> None:
        """Stop believing these books, for a reason seen from outside, and ask for new ones."""
        self._act(self.session.lose(market_ids, reason))

    def audit(self, count: int) -> int:
        """Compare up to ``count`` books with fresh snapshots, in turn; return how many."""
        asked = self.session.audit(count)
        if asked:
            self._wake.set()
        return asked

    def check(self) -> None:
        """Compare our subscriptions with those that the exchange lists."""
        self.session.check()
        self._wake.set()

    async def talk(self, link: FrameLink) -> None:
        """Hold the conversation on a fresh link until it is lost, which raises ConnectionError."""
        self._dials += 1
        self._unauthorised = 0
        self.connection = f"{self._name}-{self._dials}"
        self._given_up = ""
        self.lag = LagGauge()
        self.heard_s = self._clock.monotonic_s()
        self.data_s = None
        self._frames_heard = self.frames
        self.session.connected(self._monotonic_ns())
        self.is_connected = True
        log.info("link.up", extra={"connection": self.connection})
        error = ""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(link))
                tasks.create_task(self._attend(link))
                tasks.create_task(self._ping(link))
        except* _LOST as lost:
            error = repr(lost.exceptions[0])
        self.lost(self._given_up or error)  # at once: a link that hangs takes its time to close
        raise ConnectionError(self._given_up or error)  # raised inside except* it would come as a group

    def lost(self, reason: str) -> None:
        """Withdraw every quote, because there is no link."""
        self.is_connected = False
        self.heard_s = self.data_s = None
        self._act(self.session.disconnected(reason))
        self._tell_state()

    def unauthorised(self, refusal: Unauthorised) -> None:
        """Say once, and only when a fresh signature did not help, why the exchange lets nobody in."""
        self._unauthorised += 1
        failure: AuthFailure = auth_failure(api_error(401, refusal.body.encode()))
        if self._unauthorised == 2:
            log.error("link.unauthorised", extra={"cause": failure.value, "remedy": failure.remedy})
            self._alert("kalshi_feed.unauthorised", f"Kalshi refuses the feed's key: {failure}", failure.remedy)

    async def _read(self, link: FrameLink) -> None:
        loop = asyncio.get_running_loop()
        receive, now_ns = self.session.receive, self._clock.now_ns
        while True:
            frames = await link.receive()
            received_ts_ns = now_ns()
            self.frames += len(frames)
            if not self._settling:
                self._settling = True
                self._quiet_turns = 0
                self._behind_from_ns = received_ts_ns
                loop.call_soon(self._settle_when_quiet)
            for frame in frames:
                events = receive(frame, received_ts_ns)
                if events:
                    self._act(events)

    def _settle_when_quiet(self) -> None:
        if self.frames != self._frames_seen:
            self._frames_seen = self.frames
            self._quiet_turns = 0
        else:
            self._quiet_turns += 1
        if self._quiet_turns < _QUIET_TURNS:
            asyncio.get_running_loop().call_soon(self._settle_when_quiet)
            behind_ns = self._clock.now_ns() - _BEHIND_NS
            if behind_ns > self._behind_from_ns:
                self._act(self.session.settle(heard_before_ns=behind_ns))
            return
        self._settling = False
        self._act(self.session.settle())

    def _act(self, events: Sequence[Event]) -> None:
        for event in events:
            if type(event) is BookChanged:  # nearly always; a match statement costs four times as much
                self._publisher.mark(self, event.market_id)
                continue
            match event:
                case BookEnded(market_id):
                    self._publisher.stale((market_id,), "the exchange cleared the book: trading has ended")
                case BooksLost(market_ids, reason):
                    log.warning("books.lost", extra={"markets": len(market_ids), "reason": reason[:300]})
                    self._publisher.stale(market_ids, reason)
                    self._wake.set()
                case CommandRefused(code, text, market_ids):
                    self._refused(code, text, market_ids)
                case LinkUnusable(reason):
                    self._given_up = self._given_up or reason
                    self._wake.set()
                case AuditDiffered(market_id, differing):
                    self._differed(market_id, f"{differing} levels differ from a fresh snapshot")
                case ScaleContradicted(reason):
                    self._contradicted(reason)
                case ScaleProven():
                    self._scale_alarmed = False
                case MarketNews() | EventFees() | EventListed() | LifecycleMissed():
                    self._on_news(event)
        if self.session.has_data_to_send:
            self._wake.set()

    def _differed(self, market_id: MarketId, what: str) -> None:
        log.error("audit.differed", extra={"market": market_id, "what": what})
        self._alert("kalshi_feed.audit_differed", f"The streamed book of {market_id} was wrong", what)

    def _contradicted(self, reason: str) -> None:
        log.error("scale.contradicted", extra={"connection": self.connection, "reason": reason})
        if not self._scale_alarmed:
            self._scale_alarmed = True
            remedy = "nothing of this connection is quoted; if it stays so, change KALSHI_FEED_USE_YES_PRICE"
            self._alert("kalshi_feed.price_scale", f"Kalshi's {reason}", remedy)

    def _tell_state(self) -> None:
        state = self.state
        if state != self._state_told:
            self._state_told = state
            self.state_changed.set()

    def _refused(self, code: int, text: str, market_ids: tuple[MarketId, ...]) -> None:
        shown = ", ".join(market_ids[:5])
        log.error("markets.refused", extra={"code": code, "text": text[:100], "markets": shown})
        self._publisher.stale(market_ids, f"Kalshi does not stream this market (error {code})")
        self._alert("kalshi_feed.market_refused", f"Kalshi refuses to stream {len(market_ids)} markets", shown)

    async def _attend(self, link: FrameLink) -> None:
        """Send what the session wants to say, let its time pass, and notice silence."""
        while True:
            self._act(self.session.tick(self._monotonic_ns()))
            for text in self.session.data_to_send():
                await link.send(text)
            now_s = self._clock.monotonic_s()
            if self.frames != self._frames_heard:
                self._frames_heard = self.frames
                self.heard_s = self.data_s = now_s
            if self.lag.look(self.session.last_times, now_s):
                self._on_delay(self.lag.least_ms)
            self._tell_state()
            if self.heard_s is not None and now_s - self.heard_s > self._silent_s:
                self._given_up = f"no frame and no pong for {self._silent_s:.0f} s"
            elif self.lag.behind_for_s(now_s) >= _BEHIND_FOR_S:
                self._given_up = f"frames come {self.lag.lag_ms} ms late: dialling again is quicker than catching up"
            if self._given_up:
                raise ConnectionError(self._given_up)
            self._wake.clear()
            try:
                async with asyncio.timeout(_TICK_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _ping(self, link: FrameLink) -> None:
        """Ask for a sign of life each second; Kalshi's own pings come only every ten."""
        while True:
            pong = asyncio.ensure_future(await link.ping())
            pong.add_done_callback(self._ponged)
            await asyncio.sleep(_PING_S)

    def _ponged(self, pong: "asyncio.Future[float]") -> None:
        if not pong.cancelled() and pong.exception() is None:
            self.heard_s = self._clock.monotonic_s()

    def _monotonic_ns(self) -> int:
        return int(self._clock.monotonic_s() * 1_000_000_000)
