"""Which watched sets are to be looked at again: those that wait or are open, those with news to tell, and all in turn.

A set that a quote touched is looked at because of the quote; this is for everything else, and counts what comes of it.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)
K_co = TypeVar("K_co", bound=Hashable, covariant=True)


class Tally:
    """What the evaluations of one set came to, and what of it was told."""

    __slots__ = ("counts", "outcome", "told_outcome", "told_since_ns")

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Evaluations by what they came to."""
        self.outcome = ""
        """What the last one came to."""
        self.told_outcome = ""
        """What it had come to when that was told last, and since when it had."""
        self.told_since_ns = 0

    @property
    def reasons(self) -> tuple[tuple[str, int], ...]:
        """What they came to, and how often, the most frequent first."""
        return tuple((str(outcome), count) for outcome, count in self.counts.most_common())

    def tell(self, now_ns: int) -> int:
        """Note that the present outcome is told now; return since when it is so, as far as was noticed."""
        if self.outcome != self.told_outcome:
            self.told_outcome, self.told_since_ns = self.outcome, now_ns
        return self.told_since_ns


class Case(Protocol[K_co]):
    """A watched set: a pair, or a basket."""

    is_held_back: bool
    """Whether there is an edge, and only time or the word of a connection is missing."""

    @property
    def key(self) -> K_co:
        """Its name among its kind."""
        ...

    @property
    def tally(self) -> Tally:
        """What its evaluations came to."""
        ...

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is open or waiting."""
        ...

    def due_s(self) -> float | None:
        """Return when it must be looked at again even if nothing happens; None when it need not be."""
        ...


S = TypeVar("S", bound=Case[Any])


class Caseload(Generic[K, S]):
    """The sets of one kind. ``active`` are those that wait, are open or are held back."""

    def __init__(self) -> None:
        self.active: dict[K, S] = {}
        self._waiting: dict[K, S] = {}
        """Those of them that must be looked at again by a moment of their own."""
        self._changed: dict[K, S] = {}
        """Those whose evaluations come to something else than was told."""
        self._turn: Iterator[K] = iter(())
        self.funnel: Counter[str] = Counter()
        """Evaluations by outcome."""
        self.evaluations = 0

    def note(self, case: S, outcome: str) -> None:
        """Count what an evaluation came to, and know from it when to look again."""
        self.evaluations += 1
        self.funnel[outcome] += 1
        tally = case.tally
        tally.counts[outcome] += 1
        tally.outcome = outcome
        if outcome != tally.told_outcome:
            self._changed[case.key] = case
        if not case.is_idle or case.is_held_back:
            self.active[case.key] = case
            if case.due_s() is None:
                self._waiting.pop(case.key, None)
            else:
                self._waiting[case.key] = case
        elif case.key in self.active:
            self.drop(case)

    def drop(self, case: S) -> None:
        """Look no more at a set for its own sake."""
        self.active.pop(case.key, None)
        self._waiting.pop(case.key, None)

    def due_s(self) -> float | None:
        """Return when the first of those that wait must be looked at again; None when nothing waits."""
        times_s = [case.due_s() for case in self._waiting.values()]
        return min((due_s for due_s in times_s if due_s is not None), default=None)

    def next(self, cases: Mapping[K, S], at_once: int) -> list[S]:
        """Return whom to tell about now: ``at_once`` of those with news, and as many others in turn."""
        changed, chosen = self._changed, dict[K, S]()
        while changed and len(chosen) < at_once:
            key = next(iter(changed))
            case = changed.pop(key)
            if cases.get(key) is case and case.tally.outcome != case.tally.told_outcome:
                chosen[key] = case
        for _ in range(min(at_once, len(cases))):
            turn = next(self._turn, None)
            if turn is None:
                self._turn = iter(tuple(cases))
                turn = next(self._turn)
            if turn in cases:
                chosen[turn] = cases[turn]
        return list(chosen.values())
