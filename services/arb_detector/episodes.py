"""The life of an opportunity: it must hold to open, change materially to be told again, and stay away to close.

One ``Watch`` per pair and direction. Opening needs two evaluations at least the debounce apart; an open episode
survives short dips of its edge, so that a price that flickers around the threshold is one episode and not a hundred.
Loss of trust is different: it closes at once, and the debounce starts anew.
"""

from enum import StrEnum
from typing import Protocol

import msgspec

_RESUME_GRACE_S = 5.0
"""How long an episode that was taken over is not ended because a feed has not spoken yet."""


class Step(StrEnum):
    """What one evaluation of one direction led to; later members matter more."""

    NO_EDGE = "no edge"
    TOO_THIN = "no edge at any allowed size"
    WAITING = "edge is younger than the debounce"
    COOLING = "closed too recently to open again"
    DIPPED = "edge is gone, the episode lingers"
    HOLDING = "open and unchanged"
    UPDATED = "updated"
    CLOSED = "closed"
    OPENED = "opened"
    RATIONED = "opened without an intent, of which there were too many in a minute"


class Priced(Protocol):
    """What an evaluation found: the walk of a pair, or the price of a basket."""

    @property
    def edge_e10(self) -> int:
        """What is left of the payout after cost, fees and haircut."""
        ...

    @property
    def size_e6(self) -> int:
        """Contracts of each leg."""
        ...


class EpisodeRules(msgspec.Struct, frozen=True, kw_only=True):
    """How long, and by how much."""

    debounce_s: float = 0.05
    linger_s: float = 0.25
    """How long the edge must be gone before the episode closes."""
    reopen_after_s: float = 0.5
    """The least pause between closing and opening again."""
    update_after_s: float = 0.1
    """The least pause between two tellings of one episode."""
    material_percent: int = 10
    """By how much edge or size must change to be told."""
    capture_s: float = 0.25
    """How long after the opening an edge must still be there to count as capturable."""


class Episode:
    """One opened opportunity."""

    __slots__ = (
        "_least_edge_e10",
        "_opened_s",
        "alert_only",
        "capturable_e10",
        "dipped_s",
        "opened_ts_ns",
        "opportunity_id",
        "peak_edge_e10",
        "peak_size_e6",
        "resumed_s",
        "seen_ts_ns",
        "told_edge_e10",
        "told_s",
        "told_size_e6",
        "walked_s",
    )

    def __init__(
        self, opportunity_id: str, *, opened_ts_ns: int, seen_ts_ns: int, edge_e10: int, size_e6: int, now_s: float
    ) -> None:
        self.opportunity_id = opportunity_id
        self.opened_ts_ns = opened_ts_ns
        self.seen_ts_ns = seen_ts_ns
        """Our clock when the edge was first seen; the debounce lies between."""
        self.peak_edge_e10 = self.told_edge_e10 = self._least_edge_e10 = edge_e10
        self.peak_size_e6 = self.told_size_e6 = size_e6
        self.capturable_e10: int | None = None
        """The least edge from the opening to the end of ``capture_s``; None until that is known."""
        self._opened_s = self.told_s = self.walked_s = now_s
        self.dipped_s: float | None = None
        self.alert_only = ""
        """Why no intent followed the opening; empty when one did."""
        self.resumed_s: float | None = None
        """When it was taken over from another process; None once this one has seen it with trusted quotes."""

    def is_just_resumed(self, now_s: float) -> bool:
        """Return whether it was taken over so lately that the feeds need not have spoken yet."""
        return self.resumed_s is not None and now_s - self.resumed_s < _RESUME_GRACE_S

    def note_told(self, edge_e10: int, size_e6: int) -> None:
        """Note the exact figures that are told, which may be a unit of rounding above the quick ones."""
        self.told_edge_e10, self.told_size_e6 = edge_e10, size_e6
        if edge_e10 > self.peak_edge_e10:
            self.peak_edge_e10, self.peak_size_e6 = edge_e10, size_e6

    def note_edge(self, edge_e10: int, now_s: float, capture_s: float) -> None:
        """Follow what somebody who takes ``capture_s`` to act would have got; no edge is 0."""
        if self.capturable_e10 is None:
            self._least_edge_e10 = min(self._least_edge_e10, edge_e10)
            if now_s - self._opened_s >= capture_s:
                self.capturable_e10 = self._least_edge_e10


class Watch:
    """One direction of one pair: idle, waiting for the debounce, or open."""

    __slots__ = ("_rules", "_since_s", "closed_s", "episode")

    def __init__(self, rules: EpisodeRules) -> None:
        self._rules = rules
        self._since_s: float | None = None
        self.closed_s: float | None = None
        self.episode: Episode | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is open and nothing waits."""
        return self.episode is None and self._since_s is None

    def due_s(self) -> float | None:
        """Return when this direction must be looked at again even if nothing happens, None when idle."""
        if self.episode is not None:
            dipped_s = self.episode.dipped_s
            return None if dipped_s is None else dipped_s + self._rules.linger_s
        return None if self._since_s is None else self._opens_s(self._since_s)

    def without_episode(self, walk: Priced | None, now_s: float) -> Step:
        """Note an evaluation while nothing is open; OPENED means that the caller must begin an episode."""
        if walk is None:
            self._since_s = None
            return Step.TOO_THIN
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s < self._rules.debounce_s:
            return Step.WAITING
        return Step.OPENED if now_s >= self._opens_s(self._since_s) else Step.COOLING

    def waited_s(self, now_s: float) -> float:
        """Return for how long an edge has waited to open."""
        return 0.0 if self._since_s is None else now_s - self._since_s

    def may_hold(self, now_s: float) -> bool:
        """Whether the open episode was priced so recently that there would be nothing to tell: look at the top only."""
        episode = self.episode
        return (
            episode is not None
            and episode.dipped_s is None
            and episode.resumed_s is None
            and now_s - episode.walked_s < self._rules.update_after_s
        )

    def episode_of(self, opportunity_id: str, found: Priced, *, now_ns: int, now_s: float) -> Episode:
        """Return the episode that a price which has waited long enough makes; ``begin`` opens it."""
        return Episode(
            opportunity_id,
            opened_ts_ns=now_ns,
            seen_ts_ns=now_ns - int(self.waited_s(now_s) * 1_000_000_000),
            edge_e10=found.edge_e10,
            size_e6=found.size_e6,
            now_s=now_s,
        )

    def begin(self, episode: Episode) -> None:
        """Open an episode."""
        self.episode = episode
        self._since_s = None

    def with_episode(self, walk: Priced | None, now_s: float) -> Step:
        """Note an evaluation of an open episode; CLOSED means that the caller must end it."""
        episode = self.episode
        assert episode is not None
        episode.resumed_s = None
        episode.walked_s = now_s
        episode.note_edge(0 if walk is None else walk.edge_e10, now_s, self._rules.capture_s)
        if walk is None:
            if episode.dipped_s is None:
                episode.dipped_s = now_s
            return Step.DIPPED if now_s - episode.dipped_s < self._rules.linger_s else Step.CLOSED
        episode.dipped_s = None
        if walk.edge_e10 > episode.peak_edge_e10:
            episode.peak_edge_e10, episode.peak_size_e6 = walk.edge_e10, walk.size_e6
        if not self._is_material(episode, walk) or now_s - episode.told_s < self._rules.update_after_s:
            return Step.HOLDING
        episode.told_edge_e10, episode.told_size_e6, episode.told_s = walk.edge_e10, walk.size_e6, now_s
        return Step.UPDATED

    def end(self, now_s: float) -> Episode:
        """Close the open episode and return it."""
        episode = self.episode
        assert episode is not None
        self.episode = None
        self.closed_s = now_s
        return episode

    def start_over(self) -> None:
        """Forget that an edge was waiting to open."""
        self._since_s = None

    def _opens_s(self, since_s: float) -> float:
        debounced_s = since_s + self._rules.debounce_s
        return debounced_s if self.closed_s is None else max(debounced_s, self.closed_s + self._rules.reopen_after_s)

    def _is_material(self, episode: Episode, walk: Priced) -> bool:
        percent = self._rules.material_percent
        return (
            abs(walk.edge_e10 - episode.told_edge_e10) * 100 >= percent * episode.told_edge_e10
            or abs(walk.size_e6 - episode.told_size_e6) * 100 >= percent * episode.told_size_e6
        )
