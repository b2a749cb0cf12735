"""What the hashes say: whether each book is the one that the venue hashed.

Every message names the hash of the whole book after its operation (recorded messages of May to September 2026). A hash
that matches proves a book; one that does not may belong to a later message of the same burst, so it is looked at
again before it counts.
"""

from shared.venues.polymarket.asset_book import AssetBook, Phase
from shared.venues.polymarket.book_trust import BookTrust
from shared.venues.polymarket.waiting import HOLD_S, Waiting, overdue

# Members of an Enum cost a slow look-up each time in Python 3.11; the hot loop compares with these.
_LIVE, _HELD, _LOST = Phase.LIVE, Phase.HELD, Phase.LOST


class HashChecks:
    """The hashes of one connection's books, looked at once nothing more is waiting to be read."""

    def __init__(self, trust: BookTrust) -> None:
        self._trust = trust
        self.matches = 0
        self.early = 0
        self.mismatches = 0
        self.to_prove: list[AssetBook] = []
        """Books whose newest hash has not been looked at yet. The keeper adds to it by itself."""
        self._undecided: Waiting = {}

    def forget(self, asset: AssetBook) -> None:
        """Look at this book's hash no more."""
        self._undecided.pop(asset, None)
        if asset.is_queued:
            asset.is_queued = False
            self.to_prove.remove(asset)

    def trade_learned(self, asset: AssetBook) -> None:
        """Look again: an undecided hash may have been waiting for the price of a trade."""
        if asset in self._undecided:
            self.queue(asset)

    def due(self, now_s: float) -> None:
        """Count the hashes that no later message made right."""
        for asset in overdue(self._undecided, now_s, HOLD_S):
            self._count_miss(asset)

    def settle(self) -> None:
        """Check the newest hash of every book that changed since the last call."""
        queue = self.to_prove.copy()
        self.to_prove.clear()
        for asset in queue:
            asset.is_queued = False
            if asset.is_checkable:
                self.prove(asset)

    def queue(self, asset: AssetBook) -> None:
        """Have the book's newest hash looked at."""
        if asset.is_checkable and not asset.is_queued:
            asset.is_queued = True
            self.to_prove.append(asset)

    def prove(self, asset: AssetBook) -> None:
        """Look at the newest hash of a book that can be checked."""
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
            self.early += 1
        self.matches += 1
        asset.misses = 0
        asset.verified = "hash"
        asset.is_proving = True
        if asset.is_doubted:
            self._trust.end_doubt(asset)
        phase = asset.phase
        if phase is not _LIVE and (phase is _HELD or phase is _LOST) and not asset.is_crossed_or_locked:
            self._trust.release(asset)
            self._trust.events.append(asset.changed)

    def _count_miss(self, asset: AssetBook) -> None:
        self._undecided.pop(asset, None)
        self.mismatches += 1
        asset.misses += 1
        if asset.is_proving or asset.needs_rest:
            asset.is_proving = False
            self._trust.doubt(asset)
            self._trust.ask_rest([asset], "a hash did not match")
        elif asset.misses % asset.misses_allowed == 0:
            self._trust.ask_rest([asset], f"{asset.misses} hashes in a row did not match")
