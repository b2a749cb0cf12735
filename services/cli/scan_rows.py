"""What ``dutchbook scan`` knows: the latest messages of the bus in, one row per live pair and basket out.

Nothing here asks anybody: reasons and edges are the detector's own last words, as ``dutchbook why`` says them.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

import msgspec

from services.arb_detector.trust import Distrust
from services.cli.why_answers import OLD_S, Why, WhyBasket, answer_of, basket_answer
from shared.contracts.baskets import (
    BasketActivated,
    BasketClosed,
    BasketOpened,
    BasketRetired,
    BasketStanding,
    BasketSuspended,
    BasketUpdated,
)
from shared.contracts.envelope import Message
from shared.contracts.funnel import PairStanding
from shared.contracts.opportunities import OpportunityClosed, OpportunityOpened, OpportunityUpdated
from shared.contracts.pairs import CandidateFound, CandidateReviewed, PairActivated, PairRetired, PairSuspended
from shared.contracts.streams import (
    BASKET_FUNNEL,
    BASKET_OPPORTUNITIES,
    BASKETS,
    FUNNEL,
    OPPORTUNITIES,
    PAIRS,
    Stream,
)
from shared.domain.live_basket import BasketId
from shared.domain.pair import Direction, PairId

_NS_PER_MS = 1_000_000

PairEpisode = OpportunityOpened | OpportunityUpdated
BasketEpisode = BasketOpened | BasketUpdated


class OpenOpportunity(msgspec.Struct, frozen=True, kw_only=True):
    """One open episode, as the detector told it last."""

    opportunity_id: str
    direction: str
    """What is bought, in the terms of Kalshi's question; for a basket its kind."""
    contracts: Decimal
    edge_dollars: Decimal
    capital_dollars: Decimal
    annualised_return: Decimal | None
    """0.35 is 35 percent a year; None when nobody says when it pays."""
    alert_only: str
    age_ms: int
    """Since the episode opened."""


class ScanRow(msgspec.Struct, frozen=True, kw_only=True):
    """One live pair or basket."""

    kind: Literal["pair", "basket"]
    id: str
    title: str
    """The venue's own words: hostile until shown as text."""
    state: Literal["open", "watched", "gone"]
    direction: str
    """The better one at the top of the books, empty when no edge can be told."""
    edge_dollars_per_contract: Decimal | None
    """What its first contract would earn after all fees; None while a leg may not be believed or is not on offer."""
    opportunities: tuple[OpenOpportunity, ...]
    """The open episodes, the largest edge first."""
    outcome: str
    """What the detector's last evaluation came to; empty when it told of none."""
    is_old: bool
    """Whether no detector has looked for longer than they ever take."""
    reason: str
    """Both for people, in the words of ``dutchbook why``."""
    doubts: tuple[str, ...] = ()
    """Which legs do not count and why, whatever the reason is."""
    alert_only: str = ""
    for_ms: int | None = None
    """Since when it is so."""
    age_ms: int | None = None
    """How old the detector's word is; None when it said nothing."""

    @property
    def figures(self) -> "ScanRow":
        """The row without ages: two rows that differ in nothing else are the same news."""
        ageless = tuple(msgspec.structs.replace(one, age_ms=0) for one in self.opportunities)
        return msgspec.structs.replace(self, opportunities=ageless, reason="", for_ms=None, age_ms=None)


class ScanCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is."""

    pairs: int
    """Live ones."""
    baskets: int
    open: int
    """Live pairs and baskets with an open opportunity."""
    suspended: int
    candidates: int


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at one moment."""

    as_of_ts_ns: int
    counts: ScanCounts
    rows: tuple[ScanRow, ...]
    """Open opportunities first, the largest edge first; then by the edge at the top."""


class ScanView:
    """The latest word about each pair and basket, their standings and their open episodes."""

    def __init__(self) -> None:
        self._pairs: dict[PairId, PairActivated | PairSuspended | CandidateFound] = {}
        self._baskets: dict[BasketId, BasketActivated | BasketSuspended] = {}
        self._standings: dict[PairId, PairStanding] = {}
        self._basket_standings: dict[BasketId, BasketStanding] = {}
        self._episodes: dict[tuple[PairId, Direction], PairEpisode] = {}
        self._basket_episodes: dict[BasketId, BasketEpisode] = {}
        self._kept: dict[str, dict[Any, Any]] = {
            PAIRS.name: self._pairs,
            BASKETS.name: self._baskets,
            FUNNEL.name: self._standings,
            BASKET_FUNNEL.name: self._basket_standings,
            OPPORTUNITIES.name: self._episodes,
            BASKET_OPPORTUNITIES.name: self._basket_episodes,
        }

    def forget(self, stream: Stream[Any]) -> None:
        """Forget what came from one stream, before its whole state is taken anew."""
        self._kept[stream.name].clear()

    def take(self, message: Message) -> None:
        """Note one message; others than those of pairs, baskets and what became of them are left aside."""
        match message:
            case PairActivated(pair=pair) | PairSuspended(pair=pair):
                self._pairs[pair.pair_id] = message
            case CandidateFound():
                self._pairs[message.pair_id] = message
            case PairRetired() | CandidateReviewed():
                self._pairs.pop(message.pair_id, None)
            case PairStanding():
                self._standings[message.pair_id] = message
            case OpportunityOpened() | OpportunityUpdated():
                self._episodes[message.pair_id, message.direction] = message
            case OpportunityClosed():
                self._episodes.pop((message.pair_id, message.direction), None)
            case _:
                self._take_basket(message)

    def _take_basket(self, message: Message) -> None:
        match message:
            case BasketActivated(basket=basket) | BasketSuspended(basket=basket):
                self._baskets[basket.basket_id] = message
            case BasketRetired():
                self._baskets.pop(message.basket_id, None)
            case BasketStanding():
                self._basket_standings[message.basket_id] = message
            case BasketOpened() | BasketUpdated():
                self._basket_episodes[message.basket_id] = message
            case BasketClosed():
                self._basket_episodes.pop(message.basket_id, None)

    def scan(self, *, now_ns: int) -> Scan:
        """Return everything as it is now."""
        rows = sorted([*self._pair_rows(now_ns), *self._basket_rows(now_ns)], key=_rank)
        suspended = [*self._pairs.values(), *self._baskets.values()]
        counts = ScanCounts(
            pairs=sum(row.kind == "pair" for row in rows),
            baskets=sum(row.kind == "basket" for row in rows),
            open=sum(row.state == "open" for row in rows),
            suspended=sum(isinstance(message, PairSuspended | BasketSuspended) for message in suspended),
            candidates=sum(isinstance(message, CandidateFound) for message in self._pairs.values()),
        )
        return Scan(as_of_ts_ns=now_ns, counts=counts, rows=tuple(rows))

    def _pair_rows(self, now_ns: int) -> Iterator[ScanRow]:
        for pair_id, message in self._pairs.items():
            if isinstance(message, PairActivated):
                answer = answer_of(pair_id, message, self._standings.get(pair_id), now_ns=now_ns)
                episodes = [found for way in Direction if (found := self._episodes.get((pair_id, way)))]
                opened = [_opened(found, found.direction.value, now_ns) for found in episodes]
                yield _row(answer, "pair", message.pair.title, message.pair.alert_only, _best(answer.standing), opened)

    def _basket_rows(self, now_ns: int) -> Iterator[ScanRow]:
        for basket_id, message in self._baskets.items():
            if isinstance(message, BasketActivated):
                basket = message.basket
                answer = basket_answer(message, self._basket_standings.get(basket_id), now_ns=now_ns)
                episode = self._basket_episodes.get(basket_id)
                opened = [] if episode is None else [_opened(episode, episode.kind.value, now_ns)]
                edge = None if answer.standing is None else answer.standing.edge_dollars_per_contract
                best = ("", None) if edge is None else (basket.kind.value, edge)
                yield _row(answer, "basket", basket.title, "a basket is alert-only", best, opened)


def _row(
    answer: Why | WhyBasket,
    kind: Literal["pair", "basket"],
    title: str,
    alert_only: str,
    best: tuple[str, Decimal | None],
    opened: list[OpenOpportunity],
) -> ScanRow:
    standing = answer.standing
    is_old = answer.age_ms is not None and answer.age_ms > OLD_S * 1_000
    direction, edge = best if standing is not None and not is_old and _is_believed(standing) else ("", None)
    return ScanRow(
        kind=kind,
        id=answer.pair_id if isinstance(answer, Why) else answer.basket_id,
        title=title,
        state="open" if opened else "watched",
        direction=direction,
        edge_dollars_per_contract=edge,
        opportunities=tuple(sorted(opened, key=lambda one: -one.edge_dollars)),
        outcome="" if standing is None else standing.reason,
        is_old=is_old,
        reason=answer.reason,
        doubts=() if standing is None else tuple(f"{leg.venue}: {leg.reason}" for leg in standing.legs if leg.reason),
        alert_only=(standing.alert_only if standing else "") or alert_only,
        for_ms=answer.for_ms,
        age_ms=answer.age_ms,
    )


def _is_believed(standing: PairStanding | BasketStanding) -> bool:
    """Whether every leg counts, and together."""
    return standing.reason != Distrust.SKEW and all(not leg.reason for leg in standing.legs)


def _best(standing: PairStanding | None) -> tuple[str, Decimal | None]:
    """Return the direction whose first contract earns most, and what that is."""
    priced = (
        [] if standing is None else [one for one in standing.directions if one.edge_dollars_per_contract is not None]
    )
    if not priced:
        return "", None
    best = max(priced, key=lambda one: one.edge_dollars_per_contract or Decimal(0))
    return best.direction.value, best.edge_dollars_per_contract


def _opened(message: PairEpisode | BasketEpisode, direction: str, now_ns: int) -> OpenOpportunity:
    since_ns = message.opened_ts_ns or message.detected_ts_ns
    return OpenOpportunity(
        opportunity_id=message.opportunity_id,
        direction=direction,
        contracts=message.contracts,
        edge_dollars=message.edge_dollars,
        capital_dollars=message.capital_dollars,
        annualised_return=message.annualised_return,
        alert_only=message.alert_only,
        age_ms=max(0, now_ns - since_ns) // _NS_PER_MS,
    )


def _rank(row: ScanRow) -> tuple[Decimal, bool, Decimal, str]:
    """Sort by the largest open edge, then by what can be told of the top of the books, then by name."""
    edge = row.edge_dollars_per_contract
    opened = row.opportunities[0].edge_dollars if row.opportunities else Decimal(0)
    return (-opened, edge is None, -(edge or Decimal(0)), row.id)
