"""What becomes of a book in trouble: held back, lost, asked for, and whole again.

The rules, from the venue's recorded messages (May to September 2026):

- a burst that has not ended after 250 ms, or when the next operation begins, lost a message;
- a book whose hashes matched so far is held back when one does not: a burst can have the right top early, and below
  the top a message may be missing. That ends when a hash matches, when REST answers, or after a second;
- a whole book that does not have its hash may be the other token's: it is held back until a hash matches or REST
  answers, however long that takes, unless REST has shown that the hashes of right books do not match;
- a number that the gate refuses leaves the book unknown, so it is lost.
"""

from collections import Counter
from collections.abc import Iterable

from shared.domain.market import MarketId
from shared.domain.numbers import NumberRefused
from shared.venues.polymarket.asset_book import AssetBook, Phase, SideRefused, Verified
from shared.venues.polymarket.events import BooksLost, ResyncWanted, SessionEvent
from shared.venues.polymarket.schema import FrameRefused, Refusal
from shared.venues.polymarket.waiting import HOLD_S, Waiting, overdue

DOUBT_S = 1.0
"""A book whose hash stopped matching is quoted by its top again when REST has not said more after this long."""
SNAPSHOT_S = 10.0
"""A subscribed token without a book after this long is asked for again."""


class BookTrust:
    """Moves books between their phases and tells about it; ``events`` are those of the message in hand."""

    def __init__(self) -> None:
        self.events: list[SessionEvent] = []
        self.refused: Counter[str] = Counter()
        self.resyncs = 0
        self._doubted: Waiting = {}
        self._held: Waiting = {}
        self._awaited: Waiting = {}
        self._is_told_nothing = False

    def forget(self, asset: AssetBook) -> None:
        """Wait for nothing any more that concerns this book."""
        for waiting in (self._doubted, self._held, self._awaited):
            waiting.pop(asset, None)

    def connection_forgotten(self) -> None:
        """Another connection begins, which may be answered without books as well."""
        self._is_told_nothing = False

    def expect(self, assets: Iterable[AssetBook]) -> None:
        """These books should come now."""
        self._awaited.update(dict.fromkeys(assets))

    def told_nothing(self) -> None:
        """The venue answered with no book at all: REST may have those that were subscribed. Asked once a connection."""
        if self._awaited and not self._is_told_nothing:
            self._is_told_nothing = True
            self.ask_rest(list(self._awaited), "the venue answered without books")

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

    def hold_or_release(self, asset: AssetBook, *, is_complete: bool, is_next_operation: bool) -> None:
        """A burst begins, goes on or ends; one that is still open when the next operation begins lost a message."""
        if is_complete:
            self.release(asset)
            if is_next_operation:
                self.want_resync([asset], "burst did not end")
            self.events.append(asset.changed)
        elif asset.phase is Phase.LIVE:
            asset.phase = Phase.HELD
            self._held[asset] = None
        elif is_next_operation:
            self.lose(asset, "burst did not end")

    def release(self, asset: AssetBook) -> None:
        """Let the book be quoted; whoever calls tells about it."""
        asset.phase = Phase.LIVE
        self._held.pop(asset, None)

    def doubt(self, asset: AssetBook) -> None:
        """Hold the book back until a hash matches, REST answers or, where time may decide, a second has passed."""
        if asset not in self._doubted or not asset.needs_rest:
            self._doubted[asset] = None

    def end_doubt(self, asset: AssetBook) -> None:
        """What can be said about the book has been said: it may be quoted again."""
        asset.is_doubted = asset.needs_rest = False
        self._doubted.pop(asset, None)
        if asset.phase is Phase.LIVE:
            self.events.append(asset.changed)

    def refuse_unused(self, asset: AssetBook, ts_ms: int) -> None:
        """Count a change that cannot be applied: it is older than the book, or there is none."""
        if ts_ms < 0:
            self.refuse_change(asset, Refusal.BAD_TIMESTAMP)
        elif asset.phase in (Phase.AWAITING, Phase.ENDED):
            self.refused[Refusal.NO_SNAPSHOT] += 1
        else:
            self.refused[Refusal.OLDER] += 1

    def refuse_change(self, asset: AssetBook, refusal: Refusal) -> None:
        """Lose a book that a message was about which cannot be used."""
        self.refused[refusal] += 1
        self.lose(asset, refusal.value)

    def end_bursts(self, now_s: float) -> None:
        """Lose the books whose burst should have ended by now."""
        for asset in overdue(self._held, now_s, HOLD_S):
            self.lose(asset, "burst did not end")

    def due(self, now_s: float) -> None:
        """Act on doubts and first books that should be over, or here, by now."""
        for asset in overdue(self._doubted, now_s, DOUBT_S):
            if asset.needs_rest:
                self._doubted[asset] = None
                self.ask_rest([asset], "a whole book does not have its hash")
            else:
                self.end_doubt(asset)
        missing = overdue(self._awaited, now_s, SNAPSHOT_S)
        if missing:
            self._say_missing([asset for asset in missing if not asset.is_said_missing])
            self.want_resync(missing, "no book within 10 s")
            self._awaited.update(dict.fromkeys(missing))

    def _say_missing(self, assets: list[AssetBook]) -> None:
        for asset in assets:
            asset.is_said_missing = True
        if assets:
            self.events.append(BooksLost(_market_ids(assets), "no book within 10 s"))


def refusal_of(refused: NumberRefused | SideRefused | FrameRefused) -> Refusal:
    """Return under which name something refused is counted."""
    if isinstance(refused, FrameRefused):
        return refused.refusal
    return Refusal.BAD_SIDE if isinstance(refused, SideRefused) else Refusal.BAD_NUMBER


def _market_ids(assets: list[AssetBook]) -> tuple[MarketId, ...]:
    return tuple(asset.terms.market_id for asset in assets)
