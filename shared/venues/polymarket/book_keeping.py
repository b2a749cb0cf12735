"""All books of one connection, and what makes each of them believed, held back, lost or whole again.

The keeper is told what the venue said, message by message, and tells what follows from it as events. It does not
know frames or subscriptions. The rules, from the venue's recorded messages (May to September 2026):

- a change is applied at once; the book is quoted when its own top equals the told one and it is not crossed;
- a book whose hashes matched so far is held back when one does not: a burst can have the right top early, and below
  the top a message may be missing. That ends when a hash matches, when REST answers, or after a second;
- a whole book that does not have its hash may be the other token's: it is held back until a hash matches or REST
  answers, however long that takes, unless REST has shown that the hashes of right books do not match;
- a burst that has not ended after 250 ms, or when the next operation begins, lost a message;
- what is older than what was applied is dropped; equal timestamps are usual;
- a number that the gate refuses leaves the book unknown, so it is lost.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec

from shared.domain.market import MarketId
from shared.domain.numbers import NumberRefused
from shared.venues.polymarket.asset_book import AssetBook, AssetTerms, Phase, SideRefused, Verified
from shared.venues.polymarket.events import BookEnded, BooksLost, ResyncWanted, SessionEvent, TickSizeChanged
from shared.venues.polymarket.schema import (
    BookFrame,
    Change,
    FrameRefused,
    LastTrade,
    MarketResolved,
    PriceChange,
    Refusal,
    TickSizeChange,
)

HOLD_S = 0.25
"""A burst that has not ended after this long lost a message."""
DOUBT_S = 1.0
"""A book whose hash stopped matching is quoted by its top again when REST has not said more after this long."""
SNAPSHOT_S = 10.0
"""A subscribed token without a book after this long is asked for again."""

# Members of an Enum cost a slow look-up each time in Python 3.11; the hot loop compares with these.
_AWAITING, _LIVE, _HELD, _LOST = Phase.AWAITING, Phase.LIVE, Phase.HELD, Phase.LOST


class BookKeeper:
    """The books by token id, the counters, and the events of the message in hand."""

    def __init__(self) -> None:
        self.assets: dict[str, AssetBook] = {}
        self.by_market: dict[str, AssetBook] = {}
        self.events: list[SessionEvent] = []
        self.refused: Counter[str] = Counter()
        self.hash_matches = 0
        self.hash_early = 0
        self.hash_mismatches = 0
        self.resyncs = 0
        self.newest_ts_ms = 0
        self.newest_received_ts_ns = 0
        self._by_condition: dict[str, AssetBook] = {}
        self.to_prove: list[AssetBook] = []
        """Books whose newest hash has not been looked at yet."""
        self._undecided: dict[AssetBook, float | None] = {}
        self._doubted: dict[AssetBook, float | None] = {}
        self._held: dict[AssetBook, float | None] = {}
        self._awaited: dict[AssetBook, float | None] = {}
        self._is_told_nothing = False

    # Which books

    def keep(self, assets: Mapping[str, AssetTerms]) -> tuple[list[str], list[MarketId]]:
        """Keep exactly these books; return the tokens that are new and the markets that are no longer kept."""
        dropped = [asset for token_id, asset in self.assets.items() if token_id not in assets]
        for asset in dropped:
            self._forget_timers(asset)
            del self.assets[asset.token_id]
        added = [token_id for token_id in assets if token_id not in self.assets]
        self.assets.update({token_id: AssetBook(token_id, assets[token_id]) for token_id in added})
        self.by_market = {asset.terms.market_id: asset for asset in self.assets.values()}
        self._by_condition = {
            asset.terms.condition_id: asset for asset in self.assets.values() if asset.terms.condition_id
        }
        return added, [asset.terms.market_id for asset in dropped]

    def forget_connection(self) -> None:
        """Nothing said so far counts any more; only ended markets stay ended."""
        for asset in self.assets.values():
            self._forget_timers(asset)
            if asset.phase is not Phase.ENDED:
                asset.forget(Phase.AWAITING)
        self.to_prove.clear()
        self._is_told_nothing = False

    def expect(self, token_ids: list[str]) -> None:
        """These tokens were subscribed: their books should come."""
        for token_id in token_ids:
            self._awaited[self.assets[token_id]] = None

    # What the venue said

    def on_price_change(self, message: PriceChange, received_ts_ns: int) -> None:
        """Apply the entries of the kept tokens; those of their siblings are the same news mirrored."""
        assets = self.assets
        ts_ms = message.timestamp
        changed: AssetBook | None = None
        last = None
        for change in message.price_changes:
            asset = assets.get(change.asset_id)
            if asset is None:
                continue
            if changed is not None and changed is not asset:
                self._judge(changed, last, ts_ms)
                changed = None
            if ts_ms < asset.ts_ms or not asset.has_book:
                self._refuse_unused(asset, ts_ms)
                continue
            try:
                asset.change(change.price, change.size, change.side)
            except (NumberRefused, SideRefused) as refused:
                self._refuse_change(asset, _refusal_of(refused))
                continue
            asset.received_ts_ns = received_ts_ns
            changed, last = asset, change
        if changed is not None:
            self._judge(changed, last, ts_ms)
            self.newest_ts_ms = ts_ms
            self.newest_received_ts_ns = received_ts_ns

    def on_book(self, message: BookFrame, received_ts_ns: int) -> None:
        """Replace a token's book."""
        asset = self.assets.get(message.asset_id)
        if asset is None or asset.phase is Phase.ENDED or self.names_wrong_market(asset, message.market):
            return
        ts_ms = message.timestamp
        if ts_ms < 0:
            self._refuse_change(asset, Refusal.BAD_TIMESTAMP)
            return
        if ts_ms < asset.ts_ms:
            self.refused[Refusal.OLDER] += 1
            return
        if asset.phase is _LIVE and asset.is_proved_by(message.hash, ts_ms):
            self.hash_matches += 1
            asset.updates += 1
            asset.received_ts_ns = received_ts_ns
            self.events.append(asset.changed)
            return
        try:
            asset.replace(message.bids, message.asks, ts_ms=ts_ms, sent_hash=message.hash)
        except (NumberRefused, FrameRefused) as refused:
            self._refuse_change(asset, _refusal_of(refused))
            return
        self._learn_from(message, asset)
        is_first = asset.phase is _AWAITING
        asset.is_streamed = True
        self.take_whole(asset, received_ts_ns, "top", is_believed=asset.is_excused or not asset.is_checkable)
        if not is_first:
            self._queue_proof(asset)
        elif asset.is_checkable:
            self._prove(asset)  # at once: the next frame of this turn may be the middle of a burst
            if asset.needs_rest:
                self.ask_rest([asset], "the first book does not have its hash")

    @staticmethod
    def _learn_from(message: BookFrame, asset: AssetBook) -> None:
        """Only the first book of a connection says anything besides its levels."""
        if message.tick_size or message.last_trade_price is not None:
            tick_size = message.tick_size or asset.terms.tick_size
            terms = msgspec.structs.replace(asset.terms, tick_size=tick_size)
            asset.learn(terms, last_trade_price=message.last_trade_price)

    def on_trade(self, message: LastTrade) -> None:
        """Remember the price: the hashes may have been waiting for it. Either token's trade will do."""
        asset = self.assets.get(message.asset_id) or self._by_condition.get(message.market)
        if asset is None:
            return
        try:
            asset.learn_trade(message.price)
        except NumberRefused:
            self.refused[Refusal.BAD_NUMBER] += 1
            return
        if asset in self._undecided:
            self._queue_proof(asset)

    def on_tick_size(self, message: TickSizeChange) -> None:
        """Hash with the new step from now on, and have the book compared: orders off the new grid may be gone."""
        asset = self.assets.get(message.asset_id)
        if asset is None:
            return
        asset.learn_tick_size(message.new_tick_size)
        self.events.append(TickSizeChanged(asset.terms.market_id, message.new_tick_size))
        self.ask_rest([asset], "tick size changed")

    def on_resolved(self, message: MarketResolved) -> None:
        """The market is over; its book is gone for good."""
        named = [self.assets.get(token_id) for token_id in message.assets_ids]
        named.append(self._by_condition.get(message.market))
        for asset in named:
            if asset is not None and asset.phase is not Phase.ENDED:
                self._forget_timers(asset)
                asset.forget(Phase.ENDED)
                self.events.append(BookEnded(asset.terms.market_id))

    def on_nothing(self) -> None:
        """The venue answered with no book at all: REST may have those that were subscribed. Asked once a connection."""
        if self._awaited and not self._is_told_nothing:
            self._is_told_nothing = True
            self.ask_rest(list(self._awaited), "the venue answered without books")

    def on_unreadable(self, refusal: Refusal) -> None:
        """A part of a frame was refused: anything but an unknown kind of event may have changed any book."""
        self.refused[refusal] += 1
        if refusal is not Refusal.UNKNOWN_TYPE:
            told = [asset for asset in self.assets.values() if asset.phase in (Phase.LIVE, Phase.HELD, Phase.LOST)]
            self.want_resync(told, refusal.value)

    # Checks

    def settle(self) -> None:
        """Check the newest hash of every book that changed since the last call."""
        queue, self.to_prove = self.to_prove, []
        for asset in queue:
            asset.is_queued = False
            if asset.is_checkable:
                self._prove(asset)

    def due(self, now_s: float) -> None:
        """Act on bursts, hashes and first books that should have come by now."""
        for asset in _overdue(self._held, now_s, HOLD_S):
            self.lose(asset, "burst did not end")
        for asset in _overdue(self._undecided, now_s, HOLD_S):
            self._count_miss(asset)
        for asset in _overdue(self._doubted, now_s, DOUBT_S):
            if asset.needs_rest:
                self._doubted[asset] = None
                self.ask_rest([asset], "a whole book does not have its hash")
            else:
                self.end_doubt(asset)
        missing = _overdue(self._awaited, now_s, SNAPSHOT_S)
        if missing:
            self._say_missing([asset for asset in missing if not asset.is_said_missing])
            self.want_resync(missing, "no book within 10 s")
            self._awaited.update(dict.fromkeys(missing))

    def _say_missing(self, assets: list[AssetBook]) -> None:
        for asset in assets:
            asset.is_said_missing = True
        if assets:
            self.events.append(BooksLost(_market_ids(assets), "no book within 10 s"))

    # Trust

    def names_wrong_market(self, asset: AssetBook, market: str) -> bool:
        """Whether the venue puts this token into another market than the catalog: then nobody may trade it."""
        expected = asset.terms.condition_id
        if not market or not expected or market == expected:
            return False
        self.refused[Refusal.WRONG_MARKET] += 1
        self.lose(asset, Refusal.WRONG_MARKET.value)
        return True

    def take_whole(
        self, asset: AssetBook, received_ts_ns: int, verified: Verified, *, is_believed: bool = True
    ) -> None:
        """A complete book was put in place: quote it, unless it is crossed or its hash or REST must prove it first."""
        asset.updates += 1
        asset.received_ts_ns = received_ts_ns
        asset.verified = verified
        asset.is_doubted = asset.needs_rest = not is_believed
        self._doubted.pop(asset, None)
        self._awaited.pop(asset, None)
        self._held.pop(asset, None)
        if not is_believed:
            self._doubted[asset] = None
        if asset.is_crossed_or_locked:
            asset.phase = Phase.HELD
            self._held[asset] = None
        else:
            asset.phase = Phase.LIVE
            if is_believed:
                self.events.append(asset.changed)

    def lose(self, asset: AssetBook, reason: str) -> None:
        """The book may not be used until it is whole again; say so once."""
        if asset.phase in (Phase.LOST, Phase.ENDED):
            return
        asset.phase = Phase.LOST
        self._held.pop(asset, None)
        self._awaited.pop(asset, None)
        self.events.append(BooksLost((asset.terms.market_id,), reason))
        self.want_resync([asset], reason)

    def want_resync(self, assets: list[AssetBook], reason: str) -> None:
        """A message about these books must have been lost: count that, and ask REST for them."""
        if assets:
            self.resyncs += len(assets)
            self.ask_rest(assets, reason)

    def ask_rest(self, assets: list[AssetBook], reason: str) -> None:
        """Let REST say whether these books are right."""
        self.events.append(ResyncWanted(_market_ids(assets), reason))

    def _judge(self, asset: AssetBook, change: Change | None, ts_ms: int) -> None:
        """After an operation's change, or one of a burst's: may the book be quoted?"""
        assert change is not None
        is_next_operation = ts_ms > asset.ts_ms
        asset.ts_ms = ts_ms
        asset.updates += 1
        asset.verified = "top"
        if not asset.is_streamed:
            self._join_stream(asset)
        try:
            is_complete = asset.told(change.best_bid, change.best_ask, change.hash)
        except NumberRefused:
            self._refuse_change(asset, Refusal.BAD_NUMBER)
            return
        if not asset.is_queued and asset.is_checkable:
            asset.is_queued = True
            self.to_prove.append(asset)
        if is_complete and asset.phase is _LIVE:
            self.events.append(asset.changed)
        elif asset.phase is not _LOST:
            self._hold_or_release(asset, is_complete=is_complete, is_next_operation=is_next_operation)

    def _join_stream(self, asset: AssetBook) -> None:
        """The connection speaks for the first time about a book that REST brought: what came between is unknown.

        Only the hash can tell that nothing did; else REST is asked once more, now that the changes are flowing.
        """
        asset.is_streamed = True
        self.lose(asset, "the stream began on a REST book")

    def _hold_or_release(self, asset: AssetBook, *, is_complete: bool, is_next_operation: bool) -> None:
        """A burst begins, goes on or ends; one that is still open when the next operation begins lost a message."""
        if is_complete:
            self._release(asset)
            if is_next_operation:
                self.want_resync([asset], "burst did not end")
            self.events.append(asset.changed)
        elif asset.phase is _LIVE:
            asset.phase = Phase.HELD
            self._held[asset] = None
        elif is_next_operation:
            self.lose(asset, "burst did not end")

    def _queue_proof(self, asset: AssetBook) -> None:
        if asset.is_checkable and not asset.is_queued:
            asset.is_queued = True
            self.to_prove.append(asset)

    def _prove(self, asset: AssetBook) -> None:
        is_early = bool(self._undecided) and asset in self._undecided
        if is_early and asset.undecided_ts_ms != asset.ts_ms:
            self._count_miss(asset)
            is_early = False
        if not asset.prove():
            asset.undecided_ts_ms = asset.ts_ms
            asset.is_doubted = asset.is_doubted or asset.is_proving
            self._undecided.setdefault(asset, None)
            return
        if is_early:
            del self._undecided[asset]
            self.hash_early += 1
        self.hash_matches += 1
        asset.misses = 0
        asset.verified = "hash"
        asset.is_proving = True
        if asset.is_doubted:
            self.end_doubt(asset)
        phase = asset.phase
        if phase is not _LIVE and (phase is _HELD or phase is _LOST) and not asset.is_crossed_or_locked:
            self._release(asset)
            self.events.append(asset.changed)

    def _count_miss(self, asset: AssetBook) -> None:
        self._undecided.pop(asset, None)
        self.hash_mismatches += 1
        asset.misses += 1
        if asset.is_proving or asset.needs_rest:
            asset.is_proving = False
            if asset not in self._doubted or not asset.needs_rest:
                self._doubted[asset] = None
            self.ask_rest([asset], "a hash did not match")
        elif asset.misses % asset.misses_allowed == 0:
            self.ask_rest([asset], f"{asset.misses} hashes in a row did not match")

    def end_doubt(self, asset: AssetBook) -> None:
        """What can be said about the book has been said: it may be quoted again."""
        asset.is_doubted = asset.needs_rest = False
        self._doubted.pop(asset, None)
        if asset.phase is _LIVE:
            self.events.append(asset.changed)

    def _release(self, asset: AssetBook) -> None:
        asset.phase = Phase.LIVE
        self._held.pop(asset, None)

    def _refuse_unused(self, asset: AssetBook, ts_ms: int) -> None:
        if ts_ms < 0:
            self._refuse_change(asset, Refusal.BAD_TIMESTAMP)
        elif asset.phase in (Phase.AWAITING, Phase.ENDED):
            self.refused[Refusal.NO_SNAPSHOT] += 1
        else:
            self.refused[Refusal.OLDER] += 1

    def _refuse_change(self, asset: AssetBook, refusal: Refusal) -> None:
        self.refused[refusal] += 1
        self.lose(asset, refusal.value)

    def _forget_timers(self, asset: AssetBook) -> None:
        for waiting in (self._undecided, self._doubted, self._held, self._awaited):
            waiting.pop(asset, None)


def _refusal_of(refused: NumberRefused | SideRefused | FrameRefused) -> Refusal:
    if isinstance(refused, FrameRefused):
        return refused.refusal
    return Refusal.BAD_SIDE if isinstance(refused, SideRefused) else Refusal.BAD_NUMBER


def _overdue(waiting: dict[AssetBook, float | None], now_s: float, limit_s: float) -> list[AssetBook]:
    """Take out and return those that have waited ``limit_s``; the clock starts for those seen first now."""
    overdue = []
    for asset, deadline_s in waiting.items():
        if deadline_s is None:
            waiting[asset] = now_s + limit_s
        elif now_s >= deadline_s:
            overdue.append(asset)
    for asset in overdue:
        del waiting[asset]
    return overdue


def _market_ids(assets: list[AssetBook]) -> tuple[MarketId, ...]:
    return tuple(asset.terms.market_id for asset in assets)
