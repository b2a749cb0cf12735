"""One connection's books: the market WebSocket, the session on it, and the quotes that come of it.

The read loop waits for nothing but the socket. Books are marked for the publisher as the session announces them;
hashes are checked once nothing more is waiting, before the publisher reads the books.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from websockets.exceptions import WebSocketException

from shared.domain.market import MarketId
from shared.io.frame_link import FrameLink
from shared.runtime.clock import Clock
from shared.runtime.feed import QuoteState
from shared.runtime.lag import LagGauge
from shared.runtime.quote_sink import QuoteSink
from shared.venues.polymarket.asset_book import AssetTerms, Phase
from shared.venues.polymarket.events import (
    BookChanged,
    BookEnded,
    BooksLost,
    ResyncWanted,
    SessionEvent,
    TickSizeChanged,
)
from shared.venues.polymarket.rest import RestBook
from shared.venues.polymarket.rest_check import RestVerdict
from shared.venues.polymarket.session import PolymarketSession

_TICK_S = 0.05
_PING_S = 10.0
_REST_ONLY_LIMIT_S = 60.0
"""A connection that brings nothing while REST keeps its books is tried anew after this long."""
_LAGGING_S = 2.0
"""Behind by more than a second for this long: connecting anew is faster than reading what has piled up."""
_LOST = (OSError, WebSocketException)
_DATA_FRAMES = ("book", "price_change", "last_trade_price", "tick_size_change")

log = logging.getLogger(__name__)


class Catalog(Protocol):
    """Who must know at once what the stream says about a market itself."""

    def ended(self, market_id: MarketId) -> None:
        """The market has its result."""
        ...

    def tick_changed(self, market_id: MarketId, tick_size: str) -> None:
        """The market's price grid changed."""
        ...


class LiveBooks:
    """The books of up to 200 markets on one connection, as the publisher's source of quotes.

    ``unverified_s``: with neither data nor an agreeing REST book for this long nothing here is believed any more.
    """

    def __init__(
        self,
        publisher: QuoteSink,
        catalog: Catalog,
        clock: Clock,
        *,
        name: str,
        pong_s: float,
        unverified_s: float,
        resync: Callable[[], None],
        announce: Callable[[], None] = lambda: None,
    ) -> None:
        """``resync`` wakes whoever asks REST, to look at ``resync_wanted`` and ``wants_audit``.

        ``announce`` is called when a connection has its first books: it is live from then on.
        """
        self.session = PolymarketSession({})
        self._publisher = publisher
        self._catalog = catalog
        self._clock = clock
        self._name = name
        self._pong_s = pong_s
        self._unverified_s = unverified_s
        self._resync = resync
        self._announce = announce
        self._is_announced = False
        self._dials = 0
        self._wake = asyncio.Event()
        self._given_up = ""
        self._settling = False
        self._connected_s = 0.0
        self.resync_wanted: set[MarketId] = set()
        """Markets whose books REST should bring."""
        self.wants_audit = False
        """Whether there are books that REST has not confirmed yet; it also brings what their hashes cover."""
        self.frames = 0
        """Frames received since the start."""
        self.connection = f"{name}-0"
        self.is_connected = False
        self.heard_s: float | None = None
        """Monotonic time of the last frame, None before the first of this connection."""
        self.data_s: float | None = None
        """The same for frames that say something about a book."""
        self._lag = LagGauge()
        self._frames_heard = self._data_heard = 0
        self.verified_s = clock.monotonic_s()
        """Monotonic time of the last data or of the last REST answer that agreed."""

    @property
    def lag_ms(self) -> int:
        """How much later than usual changes arrive after the venue's timestamp, whatever the clocks' difference."""
        return self._lag.lag_ms

    @property
    def is_first_dial(self) -> bool:
        """Whether no link has been up yet."""
        return self._dials == 0

    @property
    def is_given_up(self) -> bool:
        """Whether the link is about to be dropped."""
        return bool(self._given_up)

    @property
    def wants_first_audit(self) -> bool:
        """Whether an audit is wanted and every first book is here."""
        return self.wants_audit and self.is_connected and not self.session.market_ids(Phase.AWAITING)

    def covers(self, other: "LiveBooks") -> bool:
        """Whether every book that ``other`` may quote is here as well, and no older."""
        mine, theirs = self.session, other.session
        return self.is_connected and all(
            (state := mine.book_state(market_id)) is not None and state.venue_ts_ms >= known.venue_ts_ms
            for market_id in theirs.market_ids(Phase.LIVE)
            if (known := theirs.book_state(market_id)) is not None
        )

    def quote_state(self, market_id: MarketId) -> QuoteState | None:
        """Return the book when it may be quoted now.

        Its newest hash is looked at first: with several connections the publisher may ask before ``_settle`` has run.
        """
        self._act(self.session.settle())
        state = self.session.book_state(market_id)
        if state is None:
            return None
        return QuoteState(
            state.book, state.venue_ts_ms, state.received_ts_ns, state.verified, state.updates, self.connection
        )

    def want(self, assets: Mapping[str, AssetTerms]) -> None:
        """Stream exactly these tokens from now on."""
        self._act(self.session.want(assets))
        self._want_audit()
        self._wake.set()

    def reconnect(self, reason: str) -> None:
        """Drop the link: what it says, or does not say, is not to be relied on."""
        self._given_up = self._given_up or reason
        self._wake.set()

    async def talk(self, link: FrameLink) -> None:
        """Hold the conversation on a fresh link until it is lost, which raises ConnectionError."""
        self._dials += 1
        self.connection = f"{self._name}-{self._dials}"
        self._given_up = ""
        self.heard_s = self.verified_s = self._connected_s = self._clock.monotonic_s()
        self.data_s = None
        self._frames_heard, self._data_heard = self.frames, self._data_frames()
        self._lag = LagGauge()
        self.session.connected()
        self._want_audit()
        self.is_connected = True
        self._is_announced = False
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

    def retire(self) -> None:
        """Forget every book without a word: another connection stands for these markets, and none comes back."""
        self.is_connected = False
        self.session.want({})

    def take_rest_book(self, rest: RestBook, received_ts_ns: int) -> RestVerdict:
        """Put a REST book in place where it is the better knowledge."""
        verdict, events = self.session.apply_rest_book(rest, received_ts_ns)
        if verdict in (RestVerdict.AGREES, RestVerdict.REPLACED):
            self.verified_s = self._clock.monotonic_s()
        self._act(events)
        return verdict

    def give_up(self, market_ids: Sequence[MarketId], reason: str) -> None:
        """Withdraw the quotes of these markets until their books are whole again."""
        self._act(self.session.give_up(market_ids, reason))

    async def _read(self, link: FrameLink) -> None:
        loop = asyncio.get_running_loop()
        receive = self.session.receive
        while True:
            frames = await link.receive()  # gives way, so that hashes are checked and quotes written
            received_ts_ns = self._clock.now_ns()
            self.frames += len(frames)
            if not self._settling:
                self._settling = True
                loop.call_soon(self._settle)  # before the publisher's flush, which is scheduled later in this turn
            for frame in frames:
                events = receive(frame, received_ts_ns)
                if events:
                    self._act(events)

    def _want_audit(self) -> None:
        self.wants_audit = True
        self._resync()

    def _settle(self) -> None:
        self._settling = False
        self._act(self.session.settle())

    def _act(self, events: Sequence[SessionEvent]) -> None:
        for event in events:
            match event:
                case BookChanged(market_id):
                    self._publisher.mark(self, market_id)
                case BooksLost(market_ids, reason):
                    log.warning("books.lost", extra={"markets": len(market_ids), "reason": reason[:300]})
                    self._publisher.stale(market_ids, reason)
                case ResyncWanted(market_ids, reason):
                    log.info("books.resync", extra={"markets": len(market_ids), "reason": reason[:300]})
                    self.resync_wanted.update(market_ids)
                    self._resync()
                case BookEnded(market_id):
                    self._publisher.stale((market_id,), "the market is resolved")
                    self._catalog.ended(market_id)
                case TickSizeChanged(market_id, tick_size):
                    self._catalog.tick_changed(market_id, tick_size)

    async def _attend(self, link: FrameLink) -> None:
        """Send what the session wants to say, let its time pass, and notice silence."""
        pongs_s = self._clock.monotonic_s()
        pongs = self.session.frames["PONG"]
        while True:
            for text in self.session.data_to_send():
                await link.send(text)
            now_s = self._clock.monotonic_s()
            self._act(self.session.due(now_s))
            if self.frames != self._frames_heard:
                self._frames_heard, self.heard_s = self.frames, now_s
            self._lag.look(self.session.newest_times, now_s)
            if self._lag.behind_for_s(now_s) > _LAGGING_S:
                self._given_up = self._given_up or f"{self.lag_ms} ms behind the venue"
            if (data := self._data_frames()) != self._data_heard:
                self._data_heard = data
                self.data_s = self.verified_s = now_s
            if self.session.frames["PONG"] != pongs:
                pongs, pongs_s = self.session.frames["PONG"], now_s
            self._check_silence(now_s, pongs_s)
            if not self._is_announced and not self.session.market_ids(Phase.AWAITING):
                self._is_announced = True
                self._announce()
            self._wake.clear()
            try:
                async with asyncio.timeout(_TICK_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _data_frames(self) -> int:
        return sum(self.session.frames[name] for name in _DATA_FRAMES)

    def _check_silence(self, now_s: float, pongs_s: float) -> None:
        if now_s - pongs_s > self._pong_s:
            self._given_up = self._given_up or f"no PONG for {self._pong_s:.0f} s"
        if now_s - self.verified_s > self._unverified_s and self.session.market_ids(Phase.LIVE):
            self._given_up = self._given_up or f"nothing verified for {self._unverified_s:.0f} s"
        spoke_s = self._connected_s if self.data_s is None else self.data_s
        if now_s - spoke_s > _REST_ONLY_LIMIT_S and self.session.rest_only_tokens():
            self._given_up = self._given_up or f"only REST has spoken for {_REST_ONLY_LIMIT_S:.0f} s"
        if self._given_up:
            raise ConnectionError(self._given_up)

    async def _ping(self, link: FrameLink) -> None:
        """Send the text the venue wants each ten seconds; its answer says nothing about the books."""
        while True:
            await link.send("PING")
            await asyncio.sleep(_PING_S)
