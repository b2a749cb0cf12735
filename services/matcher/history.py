"""What happened to pairs outside their texts: suspicions, results, and series that may not trade because of them.

All of it survives a restart: suspicions in the published pair itself, results in the feeds' catalog hash, and
disagreements as files among the mappings.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from services.matcher.activation import Suspicion
from services.matcher.disagreements import Disagreement, disagreement
from services.matcher.settlement import Results
from shared.contracts.pairs import PairMessage, PairSuspended
from shared.domain.market import Market, MarketId, Venue
from shared.domain.pair import Pair, PairId


class Compared(NamedTuple):
    """What a look at the results brought."""

    finished: list[tuple[PairId, str]]
    """Pairs to retire, with the reason."""
    newly_suspended: list[str]
    """Kalshi series."""


class History:
    """``published`` is what the matcher said before it was started."""

    def __init__(self, published: Mapping[PairId, PairMessage], *, keep_days: int) -> None:
        self._keep = timedelta(days=keep_days)
        self._first_looked: dict[PairId, datetime] = {}
        self._last: dict[tuple[Venue, MarketId], Market] = {}
        self._recorded: dict[PairId, Disagreement] = {}
        self._files: tuple[Disagreement, ...] = ()
        self.results = Results()
        self.unrecorded: dict[PairId, Disagreement] = {}
        """Disagreements that are not yet kept as files."""
        self.suspended: dict[str, str] = {}
        """Why a series may not trade, by Kalshi series."""
        self.suspicions: dict[PairId, Suspicion] = {
            pair_id: Suspicion(message.pair.source, message.doubt or message.reason)
            for pair_id, message in published.items()
            if isinstance(message, PairSuspended) and (message.awaits == "review" or message.doubt)
        }

    def use(self, files: tuple[Disagreement, ...]) -> None:
        """Put the records of the mapping files in force."""
        self._files = files
        known = {record.pair_id for record in files}
        self._recorded = {pair_id: record for pair_id, record in self._recorded.items() if pair_id not in known}
        self._suspend_series()

    def suspect(self, pair: Pair, reason: str) -> None:
        """Take note of what speaks against a pair."""
        self.suspicions[pair.pair_id] = Suspicion(pair.source, reason)

    def doubt(self, pair: Pair) -> str:
        """Return what speaks against a pair under its present review, empty when nothing does."""
        suspicion = self.suspicions.get(pair.pair_id)
        return suspicion.reason if suspicion is not None and suspicion.source == pair.source else ""

    def listed(self, market: Market) -> None:
        """A market is on the list (again): what it seemed to have paid is void."""
        self._last.pop((market.venue, market.market_id), None)
        self.results.forget(market.venue, market.market_id)

    def unlisted(self, market: Market) -> None:
        """Keep the last listing of a market that somebody paired."""
        self._last[market.venue, market.market_id] = market

    def compare(self, waiting: Iterable[PairSuspended], now: datetime) -> Compared:
        """Look at the pairs that wait for their results."""
        compared = Compared([], [])
        for message in list(waiting):
            if reason := self._finished(message.pair, now, compared.newly_suspended):
                compared.finished.append((message.pair.pair_id, reason))
                self._forget(message.pair)
        return compared

    def recorded(self, record: Disagreement) -> None:
        """A disagreement is a file now."""
        self._recorded[PairId(record.pair_id)] = record
        self.unrecorded.pop(PairId(record.pair_id), None)

    def _finished(self, pair: Pair, now: datetime, newly_suspended: list[str]) -> str:
        """Return why a pair that is over can be retired, empty while it cannot."""
        if pair.pair_id in self.unrecorded:
            return ""
        if pair.pair_id in self._recorded or any(record.pair_id == pair.pair_id for record in self._files):
            return "the results differ: kept as a disagreement"
        paid = self.results.of(pair)
        if paid is None:
            since = max(self._first_looked.setdefault(pair.pair_id, now), pair.not_after or now)
            return f"no results of both venues within {self._keep.days} days" if now - since > self._keep else ""
        if paid.agree(pair.orientation):
            return f"both venues settled alike: kalshi YES paid {paid.kalshi_yes_dollars:f}"
        series = pair.kalshi_ticker.partition("-")[0]
        listings = (
            self._last.get((Venue.KALSHI, pair.kalshi_ticker)),
            self._last.get((Venue.POLYMARKET, pair.polymarket_id)),
        )
        self.unrecorded[pair.pair_id] = disagreement(pair, series, paid, listings, now)
        newly_suspended.append(series)
        self._suspend_series()
        return ""

    def _suspend_series(self) -> None:
        records = [*self._files, *self._recorded.values(), *self.unrecorded.values()]
        self.suspended = {record.series: record.reason for record in records if record.status == "open"}

    def _forget(self, pair: Pair) -> None:
        self._first_looked.pop(pair.pair_id, None)
        self.suspicions.pop(pair.pair_id, None)
        for venue in Venue:
            self._last.pop((venue, pair.market_id(venue)), None)
