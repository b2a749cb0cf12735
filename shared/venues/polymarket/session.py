"""The conversation on Polymarket's market WebSocket, without a socket.

Feed it frames and it keeps one book per subscribed token, says which may be quoted and which are lost, and names
those to compare with REST. It never raises for anything the venue sends: what cannot be used is counted by reason.

    session.connected()
    for text in session.data_to_send(): ...
    for event in session.receive(frame, received_ts_ns): ...   # per frame
    for event in session.settle(): ...                         # when nothing more is waiting: hash checks
    for event in session.due(monotonic_s): ...                 # a few times a second: what should have come by now

There are no sequence numbers. What stands in for them: the top and the hash told with every change, timestamps
that never run backwards, and a REST book per token from time to time (``apply_rest_book``, ``audit_rest_book``).
Subscriptions as in the venue's AsyncAPI text and polymarket-client 0.14.0, read 2026-11-21.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from shared.domain.book import Book
from shared.domain.market import MarketId
from shared.venues.polymarket.asset_book import AssetBook, AssetTerms, Phase, Verified
from shared.venues.polymarket.book_keeping import BookKeeper
from shared.venues.polymarket.events import BooksLost, SessionEvent
from shared.venues.polymarket.rest import RestBook
from shared.venues.polymarket.rest_check import RestVerdict, apply_rest_book, audit_rest_book
from shared.venues.polymarket.schema import (
    BOOK_ENDING,
    CHANGE_ENDING,
    CHANGE_ENDING_LENGTH,
    UNREADABLE,
    BestBidAsk,
    BookFrame,
    Event,
    LastTrade,
    MarketResolved,
    NewMarket,
    PriceChange,
    TickSizeChange,
    decode_book,
    decode_price_change,
    read_frame,
)

MAX_ASSETS = 200
"""More tokens than this on one connection are reported to bring no first books (several reports, 2026)."""

_PONG = b"PONG"
_FRAME_NAMES: dict[type[Event], str] = {
    BookFrame: "book",
    PriceChange: "price_change",
    LastTrade: "last_trade_price",
    TickSizeChange: "tick_size_change",
    MarketResolved: "market_resolved",
    BestBidAsk: "best_bid_ask",
    NewMarket: "new_market",
}


class BookState(msgspec.Struct, frozen=True, gc=False):
    """A book that may be quoted, and how well it is known."""

    book: Book
    venue_ts_ms: int
    received_ts_ns: int
    verified: Verified
    updates: int


class PolymarketSession:
    """One connection's subscriptions and books."""

    def __init__(self, assets: Mapping[str, AssetTerms], *, custom_features: bool = True) -> None:
        """Want the books of ``assets``, by token id; ``custom_features`` adds the push that a market resolved."""
        self.frames: defaultdict[str, int] = defaultdict(int)
        """What came, by event type; ``PONG`` and ``[]`` are types too."""
        self._custom_features = custom_features
        self._keeper = BookKeeper()
        self._keeper.keep(assets)
        self._to_send: list[str] = []
        self._is_connected = False
        self._is_greeted = False

    # What the shell sends

    def connected(self) -> None:
        """A new connection is open: nothing of the last one counts any more."""
        self._keeper.forget_connection()
        self._to_send.clear()
        self._is_connected = True
        self._is_greeted = False
        self._subscribe([asset.token_id for asset in self._keeper.assets.values() if asset.phase is not Phase.ENDED])

    def disconnected(self, reason: str) -> Sequence[SessionEvent]:
        """The connection is gone, and with it every book."""
        lost = tuple(self.market_ids(Phase.LIVE, Phase.HELD))
        self._keeper.forget_connection()
        self._to_send.clear()
        self._is_connected = False
        return [BooksLost(lost, reason)] if lost else []

    def want(self, assets: Mapping[str, AssetTerms]) -> Sequence[SessionEvent]:
        """From now on want exactly ``assets``: subscribe the new ones, unsubscribe those left out."""
        left_out = [token_id for token_id in self._keeper.assets if token_id not in assets]
        added, dropped = self._keeper.keep(assets)
        if self._is_connected and left_out:
            self._send({"operation": "unsubscribe", "assets_ids": left_out})
        if self._is_connected:
            self._subscribe(added)
        return [BooksLost(tuple(dropped), "no longer wanted")] if dropped else []

    def data_to_send(self) -> list[str]:
        """Return the text frames to send now, oldest first, and forget them."""
        waiting, self._to_send = self._to_send, []
        return waiting

    # What the shell receives

    def receive(self, frame: bytes | str, received_ts_ns: int) -> Sequence[SessionEvent]:
        """Apply one frame and return what happened; never raises for what the venue sent."""
        keeper = self._keeper
        events: list[SessionEvent] = []
        keeper.trust.events = events
        if frame[-CHANGE_ENDING_LENGTH:] == CHANGE_ENDING:
            try:
                change = decode_price_change(frame)
            except UNREADABLE:
                pass  # read with more patience below
            else:
                self.frames["price_change"] += 1
                keeper.on_price_change(change, received_ts_ns)
                return events
        self._receive_any(frame.encode("utf-8", "replace") if isinstance(frame, str) else frame, received_ts_ns)
        return events

    def settle(self) -> Sequence[SessionEvent]:
        """Check the hashes of the books changed since the last call: once per book, however often it changed."""
        if not self._keeper.hashes.to_prove:
            return ()
        events = self._new_events()
        self._keeper.hashes.settle()
        return events

    def due(self, now_s: float) -> Sequence[SessionEvent]:
        """Act on what did not come in time; ``now_s`` is a monotonic clock. Time counts from the first call on."""
        events = self._new_events()
        self._keeper.due(now_s)
        return events

    def apply_rest_book(self, rest: RestBook, received_ts_ns: int) -> tuple[RestVerdict, Sequence[SessionEvent]]:
        """Take over a book from REST unless the connection knows better."""
        events = self._new_events()
        verdict = apply_rest_book(self._keeper, rest, received_ts_ns)
        return verdict, events

    def audit_rest_book(self, rest: RestBook) -> RestVerdict:
        """Compare a book from REST with the kept one, which stays as it is."""
        return audit_rest_book(self._keeper, rest)

    def give_up(self, market_ids: Sequence[MarketId], reason: str) -> Sequence[SessionEvent]:
        """Do not believe these books any more until they come whole, whatever the connection says."""
        events = self._new_events()
        for market_id in market_ids:
            asset = self._keeper.by_market.get(market_id)
            if asset is not None:
                self._keeper.trust.lose(asset, reason)
        return events

    # What the shell asks

    def book_state(self, market_id: MarketId) -> BookState | None:
        """Return the book to quote, None while it may not be: no book yet, inside a burst, lost or ended."""
        asset = self._keeper.by_market.get(market_id)
        if asset is None or asset.phase is not Phase.LIVE or asset.is_doubted:
            return None
        return BookState(asset.book, asset.ts_ms, asset.received_ts_ns, asset.verified, asset.updates)

    def asset_book(self, token_id: str) -> AssetBook | None:
        """Return a token's book in whatever phase it is, None when the token is not wanted."""
        return self._keeper.assets.get(token_id)

    def token_of(self, market_id: MarketId) -> str | None:
        """Return the token whose book stands for a market, None when it is not wanted."""
        asset = self._keeper.by_market.get(market_id)
        return None if asset is None else asset.token_id

    def market_ids(self, *phases: Phase) -> list[MarketId]:
        """Return the markets whose books are in one of ``phases``, all markets when none is named."""
        assets = self._keeper.assets.values()
        return [asset.terms.market_id for asset in assets if not phases or asset.phase in phases]

    def streamed_tokens(self) -> list[str]:
        """Return the tokens whose live books this connection keeps."""
        assets = self._keeper.assets.values()
        return [asset.token_id for asset in assets if asset.phase is Phase.LIVE and asset.is_streamed]

    def unsure_ids(self) -> list[MarketId]:
        """Return the markets whose books are lost or in doubt: REST may know better."""
        assets = self._keeper.assets.values()
        return [asset.terms.market_id for asset in assets if asset.phase is Phase.LOST or asset.is_doubted]

    def rest_only_tokens(self) -> list[str]:
        """Return the tokens whose books live on REST alone, because this connection brought nothing for them."""
        assets = self._keeper.assets.values()
        return [asset.token_id for asset in assets if asset.phase is Phase.LIVE and not asset.is_streamed]

    @property
    def newest_times(self) -> tuple[int, int] | None:
        """The venue's milliseconds and our nanoseconds of the newest change, None before the first."""
        keeper = self._keeper
        return (keeper.newest_ts_ms, keeper.newest_received_ts_ns) if keeper.newest_ts_ms else None

    @property
    def refused(self) -> Counter[str]:
        """What was not used, by reason."""
        return self._keeper.trust.refused

    @property
    def hash_matches(self) -> int:
        """Hashes that proved a book."""
        return self._keeper.hashes.matches

    @property
    def hash_early(self) -> int:
        """Hashes that belonged to a later message of the same timestamp."""
        return self._keeper.hashes.early

    @property
    def hash_mismatches(self) -> int:
        """Hashes that never came to match."""
        return self._keeper.hashes.mismatches

    @property
    def resyncs(self) -> int:
        """How many books were put right by REST, or lost, because a message about them did not come."""
        return self._keeper.trust.resyncs

    def _new_events(self) -> list[SessionEvent]:
        events: list[SessionEvent] = []
        self._keeper.trust.events = events
        return events

    def _receive_any(self, frame: bytes, received_ts_ns: int) -> None:
        if frame == _PONG:
            self.frames["PONG"] += 1
            return
        if frame.endswith(BOOK_ENDING):
            try:
                book = decode_book(frame)
            except UNREADABLE:
                pass  # read with more patience below
            else:
                self.frames["book"] += 1
                self._keeper.on_book(book, received_ts_ns)
                return
        messages, refusals = read_frame(frame)
        for message in messages:
            self.frames[_FRAME_NAMES[type(message)]] += 1
            self._on_message(message, received_ts_ns)
        for refusal in refusals:
            self._keeper.on_unreadable(refusal)
        if not messages and not refusals:
            self.frames["[]"] += 1
            self._keeper.trust.told_nothing()

    def _on_message(self, message: Event, received_ts_ns: int) -> None:
        match message:
            case PriceChange():
                self._keeper.on_price_change(message, received_ts_ns)
            case BookFrame():
                self._keeper.on_book(message, received_ts_ns)
            case LastTrade():
                self._keeper.on_trade(message)
            case TickSizeChange():
                self._keeper.on_tick_size(message)
            case MarketResolved():
                self._keeper.on_resolved(message)

    def _subscribe(self, token_ids: list[str]) -> None:
        if not token_ids:
            return
        self._keeper.expect(token_ids)
        kind = {"operation": "subscribe"} if self._is_greeted else {"type": "market"}
        self._is_greeted = True
        self._send({**kind, "assets_ids": token_ids, "custom_feature_enabled": self._custom_features})

    def _send(self, message: dict[str, object]) -> None:
        self._to_send.append(msgspec.json.encode(message).decode())
