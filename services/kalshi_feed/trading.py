"""Which markets may be quoted: what the exchange said about their life, and closings that happen by time alone.

Kalshi sends nothing when a market opens or closes on time, one message when a person halts it, and two when its answer
is known. A halt by message outlasts any listing that was read before it (Kalshi API reference, read 2026-11-21).
"""

from collections.abc import Iterable, Set

from shared.domain.market import Market, MarketId, MarketStatus
from shared.venues.kalshi.exchange import ExchangeStatus
from shared.venues.kalshi.lifecycle import MarketNews

_FORGET_AFTER_MS = 24 * 3_600_000
_NEVER_MS = 2**63
_TIME_HAS_COME = "the market's time to close has come"
_FINAL = {"determined": "the exchange has determined the answer", "settled": "the exchange has settled the market"}


class TradingState:
    """The markets that are not to be quoted, each with its reason."""

    def __init__(self) -> None:
        self._halted: dict[MarketId, tuple[str, int]] = {}
        self._over: set[MarketId] = set()
        self._closes_ms: dict[MarketId, int] = {}
        self._first_close_ms = _NEVER_MS
        """No market closes before this."""
        self._looked_ms = 0
        self._shards: dict[MarketId, int] = {}
        self._paused = ""
        self._paused_shards: frozenset[int] = frozenset()

    def why_not(self, market_id: MarketId) -> str | None:
        """Return why a market is not to be quoted; None when it may be."""
        if self._paused:
            return self._paused
        if self._paused_shards and self._shards.get(market_id, 0) in self._paused_shards:
            return "the market's exchange shard is paused"
        halt = self._halted.get(market_id)
        return None if halt is None else halt[0]

    def exchange(self, status: ExchangeStatus, watched: Iterable[MarketId]) -> list[MarketId]:
        """Take the exchange's status; return those of ``watched`` that may be quoted now or no longer."""
        watched = list(watched)
        before = {market_id: self.why_not(market_id) is None for market_id in watched}
        self._paused = "" if status.trades else "the exchange is paused"
        self._paused_shards = status.untradable_shards() if status.trades else frozenset()
        return [market_id for market_id in watched if (self.why_not(market_id) is None) != before[market_id]]

    def heard(self, news: MarketNews, now_ms: int) -> bool:
        """Take news of one market; return whether it may be quoted now and could not be before, or the reverse."""
        before = self.why_not(news.market_id) is None
        match news.happening:
            case "determined" | "settled":
                self._over.add(news.market_id)
                self._halted[news.market_id] = (_FINAL[news.happening], now_ms)
            case "deactivated":
                self._halted[news.market_id] = ("the exchange has halted the market", now_ms)
            case "activated" if news.market_id not in self._over:
                self._halted.pop(news.market_id, None)
            case "close_date_updated" if news.close_ts_s is not None:
                self._close_at(news.market_id, news.close_ts_s * 1000, now_ms)
            case _:
                pass
        return (self.why_not(news.market_id) is None) != before

    def listed(self, markets: Iterable[Market], *, read_ms: int) -> list[MarketId]:
        """Take a listing whose reading began at ``read_ms``; return the markets that may be quoted now or no longer."""
        markets = list(markets)
        changed = []
        self._forget(self._halted.keys() - {market.market_id for market in markets}, read_ms)
        for market in markets:
            before = self.why_not(market.market_id) is None
            self._shards[market.market_id] = market.exchange_index
            if market.close_time is not None:
                closes_ms = int(market.close_time.timestamp()) * 1000
                if closes_ms > read_ms:
                    self._note_close(market.market_id, closes_ms)
            self._take_status(market, read_ms)
            if (self.why_not(market.market_id) is None) != before:
                changed.append(market.market_id)
        return changed

    def due(self, now_ms: int) -> list[MarketId]:
        """Return the markets whose time to close has come since the last call.

        Only a close that lies ahead when it is heard of counts: one that is past while the exchange says that the
        market is open was moved. A clock that goes back takes the halts along, which would outlast every listing.
        """
        if now_ms < self._looked_ms:
            self._halted = {market_id: (why, min(at_ms, now_ms)) for market_id, (why, at_ms) in self._halted.items()}
        self._looked_ms = now_ms
        if now_ms < self._first_close_ms:
            return []
        found = [market_id for market_id, closes_ms in self._closes_ms.items() if closes_ms <= now_ms]
        for market_id in found:
            del self._closes_ms[market_id]
            self._halted.setdefault(market_id, (_TIME_HAS_COME, now_ms))
        self._first_close_ms = min(self._closes_ms.values(), default=_NEVER_MS)
        return found

    def _take_status(self, market: Market, read_ms: int) -> None:
        halt = self._halted.get(market.market_id)
        if market.status is not MarketStatus.OPEN:
            if halt is None:
                self._halted[market.market_id] = (f"the exchange lists the market as {market.status}", read_ms)
        elif halt is not None and halt[1] < read_ms and market.market_id not in self._over:
            del self._halted[market.market_id]

    def _forget(self, unlisted: Set[MarketId], read_ms: int) -> None:
        """Let go of markets that were halted a day ago and are not listed any more: no pair has them by now."""
        for market_id in unlisted:
            if self._halted[market_id][1] < read_ms - _FORGET_AFTER_MS:
                del self._halted[market_id]
                self._over.discard(market_id)

    def _close_at(self, market_id: MarketId, closes_ms: int, now_ms: int) -> None:
        self._note_close(market_id, closes_ms)
        halt = self._halted.get(market_id)
        if halt is not None and halt[0] == _TIME_HAS_COME and closes_ms > now_ms:
            del self._halted[market_id]

    def _note_close(self, market_id: MarketId, closes_ms: int) -> None:
        self._closes_ms[market_id] = closes_ms
        self._first_close_ms = min(self._first_close_ms, closes_ms)
