"""All books of one connection, and what the venue's messages do to them.

The keeper is told what the venue said, message by message, and tells what follows from it as events. It does not
know frames or subscriptions. What becomes of a book in trouble is in ``book_trust``, what the hashes say in
``hash_checks``. From the venue's recorded messages (May to September 2026):

- a change is applied at once; the book is quoted when its own top equals the told one and it is not crossed;
- what is older than what was applied is dropped; equal timestamps are usual.
"""

from collections.abc import Mapping

import msgspec

from shared.domain.market import MarketId
from shared.domain.numbers import NumberRefused
from shared.venues.polymarket.asset_book import AssetBook, AssetTerms, Phase, SideRefused
from shared.venues.polymarket.book_trust import BookTrust, refusal_of
from shared.venues.polymarket.events import BookEnded, TickSizeChanged
from shared.venues.polymarket.hash_checks import HashChecks
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

# Members of an Enum cost a slow look-up each time in Python 3.11; the hot loop compares with these.
_AWAITING, _LIVE, _LOST = Phase.AWAITING, Phase.LIVE, Phase.LOST


class BookKeeper:
    """The books by token id, and what the venue says about them."""

    def __init__(self) -> None:
        self.assets: dict[str, AssetBook] = {}
        self.by_market: dict[str, AssetBook] = {}
        self.trust = BookTrust()
        self.hashes = HashChecks(self.trust)
        self.newest_ts_ms = 0
        self.newest_received_ts_ns = 0
        self._by_condition: dict[str, AssetBook] = {}
        self._to_prove = self.hashes.to_prove

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
        self.newest_ts_ms = self.newest_received_ts_ns = 0
        self.trust.connection_forgotten()

    def expect(self, token_ids: list[str]) -> None:
        """These tokens were subscribed: their books should come."""
        self.trust.expect(self.assets[token_id] for token_id in token_ids)

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
                self.trust.refuse_unused(asset, ts_ms)
                continue
            try:
                asset.change(change.price, change.size, change.side)
            except (NumberRefused, SideRefused) as refused:
                self.trust.refuse_change(asset, refusal_of(refused))
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
        if asset is None or asset.phase is Phase.ENDED or self.trust.names_wrong_market(asset, message.market):
            return
        ts_ms = message.timestamp
        if ts_ms < 0:
            self.trust.refuse_change(asset, Refusal.BAD_TIMESTAMP)
            return
        if ts_ms < asset.ts_ms:
            self.trust.refused[Refusal.OLDER] += 1
            return
        if asset.phase is _LIVE and asset.is_proved_by(message.hash, ts_ms):
            self.hashes.matches += 1
            asset.updates += 1
            asset.received_ts_ns = received_ts_ns
            self.trust.events.append(asset.changed)
            return
        try:
            asset.replace(message.bids, message.asks, ts_ms=ts_ms, sent_hash=message.hash)
        except (NumberRefused, FrameRefused) as refused:
            self.trust.refuse_change(asset, refusal_of(refused))
            return
        self._learn_from(message, asset)
        is_first = asset.phase is _AWAITING
        asset.is_streamed = True
        self.trust.take_whole(asset, received_ts_ns, "top", is_believed=asset.is_excused or not asset.is_checkable)
        if not is_first:
            self.hashes.queue(asset)
        elif asset.is_checkable:
            self.hashes.prove(asset)  # at once: the next frame of this turn may be the middle of a burst
            if asset.needs_rest:
                self.trust.ask_rest([asset], "the first book does not have its hash")

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
            self.trust.refused[Refusal.BAD_NUMBER] += 1
            return
        self.hashes.trade_learned(asset)

    def on_tick_size(self, message: TickSizeChange) -> None:
        """Hash with the new step from now on, and have the book compared: orders off the new grid may be gone."""
        asset = self.assets.get(message.asset_id)
        if asset is None:
            return
        asset.learn_tick_size(message.new_tick_size)
        self.trust.events.append(TickSizeChanged(asset.terms.market_id, message.new_tick_size))
        self.trust.ask_rest([asset], "tick size changed")

    def on_resolved(self, message: MarketResolved) -> None:
        """The market is over; its book is gone for good."""
        named = [self.assets.get(token_id) for token_id in message.assets_ids]
        named.append(self._by_condition.get(message.market))
        for asset in named:
            if asset is not None and asset.phase is not Phase.ENDED:
                self._forget_timers(asset)
                asset.forget(Phase.ENDED)
                self.trust.events.append(BookEnded(asset.terms.market_id))

    def on_unreadable(self, refusal: Refusal) -> None:
        """A part of a frame was refused: anything but an unknown kind of event may have changed any book."""
        self.trust.refused[refusal] += 1
        if refusal is not Refusal.UNKNOWN_TYPE:
            told = [asset for asset in self.assets.values() if asset.phase in (Phase.LIVE, Phase.HELD, Phase.LOST)]
            self.trust.want_resync(told, refusal.value)

    # What is to be quoted

    def due(self, now_s: float) -> None:
        """Act on bursts, hashes and first books that should have come by now."""
        self.trust.end_bursts(now_s)
        self.hashes.due(now_s)
        self.trust.due(now_s)

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
            self.trust.refuse_change(asset, Refusal.BAD_NUMBER)
            return
        if not asset.is_queued and asset.is_checkable:
            asset.is_queued = True
            self._to_prove.append(asset)
        if is_complete and asset.phase is _LIVE:
            self.trust.events.append(asset.changed)
        elif asset.phase is not _LOST:
            self.trust.hold_or_release(asset, is_complete=is_complete, is_next_operation=is_next_operation)

    def _join_stream(self, asset: AssetBook) -> None:
        """The connection speaks for the first time about a book that REST brought: what came between is unknown.

        Only the hash can tell that nothing did; else REST is asked once more, now that the changes are flowing.
        """
        asset.is_streamed = True
        self.trust.lose(asset, "the stream began on a REST book")

    def _forget_timers(self, asset: AssetBook) -> None:
        self.hashes.forget(asset)
        self.trust.forget(asset)
