"""The matcher's state, without I/O: listings and mappings in, changes of pairs and candidates out.

Only what a new listing touches is judged again, and only what differs from the published state comes out, so that a
restart with nothing new says nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from services.matcher.activation import (
    Absent,
    Judgement,
    Live,
    Over,
    Past,
    Suspended,
    game_pair_id,
    is_over,
    judge_game,
    judge_row,
)
from services.matcher.candidates import MOST_PER_MARKET, CandidateIndex, candidate_message
from services.matcher.disagreements import Disagreement
from services.matcher.games import Games
from services.matcher.history import History
from services.matcher.mapping_files import Mappings
from services.matcher.published import Change, Published, Word
from services.matcher.templates import GameKey
from services.matcher.verdict import Verdict
from shared.contracts.pairs import CandidateFound, PairActivated, PairMessage, PairSuspended
from shared.domain.market import Market, MarketId, MarketStatus, Venue
from shared.domain.pair import Pair, PairId

_WAITING = "waiting for both results"
_TRADABLE_LATER = frozenset({MarketStatus.UNOPENED, MarketStatus.OPEN, MarketStatus.PAUSED})


class Matcher:
    """Judges pairs as listings and mappings change. ``known`` is what the pairs hash holds at start."""

    def __init__(
        self,
        mappings: Mappings,
        known: Mapping[str, PairMessage],
        *,
        most_candidates: int = 2_000,
        results_within_days: int = 30,
    ) -> None:
        self._most_candidates = most_candidates
        self.markets: dict[Venue, dict[MarketId, Market]] = {venue: {} for venue in Venue}
        self._said = Published(known)
        self._unproposed: dict[tuple[Venue, MarketId], None] = {}
        self._everything = True
        self._history = History(self._said.words, keep_days=results_within_days)
        self._use(mappings)
        self._read_with(mappings)

    def use(self, mappings: Mappings) -> None:
        """Put other mappings in force; every pair is judged again by the next ``decide``.

        Listings are read again only when tables or templates are other ones: whole venues take a while.
        """
        before, claimed = self.mappings, self._claimed
        self._use(mappings)
        if mappings.reads_alike(before):
            self._propose_again(before, claimed)
            return
        self._read_with(mappings)
        for listed in self.markets.values():
            for market in listed.values():
                self._games.put(market)
                if market.status in _TRADABLE_LATER and not market.never_match:
                    self._candidates.put(market)
                    self._unproposed[market.venue, market.market_id] = None

    def put(self, market: Market) -> None:
        """Take in a listing, new or changed."""
        key = (market.venue, market.market_id)
        before = self.markets[market.venue].get(market.market_id)
        if before == market:
            return
        self._history.listed(market)
        self.markets[market.venue][market.market_id] = market
        self._dirty_rows |= self._rows_of.get(key, set())
        self._dirty_games |= self._games.put(market)
        if market.status not in _TRADABLE_LATER or market.never_match:
            self._candidates.remove(*key)
            self._unproposed.pop(key, None)
        elif before is None or before.rules_hash != market.rules_hash or before.status != market.status:
            self._candidates.put(market)
            self._unproposed[key] = None
        self._changed_markets.add(key)

    def settled(self, venue: Venue, market_id: MarketId, yes_paid_dollars: Decimal) -> None:
        """Take note of what a market that is over paid."""
        self._history.results.put(venue, market_id, yes_paid_dollars)

    def suspect(self, pair_id: PairId, reason: str) -> None:
        """Something outside the texts speaks against a live pair; ``decide`` suspends it until a newer review."""
        message = self._said.words.get(pair_id)
        if isinstance(message, PairActivated):
            self._history.suspect(message.pair, reason)
            self._touch(pair_id)

    @property
    def published(self) -> Mapping[PairId, Word]:
        """What was said and not taken back, candidates included."""
        return self._said.words

    @property
    def live_pairs(self) -> list[Pair]:
        """The pairs that may be traded or alerted on."""
        return [message.pair for message in self._said.words.values() if isinstance(message, PairActivated)]

    @property
    def disagreements(self) -> list[Disagreement]:
        """Pairs that were approved and settled differently, not yet kept as files."""
        return list(self._history.unrecorded.values())

    def recorded(self, record: Disagreement) -> None:
        """A disagreement is kept as a file; its pair is retired by the next ``decide``."""
        self._history.recorded(record)

    def remove(self, venue: Venue, market_id: MarketId) -> None:
        """Forget a listing that is over."""
        key = (venue, market_id)
        last = self.markets[venue].pop(market_id, None)
        if last is not None and any(self._said.pair(pair_id) for pair_id in self._said.with_market(*key)):
            self._history.unlisted(last)
        self._dirty_rows |= self._rows_of.get(key, set())
        self._dirty_games |= self._games.remove(venue, market_id)
        self._candidates.remove(venue, market_id)
        self._unproposed.pop(key, None)
        self._changed_markets.add(key)

    def decide(self, now: datetime) -> list[Change]:
        """Judge what was touched since the last call, and what has expired; return what differs from the published."""
        changes = [change for judgement in self._judgements(now) for change in self._apply(judgement)]
        changes += self._compare_results(now)
        changes += self._retired_candidates()
        if self._everything:
            changes += self._orphans()
        self._dirty_rows.clear()
        self._dirty_games.clear()
        self._changed_markets.clear()
        self._everything = False
        return changes

    def propose(self, limit: int) -> list[Change]:
        """Look for partners of up to ``limit`` markets that were not looked at yet; return the new candidates."""
        changes: list[Change] = []
        for key in list(self._unproposed)[:limit]:
            del self._unproposed[key]
            market = self.markets[key[0]].get(key[1])
            if market is not None and key[1] not in self._claimed:
                changes += self._proposals(market)
        return changes

    @property
    def proposals_waiting(self) -> int:
        """How many markets ``propose`` has not looked at."""
        return len(self._unproposed)

    def problems(self) -> list[str]:
        """Return why listings that look like pairs of a template are none, as of the last ``decide``."""
        ambiguous = (
            f"{key.family} {key.day} {'-'.join(sorted(key.teams))}: {ambiguity}"
            for key, ambiguity in self._ambiguous.items()
        )
        return sorted([*self._games.contradictions.values(), *ambiguous])

    def _propose_again(self, before: Mappings, claimed: frozenset[MarketId]) -> None:
        """Look for partners of the markets about which rows now say something else."""
        changed = {
            key for pair in before.decided.keys() ^ self._decided.keys() for key in zip(Venue, pair, strict=True)
        }
        changed |= {(Venue.KALSHI, MarketId(ticker)) for ticker in claimed ^ self._claimed}
        for venue, market_id in sorted(changed):
            market = self.markets[venue].get(market_id)
            if market is not None and market.status in _TRADABLE_LATER and not market.never_match:
                self._unproposed[venue, market_id] = None

    def _read_with(self, mappings: Mappings) -> None:
        self._games = Games(mappings)
        self._ambiguous: dict[GameKey, str] = {}
        self._candidates = CandidateIndex(mappings)

    def _use(self, mappings: Mappings) -> None:
        self.mappings = mappings
        self._history.use(mappings.disagreements)
        self._decided = mappings.decided
        self._claimed = frozenset(
            MarketId(placed.row.kalshi.ticker)
            for placed in mappings.rows.values()
            if placed.row.status in ("approved", "suspended")
        )
        self._rows_of: defaultdict[tuple[Venue, MarketId], set[PairId]] = defaultdict(set)
        for pair_id, placed in mappings.rows.items():
            for venue, market_id in zip(Venue, placed.row.key, strict=True):
                self._rows_of[venue, market_id].add(pair_id)
        self._pairs_of_game: dict[GameKey, set[PairId]] = {}
        self._dirty_rows: set[PairId] = set()
        self._dirty_games: set[GameKey] = set()
        self._changed_markets: set[tuple[Venue, MarketId]] = set()
        self._everything = True

    def _judgements(self, now: datetime) -> Iterator[Judgement]:
        rows = list(self.mappings.rows) if self._everything else sorted(self._dirty_rows)
        for pair_id in rows:
            placed = self.mappings.rows[pair_id]
            ticker, condition_id = placed.row.key
            markets = (self.markets[Venue.KALSHI].get(ticker), self.markets[Venue.POLYMARKET].get(condition_id))
            yield judge_row(placed, markets, self._past(pair_id, ticker), now)
        games = self._games.keys() if self._everything else self._dirty_games
        for key in sorted(games, key=lambda key: (key.family, key.day, sorted(key.teams), key.answer)):
            yield from self._judge_game(key, now)
        for pair in self._said.ended(now):
            yield Over(pair.pair_id, f"past its not_after {pair.not_after:%Y-%m-%dT%H:%M:%SZ}")

    def _judge_game(self, key: GameKey, now: datetime) -> Iterator[Judgement]:
        game = self._games.game(key)
        ambiguity = game.ambiguity
        if ambiguity:
            self._ambiguous[key] = ambiguity
        else:
            self._ambiguous.pop(key, None)
        found: set[PairId] = set()
        for ticker, side, condition_id, moneyline in game.pairs():
            template = self._games.templates[side.template_id]
            if (ticker, condition_id) in self._decided or ticker in self._claimed or not template.enabled:
                continue
            pair_id = game_pair_id(template, side)
            found.add(pair_id)
            markets = (self.markets[Venue.KALSHI][ticker], self.markets[Venue.POLYMARKET][condition_id])
            yield judge_game(template, (side, moneyline), markets, self._past(pair_id, ticker), now)
        for pair_id in sorted(self._pairs_of_game.get(key, set()) - found):
            judgement = self._without_template(pair_id, ambiguity)
            if isinstance(judgement, Suspended):
                found.add(pair_id)
            yield judgement
        self._pairs_of_game[key] = found
        if not found:
            del self._pairs_of_game[key]

    def _without_template(self, pair_id: PairId, ambiguity: str = "") -> Absent | Over | Suspended:
        """Return what a template's pair is that its template does not make any more.

        A pair under suspicion stays suspended while its listings are ambiguous, so that the suspicion is still there
        when they are not: what is published outlives a restart, what is only remembered does not.
        """
        pair = self._said.pair(pair_id)
        absent = Absent(pair_id, ambiguity or "no mapping makes this pair")
        if pair is None:
            return absent
        decided = (pair.kalshi_ticker, pair.polymarket_id) in self._decided or pair.kalshi_ticker in self._claimed
        enabled = any(f"template {name}" == pair.source for name, t in self._games.templates.items() if t.enabled)
        if decided or not enabled:
            return absent
        gone = [v.value for v in Venue if is_over(self.markets[v].get(pair.market_id(v)))]
        if gone and not ambiguity:
            return Over(pair_id, f"{' and '.join(gone)} market is over or not listed")
        doubt = self._history.doubt(pair)
        return Suspended(pair, doubt, "review") if doubt else absent

    def _past(self, pair_id: PairId, ticker: MarketId) -> Past:
        series = ticker.partition("-")[0]
        return Past(
            self._said.pair(pair_id), self._history.suspicions.get(pair_id), self._history.suspended.get(series, "")
        )

    def _touch(self, pair_id: PairId) -> None:
        """Have a pair judged again by the next ``decide``."""
        if pair_id in self.mappings.rows:
            self._dirty_rows.add(pair_id)
        self._dirty_games |= {key for key, pair_ids in self._pairs_of_game.items() if pair_id in pair_ids}

    def _compare_results(self, now: datetime) -> list[Change]:
        """Retire the pairs that are over once both results are known and agree, or never came."""
        compared = self._history.compare(self._said.awaiting_results.values(), now)
        for series in compared.newly_suspended:
            for pair in self.live_pairs:
                if pair.kalshi_ticker.partition("-")[0] == series:
                    self._touch(pair.pair_id)
        changes = [change for pair_id, reason in compared.finished for change in self._said.retire(pair_id, reason)]
        if compared.newly_suspended:
            changes += [change for judgement in self._judgements(now) for change in self._apply(judgement)]
        return changes

    def _apply(self, judgement: Judgement) -> Iterator[Change]:
        match judgement:
            case Live(pair):
                yield from self._said.say(pair.pair_id, PairActivated(pair=pair))
                for rival in self._said.with_market(Venue.KALSHI, pair.kalshi_ticker):
                    if isinstance(candidate := self._said.words[rival], CandidateFound):
                        yield from self._withdraw(rival, candidate, f"pair {pair.pair_id} is live")
            case Suspended(pair, reason, awaits):
                yield from self._said.say(pair.pair_id, PairSuspended(pair=pair, reason=reason, awaits=awaits))
            case Absent(pair_id, reason):
                yield from self._said.retire(pair_id, reason)
            case Over(pair_id, reason):
                known = self._said.pair(pair_id)
                if known is not None:
                    doubt = self._history.doubt(known)
                    waiting = f"{reason}; {_WAITING}"
                    message = PairSuspended(pair=known, reason=waiting, awaits="results", doubt=doubt)
                    yield from self._said.say(pair_id, message)

    def _retired_candidates(self) -> list[Change]:
        """Withdraw candidates of which a market is over, changed its text, or that somebody has decided about."""
        if not self._changed_markets and not self._everything:
            return []
        changes: list[Change] = []
        for pair_id, message in self._said.candidates():
            keys = ((Venue.KALSHI, message.kalshi_ticker), (Venue.POLYMARKET, message.polymarket_id))
            touched = self._everything or any(key in self._changed_markets for key in keys)
            if touched and not self._still_open(message):
                changes += self._withdraw(pair_id, message, "over or changed")
        return changes

    def _withdraw(self, pair_id: PairId, candidate: CandidateFound, reason: str) -> Iterator[Change]:
        """Withdraw a candidate, and say who decided what when a row is the cause."""
        row = self._decided.get((candidate.kalshi_ticker, candidate.polymarket_id))
        yield from self._said.retire(pair_id, reason) if row is None else self._said.reviewed(pair_id, row)

    def _still_open(self, candidate: CandidateFound) -> bool:
        if (candidate.kalshi_ticker, candidate.polymarket_id) in self._decided:
            return False
        kalshi = self.markets[Venue.KALSHI].get(candidate.kalshi_ticker)
        polymarket = self.markets[Venue.POLYMARKET].get(candidate.polymarket_id)
        return (
            kalshi is not None
            and polymarket is not None
            and all(m.status in _TRADABLE_LATER and not m.never_match for m in (kalshi, polymarket))
            and (kalshi.title, polymarket.title) == (candidate.kalshi_title, candidate.polymarket_title)
        )

    def _orphans(self) -> list[Change]:
        """Retire what neither a row nor a template makes any more."""
        made = set(self.mappings.rows).union(*self._pairs_of_game.values())
        orphans = [pair_id for pair_id, _ in self._said.pairs() if pair_id not in made]
        return [change for pair_id in orphans for change in self._apply(self._without_template(pair_id))]

    def _proposals(self, market: Market) -> list[Change]:
        changes: list[Change] = []
        for other_id, verdict in self._candidates.best(market):
            ticker, condition_id = (
                (market.market_id, other_id) if market.venue is Venue.KALSHI else (other_id, market.market_id)
            )
            if self._is_taken(ticker, condition_id):
                continue
            changes += self._propose_pair(ticker, condition_id, verdict)
        return changes

    def _is_taken(self, ticker: MarketId, condition_id: MarketId) -> bool:
        """Whether a pair of markets needs no proposal: decided about, or its ticker is in a pair or proposed enough."""
        if (ticker, condition_id) in self._decided or ticker in self._claimed:
            return True
        if self._said.candidate_count >= self._most_candidates:
            return True
        held = [self._said.words[pair_id] for pair_id in self._said.with_market(Venue.KALSHI, ticker)]
        return len(held) >= MOST_PER_MARKET or not all(isinstance(message, CandidateFound) for message in held)

    def _propose_pair(self, ticker: MarketId, condition_id: MarketId, verdict: Verdict) -> list[Change]:
        kalshi = self.markets[Venue.KALSHI][ticker]
        polymarket = self.markets[Venue.POLYMARKET][condition_id]
        message = candidate_message(kalshi, polymarket, verdict)
        if message.pair_id in self._said.words:
            return []
        return list(self._said.say(message.pair_id, message))
